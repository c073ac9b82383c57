#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/plot: what is drawn is what the tables say, the same bytes each time, and tables
# that must not be drawn.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

if [ -n "$SPHT_SANITIZED" ]; then
	skip "figures" "tried by make check"
	finish
fi

if ! command -v gnuplot >/dev/null; then
	skip "figures" "gnuplot is not installed"
	finish
fi

plot()
{
	"$TOP/scripts/plot" "$@"
}

# drawn SENTENCE FIGURE ARG...: an SVG to fig.svg, its texts to texts, its script to fig.gp.
drawn()
{
	drawn_what=$1
	shift
	check "$drawn_what" plot "$@" -o fig.svg --script=fig.gp || return 1
	check "  an SVG by itself, in 8 points at least, all on the paper" "$TOP/tests/tools/svg-check.py" fig.svg
	cp "$T/out" texts
	# The caption as one line: where it is broken is not what is tested.
	sed -n 's/^# //p' fig.gp | sed -n 2p >caption
}

# block NAME: the rows of a block of data in the script.
block()
{
	awk -v name="\$$1 <<" 'index($0, name) == 1 { on = 1; next } $0 == "EOD" { on = 0 }
		on && !/^#/' fig.gp
}

# data SENTENCE NAME: a block is what stands on standard input.
data()
{
	cat >want
	block "$2" >got
	same "$1" want got
}

# fails N SENTENCE REGEX ARG...: this exit status, one line that matches, no figure.
fails()
{
	fails_status=$1
	fails_what=$2
	fails_regex=$3
	shift 3
	status "$fails_status" "$fails_what is refused" plot "$@"
	cp out last
	has "  it says: $fails_regex" err "$fails_regex"
	check "  in one line, without a figure" test "$(wc -l <err)" -eq 1 -a ! -s last
}

refused()
{
	fails 1 "$@"
}

usage()
{
	fails 2 "$@"
}

# ---- Exits avoided

rows some.csv <<'END'
a x:n=1 1 1000 50 100 200 avoidable=500 coverage=0.1 accuracy_lo=0.25 accuracy_hi=0.5
a x:n=2 1 1000 0 0 0 avoidable=500 coverage=0.2 accuracy_lo=0.3 accuracy_hi=0.9
a losing 1 1000 -40 -20 -10 avoidable=500
a crossed 1 1000 30 1 20 avoidable=500 coverage=0.001 accuracy_lo=0 accuracy_hi=1
a oracle 1 1000 300 500 600 avoidable=500 coverage=0.5 accuracy_lo=1 accuracy_hi=1
END
drawn "exits avoided are drawn" avoided some.csv
data "  the data are the table's cells" avoided0 <<'END'
8 50 100 200 1000
20 0 0 0 1000
32 -40 -20 -10 1000
44 30 1 20 1000
56 300 500 600 1000
END
for text in 'x n=1' 'x n=2' losing crossed oracle '10\.00' '\[5\.00, 20\.00\]' '0\.00' '\[0\.00, 0\.00\]' \
	'−2\.00' '\[−4\.00, −1\.00\]' '\[3\.00, 2\.00\]†' 'oracle 50\.00' 'exits avoided, % of base faults'; do
	has "  it says $text" texts "^$text\$"
done
check "  five bars and no more" test "$(grep -c "polygon fill = 'rgb(230, 159,   0)'" fig.svg)" -eq 5
for text in 'strict and optimistic bounds' 'a; knowledge inferred; virtual clock' 'guest time × 1;' \
	"beyond KVM's own prefetch window 8" '†: bounds crossed'; do
	has "  the caption says $text" caption "$text"
done
has "  the title and the description are the caption" fig.svg '<title>Exits avoided.*</title>'
has "  all of it" fig.svg "<desc>.*prefetch window 8\. .*crossed.</desc>"
cp fig.svg first.svg
cp fig.gp first.gp
check "  once more" plot avoided some.csv -o fig.svg --script=fig.gp
same "  it has the same bytes" first.svg fig.svg
same "  and the script, too" first.gp fig.gp
mkdir edited
check "  the script draws by itself" sh -c 'cd edited && gnuplot ../first.gp && grep -q oracle fig.svg'
check "  to standard output" plot avoided some.csv
same "  it is the same" first.svg "$T/out"
check "  without a caption" plot avoided some.csv --caption=none -o bare.svg
has "  it is told on standard error" "$T/err" '^plot: caption: Exits avoided, .*window 8'
check "  the figure is lower" test "$(wc -c <bare.svg)" -lt "$(wc -c <first.svg)"
check "  a page wide" plot avoided some.csv --width=page -o wide.svg
has "  it is 178 mm" wide.svg 'svg width="178\.[0-9]*mm"'
has "  and a column 85" first.svg 'svg width="85\.[0-9]*mm"'

rows zero.csv <<'END'
a x 1 0 0 0 0
END
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } NR == 3 {
	$at["avoided_lo"] = $at["avoided"] = $at["avoided_hi"] = $at["bounds"] = "" } 1' some.csv >empty.csv
drawn "a row with empty cells is drawn" avoided empty.csv
has "  as a gap" fig.gp '^20 \? \? \? 1000$'
has "  that the caption names" caption 'x n=2: avoided_lo, avoided, avoided_hi empty'
check "  one bar is missing" test "$(grep -c "polygon fill = 'rgb(230, 159,   0)'" fig.svg)" -eq 4
drawn "no base fault at all is no division by 0" avoided zero.csv
has "  it is a dash" texts '^–$'
has "  and told" caption 'x: no base fault\.'
lacks "  no oracle is told where none is drawn" caption 'oracle'
{
	echo "a x:n=1 1 0 0 0 0"
	echo "a x:n=2 1 0 0 0 0"
	for n in 1 2; do echo "b x:n=$n 1 1000 1 2 3 coverage=0.1 accuracy_lo=0.2 accuracy_hi=0.3"; done
} | rows half.csv
drawn "of two recordings one without base faults" avoided half.csv
has "  is told by its name" caption 'x n=1, a: no base fault'
drawn "  in the plane" plane half.csv
has "  it is told which one is not there" caption 'x n=1, a: coverage, accuracy_lo, accuracy_hi empty'
drawn "  in the sensitivity" sensitivity half.csv
has "  it is told, too" caption 'x, a at 1: no base fault'

rows panels.csv <<'END'
a x 1 1000 50 100 200
b x 1 2000 10 20 30 baseline=1 baseline_recorded=1
END
drawn "two recordings are two panels" avoided panels.csv
has "  told apart by name and baseline" texts '^a, window 8$'
has "  both of them" texts '^b, window 1$'
has "  the caption says so" caption "2 recordings; .*beyond KVM's own prefetch, windows 1, 8"
data "  the second has its own row" avoided1 <<'END'
8 10 20 30 2000
END
for n in 1 2 3 4 5 6 7; do echo "r$n x 1 1000 1 2 3"; done | rows many.csv
refused "a seventh panel" '7 kinds that cannot be compared .*trace.*--only=trace=r1.spht' avoided many.csv
check "  --only chooses some" plot avoided many.csv '--only=trace=r1.spht|r2.spht' -o fig.svg
rows scales.csv <<'END'
a x 1 1000 50 100 200
a x 3 1000 50 100 200
END
drawn "two time scales are two panels" avoided scales.csv
has "  told apart by the scale" texts '^guest time × 3$'

# ---- The others

drawn "coverage and accuracy are drawn" plane some.csv
data "  the data are the table's cells" plane0 <<'END'
0.1 0.25 0.5
0.2 0.3 0.9
0.001 0 1
END
has "  what has no accuracy is named" caption 'losing: coverage, accuracy_lo, accuracy_hi empty'
has "  and that the oracle is left out" caption 'The oracle, a bound, is left out'
for i in 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20; do
	echo "a heuristic$i 1 1000 1 2 3 coverage=0.1$i accuracy_lo=0.2 accuracy_hi=0.30$i"
done | rows crowd.csv
drawn "twenty heuristics at nearly one place are drawn" plane crowd.csv
check "  all have their names" test "$(grep -c '^heuristic' texts)" -eq 20
# No two names on one spot: 20 places, at least 8 points apart or beside each other.
python3 - <<'END' >overlaps
import re
at = [(float(x), float(y)) for x, y in re.findall(
    r'translate\(([0-9.]+),([0-9.]+)\)[^>]*>\s*<text>(?:<tspan[^>]*>)?heuristic', open("fig.svg").read())]
print(len(at), sum(abs(a[1] - b[1]) < 8 and abs(a[0] - b[0]) < 40
                   for i, a in enumerate(at) for b in at[:i]))
END
echo "20 0" >want
same "  none lies on another" want overlaps

rows classes.csv <<'END'
a x 1 1000 50 100 200 exits_pf=2000 pf_guest=700 pf_ptwrite_emul=200 pf_ptwrite_unsync=50 pf_mmio=49 pf_spurious=1
END
drawn "exits by class are drawn" classes classes.csv
block classes0 | cut -d' ' -f2- >got
printf '%s\n' '1000 2000 1' '0 2000 1' '0 2000 1' '700 2000 0' '200 2000 0' '50 2000 0' '49 2000 0' \
	'1 2000 0' '? 2000 0' >want
same "  the data are the table's cells" want got
has "  a class that is empty is no 0" texts '^empty$'
has "  and named" caption 'retry: pf_retry empty'
has "  counts stand beside the bars" texts '^1,000$'
has "  and shares" texts '^35.00$'
lacks "  all that is filled can be avoided" caption 'before the guest paged'
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } NR > 1 { $at["pf_huge_nopaging"] = 3 } 1' \
	classes.csv >early.csv
drawn "exits from before the guest paged are drawn" classes early.csv
has "  it is told that they cannot be avoided" caption 'but for huge ones from before the guest paged'

# bins SPEC...: a table of histograms, one made up for each.
provenance=$(row_columns | sed 's/,seed,.*/,seed/')
bins()
{
	echo "$provenance,quantity,from_ns,to_ns,count_strict,count_inferred,count_optimistic"
	for spec; do
		head -n 2 some.csv | tail -n 1 | cut -d, -f1-29 | sed "s/,x,n=1,/,$spec,,/" >row
		for bin in slack,0,2,0,0,1 slack,2,4,1,5,9 slack,4,8,0,20,30 latency,0,,3,40,50 \
			latency,100,,2,30,40 latency,1000000,,0,0,10; do
			echo "$(cat row),$bin"
		done
	done
}
bins x y >bins.csv
drawn "slack is drawn" slack bins.csv
data "  the data are the table's cells" slack1 <<'END'
0 2 0 0 1 0 1
2 4 1 5 9 1 2
4 8 0 20 30 2 3
END
has "  each heuristic has a panel" texts '^y: 25 uses in time$'
drawn "the curve over latency is drawn" latency bins.csv
block latency0_0 | cut -d' ' -f2- >got
printf '%s\n' '3 40 50 0' '2 30 40 100' '0 0 10 1000000' >want
same "  the data are the table's cells" want got
has "  times have units" texts '^1 ms$'

sed '/,latency,100,/s/,latency,100,/,latency,,/' bins.csv >bad.csv
refused "a point of the curve without its latency" 'bad.csv:6: from_ns is empty' latency bad.csv

{
	for scale in 0.1 1 10; do
		for world in strict inferred optimistic; do
			case $world in strict) up=-0.5 ;; inferred) up=1.5 ;; *) up=2.25 ;; esac
			echo "a x $scale 1000 1 2 3 knowledge=$world speedup_pct=$up speedup_bound_pct=20"
			echo "a y $scale 1000 1 2 3 knowledge=$world speedup_pct=0.75 speedup_bound_pct=20"
		done
	done
} | rows speedup.csv
drawn "speed-ups are drawn" speedup speedup.csv
block speedup0_0 | cut -d' ' -f2- >got
printf '%s\n' '-0.5 1.5 2.25 "0.1"' '-0.5 1.5 2.25 "1"' '-0.5 1.5 2.25 "10"' >want
same "  from the strict to the optimistic world" want got
data "  the bound is drawn" bound0 <<'END'
0.1 20 "0.1"
1 20 "1"
10 20 "10"
END
has "  and named" texts '^bound$'
has "  the worlds are told" caption 'worlds: strict, inferred, optimistic'
block speedup0_0 | cut -d' ' -f1 >got
printf '%s\n' 0.1 1 10 >want
same "  lines and marks stand at the values" want got
grep -E '^schema|,(strict|inferred),' speedup.csv >two-worlds.csv
drawn "speed-ups of two worlds are drawn" speedup two-worlds.csv
has "  it is told which bars there are" caption 'bars: from the strict to the inferred world'
grep -E '^schema|,(strict|optimistic),' speedup.csv >ends.csv
drawn "without the inferred world" speedup ends.csv
has "  the world of the line is told" caption 'optimistic world; line: strict world'
grep -vE ',x,,.*,optimistic,.*,10,scaled,' speedup.csv >lacking.csv
drawn "with one row less" speedup lacking.csv
has "  it is told where a bar lacks" caption 'x at 10: no row of the optimistic world, so no bar'
block speedup0_0 | sed -n 's/.*1\.5 \(.*\) "10"$/\1/p' >got
echo 1.5 >want
same "  and none is drawn" want got
grep -E '^schema|,inferred,' speedup.csv >one-world.csv
drawn "speed-ups of one world are drawn" speedup one-world.csv
has "  and that there are no bounds is told" caption 'inferred world alone, so no bounds'
sed 's/,1.5,20,/,,20,/' one-world.csv >no-speedup.csv
drawn "empty speed-ups are gaps" speedup no-speedup.csv
has "  and named" caption 'x at 0.1: speedup_pct empty'

for n in 1 2 4 16; do
	echo "a x:n=$n,m=1 1 1000 $n $((n * 10)) $((n * 20))"
	echo "a z:m=1,n=$n 1 1000 0 $((n * 5)) 1000"
done | rows sweep.csv
drawn "the sensitivity to a parameter is drawn" sensitivity --param=n sweep.csv
block sensitivity0_0 | cut -d' ' -f2- >got
printf '%s\n' '1 10 20 1000 "1"' '2 20 40 1000 "2"' '4 40 80 1000 "4"' '16 160 320 1000 "16"' >want
same "  the data are the table's cells" want got
has "  lines have their names" texts '^x$'
has "  values are ticks" texts '^16$'
cp fig.svg with.svg
check "  the only one that varies need not be named" plot sensitivity sweep.csv -o fig.svg
same "  it is the same figure" with.svg fig.svg
{
	for n in 1 2 4 16; do
		echo "a x:n=$n 1 1000 30 $n 20"
	done
	echo "a y:n=7 1 1000 1 2 3"
	echo "a z 1 1000 1 2 3"
} | rows one.csv
drawn "a configuration with one value" sensitivity --param=n one.csv
has "  is left out and named" caption 'Left out, with one value of n: y\.'
has "  as is one without the parameter" caption 'Left out, without n: z\.'
check "  crossed bounds have their daggers" test "$(grep -c '^†$' texts)" -eq 4
has "  and the caption tells what they are" caption '†: bounds crossed'
for i in 01 02 03 04 05 06 07 08 09 10 11 12 13 14; do
	for n in 1 16; do echo "a h$i:n=$n 1 100000 1 2 30000"; done
done | rows fourteen.csv
drawn "fourteen lines are drawn" sensitivity fourteen.csv
# Each bar is within the axes, which gnuplot would cut it off at.
python3 - <<'END' >got
import re
text = open("fig.gp").read()
low, high = map(float, re.search(r"set logscale x\nset xrange \[(\S+):(\S+)\]", text).groups())
factors = [float(f) for f in re.findall(r"using \(\$1\*(\S+?)\):", text)]
print(len(factors), len(set(factors)), all(low < f and 16 * f < high for f in factors))
END
echo "14 14 True" >want
same "  the bars stand side by side, none of them cut off" want got
refused "a parameter that does not vary" 'param=m: expected a parameter with several.*there is n$' \
	sensitivity --param=m sweep.csv

interval="4,a.spht,,,x,n=1,WORLD,1"
{
	echo "schema,trace,roi,warmup,heuristic,params,knowledge,guest_time_scale,interval,from_s,to_s,exits_pf,f_base,avoided_direct,avoided_side,new_exits_lo,new_exits_hi,helper_exits"
	for world in strict,10 inferred,50 optimistic,80; do
		echo "$interval,0,0,2,0,0,0,0,0,0,0"
		echo "$interval,1,2,4,200,100,${world#*,},5,1,4,2"
		echo "$interval,2,4,5,100,50,${world#*,},0,0,0,0"
	done | awk 'BEGIN { split("strict inferred optimistic", w, " ") }
		{ sub("WORLD", w[int((NR - 1) / 3) + 1]); print }'
} >intervals.csv
drawn "exits over time are drawn" time intervals.csv
data "  the data are the table's cells, and the last one ends" time0 <<'END'
2 4 200 100 50 5
4 5 100 50 50 0
5 6 100 50 50 0
END
data "  the band is of the strict and the optimistic world, charged" band0 <<'END'
2 4 9 82
4 5 10 80
END
has "  that the table does not tell the baseline is told" caption "prefetch not told"
sed 's/^3,/4,/; s/,x,n=1,,,inferred/,x,n=1,,,inferred/' some.csv >whose.csv
drawn "with the table of the run" time intervals.csv whose.csv
has "  clock and baseline are told" caption "virtual clock.*prefetch window 8"
echo "a x:n=1 1 150 1 2 3 avoided_direct=100 avoided_side=5 new_exits_hi=4 helper_exits=2" | rows run.csv
echo "a x:n=1 1 150 1 2 3 avoided_direct=90 avoided_side=5 new_exits_hi=4 helper_exits=2 baseline=16" |
	rows otherrun.csv
sed -i 's/^3,/4,/' run.csv otherrun.csv
grep -E '^schema|,inferred,' intervals.csv >inferred.csv
for tables in "run.csv otherrun.csv" "otherrun.csv run.csv"; do
	# shellcheck disable=SC2086
	drawn "with the tables of two runs" time inferred.csv $tables
	has "  the one that the intervals are of is told" caption "prefetch window 8\."
done
refused "intervals with the table of another run" \
	'inferred.csv:2: the intervals of x:n=1 do not add up to what otherrun.csv:2 has' time inferred.csv otherrun.csv
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } NR > 1 { $at["kvm"] = "5.4" } 1' run.csv >kvm.csv
refused "intervals of one of two runs" 'may be of run.csv:2 or of kvm.csv:2, which differ in kvm' \
	time inferred.csv run.csv kvm.csv
awk -F, -v OFS=, '$10 != 2 { print } END { $9 = 3; $10 = 7; $11 = 9; print }' inferred.csv >gap.csv
drawn "intervals with a gap" time gap.csv
data "  are not joined" time0 <<'END'
4 5 100 50 50 0
5 6 100 50 50 0

7 9 100 50 50 0
9 11 100 50 50 0
END
has "  and the gap is told" caption 'x: no intervals from 5 to 7 s'
grep -vE ',optimistic,' intervals.csv >lower.csv
drawn "over time, without the optimistic world" time lower.csv
lacks "  there is no band" caption 'band'
lacks "  nor data of one" fig.gp 'band0'

# ---- Tables

check "a table is made" plot table some.csv '--columns=name,f_base,avoided[],avoided_pct[],coverage' -o t.tex
cat >want <<'END'
% a; knowledge inferred; virtual clock, times scaled from an emulated machine, guest time × 1; costs made-up; beyond KVM's own prefetch window 8
% coverage is empty for losing
% dagger: bounds crossed
% Needs booktabs.
\begin{tabular}{lrr@{~[}r@{, }r@{]\hspace{2\tabcolsep}}r@{~[}r@{, }r@{]\hspace{2\tabcolsep}}r}
\toprule
heuristic & \multicolumn{1}{c}{base faults} & \multicolumn{3}{c}{exits avoided} & \multicolumn{3}{c}{avoided, \%} & \multicolumn{1}{c}{coverage} \\
\midrule
x n=1 & 1\,000 & 100 & 50 & 200 & 10.00 & 5.00 & 20.00 & 0.100 \\
x n=2 & 1\,000 & 0 & 0 & 0 & 0.00 & 0.00 & 0.00 & 0.200 \\
losing & 1\,000 & $-$20 & $-$40 & $-$10 & $-$2.00 & $-$4.00 & $-$1.00 & -- \\
crossed\,$\dagger$ & 1\,000 & 1 & 30 & 20 & 0.10 & 3.00 & 2.00 & 0.001 \\
oracle & 1\,000 & 500 & 300 & 600 & 50.00 & 30.00 & 60.00 & 0.500 \\
\bottomrule
\end{tabular}
END
same "  it is the expected one" want t.tex
rows release.csv <<'END'
a x 0.333 1000 1 2 3 kvm=6.1 warmup=2.5
END
check "a table with releases is made" plot table release.csv --columns=kvm,guest_time_scale,warmup,f_base -o r.tex
has "  they are no numbers that could be rounded" r.tex '^6\.1 & 0\.333 & 2\.5 & 1\\,000 '
refused "a column that is not there" 'the table has no column nosuch' table some.csv --columns=name,nosuch
usage "a column twice" 'one stands there twice' table some.csv --columns=name,name

# ---- Formats

for figure in avoided plane; do
	check "$figure is a PDF" plot $figure some.csv --format=pdf -o $figure.pdf
	check "  once more" plot $figure some.csv --format=pdf -o again.pdf
	same "  with the same bytes" $figure.pdf again.pdf
done
if command -v pdffonts >/dev/null; then
	check "  pdfinfo reads it" pdfinfo avoided.pdf
	has "  one page" "$T/out" '^Pages: +1$'
	has "  85 mm wide" "$T/out" '^Page size: +24[01](\.[0-9]+)? x '
	check "  pdffonts reads it" pdffonts avoided.pdf
	tail -n +3 "$T/out" >fonts
	check "  it has fonts" test -s fonts
	awk '$(NF - 4) != "yes"' fonts >"$T/bad"
	same "  all are embedded" /dev/null "$T/bad"
	pdftotext -layout avoided.pdf text
	has "  its texts are the figure's" text '10\.00 +\[5\.00, 20\.00\]'
	# A word's box is as high as a line of its font, which is more than the font.
	pdftotext -bbox avoided.pdf boxes
	sed -nE 's/.*yMin="([0-9.]+)".*yMax="([0-9.]+)">[^ ]*(optimistic|oracle).*/\1 \2/p' boxes |
		awk '$2 - $1 < 8 || $2 - $1 > 11 { bad = 1 } END { exit bad || NR < 3 }' >"$T/bad" ||
		echo "a word is not in 8 points" >"$T/bad"
	same "  texts have 8 points, as in an SVG" /dev/null "$T/bad"
else
	skip "  fonts are embedded" "poppler-utils is not installed"
fi
check "a figure for LaTeX is made" plot avoided some.csv --format=tex -o lat.tex
check "  with its picture" test -s lat-picture.pdf
has "  which it includes" lat.tex 'includegraphics\[.*\]\{lat-picture\}'
usage "a .tex to standard output" 'expected --output=NAME.tex' avoided some.csv --format=tex
usage "a name that LaTeX cannot read" 'LaTeX cannot name that file' avoided some.csv --format=tex -o 'a b.tex'
python3 - some.csv <<'END' >hostile.csv
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
out = csv.DictWriter(sys.stdout, rows[0], lineterminator="\n")
out.writeheader()
for row in rows:
    row["trace"] = "'' ; system('touch pwned') #`touch pwned` \u00e9\u4e2d --.spht"
    row["heuristic"] = "'\'' ; system('touch pwned') # " + row["heuristic"] + "[%_#{}^~&\\<c>\""
    row["params"] = row["params"].replace("n=", "n=$x`touch pwned`@y\\")
    out.writerow(row)
END
for format in svg pdf tex; do
	check "names full of signs are drawn as $format" plot avoided hostile.csv --format=$format -o host.$format
done
check "  as they are" "$TOP/tests/tools/svg-check.py" host.svg
has "  all of them" "$T/out" "system\(.*touch"
check "  and in a table" plot table hostile.csv -o hostt.tex
check "  and nothing in them is run" test ! -e pwned
if command -v pdflatex >/dev/null && kpsewhich booktabs.sty >/dev/null; then
	cat >paper.tex <<'END'
\documentclass{article}
\usepackage{graphicx,color,booktabs}
\begin{document}
\input{lat}\input{host}

\input{t}

\input{hostt}
\end{document}
END
	check "LaTeX sets all of it" pdflatex -interaction=nonstopmode -halt-on-error paper.tex
else
	skip "LaTeX sets all of it" "pdflatex or booktabs is not installed"
fi
cp fig.svg one.svg
check "several SVGs can stand in one page" "$TOP/tests/tools/svg-check.py" first.svg one.svg with.svg

# ---- All of them

check "all that the tables allow are drawn" plot all --dir=figures some.csv
printf 'figures/%s\n' avoided.svg classes.svg plane.svg speedup.svg sensitivity.svg table.tex >want
same "  each is named" want "$T/out"
has "  and what lacks for slack" "$T/err" '^plot: no slack: needs a table of spht-replay --histograms'
has "  and for time" "$T/err" '^plot: no time: needs a table of spht-replay --intervals'
cut -d, -f1-80 some.csv | awk -F, 'NF' >narrow.csv
status 0 "with columns missing" plot all --dir=figures narrow.csv
has "  the first that a figure misses is named" "$T/err" '^plot: no plane: narrow.csv:1: the table has no column coverage'
status 1 "none at all is an error" plot all --dir=figures intervals.csv --only=from_s=0
has "  that is told" "$T/err" 'no figure can be drawn'

# ---- What is refused

: >none.csv
refused "an empty file" 'none.csv: empty' avoided none.csv
refused "a file that is not there" 'nothing.csv: No such file' avoided nothing.csv
head -c 2500 some.csv >cut.csv
refused "a table that was cut off" 'cut.csv: ends within a line' avoided cut.csv
head -n 1 some.csv >names.csv
refused "a table without rows" 'names.csv: has column names and no row' avoided names.csv
printf 'a,b\n1,2\n' >other.csv
refused "another table" 'other.csv:1: lacks the columns schema, trace' avoided other.csv
printf '\377\376\n' >binary.csv
refused "what is no text" 'binary.csv: no text' avoided binary.csv
sed '2s/$/,1/' some.csv >cells.csv
refused "a row with a cell too many" 'cells.csv:2: .* cells under' avoided cells.csv
sed '1s/trace_sha256/trace/' some.csv >twice.csv
refused "a column twice" "column 'trace' stands there twice" avoided twice.csv
# altered FILE COLUMN VALUE: some.csv with that value in its second row.
altered()
{
	awk -F, -v OFS=, -v c="$2" -v v="$3" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
		NR == 3 { $at[c] = v } 1' some.csv >"$1"
}
altered bad.csv schema 9
refused "another schema" "bad.csv:3: schema is '9'; this program knows" avoided bad.csv
altered bad.csv git_commit fffffffffff
refused "rows of two programs" 'git_commit is not the same everywhere' avoided bad.csv
altered bad.csv rules naive
refused "a row without all rules" "bad.csv:3: rules is 'naive': no result" avoided bad.csv
altered bad.csv trace_complete no
refused "a recording that was not read to its end" "bad.csv:3: trace_complete is 'no'" avoided bad.csv
for value in nan 1e300 0x10 ' 1' 1_0 x; do
	altered bad.csv avoided "$value"
	refused "the number '$value'" "bad.csv:3: avoided is '$value'; expected a number" avoided bad.csv
done
for value in -1 0.5 1e-300; do
	altered bad.csv f_base "$value"
	refused "the count '$value' of base faults" "bad.csv:3: f_base is '$value'; expected a count" avoided bad.csv
done
rows wide.csv <<'END'
a x 1 1 -900000000000000 -900000000000000 -900000000000000
END
refused "a number that leaves no room for its bar" '−90000000000000000\.00.*too wide .*--width=page' avoided wide.csv
awk -F, -v OFS=, 'NR == 2 { $11 = $10 + 1e-300 } 1' inferred.csv >bad.csv
refused "an interval without a length" 'bad.csv:2: from_s is 0 and to_s .*; expected an interval' time bad.csv
altered bad.csv bounds crossed
refused "a row whose bounds are said to be crossed" "bounds is 'crossed', but the three results are ordered" \
	avoided bad.csv
altered bad.csv trace "$(printf 'a\tb')"
refused "a control character" 'bad.csv:3: trace has a control character' avoided bad.csv
altered bad.csv guest_time_scale 0
refused "a time scale of 0" "guest_time_scale is '0'; expected a number above 0" avoided bad.csv
altered bad.csv knowledge guessed
refused "an unknown world" "knowledge is 'guessed'; expected one of strict" avoided bad.csv
refused "one result twice" 'some.csv:2: the result of a.spht with x:n=1 stands in some.csv:2 already' \
	avoided some.csv some.csv
altered bad.csv clock real
drawn "rows of another clock" avoided bad.csv
has "  are a panel of their own" texts '^real clock$'
# A run of the real clock has columns of its own, and no bounds.
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; print $0, "repetition,pace,disturbed" }
	NR == 2 || NR == 3 { $at["clock"] = "real"; $at["avoided_lo"] = $at["avoided_hi"] = $at["bounds"] = ""
		print $0, 1, NR == 2 ? "max" : "recorded", NR == 2 ? "yes" : "no" }' some.csv >real.csv
drawn "runs of the real clock with two paces" avoided real.csv
has "  are two panels" texts '^pace recorded$'
has "  it is told that one was disturbed" caption '1 of 2 measured runs were disturbed'
check "  and a table of one" plot table real.csv --only=pace=max --columns=name,avoided[] -o real.tex
has "  has the result without its bounds" real.tex '^x & 100 & -- & -- '
has "  and tells the pace" real.tex '^% .*real clock, .*, pace max;'
refused "a figure without its table" 'needs a table of spht-replay --histograms' slack some.csv
refused "--only that leaves nothing" 'only=trace=z: no row is left' avoided some.csv --only=trace=z
refused "--only of no column" 'only=nosuch: no table has that column' avoided some.csv --only=nosuch=1
refused "a folder that is not there" 'No such file or directory' avoided some.csv -o no/such/fig.svg
status 1 "a full disk is told" plot avoided some.csv -o /dev/full
has "  it says so" "$T/err" 'No space left'
check "  and a failure leaves no figure" sh -c \
	'cp first.svg keep.svg; ! "$TOP/scripts/plot" avoided cut.csv -o keep.svg 2>/dev/null; cmp first.svg keep.svg'
echo old >behind.tex
ln -s behind.tex link.tex
check "a table is larger than the next test's disk" sh -c '[ "$("$1" table some.csv | wc -c)" -gt 600 ]' - "$TOP/scripts/plot"
status 1 "a disk that fills up is told" sh -c 'ulimit -f 1; shift; exec "$@"' - - \
	"$TOP/scripts/plot" table some.csv -o link.tex
has "  it says so" "$T/err" '^plot: link\.tex: File too large$'
check "  what is behind a link stays as it was" test "$(cat behind.tex)" = old
check "  and nothing is left beside it" test "$(ls -d behind.tex*)" = behind.tex
ln -s behind.svg link.svg
check "a figure goes through a link" plot avoided some.csv -o link.svg
same "  to what is behind it" first.svg behind.svg
check "  which stays one" test -L link.svg
python=$(python3 -c 'import sys; print(sys.executable)')
plot avoided some.csv --caption=none >stdout.svg 2>caption
check "the caption is a message" grep -q '^plot: caption: ' caption
check "with stderr closed a figure can be drawn" sh -c \
	'exec "$1" "$TOP/scripts/plot" avoided some.csv --caption=none >closed.svg 2>&-' - "$python"
same "  and has no message in it" stdout.svg closed.svg
usage "no figure" 'expected a FIGURE' --width=page
usage "an unknown figure" 'pie: expected one of avoided' pie some.csv
usage "an unknown format" 'format=png: expected svg or pdf or tex' avoided some.csv --format=png
usage "an unknown option" 'option --colour not recognized' avoided some.csv --colour
usage "no table" 'which FILE.csv' avoided
usage "all without a folder" 'all and --dir=DIR go together' all some.csv
usage "a table that its figure would replace" 'would be replaced by its own figure' avoided some.csv -o some.csv
mkdir path
status 1 "without gnuplot" env PATH="$T/path" "$python" "$TOP/scripts/plot" avoided some.csv
has "  it is told what to install" "$T/err" '^plot: gnuplot is not installed; .*gnuplot-nox'
check "--help tells all figures" plot --help
for figure in avoided classes plane slack latency speedup time sensitivity table all; do
	has "  $figure" "$T/out" "^  $figure "
done

# ---- The manual

sample=$TOP/traces/samples/kbuild-w8-1vcpu.spht
if [ -e "$sample" ]; then
	awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on' "$TOP/docs/figures.md" |
		sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' >commands
	mkdir manual
	ln -s "$TOP/traces" manual/traces
	ln -s "$TOP/scripts" manual/scripts
	check "docs/figures.md shows commands" test "$(grep -c . commands)" -gt 10
	while read -r line <&3; do
		check "docs/figures.md: $line" sh -c "cd manual && PATH=$BUILD:\$PATH && $line"
	done 3<commands
	for figure in avoided classes plane slack latency speedup time sensitivity table; do
		has "docs/figures.md has a command for $figure" commands "^scripts/plot $figure "
	done
	check "all figures were drawn from a real recording" test "$(find manual/figures -type f | wc -l)" -ge 6
else
	skip "the commands of docs/figures.md" "traces/samples has no recording"
fi

finish
