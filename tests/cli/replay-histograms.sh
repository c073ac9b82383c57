#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay --histograms: bins that add up to the table's columns, the report's curve, and
# outputs that appear whole or not at all.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

for name in golden 2vcpu pvm; do
	check "mktrace builds $name.spht" "$SPHT_MKTRACE" -o $name.spht "$TOP/tests/data/replay-$name.txt"
done

# bins.py CSV HISTOGRAMS JSON: as many uses in all bins as in the table; the same bins as the JSON.
cat >bins.py <<'END'
import csv, json, sys
whole = list(csv.DictReader(open(sys.argv[1])))
bins = list(csv.DictReader(open(sys.argv[2])))
objects = json.load(open(sys.argv[3]))
header = list(whole[0])
own = header[:header.index("seed") + 1]
assert list(bins[0])[:len(own)] == own, "columns of the table come first"
left = list(bins)
uses = 0
for row, obj in zip(whole, objects):
    mine = [b for b in left if all(b[c] == row[c] for c in own)]
    left = [b for b in left if b not in mine]
    slack = [b for b in mine if b["quantity"] == "slack"]
    curve = [b for b in mine if b["quantity"] == "latency"]
    assert len(slack) + len(curve) == len(mine) and slack and curve, row["heuristic"]
    column = "count_" + row["knowledge"]
    counts = [int(b[column]) for b in slack]
    assert sum(counts) == int(row["used_timely"]), (row["heuristic"], counts)
    want = obj["slack_log2_ns"]
    assert counts[:len(want)] == want and not any(counts[len(want):]), (counts, want)
    uses += sum(counts)
    for k, b in enumerate(slack):
        assert (int(b["from_ns"]), int(b["to_ns"])) == (0 if k == 0 else 2 ** k, 2 ** (k + 1)), b
    at = [int(b["from_ns"]) for b in curve]
    assert at == sorted(set(at)) and at[0] == 0 and at[-1] == 10000000, at
    for world in ("strict", "inferred", "optimistic"):
        points = [int(b["count_" + world]) for b in curve]
        assert points == sorted(points, reverse=True), points
    assert all(b["to_ns"] == "" for b in curve)
assert not left and (uses or sys.argv[4] == "strict"), (left, uses)
END

replay()
{
	"$SPHT_REPLAY" --heuristic=window --heuristic=prefault --guest-time-scale=1,3 --curve=latency "$@"
}

for world in strict inferred optimistic; do
	check "histograms of the $world world are written" replay --knowledge=$world --csv=t.csv \
		--json=t.json --histograms=h.csv golden.spht
	check "  all uses in time are in a bin, and the JSON has the same" python3 bins.py t.csv h.csv t.json \
		$world
done
replay golden.spht >report
# What the report says of each point: latency in us, then the three worlds.
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
	$at["quantity"] == "latency" { printf "%.2f %s %s %s\n", $at["from_ns"] / 1000, $at["count_strict"],
		$at["count_inferred"], $at["count_optimistic"] }' h.csv | sort >points
awk 'NF == 4 && $1 ~ /^[0-9.]+$/ { printf "%.2f %s %s %s\n", $1, $2, $3, $4 }' report | sort >told
check "the report has 23 points of each of four results" test "$(wc -l <told)" -eq 92
same "the points of the curve are the report's" told points

check "without --curve there are no points of it" "$SPHT_REPLAY" --heuristic=window --quiet \
	--histograms=- golden.spht
lacks "  only slack" "$T/out" ',latency,'
cp out once
check "with two threads" "$SPHT_REPLAY" --heuristic=window --quiet -j 2 --histograms=- golden.spht
same "  the bytes are the same" once "$T/out"
check "a recording with two vCPUs has them" "$SPHT_REPLAY" --heuristic=window --quiet --histograms=- \
	2vcpu.spht
check "a recording without exits and entries says that there is none" "$SPHT_REPLAY" \
	--heuristic=window --quiet --histograms=pvm.csv pvm.spht
cells pvm.csv quantity from_ns to_ns count_strict count_inferred count_optimistic >got
echo "slack - - - - -" >want
same "  in one row with empty cells" want got
check "several recordings are one table" "$SPHT_REPLAY" --heuristic=none --quiet --histograms=two.csv \
	golden.spht 2vcpu.spht
check "  with one line of column names" test "$(grep -c ^schema, two.csv)" -eq 1

status 2 "two outputs of one name are refused" "$SPHT_REPLAY" --heuristic=none --csv=a.csv \
	--histograms=a.csv golden.spht
has "  it says which" "$T/err" 'csv and --histograms cannot both be a.csv'
status 2 "an empty name is refused" "$SPHT_REPLAY" --heuristic=none --histograms= golden.spht
status 2 "a recording is not replaced by its histograms" "$SPHT_REPLAY" --heuristic=none \
	--histograms=golden.spht golden.spht
status 2 "the real clock has none" "$SPHT_REPLAY" --heuristic=window --clock=real --histograms=r.csv \
	golden.spht
has "  it says so" "$T/err" 'clock=real does not go with --interval, --intervals or --histograms'
status 1 "a full disk is told" "$SPHT_REPLAY" --heuristic=window --quiet --histograms=/dev/full \
	golden.spht
head -c 3000 golden.spht >cut.spht
status 1 "a damaged recording fails" "$SPHT_REPLAY" --heuristic=window --quiet --histograms=cut.csv \
	cut.spht
check "  and leaves no table" test ! -e cut.csv

finish
