/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_RUN_H
#define SPHT_RUN_H

#include "replay/recording.h"
#include "replay/whatif.h"

/* What the command line asked for, checked. */
#define SPHT_MAX_SPECS  256
#define SPHT_MAX_SCALES 16

struct spht_run_options {
	struct spht_spec specs[SPHT_MAX_SPECS];
	unsigned int nr_specs;
	double scales[SPHT_MAX_SCALES];
	unsigned int nr_scales;
	enum spht_world knowledge;
	enum spht_legality legality;
	bool helper_prefetch;
	unsigned int jobs;
	struct spht_costs costs;
};

/* One row of the result: a heuristic on a recording at one time scale, in all worlds. */
struct spht_result {
	const struct spht_spec *spec;
	double scale;
	struct spht_account world[SPHT_WORLD_NR];
	struct spht_account oracle[SPHT_WORLD_NR];
};

/*
 * Runs every what-if that the rows need, on @options->jobs threads; the result
 * does not depend on their number.  *@results: nr_specs * nr_scales rows, to
 * be freed.  Returns 0, -1 with @err set, or -3 where an identity of
 * METRICS does not hold (exit status 3).
 */
int spht_run(struct spht_recording *recording, const struct spht_run_options *options,
	     struct spht_result **results, struct spht_error *err);
/* avoided of METRICS section 4 in one world, with the charge that belongs to that world. */
double spht_result_avoided(const struct spht_account *account, enum spht_world world,
			   const struct spht_costs *costs);

#endif
