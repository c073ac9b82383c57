/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SPREAD_H
#define SPHT_SPREAD_H

#include "replay/run.h"

/* What repetitions on the real clock have in common, and by how much they differ. */
enum spht_measure {
	SPHT_MEASURE_AVOIDED,
	SPHT_MEASURE_DIRECT,
	SPHT_MEASURE_TIMELY,
	SPHT_MEASURE_LATE, /* used_late and cancelled_demand */
	SPHT_MEASURE_LOCK_WAIT, /* s */
	SPHT_MEASURE_HELPER_LOCK_WAIT, /* s */
	SPHT_MEASURE_HELPER_BUSY, /* s */
	SPHT_MEASURE_SPEEDUP, /* per cent */
	SPHT_MEASURE_NR
};

/* The name of the column that has it, or of the JSON's member. */
const char *spht_measure_name(enum spht_measure m);
/* Of the world @knowledge of one result: a repetition, or the prediction. */
double spht_measure(const struct spht_result *result, enum spht_measure m,
		    const struct spht_recording *recording, const struct spht_run_options *options);

struct spht_spread {
	double median, min, max;
	double q1, q3; /* between two values, a straight line */
};

/* Of @nr values, 1 or more; sorts them. */
struct spht_spread spht_spread_of(double *values, unsigned int nr);
/* The same of all repetitions of a result. */
struct spht_spread spht_measure_spread(const struct spht_result *result, enum spht_measure m,
				       const struct spht_recording *recording,
				       const struct spht_run_options *options);
/* All repetitions' histograms of one kind in one: @at is its offset in struct spht_real_run. */
struct spht_histogram spht_histogram_of(const struct spht_result *result, size_t at);
uint64_t spht_histogram_count(const struct spht_histogram *h);

#endif
