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

# exact WHAT PATTERN...
exact()
{
	what=$1
	shift
	if check "$what" all "$1" "$@"; then
		check "the recording of $1 verifies" "$SPHT_TRACE" verify "$T/$1.spht"
	fi
}

exact "pages read in a row take one hidden fault for each group of 8" sequential 2000
exact "pages far apart take one hidden fault each" stride 500 9
exact "pages 3 apart take one hidden fault for each group of 8" stride 500 3
exact "pages read at random take one hidden fault for each group that is met" random 2000 1
exact "pages with the accessed bit clear take a fault each and bring no neighbours" a0 500
exact "clean pages are read in groups and take one more fault at the first write" read-write 500
exact "a page table that changes goes out of sync, and what changed faults again" unsync 20
exact "stores to an upper page table are emulated, until KVM gives up on it" emul 10
exact "large pages are filled by groups of 8 small ones" huge 4
exact "each store to a device is one exit" mmio 200
exact "the guest's own faults are followed by a refault each" guest 200

finish
