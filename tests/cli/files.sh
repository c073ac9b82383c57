#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files that cannot be read or written, are no files, or are one another; standard streams that
# are closed, full or read by nobody: each time one message, the right status, and no output
# that looks whole.  What fails at a call of the system is tried by faults.sh.
# shellcheck disable=SC2016 # words for another shell
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1
chmod 755 "$T"
mkdir bin folder inputs
cp "$SPHT_TRACE" "$SPHT_REPLAY" bin/
[ ! -x "$SPHT_RECORD" ] || cp "$SPHT_RECORD" bin/
[ ! -x "$SPHT_CALIBRATE" ] || cp "$SPHT_CALIBRATE" bin/
PATH=$T/bin:$PATH
# Leaks where a program ends at once are no matter of this test.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
check "mktrace builds a recording" "$SPHT_MKTRACE" -o inputs/ok.spht "$TOP/tests/data/replay-golden.txt"
"$TOP/tests/tools/mktracedat.py" synth inputs/ok.dat rounds=10 pages=2
spht-trace dump inputs/ok.spht >dump.csv
spht-replay --heuristic=none --csv=ok.csv --quiet inputs/ok.spht
cp inputs/ok.spht ok.spht
cp inputs/ok.dat ok.dat
record=
[ ! -x bin/spht-record ] || record=yes

# no_output: nothing was made, under no name.
no_output()
{
	[ -z "$(find . -name 'out*' ! -name out)" ]
}

# refused STATUS WHAT REGEX SHELL-COMMAND: one line on stderr, and no output.
refused()
{
	# A file that nobody writes to must not be waited for.
	status "$1" "$2" timeout 30 sh -c "$4" || return
	cp err message
	has "... it says why" message "^spht-[a-z]+( [a-z]+)?: .*($3)"
	check "... in one line" test "$(wc -l <message)" = 1
	check "... and leaves nothing" no_output
	rm -rf ./out.*
}

# Standard streams that are closed: their numbers must not go to an output.
refused 1 "a report to a closed stdout fails" 'stdout: cannot be written: Bad file descriptor' \
	'exec spht-replay --heuristic=none --csv=out.csv ok.spht >&-'
for closed in '>&-' '2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
	check "a table is written without a report and with $closed" sh -c "
		exec spht-replay --quiet --heuristic=none --csv=out.csv ok.spht $closed"
	same "... the same one" ok.csv out.csv
	check "a trace is packed anew with $closed" sh -c "exec spht-trace repack ok.spht -o out.spht $closed"
	check "... and is whole" spht-trace verify out.spht
	rm -f out.*
	[ -n "$record" ] || continue
	check "a trace.dat is imported with $closed" sh -c "exec spht-record --import=ok.dat -o out.spht $closed"
	check "... and is whole" spht-trace verify out.spht
	rm -f out.*
done
for command in 'spht-trace info ok.spht' 'spht-trace dump ok.spht' 'spht-trace verify ok.spht' \
	'spht-trace --help' 'spht-trace dump --help' 'spht-trace --version' 'spht-trace repack ok.spht -o -' \
	'spht-replay --help' 'spht-replay --version' 'spht-replay --heuristic=help' \
	'spht-replay --heuristic=none ok.spht' 'spht-replay --heuristic=none --csv=- ok.spht' \
	'spht-replay --heuristic=none --json=- ok.spht' \
	'spht-replay --heuristic=none --list-configurations' \
	${record:+'spht-record --help' 'spht-record --version' 'spht-record --import=ok.dat -q -o -'}; do
	refused 1 "'$command' to a closed stdout fails" 'Bad file descriptor|Is a directory' "exec $command >&-"
	refused 1 "'$command' to a full disk fails" 'No space left on device' "exec $command >/dev/full"
done
if [ -x bin/spht-calibrate ]; then
	refused 1 "'spht-calibrate --help' to a full disk fails" 'No space left on device' \
		'exec spht-calibrate --help >/dev/full'
fi
refused 1 "a closed stdin fails" 'stdin: .*cannot' 'exec spht-trace verify - <&-'
refused 1 "... of spht-replay as well" 'cannot' 'exec spht-replay --heuristic=none --csv=out.csv - <&-'
[ -z "$record" ] || refused 1 "... and of spht-record" 'stdin.*cannot' \
	'exec spht-record --import=- -o out.spht <&-'

# A message that nobody can be told must not go into an output, whose number would be stderr's.
check "mktrace builds a recording with losses" "$SPHT_MKTRACE" -o loss.spht "$TOP/tests/data/edge-loss-gap.txt"
check "it replays" spht-replay --quiet --heuristic=none --csv=loss.csv loss.spht
has "... with a word on stderr" err 'THE RECORDING LOST EVENTS'
check "it does with stderr closed as well" sh -c \
	'exec spht-replay --quiet --heuristic=none --csv=out.csv loss.spht 2>&-'
same "... to the same table" loss.csv out.csv
rm -f out.*

# A reader that has seen enough.
for command in 'spht-trace dump ok.spht' 'spht-replay --heuristic=none --explain ok.spht'; do
	check "'$command | head -n 1' ends, and says nothing" sh -c '
		said=$( (eval "$1" | head -n 1 >/dev/null) 2>&1); [ -z "$said" ]' - "$command"
done

# What is no file.
mkfifo fifo
refused 1 "a folder is no trace" 'folder: is a directory' 'exec spht-trace info folder'
refused 1 "... for spht-replay" 'folder: is a directory' 'exec spht-replay --heuristic=none --csv=out.csv folder'
refused 1 "... on stdin" 'stdin: is a directory' 'exec spht-trace info - <folder'
refused 1 "a folder is no cost profile" 'folder: cannot be read: Is a directory' \
	'exec spht-replay --heuristic=none --costs=folder --csv=out.csv ok.spht'
refused 1 "a folder is no table" 'folder: cannot be created: Is a directory' \
	'exec spht-replay --heuristic=none --csv=folder ok.spht'
refused 1 "a folder is no output" 'folder: cannot create: Is a directory' \
	'exec spht-trace repack -f ok.spht -o folder'
refused 1 "a folder is no plugin" 'folder: no regular file' 'exec spht-replay --heuristic=./folder ok.spht'
refused 1 "a FIFO is no plugin, and nobody waits for it" 'fifo: no regular file' \
	'exec spht-replay --heuristic=./fifo ok.spht'
if [ -n "$record" ]; then
	refused 1 "a folder is no trace.dat" 'folder: is a directory' 'exec spht-record --import=folder -o out.spht'
	refused 1 "a folder is no output of an import" 'folder: is not a plain file' \
		'exec spht-record -f --import=ok.dat -o folder'
	refused 1 "a FIFO is no output of an import" 'fifo: is not a plain file' \
		'exec spht-record -f --import=ok.dat -o fifo'
	check "a trace.dat is read from a FIFO" timeout 30 sh -c 'cat ok.dat >fifo & exec spht-record -q --import=fifo -o out.spht'
	check "... as a whole" spht-trace verify out.spht
	rm -f out.*
fi
check "a trace is read from a FIFO" timeout 30 sh -c 'cat ok.spht >fifo & exec spht-trace dump fifo'
same "... as a whole" dump.csv out
refused 1 "a FIFO that brings nothing is empty" 'fifo: .*is empty' ': >fifo & exec spht-trace verify fifo'
refused 1 "half a trace from a FIFO is no trace" 'fifo: .*(cut off|ends inside)' \
	'head -c 3000 ok.spht >fifo & exec spht-replay --heuristic=none --csv=out.csv fifo'
refused 2 "what is to be read twice is no FIFO" 'cannot take stdin or a pipe' 'exec spht-trace dump --vcpu=0 fifo'
refused 2 "... for spht-replay" 'read twice: not stdin or a pipe' \
	'exec spht-replay --heuristic=none --explain=1 fifo'
sed 's/"prefetch_window":8/"memslots":[]/' "$TOP/tests/data/replay-golden.txt" >unknown.txt
"$SPHT_MKTRACE" -o unknown.spht unknown.txt
check "a recording that shows more than its header says replays" spht-replay --quiet --heuristic=none \
	--csv=twice.csv unknown.spht
check "a table is written to a FIFO" timeout 30 sh -c 'cat fifo >got.csv & spht-replay --quiet --heuristic=none --csv=fifo ok.spht && wait'
same "... as a whole" ok.csv got.csv

# An output that is the input, under whatever name.
ln -s ok.spht link.spht
ln ok.spht hard.spht
for name in ok.spht link.spht hard.spht ./folder/../ok.spht; do
	refused 2 "spht-trace does not write over its input ($name)" 'is the file that is read' \
		"exec spht-trace repack -f ok.spht -o $name"
	refused 2 "... nor spht-replay" 'would be replaced by its own results' \
		"exec spht-replay --heuristic=none --csv=$name ok.spht"
	same "... which is as it was" inputs/ok.spht ok.spht
done
if [ -n "$record" ]; then
	refused 1 "spht-record does not write over its input" 'is the file to be imported' \
		'exec spht-record -f --import=ok.dat -o ok.dat'
	same "... which is as it was" inputs/ok.dat ok.dat
fi

# Permissions.  root may do everything, so somebody else tries, who may not enter the folders above.
nobody=
if [ "$(id -u)" = 0 ]; then
	nobody="setpriv --reuid=65534 --regid=65534 --clear-groups --"
	$nobody ./bin/spht-trace --version >/dev/null 2>&1 || nobody=no
fi
if [ "$nobody" = no ]; then
	skip "a file that may not be read or written" "root, and setpriv cannot run the programs as somebody else"
else
	cp ok.spht secret.spht
	cp ok.dat secret.dat
	chmod 0 secret.spht secret.dat
	mkdir closed
	chmod 555 closed
	refused 1 "a trace that may not be read" 'secret.spht: .*Permission denied' \
		"exec $nobody ./bin/spht-trace info secret.spht"
	refused 1 "... for spht-replay" 'secret.spht: .*Permission denied' \
		"exec $nobody ./bin/spht-replay --heuristic=none secret.spht"
	refused 1 "a cost profile that may not be read" 'secret.dat: .*Permission denied' \
		"exec $nobody ./bin/spht-replay --costs=secret.dat --heuristic=none ok.spht"
	refused 1 "a folder that may not be written to, a table" 'closed/out.csv: cannot be created: Permission denied' \
		"exec $nobody ./bin/spht-replay --heuristic=none --csv=closed/out.csv ok.spht"
	refused 1 "... a trace" 'closed/out.spht: cannot create: Permission denied' \
		"exec $nobody ./bin/spht-trace repack ok.spht -o closed/out.spht"
	refused 1 "TMPDIR that may not be written to" 'closed: .*Permission denied.*TMPDIR' \
		"exec $nobody env TMPDIR=closed ./bin/spht-replay --memory=0 --heuristic=none ok.spht"
	if [ -n "$record" ]; then
		refused 1 "a trace.dat that may not be read" 'secret.dat: .*Permission denied' \
			"exec $nobody ./bin/spht-record --import=secret.dat -o out.spht"
		refused 1 "... an import into it" 'closed/out.spht.*Permission denied' \
			"exec $nobody ./bin/spht-record --import=ok.dat -o closed/out.spht"
	fi
fi

# A file system that takes nothing.
mkdir still
if [ "$(id -u)" = 0 ] && unshare -m mount -t tmpfs -o ro none still 2>/dev/null; then
	still='exec unshare -m sh -c "mount -t tmpfs -o ro none still && exec \$*" -'
	refused 1 "a table on a read-only file system" 'still/out.csv: cannot be created: Read-only file system' \
		"$still spht-replay --heuristic=none --csv=still/out.csv ok.spht"
	refused 1 "a trace on a read-only file system" 'still/out.spht: cannot create: Read-only file system' \
		"$still spht-trace repack ok.spht -o still/out.spht"
	refused 1 "TMPDIR on a read-only file system" 'still: .*Read-only file system.*TMPDIR' \
		"$still env TMPDIR=still spht-replay --memory=0 --heuristic=none ok.spht"
	[ -z "$record" ] || refused 1 "an import to a read-only file system" 'still/out.spht.*Read-only file system' \
		"$still spht-record --import=ok.dat -o still/out.spht"
else
	skip "a file system that is read-only" "only root may mount one"
fi

# Scripts: what standard output does not take is told in one line, whoever buffers.
python=$(python3 -c 'import sys; print(sys.executable)')
# told SCRIPT SHELL-WORDS CAUSE: with a stdout that is redirected so it ends with status 1.
told()
{
	status 1 "scripts/$1 $2 fails" sh -c 'python=$1 && shift && exec "$python" "$@" '"$2" - "$python" \
		"$TOP/scripts/$1"
	cp err message
	has "... it says why" message "^$1: standard output: $3\$"
	check "... in one line" test "$(wc -l <message)" = 1
}
for script in plot report sweep tables artifact results; do
	told $script '--help >/dev/full' 'No space left on device'
	told $script '--help >&-' 'Bad file descriptor'
done
told tables 'fidelity ok.spht >/dev/full' 'No space left on device'
told report '--no-figures -o page.html ok.spht >/dev/full' 'No space left on device'
check "... and the page that it wrote is whole" sh -c 'tail -n 1 page.html | grep -q "</html>"'
status 1 "a page whose name nobody can be told of is a failure" sh -c '
	exec "$1" "$2/scripts/report" --no-figures -o closed.html ok.spht <&- >&- 2>&-' - "$python" "$TOP"
same "... with all standard streams closed it is the same page" page.html closed.html
check "scripts/tables ends when its reader has seen enough, and says nothing" sh -c '
	said=$( ("$1" "$2/scripts/tables" fidelity ok.spht | head -n 1 >/dev/null) 2>&1); [ -z "$said" ]' - "$python" "$TOP"

finish
