#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-trace cut: the window, its preamble and its header, by hand; then that a
# cut of a cut is the cut of the whole.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

# Roles: level 4..1 with all access; 0x80 direct, 0x800 invalid.
cat >in.txt <<'END'
#header {"host":{"kernel":"6.1.0"},"guest":{"workload":"none"},"clock":"mono"}
#ledger 0 100 100
pid=70 cpu=0 @1000 kvm_entry vcpu_id=0
# A fault that builds everything down to table gfn 4, and a neighbour.
@1100 kvm_exit exit_reason=0x4e isa=2
@1110 kvm_mmu_pagetable_walk addr=0x1000
kvm_mmu_paging_element level=4 pte=0x2067
kvm_mmu_paging_element level=3 pte=0x3067
kvm_mmu_paging_element level=2 pte=0x8000000000004067
kvm_mmu_paging_element level=1 pte=0x12067
@2000 kvm_mmu_get_page gfn=1 role=0x704 created=1
@2001 kvm_mmu_get_page gfn=2 role=0x703 created=1
@2002 kvm_mmu_get_page gfn=3 role=0x702 created=1
@2003 kvm_mmu_get_page gfn=4 role=0x701 created=1
@2004 kvm_mmu_spte_requested gfn=0x12 level=1
@2005 kvm_mmu_set_spte gfn=0x12 sptep=0x100008 level=1 spte=0x12e67
@2006 kvm_mmu_set_spte gfn=0x13 sptep=0x100010 level=1 spte=0x13e47
@2010 kvm_entry vcpu_id=0
# The first entry again, and the table goes out of sync and back and out.
@2100 kvm_exit exit_reason=0x4e isa=2
@2110 kvm_mmu_pagetable_walk addr=0x1000
kvm_mmu_paging_element level=4 pte=0x2067
kvm_mmu_paging_element level=3 pte=0x3067
kvm_mmu_paging_element level=2 pte=0x8000000000004067
kvm_mmu_paging_element level=1 pte=0x12067
@3000 kvm_mmu_spte_requested gfn=0x12 level=1
@3001 kvm_mmu_unsync_page gfn=4 role=0x701
@3002 kvm_mmu_set_spte gfn=0x12 sptep=0x100008 level=1 spte=0x12e77
@3003 kvm_mmu_sync_page gfn=4 role=0x701 unsync=1
@3004 kvm_mmu_unsync_page gfn=4 role=0x701
# A table that is zapped leaves nothing, nor does the sync that follows it.
@4000 kvm_exit exit_reason=0x4e isa=2
@4010 kvm_mmu_pagetable_walk addr=0x201000
kvm_mmu_paging_element level=4 pte=0x2067
kvm_mmu_paging_element level=3 pte=0x3067
kvm_mmu_paging_element level=2 pte=0x5067
kvm_mmu_paging_element level=1 pte=0x22067
kvm_mmu_get_page gfn=5 role=0x701 created=1
kvm_mmu_spte_requested gfn=0x22 level=1
kvm_mmu_set_spte gfn=0x22 sptep=0x200008 level=1 spte=1
kvm_mmu_prepare_zap_page gfn=5 role=0x701
kvm_mmu_sync_page gfn=5 role=0x701 unsync=1
# Of two pages of one gfn only the one of the zapped role goes; its frame is given to another.
@5000 kvm_mmu_pagetable_walk addr=0x401000
kvm_mmu_paging_element level=4 pte=0x2067
kvm_mmu_paging_element level=3 pte=0x3067
kvm_mmu_paging_element level=2 pte=0x6067
kvm_mmu_paging_element level=1 pte=0x32067
@5100 kvm_mmu_get_page gfn=6 role=0x701 created=1
kvm_mmu_spte_requested gfn=0x32 level=1
kvm_mmu_set_spte gfn=0x32 sptep=0x300008 level=1 spte=2
@5200 kvm_mmu_pagetable_walk addr=0x401000
kvm_mmu_paging_element level=4 pte=0x2067
kvm_mmu_paging_element level=3 pte=0x3067
kvm_mmu_paging_element level=2 pte=0x6067
kvm_mmu_paging_element level=1 pte=0x32067
@6000 kvm_mmu_get_page gfn=6 role=0x501 created=1
@6001 kvm_mmu_spte_requested gfn=0x32 level=1
@6002 kvm_mmu_set_spte gfn=0x32 sptep=0x400008 level=1 spte=3
@6003 kvm_mmu_prepare_zap_page gfn=6 role=0x701
# A root in use is zapped twice; the new page of its gfn lives.
@6100 pid=71 cpu=1 kvm_entry vcpu_id=1
@6110 kvm_mmu_get_page gfn=7 role=0x704 created=1
@6120 kvm_mmu_prepare_zap_page gfn=7 role=0x704 root_count=1
@6130 kvm_mmu_get_page gfn=7 role=0x704 created=1
@6140 kvm_mmu_prepare_zap_page gfn=7 role=0xf04
# A large page of the guest: a direct page, no table.
@7000 pid=70 cpu=0 kvm_exit exit_reason=0x4e isa=2
@7010 kvm_mmu_pagetable_walk addr=0x234000
kvm_mmu_paging_element level=4 pte=0x2067
kvm_mmu_paging_element level=3 pte=0x3067
kvm_mmu_paging_element level=2 pte=0x2000e7
@8000 kvm_mmu_spte_requested gfn=0x234 level=1
@8001 kvm_mmu_get_page gfn=0x200 role=0x781 created=1
@8002 kvm_mmu_set_spte gfn=0x234 sptep=0x5001a0 level=1 spte=4
lost 1 3
@9000 pid=71 cpu=1 kvm_exit exit_reason=0x78 isa=2 vcpu_id=1
# The window.
@10000 pid=70 cpu=0 kvm_exit exit_reason=0x4e isa=2
@10100 kvm_entry vcpu_id=0
lost 0 unknown
@10200 kvm_exit exit_reason=0x78 isa=2
@10300 kvm_exit exit_reason=0x4e isa=2
@10400 kvm_entry vcpu_id=0
@10500 kvm_exit exit_reason=0x4e isa=2
END
check "mktrace builds a file" "$SPHT_MKTRACE" -o in.spht in.txt
check "cut succeeds" "$SPHT_TRACE" cut --from=@10000 in.spht -o out.spht
check "it says nothing" test ! -s "$T/out"
check "the cut verifies" "$SPHT_TRACE" verify out.spht

sp='mmu_valid_gen=0x0'
cat >want <<END
ts,cpu,pid,flags,preempt,preamble,system,event,fields
2000,0,70,0,0,1,kvmmmu,kvm_mmu_get_page,$sp gfn=0x1 role=0x704 root_count=0x0 unsync=0x0 created=0x1
2001,0,70,0,0,1,kvmmmu,kvm_mmu_get_page,$sp gfn=0x2 role=0x703 root_count=0x0 unsync=0x0 created=0x1
2002,0,70,0,0,1,kvmmmu,kvm_mmu_get_page,$sp gfn=0x3 role=0x702 root_count=0x0 unsync=0x0 created=0x1
2003,0,70,0,0,1,kvmmmu,kvm_mmu_get_page,$sp gfn=0x4 role=0x701 root_count=0x0 unsync=0x0 created=0x1
2006,0,70,0,0,1,kvmmmu,kvm_mmu_set_spte,gfn=0x13 spte=0x13e47 sptep=0x100010 level=0x1 r=0x0 x=0x0 u=0
2010,0,70,0,0,1,kvm,kvm_entry,vcpu_id=0x0 rip=0x0 immediate_exit=0x0
3002,0,70,0,0,1,kvmmmu,kvm_mmu_set_spte,gfn=0x12 spte=0x12e77 sptep=0x100008 level=0x1 r=0x0 x=0x0 u=0
3004,0,70,0,0,1,kvmmmu,kvm_mmu_unsync_page,$sp gfn=0x4 role=0x701 root_count=0x0 unsync=0x0
6000,0,70,0,0,1,kvmmmu,kvm_mmu_get_page,$sp gfn=0x6 role=0x501 root_count=0x0 unsync=0x0 created=0x1
6002,0,70,0,0,1,kvmmmu,kvm_mmu_set_spte,gfn=0x32 spte=0x3 sptep=0x400008 level=0x1 r=0x0 x=0x0 u=0
6100,1,71,0,0,1,kvm,kvm_entry,vcpu_id=0x1 rip=0x0 immediate_exit=0x0
6130,1,71,0,0,1,kvmmmu,kvm_mmu_get_page,$sp gfn=0x7 role=0x704 root_count=0x0 unsync=0x0 created=0x1
8001,0,70,0,0,1,kvmmmu,kvm_mmu_get_page,$sp gfn=0x200 role=0x781 root_count=0x0 unsync=0x0 created=0x1
8002,0,70,0,0,1,kvmmmu,kvm_mmu_set_spte,gfn=0x234 spte=0x4 sptep=0x5001a0 level=0x1 r=0x0 x=0x0 u=0
END
"$SPHT_TRACE" dump --from=@10000 --no-header in.spht >window
cat window >>want
check "the cut can be dumped" "$SPHT_TRACE" dump out.spht
cp "$T/out" got
same "the preamble is the state at the start, then comes the window" got want

# json EXPRESSION: true for the object d that info --json printed, h for the raw header.
"$SPHT_TRACE" info --json out.spht >out.json
sha=$("$SPHT_TRACE" verify in.spht | sed -n 's/^ *sha256 *//p')
json()
{
	python3 - "$@" <<'END'
import json, struct, sys
d = json.load(open(sys.argv[1] + ".json"))
raw = open(sys.argv[1] + ".spht", "rb").read()
h = json.loads(raw[28:28 + struct.unpack_from("<I", raw, 20)[0]])
sha = sys.argv[3] if len(sys.argv) > 3 else ""
assert eval("(" + sys.argv[2] + ")"), (d, h["cut"])
END
}
check "verify prints the sha256 of the file" sh -c '[ "$(sha256sum <in.spht)" = "$1  -" ]' - "$sha"
check "the header names the origin, its sha256 and the window" json out \
	'h["cut"]["file"] == "in.spht" and h["cut"]["sha256"] == sha and
	h["cut"]["from"] == "0x2710" and h["cut"]["to"] == "0x2905" and
	h["cut"]["command"] == "spht-trace cut in.spht -o out.spht --from=@10000"' "$sha"
check "and says which frames belong to which pages" json out \
	'h["cut"]["frames"] == [["0x100", "0x4", "0x701"], ["0x400", "0x6", "0x501"],
	["0x500", "0x200", "0x781"]]'
check "and what was lost before it" json out \
	'h["cut"]["gaps_before"] == "0x1" and h["cut"]["lost_before"] == "0x3"'
check "and keeps what the origin said of itself" json out \
	'h["host"]["kernel"] == "6.1.0" and h["guest"] == {"workload": "none"} and h["clock"] == "mono"'
check "losses inside the window carry over" json out \
	'd["lost"] == {"events": 0, "gaps": 1, "unknown_gaps": 1}'
check "the ledger of the origin does not" json out 'd["cpus"][0]["ledger"]["closed"] is None
	if d["cpus"][0]["ledger"] else True'
check "the preamble is counted apart" json out 'd["events"] == 6 and d["preamble"] == 14'

check "--exits counts #PF exits" "$SPHT_TRACE" cut --from=@10000 --exits=2 in.spht -o e.spht
"$SPHT_TRACE" dump --no-header e.spht | grep -v ',1,kvm' >got
sed '$d' window >want
same "and stops before the next one" got want
"$SPHT_TRACE" info --json e.spht >e.json
check "its header says so" json e 'h["cut"]["exits"] == "0x2" and h["cut"]["to"] is None'

check "--last takes the end" "$SPHT_TRACE" cut --last=0.0000005 in.spht -o l.spht
"$SPHT_TRACE" dump --no-header l.spht | grep -v ',1,kvm' | cut -d, -f1 | head -n 1 >got
echo 10100 >want
same "as many seconds as asked for" got want
check "a window without a start has no preamble" "$SPHT_TRACE" cut --to=@2000 in.spht -o s.spht
"$SPHT_TRACE" dump s.spht >got
"$SPHT_TRACE" dump --to=@2000 in.spht >want
same "and is the start of the file" got want

# All pages are obsolete; zaps of the old generation come late and hit nothing new.
cat >all.txt <<'END'
kvm_mmu_get_page gfn=1 role=0x704 created=1
kvm_mmu_get_page gfn=2 role=0x703 created=1
kvm_mmu_zap_all_fast mmu_valid_gen=0
kvm_mmu_get_page mmu_valid_gen=1 gfn=1 role=0x704 created=1
kvm_mmu_prepare_zap_page gfn=1 role=0x704
@5000 kvm_entry vcpu_id=0
END
"$SPHT_MKTRACE" -o all.spht all.txt
check "a recording with kvm_mmu_zap_all_fast is cut" \
	"$SPHT_TRACE" cut --from=@5000 all.spht -o a.spht
"$SPHT_TRACE" dump --no-header a.spht | grep -v kvm_entry | cut -d, -f1,6 >got
echo 40,1 >want
same "only what was built after it is kept" got want

# A loss that is the first thing of the window is not state.
printf '%s\n' 'cpu=0 kvm_entry vcpu_id=0' 'lost 0 4' '@5000 kvm_entry vcpu_id=0' \
	'cpu=1 kvm_entry vcpu_id=1' | "$SPHT_MKTRACE" -o first.spht
check "a window that starts with a loss is cut" \
	"$SPHT_TRACE" cut --from=@5000 first.spht -o f.spht
"$SPHT_TRACE" dump --no-header f.spht | cut -d, -f1,2,6,8- >got
cat >want <<'END'
10,0,1,kvm_entry,vcpu_id=0x0 rip=0x0 immediate_exit=0x0
5000,0,0,LOST,count=0x4
5000,0,0,kvm_entry,vcpu_id=0x0 rip=0x0 immediate_exit=0x0
5010,1,0,kvm_entry,vcpu_id=0x1 rip=0x0 immediate_exit=0x0
END
same "and the loss stands in the window" got want

# No kvm_exit: walks are counted.  No vCPU: nothing to keep of threads.
printf 'kvm_mmu_pagetable_walk addr=%d\n' 1 2 3 4 | "$SPHT_MKTRACE" -o w.spht
check "without kvm_exit --exits counts walks" "$SPHT_TRACE" cut --exits=3 w.spht -o w3.spht
check "and stops after them" sh -c '[ "$("$1" dump --no-header w3.spht | wc -l)" = 3 ]' - \
	"$SPHT_TRACE"

# Random walks over a few tables, cut at every tenth second and cut again.
python3 - >r.txt <<'END'
import random
random.seed(7)
print('#header {"host":{"kernel":"6.1.0"}}')
t, live, frames = 0, {}, {}
for i in range(3000):
    t += random.randrange(1, 20000000)
    pid, table = random.choice((70, 71)), random.randrange(16, 48)
    role = random.choice((0x701, 0x501))
    cpu = pid - 70
    print(f"@{t} cpu={cpu} pid={pid} kvm_exit exit_reason=0x4e isa=2 vcpu_id={cpu}")
    if random.random() < .1 and live:
        key = random.choice(sorted(live))
        del live[key]
        print(f"+1 kvm_mmu_prepare_zap_page gfn={key[0]} role={key[1]}")
    print(f"+1 kvm_mmu_pagetable_walk addr={table << 21}")
    for level, pte in ((4, 2), (3, 3), (2, table), (1, 99)):
        print(f"+1 kvm_mmu_paging_element level={level} pte={pte << 12 | 0x67}")
    if (table, role) not in live:
        used = set(live.values())
        live[table, role] = next(f for f in iter(lambda: random.randrange(1 << 20), -1) if f not in used)
        print(f"+1 kvm_mmu_get_page gfn={table} role={role} created=1")
    else:
        print(f"+1 kvm_mmu_get_page gfn={table} role={role}")
    if random.random() < .1:
        print(f"+1 kvm_mmu_{random.choice(('sync', 'unsync'))}_page gfn={table} role={role}")
    print("+1 kvm_mmu_spte_requested gfn=99 level=1")
    index = random.randrange(64)
    for n in range(random.randrange(4)):
        print(f"+1 kvm_mmu_set_spte gfn=99 level=1 sptep={(live[table, role] << 12) + 8 * (index + n)} spte={t}")
    print(f"+1 kvm_entry vcpu_id={cpu} rip={i}")
END
check "a random recording is built" "$SPHT_MKTRACE" -o r.spht r.txt
for s in 3 10 17 24; do
	"$SPHT_TRACE" cut --from=$s.5 r.spht -o r1.spht --force
	"$SPHT_TRACE" cut --last=4 r1.spht -o r2.spht --force
	"$SPHT_TRACE" cut --last=4 r.spht -o r3.spht --force
	"$SPHT_TRACE" dump r2.spht >got
	"$SPHT_TRACE" dump r3.spht >want
	same "a cut from second $s.5, cut again, is the cut of the whole" got want
done
check "it has a preamble worth the name" sh -c '[ "$(grep -c ",1,kvm" want)" -gt 100 ]'
"$SPHT_TRACE" info --json r2.spht >r2.json
check "the inner cut stays in the header, without its frames" json r2 \
	'h["cut"]["cut"]["file"] == "r.spht" and "frames" not in h["cut"]["cut"] and
	h["cut"]["file"] == "r1.spht" and len(h["cut"]["frames"]) > 10'

status 2 "a window after the end is a usage error" "$SPHT_TRACE" cut --from=100 in.spht -o x.spht
has "that says what the file spans" "$T/err" 'spans 0.000 seconds, time stamps 1000 to 10500'
status 2 "so is one that ends before it starts" \
	"$SPHT_TRACE" cut --from=@3000 --to=@2000 in.spht -o x.spht
status 2 "so are --last and --from together" \
	"$SPHT_TRACE" cut --last=1 --from=1 in.spht -o x.spht
status 2 "so is --last with a time stamp" "$SPHT_TRACE" cut --last=@1 in.spht -o x.spht
status 2 "so is --exits=0" "$SPHT_TRACE" cut --exits=0 in.spht -o x.spht
status 2 "so is --level=23" "$SPHT_TRACE" cut --level=23 in.spht -o x.spht
status 2 "so is no -o" "$SPHT_TRACE" cut in.spht
check "none of them leaves a file" test ! -e x.spht

cp in.spht same.spht
ln same.spht link.spht
status 2 "cut --force refuses to overwrite its own input" \
	"$SPHT_TRACE" cut --force same.spht -o link.spht
same "which stays as it was" same.spht in.spht
status 1 "cut does not overwrite" "$SPHT_TRACE" cut in.spht -o out.spht
has "and says so" "$T/err" 'out.spht: .*exists'
check "but does with --force" "$SPHT_TRACE" cut --force in.spht -o out.spht
check "cut writes to standard output" sh -c '"$1" cut --from=@10000 in.spht -o - >p.spht' - \
	"$SPHT_TRACE"
check "what is a whole file" "$SPHT_TRACE" verify p.spht
check "cut reads standard input" sh -c '"$1" cut --from=@10000 -o i.spht - <in.spht' - \
	"$SPHT_TRACE"
"$SPHT_TRACE" dump i.spht >got
"$SPHT_TRACE" dump p.spht >want
same "and gives the same" got want

: | "$SPHT_MKTRACE" -o none.spht
status 1 "a trace without events cannot be cut" "$SPHT_TRACE" cut none.spht -o x.spht
if [ -c /dev/full ]; then
	status 1 "a full disk is a failure" "$SPHT_TRACE" cut --force in.spht -o /dev/full
	has "that is named" "$T/err" '/dev/full: .*No space left'
else
	skip "a full disk is a failure" "no /dev/full here"
fi
# A limit on the size of files is a full disk that needs no root.
check "a disk that fills up on the way leaves no file" sh -c '
	trap "" XFSZ
	ulimit -f 8 || exit 1
	"$1" cut r.spht -o big.spht 2>big.err
	[ $? = 1 ] && [ ! -e big.spht ] && grep -q "big.spht: .*cannot write" big.err' - "$SPHT_TRACE"
dd if=r.spht of=bad.spht bs=1000 count=20 2>/dev/null
status 1 "a damaged input is a failure" "$SPHT_TRACE" cut bad.spht -o x.spht
check "that leaves no file" test ! -e x.spht

finish
