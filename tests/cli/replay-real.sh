#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay --clock=real: the helper as a thread on a second core.  Whatever else the
# machine does meanwhile: what is tried here is what must hold all the same.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

check "mktrace builds a recording" "$SPHT_MKTRACE" -o golden.spht "$TOP/tests/data/replay-golden.txt"
check "  one of two vCPUs" "$SPHT_MKTRACE" -o 2vcpu.spht "$TOP/tests/data/replay-2vcpu.txt"
check "  and one without kvm_exit" "$SPHT_MKTRACE" -o pvm.spht "$TOP/tests/data/replay-pvm.txt"

real()
{
	"$SPHT_REPLAY" --clock=real --smt --repetitions=2 "$@"
}

# refused STATUS WHAT REGEX ARGS...: in one line, that says why.
refused()
{
	refused_status=$1
	refused_what=$2
	refused_why=$3
	shift 3
	status "$refused_status" "$refused_what is refused" "$SPHT_REPLAY" "$@"
	cp err why
	has "  it says why" why "$refused_why"
	check "  in one line" test "$(wc -l <why)" = 1
}

for option in --pace=max --repetitions=2 --warmup-runs=0 --cpus=0,1 --smt; do
	refused 2 "$option on the virtual clock" "${option%%=*} goes with --clock=real alone" \
		--heuristic=window $option golden.spht
done

cpus=$("$SPHT_REPLAY" --clock=real --smt --repetitions=1 --warmup-runs=0 --heuristic=none --quiet golden.spht 2>&1)
case $cpus in
*'only one CPU'*)
	skip "the real clock runs" "this process may use one CPU only"
	finish
	;;
esac

window=--heuristic=window
refused 2 "an unknown pace" '--pace=fast: expected recorded, max, or a factor' --clock=real --smt --pace=fast $window golden.spht
refused 2 "a pace of nothing" '--pace=0: expected' --clock=real --smt --pace=0 $window golden.spht
refused 2 "no repetition" '--repetitions=0: expected 1 to 1000' --clock=real --smt --repetitions=0 $window golden.spht
refused 2 "a number of warm-ups that is none" '--warmup-runs=x: expected 0 to 1000' --clock=real --smt --warmup-runs=x $window golden.spht
refused 2 "one CPU for both" '--cpus=1,1: expected two CPUs' --clock=real --cpus=1,1 $window golden.spht
refused 1 "a CPU that is not there" '--cpus=0,1000: CPU 1000 is not there' --clock=real --cpus=0,1000 $window golden.spht
refused 2 "the oracle" 'does not go with an oracle' --clock=real --smt --heuristic=oracle golden.spht
refused 2 "-j 2" 'does not go with --jobs' --clock=real --smt -j 2 $window golden.spht
refused 2 "--helpers=2" 'does not go with --helpers' --clock=real --smt --helpers=2 $window golden.spht
refused 2 "--curve" 'does not go with --curve' --clock=real --smt --curve=latency $window golden.spht
refused 2 "--rules" 'does not go with --rules' --clock=real --smt --rules=naive $window golden.spht
refused 2 "--verify" 'does not go with --verify' --clock=real --smt --verify $window golden.spht
refused 2 "--intervals" 'does not go with --interval' --clock=real --smt --intervals=i.csv $window golden.spht
check "  no table of intervals is left" test ! -e i.csv
refused 2 "the story of an exit" 'does not go with --explain=EXIT' --clock=real --smt --explain=3 $window golden.spht
refused 1 "a recording of two vCPUs" 'plays one vCPU, and the recording has 2' --clock=real --smt --csv=two.csv $window 2vcpu.spht
check "  no table is left" test ! -e two.csv
refused 1 "a recording without kvm_exit" 'nothing says how long the guest ran' --clock=real --smt $window pvm.spht

if command -v taskset >/dev/null; then
	one=$(taskset -pc $$ | sed 's/.*: //; s/[-,].*//')
	status 1 "one core is not enough" taskset -c "$one" "$SPHT_REPLAY" --clock=real --csv=one.csv $window golden.spht
	has "  it says so" "$T/err" 'spht-replay: --clock=real needs two cores, and this process may use only one CPU$'
	check "  no table is left" test ! -e one.csv
else
	skip "one core is not enough" "there is no taskset"
fi

# facts.py CSV JSON VIRTUAL.csv: what must hold of every repetition.
cat >facts.py <<'END'
import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1])))
objects = json.load(open(sys.argv[2]))
virtual = list(csv.DictReader(open(sys.argv[3])))
assert len(rows) == len(objects) == 2 * len(virtual), (len(rows), len(virtual))
exact = """f_base exits_total exits_pf pf_hidden pf_guest avoidable time_base_s fidelity_pct
trace_sha256 heuristic params knowledge costs""".split()
n = lambda row, names: sum(int(row[c]) for c in names.split())
for i, (r, o) in enumerate(zip(rows, objects)):
    v = virtual[i // 2]
    assert r["clock"] == "real" and v["clock"] == "virtual"
    assert all(r[c] == v[c] for c in exact), [c for c in exact if r[c] != v[c]]
    assert int(r["repetition"]) == i % 2 + 1 and r["repetitions"] == "2"
    assert r["cpu_vcpu"] != r["cpu_helper"]
    assert r["avoided"] and not r["avoided_lo"] and not r["avoided_hi"] and not r["bounds"]
    assert n(r, "f_base") == n(r, "avoided_direct avoided_side remaining")
    assert n(r, "generated") == n(r, "duplicate illegal unknown queue_full cancelled_demand cancelled_zap pending_end issued")
    assert n(r, "issued") == n(r, "build_failed in_progress_end built")
    assert n(r, "built") == n(r, "used_timely used_late used_weak use_unknown zapped_unused evicted_unused lost_epoch resident_unused")
    # Who plays in real time is never done before the time that it plays.
    assert float(r["elapsed_s"]) >= 0.99 * (float(r["time_helped_s"]) - n(r, "new_exits_hi helper_exits") * 1e-5)
    real = o["real"]
    assert sum(real["queue_delay_log2_ns"]) <= n(r, "generated")
    assert sum(real["lock_wait_log2_ns"]) > 0
    if n(r, "issued"):
        assert sum(real["helper_lock_wait_log2_ns"]) > 0
    for name, m in real["repetitions"].items():
        assert m["least"] <= m["quartile1"] <= m["median"] <= m["quartile3"] <= m["most"], name
    m = real["repetitions"]["used_timely"]
    both = [int(x["used_timely"]) for x in rows[i - i % 2:i - i % 2 + 2]]
    assert m["least"] == min(both) and m["most"] == max(both) and m["median"] == sum(both) / 2
    assert m["virtual"] == int(v["used_timely"])
    if r["heuristic"] == "none":
        assert n(r, "avoided_direct avoided_side generated new_exits_hi helper_exits") == 0
        assert float(r["avoided"]) == 0
END

sample=$TOP/traces/samples/kbuild-cc-1vcpu.spht
exits=20000
[ -z "$SPHT_SANITIZED" ] || exits=2000
if [ -e "$sample" ]; then
	check "a part of the bundled recording can be cut" "$SPHT_TRACE" cut --exits=$exits "$sample" -o cut.spht
else
	skip "a part of the bundled recording can be cut" "traces/samples has none; another serves"
	cp golden.spht cut.spht
fi
all="--heuristic=none --heuristic=window --heuristic=prefault:around=16 --heuristic=rebuild"
# shellcheck disable=SC2086 # a list of words
check "the virtual clock replays it" "$SPHT_REPLAY" $all --csv=virtual.csv --quiet cut.spht
# shellcheck disable=SC2086
check "the real clock replays it at full speed: books close, tables and maps agree" \
	real --pace=max $all --csv=real.csv --json=real.json cut.spht
# Guest time is in the base: the prediction at that pace is one of a scale of next to nothing.
# shellcheck disable=SC2086
check "  the same at no guest time" "$SPHT_REPLAY" $all --guest-time-scale=1e-12 --csv=v.csv --quiet cut.spht
check "every repetition keeps what must hold" python3 facts.py real.csv real.json v.csv
# shellcheck disable=SC2086
check "the report has medians and histograms" real --pace=max $all cut.spht
has "  whose CPUs" "$T/out" 'clock +real: vCPU on CPU [0-9]+, helper on CPU [0-9]+'
has "  beside the prediction" "$T/out" 'median +least +most .* virtual$'
has "  by lag, lock waits, queue" "$T/out" 'ns, from +lag +lock wait +helper.s +queue +slack'
has "  it says that it is measured" "$T/out" 'no two runs are the same'

check "a queue of one request closes its books, too" sh -c '
	python3 -c "
import json
c = json.load(open(\"$1/replay/costs/default.json\"))
c[\"queue_limit\"][\"value\"] = 1
c[\"helper_batch\"][\"value\"] = 4
json.dump(c, open(\"short.json\", \"w\"))
c[\"queue_limit\"][\"value\"] = 100000
json.dump(c, open(\"long.json\", \"w\"))
c[\"queue_limit\"][\"value\"] = 256
c[\"helper_build_ns\"][\"value\"] = 10**9
json.dump(c, open(\"slow.json\", \"w\"))"' - "$TOP"
# shellcheck disable=SC2086
check "  with holds that go on" real --pace=max --costs=short.json $all --quiet cut.spht
refused 2 "a queue that is too long" 'queue_limit is 100000, at most 16384' --clock=real --smt --costs=long.json $window cut.spht
check "a helper that takes a second for a build keeps nobody waiting at the end" \
	real --pace=max --costs=slow.json $window --csv=slow.csv --quiet cut.spht
cells slow.csv used_timely avoided_direct avoided_side >"$T/timely"
check "  and has next to nothing done" awk '{ exit($1 + $2 > 100) }' "$T/timely"

check "two worlds have two results" real --pace=max --knowledge=optimistic $window --csv=opt.csv --quiet cut.spht
check "  each in its column" test "$(cells opt.csv avoided_lo avoided | sort -u)" = "- -"
check "a region counts alone" real --pace=max --warmup=50% $window --csv=half.csv --quiet cut.spht
check "several scales and recordings are done one after the other" \
	real --guest-time-scale=0.5,1 $window --csv=more.csv --quiet golden.spht golden.spht
check "  each twice" test "$(wc -l <more.csv)" = 9

# All columns and members are told of.
head -n 1 real.csv | tr , '\n' >names
python3 -c '
import json, sys
def names(v):
    for k, w in v.items() if isinstance(v, dict) else []:
        print(k)
        names(w)
names(json.load(open(sys.argv[1]))[0]["real"])' real.json >>names
while read -r name; do
	grep -qw "$name" "$TOP/docs/metrics.md" || echo "$name"
done <names >missing
check "columns and members of the real clock stand in docs/metrics.md" diff /dev/null missing

finish
