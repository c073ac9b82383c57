#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay on recordings written by hand (tests/data/replay-*.txt): the whole
# table of one that has every class of exits, and what is special of two vCPUs,
# of kvm_pvm, of lost events and of a cut.  Every figure is derived below from the
# events and METRICS; none was taken from the program.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

# make_trace NAME: NAME.spht from tests/data/replay-NAME.txt.
make_trace()
{
	check "mktrace builds $1.spht" "$SPHT_MKTRACE" -o "$1.spht" "$TOP/tests/data/replay-$1.txt"
}

# row SENTENCE FILE WANTED COLUMN...: the columns of the file's rows are WANTED.
row()
{
	row_what=$1
	row_file=$2
	printf '%s\n' "$3" >want
	shift 3
	cells "$row_file" "$@" >got
	same "$row_what" want got
}

# The costs that the figures below are worked out with, whatever the built-in profile says.
check "a profile of the test's own can be made" python3 - "$TOP/replay/costs/default.json" <<'END'
import json, sys
costs = json.load(open(sys.argv[1]))
for key, value in {
        "exit_hidden_ns": 4600, "exit_huge_ns": 4600, "exit_ad_ns": 5700, "exit_guest_ns": 2900,
        "exit_ptwrite_unsync_ns": 4600, "exit_ptwrite_emul_ns": 6000, "exit_mmio_ns": 25000,
        "exit_spurious_ns": 3000, "exit_retry_ns": 3000, "exit_other_ns": 2000,
        "helper_wake_ns": 5000, "helper_read_ns": 200, "helper_build_ns": 6000,
        "helper_page_ns": 2000, "exit_lock_ns": 1500, "helper_lock_ns": 2000,
        "helper_pace_ns": 0, "helper_batch": 1, "helper_poll_ns": 200,
        "helper_watch_ns": 1000000, "first_use_ns": 150, "tracing_percent": 60,
        "queue_limit": 256, "touch_probability": 1}.items():
    costs[key]["value"] = value
costs["lead_ns"]["quantiles"] = [300, 1000, 2000]
costs["name"] = "golden-1"
json.dump(costs, open("costs.json", "w"))
END

replay()
{
	"$SPHT_REPLAY" --costs=costs.json "$@"
}

# replay-golden.txt.  Its 27 kvm_exit: 26 complete windows and one cut off.
#
# Classes, by step: guest 3 7; hidden 2 5 6 9 11 20 22 23; huge 0 (no paging) 12 13;
# ad 10 21; ptwrite_unsync 4; ptwrite_emul 17 (c2) 18 (c3) 19 (c4); mmio 16;
# spurious 14; retry 15.  22 #PF exits; steps 1, 8 and 24 and the interrupt are none.
# Refaults: 5 (guest fault 3) and 9 (guest fault 7).
# F_base = 8 hidden + 3 huge - 1 without paging + 2 ad = 12.
#
# Fidelity: 12 faults with P=0 on entries that the model has not, 3 entries (A:10
# 11 12) that the prefetch group of step 6 passed over, 1 spurious target, 9
# prefetched entries absent before (A:11 12, P:1, A:19, A:13 14, B:09, H:21, B:09):
# 25 of 25; absent 12 + 9 of them, present 3 + 1.
#
# Inferred world, where a helper can know an entry of the guest:
#   A:13 REFUSED at 2, so absent from then on; A:13 14 15 are of the fault-around group
#   of A:18, which its handler mapped at once before the refault of step 5: present from
#   then on, a lead time before that exit.  A:19 had no fault of its own, so of the group
#   also what nothing had been seen of by then: 17 1b..1f, taken for present.  1a and 16, too,
#   but that is refuted (below): they never were.  No guess of the first 12 is a hole.
#   A:18 itself, and A:11 before step 9: each a lead time before its refault.
#   B:08 09 present since table 5 was made (10): it is write-protected from then.
#   B:00 present from 10 on, A=1 by KVM's walk, D=0 until step 21: legal, read-only.
#   B:20 28 present since table 5 was made again (20).
#   A:1a (5), A:16 (6), B:01 (10), B:0a (11), B:21 (22), B:29 (23): absent, being
#   where a prefetch group ended.  A:18 absent from 3 to 5.  All else is unknown
#   before its own fault; H too, whose entries are no guest entries.
#
# window:size=16, on hidden, huge and ad: 15 requests a fault that happens; d duplicate,
# i illegal, u unknown, b built.  The helper has 100 us between exits: enough for 15.
#    2  11 12 d; 13 i; others u                                       d2 i1 u12
#    5  10 11 12 19 d; 13 b, brings 14 15; 14 15 d; 16 i, so 17 b; 1a i, and
#       ends the prefetch of 18..1f, so 1b..1f b                      d6 i2 b7
#    6  A:15 is there: avoided_side.  KVM prefetched 13 itself: use_unknown; 16 goes
#    9  10 12..15 17..19 1b..1f d; 16 1a i                            d13 i2
#   10  01 i; 08 b, brings 09; 09 d; others u                         d1 i1 u12 b1
#   11  B:08 is there: avoided_direct, used_timely
#   12  21 d; others u                                                d1 u14
#   13  20 21 d; others u                                             d2 u13
#   20  09 d; 00 b, read-only; 01 0a i; others u                      d1 i2 u11 b1
#   21  a store to B:00: used_weak.  08 09 d; 01 0a i; others u       d2 i2 u11
#   22  wakes up 5.0 us later, reads 21 i, 22..27 u at 0.2 us each, starts 28 at
#       6.4 us, has mmu_lock from 10.6 to 12.6 us, when it is built; the next exit
#       comes after 4.6 us (this exit) + 7 us x scale.
#       x1: 11.6 us, during the build: used_late.  That fault takes mmu_lock 3.1 us
#       later; until then, from 12.6 to 14.0 us, 29..2f are read u    i1 u13 b1
#       x3: 25.6 us: used_timely, avoided_direct; 29..2f u as well    i1 u13 b1
#   23  x1: 20 d; 21 29 i; 22..27 2a..2f u                            d1 i2 u12
#       x3: avoided
# x1: 150 = d29 + i13 + u98 + b10; x3: 135 = d28 + i11 + u86 + b10.  Six of each, 17 1b..1f,
# are there unused at the end.
# The helper reads what is no duplicate when asked for (5: 14 15; 10: 09): 150 - 26 = 124,
# 135 - 25 = 110 times 0.2 us, and builds 10 times 6 us: 84.8 and 82 us.
# accuracy_lo = 3 / (10 + 98 + 1 use_unknown), 3 / (10 + 86 + 1); accuracy_hi = 3 / 10.
#
# Strict: present only between two proofs.  0x15, 0x08 (11) and 0x28 have none before:
# 0 avoided.  Optimistic: H:28 is known as well (of the window of 12): one more, and
# of the guest faults A:18 and A:11 at once.
#
# prefault asks for A:18 after step 3 and A:11 after step 7.  Neither is there when the
# helper has woken up, so it looks every 0.2 us from 5 us after the exit on.  Golden-ratio
# quantiles 0.618 and 0.236 of the lead times are 1236 and 630 ns.
#    5  205.5 us after 3 (its exit 2.9, unsync 4.6, twice 99 of the guest's): the entry is
#       stored at 204.264, seen at the 997th look, 204.4; read again and prepared until
#       208.6, as is the vCPU's fault (205.5 + 4.6 - 1.5): the helper is first at mmu_lock,
#       and the vCPU waits 2 us.  used_late
#    9  202.9 us after 7 (2.9 + 2 + twice 99): stored at 202.27, seen at the 987th look,
#       202.4, prepared until 206.6; the vCPU takes the lock at 206.0 for 1.5, so the
#       helper waits 0.9 us.  used_late
#    Busy: 997 + 987 looks and 4 reads at 0.2 us, 2 builds of 6 us, 0.9 us: 410.5 us.
#    x3: 2977 and 2967 looks; all else is the same: 1202.5 us.
# Strict: the same waits, for nothing is known there: unknown.  Optimistic: both are built
# in time, but A:11 goes with the INVLPG of step 8, by which its handler flushes it: 1.
#
# oracle, inferred: 5 6 9 11 20 22 23, entry present before the access; not 2 10 12 13
# (unknown), 21 (read-only).
#
# Time.  The base has 22 gaps of 99 us, one of 7 and one of 91: 2276 us, x3 6828 us; and
# exits: 8 hidden, 3 huge and 1 unsync at 4.6, 2 ad at 5.7, 2 guest at 2.9, 3 emul at 6, mmio 25,
# spurious and retry 3 each, steps 1 8 24 at 2: 127.4 us.  What comes after the last step
# does not count.  2403.4 and 6955.4 us.  F_base is 8 x 4.6 + 2 x 4.6 + 2 x 5.7 = 57.4 of
# it: bound 57.4 / 2346, 57.4 / 6898.
# An avoided hidden or huge fault wins 4.6 - 0.15 us: window 2 and 3 of them, oracle 7.
# 2394.5 and 6942.05; 2372.25 and 6924.25.  prefault loses the 2 us: 2405.4 and 6957.4.
# Strict: only B:08 at 20, proven from 11 on, as is B:09 that came along with it: 1.
# Optimistic: all but 10 (A=0) and 21: 10.
make_trace golden
check "a recording with all classes replays" replay --guest-time-scale=1,3 \
	--heuristic=none --heuristic=window:size=16 --heuristic=oracle --heuristic=prefault \
	--csv=golden.csv --json=golden.json golden.spht

# What differs from build to build, and the file's own checksum, left empty.
blank()
{
	awk -F, -v OFS=, '
	NR == 1 {
		for (i = 1; i <= NF; i++)
			if ($i ~ /^(tool_version|git_commit|trace_sha256)$/)
				drop[i]
	}
	NR > 1 {
		for (i in drop)
			$i = ""
	}
	{ print }' "$1"
}
blank golden.csv >got
blank "$TOP/tests/data/replay-golden.csv" >want
same "its table is the golden one" want got

row "its exits are classified as written" golden.csv "$(yes '26 22 2 8 3 1 2 1 3 1 1 1 1 1 1 2 12' |
	head -n 8)" exits_total exits_pf pf_guest pf_hidden pf_huge pf_huge_nopaging pf_ad \
	pf_ptwrite_unsync pf_ptwrite_emul pf_ptwrite_emul_c2 pf_ptwrite_emul_c3 \
	pf_ptwrite_emul_c4 pf_mmio pf_spurious pf_retry pf_refault f_base
row "avoided exits are the ones derived by hand, in all worlds" golden.csv \
	'none 1 0 0 0 0 0 12 7 0
none 3 0 0 0 0 0 12 7 0
window 1 0 2 3 1 1 10 7 0.285714286
window 3 0 3 4 2 1 9 7 0.428571429
oracle 1 1 7 10 7 0 5 7 1
oracle 3 1 7 10 7 0 5 7 1
prefault 1 0 0 1 0 0 12 7 0
prefault 3 0 0 1 0 0 12 7 0' \
	heuristic guest_time_scale avoided_lo avoided avoided_hi avoided_direct avoided_side \
	remaining avoidable oracle_share
row "the books are the ones derived by hand" golden.csv \
	'0 0 0 0 0 0 0 0 0 0 0 0
0 0 0 0 0 0 0 0 0 0 0 0
150 29 13 98 10 10 1 1 1 1 6 8.48e-05
135 28 11 86 10 10 2 0 1 1 6 8.2e-05
7 0 0 0 7 7 7 0 0 0 0 0
7 0 0 0 7 7 7 0 0 0 0 0
2 0 0 0 2 2 0 2 0 0 0 0.0004105
2 0 0 0 2 2 0 2 0 0 0 0.0012025' \
	generated duplicate illegal unknown issued built used_timely used_late used_weak \
	use_unknown resident_unused helper_busy_s
row "time and waits are the ones derived by hand" golden.csv \
	'0 0 0.0024034 0.0024034 0 2.44671782
0 0 0.0069554 0.0069554 0 0.832125254
0 0 0.0024034 0.0023945 0.371685112 2.44671782
0 0 0.0069554 0.00694205 0.192306307 0.832125254
0 0 0.0024034 0.00237225 1.31309938 2.44671782
0 0 0.0069554 0.00692425 0.449868217 0.832125254
2e-06 9e-07 0.0024034 0.0024054 -0.0831462543 2.44671782
2e-06 9e-07 0.0069554 0.0069574 -0.0287463708 0.832125254' \
	lock_wait_s helper_lock_wait_s time_base_s time_helped_s speedup_pct speedup_bound_pct
row "fidelity is complete, with nothing unexplained" golden.csv "$(yes '100 0 0' | head -n 8)" \
	fidelity_pct inferred unexplained

# B:08 was ready 12.6 us after step 10, used after 5.7 us (that exit) + 99 us: 92.1 us
# later, 2^16 ns; at x3 290.1 us later, and B:28 after 13.0 us: 2^18 and 2^13 ns.
check "slack is told by powers of two of a nanosecond" python3 - <<'END'
import json
rows = json.load(open("golden.json"))
slack = [{i: n for i, n in enumerate(r["slack_log2_ns"]) if n} for r in rows]
assert slack[2:4] == [{16: 1}, {18: 1, 13: 1}], slack
END

# The second world's books: --knowledge.  Optimistic, x1, by the same rules:
#    2  11 12 d; 13 b, brings 14 15; 14 15 d; 19 b; others u          d4 u9 b2
#    5  10..15 19 d; 1a i; others u (KVM prefetched 19: use_unknown)  d7 i1 u7
#    6  avoided_side (13: use_unknown)
#    9  as inferred d7 i2 u6;  10 d1 i1 u12 b1;  11 avoided
#   12  21 d; 28 b; others u                                          d1 u13 b1
#   13  avoided_direct
#   20..23  as inferred: d1 i2 u11 b1, d2 i2 u11, i1 u13 b1, d1 i2 u12
# 135 = d24 + i11 + u94 + b6
# Strict: only B:00 (proven from 10 to 21) is built; B:01 (10 to 21), B:0a (11 to 20) and
# A:16 (6 to 9) are proven absent.
#    2  d2 u13;  5  d4 u11;  6  10..14 18 19 d, 16 i  d7 i1 u7;  9  d7 u8
#   10  01 i  i1 u14;  11  00 09 d, 01 0a i  d2 i2 u11;  12  d1 u14;  13  d2 u13
#   20  09 d, 01 i, 00 b  d1 i1 u12 b1;  21  d2 u13, used_weak
#   22  15 reads end after 8 us: u15;  23  d1 u14
# 180 = d29 + i5 + u145 + b1
for world in optimistic strict; do
	check "--knowledge=$world shows the books of that world" replay \
		--heuristic=window:size=16 --knowledge=$world --csv=$world.csv golden.spht
done
row "the optimistic books are the ones derived by hand" optimistic.csv \
	'optimistic 0 2 3 2 1 9 135 24 11 94 6 6 2 1 1 2' knowledge avoided_lo avoided avoided_hi \
	avoided_direct avoided_side remaining generated duplicate illegal unknown issued built \
	used_timely used_late used_weak use_unknown
row "and so are the strict ones" strict.csv 'strict 0 2 3 0 0 12 180 29 5 145 1 1 0 0 1 0' \
	knowledge avoided_lo avoided avoided_hi avoided_direct avoided_side remaining generated \
	duplicate illegal unknown issued built used_timely used_late used_weak use_unknown

# Two vCPUs.  Windows end in the order: CR3, CR3, hidden A:00 (vCPU 1), guest A:10 (0),
# ptwrite_unsync (0), hidden A:10 (1), spurious A:10 (0), hidden A:18 (0).
# The guest fault was vCPU 0's, the hidden one on the page vCPU 1's: no refault.
# window:size=16 asks 15 twice: 01 i, 14 u; then 11 i, which ends the prefetch of 10..17,
# so 12..17 b (of the fault-around group of A:10, served by then, as A:18 shows); 18 b, in
# time for the other vCPU; 19 i, where the group of A:18 stopped, so 1a..1e b.  1f is the 13th
# guess, 13 x 0.618... = 8.034: within 0.043 of a whole number, so a hole, u.
# Optimistic avoids the same; strict none.  oracle: A:18 only (A:10's guest fault was
# the other vCPU's: no refault); optimistic all three.
make_trace 2vcpu
check "a recording of two vCPUs replays" replay --heuristic=window:size=16 \
	--heuristic=oracle --csv=2vcpu.csv 2vcpu.spht
row "windows of two vCPUs are told apart" 2vcpu.csv "$(yes '2 8 6 1 3 1 1 0 3' | head -n 2)" \
	vcpus exits_total exits_pf pf_guest pf_hidden pf_ptwrite_unsync pf_spurious pf_refault f_base
row "what one vCPU's fault made the helper build saves the other's" 2vcpu.csv \
	'window 0 1 1 1 2 30 0 3 15 12 1
oracle 0 1 3 1 2 1 0 0 0 1 1' heuristic avoided_lo avoided avoided_hi avoidable remaining \
	generated duplicate illegal unknown built used_timely
row "and fidelity is complete there too" 2vcpu.csv "$(yes '100 0' | head -n 2)" fidelity_pct \
	unexplained

# fault PID VCPU TIME PAGE: a hidden fault on page PAGE of A, whose tables are there.
fault()
{
	cat <<END
pid=$1 cpu=$2 @$3 kvm_exit exit_reason=0x4e isa=2 info1=4 info2=$(($4 << 12)) vcpu_id=$2
kvm_mmu_pagetable_walk addr=$(($4 << 12)) pferr=4
kvm_mmu_paging_element level=4 pte=0x2067
kvm_mmu_paging_element level=3 pte=0x3067
kvm_mmu_paging_element level=2 pte=0x4067
kvm_mmu_paging_element level=1 pte=$(((0x1000 + $4 << 12) + 0x67))
kvm_mmu_spte_requested gfn=$((0x1000 + $4)) level=1
kvm_mmu_set_spte gfn=$((0x1000 + $4)) sptep=$((0x100000 + 8 * $4)) level=1 spte=$(((0x1000 + $4 << 12) + 0xe67))
@$(($3 + 1000)) kvm_entry vcpu_id=$2
END
}

# A vCPU whose first exit comes late: A:18 is in the window of 16 around A:10, known since
# table 4 was made, and built long before.  It must be seen so, whatever its own clock says.
{
	grep '^#header' "$TOP/tests/data/replay-2vcpu.txt"
	echo 'pid=70 cpu=0 @1000 kvm_exit exit_reason=0x13 isa=2'
	for page in '1 role=0x704' '2 role=0x703' '3 role=0x702' '4 role=0x701'; do
		echo "kvm_mmu_get_page gfn=$page created=1"
	done
	echo '@2000 kvm_entry'
	fault 70 0 1000000 16
	fault 70 0 2000000 64
	fault 71 1 3000000 24
} >late.txt
check "a recording whose second vCPU comes late can be written" "$SPHT_MKTRACE" -o late.spht late.txt
check "it replays" replay --heuristic=window:size=16 --guest-time-scale=1,1000000 \
	--csv=late.csv --json=late.json late.spht
row "and finds what the helper built" late.csv "$(yes '2 3 1 1 0' | head -n 2)" \
	vcpus f_base avoided avoided_direct avoided_side
check "its slack is counted once, whatever the clocks say" python3 - <<'END'
import json
for r in json.load(open("late.json")):
    assert sum(r["slack_log2_ns"]) == r["used_timely"] == 1, r["slack_log2_ns"]
END

# kvm_pvm, by tests/data/replay-pvm.txt: 9 windows, guest 1 6, hidden 2 4, ptwrite_emul
# 3 5 7 (the operand walks of 3 and 5 open none), spurious 8, and 9, which exits_pf has
# and no column.  Refault: 2, by which its group was mapped around, though the guest fault
# met no table.  window:size=16 after 2: 11 i, 12..17 b, 18 b, 19 i (the group of 4 stopped
# there), 1a..1e b, 1f a hole as above, u; 4 is avoided.
make_trace pvm
check "a recording without kvm_exit and kvm_entry replays" replay \
	--heuristic=window:size=16 --csv=pvm.csv pvm.spht
has "it says so" out 'exits +not recorded \(kvm_pvm\); 9 fault windows'
row "a walk opens a window there; exits_total and pf_retry are empty" pvm.csv \
	'- 9 2 2 0 0 0 3 0 1 - 1' exits_total exits_pf pf_guest pf_hidden pf_huge pf_ad \
	pf_ptwrite_unsync pf_ptwrite_emul pf_mmio pf_spurious pf_retry pf_refault
row "and helpers are judged as elsewhere" pvm.csv '2 1 1 0 1 15 0 2 1 12 1' f_base avoided \
	avoided_direct avoided_side remaining generated duplicate illegal unknown built used_timely
row "every time column is empty" pvm.csv '- - - - - - -' time_source helper_busy_s \
	time_base_s time_helped_s speedup_pct speedup_bound_pct lock_wait_s
lacks "and the report speaks of no time of the helper's" out 'busy'

# Losses: 5 events between steps 13 and 14, and some inside step 22, whose window ends
# there.  After a loss the model answers for nothing that it does not see made again:
# 14 (spurious) and 23 are unknown_start.  B's page is made again at 20, so 20 and 21
# count.  22 checks: 12 faults - 22 and 23, 3 passed over, 9 prefetched.
awk '
/^# Step 14:/ { print "lost 0 5" }
/^# Step 22:/ { step = 22 }
/^#ledger/ { next }
{ print }
step == 22 && /kvm_mmu_spte_requested/ { print "lost 0 unknown"; step = 0 }
' "$TOP/tests/data/replay-golden.txt" >lost.txt
check "a recording with losses can be written" "$SPHT_MKTRACE" -o lost.spht lost.txt
check "it replays with exit status 0" replay --heuristic=window:size=16 --heuristic=none \
	--csv=lost.csv lost.spht
has "says loudly what was lost" err 'lost\.spht: THE RECORDING LOST EVENTS \(5 counted, 1 gaps of unknown size\)'
row "counts it, and the window that lost events not at all" lost.csv \
	'window yes 6 25 21 7 11 2 9
none yes 6 25 21 7 11 0 11' heuristic trace_complete lost_events exits_total exits_pf pf_hidden \
	f_base avoided remaining
row "and answers only for what it saw since" lost.csv "$(yes '100 2' | head -n 2)" fidelity_pct \
	unknown_start
check "--explain can count those checks" replay --explain --heuristic=none lost.spht
has "22 are left" out '^fidelity .* of 22 checks'

# A cut that begins before step 20.  Its preamble has the shadow pages and their entries.
# 5 checks: P=0 of 20 21 22 23, and B:09.  window:size=16 as above but that nothing is known
# of B:01 before 21: 20 is d1 i1 u12 b1.  x1: 60 = d4 i6 u48 b2 (weak, late).
# oracle: 22 and 23; what B:08 was before the cut is not known.  Optimistic: 20 too.
check "a cut can be made" "$SPHT_TRACE" cut --from=@2050000 golden.spht -o cut.spht
check "it replays" replay --explain --heuristic=none --heuristic=window:size=16 \
	--heuristic=oracle --csv=cut.csv cut.spht
has "its preamble counts in nothing" out '^cut +24 preamble events'
row "only the window counts" cut.csv "$(yes '6 4 3 0 0 1 4 0' | head -n 3)" exits_total exits_pf \
	pf_hidden pf_guest pf_huge pf_ad f_base unknown_start
has "its preamble lets every fault be resolved" out '^outside: 0 unknown start, 0 unmodelled'
has "and 5 checks be made" out '^fidelity +100\.000 % of 5 checks'
row "the results are the ones derived by hand" cut.csv \
	'none 0 0 0 4 2 0 0 0 0 0 0 0
window 0 0 0 4 2 60 4 6 48 2 1 1
oracle 0 2 3 2 2 2 0 0 0 2 0 0' heuristic avoided_lo avoided avoided_hi remaining avoidable \
	generated duplicate illegal unknown built used_late used_weak

finish
