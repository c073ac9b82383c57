#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How often the intervals of scripts/stats hold a truth that is known: KIND COVERAGE a line.

Recordings are drawn whose F_base and avoided exits vary together; the truth is the ratio of
their expectations, and the expectation of the count. The seed is fixed.
"""
import os
import sys

import numpy

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "scripts"))
from statlib import estimate  # noqa: E402

TRIALS, RECORDINGS, SHARE = 400, 12, 0.2


def main():
    draw = numpy.random.default_rng(20260101)
    settings = estimate.Settings(resamples=1000)
    hit = dict.fromkeys(["ratio boot", "ratio t", "mean boot", "mean t"], 0)
    for _ in range(TRIALS):
        base = 1000.0 * draw.lognormal(0, 0.3, RECORDINGS)
        avoided = base * SHARE + draw.normal(0, 20, RECORDINGS)
        truth = 1000 * numpy.exp(0.3 ** 2 / 2) * SHARE
        for kind, found, right in (
                ("ratio", estimate.ratio_pct(avoided, base, settings), 100 * SHARE),
                ("mean", estimate.mean(avoided, settings), truth)):
            hit[f"{kind} boot"] += found.boot[0] <= right <= found.boot[1]
            hit[f"{kind} t"] += found.student[0] <= right <= found.student[1]
    for kind, count in hit.items():
        print(kind, f"{count / TRIALS:.4f}")


main()
