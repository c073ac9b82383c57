// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "calibrate/cost.h"
#include "calibrate/stats.h"

void cost_add(struct cost *c, double *v, size_t nr)
{
	c->per_run = nr;
	if (c->runs < COST_MAX_RUNS)
		c->run[c->runs++] = stats_quantile(v, nr, 0.5);
}

static double quantile(const struct cost *c, double q)
{
	double v[COST_MAX_RUNS];

	memcpy(v, c->run, sizeof(v));
	return stats_quantile(v, c->runs, q);
}

double cost_value(const struct cost *c)
{
	return quantile(c, 0);
}

double cost_most(const struct cost *c)
{
	return quantile(c, 1);
}
