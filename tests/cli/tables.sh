#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/tables: what it refuses, and tables of a recording written by hand whose
# base faults are known (replay-golden.sh): 12 in all, 4 of them in steps 11 to 20.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

tables()
{
	"$TOP/scripts/tables" "$@"
}

# usage SENTENCE REGEX ARG...: exit status 2, one message, no table.
usage()
{
	usage_what=$1
	usage_regex=$2
	shift 2
	status 2 "$usage_what is refused" tables "$@"
	cp out last
	has "  it says: $usage_regex" err "$usage_regex"
	check "  and prints no table" test ! -s last
}

# The marks make before step 11, one object compiled, end before step 21.
awk '
/^#ledger/ { next }
/^#header/ { sub(/\{/, "{\"marks\":{\"names\":{\"2\":\"make\",\"3\":\"end\",\"4\":\"lib/a.o\"}},") }
/^# Step 11:/ { print "pid=70 cpu=0 kvm_pio rw=1 port=0x5f0 size=4 count=1 val=2" }
/^# Step 12:/ { print "kvm_pio rw=1 port=0x5f0 size=4 count=1 val=4" }
/^# Step 21:/ { print "kvm_pio rw=1 port=0x5f0 size=4 count=1 val=3" }
{ print }' "$TOP/tests/data/replay-golden.txt" >marked.txt
check "a recording with marks can be written" "$SPHT_MKTRACE" -o marked.spht marked.txt
check "one without marks can be written" \
	"$SPHT_MKTRACE" -o plain.spht "$TOP/tests/data/replay-golden.txt"

check "--help says what there is" tables --help
for kind in fidelity ablation bounds windows thesis; do
	has "  it tells of $kind" out "scripts/tables $kind"
done
status 2 "without a word it says the same, and fails" tables
usage "a table that there is none of" 'nothing: expected one of fidelity' nothing marked.spht
usage "a table of nothing" 'which FILE' fidelity
usage "an option that there is none of" '--all: no such option' fidelity --all marked.spht
usage "a number of threads that is none" '-j x: expected a number' fidelity -j x marked.spht
usage "a prediction of nothing" '--from FILE... --to FILE' windows --from marked.spht

check "the model is held against a recording" tables fidelity plain.spht
cp out table
has "  the recording has its row, with its base faults" table '^\| plain \|.* 12 \|$'
check "  its checksum stands below" \
	grep -qx "\* plain.spht: sha256 $(sha256sum plain.spht | cut -d' ' -f1)" table
check "  again" tables fidelity plain.spht
same "  the same bytes" table "$T/out"

check "a recording with marks is replayed" tables bounds --heuristic=none marked.spht
has "  from make to end, if nobody says otherwise" out \
	'^\| marked \| none \| 4 \| 0 \| 0 \| 0 \| 0\.00 \| ordered \|$'
check "  or in the region asked for" tables bounds --heuristic=none --roi=make.. marked.spht
has "  which here has all but the first ones" out '^\| marked \| none \| 7 \|'

check "a recording is predicted from itself" tables windows --from marked.spht --to marked.spht
has "  as what it is, for each object" out '^\| recorded with window [0-9]+ \| 1 \| 4 \|  \|$'
for world in strict inferred optimistic; do
	has "  in the $world world, too" out "^\| predicted, $world \| 1 \| 4 \| \+0\.00 \|\$"
done
status 1 "a recording without objects predicts nothing" \
	tables windows --from plain.spht --to marked.spht
has "  it says why" err 'plain\.spht: has no marks of compiled objects'

check "ablation has a column for each set of rules" tables ablation plain.spht
has "  and a row for each heuristic" out '^\| plain \| prefault \| 12 \|( [^|]+ \|){5}$'
has "  of which window is the other" out '^\| plain \| window:size=16 \| 12 \|'

head -c 1000 plain.spht >cut.spht
status 1 "a damaged recording ends it" tables fidelity plain.spht cut.spht
lacks "  without a table of the others" out plain
status 1 "so does one that is not there" tables fidelity none.spht
status 1 "so do programs that are not there" env BUILD="$T/nowhere" "$TOP/scripts/tables" \
	fidelity plain.spht
has "  it says what to do" err 'build it first, or set BUILD'
finish
