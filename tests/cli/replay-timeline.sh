#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay --timeline: a trace whose slices, arrows and sums are the run's own.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

for name in golden 2vcpu pvm; do
	check "mktrace builds $name.spht" "$SPHT_MKTRACE" -o $name.spht "$TOP/tests/data/replay-$name.txt"
done
recordings="golden 2vcpu"
exits=6000
[ -z "$SPHT_SANITIZED" ] || exits=1500
for name in w1-1vcpu w8-2vcpu; do
	sample=$TOP/traces/samples/kbuild-$name.spht
	if [ -e "$sample" ]; then
		check "a part of kbuild-$name can be cut" "$SPHT_TRACE" cut --exits=$exits "$sample" -o $name.spht
		recordings="$recordings $name"
	else
		skip "a part of kbuild-$name can be cut" "traces/samples has none"
	fi
done

# whole SENTENCE NAME OPTION...: the timeline of all of NAME.spht is sound, and agrees with the table.
whole()
{
	whole_what=$1
	whole_name=$2
	shift 2
	rm -f t.json t.csv plain.csv
	check "$whole_name.spht gives a timeline with $*" "$SPHT_REPLAY" --quiet "$@" --csv=t.csv \
		--timeline=t.json --timeline-window=.. "$whole_name.spht" || return 1
	check "  $whole_what" "$TOP/tests/tools/timeline.py" t.json t.csv
	"$SPHT_REPLAY" --quiet "$@" --csv=plain.csv "$whole_name.spht"
	same "  and the table is the same without it" plain.csv t.csv
}
what="whose slices nest, whose arrows have both ends, and whose sums are the table's"
for name in $recordings; do
	for heuristic in none window prefault oracle; do
		whole "$what" $name --heuristic=$heuristic
	done
done
for name in ${recordings#golden }; do
	whole "$what" "$name" --heuristic=window --helpers=3 --guest-time-scale=0.1
	whole "$what" "$name" --heuristic=hybrid --helpers=vcpu --knowledge=optimistic --legality=present
done
if [ -e w1-1vcpu.spht ]; then
	check "a later part of it, too" "$SPHT_TRACE" cut --from=40 --to=42 \
		"$TOP/traces/samples/kbuild-w1-1vcpu.spht" -o later.spht
	whole "$what" later --heuristic=window --kvm=2.6.32
	has "  in which the hardware reflects faults" t.json '"name":"reflected"'
fi

# A helper that keeps mmu_lock, with a short queue.
sed -E -e 's/("helper_batch": \{"value": )1,/\18,/' -e 's/("queue_limit": \{"value": )256,/\18,/' \
	"$TOP/replay/costs/default.json" >batch.json
check "the profile for this test is another one" sh -c '! cmp -s batch.json "$1"' - "$TOP/replay/costs/default.json"
for name in ${recordings#golden }; do
	whole "$what" "$name" --heuristic=window --costs=batch.json
done

# What is in it.
last=${recordings##* }
check "a timeline of $last.spht" "$SPHT_REPLAY" --heuristic=window --helpers=2 --timeline=a.json \
	--timeline-window=.. "$last.spht"
has "  the report tells of it" out '^ +timeline +a\.json: [0-9]+ exits from 0\.000000 s on, [0-9]+ builds,'
for want in '"name":"vCPU 0"' '"name":"helper 1"' '"name":"held by"' '"name":"guest \(virtual time\)"' \
	'"cat":"exit","name":"hidden","args":\{"recorded_s":[0-9]+\.[0-9]{9},"class":"hidden","gva":"0x[0-9a-f]+","table_gfn":"0x[0-9a-f]+","index":[0-9]+,"error_code":"0x[0-9a-f]+","rip":"0x[0-9a-f]+","outcome":"remains"' \
	'"cat":"avoided","name":"avoided direct"' '"cat":"avoided","name":"avoided side"' \
	'"cat":"helper","name":"look"' '"cat":"helper","name":"build"' '"cat":"helper","name":"install"' \
	'"ph":"C".*"name":"requests queued"' '"ph":"C".*"name":"entries built and unused"' \
	'"ph":"s"' '"ph":"t"' '"ph":"f"' '"time":"ts and dur are virtual time' '"cut":null'; do
	has "  it has $want" a.json "$want"
done
if [ "$last" = w8-2vcpu ]; then
	has "  somebody waits for mmu_lock" a.json '"name":"wait for mmu_lock"'
	# It comes up some thousand exits after the first.
	[ -n "$SPHT_SANITIZED" ] || has "  the second vCPU has its track" a.json '"name":"vCPU 1"'
fi

# It does not depend on anything else.
check "another run with more threads and JSON" "$SPHT_REPLAY" --heuristic=window --helpers=2 --timeline=b.json \
	--timeline-window=.. -j 3 --json=b.rows --quiet "$last.spht"
same "  gives the same timeline, byte for byte" a.json b.json
check "one on stdout" sh -c '"$1" --heuristic=window --helpers=2 --timeline=- --timeline-window=.. "$2" >c.json' - \
	"$SPHT_REPLAY" "$last.spht"
same "  is the same, and alone there" a.json c.json

# exits.py TIMELINE DUMP: page faults that the recording does not have so; then how many there are,
# and how many of them in the upper half.
cat >exits.py <<'END'
import json, re, sys
recorded, first, n, upper = set(), None, 0, 0
for line in open(sys.argv[2]):
    ts = re.match(r"\d+", line)
    first = first or (ts and int(ts[0]))
    m = re.search(r",kvm_exit,exit_reason=0x4e guest_rip=(\S+) \S+ info1=(\S+) info2=(\S+) ", line)
    if m:
        rip, error, gva = (int(x, 16) for x in m.groups())
        recorded.add((int(ts[0]) - first, rip, error, gva & ~0xfff))
for line in open(sys.argv[1]):
    m = re.search(r'"recorded_s":(\d+)\.(\d{9}).*"gva":', line)
    if m:
        args = json.loads(line.rstrip().rstrip(","))["args"]
        told = tuple(int(args[k], 16) for k in ("rip", "error_code", "gva"))
        n, upper = n + 1, upper + (told[2] >> 63)
        if (int(m[1] + m[2]), *told) not in recorded:
            print("not recorded:", line.rstrip())
print(n, "page faults,", upper, "in the upper half")
END
"$SPHT_TRACE" dump "$last.spht" >dump.csv
check "its page faults can be looked up" python3 exits.py a.json dump.csv
cp out said
lacks "  all have the address, the error code and the instruction that were recorded" said '^not recorded'
has "  of many" said '^[0-9]{2,} page faults'
[ "$last" = 2vcpu ] || has "  the kernel's, too" said ' [0-9]{3,} in the upper half$'
"$SPHT_REPLAY" --quiet --heuristic=none --timeline=frames.json --timeline-window=.. golden.spht
check "what a shadow page without a table of the guest maps has the frame that KVM mapped" sh -c '
	grep -q "\"gva\":\"0x420000\",\"gfn\":\"0x2020\",\"index\":32," frames.json &&
	"$1" dump golden.spht | grep -q "kvm_mmu_set_spte,gfn=0x2020 "' - "$SPHT_TRACE"

# Windows.  seconds FILE: recorded_s of its exits, one a line.
seconds()
{
	grep -oE '"recorded_s":[0-9.]+' "$1" | cut -d: -f2
}
seconds a.json >all
middle=$(sed -n "$(($(wc -l <all) / 2))p" all)
check "a window that begins in the middle" "$SPHT_REPLAY" --heuristic=window --helpers=2 --timeline=late.json \
	--timeline-window="$middle.." --quiet "$last.spht"
check "one that ends there" "$SPHT_REPLAY" --heuristic=window --helpers=2 --timeline=early.json \
	--timeline-window="..$middle" --quiet "$last.spht"
awk -v at="$middle" '$1 + 0 >= at + 0' all >want
seconds late.json >got
same "  the one has the exits from there on" want got
awk -v at="$middle" '$1 + 0 < at + 0' all >want
seconds early.json >got
same "  the other those before" want got
for part in late early; do
	check "  the $part one is sound" "$TOP/tests/tools/timeline.py" $part.json
done
# sums FILE...: how often each thing was noted, and how many requests there were, in all of them.
cat >sums.py <<'END'
import collections, json, sys
total = collections.Counter()
for name in sys.argv[1:]:
    for e in json.load(open(name))["traceEvents"]:
        if e["ph"] == "i":
            total[e["name"]] += e["args"]["n"]
        elif e["ph"] == "X":
            total["requests"] += e.get("args", {}).get("requests", 0)
for name, n in sorted(total.items()):
    print(name, n)
END
for part in whole:.. late:"$middle.." early:"..$middle"; do
	check "the ${part%%:*} timeline of a short queue" "$SPHT_REPLAY" --heuristic=hybrid --helpers=2 \
		--costs=batch.json --timeline="${part%%:*}.json" --timeline-window="${part#*:}" --quiet "$last.spht"
done
python3 sums.py whole.json >want
python3 sums.py early.json late.json >got
same "  what is noted, and what is asked for, is noted in one of both parts" want got
[ "$last" = 2vcpu ] || has "  that the queue is full, too" want '^queue full [0-9]{2,}$'
sample=$TOP/traces/samples/kbuild-w8-1vcpu.spht
if [ ! -e "$sample" ] || [ -n "$SPHT_SANITIZED" ]; then
	skip "a timeline is cut" "traces/samples has none, or a sanitizer is slow"
else
	check "without a window" "$SPHT_REPLAY" --heuristic=window --warmup=70 --timeline=d.json "$sample"
	check "  a timeline is sound" "$TOP/tests/tools/timeline.py" d.json
	seconds d.json | awk '$1 < 70 || $1 >= 71' >bad
	check "  it is a second from where counting begins" cmp bad /dev/null
	check "one that is too long succeeds" "$SPHT_REPLAY" --heuristic=window --timeline=big.json \
		--timeline-window=.. "$sample"
	has "  that it is cut is said" err '^spht-replay: big\.json: THE TIMELINE IS CUT at [0-9.]+ s of the recording: 1000000 events are all'
	has "  the report says so, too" out 'of virtual time; CUT$'
	head -n 40 big.json >first
	has "  and the trace" first '"cut":"after 1000000 events'
	has "  where one sees it" first '"name":"process_labels","args":\{"labels":"CUT at [0-9.]+ s'
	tail -c 4 big.json >last
	printf '\n]}\n' >want
	same "  which is whole" want last
	rm big.json
fi

# Refusals.
# refuse N SENTENCE PATTERN OPTION...: fails with status N, says it, and leaves nothing.
refuse()
{
	refuse_n=$1
	refuse_what=$2
	refuse_pattern=$3
	shift 3
	rm -f no.json
	status "$refuse_n" "$refuse_what is refused" "$SPHT_REPLAY" --timeline=no.json "$@"
	has "  it says why" err "^spht-replay: $refuse_pattern"
	check "  and leaves no file" sh -c '! ls no.json* 2>/dev/null'
}
one="--timeline shows one run: not with"
refuse 2 "a timeline of two heuristics" "$one several heuristics" --heuristic=window --heuristic=stride golden.spht
refuse 2 "one of two configurations" "$one several heuristics" '--heuristic=window:size=8|16' golden.spht
refuse 2 "one of two recordings" "$one several recordings" --heuristic=window golden.spht 2vcpu.spht
refuse 2 "one of two scales" "$one several factors" --heuristic=window --guest-time-scale=1,2 golden.spht
refuse 2 "one by fewer rules" "$one --rules but all" --heuristic=window --rules=lifetime golden.spht
refuse 2 "one on the real clock" "$one --clock=real" --heuristic=window --clock=real golden.spht
refuse 1 "one without kvm_exit" 'pvm\.spht: --timeline: without kvm_exit and kvm_entry' --heuristic=window pvm.spht
refuse 1 "a window after the end" 'golden\.spht: --timeline-window begins at 1000\.0* s, and the recording ends' \
	--heuristic=window --timeline-window=1000.. golden.spht
"$SPHT_REPLAY" --heuristic=none --quiet --timeline=g.json --timeline-window=.. golden.spht
second=$(seconds g.json | sort -n | sed -n 2p)
refuse 1 "a window without an exit" 'golden\.spht: no exit of this recording is in the timeline.s window' \
	--heuristic=window --timeline-window="0.000000001..$second" golden.spht
for window in '' 1 1..1 2..1 -1..2 1..1e3 nan..3 0x1..2 1...2 1..2..3 ..0 ' 1..2' 99999999999.. \
	1.0000000000000000000000000000000000000..2; do
	refuse 2 "--timeline-window='$window'" "--timeline-window=$window: expected FROM\\.\\.TO in seconds" \
		--heuristic=window --timeline-window="$window" golden.spht
done
status 2 "a window without a timeline is refused" "$SPHT_REPLAY" --heuristic=none --timeline-window=.. golden.spht
has "  it says why" err '--timeline-window needs --timeline=FILE'
refuse 2 "a timeline on its own table" '--timeline and --csv|--csv and --timeline' --csv=no.json --heuristic=none \
	golden.spht
cp golden.spht own.spht
status 2 "a timeline does not replace its recording" "$SPHT_REPLAY" --heuristic=none --timeline=own.spht own.spht
same "  which is as it was" golden.spht own.spht

# Disks.
status 1 "a full disk is no success" "$SPHT_REPLAY" --heuristic=none --timeline=/dev/full golden.spht
has "  it says so" err '^spht-replay: /dev/full: cannot be written'
status 1 "a disk that fills up is none either" sh -c 'ulimit -f 1; shift; exec "$@"' - - "$SPHT_REPLAY" \
	--heuristic=window --quiet --timeline=full.json --timeline-window=.. "$last.spht"
has "  it says so" err '^spht-replay: full\.json: cannot be written'
check "  no part of a timeline stays" sh -c '! ls full.json* 2>/dev/null'
status 1 "a folder that is not there is told" "$SPHT_REPLAY" --heuristic=none --timeline=no/t.json golden.spht
has "  by its name" err '^spht-replay: no/t\.json: cannot be created'

finish
