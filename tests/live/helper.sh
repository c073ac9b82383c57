#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A real helper beside a real guest, where nothing is a race: the prediction holds to the
# fault.  `make validate` measures all of it.
# shellcheck source=tests/live/live.sh
. "$(dirname "$0")/live.sh"
live_or_skip "a helper beside a guest spares the faults that were predicted"
if [ "$(nproc)" -lt 2 ]; then
	skip "a helper beside a guest spares the faults that were predicted" "one CPU"
	finish
fi

# A host that takes memory of the guest away meanwhile makes it fault again: three tries.
exactly()
{
	for _ in 1 2 3; do
		"$TOP/tests/live/validate" --reps=2 --csv="$T/live.csv" --exact "$@" && return
	done
	return 1
}

check "a helper that is ahead spares what was predicted, one that is late nothing" \
	exactly --cells=sequential,a0 --timings=ahead,late
# 2000 pages and 4 of the guest's own: 31 windows of 64 and one of 16 leave one fault each.
grep -v '^#' "$T/live.csv" >"$T/rows.csv"
has "36 of 254 faults remain with the helper ahead" "$T/rows.csv" \
	'^"sequential 2000, window:size=64, ahead",.*,254,36,36,254,36,36,36,'
has "and all with the helper late" "$T/rows.csv" \
	'^"sequential 2000, window:size=64, late",.*,254,254,254,254,254,254,254,'
has "pages never accessed are spared as well where that is allowed" "$T/rows.csv" \
	'^"a0 500, window:size=16, ahead",.*,504,36,36,504,36,36,36,'
status 2 "a pattern that is none is an error" "$TOP/tests/live/validate" --cells=none
printf '1 100000 zzz\n' >"$T/bad"
status 1 "a list that is none is an error" "$BUILD/tests/duo" -l "$T/bad" sequential 100
has "which names the line" "$T/err" 'bad:1: .BATCH TRIGGER PAGE'

finish
