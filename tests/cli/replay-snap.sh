#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay on a real recording with the guest's page tables: 1.5 seconds of a Kernel
# Build, cut from spht-record --snap=walks in the lab.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

snap=$TOP/tests/data/snap-w8-1vcpu.spht

# replay OUT OPTION...: its table.
replay()
{
	replay_out=$1
	shift
	"$SPHT_REPLAY" --quiet --verify --heuristic=window --heuristic=hybrid --heuristic=oracle \
		--csv="$replay_out" "$@"
}

# assert EXPRESSION NAME...: in Python, of the rows of NAME.csv by heuristic.
assert()
{
	python3 - "$@" <<'END'
import csv, sys
rows = {}
for name in sys.argv[2:]:
    with open(name + ".csv", newline="") as f:
        rows[name] = {r["heuristic"]: {k: float(v) if v.replace(".", "", 1).isdigit() else v
                                       for k, v in r.items()} for r in csv.DictReader(f)}
if not eval("(" + sys.argv[1] + ")", rows):
    for name in sys.argv[2:]:
        print(name, rows[name])
    sys.exit(1)
END
}

check "it is replayed, with what its tables show" replay use.csv "$snap"
check "or without" replay ignore.csv --snapshots=ignore "$snap"
check "or that is scored" replay score.csv --snapshots=score "$snap"
check "the mode stands in the table" assert \
	'(use["window"]["snapshots"], ignore["window"]["snapshots"]) == ("use", "ignore")' use ignore
check "snapshots leave at most 3 % of window's answers to inference" assert \
	'0 < use["window"]["left_to_inference_pct"] <= 3 and use["window"]["presence_asked"] > 5000' use
check "and of hybrid's" assert '0 < use["hybrid"]["left_to_inference_pct"] <= 3' use
check "where nearly all were without" assert 'ignore["window"]["left_to_inference_pct"] > 90' ignore
check "what the oracle leaves are refaults" assert \
	'use["oracle"]["presence_by_rule"] + use["oracle"]["presence_undecided"] \
	 <= 0.03 * use["oracle"]["presence_asked"]' use
check "the bounds come closer from both sides" assert \
	'use["window"]["avoided_lo"] > ignore["window"]["avoided_lo"] and
	 use["window"]["avoided_hi"] <= ignore["window"]["avoided_hi"]' use ignore
check "fidelity is not worse" assert \
	'use["window"]["fidelity_pct"] >= ignore["window"]["fidelity_pct"]' use ignore
check "scoring changes no result" assert \
	'all(score["window"][c] == ignore["window"][c] for c in
	     ("avoided_lo", "avoided", "avoided_hi", "unknown", "inferred"))' score ignore
check "most of what is called present near a fault is" assert \
	'0.8 < score["window"]["near_present_precision"] < 1' score
check "the score is empty where nothing was scored" assert \
	'use["window"]["near_present_precision"] == ignore["window"]["score_absent_right"] == ""' \
	use ignore
check "--explain shows the matrix" sh -c '"$1" --explain --snapshots=score --heuristic=none "$2" |
	grep -q "^worlds without snapshots against"' sh "$SPHT_REPLAY" "$snap"
check "the report says what is left to inference" sh -c '"$1" --heuristic=window "$2" |
	grep -q "left to inference 0\.[0-9]* %"' sh "$SPHT_REPLAY" "$snap"
plain=$TOP/traces/samples/kbuild-cc-1vcpu.spht
check "a recording without snapshots is replayed with any mode" \
	replay plain.csv --snapshots=score "$plain"
check "and has none of these columns filled" assert \
	'plain["window"]["snapshots"] == plain["window"]["left_to_inference_pct"] ==
	 plain["window"]["score_absent_right"] == ""' plain
status 2 "a mode that is none is refused" "$SPHT_REPLAY" --heuristic=none --snapshots=maybe "$snap"
has "with those that are" err "--snapshots=maybe: expected use, ignore or score"
finish
