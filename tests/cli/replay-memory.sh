#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What spht-replay keeps in memory: what grows with the recording goes to a
# temporary file, which changes no result, leaves nothing behind, and says what
# is wrong when it has no place.
# shellcheck disable=SC2016 # words for another shell
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

REPEAT=$BUILD/tests/repeat
SAMPLE=$TOP/traces/samples/kbuild-w8-1vcpu.spht
TWO=$TOP/traces/samples/kbuild-w8-2vcpu.spht
several='--heuristic=none --heuristic=window:size=16 --heuristic=stride'
cd "$T" || exit 1
mkdir tmp

# in_memory MIB FILE CSV ARG...: replays several heuristics.
in_memory()
{
	mib=$1
	shift
	file=$1
	shift
	csv=$1
	shift
	# shellcheck disable=SC2086
	TMPDIR=$T/tmp "$SPHT_REPLAY" --quiet $several --memory="$mib" --csv="$csv" "$@" "$file"
}

for name in "$SAMPLE" "$TWO"; do
	base=$(basename "$name" .spht)
	check "$base is replayed in memory" in_memory 1024 "$name" all.csv
	check "$base is replayed from a file" in_memory 0 "$name" none.csv
	same "  with the same results" all.csv none.csv
	check "$base is replayed with a part in a file, by three threads" \
		in_memory 9 "$name" some.csv -j3
	same "  with the same results" all.csv some.csv
done
check "the temporary file leaves nothing behind" rmdir tmp

# no_room REGEX ENV...: fails with one line that matches, and without a table.
no_room()
{
	no_room_regex=$1
	shift
	rm -f n.csv*
	status 1 "no room for the temporary file is an error" env "$@" "$SPHT_REPLAY" \
		--heuristic=none --memory=0 --csv=n.csv --quiet "$SAMPLE" || return 1
	cp err err1
	has "  it says: $no_room_regex" err1 "^spht-replay: $SAMPLE: .*$no_room_regex"
	has "  and what to do" err1 'set TMPDIR to a folder with room, or --memory=MIB'
	check "  in one line, and no table is left" \
		sh -c '[ "$(wc -l <err1)" = 1 ] && [ -z "$(ls | grep "^n\.csv")" ]'
}

no_room '/nonexistent/tmp: .*cannot be made: No such file or directory' TMPDIR=/nonexistent/tmp
no_room "$T/n.file: .*cannot be made: Not a directory" TMPDIR="$T/n.file" sh -c \
	': >"$TMPDIR"; exec "$@"' sh
# The limit of a file's size stands in for a full disk.
no_room "$T: .*cannot be written: File too large .4 MiB so far" TMPDIR="$T" sh -c \
	'ulimit -f 8192; exec "$@"' sh

check "a recording that memory has room for needs no temporary file" env TMPDIR=/nonexistent/tmp \
	"$SPHT_REPLAY" --heuristic=none --memory=1024 --quiet "$SAMPLE"

# rss N: peak memory in KiB of a replay of the sample, N times in a row.
rss()
{
	"$REPEAT" "$1" "$SAMPLE" n.spht || return 1
	"$SPHT_REPLAY" --heuristic=none --memory=2 --quiet --timing n.spht 2>&1 |
		sed -n 's/^timing:.* maxrss_kb=//p'
}

flat()
{
	once=$(rss 1)
	four=$(rss 4)
	echo "once $once KiB, four times $four KiB" >&2
	[ "$once" -gt 0 ] && [ "$((four * 100))" -le "$((once * 115))" ]
}

# rules_rss RULES: peak memory in KiB where many requests pass through the queue.
rules_rss()
{
	"$SPHT_REPLAY" --heuristic=window:size=64 --rules="$1" --quiet --timing "$SAMPLE" 2>&1 |
		sed -n 's/^timing:.* maxrss_kb=//p'
}

# Without time the queue has room for a million, and hardly ever one in it.
queue_is_small()
{
	all=$(rules_rss all)
	untimed=$(rules_rss prefetch)
	echo "all $all KiB, prefetch $untimed KiB" >&2
	[ "$all" -gt 0 ] && [ "$((untimed * 100))" -le "$((all * 115))" ]
}

if [ -n "$SPHT_SANITIZED" ]; then
	skip "a queue takes memory for what is in it" "a sanitizer's memory is counted too"
	skip "a recording four times as long takes no more memory" "a sanitizer's memory is counted too"
else
	check "a queue takes memory for what is in it, not for its limit" queue_is_small
	check "a recording four times as long takes no more memory (15 %)" flat
fi

finish
