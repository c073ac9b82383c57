#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/results: the page of the bundled recordings is what they give, best parameters are
# told on recordings that did not choose them, and prose cannot hold a figure that is not so.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

if [ -n "$SPHT_SANITIZED" ]; then
	skip "pages of results" "tried by make check"
	finish
fi

results()
{
	"$TOP/scripts/results" "$@"
}

# fails N SENTENCE REGEX ARG...: this exit status, a line that matches, no page.
fails()
{
	fails_status=$1
	fails_what=$2
	fails_regex=$3
	shift 3
	rm -f page.md
	status "$fails_status" "$fails_what is refused" results --output=page.md "$@"
	has "  it says: $fails_regex" err "$fails_regex"
	check "  and leaves no page" unwritten page.md
}

cat >few.grid <<'END'
[references]
none
oracle
[samples]
window:size=8|32
nextline:degree=1|2,on=hidden|both
[full]
window:size=4
END

# Four short pieces of one recording, so that two tune and two report.
sample=$TOP/traces/samples/kbuild-w8-1vcpu.spht
for from in 30 40 50 60; do
	check "a piece of a recording is cut at $from s" \
		"$SPHT_TRACE" cut --from=$from --to=$((from + 1)) -o piece-$from.spht "$sample"
done

check "--help says what there is" results --help
for option in full output csv figures paper grid reading roi; do
	has "  --$option" out "^  --$option"
done
check "pieces of one kind are a group" \
	results --grid=few.grid --reading=none -j1 --csv=rows.csv --output=page1.md piece-*.spht
check "with two at a time, in another order" results --grid=few.grid --reading=none -j2 \
	--output=page2.md piece-60.spht piece-30.spht piece-50.spht piece-40.spht
same "  the page is the same" page1.md page2.md
has "  best parameters are told on others than those that chose them" page1.md \
	'chosen on 2 of 4 recordings and are told on the others'
has "  two recordings tune" page1.md '^\| piece-.* \| tuning \|$'
has "  two report" page1.md '^\| piece-.* \| reporting \|$'
has "  differences have intervals" page1.md '^\| prefault, default \| window, default \| 4 \|.* to .* to '
has "  that of two recordings is cautioned of" page1.md '^2 recordings: the bootstrap cannot leave'
has "  the recordings have their hashes" page1.md "^$(sha256sum piece-40.spht)\$"
has "  a heuristic without a line in the grid has its default" page1.md '^\| stride \| default \|'
lacks "  and no best" page1.md '^\| stride \| best'

# What the page tells of the best is what scripts/stats makes of the same rows.
if /usr/bin/python3 -c 'import scipy.stats' 2>"$T/err"; then
	check "scripts/stats reads the rows" "$TOP/scripts/stats" best --format=csv rows.csv
	cells out guest_time_scale heuristic params avoided f_base >best
	for name in window nextline; do
		awk -v name="$name" '$1 == 1 && $2 == name { printf "%.0f %.2f\n", $4, 100 * $4 / $5 }' \
			best >want
		awk -F ' *[|] *' -v name="$name" '/^## /{n++} $2 == name && ($3 == "default" || $3 ~ /^best/) && NF > 12 {
			gsub(/,/, "", $5); line = $5 " " $7 } END { print line }' page1.md >got
		same "  and tells the same of the best $name" want got
	done
else
	skip "scripts/stats reads the rows" "python3-scipy is not installed"
fi

fails 1 "figures of several recordings of a kind" 'figures are of groups of one' --grid=few.grid \
	--reading=none --figures=figures piece-*.spht
fails 2 "--paper alone" '--paper: needs --figures' --paper=paper piece-30.spht

check "one recording is a page too" results --grid=few.grid --reading=none --full \
	--output=one.md piece-30.spht
has "  which says that it is over-fitted" one.md 'The best are over-fitted'
lacks "  and has no differences" one.md '^### Differences'
has "  --full has the other grid, and the commit" one.md '^spht-replay .* commit [0-9a-f]'
lacks "  not the first one" one.md 'size=32'

# ---- The reading
reads()
{
	printf '%s\n' "$@" >reading.md
}
one()
{
	results --grid=few.grid --reading=reading.md --output=page.md piece-30.spht
}
reads '<!-- 7 -->' 'Of {{w8-1-whole/none/f_base}} faults `window:8` leaves some;' \
	'  {{check w8-1-whole/window/avoided <= w8-1-whole/oracle/avoided}} {{check w8-1-whole/none/avoided = 0}}' \
	'best {{w8-1-whole/best window/avoided}}, {{w8-1-whole/top/heuristic}}, {{w8-1-whole/window/speedup_pct@3}}.'
check "a reading is filled in" one
base=$(cells rows.csv trace f_base | awk '/piece-30/ { print $2; exit }')
sed 's/,//g' page.md >plain.md
has "  with the figures of the rows" plain.md "^Of $base faults .window:8. leaves some;\$"
has "  a line of checks leaves no trace" plain.md '^best [0-9]+ `[a-z]+` -?[0-9.]+\.$'
lacks "  nor does a comment" plain.md '<!--|\{\{'

# unread SENTENCE REGEX LINE...: a reading that does not do.
unread()
{
	unread_what=$1
	unread_regex=$2
	shift 2
	reads "$@"
	fails 1 "$unread_what" "$unread_regex" --grid=few.grid --reading=reading.md piece-30.spht
}
unread "a figure by hand" "a figure by hand in line 2 .*: 'about 17 %'" 'Some' 'about 17 %'
unread "a check that does not hold" 'does not hold any more: 0 against ' \
	'{{check w8-1-whole/none/avoided > w8-1-whole/window/avoided}}'
unread "a figure of a group that there is none of" 'no group w1-1; there are w8-1-whole' '{{w1-1/none/f_base}}'
unread "one of what was not run" 'window:size=128 was not run' '{{w8-1-whole/window:size=128/avoided}}'
unread "one that there is none of" 'there is no figure luck' '{{w8-1-whole/window/luck}}'
unread "one that is empty" '\{\{w8-1-whole/none/lateness\}\}: is empty' '{{w8-1-whole/none/lateness}}'
unread "an interval of one recording" 'window minus none/gain_low\}\}: is empty' \
	'{{w8-1-whole/window minus none/gain_low}}'
reads '{{w8-1-whole/prefault minus window/gain}} from {{w8-1-whole/prefault minus window/gain_low}}' \
	'to {{w8-1-whole/prefault minus window/gain_high}}.'
check "a reading of several has intervals" results --grid=few.grid --reading=reading.md \
	--output=page.md piece-*.spht
has "  of differences" page.md '^-?[0-9,]+ from -?[0-9,]+$'
unread "a mark that is none" 'expected GROUP/SPEC/WHAT' '{{window}}'
unread "a check that is none" 'expected check LEFT < RIGHT' '{{check w8-1-whole/none/avoided}}'
fails 1 "a reading that is not there" 'nothing.md: No such file' --grid=few.grid --reading=nothing.md \
	piece-30.spht

# ---- The grid
# grid SENTENCE REGEX LINE...
grid()
{
	grid_what=$1
	grid_regex=$2
	shift 2
	printf '%s\n' "$@" >bad.grid
	fails 1 "$grid_what" "$grid_regex" --grid=bad.grid --reading=none piece-30.spht
}
grid "a heuristic that there is none of" 'the grid has magic:a=1, but spht-replay knows no heuristic magic' \
	'[samples]' 'magic:a=1'
grid "a section that there is none of" 'bad.grid:1: \[some\]: expected one of \[references\]' '[some]'
grid "a line before any section" "bad.grid:2: 'window' stands before any section" '# Some' 'window'
grid "a key without values" "bad.grid:2: 'window:size=8|' : expected|bad.grid:2: .window:size=8.*expected NAME" \
	'[samples]' 'window:size=8|'
grid "a reference that is tried" 'tries oracle:latency=5, but oracle is a reference' \
	'[references]' 'oracle' '[samples]' 'oracle:latency=5'
grid "a value that a heuristic does not take" 'exit status 2' '[samples]' 'window:size=7'
fails 1 "a grid that is not there" 'nothing.grid: No such file' --grid=nothing.grid piece-30.spht

# ---- What is given
head -c 3000 piece-30.spht >cut.spht
fails 1 "a damaged recording" 'cut.spht: exit status 1' --grid=few.grid --reading=none piece-30.spht cut.spht
fails 1 "a recording that is not there" 'nothing.spht: exit status 1' --grid=few.grid nothing.spht
cp piece-30.spht copy.spht
fails 1 "a recording under two names" 'is the recording .* under another name' --grid=few.grid \
	--reading=none piece-30.spht copy.spht
fails 2 "no recording" 'which FILE.spht'
fails 2 "an option that there is none of" '--all: no such option' --all piece-30.spht
fails 2 "an option without a value" '--grid: expected --grid=VALUE' --grid piece-30.spht
fails 2 "a number of recordings that is none" '-j x: expected a number' -j x piece-30.spht
status 1 "programs that are not there end it" env BUILD="$T/nowhere" "$TOP/scripts/results" piece-30.spht
has "  it says what to do" err 'build it first, or set BUILD'
status 1 "a page that cannot be written ends it" results --grid=few.grid --reading=none \
	--output=no/page.md piece-30.spht

# ---- The pages of the repository
if command -v gnuplot >/dev/null; then
	check "the bundled recordings give a page with figures" results --output=page.md \
		--figures=figures "$TOP"/traces/samples/kbuild-w*.spht
	cp "$TOP/docs/results.md" want.md
	(cd figures && sha256sum ./*) >drawn
	(cd "$TOP/docs/figures" && sha256sum ./*) >committed
	same "docs/figures is what make results draws" committed drawn
	check "  each is an SVG by itself, in 8 points at least" sh -c '
		for f in figures/*.svg; do "$TOP/tests/tools/svg-check.py" "$f" || exit 1; done'
else
	skip "the figures of the page" "gnuplot is not installed"
	check "the bundled recordings give a page" results --output=page.md \
		"$TOP"/traces/samples/kbuild-w*.spht
	awk '/^## / { off = $0 == "## Figures" } !off' "$TOP/docs/results.md" >want.md
fi
same "docs/results.md is what make results makes; after a change of the model make it again" \
	want.md page.md
full=$TOP/docs/results-full.md
has "the page of whole recordings says of which commit it is" "$full" 'commit [0-9a-f]{12}\.$'
lacks "  which is none of changed sources" "$full" 'dirty'
has "  and has hashes" "$full" '^[0-9a-f]{64}  .*\.spht$'
finish
