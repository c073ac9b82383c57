#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/report: what a browser shows is what the tables say, nothing is loaded or run,
# whatever a recording's header holds, and no page is left where there is no result.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

if [ -n "$SPHT_SANITIZED" ]; then
	skip "reports" "tried by make check"
	finish
fi

page=$TOP/tests/tools/htmlpage.py

report()
{
	"$TOP/scripts/report" "$@"
}

# cell COLUMN HEURISTIC [SCALE]: of result.csv.
cell()
{
	awk -F, -v c="$1" -v h="$2" -v s="${3:-1}" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
		$at["heuristic"] == h && $at["guest_time_scale"] == s { print $at[c]; exit }' result.csv
}

# share COLUMN OF HEURISTIC: in per cent, as a page has it.
share()
{
	awk -v a="$(cell "$1" "$3")" -v b="$(cell "$2" "$3")" 'BEGIN { printf "%.9g\n", 100 * a / b }'
}

# refused N SENTENCE REGEX ARG...: this exit status, one line that matches, no page.
refused()
{
	refused_status=$1
	refused_what=$2
	refused_regex=$3
	shift 3
	rm -f bad.html
	status "$refused_status" "$refused_what is refused" report "$@" -o bad.html
	cp err err1
	has "  it says: $refused_regex" err "$refused_regex"
	check "  in one line, without a page" explained_alone
}

explained_alone()
{
	[ "$(wc -l <err1)" -eq 1 ] && unwritten bad.html
}

# made SENTENCE ARG...: a page from result.csv and so on, without figures.
made()
{
	made_what=$1
	shift
	check "$made_what" report --no-figures -o page.html "$@"
}

# ---- What needs no browser: tables that must not be shown, and what stands in the page

sed 's/"kernel":"6.1.192"/"kernel":"6.1.192","workload":"<script>document.title=1<\/script><img src=http:\/\/127.0.0.1:9\/x onerror=document.title=2>\&lt;\&quot;'"'"'"/' \
	"$TOP/tests/data/replay-2vcpu.txt" >hostile.txt
name="<img src=x onerror=alert(1)>&'\"'.spht"
check "a recording with a hostile header and name can be built" "$SPHT_MKTRACE" -o "$name" hostile.txt
check "it can be reported" report --no-figures --heuristic=window:size=16 -o hostile.html "$name"
lacks "  no script stands in the page" hostile.html '<script'
lacks "  no image" hostile.html '<img'
has "  they are text" hostile.html '&lt;script&gt;document\.title=1&lt;/script&gt;'
check "it can be reported to standard output" report --no-figures --heuristic=window:size=16 -o - "$name"
same "  the page is the same" hostile.html out
cp "$name" plain.spht

check "results can be made" "$SPHT_REPLAY" --heuristic=window:size=16 --heuristic=stride \
	--heuristic=oracle --guest-time-scale=0.333,1 --interval=1 --curve=latency --quiet \
	--csv=result.csv --json=result.json --intervals=intervals.csv --histograms=histograms.csv plain.spht
made "a page is made of all tables" --from=result.csv --from=result.json --from=intervals.csv \
	--from=histograms.csv
made "a page is made of the JSON alone" --from=result.json
has "  releases are told in full" page.html "spht-replay $(sed -n '2s/[^,]*,\([^,]*\),.*/\1/p' result.csv), commit"
made "a page is made of the CSV alone" --from=result.csv
has "  it says what the CSV lacks" page.html 'counts behind these are in the table of --json'

# changed COLUMN VALUE [ROWS]: bad.csv is result.csv with another cell in its first rows.
changed()
{
	awk -F, -v OFS=, -v c="$1" -v v="$2" -v n="${3:-1}" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
		NR > 1 && NR < n + 2 { $at[c] = v } 1' result.csv >bad.csv
}
for column in generated issued built f_base; do
	changed "$column" 999999
	refused 1 "a $column that is not the sum of its parts" "^report: bad\.csv:2: .*identity does not hold" \
		--no-figures --from=bad.csv
done
changed exits_pf 999999
refused 1 "a recording with two sets of facts" 'must have the same' --no-figures --from=bad.csv
changed exits_pf 999999 9
refused 1 "a sum of classes that does not close" 'nine classes add up to' --no-figures --from=bad.csv
for cell in vcpus: coverage:x lateness:nan fidelity_pct:1e400 pf_mmio:x unknown_start:x; do
	changed "${cell%:*}" "${cell#*:}" 9
	refused 1 "a table whose ${cell%:*} is '${cell#*:}'" "bad\.csv:2: ${cell%:*} is .*expected a number" \
		--no-figures --from=bad.csv
done
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } NR == 2 { $at["to_s"] = "x" } 1' intervals.csv >bad.csv
refused 1 "intervals with an end that is no number" "bad\.csv:2: to_s is 'x'; expected a number" --no-figures \
	--from=result.csv --from=bad.csv
changed rules lifetime
refused 1 "a table of a part of the model" 'rules is' --no-figures --from=bad.csv
changed trace other.spht
refused 1 "a table of two recordings" 'trace is not the same everywhere' --no-figures --from=bad.csv
changed bounds crossed
refused 1 "bounds that are not what they are said to be" 'bounds is' --no-figures --from=bad.csv
changed clock real
refused 1 "a run of the real clock" 'clock is real' --no-figures --from=bad.csv
changed guest_time_scale 1
refused 1 "a result that stands there twice" 'stands there twice' --no-figures --from=bad.csv
head -c 3000 result.csv >bad.csv
refused 1 "a table that is cut off" 'cut off|cells under' --no-figures --from=bad.csv
sed 's/"avoided": /"avoided": 7/' result.json >bad.json
refused 1 "a JSON of another run" 'give those of one run' --no-figures --from=result.csv --from=bad.json
sed 's/"hidden_p0_strong": /"hidden_p0_strong": 7/' result.json >bad.json
refused 1 "checks that do not make up the fidelity" "fidelity_pct is .* the JSON's checks" --no-figures \
	--from=result.csv --from=bad.json
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } NR > 1 { $at["f_base"] += 1 } 1' \
	intervals.csv >bad.csv
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } NR > 1 { $at["avoided_side"] += 1 } 1' \
	intervals.csv >side.csv
refused 1 "intervals with other books" 'avoided_side of the intervals adds up to' --no-figures \
	--from=result.csv --from=side.csv
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
	NR > 1 && $at["quantity"] == "slack" { $at["count_inferred"] += 1 } 1' histograms.csv >bins.csv
refused 1 "intervals of another run" 'intervals adds up to' --no-figures --from=result.csv --from=bad.csv
refused 1 "bins of another run" 'bins of slack adds up to' --no-figures --from=result.csv --from=bins.csv
check "another world can be run" "$SPHT_REPLAY" --heuristic=window:size=16 --heuristic=stride \
	--heuristic=oracle --guest-time-scale=0.333,1 --interval=1 --knowledge=strict --quiet \
	--csv=other.csv --intervals=strict.csv plain.spht
refused 1 "intervals of another world" "knowledge is 'strict', but 'inferred' in" --no-figures \
	--from=result.csv --from=strict.csv
refused 1 "two tables of a kind" 'both are tables of one kind' --no-figures --from=result.csv --from=result.csv
echo '[[]]' >bad.json
refused 1 "a JSON that is none of a run" 'expected an array of objects' --no-figures --from=bad.json
refused 1 "a folder" 'directory|folder' --no-figures --from=.
refused 1 "what is no recording" 'expected the start of a \.spht trace.*no page is written' "$TOP/README.md"
refused 1 "a recording that is not there" 'No such file' none.spht
refused 2 "a heuristic that there is not" 'nonesuch' --heuristic=nonesuch plain.spht
refused 2 "two recordings" 'expected one FILE' plain.spht plain.spht
refused 2 "a recording and a table" 'not both' --from=result.csv plain.spht
refused 2 "an option that nothing is run with" 'nothing is run' --from=result.csv --roi=a..b
refused 2 "an unknown option" 'nonesuch' --nonesuch plain.spht
status 2 "a page in place of its recording is refused" report -o plain.spht plain.spht
check "  which is as it was" cmp plain.spht "$name"
echo old >old.html
status 1 "no page is written for what is no recording" report -o old.html "$TOP/README.md"
check "  and the old one stays" test "$(cat old.html)" = old

# warns LEVEL SENTENCE REGEX: the last page has such a warning.
warns()
{
	"$page" facts page.html >facts
	has "  $2" facts "^warning $1 .*$3"
}

changed fidelity_absent_pct 94.9 9
made "a model that does not explain the recording" --from=bad.csv
warns bad "is told" 'model does not explain this recording: of what says “absent” it agrees with 94\.90'
has "  the verdict, too" facts '^p Do not quote these figures\. .*The model does not explain this recording'
changed lost_events 5 9
made "lost events" --from=bad.csv
warns bad "are told" 'lost events \(5;'
changed unmodelled 5 9
made "faults that are not modelled" --from=bad.csv
warns bad "are told" '5 base faults are not modelled'
changed new_exits_hi 999 9
made "new exits above what is avoided" --from=bad.csv
warns warn "are told" 'New exits can be more than the exits avoided for window, stride:'
changed legality present 9
made "entries that are not accessed" --from=bad.csv
warns warn "are told" 'legality present'
changed git_commit abc-dirty 9
made "changed sources" --from=bad.csv
warns warn "are told" 'changed sources'
changed baseline_avoided 7 9
made "another KVM" --from=bad.csv
warns warn "is told" 'KVM of these results was not recorded .* it avoids 7;'
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
	NR > 1 && $at["heuristic"] == "window" { $at["avoided_lo"] = $at["avoided"] + 1; $at["bounds"] = "crossed" } 1' \
	result.csv >bad.csv
made "crossed bounds" --from=bad.csv
warns warn "are told" 'Bounds are crossed for window:'
changed speedup_pct '' 9
made "a result without a time" --from=bad.csv
"$page" row page.html 'What each heuristic avoids' window >got
check "  has a dash there" test "$(sed -n 8p got)" = -

check "a recording without kvm_exit can be built" "$SPHT_MKTRACE" -o pvm.spht "$TOP/tests/data/replay-pvm.txt"
check "it can be reported" report --no-figures --heuristic=window -o page.html pvm.spht
warns warn "that there are no times is told" 'no kvm_exit and kvm_entry'
has "  in the verdict, too" facts 'What that is worth in time, this recording cannot tell'
"$page" row page.html 'Page-fault exits by class' 'not told' >got
has "  exits of no class are a row of their own" got '^1$'

mkdir broken
for n in 3 1; do
	cat >broken/spht-replay <<END
#!/bin/sh
echo "spht-replay: books do not close" >&2
exit $n
END
	chmod +x broken/spht-replay
	ln -sf "$SPHT_TRACE" broken/spht-trace
	BUILD=$T/broken refused "$n" "a run that ends with exit status $n" \
		"books do not close \\(exit status $n\\)" plain.spht
done

# ---- In a browser

if ! command -v chromium >/dev/null; then
	skip "a page in a browser" "chromium is not installed"
	finish
fi
if ! command -v gnuplot >/dev/null; then
	skip "a page with figures" "gnuplot is not installed"
	finish
fi

# browse ARG...: chromium without network and without a trace of earlier runs.
browse()
{
	rm -rf browser
	timeout 120 chromium --headless --no-sandbox --disable-gpu --no-first-run \
		--disable-background-networking --disable-component-update --disable-sync \
		--host-resolver-rules='MAP * ~NOTFOUND' --enable-logging=stderr --user-data-dir="$T/browser" \
		--hide-scrollbars --window-size=1280,1000 --virtual-time-budget=10000 "$@" 2>browser.err
}

# opened SENTENCE FILE: dom, facts and what the console says.
opened()
{
	browse --dump-dom "file://$T/$2" >dom
	check "$1" "$page" facts dom
	cp out facts
	lacks "  the console is silent" browser.err 'CONSOLE|Refused to|Content Security Policy'
}

# probed FILE WIDTH [ARG...]: probe has what the page measures itself to be.
probed()
{
	probed_file=$1
	probed_width=$2
	shift 2
	"$page" probe "$probed_file" probed.html "$probed_width"
	browse "$@" --dump-dom "file://$T/probed.html" >dom
	"$page" probed dom >probe
}

sample=$TOP/traces/samples/kbuild-w8-1vcpu.spht
set -- --heuristic=window --heuristic=prefault --heuristic=oracle --guest-time-scale=0.0333,1
check "a real recording can be reported" report "$@" -o real.html "$sample"
has "  the name of the page is told" out '^real\.html$'
check "  once more" report "$@" -o again.html "$sample"
same "  it has the same bytes" real.html again.html
lacks "  no folder of this run stands in it" real.html "spht-report\\.|$T|$TOP"
has "  nothing may be loaded" real.html "default-src &#x27;none&#x27;; style-src &#x27;unsafe-inline&#x27;; img-src data:\">"
lacks "  no script" real.html '<script'
check "the same results without a page" "$SPHT_REPLAY" "$@" --quiet --csv=result.csv --json=result.json "$sample"

opened "a browser shows it" real.html
lacks "  nothing is loaded" facts '^loads '
lacks "  nothing is run" facts '^handler |^count script'
has "  the title has the recording's name" facts '^title spht: kbuild-w8-1vcpu$'
same_value()
{
	check "  $1" test "$("$page" value dom "$2")" = "$3"
}
same_value "the verdict has the table's share" verdict-avoided "$(share avoided f_base window)"
same_value "  its bounds" verdict-bounds "$(share avoided_lo f_base window) $(share avoided_hi f_base window)"
same_value "  its part of the oracle" verdict-oracle "$(share avoided avoidable window)"
same_value "  its speed-up" verdict-speedup "$(cell speedup_pct window)"
same_value "  the model's fidelity" verdict-fidelity "$(cell fidelity_pct window)"
has "  as people read it" facts '^p window, the best of these 2 heuristics, avoids 10\.1 % \(0\.2\.\.10\.5\) of 118,326 base faults \(hidden, huge and ad page-fault exits\)'
has "  the model agrees with what can be checked" facts 'The model agrees with 99\.[0-9]+ % of what can be checked \([0-9,]+ checks\)\.'
lacks "  base faults are not called avoidable" facts '^p .*avoidable page fault'
for heuristic in window prefault oracle; do
	for column in avoided avoided_lo avoided_hi coverage accuracy_lo accuracy_hi lateness \
		speedup_pct new_exits_hi; do
		cell "$column" "$heuristic"
	done | sort >want
	"$page" row dom 'What each heuristic avoids' "$heuristic" | tr ' ' '\n' | sort -u >got
	check "  the summary has the cells of $heuristic" sh -c 'sort -u want | comm -23 - got | (! grep .)'
	for what in 'Every request ended in one of these:duplicate' 'Every entry built:zapped_unused' \
		'Every base fault:avoided_side'; do
		"$page" row dom "${what%:*}" "${what#*:}" >got
		has "  ${what#*:} of $heuristic is the table's" got "^$(cell "${what#*:}" "$heuristic")\$"
	done
done
has "  nine classes" facts '^table 9 Page-fault exits by class$'
has "  three heuristics, at two time scales" facts '^table 3 The same at other time scales$'
has "  slices of five seconds" facts '^table 16 Slices of the recording, with window$'
has "  seven figures" facts '^count figure 7$'
has "  all of them drawn" facts '^count svg 7$'
has "  with captions" facts '^figcaption .*kbuild-w8-1vcpu; knowledge inferred; virtual clock'
lacks "  none is lacking" facts '^p Not drawn'
has "  the emulated clock is told" facts "^warning warn .*clock is an emulated machine's"
has "  the baseline is told" facts "^warning warn .*beyond KVM's own prefetch, window 8"
has "  open bounds are told" facts '^warning warn .*bounds of prefault leave open'
lacks "  and nothing worse" facts '^warning bad'
has "  the hash is the file's" dom "id=\"sha256\">$(sha256sum "$sample" | cut -d' ' -f1)<"
has "  how to make it again" facts '^pre scripts/report --heuristic=window .*spht-replay .*scripts/plot all'
has "  costs have their sources" facts '^details Every cost and its source .*exit_hidden_ns.*measured:'

probed real.html 360
has "on a telephone it is 360 wide" probe '^width 360$'
has "  nothing is wider" probe '^scrolls 360$'
has "  nothing stands out" probe '^beyond $'
has "  all figures can be seen" probe '^figures 7$'
has "  no identifier stands there twice" probe '^twice $'
has "  every link leads somewhere" probe '^nowhere $'
has "  nothing was loaded" probe '^loaded $'
has "  every text can be told from its ground" probe '^faint $'
has "  headings skip no level" probe '^levels 12+[23]+$'
has "  every head of a table has a scope" probe '^unscoped 0$'
probed real.html 1280 --blink-settings=preferredColorScheme=0
has "by night it is dark" probe '^dark true$'
has "  every text can be told from its ground" probe '^faint $'
has "  nothing is wider" probe '^scrolls 1280$'

# The probe itself: what it would say of a page that is none of ours.
sed 's/<\/main>/<p id="summary" style="width:2000px;color:#999">wide<\/p><a href="#nowhere">x<\/a>\
<img src="http:\/\/127.0.0.1:9\/x" alt=""><\/main>/; s/img-src data:/img-src */' real.html >worse.html
probed worse.html 360
has "the probe sees what is too wide" probe '^beyond .*P\.'
has "  what is loaded" probe '^loaded .*127\.0\.0\.1:9/x'
has "  what stands there twice" probe '^twice summary$'
has "  what leads nowhere" probe '^nowhere #nowhere$'
has "  what is faint" probe '^faint .*P\.'
browse --dump-dom "file://$T/worse.html" >dom
"$page" facts dom >facts
has "  and the facts, too" facts '^loads img src=http'

opened "a hostile header is shown" hostile.html
has "  as text" facts '^h1 Exits that a helper would avoid: <img src=x onerror=alert\(1\)>'
has "  the title is the page's" facts '^title spht: <img src=x'
lacks "  nothing is loaded" facts '^loads '
lacks "  nothing is run" facts '^handler |^count (script|img)'

# What a shell or gnuplot would run leaves a file, wherever it is run.
mkdir trap
printf '#!/bin/sh\n: >"%s/owned"\n' "$T" >trap/owned
chmod +x trap/owned
PATH=$T/trap:$PATH gnuplot -e "system('owned')"
check "what a name might run can be seen" rm owned
name="a'; system('owned'); \"@\$(owned)\`owned\`\\{x}%s <img src=x onerror=alert(2)><script>alert(3)</sc>.spht"
name=$(printf %s "$name" | tr / _)
cp plain.spht "$name"
check "a hostile name is reported with figures" env PATH="$T/trap:$PATH" \
	"$TOP/scripts/report" --heuristic=window:size=16 --heuristic=stride -o named.html "$name"
check "  nothing in it is run" test ! -e owned
opened "  a browser shows it" named.html
has "  figures are drawn" facts '^count svg [1-9]'
has "  with the name as text" dom '&lt;img src=x onerror=alert\(2\)&gt;&lt;script&gt;'
lacks "  nothing is loaded" facts '^loads '
lacks "  nothing is run by the page" facts '^handler |^count (script|img)'

# ---- What docs/report.md says

sed -n '/^```sh$/,/^```$/{/^```/!p}' "$TOP/docs/report.md" >commands
check "docs/report.md has commands" test "$(grep -c '^scripts/report' commands)" -eq 3
mkdir docs
ln -s "$TOP/scripts" "$TOP/traces" docs
check "  all of them work" sh -c 'cd docs && PATH=$BUILD:$PATH sh -e ../commands'
printf '%s\n' kbuild-w8-1vcpu.html windows.html page.html >want
same "  they make the pages that are told" want out
"$page" facts docs/page.html >facts
has "  that of tables has all figures but the one over time scales" facts '^count figure 6$'
has "  and says so" facts "^li Speed-up against the guest's time scale: there is one time scale"

# ---- Recordings that are not whole

awk '/^# Step (11|13|22):/ { print "lost 0 unknown" } /^#ledger/ { next } { print }' \
	"$TOP/tests/data/replay-golden.txt" >gaps.txt
check "a recording with gaps can be built" "$SPHT_MKTRACE" -o gaps.spht gaps.txt
check "it can be reported" report --heuristic=window:size=16 -o gaps.html gaps.spht
has "  the loss is told" err 'THE RECORDING LOST EVENTS'
opened "a browser shows it" gaps.html
has "  the loss is the first warning" facts '^warning bad Stop The recording lost events \(3;'
check "  before all others" sh -c 'grep "^warning" facts | head -n 1 | grep -q "lost events"'

head -c 3000000 "$sample" >cut.spht
refused 1 "a recording that is cut off" 'it was cut off.*no page is written' --heuristic=window cut.spht
status 4 "with --partial it is reported, with exit status 4" report --partial --heuristic=window -o cut.html cut.spht
opened "a browser shows it" cut.html
has "  the first warning is that" facts '^warning bad Stop The file was not read to its end'
has "  the verdict, too" facts '^p Do not quote these figures\. '
has "  nothing is drawn of it" facts '^li What each heuristic avoids: the recording was not read to its end'
lacks "  no figure" facts '^count figure'

browse --no-pdf-header-footer --print-to-pdf="$T/real.pdf" "file://$T/real.html" >/dev/null
if command -v pdftotext >/dev/null; then
	check "it can be printed" pdftotext -layout real.pdf printed
	has "  closed parts are open on paper" printed 'exit_hidden_ns'
	check "  on A4" sh -c 'pdfinfo real.pdf | grep -q "A4"'
fi

finish
