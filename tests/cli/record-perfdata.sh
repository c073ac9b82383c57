#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-record --import of a perf.data: the same events come out as from a
# trace.dat, whatever perf was told to do; what is missing is said; and what is
# no sound file is refused by name.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

if [ ! -x "$SPHT_RECORD" ]; then
	skip "perf.data files are imported" "spht-record is not built here"
	finish
fi

# The child's stderr is closed; what a sanitizer finds in it goes to files.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$T/sanitizer
UBSAN_OPTIONS=${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}log_path=$T/sanitizer
export ASAN_OPTIONS UBSAN_OPTIONS

W=$T/work
mkdir "$W" || exit 1
cd "$W" || exit 1

synth()
{
	"$TOP/tests/tools/mkperfdata.py" "$@"
}

import()
{
	"$SPHT_RECORD" -f --import="$1" -o out.spht
}

# refused SENTENCE REGEX [KEY=VALUE...]: exit status 1, one line that matches, no file.
refused()
{
	what=$1
	why=$2
	shift 2
	synth x.data rounds=10 "$@"
	status 1 "$what" "$SPHT_RECORD" -q --import=x.data -o refused.spht || return
	cp "$T/err" "$T/message"
	has "... with its reason" "$T/message" "^spht-record: x\.data: $why"
	check "... in one line" test "$(wc -l <"$T/message")" -eq 1
	check "... and leaves nothing behind" test ! -e refused.spht -a ! -e refused.spht.part
}

#
# The same events as in a trace.dat, however perf has written them.
#
"$TOP/tests/tools/mktracedat.py" synth ref.dat rounds=60 pages=5
check "a trace.dat with the same events is imported" "$SPHT_RECORD" -q --import=ref.dat -o ref.spht
"$SPHT_TRACE" dump ref.spht >ref.csv
check "... all of them" test "$(wc -l <ref.csv)" -eq 361

# equal SENTENCE [KEY=VALUE...]
equal()
{
	what=$1
	shift
	synth x.data rounds=60 "$@"
	check "$what is imported" import x.data || return
	has "... without a loss" "$T/err" 'no loss is marked in the recording$'
	"$SPHT_TRACE" dump out.spht >out.csv
	same "... with every event, field and time" out.csv ref.csv
}

equal "a plain perf.data"
equal "one of many rounds" turns=9
equal "one in which a CPU is a round late" turns=7 skew=3
equal "one in which interrupts overtook" turns=7 skew=3 nested=1
equal "one without rounds" marks=0 nested=1
equal "one of a thread that moves about" thread=1 index=2 turns=4
equal "one of perf record -z" pack=81 turns=3
equal "one of perf record -z in pieces of 7 bytes" pack=81 piece=7
equal "one of perf record -z of perf 6.16" pack=83 turns=3
equal "one whose packed record has a size above 16 bits" pack=83 overflow=size
equal "one with call chains, addresses and counters" \
	ids=id extra=ip,addr,stream,read,callchain,branch
equal "one with the counters of groups" extra=group
equal "one whose samples do not name their event" ids=none extra=
equal "one without an index of numbers" index=0
equal "one of other events besides" cycles=1
equal "one of -k mono" clockid=1
equal "one with records of a type that nobody knows" record=200:0102030405060708
has "... with a word on what else was there" "$T/err" '120 events of other systems skipped'
equal "one in which a tracepoint is recorded twice" twice=1
has "... with a note" "$T/err" 'note: 1 tracepoints were recorded more than once'
has "... and without taking it for other events" "$T/err" '120 events of other systems skipped'
equal "one of a recorder with a filter" filter=1
has "... with a note" "$T/err" 'note: perf record was given a --filter'
equal "one of perf record --overwrite" overwrite=1
has "... with a note" "$T/err" 'note: recorded with --overwrite'

"$TOP/tests/tools/mktracedat.py" synth ref.dat rounds=1200 pages=200
"$SPHT_RECORD" -qf --import=ref.dat -o ref.spht
"$SPHT_TRACE" dump ref.spht >ref.csv
synth x.data rounds=1200 turns=3 pack=83 overflow=chain
check "packed records of perf 6.16 that overflow into chains are imported" import x.data
"$SPHT_TRACE" dump out.spht >out.csv
same "... with every event, field and time" out.csv ref.csv
synth x.data cpus=300 rounds=20 turns=5
check "300 CPUs are imported" import x.data
has "... all their events" "$T/err" "out\.spht: $((300 * 20 * 3)) events"
rm -f ./*

synth x.data rounds=20 pack=81 clockid=1
check "the same file gives the same bytes" import x.data
cp out.spht first.spht
check "... from a pipe" sh -c 'cat x.data | "$1" -qf --import=- -o out.spht' - "$SPHT_RECORD"
"$SPHT_TRACE" dump first.spht >first.csv
"$SPHT_TRACE" dump out.spht >out.csv
same "... indeed" first.csv out.csv
import x.data 2>/dev/null
same "... to the last one" first.spht out.spht
check "verify finds it whole" "$SPHT_TRACE" verify out.spht
has "... without a ledger, which perf does not keep" "$T/out" '^ *ledger +none$'
check "info shows where it comes from" "$SPHT_TRACE" info out.spht
has "... its format" "$T/out" 'perf\.data v2 zstd'
has "... the recorder" "$T/out" 'tool perf 6\.1\.99'
has "... and names what else was in the file" "$T/out" \
	'\{"count":1,"event":"COMM","system":"perf record"\}'

# The first frame of a .spht file: 8 bytes, magic, version, length, CRC, JSON.
python3 - out.spht >header <<'END'
import json, struct, sys
d = open(sys.argv[1], "rb").read()
n = struct.unpack_from("<I", d, 20)[0]
json.dump(json.loads(d[28:28 + n]), sys.stdout, indent=1, sort_keys=True)
END
in_header()
{
	python3 - "$1" <<'END'
import json, sys
h = json.load(open("header"))
sys.exit(not eval(sys.argv[1], {}, {"h": h}))
END
}
check "the host is there" in_header "h['host'] == {'kernel': '6.1.0-test', 'machine': 'x86_64', \
	'cpu_model': 'Test CPU @ 2.0GHz', 'cpu_vendor': 'TestVendor', 'cpus': 2}"
check "the name of the host stays out" in_header "'host.example' not in str(h)"
check "the clock is there" in_header "h['clock'] == 'mono' and h['clock_real'] is None"
check "the clock's reference is there" in_header "h['recorder']['clock_reference'] == \
	{'clock': '0x12d687', 'realtime': '0x1000000000000000'}"
check "the texts of the formats are there" in_header "len(h['formats']) == 3 and \
	h['formats']['kvm/kvm_exit'].startswith('name: kvm_exit\nID: 1001\n')"
check "what is missing is named" in_header \
	"{'memslots', 'per-CPU statistics'} < set(h['missing']) and 'cpu model' not in h['missing']"
check "the origin is there" in_header "h['origin']['format'] == 'perf.data v2 zstd' and \
	h['origin']['sha256'] == '$(sha256sum x.data | cut -c 1-64)'"
synth x.data
import x.data 2>/dev/null
check "without -k the clock is perf's" sh -c '"$1" info out.spht | grep -q "^clock *perf"' - "$SPHT_TRACE"
rm -f ./*

#
# Losses are loud.
#
# loses SENTENCE NUMBER-OR-unknown CPU WHERE [KEY=VALUE...]: one gap; WHERE is the event behind it.
loses()
{
	what=$1
	count=$2
	where="$3,0,0,0,0,spht,LOST,count=$count\$"
	next=$4
	shift 4
	synth x.data rounds=10 "$@"
	status 4 "$what give exit status 4" "$SPHT_RECORD" -qf --import=x.data -o out.spht
	has "... a loud word" "$T/err" 'INCOMPLETE'
	"$SPHT_TRACE" dump out.spht >out.csv
	check "... one marker" test "$(grep -c ',LOST,' out.csv)" -eq 1
	has "... with its number" out.csv "$where"
	grep -A1 ',LOST,' out.csv | tail -n 1 >next
	has "... in its place" next "$next"
	check "... in a whole trace" "$SPHT_TRACE" verify out.spht
}
# The last event that is kept, on CPU 1.
last='^1003810,1,2147483647,'
loses "marked losses" 0x7 1 "$last" lost=1:7
loses "... also in a packed file" 0x7 1 "$last" lost=1:7 pack=81
loses "... also where the kernel's count is the same" 0x7 1 "$last" lost=1:7 total=1:7
loses "losses that only the kernel's count knows" 0x9 0 "$last" total=0:9
loses "... also by thread" 0x4 1 ',spht,LOST,' thread=1 index=2 total=0:4
loses "events that were throttled" unknown 0 "$last" throttle=1
synth x.data rounds=10 lost=1:7 total=1:9
status 4 "a count above the marks gives exit status 4" \
	"$SPHT_RECORD" -qf --import=x.data -o out.spht
has "... with the sum of both" "$T/err" '2 gaps are marked.*the others 9 events'
has "... and a remedy" "$T/err" 'CPU 1: 9 events lost while recording: .*perf record -m PAGES'
synth x.data rounds=10 damage=cutpack pack=81
status 4 "a packed stream without its end gives exit status 4" \
	"$SPHT_RECORD" -qf --import=x.data -o out.spht
has "... and gaps on all CPUs" "$T/err" '2 gaps are marked, 2 of unknown size'
synth x.data rounds=10 filtered=5
check "what a BPF filter left out is no loss" import x.data
rm -f ./*

#
# Bad input.
#
mkdir threads.data
: >threads.data/data
: >threads.data/data.0
status 1 "the folder of perf record --threads is refused" \
	"$SPHT_RECORD" --import=threads.data -o out.spht
has "... by name" "$T/err" 'is a directory.*perf record --threads'
rm -r threads.data
again="record anew with perf record -a -e 'kvm:\*,kvmmmu:\*'"
refused "a perf.data of a pipe" 'recorded by perf into a pipe .*perf record -o FILE' header=pipe
refused "a perf.data of a perf that was killed" 'perf record was killed .*SIGTERM' header=killed
refused "a big-endian perf.data" 'is a perf\.data file of a big-endian machine' header=big
refused "a perf.data of version 1" 'is a perf\.data file of version 1' header=v1
refused "a perf.data without formats" "has no events.*nor the formats.*$again" formats=0
refused "a perf.data without KVM's events" "has no events of the systems kvm.*$again" systems=sched
refused "samples without a time" 'event kvm:kvm_exit has no time stamps.*-T' lack=time
refused "samples without a CPU" 'event kvm:kvm_exit does not say on which CPU.*-a' lack=cpu
refused "samples without fields" 'event kvm:kvm_exit has no fields.*perf record -R' lack=raw
refused "every hundredth event" 'event kvm:kvm_exit was sampled.*without -c and -F' period=100
refused "sampling by frequency" 'event kvm:kvm_exit was sampled.*without -c and -F' freq=1
refused "a clock that nobody knows" 'event kvm:kvm_exit has a clock of its own.*-k mono' clockid=77
refused "a tracepoint twice without numbers" "its events .*recorded twice.*$again" ids=none twice=1
refused "hardware traces" "has hardware traces.*$again" record=71:0000000000000000
refused "... also by the list of features" 'has hardware traces' damage=auxfeature
damaged='damaged or unsupported perf\.data: offset 0x[0-9a-f]+:'
refused "formats among the events" "$damaged formats in the middle" record=66:0000000000000000
refused "an event shorter than its format" "$damaged an event of 12 bytes is shorter" damage=short
refused "an event without a number" "$damaged a sample of an event that is not listed" damage=noid
refused "a CPU that cannot be" "$damaged an event of CPU 2147483647" damage=cpu
refused "a record without a size" "$damaged a record of type 9 has 0 bytes" damage=size0
refused "a packed stream with damage" "$damaged a compressed record cannot" pack=81 damage=badpack
refused "a list of numbers beyond the end" "$damaged the numbers of event 0 have" damage=ids
refused "a loss without its trailer" "$damaged a record of type 2 has 32 bytes" \
	lost=0:3 damage=trailer
synth whole.data rounds=200
head -c 30000 whole.data >x.data
status 1 "a perf.data that was cut is refused" "$SPHT_RECORD" --import=x.data -o out.spht
has "... with the place" "$T/err" 'offset 0x[0-9a-f]*: the data ends beyond the end of the file'
rm -f ./*

# Damage of every kind, the same in every run: nobody is harmed.
cat >damage.py <<'END'
import random, struct, sys
name, nr = sys.argv[1], int(sys.argv[2])
data = open(name, "rb").read()
attrs, attrs_size, start, size = struct.unpack_from("<4Q", data, 24)
zones = [(0, 104), (104, start), (start, start + size), (start + size, len(data))]
values = [0, 1, 8, 0xffff, 1 << 31, 1 << 32, 1 << 40, 1 << 63, (1 << 64) - 1]
rng = random.Random(name)
for i in range(nr):
    d = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        low, high = rng.choice(zones)
        at, kind = rng.randrange(low, high), rng.randrange(5)
        if at >= len(d):
            continue
        if kind == 0:
            d[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            d[at & ~7:(at & ~7) + 8] = struct.pack("<Q", rng.choice(values))
        elif kind == 2:
            del d[at:at + rng.randrange(1, 60)]
        elif kind == 3:
            d[at:at] = data[start:start + rng.randrange(1, 60)]
        elif rng.randrange(4) == 0:
            d = d[:max(8, at)]
    open("h%03d.data" % i, "wb").write(d)
END
hostile()
{
	"$SPHT_RECORD" -qf --import="$1" -o h.spht >"$T/h.out" 2>"$T/h.err"
	rc=$?
	case $rc in
	0 | 4) "$SPHT_TRACE" verify h.spht >"$T/h.out" 2>&1 || echo "$1: verify fails" ;;
	1)
		[ ! -e h.spht ] || echo "$1: h.spht is left"
		[ "$(wc -l <"$T/h.err")" -eq 1 ] || echo "$1: not one line"
		! grep -q 'libtraceevent failed' "$T/h.err" || echo "$1: the child died"
		;;
	*) echo "$1: exit status $rc" ;;
	esac
	[ ! -e h.spht.part ] || echo "$1: h.spht.part is left"
	rm -f h.spht h.spht.part
	echo "$rc" >>"$T/statuses"
}
synth plain.data rounds=6 turns=3 lost=1:7
synth packed.data rounds=6 turns=3 pack=81 total=1:3
synth packed2.data rounds=6 turns=2 pack=83 twice=1
synth rich.data rounds=4 ids=id extra=ip,addr,stream,read,callchain,branch
: >"$T/bad"
for file in plain packed packed2 rich; do
	python3 damage.py $file.data 50
	for h in h[0-9]*.data; do
		hostile "$h" >>"$T/bad"
	done
	rm -f h[0-9]*.data
done
check "200 perf.data files with damage harm nobody" sh -c 'cat "$1"; test ! -s "$1"' - "$T/bad"
check "some of that damage was noticed" grep -q 1 "$T/statuses"
: >"$T/statuses"
: >"$T/bad"
size=$(wc -c <packed.data)
i=0
while [ $i -lt 40 ]; do
	head -c $((size * i / 40)) packed.data >h.data
	hostile h.data >>"$T/bad"
	i=$((i + 1))
done
check "40 cut perf.data files harm nobody" sh -c 'cat "$1"; test ! -s "$1"' - "$T/bad"
lacks "none of them was taken for whole" "$T/statuses" '^[04]$'
cat "$T"/sanitizer* >"$T/reports" 2>/dev/null
lacks "no sanitizer found anything" "$T/reports" 'Sanitizer|runtime error'
rm -f ./*

#
# What perf itself records here, against what perf itself reads.
#
real="what perf records here is imported as perf reads it"
VMM=$BUILD/tests/vmm
if [ -n "$SPHT_SANITIZED" ]; then
	skip "$real" "tried by make check"
elif ! command -v perf >/dev/null; then
	skip "$real" "perf is not installed"
elif [ ! -x "$VMM" ]; then
	skip "$real" "the VMM is not built"
elif ! "$VMM" sequential 10 >out 2>&1; then
	skip "$real" "no guest runs here: $(tail -n 1 out)"
elif ! perf record -o none.data -e kvm:kvm_exit true >out 2>&1; then
	skip "$real" "perf cannot record KVM's events here: $(grep -m 1 . out)"
else
	# events FILE.data: time, CPU, event as perf says it.
	events()
	{
		perf script -i "$1" -F cpu,time,event --ns 2>/dev/null | awk '$3 ~ /^kvm/ {
			gsub(/[][]/, "", $1)
			sub(/:$/, "", $2)
			split($2, s, ".")
			split($3, e, ":")
			print s[1] s[2] "," $1 + 0 "," e[2]
		}' | sort
	}
	for how in "" "-z" "-k mono" "-m 4" "--per-thread -z"; do
		# shellcheck disable=SC2086 # words
		check "perf record $how works" perf record -q $how -o real.data -e 'kvm:*,kvmmmu:*' \
			"$VMM" sequential 2000
		"$SPHT_RECORD" -f --import=real.data -o real.spht >out 2>&1
		rc=$?
		check "... its file is imported" test $rc = 0 -o $rc = 4
		check "... into a whole trace" "$SPHT_TRACE" verify real.spht
		"$SPHT_TRACE" dump real.spht | awk -F, 'NR > 1 && $8 != "LOST" {
			print $1 "," $2 "," $8 }' | sort >ours
		events real.data >perfs
		check "... with events" test -s perfs
		same "... the same that perf reads" ours perfs
	done
fi

finish
