#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A table as spht-replay --csv writes it, from results worked out by hand.

Each line of standard input is RECORDING SPEC SCALE F_BASE LO AVOIDED HI [COLUMN=VALUE]...;
all other columns are filled so that the identities hold: of F_BASE, AVOIDED were met directly
and built in time. The first argument is the column names, with commas.
"""
import csv
import hashlib
import sys

FIXED = {"schema": "3", "tool_version": "0.1.0", "git_commit": "0123456789ab",
         "trace_complete": "yes", "vcpus": "1", "host_kernel": "6.1.0", "guest_kernel": "6.1.1",
         "kvm": "6.1", "baseline": "8", "baseline_recorded": "8", "lost_events": "0",
         "knowledge": "inferred", "legality": "accessed", "clock": "virtual", "helpers": "1",
         "costs": "made-up", "rules": "all", "time_source": "scaled"}
ZERO = ["pf_guest", "pf_huge", "pf_huge_nopaging", "pf_ad", "avoided_side", "new_exits_lo",
        "new_exits_hi", "helper_exits", "duplicate", "illegal", "unknown", "queue_full",
        "cancelled_demand", "cancelled_zap", "pending_end", "build_failed", "in_progress_end",
        "used_late", "used_weak", "use_unknown", "zapped_unused", "evicted_unused", "lost_epoch",
        "resident_unused", "helper_busy_s", "lock_wait_s"]


def row_of(words):
    trace, spec, scale, base, lo, avoided, hi, *more = words
    name, _, params = spec.partition(":")
    met = max(0, int(float(avoided)))
    row = dict(FIXED, trace=trace + ".spht", heuristic=name, params=params.replace(",", ";"),
               trace_sha256=hashlib.sha256(trace.encode()).hexdigest(), guest_time_scale=scale,
               f_base=base, pf_hidden=base, exits_pf=base, exits_total=base, avoidable=base,
               avoided_lo=lo, avoided=avoided, avoided_hi=hi, avoided_direct=met,
               remaining=int(base) - met, time_base_s="10", time_helped_s="10", speedup_pct="0",
               speedup_bound_pct="25")
    row.update(dict.fromkeys(ZERO, "0"))
    row.update(dict.fromkeys(["generated", "issued", "built", "used_timely"], met))
    ordered = float(lo) <= float(avoided) <= float(hi)
    row["bounds"] = "ordered" if ordered else "crossed"
    row.update(pair.split("=", 1) for pair in more)
    return row


def main():
    columns = sys.argv[1].split(",")
    write = csv.DictWriter(sys.stdout, columns, restval="", lineterminator="\n",
                           extrasaction="ignore")
    write.writeheader()
    for line in sys.stdin:
        if line.strip():
            write.writerow(row_of(line.split()))


main()
