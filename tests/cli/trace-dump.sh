#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-trace dump: what is printed for every kind of field, filters, and that
# output which could not be written is never a success.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$T/in.txt" <<'END'
#header {"host":{"kernel":"6.1.0"}}
#event kvm kvm_odd small:2s wide:8s
1000,0,70,1,2,0,kvm,kvm_entry,vcpu_id=0 rip=0xffffffff81000000
1100,1,71,,,,kvm,kvm_entry,vcpu_id=1
@1200 cpu=0 pid=70 kvm_exit exit_reason=0x4e isa=2 info1=0x8000000000000006 info2=0x7f00
+5 kvm_mmu_set_spte gfn=0x12 spte=0x8000000000012067 sptep=0x5008 level=1 r=1 u=-1
lost 1 7
@1300 cpu=1 pid=71 kvm_userspace_exit reason=2 errno=-4
+100 kvm_emulate_insn rip=1 len=3 insn=0fa2890789000000000000000000ff failed=1
lost 0 unknown
+100 cpu=0 pid=70 kvm_odd small=-2 wide=-9223372036854775808
+100 cpu=1 pid=72 kvm_mmu_pagetable_walk addr=0xfff pferr=2
END
check "mktrace builds a file from text" "$SPHT_MKTRACE" -o "$T/in.spht" "$T/in.txt"

cat >"$T/want" <<'END'
ts,cpu,pid,flags,preempt,preamble,system,event,fields
1000,0,70,1,2,0,kvm,kvm_entry,vcpu_id=0x0 rip=0xffffffff81000000 immediate_exit=0x0
1100,1,71,0,0,0,kvm,kvm_entry,vcpu_id=0x1 rip=0x0 immediate_exit=0x0
1200,0,70,0,0,0,kvm,kvm_exit,exit_reason=0x4e guest_rip=0x0 isa=0x2 info1=0x8000000000000006 info2=0x7f00 intr_info=0x0 error_code=0x0 vcpu_id=0x0
1205,0,70,0,0,0,kvmmmu,kvm_mmu_set_spte,gfn=0x12 spte=0x8000000000012067 sptep=0x5008 level=0x1 r=0x1 x=0x0 u=-1
1300,1,0,0,0,0,spht,LOST,count=0x7
1300,1,71,0,0,0,kvm,kvm_userspace_exit,reason=0x2 errno=-4
1400,1,71,0,0,0,kvm,kvm_emulate_insn,rip=0x1 csbase=0x0 len=0x3 insn=0fa2890789000000000000000000ff flags=0x0 failed=0x1
1500,0,0,0,0,0,spht,LOST,count=unknown
1500,0,70,0,0,0,kvm,kvm_odd,small=-2 wide=-9223372036854775808
1600,1,72,0,0,0,kvmmmu,kvm_mmu_pagetable_walk,addr=0xfff pferr=0x2
END
check "dump succeeds" "$SPHT_TRACE" dump "$T/in.spht"
same "CSV is as documented" "$T/out" "$T/want"
check "dump reads standard input" sh -c '"$1" dump - <"$2"' - "$SPHT_TRACE" "$T/in.spht"
same "and prints the same" "$T/out" "$T/want"

# mktrace is the inverse of dump, but for the layout of unknown events.
{
	echo '#event kvm kvm_odd small:2s wide:8s'
	cat "$T/want"
} >"$T/again.txt"
check "mktrace reads what dump printed" "$SPHT_MKTRACE" -o "$T/again.spht" "$T/again.txt"
check "dump of that succeeds" "$SPHT_TRACE" dump "$T/again.spht"
same "and is the same again" "$T/out" "$T/want"

cat >"$T/want.jsonl" <<'END'
{"ts":1000,"cpu":0,"pid":70,"flags":1,"preempt":2,"preamble":false,"system":"kvm","event":"kvm_entry","fields":{"vcpu_id":0,"rip":"0xffffffff81000000","immediate_exit":0}}
{"ts":1205,"cpu":0,"pid":70,"flags":0,"preempt":0,"preamble":false,"system":"kvmmmu","event":"kvm_mmu_set_spte","fields":{"gfn":"0x12","spte":"0x8000000000012067","sptep":"0x5008","level":1,"r":1,"x":0,"u":-1}}
{"ts":1300,"cpu":1,"pid":0,"flags":0,"preempt":0,"preamble":false,"system":"spht","event":"LOST","fields":{"count":"0x7"}}
{"ts":1400,"cpu":1,"pid":71,"flags":0,"preempt":0,"preamble":false,"system":"kvm","event":"kvm_emulate_insn","fields":{"rip":"0x1","csbase":0,"len":3,"insn":"0fa2890789000000000000000000ff","flags":0,"failed":1}}
{"ts":1500,"cpu":0,"pid":0,"flags":0,"preempt":0,"preamble":false,"system":"spht","event":"LOST","fields":{"count":"unknown"}}
{"ts":1500,"cpu":0,"pid":70,"flags":0,"preempt":0,"preamble":false,"system":"kvm","event":"kvm_odd","fields":{"small":-2,"wide":-9223372036854775808}}
END
check "dump --format=jsonl succeeds" "$SPHT_TRACE" dump --format=jsonl "$T/in.spht"
cp "$T/out" "$T/jsonl"
sed -n '1p;4,5p;7,9p' "$T/jsonl" >"$T/some"
same "JSON lines are as documented" "$T/some" "$T/want.jsonl"
check "every line of it is JSON" python3 -c '
import json, sys
lines = [json.loads(l) for l in open(sys.argv[1])]
assert len(lines) == 10 and all(list(l)[-1] == "fields" for l in lines)' "$T/jsonl"

# rows SENTENCE LINES ARG...: dump with these arguments prints these lines of the whole CSV.
rows()
{
	rows_what=$1
	sed -n "$2" "$T/want" >"$T/rows"
	shift 2
	"$SPHT_TRACE" dump --no-header "$@" "$T/in.spht" >"$T/got" 2>"$T/got.err"
	same "$rows_what" "$T/got" "$T/rows"
}
rows "--no-header leaves out the names" '2,$p'
rows "--event takes a list of names" '4p;11p' --event=kvm_exit,kvm_mmu_pagetable_walk
has "and says that events were lost" "$T/got.err" 'lost at 2 places'
rows "--event takes system:name" '4p' --event=kvm:kvm_exit
rows "--event=LOST prints the losses" '6p;9p' --event=LOST
rows "--from and --to are seconds since the first event, the end excluded" \
	'3,5p' --from=0.0000001 --to=0.0000003
rows "--from and --to take time stamps" '5,8p' --from=@1205 --to=@1401
rows "--to before the start leaves nothing" '' --to=@1000
rows "--cpu chooses a CPU and its losses" '3p;6,8p;11p' --cpu=1
rows "--pid chooses a thread and shows all losses" '3p;6,9p' --pid=71
rows "--vcpu chooses the threads that name the vCPU" '3p;6,9p' --vcpu=1
rows "--vcpu knows a thread's events before it named itself" '2p;4,6p;9,10p' --vcpu=0
rows "an event that the file lacks is no error" '' --event=kvm_pio
has "but is said" "$T/got.err" "no event type 'kvm_pio'"

status 2 "an unknown event is a usage error" "$SPHT_TRACE" dump --event=kvm_exits "$T/in.spht"
has "that names the events of the file" "$T/err" 'kvm_exits.*LOST, kvm_odd, kvm_entry, kvm_exit'
status 2 "a vCPU that nobody names is a usage error" "$SPHT_TRACE" dump --vcpu=9 "$T/in.spht"
status 2 "--vcpu cannot read standard input" \
	sh -c '"$1" dump --vcpu=0 - <"$2"' - "$SPHT_TRACE" "$T/in.spht"
for bad in --format=xml --from=x --from=1.2.3 --from=-1 --from= --from=@ --to=1e3 --cpu=4096 \
	--cpu=-1 --pid=x --pid=2147483648 --vcpu=4294967296 --unknown --from=99999999999999999999; do
	status 2 "dump $bad is a usage error" "$SPHT_TRACE" dump "$bad" "$T/in.spht"
done
status 2 "dump without a file is a usage error" "$SPHT_TRACE" dump
status 2 "dump of two files is a usage error" "$SPHT_TRACE" dump "$T/in.spht" "$T/in.spht"

# Enough rows for several buffers.
awk 'BEGIN { for (i = 0; i < 60000; i++) print "kvm_entry vcpu_id=0 rip=" i }' |
	"$SPHT_MKTRACE" -o "$T/long.spht"
if [ -c /dev/full ]; then
	status 1 "a full disk is a failure" sh -c '"$1" dump "$2" >/dev/full' - "$SPHT_TRACE" \
		"$T/long.spht"
	has "with a message" "$T/err" 'stdout: No space left'
	for args in "info" "info --json" "verify" "--help" "--version" "dump --help"; do
		# shellcheck disable=SC2086 # words are what is wanted
		set -- $args
		case $args in
		info* | verify) set -- "$@" "$T/long.spht" ;;
		esac
		status 1 "so it is for spht-trace $args" sh -c '"$@" >/dev/full' - "$SPHT_TRACE" "$@"
	done
else
	skip "a full disk is a failure" "no /dev/full here"
fi
check "a reader that has seen enough ends it quietly" sh -c '
	{ "$1" dump "$2"; echo $? >"$3/rc"; } 2>"$3/noise" | head -n 1 >/dev/null
	[ ! -s "$3/noise" ] && { [ "$(cat "$3/rc")" = 141 ] || [ "$(cat "$3/rc")" = 1 ]; }' - \
	"$SPHT_TRACE" "$T/long.spht" "$T"
check "and with status 1 where SIGPIPE is ignored" sh -c '
	trap "" PIPE
	{ "$1" dump "$2"; echo $? >"$3/rc"; } 2>"$3/noise" | head -n 1 >/dev/null
	[ ! -s "$3/noise" ] && [ "$(cat "$3/rc")" = 1 ]' - "$SPHT_TRACE" "$T/long.spht" "$T"
status 1 "a closed standard output is a failure" sh -c '"$1" dump "$2" >&-' - "$SPHT_TRACE" \
	"$T/long.spht"

finish
