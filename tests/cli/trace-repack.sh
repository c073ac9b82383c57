#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-trace repack: nothing but the size changes.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

python3 - >in.txt <<'END'
print('#header {"host":{"kernel":"6.1.0"},"clock":"mono","mine":["kept"]}')
print('#ledger 0 70010 70000 10\n#ledger 1 7 7\n#footer {"note":"kept"}')
print('preamble=1 @5 cpu=0 pid=7 kvm_entry vcpu_id=0')
for i in range(70000):
    if i == 69000:
        print("lost 0 10\nlost 1 unknown")
    print(f"+{i % 7 * 10} cpu={int(i % 10000 == 9999)} pid=7 kvm_mmu_paging_element level={i % 4 + 1} pte={i * i}")
END
check "mktrace builds a file" "$SPHT_MKTRACE" -l 1 -o in.spht in.txt
check "repack succeeds" "$SPHT_TRACE" repack in.spht -o out.spht
check "it says nothing" test ! -s "$T/err"
check "the result verifies" "$SPHT_TRACE" verify out.spht
has "its ledger is that of the origin" "$T/out" 'ledger +closed'
check "it is not larger" sh -c '[ "$(wc -c <out.spht)" -le "$(($(wc -c <in.spht) + 1000))" ]'
"$SPHT_TRACE" dump in.spht >want
"$SPHT_TRACE" dump out.spht >got
same "it has the same events, preamble and losses" got want
sha=$(sha256sum <in.spht | cut -d' ' -f1)
check "header and footer are kept, and the origin is named" python3 - in.spht out.spht "$sha" <<'END'
import json, struct, sys

def load(name):
    raw = open(name, "rb").read()
    at, = struct.unpack_from("<Q", raw, len(raw) - 24)
    return (json.loads(raw[28:28 + struct.unpack_from("<I", raw, 20)[0]]),
            json.loads(raw[at + 24:at + 24 + struct.unpack_from("<I", raw, at + 8)[0]]))

(a, af), (b, bf) = load(sys.argv[1]), load(sys.argv[2])
repacked = b.pop("repacked")
# Another version may predict otherwise.
for t in a["types"] + b["types"]:
    del t["parts"]
assert repacked == {"file": "in.spht", "sha256": sys.argv[3],
                    "command": "spht-trace repack in.spht -o out.spht --level=19"}, repacked
assert a == b, (a, b)
assert af == bf and bf["note"] == "kept" and bf["cpus"][0]["overrun"] == "0xa", (af, bf)
END
check "repack --level is taken" "$SPHT_TRACE" repack --level=1 out.spht -o 1.spht
"$SPHT_TRACE" dump 1.spht >got
same "and changes no event" got want
check "repack of a cut succeeds" sh -c \
	'"$1" cut --last=0.001 in.spht -o c.spht && "$1" repack c.spht -o r.spht' - "$SPHT_TRACE"
"$SPHT_TRACE" dump c.spht >want
"$SPHT_TRACE" dump r.spht >got
same "and changes no event of it" got want

status 2 "--level=0 is a usage error" "$SPHT_TRACE" repack --level=0 in.spht -o x.spht
status 2 "no -o is a usage error" "$SPHT_TRACE" repack in.spht
status 2 "so is its own input as output" "$SPHT_TRACE" repack --force in.spht -o ./in.spht
status 1 "repack does not overwrite" "$SPHT_TRACE" repack in.spht -o out.spht
check "but with --force" "$SPHT_TRACE" repack --force in.spht --output=out.spht
check "a disk that fills up on the way leaves no file" sh -c '
	trap "" XFSZ
	ulimit -f 8 || exit 1
	"$1" repack in.spht -o x.spht 2>x.err
	[ $? = 1 ] && [ ! -e x.spht ] && grep -q "x.spht: .*cannot write" x.err' - "$SPHT_TRACE"
head -c 60000 in.spht >bad.spht
status 1 "a damaged input is a failure" "$SPHT_TRACE" repack bad.spht -o x.spht
check "that leaves no file" test ! -e x.spht

finish
