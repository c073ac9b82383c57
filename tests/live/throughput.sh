#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest that does nothing but fault, and two of them: fast enough to try the
# recorder, and recordings that replay with books that close.
# shellcheck source=tests/live/live.sh
. "$(dirname "$0")/live.sh"
live_or_skip "a guest that only faults is recorded and replayed"

WANTED=300000 # events a second

# or_lossy CMD...: a recording that misses events is one all the same.
or_lossy()
{
	"$@"
	rc=$?
	[ $rc = 4 ] || return $rc
}

# two: two guests, on a CPU each where there are two.
two()
{
	cpus=$(getconf _NPROCESSORS_ONLN)
	"$SPHT_RECORD" --all -o "$T/two.spht" --profile=shadow -- sh -c '
		"$1" -c 0 -o "$2/two-a.json" loop 1 &
		"$1" -c $(($3 > 1)) -o "$2/two-b.json" loop 1 || exit 1
		wait $!' sh "$SPHT_VMM" "$T" "$cpus"
}

# fast_enough NAME: events a second, the lost ones among them.
fast_enough()
{
	"$SPHT_TRACE" info --json "$T/$1.spht" | python3 -c '
import json, sys
info = json.load(sys.stdin)
lost = info["lost"]["events"]
rate = round((info["events"] + lost) / info["span_s"])
print("# %s: %d events a second, %d lost" % (sys.argv[1], rate, lost))
sys.exit(rate < int(sys.argv[2]))' "$1" "$WANTED"
}

# busy: others keep the CPUs, so that no rate says anything.
busy()
{
	awk -v cpus="$(getconf _NPROCESSORS_ONLN)" '{ exit !($1 > 2 * cpus) }' /proc/loadavg
}

# fast SENTENCE NAME
fast()
{
	if fast_enough "$2" >"$T/rate" || ! busy; then
		check "$1" fast_enough "$2"
	else
		skip "$1" "the host is busy: load average $(cut -d ' ' -f 1 /proc/loadavg)"
	fi
	cat "$T/rate"
}

# replay NAME [OPTION...]: with helpers too, into $T/NAME.csv.
replay()
{
	name=$1
	shift
	rm -f "$T/$name.csv"
	"$SPHT_REPLAY" --heuristic=none --heuristic=window --heuristic=stride \
		--csv="$T/$name.csv" "$@" "$T/$name.spht"
}

# pid FILE: of the VMM that wrote it.
pid()
{
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["pid"])' "$1"
}

if check "a guest that only faults is recorded" or_lossy record one loop 1; then
	check "the recording of one guest verifies" "$SPHT_TRACE" verify "$T/one.spht"
	fast "one guest causes $WANTED events a second" one
	check "the recording of one guest replays" replay one
	check "the books of one guest close, with a fault for each access" \
		"$TOP/tests/live/books" "$T/one.csv" "$T/one.json"
fi

if check "two guests that only fault are recorded" or_lossy two; then
	check "the recording of two guests verifies" "$SPHT_TRACE" verify "$T/two.spht"
	fast "two guests cause $WANTED events a second" two
	for vm in a b; do
		check "guest $vm of two replays alone" replay two --vm="$(pid "$T/two-$vm.json")"
		check "the books of guest $vm of two close, with a fault for each access" \
			"$TOP/tests/live/books" "$T/two.csv" "$T/two-$vm.json"
	done
fi

finish
