#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One run of a guest, recorded by spht-record, by perf and by perf -z at once: the
# same events in the same numbers, and the same exits class by class.
# shellcheck source=tests/live/live.sh
. "$(dirname "$0")/live.sh"
live_or_skip "perf and spht-record see the same"
what="perf and spht-record see the same"
if ! command -v perf >/dev/null; then
	skip "$what" "perf is not installed"
	finish
fi
if ! perf record -q -m 256 -o "$T/none.data" -e kvm:kvm_exit true >"$T/out" 2>&1; then
	skip "$what" "perf cannot record KVM's events here: $(grep -m 1 . "$T/out")"
	finish
fi

# all_at_once PATTERN...: each recorder runs the next; the innermost runs the guest.
# Without -a perf would miss what happens when the VMM has ended: the last zaps.
all_at_once()
{
	rm -f "$T"/*.spht "$T"/*.data "$T/vmm.json"
	set -- "$SPHT_RECORD" -q -o "$T/live.spht" --profile=full -- \
		"$SPHT_VMM" -o "$T/vmm.json" "$@"
	set -- perf record -q -a -m 4096 -k mono -o "$T/plain.data" -e 'kvm:*,kvmmmu:*' "$@"
	set -- perf record -q -a -m 4096 -z -o "$T/packed.data" -e 'kvm:*,kvmmmu:*' "$@"
	"$@" && test -s "$T/vmm.json"
}

# The same again where perf says that it lost events, which a busy machine makes it do.
all_whole()
{
	for try in 1 2 3; do
		all_at_once "$@" || return 1
		whole=yes
		for f in plain packed; do
			rm -f "$T/try.spht"
			"$SPHT_RECORD" -q --import="$T/$f.data" -o "$T/try.spht" 2>"$T/said" || whole=
		done
		rm -f "$T/try.spht"
		[ -z "$whole" ] || return 0
		echo "# try $try: $(head -n 1 "$T/said")"
	done
}

# guest FILE: what the guest's thread did, event by event with all fields, without times.
guest()
{
	"$SPHT_TRACE" dump --no-header "$1" | awk -F, -v pids="$(cat "$T/pids")" '
		BEGIN { split(pids, p, " "); for (i in p) guest[p[i]] = 1 }
		$3 in guest && $7 != "spht" { print $7 "," $8 "," $9 }'
}

# counts FILE: of what guest wrote, how often each event.
counts()
{
	cut -d , -f 1,2 "$1" | sort | uniq -c
}

# walkers FILE: the threads that walk guests' tables.
walkers()
{
	"$SPHT_TRACE" dump --no-header --event=kvm_mmu_pagetable_walk "$1" |
		cut -d , -f 3 | sort -u | tr '\n' ' '
}

# classes FILE: every column of the replay that counts exits.
classes()
{
	"$SPHT_REPLAY" --heuristic=none --csv="$T/row.csv" "$1" >/dev/null 2>&1
	python3 -c 'import csv, sys
for row in csv.DictReader(open(sys.argv[1])):
    for key, value in sorted(row.items()):
        if key.startswith(("exits", "pf_", "f_base")):
            print(key, value)' "$T/row.csv"
	rm -f "$T/row.csv"
}

for pattern in "sequential 3000" "unsync 50" "emul 50" "guest 500"; do
	# shellcheck disable=SC2086 # words
	check "all record $pattern at once" all_whole $pattern
	# perf -a sees every VM: only the thread of this guest is looked at.
	walkers "$T/live.spht" >"$T/pids"
	guest "$T/live.spht" >"$T/live.guest"
	counts "$T/live.guest" >"$T/live.counts"
	classes "$T/live.spht" >"$T/live.classes"
	check "the live recording has events" test -s "$T/live.counts"
	check "... and classes" grep -q '^pf_' "$T/live.classes"
	for f in plain packed; do
		check "perf's $f recording is imported without a loss" \
			"$SPHT_RECORD" -q --import="$T/$f.data" -o "$T/$f.spht"
		guest "$T/$f.spht" >"$T/import.guest"
		counts "$T/import.guest" >"$T/import.counts"
		same "... it has as many events of each type as the live recording" \
			"$T/import.counts" "$T/live.counts"
		same "... each with the same fields, in the same order" \
			"$T/import.guest" "$T/live.guest"
		if [ "$(walkers "$T/$f.spht")" != "$(cat "$T/pids")" ]; then
			skip "... and the same exits class by class" "other guests run here"
			continue
		fi
		classes "$T/$f.spht" >"$T/import.classes"
		same "... and the same exits class by class" "$T/import.classes" "$T/live.classes"
	done
done

finish
