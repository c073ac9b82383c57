# SPDX-License-Identifier: LGPL-2.1-or-later
"""Intervals for means and for ratios of sums over recordings; formulas in docs/statistics.md.

The recording is the random variable. scipy draws the bootstrap samples; each interval starts
the generator anew with the printed seed, so that none depends on which others were asked for.
"""

import functools
import math
import warnings

from .table import Problem

BCA = "BCa"
PERCENTILE = "percentile"
# All recordings gave the same: there is nothing to draw.
EQUAL = "equal"


class Settings:
    """How sure, how many samples, from which seed."""

    def __init__(self, level=0.95, resamples=9999, seed=1):
        self.level = level
        self.resamples = resamples
        self.seed = seed


class Estimate:
    """A value with an interval by the bootstrap (None if there is none) and one by Student's t."""

    def __init__(self, n, value, boot=None, method="", student=None):
        self.n = n
        self.value = value
        self.boot = boot
        self.method = method
        self.student = student


@functools.cache
def scipy():
    """(numpy, scipy.stats), loaded when first needed: a table that is refused needs neither."""
    try:
        import numpy
        from scipy import stats
    except ImportError as e:
        raise Problem(f"{e}: intervals need Debian's python3-scipy;"
                      " scripts/deps installs it") from None
    return numpy, stats


def bootstrap(statistic, samples, settings):
    """(low, high, method): BCa, or percentile where BCa is not defined for these samples."""
    numpy, stats = scipy()
    for method in (BCA, PERCENTILE):
        with warnings.catch_warnings():
            # A degenerate sample gives a warning and no interval; the latter is looked at.
            warnings.simplefilter("ignore")
            found = stats.bootstrap(
                samples, statistic, paired=len(samples) > 1, vectorized=True,
                confidence_level=settings.level, n_resamples=settings.resamples, method=method,
                random_state=numpy.random.default_rng(settings.seed)).confidence_interval
        low, high = float(found.low), float(found.high)
        if math.isfinite(low) and math.isfinite(high):
            return low, high, method
    return None


def estimate(value, error, statistic, samples, settings):
    n = len(samples[0])
    if n < 2:
        return Estimate(n, value)
    half = float(scipy()[1].t.ppf((1 + settings.level) / 2, n - 1)) * error
    boot = bootstrap(statistic, samples, settings)
    low, high, method = boot if boot else (None, None, "")
    return Estimate(n, value, (low, high) if boot else None, method, (value - half, value + half))


def mean_statistic(values, axis):
    return scipy()[0].mean(values, axis=axis)


def mean(values, settings):
    """Of counts: what one more recording of this kind is expected to have."""
    values = [float(v) for v in values]
    n = len(values)
    middle = math.fsum(values) / n
    if n > 1 and all(v == values[0] for v in values):
        # Nothing varies: both intervals are the value itself.
        return Estimate(n, middle, (middle, middle), EQUAL, (middle, middle))
    square = math.fsum((v - middle) ** 2 for v in values)
    error = math.sqrt(square / (n * (n - 1))) if n > 1 else 0.0
    return estimate(middle, error, mean_statistic, (values,), settings)


def ratio_statistic(above, below, axis):
    total = scipy()[0].sum
    return 100.0 * total(above, axis=axis) / total(below, axis=axis)


def ratio_pct(above, below, settings):
    """100 x sum / sum, both over recordings; None if there is nothing below.

    A recording is drawn with both of its counts. The error for Student's t is the usual one of a
    ratio estimator: that of what a recording has more than the ratio says, over the mean below.
    """
    above, below = [float(v) for v in above], [float(v) for v in below]
    n, total = len(above), math.fsum(below)
    if total <= 0 or any(v <= 0 for v in below):
        return None
    value = 100.0 * math.fsum(above) / total
    rest = [a - value / 100.0 * b for a, b in zip(above, below)]
    if n > 1 and all(a * below[0] == b * above[0] for a, b in zip(above, below)):
        return Estimate(n, value, (value, value), EQUAL, (value, value))
    square = math.fsum(r * r for r in rest)
    error = 100.0 * math.sqrt(square / (n * (n - 1))) / (total / n) if n > 1 else 0.0
    return estimate(value, error, ratio_statistic, (above, below), settings)


def missed_at_least(n):
    """How often the range of n values misses the median of what they are drawn from.

    No bootstrap interval of a mean is wider than the range, so for symmetric values none is right
    more often than that.
    """
    return 2.0 * 0.5 ** n


def caution(n, settings):
    """What has to be said of intervals over n recordings, or nothing."""
    if n < 2:
        return "One recording: no interval. What another one would give is not known."
    missed = missed_at_least(n)
    if missed <= 1 - settings.level:
        return ""
    return (f"{n} recordings: the bootstrap cannot leave the range of the {n} values, which misses"
            f" the middle of a symmetric distribution {100 * missed:.3g} times in 100; it is too"
            f" narrow for {100 * settings.level:g} %. Student's t is right only if recordings are"
            f" spread normally, which {n} cannot show. Take either as a measure of spread, not as"
            " proof.")
