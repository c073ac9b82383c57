#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Guests whose page faults are known: recorded, replayed, and every exit accounted
# for, class by class.  README in this folder says what each pattern must show.
# shellcheck source=tests/live/live.sh
. "$(dirname "$0")/live.sh"
live_or_skip "exits of a live guest are exactly those that it must take"

# replay NAME: the row of $T/NAME.spht into $T/NAME.csv.
replay()
{
	rm -f "$T/$1.csv"
	"$SPHT_REPLAY" --heuristic=none --csv="$T/$1.csv" "$T/$1.spht"
}

held_against()
{
	"$SPHT_TRACE" dump "$T/$1.spht" >"$T/$1.dump" &&
		"$TOP/tests/live/expect" "$T/$1.json" "$T/$1.csv" <"$T/$1.dump"
}

# all NAME PATTERN...: record, replay and compare.  A host that takes memory of the guest away
# meanwhile (compaction, say) makes it fault again: three tries.
all()
{
	for try in 1 2 3; do
		record "$@" && replay "$1" || return 1
		held_against "$1"
		rc=$?
		[ $rc = 3 ] || return $rc
	done
	echo "the host took guest memory away in each of $try tries" >&2
	return 1
}

# exact WHAT PATTERN...: leaves NAME for the predictions, or nothing to predict from.
exact()
{
	what=$1
	NAME=
	shift
	if check "$what" all "$1" "$@"; then
		check "the recording of $1 verifies" "$SPHT_TRACE" verify "$T/$1.spht"
		NAME=$1
	fi
}

# predicted WHAT HEURISTIC WANTED COLUMN OPTION...: WANTED is what a helper that takes no time
# avoids in the strict, inferred and optimistic world; of COLUMN, if it is not -, what the
# row says besides.  The pattern alone tells it: kvm_pvm records no time that the guest ran.
predicted()
{
	predicted_what=$1
	predicted_spec=$2
	predicted_want=$3
	predicted_column=$4
	shift 4
	[ -n "$NAME" ] || return 0
	check "$predicted_what" "$SPHT_REPLAY" --rules=prefetch --heuristic="$predicted_spec" \
		--csv="$T/p.csv" --quiet "$@" "$T/$NAME.spht" || return 1
	[ "$predicted_column" != - ] || predicted_column=
	# shellcheck disable=SC2086 # no column is no argument
	cells "$T/p.csv" avoided_lo avoided avoided_hi $predicted_column >"$T/got"
	echo "$predicted_want" >"$T/want"
	same "  $predicted_spec: $predicted_want" "$T/want" "$T/got"
}

# KVM groups by 8, so a window of 64 spares 7 of the 8 groups that are met in it.  Nothing is
# seen twice: strict knows nothing.  The table is frozen from its first fault on: inferred
# knows it all after that, optimistic before.

exact "pages read in a row take one hidden fault for each group of 8" sequential 2000
# 2000 pages are 31 windows of 8 groups and one of 2.
predicted "a window spares the other groups of it" window:size=64 '0 218 218 0' new_exits_hi
# KVM with a window of 16 has 125 groups in place of 250; when the first of each of 4 tables
# faults, inferred knows nothing of the other half of its group.
predicted "a KVM with twice the window takes half the faults" none '0 0 0 125' baseline_avoided \
	--prefetch-window=16 --knowledge=optimistic
predicted "but for the first group of a table" none '0 0 0 121' baseline_avoided \
	--prefetch-window=16
exact "pages far apart take one hidden fault each" stride 500 9
# Pages 0 to 4491, in 71 windows.
predicted "a window spares all but the first that is met in it" window:size=64 '0 429 429 0' \
	new_exits_hi
# In 281 windows of 16.
predicted "a narrow one spares what meets another page in it" window:size=16 '0 219 219 0' \
	new_exits_hi
exact "pages 3 apart take one hidden fault for each group of 8" stride 500 3
# 1498 pages: 188 groups in 24 windows.
predicted "a window spares the other groups of it" window:size=64 '0 164 164 0' new_exits_hi
exact "pages read at random take one hidden fault for each group that is met" random 2000 1
exact "pages with the accessed bit clear take a fault each and bring no neighbours" a0 500
predicted "entries with A=0 are left alone" window:size=16 '0 0 0 0' built
# KVM's own group ends at each next page. The table is frozen when it does, so that was for A=0
# and the page was there: 500 pages are 32 windows, and the first page of each asks.
predicted "unless that is allowed: then the first of each window asks" window:size=16 '0 468 468 0' \
	new_exits_hi --legality=present
exact "clean pages are read in groups and take one more fault at the first write" read-write 500
# 63 groups in 32 windows; a write to a clean page exits whatever is built.  So do the first
# reads of the guest's code and script.
predicted "a window spares reads and no first write" window:size=16 '0 31 31 534' remaining
exact "a page table that changes goes out of sync, and what changed faults again" unsync 20
predicted "without faults of the guest's own there is nothing to follow" prefault '0 0 0 0' generated
exact "stores to an upper page table are emulated, until KVM gives up on it" emul 10
exact "large pages are filled by groups of 8 small ones" huge 4
# 8 groups in each of 4.  Inferred knows nothing: these entries are of no table that could freeze.
predicted "a window spares the other groups of a large page" window:size=64 '0 0 28 0' new_exits_hi
exact "each store to a device is one exit" mmio 200
predicted "stores to a device are nobody's to spare" window:size=512 '0 0 0 0' avoided_direct
exact "the guest's own faults are followed by a refault each" guest 200
# The entry comes between the two faults: strict knows it at neither, the others in time.  With
# the first of them the helper makes a level-2 and a level-1 page: two kicks.
predicted "a helper that waits for the entry spares each refault" prefault '0 198 198 200' \
	avoided_direct
predicted "one that only looks around sees nothing yet" window:size=16 '0 0 0 0' built

finish
