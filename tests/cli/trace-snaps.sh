#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Snapshots of the guest's page tables in a trace: what info says of them, and that
# a cut, and a copy, still has all that its changes rest on.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

# Tables 5 and 6 are told in full; 7 is read once and then cannot be; 9 has no last word at 3000.
cat >in.txt <<'END'
#header {"host":{"kernel":"6.1.0"},"clock":"mono","snap":{"cpu":2,"clock":"mono","moments":["created"]}}
#footer {"memslots":[{"id":0,"base_gfn":"0x0","npages":100}],"snap":{"dropped":"0x3"}}
@1000 pid=70 cpu=0 kvm_mmu_get_page gfn=5 role=0x701 created=1
@1010 cpu=2 snap gfn=5 role=0x701 kind=0 flags=1 entries=2
@1010 cpu=2 snap_entry gfn=5 index=1 value=0x1067
@1010 cpu=2 snap_entry gfn=5 index=511 value=0x8000000000002067
@1100 cpu=2 snap gfn=7 role=0x701 kind=0 flags=1 entries=1
@1100 cpu=2 snap_entry gfn=7 index=0 value=0x3067
@1200 pid=71 cpu=2 snap gfn=6 role=0x701 kind=0 flags=1 entries=1
@1200 cpu=2 snap_entry gfn=6 index=2 value=0x4067
@1300 pid=70 cpu=2 snap gfn=5 kind=4 entries=2
@1300 cpu=2 snap_entry gfn=5 index=1 value=0
@1300 cpu=2 snap_entry gfn=5 index=3 value=0x5067
@1400 cpu=2 snap gfn=7 role=0x701 kind=2 flags=2
@1500 cpu=2 snap gfn=9 role=0x701 kind=0 flags=1
@2000 cpu=0 kvm_mmu_sync_page gfn=5 role=0x701
@2010 cpu=2 snap gfn=5 role=0x701 kind=2
@3000 cpu=0 kvm_mmu_unsync_page gfn=5 role=0x701
@3010 cpu=2 snap gfn=5 role=0x701 kind=3 entries=1
@3010 cpu=2 snap_entry gfn=5 index=4 value=0x6067
@3100 cpu=2 snap gfn=9 kind=4 entries=1
@3100 cpu=2 snap_entry gfn=9 index=0 value=0x7067
@3200 cpu=2 snap gfn=6 kind=1
@3300 cpu=2 snap gfn=7 kind=4 flags=1 entries=1
@3300 cpu=2 snap_entry gfn=7 index=8 value=0x9067
END
check "snapshots can be written by hand" "$SPHT_MKTRACE" -o in.spht in.txt

# tables FILE [OPTION...]: put together from the dump.
tables()
{
	file=$1
	shift
	"$SPHT_TRACE" dump "$file" | "$TOP/tests/tools/snaps.py" "$@"
}

check "info succeeds" "$SPHT_TRACE" info in.spht
has "info counts snapshots by what they were taken for" "$T/out" \
	'^snapshots 11 of .*: 4 created, 1 found unsync, 1 synced, 1 made unsync, 3 walked through, 1 unreadable'
has "and what they bring" "$T/out" '^ +9 entries, 5 in full, .* 3 dropped'
has "their CPU is none of the machine" "$T/out" 'cpu 2 .* of snapshots'
lacks "memory slots are not missing" "$T/out" '[-] memslots'
check "info --json succeeds" "$SPHT_TRACE" info --json in.spht
has "with the same numbers" "$T/out" '"unsync": 1'
has "and the memory slots" "$T/out" '"npages": 100'

cat >want <<'END'
0x5 3=0x5067 4=0x6067 511=0x8000000000002067
0x6 2=0x4067
0x7 8=0x9067
0x9 0=0x7067
END
tables in.spht >got
same "the tables can be put together" want got
tables in.spht --each --since 3000 >want
check "a cut between them succeeds" "$SPHT_TRACE" cut --from=@3000 -o cut.spht in.spht
check "and is whole" "$SPHT_TRACE" verify cut.spht
check "its snapshots have all that they rest on" sh -c '"$1" dump cut.spht | "$2" --each >got' sh \
	"$SPHT_TRACE" "$TOP/tests/tools/snaps.py"
same "and are the same" want got
"$SPHT_TRACE" dump --no-header --event=snap cut.spht | awk -F, '$6 == 1' >got
cat >want <<'END'
1200,2,71,0,0,1,spht,snap,gfn=0x6 role=0x701 kind=0x0 flags=0x1 entries=0x1
1500,2,70,0,0,1,spht,snap,gfn=0x9 role=0x701 kind=0x0 flags=0x1 entries=0x0
2010,2,70,0,0,1,spht,snap,gfn=0x5 role=0x701 kind=0x2 flags=0x1 entries=0x2
END
same "the preamble has each table that is known, in full, as its last snapshot" want got
check "info of the cut succeeds" "$SPHT_TRACE" info cut.spht
has "and does not count the preamble" "$T/out" '^snapshots 4 of '
check "it keeps the memory slots" sh -c '"$1" info --json cut.spht | grep -q npages' sh "$SPHT_TRACE"
check "a cut of the cut succeeds" "$SPHT_TRACE" cut --from=@3100 -o cut2.spht cut.spht
check "so does one of the whole" "$SPHT_TRACE" cut --from=@3100 -o cut1.spht in.spht
"$SPHT_TRACE" dump cut1.spht >want
"$SPHT_TRACE" dump cut2.spht >got
same "both have the same events" want got

check "a copy succeeds" "$SPHT_TRACE" repack -o copy.spht in.spht
tables in.spht --each >want
tables copy.spht --each >got
same "a copy has the same snapshots" want got
python3 "$TOP/tests/format_reader.py" in.spht >got 2>"$T/err"
"$SPHT_TRACE" dump in.spht >want
same "the reader made from the format's page alone sees them, too" want got

# A table whose entries are missing is not made up by a cut.
sed '/^@1300.*index=3/d' in.txt >short.txt
check "a trace that lacks an entry can be written" "$SPHT_MKTRACE" -o short.spht short.txt
"$SPHT_TRACE" dump short.spht >dump
status 1 "its tables cannot be put together" "$TOP/tests/tools/snaps.py" <dump
check "it can be cut" "$SPHT_TRACE" cut --from=@3000 -o short-cut.spht short.spht
"$SPHT_TRACE" dump --no-header --event=snap short-cut.spht | awk -F, '$6 == 1' >got
lacks "without the table whose entry is missing" got 'gfn=0x5 '
has "with the others" got 'gfn=0x6 '

finish
