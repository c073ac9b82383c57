#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Ranges of parameters: one --heuristic gives many rows, in an order that is told
# before, and each of them is the row that it would be alone.
# shellcheck disable=SC2016 # words for another shell, and for awk
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

check "mktrace builds a recording" "$SPHT_MKTRACE" -o r.spht "$TOP/tests/data/replay-golden.txt"

check "--list-configurations needs no recording" "$SPHT_REPLAY" --list-configurations \
	--heuristic='window:size=8|16,on=guest|both' --heuristic=none --heuristic='prefault:around=2'
cp out list
cp err err1
check "  and says nothing on stderr" test ! -s err1
cat >want <<'END'
window:size=8;align=1;on=guest
window:size=8;align=1;on=both
window:size=16;align=1;on=guest
window:size=16;align=1;on=both
none
prefault:around=2
END
same "it prints each configuration whole, the first parameter varying slowest" want list

# given_back: --heuristic for each line of list.
given_back()
{
	set --
	while IFS= read -r line; do
		set -- "$@" --heuristic="$line"
	done <list
	"$SPHT_REPLAY" "$@" --csv=lines.csv r.spht
}
check "ranges replay" "$SPHT_REPLAY" --heuristic='window:size=8|16,on=guest|both' --heuristic=none \
	--heuristic='prefault:around=2' --csv=ranges.csv r.spht
check "so do the lines, one by one" given_back
same "to the same table" ranges.csv lines.csv
cells ranges.csv heuristic params | sed 's/ -$//; s/ /:/' >got
same "whose rows are in the order of the list" list got
check "--list-configurations beside a recording reads none" "$SPHT_REPLAY" --list-configurations \
	--heuristic=none no-such-file.spht
check "semicolons part parameters as commas do" "$SPHT_REPLAY" --list-configurations \
	--heuristic='window:size=8|16;on=guest|both' --heuristic=none --heuristic='prefault:around=2'
same "  to the same list" list out

# More rows than any fixed table had: 511 x 2 x 3 scales, and the same for any number of threads.
all=$(seq 1 511 | tr '\n' '|')
check "a thousand configurations replay at three scales" "$SPHT_REPLAY" -j 2 --quiet \
	--heuristic="nextline:degree=${all%|},cross=0|1" --guest-time-scale=0.5,1,2 --csv=many.csv r.spht
check "  to as many rows" test "$(wc -l <many.csv)" = 3067
# Both are run in different parts of so many.
for degree in 2 510; do
	"$SPHT_REPLAY" --quiet --heuristic=nextline:degree=$degree,cross=1 --guest-time-scale=2 \
		--csv=one.csv r.spht
	tail -n 1 one.csv >want
	grep ",degree=$degree;cross=1;on=hidden,.*,2,[a-z]*,," many.csv >got
	same "  of which that with degree $degree is what it is alone" want got
done
status 2 "a story of so many is refused" "$SPHT_REPLAY" --explain=1 \
	--heuristic="nextline:degree=${all%|},cross=0|1" r.spht
has "  it says how many may be" err '^spht-replay: --explain=EXIT takes at most 1000 configurations'

# The same configuration twice.
check "a configuration that is asked for twice replays" "$SPHT_REPLAY" --heuristic=window:size=8 \
	--heuristic=none --heuristic='window:size=4|8|16' --quiet --csv=twice.csv r.spht
cp err err1
cat >want <<'END'
spht-replay: --heuristic=window:size=4|8|16: 1 of its configurations asked for before, not run again
END
same "  it is told on stderr" want err1
cells twice.csv params | cut -d';' -f1 >got
printf '%s\n' size=8 - size=4 size=16 >want
same "  and has one row, where it came first" want got

# refused WHAT REGEX ARG...: exit status 2, one line, nothing on stdout.
refused()
{
	refused_regex=$2
	refused_what=$1
	shift 2
	status 2 "$refused_what is refused" "$SPHT_REPLAY" "$@" r.spht || return 1
	cp out out1
	cp err err1
	has "  it says: $refused_regex" err1 "^spht-replay: .*$refused_regex"
	check "  in one line, and nothing is run" test "$(wc -l <err1)-$(wc -c <out1)" = 1-0
}
refused "a value that stands twice in its list" "window: size='8' stands twice in its list" \
	--heuristic='window:size=8|16|8'
refused "a bad value in a list" "window: size='12' is not a power of two; valid: 2\\.\\.512" \
	--heuristic='window:size=8|12'
refused "an empty value in a list" "window: size='' is not a whole number" --heuristic='window:size=8||16'
refused "a parameter with two lists" 'window: size is given twice' --heuristic='window:size=8|16;size=4|2'
refused "more than one run can do" '130305 configurations, more than the 100000 of one run: split it$' \
	--heuristic="stride:degree=${all%|},conf_max=$(seq -s '|' 1 255)"
refused "more in two parts" 'with it 148190 configurations, more than the 100000' \
	--heuristic="stride:degree=${all%|},conf_threshold_pct=$(seq -s '|' 1 100)" \
	--heuristic="stride:follow=0,degree=${all%|},conf_max=$(seq -s '|' 1 190)"
refused "more by the number of scales" \
	'51100 configurations by 2 time scales are 102200 results, more than the 100000 of one run' \
	--heuristic="stride:degree=${all%|},conf_threshold_pct=$(seq -s '|' 1 100)" \
	--guest-time-scale=1,3
refused "a list without a heuristic" '--heuristic=NAME is missing' --list-configurations
status 1 "a list to a full disk fails" sh -c '"$1" --heuristic=none --list-configurations >/dev/full' - \
	"$SPHT_REPLAY"
finish
