# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Sourced by every tests/cli/*.sh as its first command:
#
#	. "$(dirname "$0")/lib.sh"
#	check "a sentence that is true when it passes" cmd args...
#	finish
#
# Every result is one line "ok - sentence", "not ok - sentence" or
# "skip - sentence # reason", which tests/run counts; lines that begin with #
# explain.  What the last check or status printed stays in $T/out and $T/err.
#
# A script may be run by itself: tests/cli/x.sh, or BUILD=dir tests/cli/x.sh.

set -u

TOP=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
BUILD=${BUILD:-build}
case $BUILD in
/*) ;;
*) BUILD=$TOP/$BUILD ;;
esac

SPHT_TRACE=${SPHT_TRACE:-$BUILD/spht-trace}
SPHT_REPLAY=${SPHT_REPLAY:-$BUILD/spht-replay}
SPHT_RECORD=${SPHT_RECORD:-$BUILD/spht-record}
SPHT_CALIBRATE=${SPHT_CALIBRATE:-$BUILD/spht-calibrate}
SPHT_MKTRACE=${SPHT_MKTRACE:-$BUILD/tests/mktrace}
SPHT_TRACEDAT_CSV=${SPHT_TRACEDAT_CSV:-$BUILD/tests/tracedat-csv}
# Recordings too large for the repository; empty where there are none.
SHARED=${SHARED-}
if [ -z "$SHARED" ] && [ -d "$TOP/../shared" ]; then
	SHARED=$(cd "$TOP/../shared" && pwd)
fi
export TOP BUILD SHARED SPHT_TRACE SPHT_REPLAY SPHT_RECORD SPHT_CALIBRATE SPHT_MKTRACE SPHT_TRACEDAT_CSV
# 1 under make check-asan, where everything is several times slower: a script
# may do less of the same then, and skips what only repeats the plain run.
SPHT_SANITIZED=${SPHT_SANITIZED-}
export SPHT_SANITIZED

# Order, messages and numbers must not depend on who runs the tests.
LC_ALL=C
TZ=UTC
export LC_ALL TZ

T=$(mktemp -d "${TMPDIR:-/tmp}/spht-test.XXXXXX") || exit 1
export T
: >"$T/out"
: >"$T/err"
lib_failed=0
lib_finished=0

lib_exit()
{
	lib_status=$?
	# A script that stops halfway must not look like one that passed.
	if [ "$lib_finished" = 0 ]; then
		echo "not ok - $(basename "$0") runs to its end"
		lib_status=1
	fi
	rm -rf "$T"
	exit "$lib_status"
}
trap lib_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# lib_not_ok SENTENCE FILE: FILE explains.
lib_not_ok()
{
	lib_failed=$((lib_failed + 1))
	echo "not ok - $1"
	sed 's/^/#   /' "$2"
	return 1
}

# lib_tail FILE NAME: the end of a file, bounded, for an explanation.
lib_tail()
{
	[ -s "$1" ] || return 0
	echo "$2:"
	tail -n 20 "$1" | cut -c 1-400 | sed 's/^/  /'
}

lib_sanitizer()
{
	grep -qE '(Address|Leak|Thread|UndefinedBehavior)Sanitizer|: runtime error: ' "$T/err"
}

# status N SENTENCE CMD...: passes when CMD exits with N.  A death by signal
# (128 + its number in the shell) and a sanitizer's report never pass.
status()
{
	lib_want=$1
	lib_what=$2
	shift 2
	"$@" >"$T/out" 2>"$T/err"
	lib_rc=$?
	if [ "$lib_rc" -eq "$lib_want" ] && [ "$lib_rc" -lt 126 ] && ! lib_sanitizer; then
		echo "ok - $lib_what"
		return 0
	fi
	{
		echo "command: $*"
		if [ "$lib_rc" -gt 128 ]; then
			echo "killed by signal $((lib_rc - 128)), wanted exit status $lib_want"
		else
			echo "exit status $lib_rc, wanted $lib_want"
		fi
		lib_tail "$T/err" stderr
		lib_tail "$T/out" stdout
	} >"$T/.why"
	lib_not_ok "$lib_what" "$T/.why"
}

# check SENTENCE CMD...: passes when CMD exits with 0.
check()
{
	lib_sentence=$1
	shift
	status 0 "$lib_sentence" "$@"
}

# has SENTENCE FILE REGEX: passes when a line of FILE matches (grep -E).
has()
{
	if grep -qE -e "$3" -- "$2" 2>"$T/.why"; then
		echo "ok - $1"
		return 0
	fi
	{
		echo "no line of $2 matches: $3"
		lib_tail "$2" "its end"
	} >>"$T/.why"
	lib_not_ok "$1" "$T/.why"
}

# lacks SENTENCE FILE REGEX: passes when FILE can be read and no line matches.
lacks()
{
	if grep -nE -e "$3" -- "$2" >"$T/.match" 2>"$T/.why"; then
		{
			echo "these lines of $2 match: $3"
			head -n 10 "$T/.match"
		} >"$T/.why"
	elif [ -r "$2" ] && [ ! -s "$T/.why" ]; then
		echo "ok - $1"
		return 0
	fi
	lib_not_ok "$1" "$T/.why"
}

# same SENTENCE FILE_A FILE_B: passes when both have the same bytes.
same()
{
	if cmp -s -- "$2" "$3"; then
		echo "ok - $1"
		return 0
	fi
	{
		cmp -- "$2" "$3" 2>&1
		diff -u -- "$2" "$3" 2>&1 | head -n 30 | cut -c 1-400
	} >"$T/.why"
	lib_not_ok "$1" "$T/.why"
}

# cells FILE.csv COLUMN...: these columns, one line for each row; an empty one is "-".
cells()
{
	cells_file=$1
	shift
	awk -F, -v want="$*" '
	NR == 1 {
		for (i = 1; i <= NF; i++)
			at[$i] = i
		n = split(want, name, " ")
		next
	}
	{
		line = ""
		for (i = 1; i <= n; i++) {
			cell = name[i] in at ? $at[name[i]] : "no-such-column"
			line = line (i > 1 ? " " : "") (cell == "" ? "-" : cell)
		}
		print line
	}' "$cells_file"
}

# row_columns: the first line of a table of results.
row_columns()
{
	head -n 1 "$TOP/tests/data/replay-golden.csv"
}

# rows FILE: a table of the results on standard input, with everything else filled in.
rows()
{
	"$TOP/tests/tools/mkrows.py" "$(row_columns)" >"$1"
}

# unwritten FILE...: neither is there, nor what it is before it has its name.
unwritten()
{
	for lib_file in "$@"; do
		set -- "$lib_file" "$lib_file".*part
		[ ! -e "$1" ] && [ ! -e "$2" ] || return 1
	done
}

# skip SENTENCE REASON: it cannot be tried here, and why.
skip()
{
	echo "skip - $1 # $2"
}

# finish: the last command of a script.
finish()
{
	lib_finished=1
	[ "$lib_failed" = 0 ] || exit 1
	exit 0
}
