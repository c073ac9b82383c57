#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-trace verify: what it says of whole files, and that no damage passes: the
# file cut off, bits flipped, lengths that lie, and things that are no trace.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

# Noisy values, so that the file has several blocks and every 64 KiB of it matter.
python3 - >in.txt <<'END'
import random
random.seed(1)
print('#ledger 0 120000 120000\n#ledger 1 40000 39990 10')
for i in range(159990):
    cpu = int(i % 4 == 0 and i < 159960)
    if i == 100000:
        print("lost 1 10")
    print(f"+{random.randrange(1000)} cpu={cpu} pid={cpu + 7} kvm_entry rip={random.getrandbits(44)} vcpu_id={cpu}")
END
check "mktrace builds a file of several blocks" "$SPHT_MKTRACE" -o ok.spht in.txt
check "verify of a whole file succeeds" "$SPHT_TRACE" verify ok.spht
sed 's/[0-9]*\.[0-9]* seconds/S seconds/' "$T/out" >got
cat >want <<END
ok.spht: whole
  whole   4 blocks, 159990 events, 0 preamble events, S seconds
  losses  10 events at 1 places, uncounted ones at 0 of them
  ledger  closed
  sha256  $(sha256sum ok.spht | cut -d' ' -f1)
END
same "and says what it found" got want
check "verify reads standard input" sh -c '"$1" verify - <ok.spht' - "$SPHT_TRACE"

# A toolbox: where the blocks of a file are, and changes with right checksums.
cat >tool.py <<'END'
import struct, sys

def crc32c(data, table=[]):
    if not table:
        for i in range(256):
            for _ in range(8):
                i = i >> 1 ^ (0x82f63b78 if i & 1 else 0)
            table.append(i)
    crc = 0xffffffff
    for b in data:
        crc = crc >> 8 ^ table[(crc ^ b) & 255]
    return crc ^ 0xffffffff

def blocks(raw):
    at = 8 + struct.unpack_from("<I", raw, 4)[0]
    found = []
    while struct.unpack_from("<I", raw, at)[0] == 0x184d2a54:
        found.append(at)
        at += 72 + struct.unpack_from("<I", raw, at + 8 + 48)[0]
    return found, at

def set_header(raw, what):  # a file header whose numbers are changed
    what(raw)
    size = struct.unpack_from("<I", raw, 20)[0]
    if size < len(raw):
        struct.pack_into("<I", raw, 24, crc32c(raw[:24] + raw[28:28 + size]))

def set_block(raw, nr, what):  # block @nr, its place in the index and the footer's checksum
    at, footer = blocks(raw)
    head = bytearray(raw[at[nr] + 8:at[nr] + 72])
    what(head)
    struct.pack_into("<I", head, 60, crc32c(head[:60]))
    raw[at[nr] + 8:at[nr] + 72] = head
    entry = len(raw) - 24 - 72 * (len(at) - nr)
    raw[entry + 8:entry + 72] = head
    struct.pack_into("<I", raw, len(raw) - 12, crc32c(raw[footer:len(raw) - 12]))

raw = bytearray(open(sys.argv[1], "rb").read())
exec(sys.argv[3])
open(sys.argv[2], "wb").write(raw)
END
# change OUT PYTHON: OUT is ok.spht with a change.
change()
{
	python3 tool.py ok.spht "$1" "$2" || echo "not ok - $1 can be made"
}

# damaged SENTENCE REGEX FILE: verify fails, names the file and says this.
damaged()
{
	status 1 "$1" "$SPHT_TRACE" verify "$3"
	cp "$T/out" v.out
	cp "$T/err" v.err
	has "  its message: $2" v.err "^spht-trace: $3: $2"
	check "  in one line" test "$(wc -l <v.err)" = 1
}

python3 tool.py ok.spht same.spht 'print(*blocks(raw)[0], blocks(raw)[1])' >places
same "the tests know where blocks are" same.spht ok.spht
n=0
for place in $(cat places); do
	head -c "$place" ok.spht >cut.spht
	damaged "cut off before block $n: noticed" 'offset 0x[0-9a-f]+: .*cut off' cut.spht
	has "  says what is whole" v.out "whole +$n blocks"
	status 1 "  info refuses it" "$SPHT_TRACE" info cut.spht
	status 4 "  info --partial reads what is whole" "$SPHT_TRACE" info --partial cut.spht
	has "  and says that this is not all" "$T/err" 'not whole'
	n=$((n + 1))
done
# Between the last whole block and the footer: everything is there but the end.
check "all events can be read then" sh -c \
	'[ "$("$1" dump --partial --no-header cut.spht 2>/dev/null | grep -vc LOST)" = 159990 ]' - \
	"$SPHT_TRACE"
status 4 "dump --partial ends with status 4" "$SPHT_TRACE" dump --partial cut.spht

# each FILE COMMAND: prints the names of variants of ok.spht that COMMAND does not refuse with 1
# and a message that has the file's name.
each()
{
	for variant in "$1".*; do
		"$SPHT_TRACE" verify "$variant" >o 2>e
		[ $? = 1 ] && grep -q "^spht-trace: $variant: " e || echo "$variant"
	done
}
none()
{
	cat "$1" >&2
	[ ! -s "$1" ]
}
change x 'import random
random.seed(2)
for i in range(100): open(f"off.{i}", "wb").write(raw[:random.randrange(len(raw))])'
each off >bad
check "cut off at 100 random places: all noticed" none bad
change x 'import random
random.seed(3)
for i in range(0, len(raw), 65536):
    bit = random.randrange(8 * min(65536, len(raw) - i))
    flip = bytearray(raw)
    flip[i + bit // 8] ^= 1 << bit % 8
    open(f"flip.{i}", "wb").write(flip)'
each flip >bad
check "one flipped bit in each 64 KiB: all noticed" none bad
check "which were more than ten" sh -c '[ "$(ls flip.* | wc -l)" -gt 10 ]'
change x 'for i in range(8 * 28):
    flip = bytearray(raw)
    flip[i // 8] ^= 1 << i % 8
    open(f"head.{i}", "wb").write(flip)
for i in range(8 * 24):
    flip = bytearray(raw)
    flip[len(raw) - 24 + i // 8] ^= 1 << i % 8
    open(f"tail.{i}", "wb").write(flip)'
each head >bad
check "any flipped bit at the start is noticed" none bad
each tail >bad
check "any flipped bit at the end is noticed" none bad

place=$(cut -d' ' -f2 places)
change second.spht "raw[$place + 100] ^= 1"
damaged "damage in the second block is named" "offset 0x$(printf %x $((place + 72))): .*checksum" \
	second.spht
has "  with what can be read all the same" v.out 'NOT WHOLE; with --partial can be read'
status 4 "  which info --partial does" "$SPHT_TRACE" info --partial second.spht
has "  and counts the rest as lost" "$T/out" 'EVENTS LOST'

change future.spht 'set_header(raw, lambda r: struct.pack_into("<I", r, 16, 2))'
damaged "a future version is named" 'offset 0x10: format version 2' future.spht
change huge.spht 'set_header(raw, lambda r: struct.pack_into("<I", r, 4, 1 << 30))'
damaged "a header of 1 GiB is refused" 'offset 0x4: the header claims 1073741824 bytes' huge.spht
change many.spht 'set_block(raw, 1, lambda b: struct.pack_into("<I", b, 12, 0xffffffff))'
damaged "a block that claims too many events is refused" \
	'offset 0x[0-9a-f]+: .*more events than the limit' many.spht
change wide.spht 'set_block(raw, 1, lambda b: struct.pack_into("<I", b, 52, 0x7fffffff))'
damaged "a block that claims too many bytes is refused" \
	'offset 0x[0-9a-f]+: .*more raw bytes than the limit' wide.spht
change fewer.spht 'set_block(raw, 1, lambda b: struct.pack_into("<I", b, 12, 5))'
damaged "a block that hides events is refused" 'offset 0x[0-9a-f]+: block 1' fewer.spht
change time.spht 'set_block(raw, 0, lambda b: struct.pack_into("<Q", b, 32, 1 << 60))'
damaged "time stamps that are not sorted are refused" 'offset 0x[0-9a-f]+: ' time.spht
change seq.spht 'set_block(raw, 1, lambda b: struct.pack_into("<Q", b, 16, 7))'
damaged "a block out of sequence is refused" 'offset 0x[0-9a-f]+: .*out of sequence' seq.spht
change total.spht 'at = raw.index(b"\"events_by_type\":[\"0x"); at = raw.index(b"0x", at) + 2
raw[at] = ord("1") if raw[at] != ord("1") else ord("3")
footer = blocks(raw)[1]
struct.pack_into("<I", raw, len(raw) - 12, crc32c(raw[footer:len(raw) - 12]))'
damaged "a footer whose totals are wrong is refused" 'the footer says [0-9]+ events of type kvm_entry, the blocks hold 159990' total.spht
cat ok.spht ok.spht >twice.spht
damaged "something behind the end is noticed" 'offset 0x[0-9a-f]+: ' twice.spht

: >zero.spht
damaged "a file of no bytes" '.*empty' zero.spht
mkdir dir.spht
damaged "a directory" 'is a directory' dir.spht
gzip -c ok.spht >g.spht
damaged "a gzip file" 'is a gzip file' g.spht
zstd -q -c in.txt >z.spht 2>/dev/null || printf '\050\265\057\375xxxxxxxx' >z.spht
damaged "a zstd file" 'is a plain zstd file' z.spht
head -c 100000 in.txt >text.spht
damaged "some other file" 'offset 0x0: expected the start of a .spht trace' text.spht
damaged "a file that is not there" 'cannot open: No such file' gone.spht
if [ "$(id -u)" != 0 ]; then
	cp ok.spht secret.spht
	chmod 000 secret.spht
	damaged "a file that may not be read" 'cannot open: Permission denied' secret.spht
else
	skip "a file that may not be read" "root may read everything"
fi

# No command takes what verify refuses.
for file in zero.spht dir.spht g.spht text.spht gone.spht future.spht huge.spht cut.spht; do
	status 1 "info of $file fails" "$SPHT_TRACE" info $file
	status 1 "dump of $file fails" "$SPHT_TRACE" dump $file
	status 1 "cut of $file fails" "$SPHT_TRACE" cut $file -o o.spht
	status 1 "repack of $file fails" "$SPHT_TRACE" repack $file -o o.spht
	check "and leaves nothing" test ! -e o.spht
done

printf '#ledger 0 10 8 1\nkvm_entry vcpu_id=0\n' | "$SPHT_MKTRACE" -o open.spht
status 4 "a whole file whose ledger is not closed was recorded incompletely" "$SPHT_TRACE" verify open.spht
has "which is named" "$T/err" \
	'the ledger of CPU 0 is not closed: 10 written, 8 read, 1 overrun, 0 dropped'
has "although the file is whole" "$T/out" ': whole$'
status 2 "verify without a file is a usage error" "$SPHT_TRACE" verify
status 2 "verify --partial is none of its options" "$SPHT_TRACE" verify --partial ok.spht

finish
