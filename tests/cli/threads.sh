#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Several heuristics and time scales at once: four threads give the bytes that one gives.
# A part of `make check-tsan`, which sees what the threads share.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

# Under a sanitizer one second of a recording is enough for every chunk to go from hand to hand.
seconds=3
[ -z "$SPHT_SANITIZED" ] || seconds=0.4
check "the end of a recording of two vCPUs can be cut off" "$SPHT_TRACE" cut --last="$seconds" \
	-o cut.spht "$TOP/traces/samples/kbuild-w8-2vcpu.spht"

# replay JOBS: all tables there are, in a folder of that name.
replay()
{
	mkdir "j$1"
	"$SPHT_REPLAY" -j"$1" --heuristic=none --heuristic=window --heuristic=stride:degree=4 \
		--heuristic=markov --heuristic=prefault --heuristic=oracle --guest-time-scale=0.0333,0.333,1 \
		--helpers=2 --interval=0.1 --curve=latency --csv="j$1/all.csv" --json="j$1/all.json" \
		--intervals="j$1/intervals.csv" --histograms="j$1/histograms.csv" cut.spht
}
for jobs in 1 4; do
	check "six heuristics at three time scales are replayed with -j$jobs" replay $jobs
	cp out j$jobs/report
	lacks "  no race is told" err 'ThreadSanitizer'
done
check "  with a row for each" test "$(cells j4/all.csv heuristic | wc -l)" -eq 18
for table in all.csv all.json intervals.csv histograms.csv report; do
	same "  $table has the same bytes with four threads as with one" j1/$table j4/$table
done

finish
