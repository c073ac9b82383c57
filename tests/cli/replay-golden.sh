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

# make NAME: NAME.spht from tests/data/replay-NAME.txt.
make_trace()
{
	check "mktrace builds $1.spht" "$SPHT_MKTRACE" -o "$1.spht" "$TOP/tests/data/replay-$1.txt"
}

# cells FILE COLUMN...: these columns, one line for each row.
cells()
{
	cells_file=$1
	shift
	awk -F, -v want="$*" '
	NR == 1 {
		for (i = 1; i <= NF; i++)
			at[$i] = i
		n = split(want, name, " ")
		next
	}
	{
		for (i = 1; i <= n; i++)
			printf "%s%s", name[i] in at ? $at[name[i]] : "no-such-column",
				i < n ? " " : "\n"
	}' "$cells_file"
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
#   of A:18, whose refault was served at step 5: present from then on.
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
#    5  10 11 12 19 d; 13 b, brings 14 15; 14 15 d; 1a i; others u    d6 i1 u7 b1
#    6  A:15 is there: avoided_side.  KVM prefetched 13 itself: use_unknown
#    9  10 12 13 14 15 18 19 d; 16 1a i; others u                     d7 i2 u6
#   10  01 i; 08 b, brings 09; 09 d; others u                         d1 i1 u12 b1
#   11  B:08 is there: avoided_direct, used_timely
#   12  21 d; others u                                                d1 u14
#   13  20 21 d; others u                                             d2 u13
#   20  09 d; 00 b, read-only; 01 0a i; others u                      d1 i2 u11 b1
#   21  a store to B:00: used_weak.  08 09 d; 01 0a i; others u       d2 i2 u11
#   22  wakes up 5.0 us later, reads 21 i, 22..27 u at 0.2 us each, starts 28 at
#       6.4 us, would have built it (6.2 us) at 12.6 us; the next exit comes after
#       4.6 us (this exit) + 7 us x scale.
#       x1: 11.6 us, during the build: used_late; then 29 i, 2a..2f u    i2 u12 b1
#       x3: 25.6 us: used_timely, avoided_direct; 29 u too (not yet refused) i1 u13 b1
#   23  x1: 20 d; 29..2f still queued d; 21 i; 22..27 u               d8 i1 u6
#       x3: avoided
# x1: 150 = d30 + i12 + u104 + b4; x3: 135 = d22 + i10 + u99 + b4.
# The helper reads what is no duplicate when asked for: 150 - 27 = 123, 135 - 19 = 116
# times 0.2 us, and builds 4 times 6 us: 48.6 and 47.2 us.
# accuracy_lo = 3 / (4 + 104 + 1 use_unknown), 3 / (4 + 99 + 1); accuracy_hi = 3 / 4.
#
# Strict: present only between two proofs.  0x15, 0x08 (11) and 0x28 have none before:
# 0 avoided.  Optimistic: H:28 is known as well (of the window of 12): one more, and
# of the guest faults A:18 and A:11 at once.
#
# prefault asks for A:18 after step 3 (illegal: absent) and A:11 after step 7 (unknown:
# the old mapping ended, the new one is not proven).  Optimistic: both in time.
#
# oracle, inferred: 6 11 20 22 23, entry present before the access; not 2 10 12 13
# (unknown), 5 9 (the guest's entry is from between the two faults), 21 (read-only).
# Strict: only B:08 at 20, but avoiding it loses B:09, which nothing proves: 0.
# Optimistic: all but 10 (A=0) and 21: 10.
make_trace golden
check "a recording with all classes replays" "$SPHT_REPLAY" --guest-time-scale=1,3 \
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
	'none 1 0 0 0 0 0 12 5 0
none 3 0 0 0 0 0 12 5 0
window 1 0 2 3 1 1 10 5 0.4
window 3 0 3 4 2 1 9 5 0.6
oracle 1 0 5 10 5 0 7 5 1
oracle 3 0 5 10 5 0 7 5 1
prefault 1 0 0 2 0 0 12 5 0
prefault 3 0 0 2 0 0 12 5 0' \
	heuristic guest_time_scale avoided_lo avoided avoided_hi avoided_direct avoided_side \
	remaining avoidable oracle_share
row "the books are the ones derived by hand" golden.csv \
	'0 0 0 0 0 0 0 0 0 0 0
0 0 0 0 0 0 0 0 0 0 0
150 30 12 104 4 4 1 1 1 1 4.86e-05
135 22 10 99 4 4 2 0 1 1 4.72e-05
5 0 0 0 5 5 5 0 0 0 0
5 0 0 0 5 5 5 0 0 0 0
2 0 1 1 0 0 0 0 0 0 4e-07
2 0 1 1 0 0 0 0 0 0 4e-07' \
	generated duplicate illegal unknown issued built used_timely used_late used_weak \
	use_unknown helper_busy_s
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
#   20..23  as inferred: d1 i2 u11 b1, d2 i2 u11, i2 u12 b1, d8 i1 u6
# 135 = d31 + i11 + u87 + b6
# Strict: only B:00 (proven from 10 to 21) is built; B:01 (10 to 21), B:0a (11 to 20) and
# A:16 (6 to 9) are proven absent.
#    2  d2 u13;  5  d4 u11;  6  10..14 18 19 d, 16 i  d7 i1 u7;  9  d7 u8
#   10  01 i  i1 u14;  11  00 09 d, 01 0a i  d2 i2 u11;  12  d1 u14;  13  d2 u13
#   20  09 d, 01 i, 00 b  d1 i1 u12 b1;  21  d2 u13, used_weak
#   22  15 reads end after 8 us: u15;  23  d1 u14
# 180 = d29 + i5 + u145 + b1
for world in optimistic strict; do
	check "--knowledge=$world shows the books of that world" "$SPHT_REPLAY" \
		--heuristic=window:size=16 --knowledge=$world --csv=$world.csv golden.spht
done
row "the optimistic books are the ones derived by hand" optimistic.csv \
	'optimistic 0 2 3 2 1 9 135 31 11 87 6 6 2 1 1 2' knowledge avoided_lo avoided avoided_hi \
	avoided_direct avoided_side remaining generated duplicate illegal unknown issued built \
	used_timely used_late used_weak use_unknown
row "and so are the strict ones" strict.csv 'strict 0 2 3 0 0 12 180 29 5 145 1 1 0 0 1 0' \
	knowledge avoided_lo avoided avoided_hi avoided_direct avoided_side remaining generated \
	duplicate illegal unknown issued built used_timely used_late used_weak use_unknown

# Two vCPUs.  Windows end in the order: CR3, CR3, hidden A:00 (vCPU 1), guest A:10 (0),
# ptwrite_unsync (0), hidden A:10 (1), spurious A:10 (0), hidden A:18 (0).
# The guest fault was vCPU 0's, the hidden one on the page vCPU 1's: no refault.
# window:size=16 asks 15 twice: 01 i, 14 u; then 11 i, 12..17 19..1f u, 18 (of the
# fault-around group of A:10, served by then) b, in time for the other vCPU.
# Optimistic the same; strict none.  oracle: A:18 only; optimistic all three.
make_trace 2vcpu
check "a recording of two vCPUs replays" "$SPHT_REPLAY" --heuristic=window:size=16 \
	--heuristic=oracle --csv=2vcpu.csv 2vcpu.spht
row "windows of two vCPUs are told apart" 2vcpu.csv "$(yes '2 8 6 1 3 1 1 0 3' | head -n 2)" \
	vcpus exits_total exits_pf pf_guest pf_hidden pf_ptwrite_unsync pf_spurious pf_refault f_base
row "what one vCPU's fault made the helper build saves the other's" 2vcpu.csv \
	'window 0 1 1 1 2 30 0 2 27 1 1
oracle 0 1 3 1 2 1 0 0 0 1 1' heuristic avoided_lo avoided avoided_hi avoidable remaining \
	generated duplicate illegal unknown built used_timely
row "and fidelity is complete there too" 2vcpu.csv "$(yes '100 0' | head -n 2)" fidelity_pct \
	unexplained

# A vCPU that comes late has a clock far behind the one that an entry was built by.
awk '/^pid=71/ && /kvm_exit|kvm_entry/ { next } { print }' "$TOP/tests/data/replay-2vcpu.txt" |
	sed -e '/^#ledger/d' -e 's/vcpu_id=0/vcpu_id=1/; s/pid=70/pid=71/' -e '/@200000/,$d' >late.txt
awk '/vCPU 1: hidden, A:10/ { on = 1 } on' "$TOP/tests/data/replay-2vcpu.txt" |
	sed -e '1,/kvm_entry/{s/vcpu_id=1/vcpu_id=0/; s/pid=71/pid=70/;}' >late2.txt
{
	sed -n '/^#header/p' "$TOP/tests/data/replay-2vcpu.txt"
	cat late2.txt
} >late.txt
check "a recording whose second vCPU starts late can be written" "$SPHT_MKTRACE" -o late.spht late.txt
