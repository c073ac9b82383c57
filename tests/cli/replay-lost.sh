#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Recordings with gaps: what was believed before one is believed no more, and
# every output says that events are missing.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

# cell FILE COLUMN: of its first row.
cell()
{
	awk -F, -v c="$2" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next } { print $at[c]; exit }' "$1"
}

# fault TIME PAGE [created]: a hidden fault on page PAGE of A, with its shadow page if created.
fault()
{
	cat <<END
pid=70 cpu=0 @$1 kvm_exit exit_reason=0x4e isa=2 info1=4 info2=$(($2 << 12))
kvm_mmu_pagetable_walk addr=$(($2 << 12)) pferr=4
kvm_mmu_paging_element level=4 pte=0x2067
kvm_mmu_paging_element level=3 pte=0x3067
kvm_mmu_paging_element level=2 pte=0x4067
kvm_mmu_paging_element level=1 pte=$(((0x1000 + $2 << 12) + 0x67))
END
	[ $# -lt 3 ] || echo 'kvm_mmu_get_page gfn=4 role=0x701 created=1'
	cat <<END
kvm_mmu_spte_requested gfn=$((0x1000 + $2)) level=1
kvm_mmu_set_spte gfn=$((0x1000 + $2)) sptep=$((0x100000 + 8 * $2)) level=1 spte=$(((0x1000 + $2 << 12) + 0xe67))
@$(($1 + 1000)) kvm_entry
END
}

# recording [LINE]: page 18 faults, its shadow page is zapped, page 10 faults and has 18
# built again; LINE; 18 is used.
recording()
{
	grep '^#header' "$TOP/tests/data/replay-2vcpu.txt"
	echo 'pid=70 cpu=0 @1000 kvm_exit exit_reason=0x13 isa=2'
	for page in '1 role=0x704' '2 role=0x703' '3 role=0x702' '4 role=0x701'; do
		echo "kvm_mmu_get_page gfn=$page created=1"
	done
	echo '@2000 kvm_entry'
	fault 1000000 24
	echo '@1500000 pid=7 kvm_mmu_prepare_zap_page gfn=4 role=0x701'
	fault 2000000 16 created
	[ $# = 0 ] || echo "$1"
	fault 3000000 24
}

recording >whole.txt
check "a whole recording can be built" "$SPHT_MKTRACE" -o whole.spht whole.txt
check "it replays" "$SPHT_REPLAY" --heuristic=window:size=16 --csv=whole.csv whole.spht
cp out whole.out
cp err whole.err
check "what a helper built is used there" test \
	"$(cell whole.csv built) $(cell whole.csv used_timely) $(cell whole.csv avoided)" = '1 1 1'
check "nothing is lost there" test "$(cell whole.csv lost_events) $(cell whole.csv lost_epoch)" = '0 0'
lacks "no output speaks of losses" whole.out 'LOST'
check "and nothing stands on stderr" test ! -s whole.err

recording 'lost 0 5' >gap.txt
check "a recording with a gap can be built" "$SPHT_MKTRACE" -o gap.spht gap.txt
status 0 "it replays with exit status 0" "$SPHT_REPLAY" --heuristic=window:size=16 \
	--heuristic=none --csv=gap.csv --json=gap.json gap.spht
has "stderr says loudly what is missing" err \
	'^spht-replay: gap\.spht: THE RECORDING LOST EVENTS \(5 counted, 0 gaps of unknown size\)'
has "so does the report" out '^LOST +5 events, and 0 gaps of unknown size: results around them are guesses'
check "the table has the number" test "$(cell gap.csv lost_events)" = 5
has "and the JSON" gap.json '"lost_events": 5'
check "the file is whole all the same: it was recorded so" test "$(cell gap.csv trace_complete)" = yes
check "what a helper had built before the gap is an epoch's loss" test \
	"$(cell gap.csv built) $(cell gap.csv used_timely) $(cell gap.csv lost_epoch)" = '1 0 1'
check "and avoids nothing, in no world" test \
	"$(cell gap.csv avoided_lo) $(cell gap.csv avoided) $(cell gap.csv avoided_hi)" = '0 0 0'
check "what the model cannot know is outside of the score" test "$(cell gap.csv unknown_start)" = 1
check "and inside of it nothing is wrong" test "$(cell gap.csv fidelity_pct)" = 100

# --quiet silences the report, not the loss.
check "--quiet replays" "$SPHT_REPLAY" --quiet --heuristic=none gap.spht
has "and still says so" err 'THE RECORDING LOST EVENTS'
check "spht-trace info reads it" "$SPHT_TRACE" info gap.spht
has "and says so too" out '^losses +\*\*\* 5 EVENTS LOST at 1 places \*\*\*'

# Gaps of unknown size count one event each; more than one epoch.
awk '
/^# Step (11|13|22):/ { print "lost 0 unknown" }
/^#ledger/ { next }
{ print }' "$TOP/tests/data/replay-golden.txt" >gaps.txt
check "a recording with gaps of unknown size can be built" "$SPHT_MKTRACE" -o gaps.spht gaps.txt
check "it replays" "$SPHT_REPLAY" --heuristic=window:size=16 --csv=gaps.csv gaps.spht
has "the gaps are counted" err '\(0 counted, 3 gaps of unknown size\)'
check "each is at least one event" test "$(cell gaps.csv lost_events)" = 3
check "strict proves nothing across them" test "$(cell gaps.csv avoided_lo)" = 0
finish
