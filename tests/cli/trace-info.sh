#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-trace info: every figure and every word of it, on a file small enough to
# count by hand.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$T/in.txt" <<'END'
#header {"host":{"kernel":"6.1.0-56-amd64","machine":"x86_64","cpu_model":"A CPU"},"guest":{"vcpus":2,"kernel":"6.1.192","memory_mib":768,"workload":"make lib/","init":"busybox"},"clock":"mono","clock_real":false,"origin":{"file":"k.dat","tool":"trace-cmd"},"kvm":{"prefetch_window":8},"missing":["kvm:kvm_pio"]}
#footer {"skipped":[["sched","sched_switch",12]]}
#ledger 0 12 10 2
#ledger 1 9 9
#event kvm kvm_new_event a:8
@1000000000 cpu=0 pid=70 kvm_entry vcpu_id=0
kvm_exit exit_reason=0x4e isa=2 vcpu_id=0
kvm_page_fault vcpu_id=0 fault_address=0x1000
kvm_mmu_pagetable_walk addr=0x1000 pferr=4
kvm_mmu_paging_element pte=0x2067 level=4
kvm_mmu_paging_element pte=0x3067 level=3
kvm_mmu_walker_error pferr=4
kvm_inj_exception exception=14
kvm_entry vcpu_id=0
lost 0 2
kvm_exit exit_reason=0x4e isa=2 vcpu_id=0
cpu=1 pid=71 kvm_exit exit_reason=0x78 isa=2 vcpu_id=1
kvm_exit exit_reason=0 isa=1 intr_info=0x80000b0e vcpu_id=1
kvm_exit exit_reason=0 isa=1 vcpu_id=1
kvm_exit exit_reason=48 isa=1 vcpu_id=1
kvm_exit exit_reason=0x80000021 isa=1 vcpu_id=1
kvm_exit exit_reason=0x999 isa=2 vcpu_id=1
kvm_pio port=0xe9 rw=1
kvm_pio port=0xe9 rw=1
@3500000000 pid=5 kvm_new_event a=1
END
check "mktrace builds a file" "$SPHT_MKTRACE" -o "$T/in.spht" "$T/in.txt"
cd "$T" || exit 1

cat >want <<'END'
in.spht
format    .spht 1, 3 blocks, 9 event types, whole
events    19
span      2.500000 s, from time stamp 1000000000 to 3500000000 ns
host      6.1.0-56-amd64, x86_64, A CPU
guest     6.1.192, make lib/, init busybox, memory_mib 768, vcpus 2
kvm       prefetch_window 8
origin    k.dat, tool trace-cmd
clock     mono, NOT REAL: order is exact, durations are an emulator's
losses    *** 2 EVENTS LOST at 1 places ***

events by type
               1   5.3 %  kvm:kvm_new_event  (kept, not interpreted)
               2  10.5 %  kvm:kvm_entry
               8  42.1 %  kvm:kvm_exit
               1   5.3 %  kvm:kvm_page_fault
               1   5.3 %  kvmmmu:kvm_mmu_pagetable_walk
               2  10.5 %  kvmmmu:kvm_mmu_paging_element
               1   5.3 %  kvmmmu:kvm_mmu_walker_error
               1   5.3 %  kvm:kvm_inj_exception
               2  10.5 %  kvm:kvm_pio

CPUs and their ledger
  cpu 0                10 events, 2 LOST; written 12, read 10, overrun 2, dropped 0, commit overrun 0: closed
  cpu 1                 9 events; written 9, read 9, overrun 0, dropped 0, commit overrun 0: closed

exits by reason (classes of #PF exits need the model: spht-replay prints them)
               2  25.0 %  SVM 0x4e EXCEPTION 14 (#PF)
               1  12.5 %  VMX 0x0 EXCEPTION_NMI
               1  12.5 %  VMX 0x0 EXCEPTION_NMI 14 (#PF)
               1  12.5 %  VMX 0x30 EPT_VIOLATION
               1  12.5 %  SVM 0x78 HLT
               1  12.5 %  SVM 0x999 ?
               1  12.5 %  VMX 0x80000021 INVALID_STATE (entry failed)
               8          in all, 3 of them #PF

threads
              10 events  tid 70  vCPU 0
               8 events  tid 71  vCPU 1
               1 events  tid 5

marks (kvm_pio to port 0x5f0) 0

port I/O (kvm_pio) 2: port 0xe9 2

skipped by the recorder (system, event, count)
  [["sched","sched_switch",12]]

asked for and not there
  ["kvm:kvm_pio"]

END
check "info succeeds" "$SPHT_TRACE" info in.spht
grep -v '^size ' "$T/out" | sed '/^missing, and/,$d' >got
same "info says what is in the file" got want
sed '1,/^missing, and/d' "$T/out" >missing
cat >want.missing <<'END'
  ! shadow paging: an EPT/NPT guest (0 kvm_tdp_mmu_spte_changed, 1 EPT/NPF exits): not replayable
  ! kvm_mmu_get_page (not recorded): shadow pages are unknown: not replayable
  - lost events: state after a gap is unknown until it is rebuilt
  - kvm_mmu_set_spte (not recorded): what KVM installed and prefetched is guessed: no fidelity
  - kvm_mmu_spte_requested (not recorded): hidden, huge and spurious faults cannot be told apart
  - kvm_mmu_prepare_zap_page (not recorded): the end of shadow pages is unknown
  - kvm_mmu_unsync_page (not recorded): pf_ptwrite_unsync cannot be told from pf_hidden
  - kvm_emulate_insn (not recorded): pf_ptwrite_emul cannot be told apart
  - real time: an emulated machine's clock: order is exact, durations are scaled
    kvm_cr (not recorded): address-space switches are inferred from shadow roots and walks
    memslots: 0 notifier events cannot be mapped to guest pages
    debugfs counters: totals cannot be compared with KVM's own (pf_taken, ...)
END
same "and what is missing, the worst first" missing want.missing
has "with its size" "$T/out" '^size +[0-9,]+ bytes, [0-9.]+ bytes/event$'

# json EXPRESSION: true for the object d that info --json printed.
json()
{
	python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert eval("(" + sys.argv[2] + ")"), d' \
		json "$1"
}
check "info --json succeeds" "$SPHT_TRACE" info --json in.spht
cp "$T/out" json
check "JSON: events and losses" json \
	'd["events"] == 19 and d["lost"] == {"events": 2, "gaps": 1, "unknown_gaps": 0}'
check "JSON: time stamps are hex strings" json \
	'd["first_ts"] == "0x3b9aca00" and d["span_s"] == 2.5 and d["clock_real"] is False'
check "JSON: events by type" json \
	'{t["event"]: t["count"] for t in d["types"]}["kvm_exit"] == 8 and
	not {t["event"]: t for t in d["types"]}["kvm_new_event"]["known"]'
check "JSON: exits" json \
	'd["exits_total"] == 8 and d["exits_pf"] == 3 and d["exits"][0] ==
	{"isa": 2, "reason": 78, "vector": 14, "name": "EXCEPTION 14 (#PF)", "count": 2}'
check "JSON: ledger" json \
	'd["cpus"][0]["ledger"]["closed"] and d["cpus"][0]["lost"] == 2 and d["cpus"][1]["events"] == 9'
check "JSON: threads and vCPUs" json \
	'[(t["tid"], t["events"], t["vcpu"]) for t in d["threads"]] ==
	[(70, 10, 0), (71, 8, 1), (5, 1, None)]'
check "JSON: port I/O, marks, walks and what is missing" json \
	'd["port_io"] == {"count": 2, "ports": [{"port": "0xe9", "count": 2}]} and
	d["marks"] == {"port": "0x5f0", "count": 0, "list": []} and
	d["walks"]["4level"] == 1 and d["lacks"][0]["weight"] == "fatal"'
check "JSON: header and footer word for word" json \
	'd["guest"]["init"] == "busybox" and d["skipped"] == [["sched", "sched_switch", 12]]'

# Marks: a value of 1, 2 or 4 bytes that the guest writes to the port.
{
	echo '#header {"marks":{"port":"0x5f0","names":{"0x1":"boot","0x0102":"lib/argv_split.o"}}}'
	echo '@5000000000 cpu=1 pid=70 kvm_entry'
	echo '+1500000 kvm_pio port=0x5f0 rw=1 size=1 count=1 val=0xff01'
	echo 'cpu=0 pid=71 kvm_pio port=0x5f0 rw=1 size=2 count=1 val=0x102'
	echo 'kvm_pio port=0x5f0 rw=0 size=4 count=1 val=3' # read
	echo 'kvm_pio port=0x5f0 rw=1 size=4 count=2 val=3' # a string of two
	echo 'kvm_pio port=0x5f0 rw=1 size=8 count=1 val=3'
	echo 'kvm_pio port=0x5f1 rw=1 size=4 count=1 val=3'
	for value in $(seq 20 42); do
		echo "+1000000000 kvm_pio port=0x5f0 rw=1 size=4 count=1 val=$value"
	done
} >marks.txt
check "a trace with marks can be written" "$SPHT_MKTRACE" -o marks.spht marks.txt
check "info lists marks" "$SPHT_TRACE" info marks.spht
cp "$T/out" marks.out
sed -n '/^marks (/,/^$/p' marks.out | sed -n '1,4p;21,22p' >got
cat >want <<'END'
marks (kvm_pio to port 0x5f0) 25
        0.001500 s  cpu 1   tid 70      0x1  boot
        0.001500 s  cpu 0   tid 71      0x102  lib/argv_split.o
        1.001500 s  cpu 0   tid 71      0x14
       18.001500 s  cpu 0   tid 71      0x25
  and 5 more (--marks lists them)
END
same "with time, thread, value and name, the first twenty" got want
check "info --marks succeeds" "$SPHT_TRACE" info --marks marks.spht
has "it lists all of them" "$T/out" '^       23\.001500 s  cpu 0   tid 71      0x2a$'
lacks "and leaves none out" "$T/out" 'more'
check "info --json of marks succeeds" "$SPHT_TRACE" info --json marks.spht
cp "$T/out" json
check "JSON: all marks" json \
	'd["marks"]["port"] == "0x5f0" and d["marks"]["count"] == 25 == len(d["marks"]["list"]) and
	d["marks"]["list"][0] == {"ts": "0x12a1cd560", "time_s": 0.0015, "value": "0x1",
	"name": "boot", "cpu": 1, "tid": 70} and d["marks"]["list"][2]["name"] is None'
sed 's/"0x5f0"/"com1"/' marks.txt | "$SPHT_MKTRACE" -o com1.spht
check "info of a header whose port is none succeeds" "$SPHT_TRACE" info com1.spht
has "and says so" "$T/out" '^marks: the port that the header names is none$'

# What else can be missing.
# lacks_says SENTENCE REGEX <<input
lacks_says()
{
	"$SPHT_MKTRACE" -o m.spht >"$T/err" 2>&1 && "$SPHT_TRACE" info m.spht >m.out 2>"$T/err"
	sed '1,/^missing, and/d' m.out >m.missing
	has "$1" m.missing "$2"
}
lacks_says "no kvm_exit: what stays empty" \
	'- kvm_exit \(not recorded\): exits_total, pf_retry and time columns stay empty' <<'END'
kvm_mmu_pagetable_walk addr=1
END
lacks_says "an EPT/NPT guest is named" '! shadow paging: an EPT/NPT guest \(1 kvm_tdp' <<'END'
kvm_tdp_mmu_spte_changed gfn=1
END
lacks_says "a 5-level guest is named" '! 4-level paging .* 5-level 1 tables are more than 1 %' <<'END'
kvm_mmu_pagetable_walk addr=1
kvm_mmu_paging_element level=5
END
lacks_says "a 32-bit guest is named" '! 4-level paging .* 32-bit 1, PAE 1, .* more than 1 %' <<'END'
kvm_mmu_pagetable_walk addr=1
kvm_mmu_paging_element level=2
kvm_mmu_pagetable_walk addr=1
kvm_mmu_paging_element level=3
kvm_mmu_paging_element level=2
END
lacks_says "two threads of one vCPU need --vm" '- one VM: two threads' <<'END'
pid=1 kvm_entry vcpu_id=0
pid=2 kvm_entry vcpu_id=0
END
lacks_says "notifier events without memslots" '- memslots: 1 notifier events' <<'END'
kvm_unmap_hva_range start=0
END
lacks_says "a clock nobody spoke of" '- clock_real: nobody said' <<'END'
kvm_cr cr=3
END

printf '#header {"guest":{"workload":"a\\u001b[31mb"}}\nkvm_cr cr=3\n' | "$SPHT_MKTRACE" -o e.spht
check "info of a hostile header succeeds" "$SPHT_TRACE" info e.spht
lacks "control characters of a file do not reach the terminal" "$T/out" "$(printf '\033')"
has "but its text does" "$T/out" 'a\?\[31mb'

: | "$SPHT_MKTRACE" -o empty.spht
check "info of a trace without events succeeds" "$SPHT_TRACE" info empty.spht
has "and says so" "$T/out" '^events +0$'
check "so does info --json" "$SPHT_TRACE" info --json empty.spht
status 2 "info --unknown is a usage error" "$SPHT_TRACE" info --unknown in.spht

finish
