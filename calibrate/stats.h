/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_STATS_H
#define SPHT_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Sorts @v and returns its quantile @q, 0..1, of @nr > 0 values. */
double stats_quantile(double *v, size_t nr, double q);

/*
 * A distribution over bins of STATS_BIN ns: bin i is [i, i + 1) of them.  The
 * weights add up to 1.
 */
#define STATS_BIN  8.0
#define STATS_BINS 4096u

struct density {
	double p[STATS_BINS];
};

/* A value known to lie in [lo, hi] ns, 0 <= lo <= hi. */
struct interval {
	double lo, hi;
};

/*
 * The distribution under which @nr > 0 such intervals are most likely (Turnbull's
 * estimator for interval-censored values, by expectation maximization), provided that
 * where an interval begins and ends does not depend on the value.  What lies beyond the
 * last bin is counted in it.
 */
void stats_censored(struct density *d, const struct interval *v, size_t nr);
/* Quantile @q, 0..1, in ns; within a bin a straight line. */
double density_quantile(const struct density *d, double q);

#endif
