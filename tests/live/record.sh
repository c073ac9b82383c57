# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# spht-record against the trace buffers of the running kernel, fed by the small
# VMM: every way in which a recording can end.
# shellcheck source=tests/live/live.sh
. "$(dirname "$0")/live.sh"
live_or_skip "live recordings end as they should"

VMM=$SPHT_VMM
INSTANCES=/sys/kernel/tracing/instances

rec()
{
	"$SPHT_RECORD" -q "$@"
}

# number KEY FILE: of the JSON that --stats=json printed.
number()
{
	python3 -c 'import json, sys
print(json.load(open(sys.argv[2]))[sys.argv[1]])' "$1" "$2"
}

# header FILE: its header and footer, JSON as they are in the file.
header()
{
	python3 -c 'import json, sys
sys.path.insert(0, sys.argv[1])
import format_reader
h, f, _ = format_reader.read_file(open(sys.argv[2], "rb").read())
print(json.dumps({"header": h, "footer": f}, indent=1))' "$TOP/tests" "$1"
}

# books FILE: what was written is what was read and what was lost, on every CPU.
books()
{
	python3 -c 'import json, sys
for c in json.load(open(sys.argv[1]))["cpus"]:
    lost = c["overrun"] + c["dropped"] + c["commit_overrun"]
    assert c["written"] == c["read"] + lost, c' "$1"
}

ours()
{
	ls -d $INSTANCES/spht-"$1" 2>/dev/null
}

# --- the whole way --------------------------------------------------------

check "a command is recorded from its start to its end" \
	rec -o "$T/a.spht" --stats=json --buffer=8M -- "$VMM" sequential 1000
lacks "the command's own output is not in the JSON" "$T/out" '"pattern"'
has "but on stderr" "$T/err" '"pattern"'
cp "$T/out" "$T/stats"
check "its file is whole and its ledger closed" "$SPHT_TRACE" verify "$T/a.spht"
has "verify says so" "$T/out" 'ledger +closed'
check "the books of every CPU close" books "$T/stats"
check "nothing was lost" test "$(number lost "$T/stats")" = 0
check "there are events" test "$(number events "$T/stats")" -gt 1000
check "an import's reader finds the same number of events" \
	sh -c '[ "$("$1" dump --no-header "$2" | wc -l)" = "$3" ]' sh "$SPHT_TRACE" "$T/a.spht" \
	"$(number events "$T/stats")"
status 1 "an existing file is not replaced" rec -o "$T/a.spht" -- true
check "unless --force says so" rec -f -o "$T/a.spht" -- "$VMM" sequential 1000
header "$T/a.spht" >"$T/info"
for key in '"tool": "spht-record' '"profile": "shadow"' '"params"' '"boot_id"' '"tsc_khz"' \
	'"clock_snapshot"' '"event_cost_ns"' '"kvm/kvm_exit"' '"memslots"'; do
	has "the header has $key" "$T/info" "$key"
done

check "stdout can be the file, the command's output goes elsewhere" \
	sh -c '"$1" -q -o - -- "$2" sequential 100 >"$3"' sh "$SPHT_RECORD" "$VMM" "$T/o.spht"
check "and it is whole" "$SPHT_TRACE" verify "$T/o.spht"

# --- limits ---------------------------------------------------------------

check "--duration ends a recording and its command" \
	timeout 20 "$SPHT_RECORD" -q -o "$T/d.spht" --duration=0.7 -- "$VMM" loop 60
check "--size ends a recording" \
	timeout 30 "$SPHT_RECORD" -q -o "$T/s.spht" --size=500K -- "$VMM" loop 60
check "near to what was asked" sh -c '[ "$(stat -c %s "$1")" -lt 3000000 ]' sh "$T/s.spht"
check "the TSC is a clock, too" rec -o "$T/x.spht" --clock=x86-tsc -- "$VMM" loop 1
header "$T/x.spht" >"$T/xh"
check "its time stamps are ns of the monotonic clock" \
	python3 -c 'import json, subprocess, sys
h = json.load(open(sys.argv[3]))["header"]
start = int(h["clock_snapshot"]["mono"], 16)
events = subprocess.run([sys.argv[1], "dump", "--no-header", sys.argv[2]],
    stdout=subprocess.PIPE, text=True).stdout.splitlines()
a, b = int(events[0].split(",")[0]), int(events[-1].split(",")[0])
assert start < a < start + 5e9 and 5e8 < b - a < 5e9, (start, a, b)' \
	"$SPHT_TRACE" "$T/x.spht" "$T/xh"

"$VMM" loop 60 >/dev/null 2>&1 &
vmm=$!
(sleep 1 && kill $vmm) &
check "--vm=PID ends with the VM" timeout 20 "$SPHT_RECORD" -q -o "$T/v.spht" --vm=$vmm
wait
check "its file is whole" "$SPHT_TRACE" verify "$T/v.spht"
status 1 "a process that is gone cannot be recorded" rec -o "$T/g.spht" --vm=$vmm
has "and is named" "$T/err" "--vm=$vmm: there is no such process"

"$VMM" guest 60000 >/dev/null 2>&1 &
vmm=$!
sleep 0.5
check "a VM can be joined late" rec -o "$T/late.spht" --vm=$vmm --duration=0.5
kill $vmm 2>/dev/null
wait
check "that replays" "$SPHT_REPLAY" --heuristic=prefault --csv="$T/late.csv" "$T/late.spht"
has "and says that it knows nothing of these page tables" "$T/out" 'NOT MODELLED: [1-9][0-9]* of'
check "in the table, too" python3 -c 'import csv, sys
r = next(csv.DictReader(open(sys.argv[1])))
assert int(r["unmodelled"]) > 0.9 * int(r["f_base"]) > 0, r' "$T/late.csv"

# --- losses ---------------------------------------------------------------

"$VMM" loop 2 >/dev/null 2>&1 &
status 4 "a buffer of 64 KiB loses events, exit status 4" \
	rec -o "$T/l.spht" --buffer=64K --stats=json -a -- "$VMM" loop 2
cp "$T/out" "$T/stats"
cp "$T/err" "$T/lerr"
wait
has "the losses are loud in spite of -q" "$T/lerr" 'INCOMPLETE'
check "the books of every CPU close all the same" books "$T/stats"
check "events were lost" test "$(number lost "$T/stats")" -gt 0
check "verify finds the file whole, the ledger closed" "$SPHT_TRACE" verify "$T/l.spht"
has "and the gaps" "$T/out" 'losses +[0-9]+ events at [0-9]+ places'
for _ in 1 2; do
	"$VMM" loop 4 >/dev/null 2>&1 &
done
status 4 "two pages of buffer never let the reader catch up" \
	rec -o "$T/tiny.spht" --buffer=8K -a -- "$VMM" loop 3
wait
header "$T/tiny.spht" >"$T/lh"
has "no page is read before an older one all the same" "$T/lh" '"clock_backwards": "0x0"'
check "a recording with losses can be replayed" \
	"$SPHT_REPLAY" --heuristic=none --csv="$T/l.csv" "$T/l.spht"
has "which marks the epochs" "$T/l.csv" 'lost'

# Three turns: losses in the middle one.  Whoever switches off leaves no count.
cat >"$T/pause" <<-'END'
	"$1" loop 1
	echo 0 >"/sys/kernel/tracing/instances/spht-$PPID/tracing_on"
	"$1" loop 2
	echo 1 >"/sys/kernel/tracing/instances/spht-$PPID/tracing_on"
	"$1" loop 2
END
status 4 "buffers that are off for a while are noticed, even if they are on again" \
	rec -o "$T/off.spht" -a -- sh "$T/pause" "$VMM"
"$SPHT_TRACE" dump --no-header "$T/off.spht" >"$T/off.csv"
check "the trace has the hole in the middle" awk -F , '
	/LOST,count=unknown/ && n > 1000 { hole = n } { n++ }
	END { exit !(hole && n - hole > 1000) }' "$T/off.csv"

"$VMM" loop 3 >/dev/null 2>&1 &
vmm=$!
sleep 60 &
quiet=$!
sleep 0.3
status 4 "losses where only other VMs ran" \
	rec -o "$T/quiet.spht" --buffer=64K --vm=$quiet --duration=2
kill $quiet
wait $vmm
header "$T/quiet.spht" >"$T/qh"
"$SPHT_TRACE" dump --no-header "$T/quiet.spht" | grep LOST >"$T/quiet.csv"
check "stand in their place and time" python3 -c 'import json, sys
start = int(json.load(open(sys.argv[1]))["header"]["clock_snapshot"]["mono"], 16)
times = [int(line.split(",")[0]) for line in open(sys.argv[2])]
assert len(times) > 10 and min(times) > start and max(times) - min(times) > 5e8, times[:9]' \
	"$T/qh" "$T/quiet.csv"

overwrite=/sys/kernel/tracing/options/overwrite
check "what others chose for their buffers is not ours" sh -c '
	was=$(cat "$4"); echo 0 >"$4"
	"$1" -q -o "$3" -- sh -c "cat /sys/kernel/tracing/instances/spht-\$PPID/options/overwrite >&2"
	echo "$was" >"$4"' sh "$SPHT_RECORD" "$VMM" "$T/ow.spht" $overwrite
has "losses overwrite the oldest, which leaves a mark" "$T/err" '^1$'

# --- what was asked for ---------------------------------------------------

check "an event that the recorder needs for itself can be asked for" \
	rec -o "$T/task.spht" -e task:task_rename -- sh -c 'exec -a x true || true'
check "a port's accesses can be asked for without the filter of marks" \
	rec -o "$T/pio.spht" -e kvm:kvm_pio -- sh -c \
	'cat "/sys/kernel/tracing/instances/spht-$PPID/events/kvm/kvm_pio/filter" >&2
	"$0" sequential 8 >&2' "$VMM"
has "there is none" "$T/err" '^none$'
status 2 "a port that is not the recorded one is refused" \
	rec -o "$T/port.spht" --set marks.port=0x80 -- true
check "the command has the limit of files that it was given" \
	sh -c 'ulimit -Sn 200; "$1" -q -o "$2" -- sh -c "ulimit -Sn >&2; $3 sequential 8 >&2"' \
	sh "$SPHT_RECORD" "$T/nofile.spht" "$VMM"
has "not ours" "$T/err" '^200$'
status 1 "a thread is no process" sh -c '
	"$2" loop 3 >/dev/null 2>&1 &
	sleep 0.5
	"$1" -q -o "$3" --vm="$(ls "/proc/$!/task" | tail -n 1)" --duration=1; rc=$?
	kill $!; exit $rc' sh "$SPHT_RECORD" "$VMM" "$T/tid.spht"
has "and that is said" "$T/err" 'is a thread; its process is expected'
if unshare -pf --mount-proc true 2>/dev/null; then
	check "in a container" unshare -pf --mount-proc \
		"$SPHT_RECORD" -q -o "$T/ns.spht" -- "$VMM" loop 1
	has "threads cannot be told apart, which is said" "$T/err" \
		"not the host's pid namespace"
	header "$T/ns.spht" >"$T/nh"
	has "and is in the header" "$T/nh" '"vms": "all"'
else
	skip "in a container" "no pid namespace can be made"
fi

# --- bad ends -------------------------------------------------------------

status 1 "a recording without any event is a failure" rec -o "$T/empty.spht" -- false
has "which is said" "$T/err" 'empty\.spht: no event came, nothing was written'
has "and how the command ended" "$T/err" 'false ended with exit status 1'
check "nothing is left" test ! -e "$T/empty.spht" -a ! -e "$T/empty.spht.part"
status 1 "a command that is not there is named" rec -o "$T/n.spht" -- /nonexistent
has "with the reason" "$T/err" '/nonexistent: cannot run: No such file'
check "and no file is made" sh -c '! ls "$1"/n.spht* 2>/dev/null' sh "$T"

"$SPHT_RECORD" -q -o "$T/i.spht" -- "$VMM" loop 60 >/dev/null 2>&1 &
recorder=$!
sleep 1.5
kill -INT $recorder
wait $recorder
check "SIGINT ends a recording cleanly" test $? = 0
check "and its file is whole" "$SPHT_TRACE" verify "$T/i.spht"

status 1 "a name that was taken meanwhile is not replaced" \
	rec -o "$T/taken.spht" -- sh -c '"$1" loop 1; touch "$2"' sh "$VMM" "$T/taken.spht"
has "the recording stays" "$T/err" 'taken\.spht\.part this name: File exists; it is whole and stays'
check "and is whole" "$SPHT_TRACE" verify "$T/taken.spht.part"
ln -s "$T/nothing" "$T/link.spht"
status 1 "a link to nothing is refused before anything is recorded" \
	rec -o "$T/link.spht" -- "$VMM" loop 1
has "by its name" "$T/err" 'link\.spht: is a link to what is not there'

nohup "$SPHT_RECORD" -q -o "$T/hup.spht" --duration=2.5 -- "$VMM" loop 60 >/dev/null 2>&1 &
recorder=$!
sleep 1
kill -HUP $recorder
sleep 0.5
check "nohup keeps a recorder from SIGHUP" kill -0 $recorder
wait $recorder
check "to its end" test $? = 0

mkfifo "$T/fifo"
sleep 60 <"$T/fifo" &
reader=$!
"$SPHT_RECORD" -q -o - --duration=1 -- "$VMM" loop 60 2>"$T/err" >"$T/fifo" &
recorder=$!
sleep 3
check "while nobody reads stdout the instance is gone already" test -z "$(ours $recorder)"
kill -INT $recorder
sleep 0.3
kill -INT $recorder
wait $recorder
check "a second signal ends the wait" test $? = 1
kill $reader
wait $reader 2>/dev/null

if mkdir "$T/small" && unshare -m true 2>/dev/null; then
	status 1 "a full disk ends a recording with exit status 1" unshare -m sh -c '
		mount -t tmpfs -o size=512K none "$3" || exit 99
		"$1" -q -o "$3/f.spht" -- "$2" loop 60; rc=$?
		cp "$3/f.spht.part" "$4"; exit $rc' \
		sh "$SPHT_RECORD" "$VMM" "$T/small" "$T/f.part"
	has "says so" "$T/err" 'No space left on device'
	has "and where to find what there is" "$T/err" 'f\.spht\.part: holds what was recorded'
	status 4 "what was written can be read" "$SPHT_TRACE" info --partial "$T/f.part"
	status 1 "every block of it is whole" "$SPHT_TRACE" verify "$T/f.part"
	has "only the end is missing" "$T/err" 'expected the end of a trace'
	check "tracefs may go away" unshare -m sh -c '
		"$1" -q -o "$3" -- sh -c "umount -l /sys/kernel/tracing; \"$2\" loop 1"' \
		sh "$SPHT_RECORD" "$VMM" "$T/u.spht"
	check "the file is whole all the same" "$SPHT_TRACE" verify "$T/u.spht"
else
	skip "a full disk, tracefs unmounted" "no mount namespace can be made"
fi

# The shell that is recorded is the recorder's child: its parent names the instance.
cat >"$T/meddle" <<-'END'
	"$1" loop 1
	cd "/sys/kernel/tracing/instances/spht-$PPID" || exit 1
	eval "$2"
	"$1" loop 1
END
status 4 "events that somebody switches off are noticed" \
	rec -o "$T/e.spht" -a -- sh "$T/meddle" "$VMM" 'echo 0 >events/kvmmmu/enable'
has "and told" "$T/err" 'somebody switched tracing or an event of our instance off'
status 4 "a buffer that somebody empties is noticed" \
	rec -o "$T/r.spht" -a -- sh "$T/meddle" "$VMM" 'echo >trace'
has "and told" "$T/err" "the kernel's counters went backwards"

if command -v setpriv >/dev/null; then
	chmod 755 "$T"
	status 1 "without privileges nothing is recorded" setpriv --reuid=65534 --clear-groups \
		"$SPHT_RECORD" -q -o /tmp/spht-never.spht -- true
	has "and the file that refuses is named" "$T/err" 'tracing.*(Permission denied|not mounted)'
else
	skip "without privileges nothing is recorded" "no setpriv"
fi

# --- two at once ----------------------------------------------------------

"$SPHT_RECORD" -q -o "$T/p.spht" -- "$VMM" loop 1 >/dev/null 2>&1 &
recorder=$!
check "two recorders run at once" rec -o "$T/q.spht" -- "$VMM" loop 1
wait $recorder
check "both without fault" test $? = 0
for f in p q; do
	check "the file of each is whole" "$SPHT_TRACE" verify "$T/$f.spht"
done
header "$T/p.spht" >"$T/ph"
header "$T/q.spht" >"$T/qh"
check "each has the events of its own VM alone" python3 -c 'import json, sys
for f in sys.argv[1:]:
    footer = json.load(open(f))["footer"]
    vcpus = [t for v in footer["vms"] for t in v["vcpus"]]
    assert len(footer["vms"]) == 1 and len(vcpus) == 1, footer["vms"]
    assert int([s["count"] for s in footer["skipped"]][0]) > 0' "$T/ph" "$T/qh"

# --- kill -9 --------------------------------------------------------------

"$VMM" loop 60 >/dev/null 2>&1 &
vmm=$!
times='1.1 1.7 2.3'
for t in $times; do
	rm -f "$T"/k.spht*
	"$SPHT_RECORD" -q -o "$T/k.spht" --vm=$vmm >/dev/null 2>&1 &
	recorder=$!
	sleep "$t"
	cut -d ' ' -f 1 /proc/uptime >"$T/killed_at"
	kill -9 $recorder
	wait $recorder 2>/dev/null
	status 1 "after kill -9 verify says that the end is missing" \
		"$SPHT_TRACE" verify "$T/k.spht.part"
	has "and what is there" "$T/out" 'NOT WHOLE; with --partial can be read'
	check "at most about a second is missing" sh -c '
		"$1" dump --partial --no-header "$2" 2>/dev/null | tail -n 1 | cut -d , -f 1 |
		awk -v up="$3" "{ exit !(up - \$1 / 1e9 < 1.2) }"' \
		sh "$SPHT_TRACE" "$T/k.spht.part" "$(cat "$T/killed_at")"
done
check "a killed recorder leaves its instance" test -d "$(ours $recorder)"
check "the next start" rec -f -o "$T/z.spht" --vm=$vmm --duration=0.3
check "removes it" test -z "$(ours $recorder)"
kill $vmm
wait

finish
