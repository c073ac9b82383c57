#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay on what it cannot replay: exit status 1, a message of its own for
# each cause, and never a table; a damaged file with --partial: exit status 4.
# shellcheck disable=SC2016 # words for another shell
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

check "mktrace builds a recording" "$SPHT_MKTRACE" -o ok.spht "$TOP/tests/data/replay-golden.txt"
check "a good recording replays" "$SPHT_REPLAY" --heuristic=none --csv=ok.csv ok.spht
: >messages
cause=new

# alone: one line of explanation, no report, no table.
alone()
{
	[ "$(wc -l <err1)" = 1 ] && [ ! -s out1 ] && unwritten x.csv x.json
}

# refused WHAT REGEX FILE [ARG]...: exit status 1, a message with REGEX that names FILE.
refused()
{
	refused_what=$1
	refused_regex=$2
	refused_file=$3
	shift 3
	rm -f x.csv x.json
	status 1 "$refused_what is refused" "$SPHT_REPLAY" --heuristic=window --csv=x.csv \
		--json=x.json "$@" "$refused_file" || return 1
	cp out out1
	cp err err1
	has "  it says: $refused_regex" err1 "^spht-replay: .*$refused_regex"
	has "  names the file" err1 "$(basename "$refused_file")"
	check "  and leaves nothing else" alone
	# The cause alone, to see that no two causes share their words.
	[ "$cause" = new ] || return 0
	sed -e 's/^spht-replay: [^ ]*: //' -e 's/[0-9][0-9a-fx]*/N/g' err1 >>messages
}

# Things that are no recording.
: >empty.spht
refused "an empty file" 'is empty' empty.spht
mkdir folder.spht
refused "a folder" 'is a directory' folder.spht
refused "a file that is not there" 'No such file' missing.spht
gzip -c ok.spht >ok.spht.gz
refused "a gzip file" 'is a gzip file; unpack it first' ok.spht.gz
python3 -c 'import random; random.seed(7); open("random.spht", "wb").write(random.randbytes(100000))'
refused "a file of random bytes" 'expected the start of a \.spht trace' random.spht

# Damage.  Several blocks on two CPUs, so that something stays whole: one fault after the
# other on the pages of A, the CPU changing every 1000.
awk '
/^# Step 3:/ { exit }
/^#ledger/ { next }
{ print }
END {
	for (i = 0; i < 20000; i++) {
		page = 256 + i % 256
		t = 1000000 + i * 100000
		printf "cpu=%d @%d kvm_exit exit_reason=0x4e isa=2 info1=4 info2=%d\n", i / 1000 % 2, t, page * 4096
		printf "kvm_mmu_pagetable_walk addr=%d pferr=4\n", page * 4096
		print "kvm_mmu_paging_element level=4 pte=0x2067"
		print "kvm_mmu_paging_element level=3 pte=0x3067"
		print "kvm_mmu_paging_element level=2 pte=0x4067"
		printf "kvm_mmu_paging_element level=1 pte=%d\n", (4096 + page) * 4096 + 103
		printf "kvm_mmu_spte_requested gfn=%d level=1\n", 4096 + page
		printf "kvm_mmu_set_spte gfn=%d sptep=%d level=1 spte=%d\n", 4096 + page, 1048576 + 8 * page,
			(4096 + page) * 4096 + 3687
		printf "@%d kvm_entry\n", t + 1000
		if (page == 511)
			print "kvm_mmu_prepare_zap_page gfn=4 role=0x701"
	}
}' "$TOP/tests/data/replay-golden.txt" >many.txt
check "a recording of several blocks can be written" "$SPHT_MKTRACE" -o many.spht many.txt
check "it replays" "$SPHT_REPLAY" --heuristic=none --csv=many.csv many.spht
check "it has several blocks" sh -c '"$1" verify many.spht | grep -E "whole +[3-9] blocks"' - "$SPHT_TRACE"
size=$(wc -c <many.spht)

head -c 100 many.spht >cut.spht
refused "a file cut off inside its header" 'ends inside its header' cut.spht
cause=known
refused "even with --partial" 'ends inside its header' cut.spht --partial
cause=new
head -c $((size * 9 / 10)) many.spht >cut.spht
refused "a file cut off" 'it was cut off.*--partial' cut.spht

# cell COLUMN: of the first row of x.csv.
cell()
{
	awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
		NR == 2 { print (name in at) ? $at[name] : "no such column" }' x.csv
}
# partly WHAT FILE: it replays with --partial, but not as if it were whole.
partly()
{
	rm -f x.csv
	status 4 "$1 replays with --partial and exit status 4" "$SPHT_REPLAY" --partial --heuristic=none \
		--heuristic=window --csv=x.csv "$2" || return 1
	cp err partly.err
	check "  its table says that it is not complete" test "$(cell trace_complete)" = no
	check "  and has some of its exits" test "$(cell exits_pf)" -gt 0 -a "$(cell exits_pf)" -lt 20001
}
partly "a file cut off" cut.spht
status 4 "without a report too" "$SPHT_REPLAY" --partial --quiet --heuristic=none ok.spht cut.spht
has "  which file is not whole is told" err '^spht-replay: cut.spht: INCOMPLETE'
lacks "  and of that one only" err 'ok.spht'
check "a whole file replays with --partial and exit status 0" "$SPHT_REPLAY" --partial \
	--heuristic=none --csv=x.csv many.spht
check "  its table says that it is complete" test "$(cell trace_complete)" = yes
check "  it is the same as without" cmp x.csv many.csv

# flip PLACE FROM TO: TO is FROM with one bit flipped.
flip()
{
	python3 -c '
import sys
raw = bytearray(open(sys.argv[2], "rb").read())
raw[int(sys.argv[1])] ^= 4
open(sys.argv[3], "wb").write(raw)' "$1" "$2" "$3"
}
# Behind the header, which is a fourth of so small a file.
flip $((size * 2 / 3)) many.spht flip.spht
refused "a flipped bit" 'checksum of block [0-9]+ is wrong' flip.spht
partly "a flipped bit" flip.spht
has "  loudly" partly.err 'THE RECORDING LOST EVENTS'
check "  counting them" test "$(cell lost_events)" -gt 0
flip 40 many.spht flip.spht
refused "a flipped bit in the header" 'header' flip.spht

# The same wherever the real recording is hurt: the books close all the same.
sample=$TOP/traces/samples/kbuild-cc-1vcpu.spht
if [ -n "$SPHT_SANITIZED" ]; then
	skip "the bundled recording replays with damage anywhere" "tried by make check"
elif [ -e "$sample" ]; then
	size=$(wc -c <"$sample")
	: >bad
	for part in 1 2 3 4 5 6 7 8; do
		flip $((size * part / 9)) "$sample" hurt.spht
		"$SPHT_REPLAY" --partial --quiet --heuristic=none --heuristic=window hurt.spht 2>err1
		rc=$?
		[ $rc = 4 ] || echo "bit flipped at $part/9: exit status $rc: $(tail -n 1 err1)" >>bad
		head -c $((size * part / 9)) "$sample" >hurt.spht
		"$SPHT_REPLAY" --partial --quiet --heuristic=none --heuristic=window hurt.spht 2>err1
		rc=$?
		[ $rc = 4 ] || echo "cut off at $part/9: exit status $rc: $(tail -n 1 err1)" >>bad
	done
	check "the bundled recording replays with damage anywhere, exit status 4" diff /dev/null bad
else
	skip "the bundled recording replays with damage anywhere" "traces/samples has none"
fi

# A file of a later version, and otherwise in order.
check "a file of version 2 can be made" python3 - <<'END'
import struct
def crc32c(data):
    crc = 0xffffffff
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
raw = bytearray(open("ok.spht", "rb").read())
assert struct.unpack_from("<I", raw, 16)[0] == 1
struct.pack_into("<I", raw, 16, 2)
size = struct.unpack_from("<I", raw, 20)[0]
struct.pack_into("<I", raw, 24, crc32c(raw[:24] + raw[28:28 + size]))
open("v2.spht", "wb").write(raw)
END
refused "a file of a later version" 'version 2' v2.spht

# Guests that are not modelled.  variant NAME SED: the recording by hand, changed.
variant()
{
	sed "$2" "$TOP/tests/data/replay-golden.txt" >v.txt
	"$SPHT_MKTRACE" -o "$1.spht" v.txt || echo "not ok - $1.spht can be made"
}
variant tdp '$a @3000000 kvm_tdp_mmu_spte_changed gfn=1 old_spte=0 new_spte=1 level=1'
refused "a guest whose SPTEs the TDP MMU changes" 'nested page tables \(kvm_tdp_mmu_spte_changed' tdp.spht
variant npf '$a @3000000 kvm_exit exit_reason=0x400 isa=2'
refused "a guest with NPT exits" 'nested page tables \(.*exit' npf.spht
variant ept '$a @3000000 kvm_exit exit_reason=48 isa=1'
cause=known
refused "a guest with EPT exits" 'nested page tables \(.*exit' ept.spht
cause=new
# As many levels as the paging mode has: 5, 3 and 2.
variant la57 's/^\(kvm_mmu_paging_element level=4 pte=\).*/kvm_mmu_paging_element level=5 pte=0x9067\n&/'
refused "a guest with 5-level page tables" 'under 5-level page tables; only 4-level' la57.spht
variant pae '/^kvm_mmu_paging_element level=4/d'
refused "a PAE guest" 'under PAE page tables; only 4-level' pae.spht
variant ia32 '/^kvm_mmu_paging_element level=[34]/d'
refused "a 32-bit guest" 'under 32-bit page tables; only 4-level' ia32.spht
variant idle '/exit_reason=0x4e/s/0x4e/0x60/'
refused "a recording without page faults" 'no page-fault exit in it' idle.spht
variant nohost 's/"host":{"kernel":"[^"]*"}/"host":{}/'
refused "a recording that does not say its host kernel" 'does not say which host kernel' nohost.spht
variant oldhost 's/"kernel":"6\.1\.0-56-amd64"/"kernel":"4.19.0"/'
refused "a host kernel that is not known" 'no role layout is known for host kernel 4\.19\.0' oldhost.spht
# A few faults of the boot under another mode are skipped and counted: 201 to 2.
awk '
/^# Step 3:/ { exit }
/^#ledger/ { next }
{ print }
END {
	for (i = 0; i < 202; i++) {
		printf "@%d kvm_exit exit_reason=0x4e isa=2 info1=4 info2=%d\n", 1000000 + 10000 * i, 4096 * i
		printf "kvm_mmu_pagetable_walk addr=%d pferr=4\n", 4096 * i
		if (i >= 2)
			print "kvm_mmu_paging_element level=4 pte=0x2067"
		print "kvm_mmu_paging_element level=3 pte=0x3067"
		print "kvm_mmu_paging_element level=2 pte=0x4067"
		print "kvm_mmu_paging_element level=1 pte=0"
		print "kvm_mmu_walker_error pferr=4"
		print "kvm_entry"
	}
}' "$TOP/tests/data/replay-golden.txt" >boot.txt
"$SPHT_MKTRACE" -o boot.spht boot.txt
check "less than 1 % of the faults under PAE are skipped" "$SPHT_REPLAY" --heuristic=none --csv=x.csv boot.spht
check "  and counted: 2" test "$(cell pf_mode_skipped)" = 2
check "  not among the others: 200 and 2 before" test "$(cell exits_pf)" = 202

# Two VMs: two threads that run vCPU 0.
awk '{ print } /^# An interrupt/ {
	print "pid=90 cpu=1 @2500000 kvm_exit exit_reason=0x60 isa=2 vcpu_id=0"
	print "pid=90 cpu=1 kvm_entry vcpu_id=0"
	print "pid=70 cpu=0 @2500100 kvm_exit exit_reason=0x60 isa=2"
	exit
}' "$TOP/tests/data/replay-golden.txt" | grep -v '^#ledger' >vms.txt
"$SPHT_MKTRACE" -o vms.spht vms.txt
refused "a recording of two VMs" 'both run vCPU 0: .*--vm=TID' vms.spht
check "  but for one of them, chosen by --vm" "$SPHT_REPLAY" --heuristic=none --vm=70 --csv=x.csv vms.spht
check "  which the row names" test "$(cell vm)" = 70

check "all of these have messages of their own" sh -c 'test -z "$(sort messages | uniq -d)"'

# One bad file among good ones: no table that looks like the result.
rm -f x.csv
status 1 "a bad file after a good one is refused" "$SPHT_REPLAY" --heuristic=none --csv=x.csv ok.spht empty.spht
check "  and leaves no table" unwritten x.csv
echo old >x.csv
status 1 "a bad file is refused where there is a table" "$SPHT_REPLAY" --heuristic=none --csv=x.csv empty.spht
check "  which stays as it was" test "$(cat x.csv)" = old

# What is not whole yet has a name that nobody can have prepared, nor another run.
mkdir -p apart
cp ok.spht apart
echo mine >apart/victim
ln -s victim apart/x.csv.part
check "a table is written where a link lies in the way" sh -c 'cd apart && umask 027 &&
	exec "$1" --heuristic=none --quiet --csv=x.csv ok.spht' - "$SPHT_REPLAY"
check "  which is not followed" test "$(cat apart/victim)" = mine
check "  the mode is that of any new file" test "$(stat -c %a apart/x.csv)" = 640
check "  and nothing of it is left" sh -c '[ "$(ls apart | tr "\n" " ")" = "ok.spht victim x.csv x.csv.part " ]'
mkfifo in1 in2
pid1='' pid2=''
for n in 1 2; do
	"$SPHT_REPLAY" --heuristic=window --quiet --csv=both.csv - <in$n 2>both$n.err &
	eval "pid$n=\$!"
done
exec 8>in1 9>in2
tries=0
while set -- both.csv.*.part && [ $# != 2 ] && [ $tries -lt 100 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
check "two runs that write one table write two files" test $# = 2
cat ok.spht >&8
exec 8>&-
wait "$pid1"
cp both.csv both1.csv
cat ok.spht >&9
exec 9>&-
wait "$pid2"
same "  either of which is whole" both.csv both1.csv
check "  and nothing else is left" test "$(ls -d both.csv*)" = both.csv

# Output that cannot be written.
status 1 "a table on a full disk fails" "$SPHT_REPLAY" --heuristic=none --csv=/dev/full ok.spht
has "  it says so" err '^spht-replay: /dev/full: cannot be written'
status 1 "JSON on a full disk fails" "$SPHT_REPLAY" --heuristic=none --json=/dev/full ok.spht
has "  it says so" err '^spht-replay: /dev/full: cannot be written'
for option in '' --csv=- --json=-; do
	status 1 "stdout on a full disk fails ($option)" sh -c '
		program=$1; shift; exec "$program" --heuristic=none "$@" ok.spht >/dev/full' - "$SPHT_REPLAY" $option
	has "  it says so" err 'cannot be written'
done
status 1 "a table in a folder that is not there fails" "$SPHT_REPLAY" --heuristic=none \
	--csv=no/such/x.csv ok.spht
has "  it says so" err 'no/such/x\.csv: cannot be created'
status 1 "a table where a folder is fails" "$SPHT_REPLAY" --heuristic=none --csv=folder.spht ok.spht
has "  it says so" err 'folder\.spht: cannot be created'
rm -f x.csv
status 1 "JSON that cannot be created leaves no table" "$SPHT_REPLAY" --heuristic=none --csv=x.csv \
	--json=no/such/x.json ok.spht
check "  none at all" unwritten x.csv

finish
