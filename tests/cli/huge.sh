#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A small `make check-huge`: a recording that is repeated, in bounded address space.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

if [ -n "$SPHT_SANITIZED" ]; then
	skip "a repeated recording streams in bounded memory" "a sanitizer maps terabytes"
	finish
fi
check "seven million events stream through all programs in 320 MiB of address space" \
	"$TOP/tests/huge" --events=7e6 --memory=16 --limit=320 --dir="$T"
has "... each sees all of them" "$T/out" '^0 wrong$'
status 1 "a disk that is too small is told before anything is written" "$TOP/tests/huge" --events=1e15 --dir="$T"
has "... with what it takes" "$T/err" '^huge: .* GB are needed, .* are free; --dir=DIR names another place'
status 1 "memory that is not enough is an error" "$TOP/tests/huge" --events=3e6 --limit=32 --dir="$T"
has "... which the program tells" "$T/err" '^huge: .*: exit status 1: spht-[a-z]+: .*memory'
echo mine >"$T/huge.spht"
status 1 "a recording that is there is not written over" "$TOP/tests/huge" --events=1 --keep --dir="$T"
has "... and what to do is told" "$T/err" '^huge: .*/huge\.spht: exists; remove it, take it with --file='
check "... it is as it was" test "$(cat "$T/huge.spht")" = mine
rm "$T/huge.spht"
ln -s nowhere "$T/huge.spht"
status 1 "... nor is a link followed" "$TOP/tests/huge" --events=1 --keep --dir="$T"
check "... whose end is still not there" test ! -e "$T/nowhere"
check "nothing is left behind" sh -c '[ -z "$(ls -d "$1"/spht-huge.* 2>/dev/null)" ]' - "$T"

finish
