// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "replay/spread.h"

const char *spht_measure_name(enum spht_measure m)
{
	static const char *const names[SPHT_MEASURE_NR] = {
		[SPHT_MEASURE_AVOIDED] = "avoided",
		[SPHT_MEASURE_DIRECT] = "avoided_direct",
		[SPHT_MEASURE_TIMELY] = "used_timely",
		[SPHT_MEASURE_LATE] = "late",
		[SPHT_MEASURE_LOCK_WAIT] = "lock_wait_s",
		[SPHT_MEASURE_HELPER_LOCK_WAIT] = "helper_lock_wait_s",
		[SPHT_MEASURE_HELPER_BUSY] = "helper_busy_s",
		[SPHT_MEASURE_SPEEDUP] = "speedup_pct",
	};

	return names[m];
}

double spht_measure(const struct spht_result *res, enum spht_measure m,
		    const struct spht_recording *rec, const struct spht_run_options *opt)
{
	const struct spht_account *a = &res->world[opt->knowledge];
	struct spht_result_time t;

	switch (m) {
	case SPHT_MEASURE_AVOIDED:
		return spht_result_gain(res, opt->knowledge, &opt->costs);
	case SPHT_MEASURE_DIRECT:
		return (double)a->avoided_direct;
	case SPHT_MEASURE_TIMELY:
		return (double)a->used_timely;
	case SPHT_MEASURE_LATE:
		return (double)(a->used_late + a->cancelled_demand);
	case SPHT_MEASURE_LOCK_WAIT:
		return (double)a->lock_wait_ns / 1e9;
	case SPHT_MEASURE_HELPER_LOCK_WAIT:
		return (double)a->helper_wait_ns / 1e9;
	case SPHT_MEASURE_HELPER_BUSY:
		return (double)a->helper_busy_ns / 1e9;
	default:
		spht_result_time(&t, res, opt->knowledge, &opt->costs,
				 spht_run_cost_scale(rec, &opt->costs));
		return t.speedup_pct;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(const double *v, unsigned int nr, double q)
{
	double at = q * (nr - 1);
	unsigned int i = (unsigned int)at;

	return i + 1 < nr ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[i];
}

struct spht_spread spht_spread_of(double *v, unsigned int nr)
{
	qsort(v, nr, sizeof(*v), by_value);
	return (struct spht_spread){
		.median = quantile(v, nr, 0.5),
		.min = v[0],
		.max = v[nr - 1],
		.q1 = quantile(v, nr, 0.25),
		.q3 = quantile(v, nr, 0.75),
	};
}

struct spht_spread spht_measure_spread(const struct spht_result *res, enum spht_measure m,
				       const struct spht_recording *rec,
				       const struct spht_run_options *opt)
{
	double v[SPHT_MAX_REPETITIONS];
	struct spht_result one;

	for (unsigned int i = 0; i < res->nr_reps; i++) {
		spht_result_of_repetition(&one, res, i, opt->knowledge);
		v[i] = spht_measure(&one, m, rec, opt);
	}
	return spht_spread_of(v, res->nr_reps);
}

struct spht_histogram spht_histogram_of(const struct spht_result *res, size_t at)
{
	struct spht_histogram sum = {.sum = 0};

	for (unsigned int i = 0; i < res->nr_reps; i++) {
		const struct spht_histogram *h =
			(const void *)((const char *)&res->reps[i].run + at);

		for (unsigned int b = 0; b < SPHT_REAL_BINS; b++)
			sum.bin[b] += h->bin[b];
		sum.sum += h->sum;
		if (h->most > sum.most)
			sum.most = h->most;
	}
	return sum;
}

uint64_t spht_histogram_count(const struct spht_histogram *h)
{
	uint64_t n = 0;

	for (unsigned int b = 0; b < SPHT_REAL_BINS; b++)
		n += h->bin[b];
	return n;
}
