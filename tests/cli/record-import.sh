#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-record --import: every kind of trace.dat comes out as the events that
# libtracecmd sees, what is missing is said, and whatever the input does to
# libtracecmd, nothing half-made is left behind.
# shellcheck disable=SC2016 # words for another shell
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

if [ ! -x "$SPHT_RECORD" ]; then
	skip "trace.dat files are imported" "spht-record is not built here"
	finish
fi

DATA=$TOP/tests/data
MK=$TOP/tests/tools/mktracedat.py
COMPARE=$TOP/scripts/compare-tracedat
# The child's stderr is closed; what a sanitizer finds in it goes to files.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$T/sanitizer
UBSAN_OPTIONS=${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}log_path=$T/sanitizer
export ASAN_OPTIONS UBSAN_OPTIONS

W=$T/work
mkdir "$W" || exit 1
cd "$W" || exit 1

synth()
{
	"$MK" synth "$@"
}

# The folder holds nothing but what is named.
only()
{
	ls -A >"$T/left"
	printf '%s\n' "$@" | LC_ALL=C sort >"$T/named"
	cmp -s "$T/left" "$T/named" || {
		echo "in the folder:" && cat "$T/left"
		return 1
	}
}

# refused SENTENCE REGEX FILE [OPTION...]: exit status 1, one line that matches, no file.
refused()
{
	what=$1
	why=$2
	file=$3
	shift 3
	status 1 "$what" "$SPHT_RECORD" --import="$file" -o out.spht "$@" || return
	cp "$T/err" "$T/message"
	has "... with its reason" "$T/message" "$why"
	check "... in one line" test "$(wc -l <"$T/message")" -eq 1
	check "... and leaves nothing behind" test ! -e out.spht -a ! -e out.spht.part
}

#
# The same events from every kind of file.
#
for kind in v7 v7-zstd v6 v7-instance v7-zstd-instance v6-instance; do
	xz -dkc "$DATA/kbuild-$kind.dat.xz" >"$kind.dat"
	check "a trace.dat $kind is imported" "$SPHT_RECORD" --import="$kind.dat" -o "$kind.spht"
	has "... with a word on how many events" "$T/err" "$kind.spht: 11074 events in 0.2 s"
	check "... and is equal to it in every event and field" \
		"$COMPARE" "$kind.dat" "$kind.spht"
	has "... of which there are as many" "$T/out" '^11074 events, all fields the same$'
	check "... and is a whole trace" "$SPHT_TRACE" verify "$kind.spht"
	"$SPHT_TRACE" dump "$kind.spht" >"$kind.csv"
	same "... with the same events as the others" "$kind.csv" v7.csv
done
check "info shows where it comes from" "$SPHT_TRACE" info v7-zstd.spht
has "... its origin" "$T/out" 'origin .*v7-zstd\.dat'
has "... its format" "$T/out" 'trace\.dat v7 zstd'
has "... and its hash" "$T/out" "$(sha256sum v7-zstd.dat | cut -c 1-64)"

check "the same file gives the same bytes" "$SPHT_RECORD" -q --import=v7.dat -o again.spht
same "... indeed" v7.spht again.spht
check "stdin can be imported" sh -c '"$1" -q --import=- -o stdin.spht <v6.dat' - "$SPHT_RECORD"
check "... from a pipe as well" sh -c 'cat v6.dat | "$1" -q --import=- -o pipe.spht' - "$SPHT_RECORD"
"$SPHT_TRACE" dump pipe.spht >pipe.csv
same "... with the same events" pipe.csv v7.csv
check "a trace can go to stdout" sh -c '"$1" -q --import=v7.dat -o - >stdout.spht' - "$SPHT_RECORD"
same "... with the same bytes" v7.spht stdout.spht
check "... and no temporary file is left" sh -c '! ls "${TMPDIR:-/tmp}"/spht-record.* 2>/dev/null'
rm -f ./*

#
# What is in the file, from a synthetic one whose content is known.
#
synth a.dat
check "a synthetic trace.dat is imported" \
	"$SPHT_RECORD" --import=a.dat -o a.spht --set guest.vcpus=2 --set clock_real=false \
	--set 'host.cpu_model=EPYC 7702' --set host.kernel=6.12 --set note=synthetic
has "... with a word on what is skipped" "$T/err" '2 events of other systems skipped'
has "... and that nothing is lost" "$T/err" 'nothing lost, the books of all CPUs close'
cat >"$T/want" <<'END'
ts,cpu,pid,flags,preempt,preamble,system,event,fields
1000000,0,77,1,2,0,kvm,kvm_exit,exit_reason=0x4e guest_rip=0xffffffff81000000 isa=0x2 info1=0xc000000000000000
1000010,1,77,1,2,0,kvm,kvm_exit,exit_reason=0x4e guest_rip=0xffffffff81000000 isa=0x2 info1=0xc000000000000000
1000100,0,-1,128,255,0,kvm,kvm_of_tomorrow,small=-2 yes=0x1 large=-9223372036854775808 bytes=0102030405060708090a0b
1000110,1,-1,128,255,0,kvm,kvm_of_tomorrow,small=-2 yes=0x1 large=-9223372036854775808 bytes=0102030405060708090a0b
1000200,0,2147483647,0,0,0,kvmmmu,kvm_mmu_paging_element,pte=0x8000000000000867 level=0x4
1000210,1,2147483647,0,0,0,kvmmmu,kvm_mmu_paging_element,pte=0x8000000000000867 level=0x4
END
check "dump succeeds" "$SPHT_TRACE" dump a.spht
same "every value is the recorded one" "$T/out" "$T/want"

# The first frame of a .spht file: 8 bytes, magic, version, length, CRC, JSON.
header()
{
	python3 - "$1" <<'END'
import json, struct, sys
d = open(sys.argv[1], "rb").read()
n = struct.unpack_from("<I", d, 20)[0]
json.dump(json.loads(d[28:28 + n]), sys.stdout, indent=1, sort_keys=True)
END
}
check "the header is JSON" header a.spht
cp "$T/out" "$T/header"
in_header()
{
	python3 - "$T/header" "$1" <<'END'
import json, sys
h = json.load(open(sys.argv[1]))
sys.exit(not eval(sys.argv[2], {}, {"h": h}))
END
}
check "the kernel is what --set says" in_header "h['host']['kernel'] == '6.12'"
check "the machine is what the file says" in_header "h['host']['machine'] == 'x86_64'"
check "the name of the host stays out" in_header "'host.example' not in str(h)"
check "the CPU is what --set says" in_header "h['host']['cpu_model'] == 'EPYC 7702'"
check "the guest is there" in_header "h['guest'] == {'vcpus': 2}"
check "the clock is there" in_header "h['clock'] == 'mono' and h['clock_real'] is False"
check "the note is there" in_header "h['note'] == 'synthetic'"
check "the recorder is there" in_header \
	"h['recorder']['tool'] == 'trace-cmd 3.1.6' and h['recorder']['trace_id'] == '0x1234'"
check "the text of a format is there, verbatim" in_header \
	"h['formats']['kvm/kvm_of_tomorrow'].startswith('name: kvm_of_tomorrow\nID: 1002\nformat:\n')"
check "only KVM's formats are" in_header "len(h['formats']) == 3"
check "fields that cannot be stored are named" in_header \
	"h['not_stored'] == {'kvm/kvm_of_tomorrow': ['name', 'big']}"
check "what is missing is named" in_header "'memslots' in h['missing']"
check "what --set tells is not missing" in_header \
	"not {'cpu model', 'guest description'} & set(h['missing'])"
check "the origin has its size and hash" in_header \
	"h['origin']['sha256'] == '$(sha256sum a.dat | cut -c 1-64)' and \
	h['origin']['size'] == $(wc -c <a.dat) and h['origin']['file'] == 'a.dat'"
# The last frame: 8 bytes, JSON size, 0, number of blocks, JSON; its offset stands in the trailer.
footer()
{
	python3 - "$1" <<'END'
import json, struct, sys
d = open(sys.argv[1], "rb").read()
at = struct.unpack_from("<Q", d, len(d) - 24)[0]
n = struct.unpack_from("<I", d, at + 8)[0]
json.dump(json.loads(d[at + 24:at + 24 + n]), sys.stdout)
END
}
check "the footer is JSON" footer a.spht
has "... and says what was skipped" "$T/out" \
	'"skipped": \[\{"count": 2, "event": "sched_switch", "system": "sched"\}\]'
rm -f ./*

synth many.dat cpus=64 rounds=30 pages=7
check "64 CPUs are imported" "$SPHT_RECORD" --import=many.dat -o many.spht
check "... all their events" "$COMPARE" many.dat many.spht
has "... each of them" "$T/out" "^$((64 * 30 * 3)) events"
synth inst.dat cpus=3 rounds=9 pages=2 instance=1
check "statistics of an instance are told from those of the top buffer" \
	"$SPHT_RECORD" --import=inst.dat -o inst.spht
has "... so that the books close" "$T/err" 'books of all CPUs close'
check "... and all events are there" "$COMPARE" inst.dat inst.spht
synth late.dat option=1:30783130303000
check "an option DATE is imported" "$SPHT_RECORD" --import=late.dat -o late.spht
check "... and shifts the time as libtracecmd does" "$COMPARE" late.dat late.spht
synth tsc.dat clock=x86-tsc
check "a clock that does not count ns is imported" "$SPHT_RECORD" --import=tsc.dat -o tsc.spht
has "... with a note" "$T/err" 'x86-tsc does not count nanoseconds'
rm -f ./*

#
# Losses are loud.
#
synth lost.dat lost=1:7 pages=3 rounds=9
status 4 "marked losses give exit status 4" "$SPHT_RECORD" -q --import=lost.dat -o lost.spht
has "... a loud word" "$T/err" 'INCOMPLETE'
has "... and their number" "$T/err" '1 gaps are marked, 0 of unknown size, the others 7 events'
check "... in a whole trace" "$SPHT_TRACE" dump --event=LOST lost.spht
has "... that has the marker" "$T/out" ',1,0,0,0,0,spht,LOST,count=0x7$'
check "... and all other events" "$COMPARE" lost.dat lost.spht
synth lost.dat lost=0:? pages=2 rounds=4
status 4 "a loss of unknown size gives exit status 4" \
	"$SPHT_RECORD" -f --import=lost.dat -o lost.spht
check "... and a marker" "$SPHT_TRACE" dump --event=LOST lost.spht
has "... that says so" "$T/out" ',0,0,0,0,0,spht,LOST,count=unknown$'
synth over.dat overrun=12
status 4 "an overrun in the statistics gives exit status 4" \
	"$SPHT_RECORD" -q --import=over.dat -o over.spht
has "... with its number and a remedy" "$T/err" 'CPU 0: 12 events lost.*overrun 12.*-b KIB'
synth unread.dat unread=5
status 4 "fewer events than the statistics say give exit status 4" \
	"$SPHT_RECORD" -q --import=unread.dat -o unread.spht
has "... with their number" "$T/err" 'CPU 0: 5 of 9 events are not in the file'
synth empty.dat damage=emptypage pages=3 rounds=6 stats=0
status 4 "a page without events and without statistics gives exit status 4" \
	"$SPHT_RECORD" -q --import=empty.dat -o empty.spht
has "... with a word on it" "$T/err" 'CPU 0: 1 pages in which no event could be found'
synth nostats.dat stats=0
check "a file without statistics is imported" "$SPHT_RECORD" --import=nostats.dat -o n.spht
has "... with a note" "$T/err" 'note: no statistics of the ring buffers'
rm -f ./*

#
# Bad input.
#
: >empty.dat
mkdir dir.dat
printf 'PERFILE2........................' >perf.data
synth sound.dat rounds=20 pages=2
gzip -k sound.dat
xz -k sound.dat
head -c 3000 /dev/urandom >random.dat
refused "a missing file is refused" 'none\.dat: cannot open: No such file' none.dat
refused "an empty file is refused" 'empty\.dat: is empty' empty.dat
refused "a directory is refused" 'dir\.dat: is a directory' dir.dat
refused "a perf.data file that is none is refused" 'perf\.data: damaged or unsupported perf\.data: offset 0x8' perf.data
refused "a .gz file is refused by name" 'gz: is compressed with gzip.*gzip -d' sound.dat.gz
refused "a .xz file is refused by name" 'xz: is compressed with xz.*xz -d' sound.dat.xz
refused "random bytes are refused" 'random\.dat: is not a trace\.dat and not a perf\.data' random.dat
"$SPHT_RECORD" -q --import=sound.dat -o sound.spht
refused "a .spht file is refused by name" 'sound\.spht: is a \.spht trace already' sound.spht
rm -rf ./*

synth x.dat version=8
refused "a future version is refused" 'version "8"; versions 6 and 7' x.dat
synth x.dat compression=zlib
refused "an unknown compression is refused" 'compressed with zlib; trace-cmd convert' x.dat
synth x.dat endian=1
refused "a big-endian file is refused" 'big-endian' x.dat
synth x.dat option=12:00000000000000000000000000000000
refused "the guest's half of a recording is refused" "import the host's file" x.dat
synth x.dat systems=sched
refused "a file without KVM events is refused" 'no events of the systems kvm and kvmmmu' x.dat
synth x.dat page_size=1000
refused "a page size that is none is refused" 'pages of 1000 bytes' x.dat
synth x.dat damage=loop
refused "options in a circle are refused" 'offset 0x[0-9a-f]*: options lead in a circle' x.dat
synth x.dat damage=overlap
refused "CPUs that share data are refused" 'the data of CPU 0 and CPU 1 overlap' x.dat
synth x.dat damage=cpu
refused "a CPU number without a CPU is refused" 'data of CPU 4000000000, with 2 CPUs' x.dat
synth x.dat damage=twice
refused "a CPU that is there twice is refused" 'CPU 0 is there twice' x.dat
synth x.dat damage=where
refused "data beyond the end is refused" 'the data of CPU 1 ends beyond the end' x.dat
synth x.dat damage=notpages
refused "half a page is refused" 'not whole pages' x.dat
synth x.dat damage=backwards pages=2 rounds=4
refused "time that runs backwards is refused" 'CPU 0 time runs backwards' x.dat
synth x.dat damage=short
refused "an event shorter than its format is refused" 'shorter than its format' x.dat
if ldd "$SPHT_RECORD" 2>/dev/null | grep -q libasan; then
	skip "symbols that unpack to 2 GB are refused" "AddressSanitizer knows no memory limit"
else
	synth x.dat damage=bomb compression=zstd
	refused "symbols that unpack to 2 GB are refused" 'libtracecmd failed .out of memory.' x.dat
fi
rm -f ./*

# hostile NAME FILE: whatever it holds, the program ends by itself with a status of its own.
hostile()
{
	"$SPHT_RECORD" -q --import="$2" -o h.spht -f >"$T/h.out" 2>"$T/h.err"
	rc=$?
	case $rc in
	0 | 4) "$SPHT_TRACE" dump h.spht >"$T/h.csv" 2>&1 || echo "$1: dump fails" ;;
	1)
		[ ! -e h.spht ] || echo "$1: h.spht is left"
		[ "$(wc -l <"$T/h.err")" -eq 1 ] || echo "$1: not one line"
		;;
	*) echo "$1: exit status $rc" ;;
	esac
	[ ! -e h.spht.part ] || echo "$1: h.spht.part is left"
	rm -f h.spht h.spht.part
	echo "$rc" >>"$T/statuses"
}

# Damage of one kind, spread evenly; the same files in every run.
damage()
{
	python3 - "$@" <<'END'
import random, sys
kind, name, nr = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = open(name, "rb").read()
limit = min(len(data), int(sys.argv[4]))
rng = random.Random(kind + name)
for i in range(nr):
    d = bytearray(data)
    at = rng.randrange(limit)
    if kind == "cut":
        d = d[:limit * i // nr]
    elif kind == "flip":
        d[at] ^= 1 << rng.randrange(8)
    elif kind == "ones":
        d[at:at + 8] = b"\xff" * len(d[at:at + 8])
    elif kind == "magic":
        d = d[:rng.randrange(10, 60)] + bytes(rng.randrange(256) for _ in range(500))
    open("h%03d.dat" % i, "wb").write(d)
END
}

# Only the heads of the plain ones: behind them come blank symbols and pages.
synth s.dat cpus=3 rounds=30 pages=3 instance=1
xz -dkc "$DATA/kbuild-v7-zstd.dat.xz" >z.dat
xz -dkc "$DATA/kbuild-v6-instance.dat.xz" >6.dat
for kind in cut flip ones magic; do
	: >"$T/bad"
	for file in s z 6; do
		damage $kind $file.dat 40 38000
		for h in h[0-9]*.dat; do
			hostile "$kind $file $h" "$h" >>"$T/bad"
		done
		rm -f h*.dat
	done
	check "120 trace.dat files with damage ($kind) harm nobody" sh -c 'cat "$1"; test ! -s "$1"' - "$T/bad"
done
check "some of that damage was noticed" grep -q 1 "$T/statuses"

# A file that is cut anywhere never looks whole.
: >"$T/statuses"
: >"$T/bad"
for file in s z 6; do
	damage cut $file.dat 25 100000000
	for h in h[0-9]*.dat; do
		hostile "cut $file $h" "$h" >>"$T/bad"
	done
	rm -f h*.dat
done
check "75 cut trace.dat files harm nobody" sh -c 'cat "$1"; test ! -s "$1"' - "$T/bad"
lacks "none of them was taken for whole" "$T/statuses" '^0$'
rm -f ./*
# libtracecmd may do what it wants; but the first frame of a report must not be ours.
cat "$T"/sanitizer* >"$T/reports" 2>/dev/null
lacks "no sanitizer found anything in our own code" "$T/reports" \
	'^ *#0 .*(collector|traces)/|(collector|traces)/[^ ]*: runtime error'

#
# Where the trace goes.
#
synth a.dat
echo precious >out.spht
status 1 "an existing file is not replaced" "$SPHT_RECORD" --import=a.dat -o out.spht
has "... and --force is recommended" "$T/err" 'out\.spht: exists; --force'
check "... and is as it was" grep -q precious out.spht
printf 'PERFILE2' >bad.dat
status 1 "an import that fails with --force" "$SPHT_RECORD" -f --import=bad.dat -o out.spht
check "... leaves the old file as it was" grep -q precious out.spht
check "--force replaces it" "$SPHT_RECORD" -q -f --import=a.dat -o out.spht
check "... by a whole trace" "$SPHT_TRACE" verify out.spht
status 1 "the input is never the output" "$SPHT_RECORD" -f --import=a.dat -o ./a.dat
check "... and is as it was" test "$(wc -c <a.dat)" -gt 8192
status 1 "a device is not replaced" "$SPHT_RECORD" -f --import=a.dat -o /dev/null
check "... it is still there" test -c /dev/null
status 1 "a folder that does not exist is named" "$SPHT_RECORD" --import=a.dat -o no/out.spht
has "... with the reason" "$T/err" 'no/out\.spht.*No such file'
: >new.spht.part
status 1 "the half of another import is not touched" "$SPHT_RECORD" --import=a.dat -o new.spht
has "... but named" "$T/err" 'new\.spht\.part: exists'
check "... unless --force is given" "$SPHT_RECORD" -q -f --import=a.dat -o new.spht
check "... and then it is gone" test -e new.spht -a ! -e new.spht.part
rm -f ./*

xz -dkc "$DATA/kbuild-v7-zstd.dat.xz" >z.dat
if [ -c /dev/full ]; then
	status 1 "a full disk behind stdout is noticed" \
		sh -c '"$1" --import=z.dat -o - >/dev/full' - "$SPHT_RECORD"
	has "... and named" "$T/err" 'cannot write to stdout: No space left'
fi
# A limit on the size of files is as good as a full disk.
status 1 "a full disk is noticed" \
	sh -c 'trap "" XFSZ; ulimit -f 40; "$1" --import=z.dat -o out.spht' - "$SPHT_RECORD"
has "... and named" "$T/err" 'out\.spht.*File too large'
check "... and leaves no file" only z.dat

# A reader that does not read stops the writer, which then gets a signal.
mkfifo pipe
sh -c 'exec sleep 20 <pipe' &
sleeper=$!
"$SPHT_RECORD" --import=z.dat -o - >pipe 2>err &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
rc=$?
kill $sleeper 2>/dev/null
check "SIGTERM ends it with 128 + 15" test $rc -eq 143
has "... with a word" err 'interrupted'
check "... and no temporary file is left" sh -c '! ls "${TMPDIR:-/tmp}"/spht-record.* 2>/dev/null'
rm -f pipe err

mkfifo pipe
sh -c 'exec sleep 20 >pipe' &
sleeper=$!
# A shell without job control has its background processes ignore SIGINT.
python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$SPHT_RECORD" --import=pipe -o out.spht 2>err &
pid=$!
sleep 1
kill -INT $pid
wait $pid
rc=$?
kill $sleeper 2>/dev/null
check "SIGINT ends a wait for input with 128 + 2" test $rc -eq 130
rm -f pipe err
check "... and leaves nothing behind" only z.dat
rm -f ./*

#
# Usage.
#
synth a.dat
bad_usage()
{
	what=$1
	why=$2
	shift 2
	status 2 "$what is wrong usage" "$SPHT_RECORD" "$@" || return
	has "... with the reason" "$T/err" "$why"
}
bad_usage "no option at all" 'what is to be recorded'
bad_usage "no output" 'where the trace goes' --import=a.dat
bad_usage "an unknown option" '--colour: no such option' --colour --import=a.dat -o o.spht
bad_usage "an option without its value" '--import: a value is missing' --import
bad_usage "two inputs" 'given twice' --import=a.dat --import=a.dat -o o.spht
bad_usage "an operand" 'a\.dat: what is this for' -o o.spht a.dat
bad_usage "level 0" 'a number from 1 to 22' --level=0 --import=a.dat -o o.spht
bad_usage "level 99" 'a number from 1 to 22' --level=99 --import=a.dat -o o.spht
bad_usage "a setting without =" 'KEY=VALUE is expected' --set guest.vcpus --import=a.dat -o o.spht
bad_usage "a setting of something else" 'one of guest, host' --set types=1 --import=a.dat -o o.spht
bad_usage "a setting that is given twice" 'has been set already' \
	--set guest.a=1 --set guest.a=2 --import=a.dat -o o.spht
for option in --vm=1 -a --profile=full --duration=3 --size=1M --buffer=1M --clock=mono \
	--mark-port=1 --stats=json --snap '-e kvm:kvm_exit'; do
	# shellcheck disable=SC2086
	bad_usage "$option with --import" "^spht-record: .*belongs to recording, not to --import" \
		$option --import=a.dat -o o.spht
done
bad_usage "a command with --import" '--: belongs to recording' --import=a.dat -o o.spht -- true
bad_usage "--check with anything else" '--check: stands alone' --check -o o.spht
bad_usage "a VM and a command" 'two things to record' --vm=1 -o o.spht -- true
bad_usage "a VM and all VMs" 'two things to record' --vm=1 -a -o o.spht
bad_usage "a recording without output" 'where the trace goes' -a
bad_usage "a VM of no number" 'the number of a process' --vm=qemu -o o.spht
bad_usage "an unknown profile" 'minimal, shadow or full' --profile=all -a -o o.spht
bad_usage "no seconds" 'seconds above 0' --duration=0 -a -o o.spht
bad_usage "seconds that are no number" 'seconds above 0' --duration=nan -a -o o.spht
bad_usage "a negative size" 'bytes above 0' --size=-1 -a -o o.spht
bad_usage "a unit that is none" 'bytes above 0' --size=1X -a -o o.spht
bad_usage "a size beyond all files" 'bytes above 0' --size=99999999999G -a -o o.spht
bad_usage "a buffer of nothing" '4K to 64G' --buffer=1 -a -o o.spht
bad_usage "an unknown clock" 'mono or x86-tsc' --clock=local -a -o o.spht
bad_usage "a port beyond all ports" '0 to 0xffff' --mark-port=0x10000 -a -o o.spht
bad_usage "snapshots of something else" 'tables or walks is expected' --snap=pages --vm=1 -o o.spht
bad_usage "snapshots of every VM" 'of one VM are told apart' --snap -a -o o.spht
bad_usage "snapshots with another clock" 'has the clock mono' --snap --clock=x86-tsc -o o.spht -- true
bad_usage "statistics as text" 'json is all' --stats=text -a -o o.spht
check "usage errors leave nothing behind" only a.dat
check "--help succeeds" "$SPHT_RECORD" --help
has "... on stdout" "$T/out" '^usage: spht-record '
check "--version succeeds" "$SPHT_RECORD" --version
has "... on stdout" "$T/out" '^spht-record [0-9]'
check "level 19 succeeds" "$SPHT_RECORD" -q --level=19 --import=a.dat -o o.spht
check "--quiet says nothing" test ! -s "$T/err"

finish
