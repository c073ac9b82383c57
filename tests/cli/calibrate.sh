#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-calibrate without measuring: usage, and how spht-replay finds it.  What it
# measures is looked at by tests/live/calibrate.sh.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

says()
{
	has "$1 says why" "$T/err" "$2"
}

mkdir "$T/alone"
cp "$SPHT_REPLAY" "$T/alone/spht-replay"
status 1 "spht-replay --calibrate fails where spht-calibrate is not" "$T/alone/spht-replay" --calibrate
says "a missing spht-calibrate" 'alone/spht-calibrate cannot be started: No such file'
# A stand-in that tells what it was called with.
printf '#!/bin/sh\necho "$@"\n' >"$T/alone/spht-calibrate"
chmod +x "$T/alone/spht-calibrate"
check "spht-replay --calibrate starts what lies beside it" "$T/alone/spht-replay" --calibrate
has "without a file the profile goes to standard output" "$T/out" '^-o -$'
check "spht-replay --calibrate=FILE starts it, too" "$T/alone/spht-replay" --calibrate=x.json
has "the file is handed on" "$T/out" '^-o x\.json$'
status 2 "--calibrate with a recording is refused" "$SPHT_REPLAY" --calibrate x.spht
says "--calibrate with a recording" 'stands alone'
status 2 "--calibrate after another option is refused" "$SPHT_REPLAY" --quiet --calibrate
status 2 "--calibrate= without a name is refused" "$SPHT_REPLAY" --calibrate=

if [ ! -x "$SPHT_CALIBRATE" ]; then
	skip "spht-calibrate refuses what it does not know" "spht-calibrate is built on x86-64 only"
	finish
fi
for bad in --runs=0 --runs=65 --runs=x --samples=999 --samples= --name= --name=a,b --output= extra; do
	status 2 "spht-calibrate $bad is refused" "$SPHT_CALIBRATE" "$bad"
	says "$bad" '^spht-calibrate: .*; see spht-calibrate --help$'
done
status 2 "an unknown option is refused" "$SPHT_CALIBRATE" --unknown
# One CPU: nobody could watch.
status 1 "one CPU is too few" taskset -c 0 "$SPHT_CALIBRATE" --lead
says "one CPU" 'one CPU only: .*two'

finish
