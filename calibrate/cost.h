/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_COST_H
#define SPHT_COST_H

#include <stdbool.h>
#include <stddef.h>

#define COST_MAX_RUNS 64u

/* One figure, measured several times; ns unless said otherwise. */
struct cost {
	double run[COST_MAX_RUNS]; /* the median of each run, in order */
	unsigned int runs;
	size_t per_run; /* measurements in the last run */
};

/* Adds a run: the median of @v, @nr > 0 values, which are sorted by it. */
void cost_add(struct cost *c, double *v, size_t nr);
/* The least of the runs: what else the machine does only adds. */
double cost_value(const struct cost *c);
double cost_most(const struct cost *c);

#endif
