#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Streams at the edges of the model, each of which it once got wrong.
. "$(dirname "$0")/lib.sh"

cd "$T" || exit 1

# replay NAME OPTION...: replays tests/data/edge-NAME.txt to NAME.csv and NAME.json.
replay()
{
	name=$1
	shift
	check "edge-$name can be built" "$SPHT_MKTRACE" -o "$name.spht" "$TOP/tests/data/edge-$name.txt"
	check "edge-$name replays, its books closed" "$SPHT_REPLAY" "$@" --quiet \
		--csv="$name.csv" --json="$name.json" "$name.spht"
}

# column NAME COLUMN HEURISTIC: the value in its first row.
column()
{
	awk -F, -v c="$2" -v h="$3" '
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
		$(at["heuristic"]) == h { print $(at[c]); exit }' "$1.csv"
}

replay oracle-path --heuristic=none --heuristic=oracle --heuristic=nextline:degree=2,cross=1
check "the oracle may link a path above an entry that is there" \
	test "$(column oracle-path avoided oracle)" -ge "$(column oracle-path avoided nextline)"
check "and something is avoidable by that" test "$(column oracle-path avoided nextline)" -gt 0

replay loss-gap --heuristic=nextline:degree=2,cross=1
check "strict proves nothing across lost events" test "$(column loss-gap avoided_lo nextline)" -eq 0
check "the lost events are counted" test "$(column loss-gap lost_events nextline)" -gt 0

replay remapped --heuristic=none
has "write protection finds an entry that maps another page than at first" remapped.json \
	'"hidden_p1_weak": 2'
has "and nothing is believed strong where the hardware refused" remapped.json \
	'"hidden_p1_strong": 0'

for name in old-l2 old-l2-again; do
	replay "$name" --heuristic=none
	check "a level-2 page older than the trace loses its links with its zap ($name)" \
		test "$(column "$name" unexplained none)" -eq 0
	check "no check is missed for it ($name)" test "$(column "$name" fidelity_pct none)" = 100
done

replay set-twice --heuristic=none
# All pages are zapped after the fault was served and before the guest goes on.
replay late-zap --heuristic=none --heuristic=window
finish
