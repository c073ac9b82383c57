#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# 64 CPUs, 64 vCPUs that move from one to the next, and tens of thousands of threads: all
# programs see each event once, in order, the books close, and nothing gets slow.
# shellcheck disable=SC2016 # words for another shell
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

"$TOP/tests/tools/mkmany.py" cpus=64 vcpus=64 faults=600 >many.txt
events=$(grep -vc '^#' many.txt)
check "64 CPUs and 64 vCPUs can be written" "$SPHT_MKTRACE" -o many.spht many.txt
check "the file is whole" "$SPHT_TRACE" verify many.spht
has "... with all events" "$T/out" " $events events,"
has "... and a closed ledger" "$T/out" 'ledger +closed'
"$SPHT_TRACE" info --json many.spht >info.json
check "info sees 64 CPUs, 64 vCPUs and one VM" python3 - "$events" <<'END'
import json, sys
i = json.load(open("info.json"))
assert i["events"] == int(sys.argv[1]), i["events"]
assert len(i["cpus"]) == 64 and all(c["events"] for c in i["cpus"])
assert sorted(t["vcpu"] for t in i["threads"]) == list(range(64))
assert not any("one VM" in m["what"] for m in i["lacks"])
END

"$SPHT_TRACE" dump many.spht >dump.csv
check "dump prints them in order of time, of every CPU" awk -F, -v want="$events" '
	NR > 1 { if ($1 + 0 < last) { print "line " NR " is earlier"; exit bad = 1 } last = $1; n++; cpu[$2] }
	END { for (c in cpu) k++; exit bad || n != want || k != 64 }' dump.csv
check "a vCPU can be dumped on its own" sh -c '"$1" dump --vcpu=63 many.spht >one.csv' - "$SPHT_TRACE"
check "... on all CPUs that it was on" sh -c '[ "$(tail -n +2 one.csv | cut -d, -f2 | sort -u | wc -l)" -ge 6 ]'
check "... and no other thread" sh -c '[ "$(tail -n +2 one.csv | cut -d, -f3 | sort -u)" = 1063 ]'
"$SPHT_MKTRACE" -o again.spht dump.csv 2>/dev/null
"$SPHT_TRACE" dump again.spht >again.csv
same "what dump prints is the recording" dump.csv again.csv

# replay CSV ARG...: books that do not close are an error of spht-replay itself.
replay()
{
	replay_csv=$1
	shift
	"$SPHT_REPLAY" --quiet --csv="$replay_csv" "$@"
}
check "64 vCPUs replay without a helper" replay none.csv --heuristic=none --verify many.spht
check "... all faults are told" test "$(cells none.csv vcpus exits_pf pf_hidden f_base)" = "64 38400 38400 38400"
check "... and explained" test "$(cells none.csv fidelity_absent_pct unexplained lost_events)" = "100 0 0"
before=0
for helpers in 1 4 64 vcpu; do
	check "64 vCPUs replay with --helpers=$helpers" replay "h$helpers.csv" --heuristic=nextline \
		--heuristic=window --helpers=$helpers --verify -j2 many.spht
	check "... every fault is avoided or remains" sh -c '
		[ "$1" = 2 ]' - "$(cells "h$helpers.csv" helpers f_base avoided_direct avoided_side remaining |
		awk -v h=$helpers '$1 == h && $2 == 38400 && $3 + $4 + $5 == $2' | wc -l)"
	check "... every request has ended somewhere" sh -c '[ "$1" = 2 ]' - "$(cells "h$helpers.csv" \
		generated duplicate illegal unknown queue_full cancelled_demand cancelled_zap pending_end issued |
		awk '$1 > 0 && $1 == $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9' | wc -l)"
	now=$(cells "h$helpers.csv" avoided_direct | head -n 1)
	[ $helpers = 1 ] || [ $helpers = vcpu ] ||
		check "... more helpers avoid more" test "$now" -gt "$before"
	before=$now
done
replay two.csv --heuristic=nextline --helpers=4 --memory=0 -j1 many.spht
replay one.csv --heuristic=nextline --helpers=4 -j2 many.spht
same "threads and memory change no result" one.csv two.csv

check "a window of it can be cut" "$SPHT_TRACE" cut --from=0.003 many.spht -o cut.spht
check "... which is whole" "$SPHT_TRACE" verify cut.spht
check "... and replays" replay cut.csv --heuristic=nextline --helpers=vcpu --verify cut.spht
check "... all vCPUs, faults in order" test "$(cells cut.csv vcpus fidelity_absent_pct)" = "64 100"
check "it can be packed anew" "$SPHT_TRACE" repack --level=3 many.spht -o repack.spht
"$SPHT_TRACE" dump repack.spht >repack.csv
same "... without a change" dump.csv repack.csv

# A host has many threads; what each event costs must not grow with them.
"$TOP/tests/tools/mkmany.py" cpus=64 vcpus=2 faults=10 threads=60000 >threads.txt
check "60000 threads can be written" "$SPHT_MKTRACE" -o threads.spht threads.txt
check "60000 threads replay within 2 s of CPU" sh -c 'ulimit -t 2 && exec "$@"' - "$SPHT_REPLAY" \
	--quiet --heuristic=none --csv=threads.csv threads.spht
check "... and two of them are vCPUs" test "$(cells threads.csv vcpus exits_pf)" = "2 20"
check "... and info counts them within 2 s" sh -c 'ulimit -t 2 && exec "$@" >threads.json' - "$SPHT_TRACE" \
	info --json threads.spht

finish
