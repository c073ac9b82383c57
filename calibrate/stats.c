// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "calibrate/stats.h"

/* Enough for the quantiles to stand still to a ns; more only sharpens what is noise. */
#define ROUNDS 300

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double stats_quantile(double *v, size_t nr, double q)
{
	double at = q * (double)(nr - 1);
	size_t i = (size_t)at;

	qsort(v, nr, sizeof(*v), compare);
	if (i + 1 >= nr)
		return v[nr - 1];
	return v[i] + (at - (double)i) * (v[i + 1] - v[i]);
}

static unsigned int bin_of(double ns)
{
	return ns >= STATS_BIN * STATS_BINS ? STATS_BINS - 1 : (unsigned int)(ns / STATS_BIN);
}

/*
 * One round: each interval gives its one unit to the bins it covers, in proportion to
 * what they have now.  Running sums make that two additions for each interval.
 */
static void round_of(struct density *d, const struct interval *v, size_t nr)
{
	static double sum[STATS_BINS + 1], share[STATS_BINS + 1];
	double have = 0;

	memset(share, 0, sizeof(share));
	for (unsigned int i = 0; i < STATS_BINS; i++)
		sum[i + 1] = sum[i] + d->p[i];
	for (size_t k = 0; k < nr; k++) {
		unsigned int lo = bin_of(v[k].lo), hi = bin_of(v[k].hi);
		double covered = sum[hi + 1] - sum[lo];

		if (covered <= 0)
			continue;
		share[lo] += 1 / covered;
		share[hi + 1] -= 1 / covered;
	}
	for (unsigned int i = 0; i < STATS_BINS; i++) {
		have += share[i];
		d->p[i] *= have / (double)nr;
	}
}

void stats_censored(struct density *d, const struct interval *v, size_t nr)
{
	double total = 0;

	memset(d, 0, sizeof(*d));
	for (size_t k = 0; k < nr; k++)
		for (unsigned int i = bin_of(v[k].lo); i <= bin_of(v[k].hi); i++)
			d->p[i] = 1;
	for (unsigned int i = 0; i < STATS_BINS; i++)
		total += d->p[i];
	for (unsigned int i = 0; i < STATS_BINS; i++)
		d->p[i] /= total;
	for (unsigned int i = 0; i < ROUNDS; i++)
		round_of(d, v, nr);
}

double density_quantile(const struct density *d, double q)
{
	double sum = 0;
	unsigned int last = 0;

	for (unsigned int i = 0; i < STATS_BINS; i++) {
		/* A bin's crumbs of rounding are no value. */
		if (d->p[i] < 1e-9)
			continue;
		last = i;
		if (sum + d->p[i] >= q)
			return STATS_BIN * (i + (q - sum) / d->p[i]);
		sum += d->p[i];
	}
	return STATS_BIN * (last + 1);
}
