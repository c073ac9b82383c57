#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay --interval, --intervals and --warmup: a recording in slices, whose
# sums are the whole's, and one without its beginning.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

for name in golden 2vcpu pvm; do
	check "mktrace builds $name.spht" "$SPHT_MKTRACE" -o $name.spht "$TOP/tests/data/replay-$name.txt"
done
sample=$TOP/traces/samples/kbuild-cc-1vcpu.spht
if [ -e "$sample" ]; then
	check "a part of the bundled recording can be cut" "$SPHT_TRACE" cut --exits=20000 "$sample" -o cut.spht
else
	skip "a part of the bundled recording can be cut" "traces/samples has none; another serves"
	cp golden.spht cut.spht
fi

# sums.py CSV INTERVALS JSON: columns of the intervals add up, row by row, to the table's.
cat >sums.py <<'END'
import csv, json, sys
whole = list(csv.DictReader(open(sys.argv[1])))
parts = list(csv.DictReader(open(sys.argv[2])))
objects = json.load(open(sys.argv[3]))
same = """trace roi warmup heuristic params knowledge guest_time_scale""".split()
sums = """exits_total exits_pf pf_guest pf_hidden pf_huge pf_huge_nopaging pf_ad pf_ptwrite_unsync
pf_ptwrite_emul pf_ptwrite_emul_c2 pf_ptwrite_emul_c3 pf_ptwrite_emul_c4 pf_mmio pf_spurious pf_retry
pf_refault pf_mode_skipped f_base avoided_direct avoided_side remaining new_exits_lo new_exits_hi
helper_exits built unknown_start unmodelled""".split()
per_row = len(parts) // len(whole)
assert per_row * len(whole) == len(parts) and per_row > 1, (len(parts), len(whole))
busy = 0
for n, (w, o) in enumerate(zip(whole, objects)):
    mine = parts[n * per_row:(n + 1) * per_row]
    assert all(m[c] == w[c] for m in mine for c in same), n
    assert [int(m["interval"]) for m in mine] == list(range(per_row))
    assert float(mine[0]["from_s"]) == 0
    assert all(abs(float(a["to_s"]) - float(b["from_s"])) < 1e-9 for a, b in zip(mine, mine[1:]))
    for c in sums:
        if w[c] == "":
            assert all(m[c] == "" for m in mine), c
        else:
            assert sum(int(m[c]) for m in mine) == int(w[c]), (n, c)
    f = o["fidelity"]
    p = f["p_bit"]
    total = lambda c: sum(int(m[c]) for m in mine)
    assert total("fidelity_absent_agreed") == sum(v for k, v in p.items() if k.endswith("p0_absent")) + f["prefetched"][0]
    assert total("fidelity_absent_all") == sum(v for k, v in p.items() if "_p0_" in k) + sum(f["prefetched"])
    assert total("fidelity_present_agreed") == sum(v for k, v in p.items() if k.endswith("p1_weak")) + f["kept"][0] + f["spurious"][0]
    assert total("fidelity_present_all") == sum(v for k, v in p.items() if "_p1_" in k) + sum(f["kept"] + f["spurious"])
    g = f["get_page"]
    assert total("pages_found_right") == g["exists_found"]
    assert total("pages_found_all") == g["exists_found"] + g["absent_found"]
    assert total("pages_created_right") == g["absent_created"]
    assert total("pages_created_all") == g["exists_created"] + g["absent_created"]
    for d in f["drops"]:
        assert total("drops_" + d) == f["drops"][d]
    for c in "time_base_s lock_wait_s".split():
        time = sum(float(m[c]) for m in mine if m[c])
        assert abs(time - float(w[c] or 0)) < 1e-9 + 1e-8 * time, (c, time, w[c])
    # The JSON has the same slices.
    for m, j in zip(mine, o["intervals"]):
        for c, v in j.items():
            assert m[c] == ("" if v is None else m[c]) and (v is None or float(m[c]) == float(v)), (c, m[c], v)
    assert len(o["intervals"]) == per_row
    busy += sum(m["exits_pf"] != "0" for m in mine)
assert busy > 1, "all in one interval"
END

# sums SENTENCE NAME OPTION...: what replays NAME.spht in slices adds up.
sums()
{
	sums_what=$1
	sums_name=$2
	shift 2
	check "$sums_name.spht replays in slices${1+ with $*}" "$SPHT_REPLAY" --heuristic=none \
		--heuristic=window:size=16 --heuristic=stride:on=both --heuristic=oracle \
		--csv=w.csv --intervals=i.csv --json=j.json "$@" $sums_name.spht || return 1
	check "$sums_what" python3 sums.py w.csv i.csv j.json
}
all="  which add up to the whole, class by class and fault by fault"
sums "$all" golden --interval=0.0003
sums "$all, at each scale" golden --interval=0.0004 --guest-time-scale=1,3
sums "$all, whatever the world and the threads" golden --interval=0.0003 --knowledge=optimistic -j3
sums "$all" 2vcpu --interval=0.00001
sums "$all, also without kvm_exit" pvm --interval=0.000002
sums "$all, also of a cut" cut --interval=0.25
sums "  and what counts adds up to what counts" golden --interval=0.0003 --warmup=30%

# Two runs, and two ways to write the same length.
check "intervals can be written again" "$SPHT_REPLAY" --heuristic=stride --intervals=a.csv --interval=0.0005 \
	-j2 golden.spht
check "  with another number" "$SPHT_REPLAY" --heuristic=stride --intervals=b.csv --interval=5e-4 golden.spht
same "  to the same bytes" a.csv b.csv
check "they can go to stdout" "$SPHT_REPLAY" --heuristic=stride --intervals=- --interval=0.0005 golden.spht
same "  in place of the report" out a.csv
check "their length is a minute unless told otherwise" "$SPHT_REPLAY" --heuristic=none --intervals=m.csv golden.spht
check "  so a short recording has one" test "$(cells m.csv interval from_s to_s | cut -d' ' -f1,2)" = "0 0"

# Exits of golden.spht begin every 100 us from the first event on, which is step 0's;
# so with 300 us each interval has three of them, the last ones being closer.
check "a slice can be read off the recording" "$SPHT_REPLAY" --heuristic=none --intervals=i.csv \
	--interval=0.0003 golden.spht
cells i.csv interval from_s exits_total pf_guest pf_hidden pf_huge pf_ad pf_ptwrite_unsync pf_spurious f_base remaining |
	head -n 5 >got
cat >want <<'END'
0 0 3 0 1 1 0 0 0 1 1
1 0.0003 3 1 1 0 0 1 0 1 1
2 0.0006 3 1 1 0 0 0 0 1 1
3 0.0009 3 0 2 0 1 0 0 3 3
4 0.0012 3 0 0 2 0 0 1 2 2
END
same "  by the exits that begin in it" want got

# The report.
check "--explain shows fidelity by interval" "$SPHT_REPLAY" --heuristic=none --explain --interval=0.001 golden.spht
cp out report
has "  with its length" report '^fidelity by intervals of 0\.001 s: '
sed -n '/^fidelity by intervals/,/^$/p' report | sed 1,2d >lines
check "  a line for each" test "$(grep -c '/' lines)" = 3
check "  that fits 100 columns" awk 'length > 100 { exit 1 }' lines
awk 'NF { split($2, a, "/"); n += a[2]; split($3, p, "/"); m += p[2] } END { print n, m }' lines >got
echo "21 4" >want
same "  the checks of all lines are those of the recording" want got
check "a minute is its length if nobody says" "$SPHT_REPLAY" --heuristic=none --explain golden.spht
has "  as it says" out '^fidelity by intervals of 60 s: '
check "without --explain there are none" "$SPHT_REPLAY" --heuristic=none golden.spht
lacks "  in the report" out 'by intervals'

# Hostile values.
for s in '' 0 -1 nan inf 0x10 1s 1e-10 1e10 ' 1' 1,5 60%; do
	status 2 "--interval=$s is refused" "$SPHT_REPLAY" --heuristic=none --explain "--interval=$s" golden.spht
	has "  with what is expected" err "^spht-replay: --interval=$s: expected seconds, from 1e-9 to 1e9"
done
status 2 "--interval that nothing shows is refused" "$SPHT_REPLAY" --heuristic=none --interval=1 golden.spht
has "  with what would show it" err '--interval needs --explain, --intervals=FILE or --json=FILE'
rm -f i.csv
status 1 "slices that are too thin are refused" "$SPHT_REPLAY" --heuristic=none --intervals=i.csv \
	--interval=1e-9 golden.spht
has "  with a word on what to do" err 'golden\.spht: --interval=1e-09: .* more than 100000 intervals; take longer ones'
check "  and leave no table" test ! -e i.csv
hundred=$(seq -s '|' 1 130)
status 1 "slices of too many results are refused" "$SPHT_REPLAY" --heuristic="nextline:degree=$hundred" --intervals=i.csv \
	--interval=3e-8 golden.spht
has "  with a word on what to do" err '130 results by [0-9]+ intervals are too many'
status 2 "two outputs on stdout are refused" "$SPHT_REPLAY" --heuristic=none --csv=- --intervals=- golden.spht
has "  with their names" err '--csv and --intervals cannot both be stdout'
status 2 "two outputs in one file are refused" "$SPHT_REPLAY" --heuristic=none --json=x --intervals=x golden.spht
status 2 "no name is none" "$SPHT_REPLAY" --heuristic=none --intervals= golden.spht
status 2 "a recording is not replaced by its slices" "$SPHT_REPLAY" --heuristic=none --intervals=golden.spht \
	golden.spht
status 1 "a full disk is no success" "$SPHT_REPLAY" --heuristic=none --intervals=/dev/full golden.spht
status 1 "nor a folder that is not there" "$SPHT_REPLAY" --heuristic=none --intervals=no/i.csv golden.spht

# Warm-up.  The recording's first exit, at 0.1 ms, is its first event; 26 exits count.
warm()
{
	check "--warmup=$1 replays" "$SPHT_REPLAY" --heuristic=window:size=16 "--warmup=$1" --csv=w.csv golden.spht ||
		return 1
	echo "$2" >want
	cells w.csv warmup roi exits_total f_base >got
	same "  and counts what comes after it" want got
}
warm 0 '0 - 26 12'
warm 0.001 '0.001 - 16 8'
warm 0.0009995 '0.0009995 - 16 8'
warm 1e-3 '1e-3 - 16 8'
check "--warmup=50% replays" "$SPHT_REPLAY" --heuristic=window:size=16 --warmup=50% --csv=w.csv golden.spht
has "the report says from when on" out '^region       a warm-up of 50%: from 0\.00[0-9] s to the end'
check "  and the rows have it" test "$(cells w.csv warmup used_carry | sort -u | cut -d' ' -f1)" = "50%"
check "  as has a column for what was carried over" test "$(cells w.csv used_carry)" != -

awk '
/^#header/ { sub(/\{/, "{\"marks\":{\"names\":{\"0x1\":\"boot\",\"0x2\":\"make\",\"3\":\"end\"}},") }
/^#ledger/ { next }
/^# Step 5:/ { print "pid=70 cpu=0 kvm_pio rw=1 port=0x5f0 size=4 count=1 val=1" }
/^# Step 11:/ { print "kvm_pio rw=1 port=0x5f0 size=4 count=1 val=2" }
/^# Step 21:/ { print "kvm_pio rw=1 port=0x5f0 size=4 count=1 val=3" }
{ print }' "$TOP/tests/data/replay-golden.txt" >marked.txt
check "a recording with marks can be written" "$SPHT_MKTRACE" -o marked.spht marked.txt
for how in --warmup=make --roi=make.. --warmup=0x2; do
	check "$how replays" "$SPHT_REPLAY" --heuristic=window:size=16 $how --csv=w.csv marked.spht
	cells w.csv exits_total exits_pf f_base avoided_direct avoided_side remaining generated built used_carry >>marks
done
sort -u marks >got
head -n 1 marks >want
same "a warm-up to a mark is a region from it on" want got
check "with a region what is in both counts" "$SPHT_REPLAY" --heuristic=none --roi=boot..end --warmup=make \
	--csv=w.csv marked.spht
check "the same as the region alone" "$SPHT_REPLAY" --heuristic=none --roi=make..end --csv=r.csv marked.spht
cells w.csv exits_total exits_pf f_base remaining >got
cells r.csv exits_total exits_pf f_base remaining >want
same "  by every count" want got
check "both stand in the row" test "$(cells w.csv roi warmup)" = "boot..end make"

# refused STATUS VALUE REGEX [OPTION...]
refused()
{
	refused_status=$1
	refused_value=$2
	refused_why=$3
	shift 3
	rm -f w.csv
	status "$refused_status" "--warmup=$refused_value is refused" "$SPHT_REPLAY" --heuristic=none \
		"--warmup=$refused_value" --csv=w.csv "$@" marked.spht
	has "  it says why" err "--warmup=$refused_value.*$refused_why"
	check "  and leaves no table" test ! -e w.csv
}
for value in '' -1 100% 101% 1e10 x% 1e; do
	refused 2 "$value" 'expected SECONDS, N% below 100, or a mark'
done
refused 1 1 'the recording is only 0\.00[0-9] s long; nothing is left to count'
refused 1 0x9 'no mark 0x9; there are 0x1 \(boot\)'
refused 1 nobody 'no such marks; there are'
refused 1 2x 'no such marks'
refused 1 nan 'no such marks'
refused 1 end 'ends where --roi=boot\.\.make is over; nothing is left to count' --roi=boot..make
status 1 "a mark needs marks" "$SPHT_REPLAY" --heuristic=none --warmup=make golden.spht
has "  it says which" err 'golden\.spht: --warmup=make: the recording has no marks'
finish
