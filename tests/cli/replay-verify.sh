#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay --verify on real recordings: after every step each what-if holds what the
# recording's MMU holds, or knows that it lacks it.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

all="--heuristic=none --heuristic=nextline --heuristic=window:size=16 --heuristic=stride
	--heuristic=prefault --heuristic=oracle"
# Sanitized, one recording tells as much.
files="$TOP/traces/samples/kbuild-cc-1vcpu.spht"
if [ -z "$SPHT_SANITIZED" ]; then
	files="$files $TOP/traces/samples/kbuild-w1-1vcpu.spht $TOP/traces/samples/kbuild-w8-2vcpu.spht"
fi
for file in $files; do
	name=$(basename "$file" .spht)
	# shellcheck disable=SC2086
	check "$name: what-ifs hold the recording, or know what they lack" "$SPHT_REPLAY" --verify \
		--quiet $all --csv=verified.csv "$file"
	# shellcheck disable=SC2086
	check "  with results that do not depend on the looking" "$SPHT_REPLAY" --quiet $all \
		--csv=plain.csv "$file"
	same "  byte for byte" verified.csv plain.csv
done
# shellcheck disable=SC2086
check "so it is where KVM has too few shadow pages for all" "$SPHT_REPLAY" --verify --quiet $all \
	--heuristic=rebuild --heuristic=recency --heuristic=markov --heuristic=hybrid \
	--mmu-pages=64 --csv=few.csv "$TOP/traces/samples/kbuild-cc-1vcpu.spht"
finish
