#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay on a real recording: the same bytes whatever the threads, every
# identity of METRICS recomputed from the table, JSON that agrees with it, and
# classes of exits as a second, independent count finds them.
# shellcheck disable=SC2016 # words for awk
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

sample=$TOP/traces/samples/kbuild-cc-1vcpu.spht
if [ -e "$sample" ]; then
	if [ -n "$SPHT_SANITIZED" ]; then
		check "the first 20000 faults of the bundled recording can be cut" \
			"$SPHT_TRACE" cut --exits=20000 "$sample" -o s.spht
	else
		cp "$sample" s.spht
	fi
else
	skip "the bundled recording is replayed" "traces/samples has none; a small one by hand serves"
	"$SPHT_MKTRACE" -o s.spht "$TOP/tests/data/replay-golden.txt"
fi

all='--heuristic=none --heuristic=window:size=16 --heuristic=window:size=64,align=0,on=both
	--heuristic=nextline:degree=3 --heuristic=stride --heuristic=prefault:around=16
	--heuristic=oracle'
nr=7

# replay OUT ARG...: all heuristics; OUT.csv and OUT.json.
replay()
{
	replay_out=$1
	shift
	# shellcheck disable=SC2086 # words are what is wanted
	"$SPHT_REPLAY" $all --csv="$replay_out.csv" --json="$replay_out.json" "$@" s.spht
}

check "all heuristics replay on one thread" replay one -j1
cp out one.txt
check "and again" replay again -j1
cp out again.txt
same "two runs give the same table" one.csv again.csv
same "two runs give the same JSON" one.json again.json
same "two runs give the same report" one.txt again.txt
check "they replay on two threads" replay two -j2
same "two threads give the same table" one.csv two.csv
same "two threads give the same JSON" one.json two.json
check "they replay on more threads than there is work" replay many --jobs=64
same "which give the same table too" one.csv many.csv

# A heuristic's result does not depend on its neighbours.
check "one heuristic replays alone" "$SPHT_REPLAY" --heuristic=stride --csv=alone.csv s.spht
{
	head -n 1 one.csv
	grep ',stride,' one.csv
} >got
same "to the row that it has among others" alone.csv got

check "the header has the columns of METRICS in their order" python3 - <<'END'
want = """schema tool_version git_commit trace trace_sha256 trace_complete vm vcpus host_kernel guest_kernel kvm
baseline lost_events roi warmup heuristic params knowledge legality clock helpers costs guest_time_scale
time_source seed exits_total exits_pf pf_guest pf_hidden pf_huge pf_huge_nopaging pf_ad pf_ptwrite_unsync
pf_ptwrite_emul pf_mmio pf_spurious pf_retry pf_refault avoided_lo avoided avoided_hi bounds avoidable
oracle_share avoided_direct avoided_side new_exits_lo new_exits_hi helper_exits remaining generated duplicate
illegal unknown queue_full cancelled_demand cancelled_zap pending_end issued build_failed in_progress_end
built used_timely used_late used_weak use_unknown zapped_unused evicted_unused lost_epoch resident_unused
used_carry coverage accuracy_lo accuracy_hi lateness helper_busy_s lock_wait_s time_base_s time_helped_s
speedup_pct speedup_bound_pct fidelity_pct inferred unexplained""".split()
have = open("one.csv").readline().rstrip("\n").split(",")
assert len(have) == len(set(have)), "a column twice"
at = [have.index(name) for name in want]
assert at == sorted(at), [n for n, a, b in zip(want, at, at[1:]) if a > b]
END
check "the table has one row for each heuristic" awk -v nr=$nr 'END { exit(NR != nr + 1) }' one.csv
check "every row has as many columns as the header" awk -F, 'NR == 1 { n = NF } NF != n { exit 1 }' one.csv

touch=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["touch_probability"]["value"])' \
	"$TOP/replay/costs/default.json")

# identities FILE: what METRICS sections 1, 4 and 5 say of every row, from the table alone.
cat >identities.awk <<'AWK'
function v(name)
{
	if (!(name in at)) {
		printf "no column %s\n", name
		bad = 1
		return 0
	}
	return $at[name] + 0
}
function empty(name) { return $at[name] == "" }
function is(what, left, right, d)
{
	d = left - right
	if (d > 1e-6 || d < -1e-6)
		wrong(what, left " and " right)
}
# Printed with 9 digits.
function near(what, left, right, d)
{
	d = left - right
	if (d > 1e-3 || d < -1e-3)
		wrong(what, left " and " right)
}
# A ratio is printed with 9 digits; it is empty where there is nothing to divide by.
function ratio(name, num, den)
{
	if (!den != empty(name))
		wrong(name, "is '" $at[name] "' where the denominator is " den)
	else if (den && (v(name) - num / den > 1e-8 || num / den - v(name) > 1e-8))
		wrong(name, v(name) " and " num / den)
}
function wrong(what, why)
{
	printf "row %d (%s %s): %s: %s\n", NR - 1, $at["heuristic"], $at["params"], what, why
	bad = 1
}
NR == 1 {
	for (i = 1; i <= NF; i++)
		at[$i] = i
	next
}
{
	base = v("pf_hidden") + v("pf_huge") - v("pf_huge_nopaging") + v("pf_ad")
	found = v("avoided_direct") + v("avoided_side")
	used = v("used_timely") + v("used_late") + v("used_weak")
	is("F_base", v("f_base"), base)
	is("F_base = direct + side + remaining", base, found + v("remaining"))
	is("generated", v("generated"), v("duplicate") + v("illegal") + v("unknown") + v("queue_full") + \
		v("cancelled_demand") + v("cancelled_zap") + v("pending_end") + v("issued"))
	is("issued", v("issued"), v("build_failed") + v("in_progress_end") + v("built"))
	is("built", v("built"), used + v("use_unknown") + v("zapped_unused") + v("evicted_unused") + \
		v("lost_epoch") + v("resident_unused"))
	pf = v("pf_guest") + v("pf_hidden") + v("pf_huge") + v("pf_ad") + v("pf_ptwrite_unsync") + \
		v("pf_ptwrite_emul") + v("pf_mmio") + v("pf_spurious") + v("pf_retry")
	if (!empty("pf_retry"))
		is("exits_pf is the sum of its classes", v("exits_pf"), pf)
	if (v("exits_pf") < pf || (!empty("exits_total") && v("exits_pf") > v("exits_total")))
		wrong("exits_pf", "out of bounds")
	if (v("pf_huge_nopaging") > v("pf_huge") || v("pf_refault") > v("pf_hidden") + v("pf_ad"))
		wrong("a part", "greater than the whole")
	if (v("new_exits_lo") > v("new_exits_hi"))
		wrong("new_exits_lo", "greater than new_exits_hi")
	# The books are the world's of the row.
	hi = found - v("new_exits_hi") - v("helper_exits")
	touched = found - v("new_exits_hi") * touch - v("helper_exits")
	lo = found - v("new_exits_lo") - v("helper_exits")
	world = $at["knowledge"]
	if (world == "inferred")
		near("avoided", v("avoided"), touched)
	else if (world == "strict")
		is("avoided_lo", v("avoided_lo"), hi)
	else
		is("avoided_hi", v("avoided_hi"), lo)
	mine = v(world == "inferred" ? "avoided" : world == "strict" ? "avoided_lo" : "avoided_hi")
	order = v("avoided_lo") <= v("avoided") && v("avoided") <= v("avoided_hi")
	if ($at["bounds"] != (order ? "ordered" : "crossed"))
		wrong("bounds", $at["bounds"])
	if (mine > v("avoidable"))
		wrong("avoided", mine " is more than the oracle's " v("avoidable"))
	if ($at["heuristic"] == "oracle")
		is("the oracle avoids what is avoidable", mine, v("avoidable"))
	ratio("oracle_share", mine, v("avoidable") > 0 ? v("avoidable") : 0)
	ratio("coverage", found, base)
	ratio("accuracy_lo", used, v("built") + v("unknown") + v("use_unknown"))
	ratio("accuracy_hi", used, v("built"))
	late = v("used_late") + v("cancelled_demand")
	ratio("lateness", late, late + v("used_timely"))
	if ($at["heuristic"] == "none") {
		for (i = at["avoided_direct"]; i <= at["used_carry"]; i++)
			if ($i + 0 != 0 && i != at["remaining"])
				wrong("none", "column " i " is " $i)
		is("none: everything remains", v("remaining"), base)
		is("none", v("avoided_lo") + v("avoided") + v("avoided_hi") + v("helper_busy_s"), 0)
	}
	if (!(v("fidelity_pct") >= 0 && v("fidelity_pct") <= 100))
		wrong("fidelity_pct", v("fidelity_pct"))
	if ($at["time_source"] == "scaled" && $at["guest_time_scale"] == "")
		wrong("time_source", "scaled without a scale")
	rows++
}
END {
	if (!rows)
		print "no rows"
	exit(bad || !rows)
}
AWK
identities()
{
	awk -F, -v touch="$touch" -f identities.awk "$1"
}
# Else a check that never fires would pass.
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } NR > 1 { $at["duplicate"]++ } { print }' \
	one.csv >broken.csv
status 1 "the identities notice a wrong number" identities broken.csv
check "every identity holds in the inferred world" identities one.csv
for world in strict optimistic; do
	check "all heuristics replay with the $world world's books" replay $world --knowledge=$world
	check "every identity holds there" identities $world.csv
done
check "they replay with --legality=present" replay present --legality=present
check "every identity holds there" identities present.csv
check "they replay without the helper's prefetch" replay bare --helper-prefetch=0
check "every identity holds there" identities bare.csv
check "they replay where KVM has room for few shadow pages" replay few --mmu-pages=64
check "every identity holds there" identities few.csv
cells few.csv evicted_unused >got
has "  and what is evicted to make room is counted" got '^[1-9]'

# The worlds' books stand in the same order of columns, and the bounds do not depend on them.
for world in one strict optimistic; do
	awk -F, '
	NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
	{ print $at["avoided_lo"], $at["avoided"], $at["avoided_hi"], $at["f_base"] }' $world.csv >$world.bounds
done
same "the bounds are the same whichever world's books are shown" one.bounds strict.bounds
same "in the optimistic world too" one.bounds optimistic.bounds

# JSON.
check "the JSON is valid" python3 -m json.tool one.json
check "and has what the table has" python3 - <<'END'
import csv, json
table = list(csv.DictReader(open("one.csv")))
rows = json.load(open("one.json"))
assert len(table) == len(rows)
for t, j in zip(table, rows):
    for name, cell in t.items():
        value = j[name]
        if cell == "":
            assert value is None, (name, value)
        elif isinstance(value, str):
            assert value == cell, (name, value, cell)
        else:
            assert abs(float(cell) - value) <= 1e-8 * abs(value), (name, value, cell)
    assert sum(j["slack_log2_ns"]) == j["used_timely"], j["slack_log2_ns"]
    left = j["remaining_by_class"]
    assert left["hidden"] + left["huge"] + left["ad"] == j["remaining"], left
    assert 0 <= left["refault"] <= j["remaining"], left
    if j["heuristic"] == "none":
        # Nothing is avoided: what remains is what was recorded, class by class.
        assert left["hidden"] == j["pf_hidden"] and left["ad"] == j["pf_ad"], left
        assert left["huge"] == j["pf_huge"] - j["pf_huge_nopaging"], left
        assert left["refault"] == j["pf_refault"], left
    f = j["fidelity"]
    agreed = sum(n for k, n in f["p_bit"].items() if k.endswith(("p0_absent", "p1_weak")))
    every = sum(f["p_bit"].values())
    for check in ("kept", "spurious", "prefetched"):
        agreed += f[check][0]
        every += sum(f[check])
    assert abs(100 * agreed / every - j["fidelity_pct"]) < 1e-6, (agreed, every)
END

# Scales.
check "three scales of guest time replay" "$SPHT_REPLAY" --heuristic=none --heuristic=stride \
	--guest-time-scale=0.333,1,3 --csv=scales.csv s.spht
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
	{ print $at["heuristic"], $at["guest_time_scale"] }' scales.csv >got
cat >want <<'END'
none 0.333
none 1
none 3
stride 0.333
stride 1
stride 3
END
same "each is a row" want got
check "every identity holds there" identities scales.csv
awk -F, 'NR == 1 || /,stride,/ && ++n == 2' scales.csv >got
same "scale 1 is what is shown without scales" alone.csv got

# Where the output goes.
check "--csv=- replays" "$SPHT_REPLAY" --heuristic=stride --csv=- s.spht
cp out got
cp err err1
same "and writes the table and nothing else to stdout" alone.csv got
check "not a word to stderr" test ! -s err1
check "--json=- replays" "$SPHT_REPLAY" --heuristic=stride --json=- s.spht
cp out got
check "and writes JSON and nothing else" python3 -m json.tool got
check "--quiet replays" "$SPHT_REPLAY" --heuristic=stride --quiet --csv=got s.spht
cp out quiet.txt
same "to the same table" alone.csv got
check "without a report" test ! -s quiet.txt
check "a recording on stdin replays" sh -c '"$1" --heuristic=stride --csv=stdin.csv - <s.spht' - "$SPHT_REPLAY"
check "to the same figures" sh -c '
	cut -d, -f1-3,5- alone.csv >a; cut -d, -f1-3,5- stdin.csv >b; cmp a b' -
check "two recordings replay" "$SPHT_REPLAY" --heuristic=stride --csv=both.csv s.spht s.spht
{
	cat alone.csv
	sed 1d alone.csv
} >want
same "to one header and a row for each" want both.csv
check "a table that is there is replaced" "$SPHT_REPLAY" --heuristic=stride --csv=both.csv s.spht
same "whole" alone.csv both.csv
check "--timing replays" "$SPHT_REPLAY" --heuristic=stride --timing --quiet s.spht
has "and tells CPU time and peak memory on stderr" err '^timing: .*cpu_s=[0-9.]+ .*maxrss_kb=[0-9]+'

# The second count.
# classes FILE [ARG]: as tests/tools/classify.py counts them, in one order with the table's.
classes()
{
	"$SPHT_TRACE" dump --no-header "$1.spht" | python3 "$TOP/tests/tools/classify.py" ${2+"$2"} >"$1.count"
	"$SPHT_REPLAY" --heuristic=none --quiet --csv="$1.classes" "$1.spht" || return 1
	awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) name[i] = $i; next }
	{
		for (i = 1; i <= NF; i++)
			if (name[i] ~ /^(exits_|pf_)/ && $i != "" && $i != "0")
				print name[i], $i
	}' "$1.classes" | sort >"$1.program"
	sort "$1.count" >"$1.independent"
	test -s "$1.independent"
}
check "exits of the recording can be counted independently" classes s
same "its classes are the ones that an independent count finds" s.independent s.program
for name in golden 2vcpu; do
	"$SPHT_MKTRACE" -o $name.spht "$TOP/tests/data/replay-$name.txt"
	check "exits of replay-$name.txt can be counted independently" classes $name
	same "and its classes are the same" $name.independent $name.program
done
"$SPHT_MKTRACE" -o pvm.spht "$TOP/tests/data/replay-pvm.txt"
check "windows of a recording without kvm_exit can be counted independently" classes pvm --no-exits
# Nothing is told from an empty pf_retry.
grep -v '^pf_retry' pvm.independent >want
same "and its classes are the same" want pvm.program

finish
