#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/validation and scripts/windows: the page is what its tables give, errors are
# computed and not believed, a row that disagrees needs a reason, and other windows are
# predicted from recordings.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

validation()
{
	"$TOP/scripts/validation" "$@"
}

windows()
{
	"$TOP/scripts/windows" "$@"
}

check "--help says what there is" validation --help
for option in output folder reading; do
	has "  --$option" out "^  --$option"
done
check "docs/validation gives a page" validation --output=page.md
same "docs/validation.md is what make validation makes" "$TOP/docs/validation.md" page.md

# ---- A folder of our own
mkdir v
cat >frame.md <<'END'
# Title
{{section one First}}
{{section two Second}}
## What disagrees
{{disagreeing}}
END
one()
{
	validation --folder=v --reading=frame.md --output=page.md
}
# csv LINE...: the table, of which the first lines stay.
csv()
{
	printf '%s\n' '# commit: abc' \
		'what,pattern,predicted_lo,predicted,predicted_hi,measured,measured_lo,measured_hi,interval,n,explained' \
		"$@" >v/one.csv
}
# fails SENTENCE REGEX: exit status 1, a line that matches, no page.
fails()
{
	rm -f page.md
	status 1 "$1 is refused" one
	has "  it says: $2" err "$2"
	check "  and leaves no page" unwritten page.md
}
close='close,seq,90,104,120,100,95,105,min to max,10,'
echo 'Off by {{one/close/error_pct}} %. {{check one/close/error_pct < 5}}' >v/one.md
csv "$close"
check "a table and its prose are a section" one
has "  the error is computed" page.md '^\| close \| seq \| 104 \| 90 to 120 \| 100 \| 95 to 105 \| 10 \| \+4\.00 \| yes \|$'
has "  prose has it, too" page.md '^Off by \+4\.00 %\.$'
has "  provenance stands below" page.md '^\* commit: `abc`$'
has "  a section without a table says so" page.md 'Nothing was compared yet: there is no `docs/validation/two\.csv`'
has "  nothing disagrees" page.md '^None\.$'

csv "$close" 'far,seq,90,106,120,100,95,105,min to max,10,'
fails "a row that is more than 5 % off and has no reason" "'far': predicted 106, measured 100 \(\+6\.00 %\)"
csv "$close" 'far,seq,90,106,120,100,95,105,min to max,10,#what-disagrees'
check "with a reason it is shown" one
has "  in the list of what disagrees" page.md '^\| one \| far \| 106 \| 100 \| \+6\.00 \| yes \| \[what-disagrees\]\(#what-disagrees\) \|$'
csv "$close" 'far,seq,90,106,120,100,95,105,min to max,10,limits.md#no-such-heading'
fails "a reason that is not there" 'limits.md#no-such-heading: there is no such heading'
csv "$close" 'far,seq,90,106,120,100,95,105,min to max,10,limits.md#what-the-model-leaves-out'
check "a reason can stand in another file" one
csv "$close" 'far,seq,90,106,120,100,95,105,min to max,10,because'
fails "a reason that is no heading" "explained 'because': expected FILE.md#HEADING"
csv 'close,seq,90,104,120,100,95,105,min to max,10,#what-disagrees'
fails "a reason for a row that agrees" 'agrees, and has an explanation all the same'
csv "$close" 'out,seq,102,104,120,100,95,101,min to max,10,'
fails "a value out of the bounds" "'out': .* outside of its bounds"
csv "$close" 'edge,seq,102,104,120,100,95,103,min to max,10,'
check "an interval that reaches into the bounds is no disagreement" one
has "  and is told" page.md '^\| edge .*interval only \|$'
csv "$close" 'zero,seq,,1,,0,,,,10,'
fails "a prediction of some where there were none" "'zero': .*no share"
csv "$close" 'zero,seq,,0,,0,,,,10,'
check "none where there were none is right" one

printf '%s\n' '# reasons' 'far, and away => #what-disagrees' >v/one.explained
csv "$close" '"far, and away",seq,,106,,100,,,,10,'
check "reasons can stand beside the table" one
has "  and are shown" page.md '^\| one \| far, and away .*\[what-disagrees\]'
csv "$close"
fails "one of a row that there is none of" "explanation of 'far, and away', which is no row"
rm v/one.explained

csv "$close" 'words,seq,,many,,100,,,,10,'
fails "a prediction that is no number" "one.csv:4: predicted 'many': expected a number"
csv "$close" 'nan,seq,,nan,,100,,,,10,'
fails "one that is none, by name" "predicted 'nan': expected a number"
csv "$close" 'short,seq'
fails "a row that is too short" 'one.csv:4: 2 cells, expected 11'
csv "$close" "$close"
fails "a row twice" "'close': expected a name without '/', each once"
csv "$close" 'none,seq,,,,100,,,,10,'
fails "a row without a prediction" 'one.csv:4: predicted is empty'
csv "$close" 'half,seq,90,100,,100,,,,10,'
fails "one bound of two" 'predicted_lo and predicted_hi are not both there'
csv "$close" 'back,seq,120,100,90,100,,,,10,'
fails "bounds the wrong way round" 'predicted_lo is above predicted_hi'
csv "$close" 'which,seq,,100,,100,95,105,,10,'
fails "an interval of no kind" 'interval is empty'
csv
fails "a table without rows" 'expected a row of column names and rows below it'
printf 'what,predicted\na,1\n' >v/one.csv
fails "a table without what was measured" 'expected columns what, predicted, measured, n'
csv "$close"
cp v/one.csv v/three.csv
fails "a table that nothing shows" 'nothing shows docs/validation/three.csv'
mv v/three.csv three.csv

# marks SENTENCE REGEX TEXT: prose that does not do.
marks()
{
	echo "$3" >v/one.md
	fails "$1" "$2"
}
marks "a claim that does not hold" 'does not hold any more: 4 against 3' '{{check one/close/error_pct < 3}}'
marks "a figure by hand" 'a figure by hand in line 1 ' 'Off by 4 %.'
marks "a figure of no table" 'there is no table nine' '{{nine/close/n}}'
marks "a figure of no row" "one has no row 'cloze'" '{{one/cloze/n}}'
marks "a figure of no column" 'luck is empty or not there' '{{one/close/luck}}'
marks "a mark that is none" 'expected TABLE/ROW/COLUMN' '{{one}}'
cat >v/one.md <<'END'
[a](../limits.md#x), [b](../../scripts/lab/README.md), [c](README.md), [d](../validation.md#first),
[e](#own), [f](https://example.org/../y), `[g](../z.md)`.
END
check "links of prose are as from the folder" one
has "  and become those from the folder above" page.md \
	'^\[a\]\(limits\.md#x\), \[b\]\(\.\./scripts/lab/README\.md\), \[c\]\(v/README\.md\), \[d\]\(#first\),$'
has "  but those to headings and elsewhere" page.md \
	'^\[e\]\(#own\), \[f\]\(https://example\.org/\.\./y\), `\[g\]\(\.\./z\.md\)`\.$'
echo 'Rows: {{one/*/rows}}, {{one/*/agreeing}}, {{one/*/worst_pct}}. {{check 2*one/close/n = 20}}' >v/one.md
check "prose can count rows" one
has "  that agree, and the worst error" page.md '^Rows: 1, 1, 4\.00\.$'
printf 'kind,count\nholes,17\n' >v/more.csv
printf '%s\n' 'Before: {{more/holes/count}}.' '' '{{table more}}' '' 'After.' >v/one.md
check "a section can have a table that compares nothing" one
has "  which is shown" page.md '^\| holes \| 17 \|$'
has "  and told of" page.md '^Before: 17\.$'
sed -i /disagreeing/d frame.md
fails "a frame without the list of what disagrees" 'expected \{\{disagreeing\}\}'

status 2 "an option that there is none of is refused" validation --all
status 1 "a folder that is not there ends it" validation --folder=nowhere
status 1 "a page that cannot be written ends it" validation --output=no/page.md

# ---- Other windows, predicted and recorded
status 2 "windows of nothing are refused" windows
status 2 "an option that there is none of is refused" windows --all .
mkdir r
cp "$TOP/traces/samples/kbuild-w1-1vcpu.spht" r
status 1 "one window alone is refused" windows r
has "  it says what is needed" err 'recordings of two prefetch windows at least are needed'
cp "$TOP/traces/samples/kbuild-cc-1vcpu.spht" "$TOP/traces/samples/kbuild-w8-2vcpu.spht" r
if [ -n "$SPHT_SANITIZED" ]; then
	skip "windows of the samples" "tried by make check"
	finish
fi
if ! /usr/bin/python3 -c 'import scipy.stats' 2>"$T/err"; then
	skip "windows of the samples" "python3-scipy is not installed"
	finish
fi
check "the window of one sample is predicted from another" \
	windows --output=windows.csv r "$TOP/traces/samples/kbuild-w8-1vcpu.spht"
check "spht-replay predicts it" "$SPHT_REPLAY" --quiet --heuristic=none --prefetch-window=8 \
	--roi=make..end --csv=- "$TOP/traces/samples/kbuild-w1-1vcpu.spht"
cells out f_base baseline_avoided | awk '{ printf "%.6g\n", ($1 - $2) / 12 }' >want
check "and tells what was recorded" "$SPHT_REPLAY" --quiet --heuristic=none --roi=make..end --csv=- \
	"$TOP/traces/samples/kbuild-w8-1vcpu.spht"
cells out remaining | awk '{ printf "%.6g\n", $1 / 12 }' >>want
grep '^compile 1 to 8: all,' windows.csv | cut -d, -f5,9 | tr , '\n' >got
same "  both are in the table, for each of 12 objects" want got
has "  in the boot, too" windows.csv '^boot 1 to 8: first touches,'
cp r/kbuild-w1-1vcpu.spht r/again.spht
status 1 "a recording under two names is refused" windows r "$TOP/traces/samples/kbuild-w8-1vcpu.spht"
has "  it says which" err 'under another name'
finish
