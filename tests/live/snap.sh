#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-record --snap on this machine's KVM: the tables that it stores are those that the
# guest has, at the moment of the event.
# shellcheck source=tests/live/live.sh
. "$(dirname "$0")/live.sh"
live_or_skip "page tables of the guest are recorded"

VMM=$SPHT_VMM

# What this kernel or this build lacks is one line, as root.
if ! "$SPHT_RECORD" -q -o "$T/try.spht" --snap -- "$VMM" sequential 8 >/dev/null 2>"$T/err" &&
	grep -qE 'built without|BTF|not allowed|are known' "$T/err"; then
	skip "page tables of the guest are recorded" "$(head -n 1 "$T/err")"
	finish
fi

# snap NAME LEVEL PATTERN...: $T/NAME.spht with its tables, and those the VMM made in $T/NAME.dump.
snap()
{
	name=$1
	level=$2
	shift 2
	"$SPHT_RECORD" -q -o "$T/$name.spht" --snap="$level" --stats=json -- \
		"$VMM" -o "$T/$name.json" -d "$T/$name.dump" "$@"
}

# each NAME: every snapshot as it was, into $T/NAME.each; the tables at the end into $T/NAME.end.
each()
{
	"$SPHT_TRACE" dump "$T/$1.spht" >"$T/$1.csv" &&
		"$TOP/tests/tools/snaps.py" --each <"$T/$1.csv" >"$T/$1.each" &&
		"$TOP/tests/tools/snaps.py" <"$T/$1.csv" >"$T/$1.end"
}

# entries FILE: "GFN INDEX VALUE" of a dump of the VMM, or of tables put together; sorted.
entries()
{
	case $1 in
	*.dump) awk '$1 == "entry" { print $2, $4, $5 }' "$1" ;;
	*) awk '{ for (i = 2; i <= NF; i++) { split($i, v, "="); print $1, v[1], v[2] } }' "$1" ;;
	esac | sort
}

check "a guest that only reads is recorded" snap seq walks sequential 2000
check "its file is whole" "$SPHT_TRACE" verify "$T/seq.spht"
has "the ledger closes, that of the snapshots, too" "$T/out" 'ledger +closed'
check "its tables can be put together" each seq
# The VMM's own tables that no fault needs are not read: what was read is part of the dump.
entries "$T/seq.dump" >"$T/want"
entries "$T/seq.end" >"$T/got"
check "every entry is one that the VMM made" sh -c '! comm -13 "$1" "$2" | grep -q .' sh "$T/want" "$T/got"
check "all entries of the pages that were read are there" \
	sh -c '[ "$(comm -12 "$1" "$2" | wc -l)" -ge 2000 ]' sh "$T/want" "$T/got"

# --- before and after KVM sets A -----------------------------------------

check "a guest whose pages were never accessed is recorded" snap a0 walks a0 64
check "its tables can be put together" each a0
# At a walk the entry it is about has A clear, in the table that the walk goes through, and in
# the one after it A is set.
cat >"$T/a0.py" <<'END'
import csv, subprocess, sys
table = {}
walk, seen, later, prev = None, 0, 0, None
each = {}
for line in open(sys.argv[2]):
    ts, tid, kind, gfn, *words = line.split()
    each[int(ts)] = kind, gfn, {int(i): int(v, 16) for i, v in (w.split("=") for w in words)}
for row in csv.DictReader(open(sys.argv[1])):
    fields = dict(f.split("=") for f in row["fields"].split())
    if row["event"] == "kvm_mmu_pagetable_walk":
        walk = int(fields["addr"], 16)
    if row["event"] == "snap" and fields["kind"] == "0x4" and walk is not None:
        _, gfn, entries = each[int(row["ts"])]
        index = walk >> 12 & 511
        if prev and prev[0] == gfn and not prev[2] & 0x20:
            assert entries[prev[1]] & 0x20, (row, prev)
            later += 1
        prev = gfn, index, entries[index]
        seen += not entries[index] & 0x20
        walk = None
assert seen == 64 and later >= 63, (seen, later)
END
check "a walk's snapshot has A clear, the next one has it set" \
	python3 "$T/a0.py" "$T/a0.csv" "$T/a0.each"

# --- tables that the guest changes ----------------------------------------

check "a guest that changes its table is recorded" snap unsync walks unsync 20
check "its tables can be put together" each unsync
moments()
{
	python3 -c 'import json, sys
sys.path.insert(0, sys.argv[1])
import format_reader
f = format_reader.read_file(open(sys.argv[2], "rb").read())[1]["snap"]
print(" ".join(f"{k}={int(v, 16)}" for k, v in sorted(f["kinds"].items())))
print("bad", *(int(f[k], 16) for k in ("dropped", "late", "filtered")))' "$TOP/tests" "$T/$1.spht"
}
moments unsync >"$T/moments"
has "each change is a snapshot before and one after" "$T/moments" 'sync=20 unsync=20 '
has "none was dropped or came late" "$T/moments" '^bad 0 0 0$'
cat >"$T/unsync.py" <<'END'
import sys
last, changed, exact = {}, 0, 0
for line in open(sys.argv[1]):
    ts, tid, kind, gfn, *words = line.split()
    if kind == "sync" and gfn in last:
        changed += last[gfn][1] != words
    if kind == "unsync":
        # Write-protected until now: as at the snapshot before.
        exact += gfn in last and last[gfn][1] == words
        last[gfn] = ts, words
    elif kind in ("sync", "created"):
        last[gfn] = ts, words
assert changed == 20 and exact == 20, (changed, exact)
END
check "nothing changes while a table is write-protected, each time something while it is not" \
	python3 "$T/unsync.py" "$T/unsync.each"

check "without walks there are less of them" snap tables tables unsync 20
moments tables >"$T/moments"
has "of the same tables" "$T/moments" 'sync=20 unsync=20$'
check "a guest that maps pages when it faults is recorded" snap guest walks guest 200
check "its tables can be put together" each guest
# 200 entries are stored, each by the VMM between a walk that fails and one that does not.
check "at the end its pages are mapped" \
	sh -c '[ "$(awk "NF > n { n = NF } END { print n - 1 }" "$1")" -ge 200 ]' sh "$T/guest.end"

# --- slots, losses, refusals ----------------------------------------------

python3 -c 'import json, sys
sys.path.insert(0, sys.argv[1])
import format_reader
f = format_reader.read_file(open(sys.argv[2], "rb").read())[1]
s = json.load(open(sys.argv[3]))["memslots"]
have = [(int(m["base_gfn"], 16) << 12, m["npages"] << 12, int(m["userspace_addr"], 16)) for m in f["memslots"]]
want = [(m["gpa"], m["size"], m["hva"]) for m in s]
print("same" if have == want else (have, want))' "$TOP/tests" "$T/seq.spht" "$T/seq.json" >"$T/slots"
has "the footer has the memory slots that the VMM made" "$T/slots" '^same$'

status 4 "a buffer for three tables drops some, exit status 4" \
	"$SPHT_RECORD" -q -o "$T/tiny.spht" --snap --buffer=4K -- "$VMM" loop 1
has "that is loud" "$T/err" '[1-9][0-9]* snapshots of page tables dropped'
check "the file is whole, its ledger closes" "$SPHT_TRACE" verify "$T/tiny.spht"
check "its tables can be put together all the same" each tiny
cpus=$(getconf _NPROCESSORS_CONF)
has "where they are missing is in the file" "$T/tiny.csv" "^[0-9]+,$cpus,.*,spht,LOST,"

if command -v setpriv >/dev/null; then
	status 1 "without the right to load a program it refuses" setpriv \
		--bounding-set=-bpf,-perfmon,-sys_admin -- "$SPHT_RECORD" -q -o "$T/no.spht" --snap -- "$VMM" mmio 1
	has "and says what is needed" "$T/err" '^spht-record: --snap: .*CAP_BPF and CAP_PERFMON'
	check "in one line" test "$(grep -c . "$T/err")" = 1
	check "and leaves no file" test ! -e "$T/no.spht"
else
	skip "without the right to load a program it refuses" "no setpriv here"
fi

finish
