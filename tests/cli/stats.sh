#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/stats: figures worked out by hand, intervals that hold a known truth as often as
# they say, and tables that must not be put together.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

if [ -n "$SPHT_SANITIZED" ]; then
	skip "statistics over recordings" "tried by make check"
	finish
fi

if ! /usr/bin/python3 -c 'import scipy.stats' 2>"$T/err"; then
	skip "statistics over recordings" "python3-scipy is not installed"
	finish
fi

stats()
{
	"$TOP/scripts/stats" "$@"
}

# figures SENTENCE COLUMN...: these cells of the table printed last; what they must be is
# on standard input.
figures()
{
	figures_what=$1
	shift
	cat >want
	cells out "$@" >got
	same "$figures_what" want got
}

# fails N SENTENCE REGEX ARG...: this exit status, one line that matches, no table.
fails()
{
	fails_status=$1
	fails_what=$2
	fails_regex=$3
	shift 3
	status "$fails_status" "$fails_what is refused" stats "$@"
	cp out last
	has "  it says: $fails_regex" err "$fails_regex"
	check "  in one line, without a table" test "$(wc -l <err)" -eq 1 -a ! -s last
}

refused()
{
	fails 1 "$@"
}

usage()
{
	fails 2 "$@"
}

# ---- Worked out by hand

# 10 of 100 and 60 of 300: pooled 70 of 400, 17.5 %, which is not the mean of 10 % and 20 %.
# Beside 17.5 % one has 7.5 exits less and the other 7.5 more; the error of the ratio is
# 100 x sqrt(112.5 / 2) / 200 = 3.75 %, and t(1) = 12.7062.
rows two.csv <<'END'
a none 1 100 0 0 0
b none 1 300 0 0 0
a x:n=1 1 100 5 10 20 time_base_s=10 speedup_bound_pct=25
b x:n=1 1 300 15 60 90 time_base_s=30 time_helped_s=22 speedup_bound_pct=50
END
check "two recordings are pooled" stats pooled --format=csv two.csv
figures "  sums are sums, and a ratio is that of the sums" \
	f_base avoided_lo avoided avoided_hi avoided_lo_pct avoided_pct avoided_hi_pct <<'END'
400 0 0 0 0 0 0
400 20 70 110 5 17.5 27.5
END
figures "  speed-ups are those of added times: 40 s, 32 with the helper, 28 at best" \
	speedup_pct speedup_bound_pct oracle_share accuracy_hi <<'END'
0 25 0 -
25 42.8571429 0.175 1
END
check "they have intervals" stats intervals --format=csv two.csv
figures "  Student's t is as worked out by hand" \
	mean_avoided_t_low mean_avoided_t_high avoided_pct_t_low avoided_pct_t_high <<'END'
0 0 0 0
0 0 0 0
0 0 0 0
-53.5310237 73.5310237 5 5
-282.655118 352.655118 -30.1482678 65.1482678
-389.717166 499.717166 -20.1482678 75.1482678
END
figures "  two values bootstrap to themselves, and where all are the same nothing is drawn" \
	avoided_pct_boot_low avoided_pct_boot_high avoided_pct_method <<'END'
0 0 equal
0 0 equal
0 0 equal
5 5 equal
10 20 BCa
20 30 BCa
END
has "  how little that means is told" err '2 recordings: .* 50 times in 100'

# Differences 10, 20, 30, 40 of 1000 each: mean 25, error 6.45497, t(3) = 3.18245. Of the 256
# ways to draw four, 5 have a mean below 15 and 10 one of 15, so the 2.5 % point is 15, and
# the other one 35.
rows four.csv <<'END'
a none 1 1000 1 1 1
b none 1 1000 1 1 1
c none 1 1000 1 1 1
d none 1 1000 1 1 1
a x:n=1 1 1000 2 11 21
b x:n=1 1 1000 1 21 31
c x:n=1 1 1000 0 31 41
d x:n=1 1 1000 1 41 10
END
check "four recordings are paired" stats paired --format=csv --against=none four.csv
has "  how little that means is told" err '4 recordings: .* 12\.5 times in 100'
sed -n '1p;3p' out >middle
cells middle mean_difference mean_difference_boot_low mean_difference_boot_high \
	mean_difference_t_low mean_difference_t_high difference_pct >got
echo "25 15 35 4.45739743 45.5426026 2.5" >want
same "  the difference has the intervals worked out by hand" want got
figures "  so are who has more, the worst recording, and that the worlds differ" \
	world difference_pct more same less worst_recording worlds <<'END'
strict 0 1 2 1 c.spht differ
inferred 2.5 4 0 0 a.spht differ
optimistic 2.475 4 0 0 d.spht differ
END
check "the worst recording is the one with the lowest share" stats worst --format=csv two.csv
sed -i 2,4d out
figures "  in each world" world recording avoided avoided_pct <<'END'
strict a.spht 5 5
inferred a.spht 10 10
optimistic a.spht 20 20
END
rows share.csv <<'END'
a x:n=1 1 100 40 40 40
b x:n=1 1 300 60 60 60
END
check "  and not the one with the fewest exits" stats worst --format=csv share.csv
has "    in the inferred world, for instance" out ',inferred,2,b.spht,300,60,20$'
check "crossed bounds are shown" stats recordings --format=csv four.csv
has "  and told" err 'bounds are crossed in 1 of 8 rows, the first is four\.csv:9'
figures "  as they are" recording avoided_lo avoided avoided_hi bounds <<'END'
a.spht 1 1 1 ordered
b.spht 1 1 1 ordered
c.spht 1 1 1 ordered
d.spht 1 1 1 ordered
a.spht 2 11 21 ordered
b.spht 1 21 31 ordered
c.spht 0 31 41 ordered
d.spht 1 41 10 crossed
END

# Parameters that are best on some recordings need not be on others.
rows tune.csv <<'END'
a x:n=1 1 1000 0 100 300
b x:n=1 1 1000 0 100 300
c x:n=1 1 1000 0 900 900
d x:n=1 1 1000 0 900 900
a x:n=2 1 1000 0 200 200
b x:n=2 1 1000 0 200 200
c x:n=2 1 1000 0 300 300
d x:n=2 1 1000 0 301 301
a x:n=0 1 1000 0 200 200 issued=201 generated=201 build_failed=1
b x:n=0 1 1000 0 200 200
c x:n=0 1 1000 0 999 999
d x:n=0 1 1000 0 999 999
END
check "parameters are chosen on some recordings" stats best --tune=a,b.spht --format=csv tune.csv
figures "  by what they avoid there, the least built first, and told on the others" \
	params of tuning_recordings tuning_avoided_pct recordings avoided <<'END'
n=2 3 2 20 2 601
END
check "or by another world" stats best --tune=a,b --choose-by=avoided_hi --format=csv tune.csv
figures "  and then it is that world's share that is told" params tuning_avoided_hi_pct avoided <<'END'
n=1 30 1800
END
# By sha256 of the names: b 3e23, c 2e7d, d 18ac, a ca97.
check "without names hashes divide the recordings" stats parts --format=csv tune.csv
figures "  the first half of them tunes" recording part <<'END'
d.spht tuning
c.spht tuning
b.spht reporting
a.spht reporting
END
has "  the rule is told" err 'Parts: sorted by trace_sha256, the first half \(rounded down\)'
check "only one part can be used" stats pooled --part=reporting --format=csv tune.csv
figures "  of which then all is told" params recordings avoided <<'END'
n=0 2 400
n=1 2 200
n=2 2 400
END
usage "a part that would be empty" '2 recording.s. make 2 for tuning and 0' best --tune=a,b two.csv
usage "a recording for tuning that there is none of" '--tune=z: .* no such recording' \
	best --tune=a,z tune.csv
rows one.csv <<'END'
a none 1 100 0 0 0
a x:n=1 1 100 5 10 20
END
check "one recording has no interval" stats intervals --format=csv one.csv
has "  which is said" err 'One recording: no interval'
figures "  and the cells are empty" avoided_pct avoided_pct_boot_low avoided_pct_t_high <<'END'
0 - -
0 - -
0 - -
5 - -
10 - -
20 - -
END
usage "tuning on one recording" '1 recording.s. make 0 for tuning and 1' best one.csv
rows clockless.csv <<'END'
a x:n=1 1 100 5 10 20 time_source= time_base_s= time_helped_s= speedup_pct= speedup_bound_pct= helper_busy_s=
END
check "what is empty in a table" stats pooled --format=csv clockless.csv
figures "  stays empty" avoided speedup_pct speedup_bound_pct helper_busy_s lateness <<'END'
10 - - - 0
END
rows other-kvm.csv <<'END'
a x:n=1 1 100 5 10 20 baseline_avoided=3
END
check "beside another KVM" stats pooled --format=csv other-kvm.csv
figures "  coverage is not made up" avoided coverage <<'END'
10 -
END

# ---- Known truth
check "intervals are drawn for synthetic recordings of known truth" "$TOP/tests/tools/coverage.py"
cp out coverage
awk '$NF < ($2 == "t" ? 0.92 : 0.84) || $NF > 0.98' coverage >low
check "  Student's holds it 95 times in 100 give or take 3, the bootstrap not much less" test ! -s low
check "  four kinds were tried" test "$(wc -l <coverage)" -eq 4

# ---- Output
check "all tables can be had as Markdown" stats all four.csv
cp out all.md
for title in Recordings Pooled Intervals Worst Paired Parts Best; do
	has "  $title among them" all.md "^## $title"
done
has "  the seed stands below" all.md 'with 9999 resamples from seed 1'
has "  and every recording's hash" all.md "^\* a.spht: sha256 $(printf a | sha256sum | cut -d' ' -f1)\$"
check "again" stats all four.csv
same "  the same bytes" all.md out
tac four.csv | sed '$d' >body
{ head -n 1 four.csv && cat body; } >backwards.csv
check "the order of the rows" stats all backwards.csv
sed 's/backwards.csv:[0-9]*/four.csv:9/' out >turned.md
same "  changes nothing" all.md turned.md
head -n 5 four.csv >part1.csv
{ head -n 1 four.csv && tail -n +6 four.csv; } >part2.csv
check "nor do several files" stats pooled --output=joined.md part1.csv part2.csv
check "  which are written under their name" test "$(ls joined.md*)" = joined.md
: >behind.md
ln -s behind.md link.md
echo mine >victim.md
ln -s victim.md whole.md.part
check "a link in the way of a table" stats pooled --output=whole.md part1.csv part2.csv
check "  is not followed" test "$(cat victim.md)" = mine -a ! -L whole.md
same "  and the table is whole" whole.md joined.md
check "a table goes through a link" stats pooled --output=link.md part1.csv part2.csv
check "  which stays one" test -L link.md
same "  with the table behind it" behind.md joined.md
status 1 "a file that cannot be written ends it" stats pooled --output=no/where four.csv
check "--help tells of each option" stats --help
for option in by vary against tune part choose-by choose-at format level resamples seed output; do
	has "  --$option" out "^  --$option="
done

# ---- Groups and configurations
rows w1.csv <<'END'
c none 1 500 0 0 0 baseline=1 baseline_recorded=1
c x:n=1 1 500 5 10 20 baseline=1 baseline_recorded=1
END
refused "a mixture of baselines" "^stats: baseline is not the same everywhere: '1' .w1.csv:2., '8' .two.csv:2.;" \
	pooled two.csv w1.csv
check "groups may differ" stats pooled --by=baseline,baseline_recorded --format=csv two.csv w1.csv
figures "  and are not added up" baseline params f_base <<'END'
1 - 500
1 n=1 500
8 - 400
8 n=1 400
END
rows helpers.csv <<'END'
a x:n=1 1 100 5 10 20 helpers=1
a x:n=1 1 100 6 12 24 helpers=vcpu
END
refused "a mixture of helpers" "helpers is not the same everywhere" pooled helpers.csv
check "what varies can be compared" stats paired --vary=helpers --format=csv helpers.csv
figures "  on the same recordings" helpers against mean_difference <<'END'
vcpu x:n=1 1 1
vcpu x:n=1 1 2
vcpu x:n=1 1 4
END

# ---- What must not be put together
mixed()
{
	rows mixed.csv <<END
a x:n=1 1 100 5 10 20 $1
b x:n=1 1 100 5 10 20 $2
END
}
for column in tool_version git_commit vcpus host_kernel guest_kernel kvm roi warmup legality \
	helpers costs time_source; do
	mixed "$column=one" "$column=two"
	refused "two values of $column" \
		"^stats: $column is not the same everywhere: 'one' .mixed.csv:2., 'two' .mixed.csv:3." \
		pooled mixed.csv
done
mixed "" knowledge=strict
refused "books of two worlds" "knowledge is not the same everywhere: 'inferred'.*'strict'" pooled mixed.csv
mixed schema=1 ""
refused "another schema" "mixed.csv:2: schema is '1'; this program knows 2, 3, 4" pooled mixed.csv
mixed trace_complete=no ""
refused "a recording that was read in part" "mixed.csv:2: trace_complete is 'no'" pooled mixed.csv
mixed rules=naive rules=naive
refused "a table that takes the model apart" "mixed.csv:2: rules is 'naive': no result" pooled mixed.csv
check "  unless that is what is compared" stats pooled --vary=rules mixed.csv
mixed plugin_sha256=aa plugin_sha256=bb
refused "two builds of a plugin" "mixed.csv:3: x has the plugin_sha256 'bb', but 'aa' in mixed.csv:2" pooled mixed.csv
mixed git_commit=aa-dirty git_commit=aa-dirty
check "changed sources" stats pooled mixed.csv
has "  are told" err 'changed sources'
mixed lost_events=7 ""
check "lost events" stats pooled mixed.csv
has "  are told" err 'a.spht lost 7 events'

sed 2p two.csv >twice.csv
refused "a row that is there twice" \
	'twice.csv:3: a.spht with none at guest time x 1 stands in twice.csv:2 already' pooled twice.csv
sed 2d two.csv >lacks.csv
refused "a configuration that lacks a recording" \
	'none at guest time x 1 lacks the recording a.spht, which others have' pooled lacks.csv
rows facts.csv <<'END'
a none 1 100 0 0 0
a x:n=1 1 101 5 10 20
END
refused "a recording with two F_bases" 'facts.csv:3: exits_total of a.spht is 101.0, but 100.0' pooled facts.csv
rows twins.csv <<'END'
a none 1 5000 0 0 0
copy none 1 5000 0 0 0
END
refused "one recording under two hashes" 'copy.spht has all counts of a.spht' pooled twins.csv
sed "3s/^\(\([^,]*,\)\{3\}\)a.spht/\1z.spht/;4s/^\(\([^,]*,\)\{3\}\)a.spht/\1z.spht/" two.csv >renamed.csv
refused "one recording under two names" 'z.spht is the recording a.spht under another name' pooled renamed.csv

# ---- What a run left that did not end well
: >empty.csv
refused "an empty file" 'empty.csv: empty: spht-replay prints no table when it fails' pooled empty.csv
head -n 1 two.csv >head.csv
refused "column names alone" 'head.csv: has column names and no row' pooled head.csv
head -c -20 two.csv >cut.csv
refused "a file that ends within a line" 'cut.csv: ends within a line' pooled cut.csv
sed '3s/,[^,]*,[^,]*$//' two.csv >short.csv
refused "a row with too few cells" 'short.csv:3: [0-9]* cells under [0-9]* columns' pooled short.csv
cp two.csv two.csv.part
refused "a table under its name before it was complete" 'two.csv.part: a table that spht-replay did not finish' \
	pooled two.csv.part
for broken in remaining=1 generated=7 issued=7 used_late=1 pf_hidden=3; do
	mixed "$broken" ""
	refused "a row in which an identity does not hold ($broken)" \
		'mixed.csv:2: .* the identity does not hold' pooled mixed.csv
done
mixed avoidable=9 ""
refused "more than the oracle's" "mixed.csv:2: 10 avoided are more than the oracle's 9" pooled mixed.csv
mixed bounds=crossed ""
refused "bounds that are told wrongly" "bounds is 'crossed', but the three results are in order" pooled mixed.csv
for number in nan inf '1e999' x ' 1' ''; do
	mixed "" ""
	sed -i "2s/,100,0,100,/,100,0,$number,/" mixed.csv
	refused "a count of '$number'" 'mixed.csv:2: .*expected a number' pooled mixed.csv
done
sed '1s/,avoided_hi,/,,/' two.csv >nameless.csv
refused "a table without a column that is needed" 'nameless.csv:1: lacks the column avoided_hi' pooled nameless.csv
sed '1s/,pf_mmio,/,pf_guest,/' two.csv >doubled.csv
refused "a column that stands there twice" 'doubled.csv:1: column pf_guest stands there twice' pooled doubled.csv
sed '1s/,pf_mmio,/,pf_other,/' one.csv >columns.csv
refused "tables with different columns" 'columns.csv:1: differs from w1.csv in pf_mmio, pf_other' \
	pooled w1.csv columns.csv
printf 'a\0b\n' >zero.csv
refused "a file with a zero byte" 'zero.csv: has a zero byte' pooled zero.csv
printf '\377\n' >bytes.csv
refused "a file that is no text" 'bytes.csv: no text' pooled bytes.csv
printf '%s\n"' "$(row_columns)" >quote.csv
printf '\n' >>quote.csv
refused "a quote that does not end" 'quote.csv:[0-9]*: unexpected end' pooled quote.csv
refused "a file that is not there" 'nothing.csv: No such file' pooled nothing.csv
refused "a folder" ': Is a directory' pooled .

# ---- Usage
usage "nothing" 'expected a TABLE'
usage "a table that there is none of" 'means: expected one of recordings' means two.csv
usage "no file" 'which FILE' pooled
usage "an option that there is none of" '--all: no such option' pooled --all two.csv
usage "an option without a value" '--by: expected --by=VALUE' pooled --by two.csv
usage "an option that is given twice" '--seed: given twice' pooled --seed=1 --seed=2 two.csv
usage "a column that makes no groups" '--by=avoided: expected one of tool_version' pooled --by=avoided two.csv
usage "a group of schemas" '--by=schema: expected one of' pooled --by=schema two.csv
usage "a column that is group and configuration" '--by=kvm and --vary=kvm' pooled --by=kvm --vary=kvm two.csv
usage "a level of nothing" '--level=0: expected a number above 50' pooled --level=0 two.csv
usage "a number of resamples that is none" '--resamples=many: expected' pooled --resamples=many two.csv
usage "all tables in one CSV" '--format=csv: holds one table' all --format=csv two.csv
usage "a comparison with what is not there" 'y: the tables have no such configuration' paired --against=y two.csv
usage "a comparison with one of several" 'x: which of x:n=0, x:n=1, x:n=2' paired --against=x tune.csv
rows scales.csv <<'END'
a x:n=1 1 100 5 10 20
b x:n=1 1 200 5 10 20
a x:n=1 2 100 5 10 20
b x:n=1 2 200 5 10 20
END
usage "a scale that is not there" '--choose-at=3: .* they have 1, 2' best --choose-at=3 --tune=a scales.csv
usage "one part of what is about both" '--part=tuning: best is about both' best --part=tuning two.csv
finish
