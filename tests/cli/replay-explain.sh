#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay --explain=EXIT and --list-misses: the story of one exit, and where
# the model and a recording disagree.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

for name in golden 2vcpu pvm; do
	check "mktrace builds $name.spht" "$SPHT_MKTRACE" -o $name.spht "$TOP/tests/data/replay-$name.txt"
done

# story EXIT FILE OPTION...: the story alone, in got.
story()
{
	story_exit=$1
	story_file=$2
	shift 2
	check "exit $story_exit of $story_file can be told of" "$SPHT_REPLAY" "--explain=$story_exit" "$@" \
		"$story_file" || return 1
	sed -n '/^exit [0-9]/,$p' out >got
}

# Step 11 of replay-golden.txt is exit 12 (step 0 is exit 1): all of it, as written there.
# The helper, asked after step 10, has the entry ready.  The guest's: write-protected
# since step 10 made its page, and read by the walk.
story 12 golden.spht --heuristic=window:size=16
cat >want <<'END'
exit 12           hidden, at 0.001100 s, vCPU 0 (thread 70), 1000 ns
  address         0x208000
  error code      0x4: P=0, a read from user mode
  rip             0
walk
  level 4         0x0000000000002067  gfn 0x2          P W U A D
  level 3         0x0000000000003067  gfn 0x3          P W U A D
  level 2         0x0000000000005067  gfn 0x5          P W U A D
  level 1         0x0000000005008067  gfn 0x5008       P W U A D
  it succeeds
shadow pages, just before
  level 4         gfn 0x1         role 0x00704 (level 4, access UWX): there
  level 3         gfn 0x2         role 0x00703 (level 3, access UWX): there, linked
  level 2         gfn 0x3         role 0x00702 (level 2, access UWX): there, linked
  level 1         gfn 0x5         role 0x00701 (level 1, access UWX): there, linked
entry before      8 of that page: absent
history of the entry, its page and the path to it
       exit      time s class
         11    0.001000 ad       page created, empty and synced
what KVM did, in order
  requested       gfn 0x5008 level 1
  set_spte        level 1 entry 8   0x0000000005008e67  P W U A D
  set_spte        level 1 entry 9   0x0000000005009e47  P W U D
the model
  held            absent
  the hardware    P=0: no entry
  agrees in every check that this exit makes
  does then
    page 0x5 level 1 8: entry set for a fault on it, writable
    page 0x5 level 1 9: entry prefetched by KVM beside a fault, writable
guest entry, just before
  strict          not decided by any evidence
  inferred        present, A=1, writable and dirty
  optimistic      present, A=1, writable and dirty
END
head -n 34 got >top
same "its story is what stands in the recording" want top
sed 1,34d got | sed -E 's/^( +[0-9.]+) +[0-9.]+  /\1 /' >looks
cat >want <<'END'
window size=16;align=1;on=hidden (guest time x 1, inferred world)
     0.001000 the heuristic asks for it: queued
     0.001100 built
     0.001100 an access finds it: that fault is avoided
  at the exit: present, writable, built by the helper
  so the fault is avoided
END
grep -v 'time s' looks >got
same "and what the helper did with the entry" want got

# The store to B:00, step 21: built read-only, for the guest's entry was clean.
story 22 golden.spht --heuristic=window:size=16 --heuristic=none
has "an entry that was too weak is told of" got 'there, and a fault on it comes all the same'
has "  as it was" got 'at the exit: present, read-only, built by the helper'
check "each heuristic has its say" test "$(grep -c 'at the exit:' got)" = 2
story 3 golden.spht --heuristic=none
has "prefetched entries name the fault beside them" got 'entry prefetched by KVM beside a fault'
story 26 golden.spht --heuristic=none
has "an exit that is no #PF has a story too" got '^exit 26 +no #PF'

# Times: of #PF exits, the first that begins then or later.  Exit 12 begins 1.1 ms after exit 1.
for when in t:0.0011 t:1.1e-3 t:0.0010001; do
	story $when golden.spht --heuristic=none
	check "  it is the one that begins then" grep -q '^exit 12 ' got
done
story t:0 golden.spht --heuristic=none
check "the first is the first" grep -q '^exit 1 ' got

# The same fault again, P=0, and the guest's entry maps another page: what the model holds
# from exit 12 went without an event; what its prefetch brings (B:09) it holds already.
awk '
/^#ledger/ { next }
/^# Step 12:/ {
	print "@1250000 kvm_exit exit_reason=0x4e isa=2 info1=4 info2=0x208000"
	print "kvm_mmu_pagetable_walk addr=0x208000 pferr=4"
	print "kvm_mmu_paging_element level=4 pte=0x2067"
	print "kvm_mmu_paging_element level=3 pte=0x3067"
	print "kvm_mmu_paging_element level=2 pte=0x5067"
	print "kvm_mmu_paging_element level=1 pte=0x6008067"
	print "kvm_mmu_spte_requested gfn=0x6008 level=1"
	print "kvm_mmu_set_spte gfn=0x6008 sptep=0x101040 level=1 spte=0x6008e67"
	print "kvm_mmu_set_spte gfn=0x5009 sptep=0x101048 level=1 spte=0x5009e47"
	print "@1251000 kvm_entry"
}
{ print }' "$TOP/tests/data/replay-golden.txt" >missed.txt
check "a recording with misses can be written" "$SPHT_MKTRACE" -o missed.spht missed.txt
check "--list-misses lists them" "$SPHT_REPLAY" --heuristic=none --list-misses missed.spht
sed -n '/ misses (/,/^$/p' out >got
cat >want <<'END'
2 misses (checks 1 to 3; of check 4, pages found and created)
  miss      exit      time s class    address            check: what it says; what the model held
     1        13    0.001150 hidden   0x208000           P bit: absent; held: strong 0x5008e67
     2        13    0.001150 hidden   0x209000           prefetched: absent; held: present 0x5009e47

END
same "  each with exit, time, class, address, check and belief" want got
story miss:1 missed.spht --heuristic=none
check "a miss can be told of by its number" grep -q '^exit 13 ' got
has "  with what the model held" got '^  held +present, strong enough for this access'
has "  since when and from what" got '^  since +exit 12 at 0\.001100 s: set for a fault on it'
has "  the entry itself" got '^  SPTE +0x0000000005008e67  P W U A D'
has "  the miss" got '^  MISS +P bit: absent; held: strong 0x5008e67'
has "  and its cause" got '^  dropped +silently, the walk shows another mapping'
story miss:2 missed.spht --heuristic=window:size=16
has "of a neighbour that was missed the story is the neighbour's" got \
	'^entry before +9 of that page, which is not the fault.s own: present, writable'
has "  where it came from" got '^ +12 +0\.001100 hidden +entry prefetched by KVM beside a fault on 0x208000, writable'
has "  and what the helper did with it" got '^  the exit.s own fault, on another entry, happens'
story 14 missed.spht --heuristic=none
check "an exit that misses nothing says so" grep -q 'agrees in every check' got
check "a recording without misses has an empty list" "$SPHT_REPLAY" --heuristic=none --list-misses golden.spht
has "  that says so" out '^0 misses '

# Every exit of every recording has a story, in lines that fit.
tell_all()
{
	for file in golden 2vcpu pvm missed; do
		for n in $(seq 1 "$1"); do
			"$SPHT_REPLAY" --heuristic=window:size=16 --heuristic=prefault "--explain=$n" \
				$file.spht >all 2>err2 || {
				grep -q 'has [0-9]* complete exits' err2 && break
				cat err2 >&2
				return 1
			}
			sed -n '/^exit [0-9]/,$p' all >one
			grep -q "^exit $n " one || return 1
			awk -v f=$file -v n="$n" 'length > 100 { print f, n, $0; bad = 1 } END { exit(bad) }' one >&2 ||
				return 1
			cat one >>stories
		done
	done
}
check "every exit has a story, in lines of at most 100 columns" tell_all 60
mv stories stories1
check "  and again" tell_all 60
same "  the same one" stories stories1
check "  of each of 26 exits of one recording" test "$(grep -c '^exit ' stories)" -gt 60

# Telling changes nothing else.
check "a table with a story beside it can be written" "$SPHT_REPLAY" --heuristic=stride:on=both --csv=a.csv \
	--explain=13 --list-misses --explain -j2 missed.spht
check "  and without" "$SPHT_REPLAY" --heuristic=stride:on=both --csv=b.csv missed.spht
same "  to the same bytes" a.csv b.csv

# Hostile values.
for exit in '' 0 -1 1x 1.5 99999999999999999999 t: t:-1 t:x t:nan t:1e99 miss: miss:0 miss:x m:1 0x10; do
	status 2 "--explain=$exit is refused" "$SPHT_REPLAY" --heuristic=none "--explain=$exit" golden.spht
	has "  with what is expected" err \
		"^spht-replay: --explain=$exit: expected the number of an exit, from 1, t:SECONDS or miss:N;"
done
# nowhere EXIT REGEX FILE
nowhere()
{
	rm -f w.csv
	status 1 "--explain=$1 of $3 is refused" "$SPHT_REPLAY" --heuristic=none "--explain=$1" --csv=w.csv "$3"
	has "  it says why" err "^spht-replay: $3: --explain=$1: $2"
	check "  and leaves no table" test ! -e w.csv
}
nowhere 27 'the recording has 26 complete exits' golden.spht
nowhere t:5 'no page fault begins there or later; the recording is 0\.00[0-9] s long' golden.spht
nowhere miss:1 'the recording has 0 misses; --list-misses lists them' golden.spht
nowhere miss:3 'the recording has 2 misses' missed.spht
status 2 "a story needs a file that can be read twice" "$SPHT_REPLAY" --heuristic=none --explain=1 - <golden.spht
has "  it says so" err 'takes one file, which is read twice: not stdin'
status 2 "and one alone" "$SPHT_REPLAY" --heuristic=none --explain=1 golden.spht missed.spht
for how in --quiet --csv=- --json=- --intervals=-; do
	status 2 "a story without a report ($how) is refused" "$SPHT_REPLAY" --heuristic=none --explain=1 $how golden.spht
	status 2 "so is a list" "$SPHT_REPLAY" --heuristic=none --list-misses $how golden.spht
done
head -c 2000 golden.spht >broken.spht
status 1 "a damaged recording has no story" "$SPHT_REPLAY" --heuristic=none --explain=1 broken.spht
finish
