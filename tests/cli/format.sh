#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# docs/trace-format.md is exact enough: a second reader, written from it alone, agrees with ours.
. "$(dirname "$0")/lib.sh"

if ! command -v python3 >/dev/null || ! command -v zstd >/dev/null; then
	skip "a second reader agrees with ours" "python3 or zstd is missing"
	finish
	exit
fi

# agree NAME FILE: both readers print the same, and something.
agree()
{
	check "our reader reads $1" sh -c '"$1" dump --format=csv "$2" >"$3"' sh \
		"$SPHT_TRACE" "$2" "$T/ours.csv"
	check "a second reader, from the document alone, reads $1" \
		sh -c 'python3 "$1" "$2" >"$3"' sh "$TOP/tests/format_reader.py" "$2" "$T/second.csv"
	same "both readers print the same events of $1" "$T/ours.csv" "$T/second.csv"
	check "$1 has events" test "$(wc -l <"$T/ours.csv")" -gt 20
}

check "a small trace is made" "$SPHT_MKTRACE" -o "$T/small.spht" "$TOP/tests/data/replay-golden.txt"
agree "a hand-written trace" "$T/small.spht"

sample=$TOP/traces/samples/kbuild-cc-1vcpu.spht
check "two seconds are cut from the bundled recording" \
	"$SPHT_TRACE" cut "$sample" -o "$T/cut.spht" --last=2
agree "a cut of a real recording, preamble and all" "$T/cut.spht"
finish
