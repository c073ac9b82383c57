#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The profiles of spht-record: a recording with fewer events must replay to the
# same figures, or the profile is too small.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

SAMPLE=$TOP/traces/samples/kbuild-w8-1vcpu.spht
[ -e "$SAMPLE" ] || SAMPLE=$TOP/traces/samples/kbuild-cc-1vcpu.spht

# What is left out of the comparison are the names of the files and their sizes.
figures()
{
	"$SPHT_REPLAY" --heuristic=none --heuristic=window --heuristic=prefault --csv="$T/$1.csv" \
		"$2" >"$T/$1.txt" || return
	python3 -c 'import csv, sys
for row in csv.DictReader(open(sys.argv[1])):
    print({k: v for k, v in row.items() if k not in ("trace", "trace_sha256", "events")})' \
		"$T/$1.csv" >"$T/$1"
}

check "the recording replays" figures whole "$SAMPLE"
for profile in full shadow minimal; do
	check "it can be cut down to profile $profile" \
		"$BUILD/tests/profilecut" $profile "$SAMPLE" "$T/$profile.spht"
	check "that replays" figures $profile "$T/$profile.spht"
	same "to the same figures" "$T/whole" "$T/$profile"
done
finish
