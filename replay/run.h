/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_RUN_H
#define SPHT_RUN_H

#include "replay/real.h"
#include "replay/recording.h"
#include "replay/whatif.h"

/* What the command line asked for, checked. */
#define SPHT_MAX_SCALES 16

struct spht_run_options {
	const struct spht_spec *specs;
	unsigned int nr_specs; /* times nr_scales: SPHT_MAX_ROWS at most */
	double scales[SPHT_MAX_SCALES];
	unsigned int nr_scales;
	enum spht_world knowledge;
	enum spht_legality legality;
	bool helper_prefetch;
	bool verify; /* every what-if, after every step */
	unsigned int helpers; /* SPHT_HELPERS_PER_VCPU, or how many share one queue */
	enum spht_rules rules;
	bool curve;
	unsigned int window; /* KVM's own prefetch in the what-ifs; 0: as recorded */
	const struct spht_kvm *kvm; /* NULL: as recorded */
	bool bypass_guest_pf; /* where that KVM has it */
	unsigned int jobs; /* at least 1 */
	size_t memory; /* what-ifs run together that hold at most about this, and one for each job */
	struct spht_costs costs;
	const struct spht_look_at *look_at; /* NULL: nothing */
	const struct spht_real_plan *real; /* NULL: the virtual clock alone */
	struct spht_timeline *timeline; /* of the only row's run in world @knowledge; NULL: none */
};

/* What the real clock measured once. */
struct spht_repetition {
	struct spht_account account; /* of @options->knowledge */
	struct spht_real_run run;
};

/* One row of the result: a heuristic on a recording at one time scale, in all worlds. */
struct spht_result {
	const struct spht_spec *spec;
	double scale;
	struct spht_account world[SPHT_WORLD_NR];
	struct spht_account oracle[SPHT_WORLD_NR];
	/* KVM itself as asked for, without a helper, where that was not what was recorded. */
	struct spht_account baseline[SPHT_WORLD_NR];
	bool counterfactual; /* baseline is valid */
	/* What each world's run does with @options->look_at; NULL: nothing is looked at. */
	struct spht_look *look;
	/* By interval of the recording, of @options->knowledge; NULL: no intervals. */
	struct spht_part *parts, *base_parts; /* base_parts: of the baseline, as above */
	/* On the real clock: so many, without those for warming up; `world` is the prediction. */
	struct spht_repetition *reps;
	unsigned int nr_reps;
};

/* Is the KVM that @options asks for another one than the recording's? */
bool spht_run_counterfactual(const struct spht_recording *recording,
			     const struct spht_run_options *options);
/* avoided of METRICS section 4 in one world, beyond what the baseline itself avoids. */
double spht_result_gain(const struct spht_result *result, enum spht_world world,
			const struct spht_costs *costs);
/* The same of its oracle. */
double spht_result_avoidable(const struct spht_result *result, enum spht_world world,
			     const struct spht_costs *costs);

/* The result with repetition @i in the place of the prediction, in world @knowledge alone. */
void spht_result_of_repetition(struct spht_result *of, const struct spht_result *result,
			       unsigned int i, enum spht_world knowledge);

/*
 * Runs every what-if that the rows need, on @options->jobs threads; the result
 * does not depend on their number.  *@results: nr_specs * nr_scales rows, to
 * be freed.  Returns 0, -1 with @err set, or -3 where an identity of
 * METRICS does not hold (exit status 3).
 */
int spht_run(struct spht_recording *recording, const struct spht_run_options *options,
	     struct spht_result **results, struct spht_error *err);
/* avoided of one run, against the recording, with the charge that belongs to that world. */
double spht_result_avoided(const struct spht_account *account, enum spht_world world,
			   const struct spht_costs *costs);
/*
 * Time of METRICS section 7, ns over all vCPUs.  @scale: spht_run_cost_scale().  The new
 * exits that are charged in `avoided` are charged here too, at the price of a hidden fault.
 */
struct spht_result_time {
	double base, helped;
	double speedup_pct; /* of helped against base */
	double bound_pct; /* the same with all of F_base free: no helper can be worth more */
};

void spht_result_time(struct spht_result_time *time, const struct spht_result *result,
		      enum spht_world world, const struct spht_costs *costs, double scale);
/* What a recorded hidden fault takes, per one of the profile; 1 where the clock is not real. */
double spht_run_cost_scale(const struct spht_recording *recording, const struct spht_costs *costs);

#endif
