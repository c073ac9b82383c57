#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/bench: its table and what is in it, on a small recording.  How fast
# anything is, is not asked.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# libtraceevent loses two bytes of a format that it does not understand.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS

BENCH="python3 $TOP/scripts/bench"
SENTENCE="the bench makes its table of a small recording"

for need in "$SPHT_RECORD" "$BUILD/tests/readbench" "$BUILD/tests/writebench" \
	"$BUILD/tests/tracecmd-count"; do
	if [ ! -x "$need" ]; then
		skip "$SENTENCE" "$need is not built"
		finish
	fi
done

# small OUT: a recording of a few thousand events.
small()
{
	"$SPHT_TRACE" cut --exits=800 -o "$1" "$TOP/traces/samples/kbuild-w1-1vcpu.spht"
}

# bench FILE [OPTION...]
bench()
{
	given=$1
	shift
	$BENCH -n 2 --events=3000 --no-record "$@" "$given"
}

# column NAME: of the CSV, for each row and tool.
column()
{
	python3 -c '
import csv, sys
for row in csv.DictReader(open(sys.argv[1])):
    print(row["what"], row["tool"], row[sys.argv[2]])' "$T/bench.csv" "$1"
}

# agrees: the numbers of the CSV among themselves.
agrees()
{
	python3 - "$T/bench.csv" <<'EOF'
import csv
import sys

rows = list(csv.DictReader(open(sys.argv[1])))
ours = {r["what"]: r for r in rows if r["tool"] == "ours"}
larger = {"M events/s"}
bad = []
for r in rows:
    if not r["median"]:
        continue
    low, mid, high = (float(r[c]) for c in ("min", "median", "max"))
    if not 0 < low <= mid <= high:
        bad.append((r["what"], r["tool"], "order"))
    if r["source"] == "measured" and r["unit"] != "bytes/event" and r["runs"] != "2":
        bad.append((r["what"], r["tool"], "runs"))
    if r["runs"] == "2" and abs(mid - (low + high) / 2) > 1e-4 * mid:
        bad.append((r["what"], r["tool"], "median"))
    if r["tool"] != "ours" and r["source"] == "measured":
        a, b = float(ours[r["what"]]["median"]), mid
        want = a / b if r["unit"] in larger else b / a
        if abs(float(r["ours_by_theirs"]) - want) > 0.01 * want:
            bad.append((r["what"], r["tool"], "ratio"))
    if r["aim"]:
        met = mid >= float(r["aim"]) if r["unit"] in larger else mid <= float(r["aim"])
        if r["met"] != ("yes" if met else "no"):
            bad.append((r["what"], r["tool"], "met"))
    busy = float(r["load_max"]) > int(r["cpus"])
    if r["busy"] != ("yes" if busy else "no"):
        bad.append((r["what"], r["tool"], "busy"))
print(*bad, sep="\n")
sys.exit(bool(bad))
EOF
}

# same_events: the three files of tests/tools/peerfiles.py hold what the recording does.
same_events()
{
	python3 "$TOP/tests/tools/peerfiles.py" "$SPHT_TRACE" "$T/small.spht" "$T/x.dat" "$T/x.data" \
		2000 || return 1
	"$SPHT_TRACE" dump --no-header "$T/small.spht" | awk -F , '!$6' | sed 2000q >"$T/want"
	for kind in dat data; do
		"$SPHT_RECORD" --quiet --import="$T/x.$kind" -o "$T/$kind.spht" || return 1
		"$SPHT_TRACE" dump --no-header "$T/$kind.spht" >"$T/have"
		cmp "$T/want" "$T/have" || return 1
	done
	[ "$(wc -l <"$T/want")" = 2000 ]
}

check "a small recording is cut" small "$T/small.spht"
check "trace.dat and perf.data for the other tools hold the same events" same_events

cp "$TOP/docs/bench.md" "$T/page.md"
if check "$SENTENCE" bench "$T/small.spht" --csv="$T/bench.csv" --page="$T/page.md"; then
	cp "$T/out" "$T/table"
	cat >"$T/want" <<-'EOF'
		size_whole bytes/event
		size bytes/event
		read_whole M events/s
		read M events/s
		import_dat M events/s
		import_perf M events/s
		none M events/s
		one M events/s
		further s per M exits
		write ns/event
		record ns/event
	EOF
	column unit | awk '$2 == "ours" { sub(" ours", ""); print }' >"$T/have"
	check "each row has a figure of ours, in its unit" cmp "$T/want" "$T/have"
	check "medians, ratios, aims and what was met agree" agrees
	column source | awk '$3 == "published"' | sort >"$T/have"
	printf '%s\n' "none ChampSim published" "none libCacheSim published" \
		"one ChampSim published" "one libCacheSim published" >"$T/want"
	check "what was not run here is marked as published, and nothing else" cmp "$T/want" "$T/have"
	check "the table says which columns were not run here" \
		grep -q '^\\\* published, not run here' "$T/table"
	for head in libtracecmd '`trace-cmd report`' '`perf script`' 'libCacheSim \*' 'ChampSim \*'; do
		check "the table has a column for $head" grep -q "^| what .*| $head *|" "$T/table"
	done
	check "the table says whether each aim is met" \
		grep -Eq '^\| whole recording, bytes/event .*<= 2.50: (met|missed) ' "$T/table"
	check "the table says how busy the machine was" \
		grep -Eq '^\| load average while measured .*: (busy|quiet) .*[0-9]' "$T/table"
	check "what is not measured says why" grep -q 'not measured: --no-record' "$T/table"
	awk '/^<!-- table: scripts\/bench/ { on = 1; next } /^<!-- end of table/ { on = 0 } on' \
		"$T/page.md" >"$T/have"
	check "the page gets the same table" cmp "$T/table" "$T/have"
fi

# A page without the marks stays as it is.
echo "no marks" >"$T/other.md"
cp "$T/other.md" "$T/other.was"
status 1 "a page without marks is refused before anything is measured" bench "$T/small.spht" --page="$T/other.md"
check "and is left as it was" cmp "$T/other.md" "$T/other.was"

status 1 "a file that is not there is refused" bench "$T/none.spht"
cp "$T/err" "$T/said"
check "by its name" grep -q "none.spht: No such file" "$T/said"
head -c 100000 "$TOP/traces/samples/kbuild-w1-1vcpu.spht" >"$T/cut.spht"
status 1 "a damaged recording is refused" bench "$T/cut.spht"
cp "$T/out" "$T/said"
check "no table is printed of it" test ! -s "$T/said"
status 2 "no runs are no bench" $BENCH -n 0

finish
