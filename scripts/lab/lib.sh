# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Sourced by the scripts of the lab: messages, options, clean-up.

LC_ALL=C
export LC_ALL
LAB=$(cd "$(dirname "$0")" && pwd) || exit 1
TOP=$(cd "$LAB/../.." && pwd) || exit 1
BUILD=${BUILD:-build}
case $BUILD in
/*) ;;
*) BUILD=$TOP/$BUILD ;;
esac
CACHE=${SPHT_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/spht-lab}
# What the kernel shows of itself; tests point it elsewhere.
SYSFS=${SPHT_LAB_SYSFS:-/sys}
me=${0##*/}
started=$(date +%s)
RUN=
QEMU_PID=

say()
{
	printf '[%4d s] %s\n' $(($(date +%s) - started)) "$*" >&2
}

die()
{
	echo "$me: $*" >&2
	exit 1
}

usage()
{
	echo "$me: $*; $me --help tells what can be said" >&2
	exit 2
}

# The comment at the top of a script is its help.
help()
{
	sed -n '4,/^$/s/^# \{0,1\}//p' "$0"
	exit 0
}

# number OPTION VALUE MIN MAX
number()
{
	case $2 in
	'' | *[!0-9]* | ???????*) usage "$1=$2: a number from $3 to $4 is expected" ;;
	esac
	if [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
		usage "$1=$2: a number from $3 to $4 is expected"
	fi
}

# tell OPTION VALUE: no value may end or join a word of the files it is written to.
plain()
{
	case $2 in
	'' | *[!A-Za-z0-9_./=,:+-]*) usage "$1=$2: letters, digits and _./=,:+- are expected" ;;
	esac
}

# What runs in the background ends with us, even if we are killed: with_us COMMAND...
with_us()
{
	exec setpriv --pdeathsig TERM -- "$@"
}

end_qemu()
{
	[ -n "$QEMU_PID" ] || return 0
	kill "$QEMU_PID" 2>/dev/null || :
	lab_wait=0
	while kill -0 "$QEMU_PID" 2>/dev/null && [ $lab_wait -lt "${END_WAIT:-50}" ]; do
		sleep 0.1
		lab_wait=$((lab_wait + 1))
	done
	kill -9 "$QEMU_PID" 2>/dev/null || :
	wait "$QEMU_PID" 2>/dev/null || :
	QEMU_PID=
}

lab_exit()
{
	lab_status=$?
	trap '' INT TERM HUP
	end_qemu
	if [ -n "${PART_TMP-}" ]; then
		rm -rf "$PART_TMP"
	fi
	if [ -n "$RUN" ]; then
		keep_log $lab_status
		rm -rf "$RUN"
	fi
	exit "$lab_status"
}

# The console log outlives a run that failed, or any if it was asked for.
keep_log()
{
	[ -s "$RUN/console.log" ] || return 0
	case $1 in
	0 | 4) [ -n "${KEEP_LOG-}" ] || return 0 ;;
	esac
	lab_log=$CACHE/logs/$(date -u +%Y%m%dT%H%M%SZ)-$$.log
	mkdir -p "$CACHE/logs" || return 0
	tr -d '\r' <"$RUN/console.log" >"$lab_log" || return 0
	echo "$me: console of L1 and L2: $lab_log" >&2
}

start_run()
{
	RUN=$(mktemp -d "${TMPDIR:-/tmp}/spht-lab.XXXXXX") || exit 1
	mkdir -p "$RUN/share/in" "$RUN/share/out" || exit 1
}

trap lab_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
