# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Sourced by check.sh with FULL=1: the README's two commands from nothing, in the same root
# without our packages, of a clone of the tree as it was committed.

check "the tree is cloned into the root" git clone -q --no-hardlinks "$TOP" "$ROOT/home/spht"
check "make and git are there for it" install_debs make git ca-certificates

# timed NAME COMMAND...: its log is kept, and how long it took.
timed()
{
	name=$1
	shift
	began=$(date +%s)
	inside sh -c 'cd /home/spht && exec "$@"' sh "$@" >"$CACHE/$name.log" 2>&1
	result=$?
	echo "# $name: $(($(date +%s) - began)) s; $CACHE/$name.log ends:"
	tail -n 3 "$CACHE/$name.log" | sed 's/^/#   /'
	return "$result"
}
timed demo make demo
result=$?
check "make demo, from nothing, succeeds" test "$result" = 0
has "  and made its table" "$ROOT/home/spht/demo.csv" ',stride,'
timed check make check
result=$?
check "make check, from nothing, succeeds" test "$result" = 0
has "  and no test failed" "$CACHE/check.log" '^[0-9]+ passed, 0 failed'
cp -n "$ROOT"/var/cache/apt/archives/*.deb "$CACHE/debs/" 2>/dev/null
