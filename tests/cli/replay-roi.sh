#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay --roi: all of a recording is replayed, exits between two marks of
# the guest count.  Figures follow from the derivation in replay-golden.sh.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

# Marks before steps 5, 11, 21 and 24: boot, make, end and boot again; noise that is none.
awk -v names='"marks":{"names":{"0x1":"boot","0x2":"make","3":"end","0x100":"../lib/a..b.o"}}' '
/^#ledger/ { next }
/^#header/ { sub(/\{/, "{" names ",") }
/^# Step 5:/ { print "pid=70 cpu=0 kvm_pio rw=1 port=0x5f0 size=4 count=1 val=1" }
/^# Step 6:/ { # read, other port, string, no size of a mark
	print "kvm_pio rw=0 port=0x5f0 size=4 count=1 val=2"
	print "kvm_pio rw=1 port=0x80 size=4 count=1 val=2"
	print "kvm_pio rw=1 port=0x5f0 size=1 count=9 val=2"
	print "kvm_pio rw=1 port=0x5f0 size=8 count=1 val=2"
}
/^# Step 11:/ { print "kvm_pio rw=1 port=0x5f0 size=1 count=1 val=0xff02" }
/^# Step 21:/ { print "kvm_pio rw=1 port=0x5f0 size=2 count=1 val=3" }
/^# Step 24:/ { print "kvm_pio rw=1 port=0x5f0 size=4 count=1 val=1" }
{ print }' "$TOP/tests/data/replay-golden.txt" >marked.txt
check "a recording with marks can be written" "$SPHT_MKTRACE" -o marked.spht marked.txt

# row SENTENCE FILE WANTED COLUMN...: the columns of the file's rows are WANTED.
row()
{
	row_what=$1
	row_file=$2
	printf '%s\n' "$3" >want
	shift 3
	cells "$row_file" "$@" >got
	same "$row_what" want got
}

# roi TEXT FILE OPTION...
roi()
{
	roi_text=$1
	roi_file=$2
	shift 2
	check "--roi=$roi_text replays" "$SPHT_REPLAY" "--roi=$roi_text" --heuristic=window:size=16 \
		--csv="$roi_file.csv" --json="$roi_file.json" "$@" marked.spht
}

# Steps 11 to 20.  11 meets what was asked for at 10: carried.  12 13 20 ask 45 times:
# d4 i2 u38 b1, and what is built is used, too weak, by 21: it counts with its request.
# 41 reads and a build, as the built-in profile has them.  Strict does not know B:08 at 11, optimistic H:28 at 13.
busy=$(python3 - "$TOP/replay/costs/default.json" <<'END'
import json, sys
costs = json.load(open(sys.argv[1]))
print("%.9g" % ((41 * costs["helper_read_ns"]["value"] + costs["helper_build_ns"]["value"]) / 1e9))
END
)
roi make..end region
row "exits inside count, by class" region.csv 'make..end 10 10 0 2 2 0 0 3 1 1 1 1 1 1 0 4' \
	roi exits_total exits_pf pf_guest pf_hidden pf_huge pf_huge_nopaging pf_ad pf_ptwrite_emul \
	pf_ptwrite_emul_c2 pf_ptwrite_emul_c3 pf_ptwrite_emul_c4 pf_mmio pf_spurious pf_retry \
	pf_refault f_base
row "so do the faults avoided there" region.csv '0 1 2 2 0.5 1 0 3' avoided_lo avoided \
	avoided_hi avoidable oracle_share avoided_direct avoided_side remaining
row "requests count where they are made, what becomes of them with them" region.csv \
	"45 4 2 38 1 1 0 0 1 0 0 0 $busy" generated duplicate illegal unknown issued built \
	used_timely used_late used_weak use_unknown zapped_unused resident_unused helper_busy_s
row "what was asked for before and used inside stands apart" region.csv '1 1 -' used_carry \
	accuracy_hi lateness
row "fidelity is that of all of it" region.csv '100 0' fidelity_pct unknown_start
has "the report names the region and its times" out \
	'^region +make\.\.end: from 0\.00[0-9] s to 0\.00[0-9] s; what is outside is replayed'
has "and what was carried over" out 'of the direct, 1 met what was asked for before'

# Marks can be numbers, and either side may be missing: it is the recording's end.
roi 0x2..3 numbers
row "numbers say the same as names" numbers.csv "$(cells region.csv exits_pf f_base generated)" \
	exits_pf f_base generated
roi ..make head
roi end.. tail
row "without a first mark the region begins with the recording" head.csv '11 5' exits_total f_base
row "without a second it ends with it" tail.csv '5 3' exits_total f_base
python3 - <<'END' >sums 2>&1
import csv
parts = [next(csv.DictReader(open(f + ".csv"))) for f in ("head", "region", "tail")]
whole = "exits_total exits_pf f_base avoided_direct avoided_side remaining generated issued built".split()
for c in whole:
    print(c, sum(int(p[c]) for p in parts))
END
check "without --roi it replays as ever" "$SPHT_REPLAY" --heuristic=window:size=16 --csv=all.csv marked.spht
python3 - <<'END' >whole 2>&1
import csv
row = next(csv.DictReader(open("all.csv")))
for c in "exits_total exits_pf f_base avoided_direct avoided_side remaining generated issued built".split():
    print(c, row[c])
END
same "three regions side by side have what the whole has" whole sums
row "and used_carry is empty without a region" all.csv '- -' roi used_carry

# The second mark is the first one after the first: boot, at 5, to boot, at 24.
roi boot..boot again
row "a region may end with another mark of the same value" again.csv '19 11' exits_total f_base

# refused TEXT REGEX: exit status 1, the marks there are, no table.
refused()
{
	rm -f r.csv
	status 1 "--roi=$1 is refused" "$SPHT_REPLAY" --heuristic=none "--roi=$1" --csv=r.csv marked.spht
	has "  it says why" err "$2"
	check "  and leaves no table" test ! -e r.csv
}
there='there are 0x1 \(boot\), 0x2 \(make\), 0x3 \(end\)$'
refused make..done "marked\\.spht: --roi=make\\.\\.done: no such marks; $there"
refused end..make "--roi=end\\.\\.make: no mark 0x2 after the first one; $there"
refused 0x77.. "--roi=0x77\\.\\.: no mark 0x77; $there"
refused ../lib/a..b.o..end "no mark 0x100; $there"
refused 4294967296.. 'no such marks'
for text in make .. '' a.b; do
	status 2 "--roi=$text is no region" "$SPHT_REPLAY" --heuristic=none "--roi=$text" marked.spht
	has "  it says what one is" err "--roi=$text: expected MARK\\.\\.MARK, MARK\\.\\. or \\.\\.MARK"
done
check "a recording without marks can be written" "$SPHT_MKTRACE" -o plain.spht \
	"$TOP/tests/data/replay-golden.txt"
status 1 "a region needs marks" "$SPHT_REPLAY" --heuristic=none --roi=1..2 plain.spht
has "  it says which" err 'has no marks \(kvm_pio writes to port 0x5f0\)'

# The header may name another port.
sed 's/"marks":{/&"port":"0x80",/' marked.txt >port.txt
check "marks on another port can be written" "$SPHT_MKTRACE" -o port.spht port.txt
status 1 "they are looked for there" "$SPHT_REPLAY" --heuristic=none --roi=boot..end port.spht
has "  and nowhere else" err 'no mark 0x1; there are 0x2 \(make\)$'

# What the guest of another VM writes is no mark of this one's.
{
	cat marked.txt
	echo 'pid=99 cpu=1 kvm_pio rw=1 port=0x5f0 size=4 count=1 val=9'
} >other.txt
check "a mark of another thread can be written" "$SPHT_MKTRACE" -o other.spht other.txt
check "all marks count without --vm" "$SPHT_REPLAY" --heuristic=none --roi=..9 other.spht
status 1 "with it only those of its vCPUs" "$SPHT_REPLAY" --heuristic=none --vm=70 --roi=..9 other.spht
finish
