#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-calibrate on this machine, in one short run: the profile is one, and no figure
# is of another order than it can be.
# shellcheck source=tests/live/live.sh
. "$(dirname "$0")/live.sh"
live_or_skip "a profile measured here is one and has sensible figures"

# sensible FILE: every rule that a figure breaks, by any factor that noise cannot explain.
sensible()
{
	python3 - "$1" <<'END'
import json, sys

with open(sys.argv[1]) as f:
    p = json.load(f)
bad = []


def value(key):
    return p[key]["value"]


def rule(text, holds):
    if not holds:
        bad.append(text)


for key in ("exit_hidden_ns", "exit_huge_ns", "exit_ad_ns", "exit_ptwrite_unsync_ns",
            "exit_ptwrite_emul_ns", "exit_mmio_ns", "exit_spurious_ns", "helper_build_ns",
            "helper_wake_ns", "helper_read_ns"):
    rule(f"{key} is measured", p[key]["source"].startswith("measured"))
for key in ("exit_hidden_ns", "exit_huge_ns", "exit_ad_ns", "exit_ptwrite_unsync_ns",
            "exit_ptwrite_emul_ns", "exit_spurious_ns", "helper_build_ns"):
    rule(f"{key} is 0.2 to 100 us", 200 <= value(key) <= 100000)
for key in ("exit_guest_ns", "exit_other_ns", "queue_limit", "touch_probability"):
    rule(f"{key} is copied", p[key]["source"].startswith("copied from"))
rule("a fault with 7 neighbours costs more than one without", value("exit_hidden_ns") > value("exit_ad_ns"))
rule("a spurious fault costs less than one that makes 8 entries", value("exit_spurious_ns") < value("exit_hidden_ns"))
rule("user space costs more than a fault", value("exit_mmio_ns") > value("exit_hidden_ns"))
rule("a wake-up costs more than reading 4 lines", value("helper_wake_ns") > value("helper_read_ns"))
rule("the lock is held for a part of the fault", 0 < value("exit_lock_ns") < value("exit_hidden_ns"))
rule("using an entry costs less than a fault", value("first_use_ns") < value("exit_spurious_ns"))
leads = p["lead_ns"]["quantiles"]
rule("101 lead times", len(leads) == 101)
rule("the median lead is below 20 us", leads[50] < 20000)
rule("leads are not all the same", leads[90] > leads[10])
rule("leads are measured", p["lead_ns"]["source"].startswith("measured"))
print("\n".join(bad), file=sys.stderr)
sys.exit(bool(bad))
END
}

if ! grep -q avx2 /proc/cpuinfo || [ "$(nproc)" -lt 2 ]; then
	skip "a profile measured here is one and has sensible figures" "no AVX2, or one CPU"
	finish
fi
if check "spht-replay --calibrate's program measures this machine" \
	"$SPHT_CALIBRATE" --runs=1 --samples=1000 --name=here -o "$T/here.json"; then
	# A machine that is busy just now may upset any one figure.
	sensible "$T/here.json" 2>/dev/null ||
		"$SPHT_CALIBRATE" --runs=3 --samples=1000 --name=here -o "$T/here.json" 2>/dev/null
	check "no figure is of another order than it can be" sensible "$T/here.json"
	check "spht-replay takes the profile" "$SPHT_REPLAY" --heuristic=window \
		--costs="$T/here.json" --csv="$T/here.csv" "$TOP/traces/samples/kbuild-cc-1vcpu.spht"
	has "and names it in its table" "$T/here.csv" ',here,'
fi
check "leads are seen through pagemap as well" \
	"$SPHT_CALIBRATE" --lead --pagemap --runs=1 --samples=1000 -o "$T/pm.json"
has "what is not measured is copied" "$T/pm.json" '"exit_hidden_ns".*copied from'
find /sys/kernel/tracing/instances -maxdepth 1 -name 'spht-calibrate-*' >"$T/left" 2>/dev/null
check "no trace instance is left" test ! -s "$T/left"
status 1 "a profile that cannot be written is an error" \
	"$SPHT_CALIBRATE" --lead --runs=1 --samples=1000 -o "$T/none/x.json"

finish
