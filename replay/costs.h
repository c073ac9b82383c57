/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_COSTS_H
#define SPHT_COSTS_H

#include <stdint.h>

#include "replay/exit.h"
#include "spht_error.h"

#define SPHT_COSTS_LEADS 128

/*
 * Cost profile: what exits and helper builds take, in ns of virtual time.  A
 * JSON file in which every number stands with its source (replay/costs/).
 */
struct spht_costs {
	char name[64];
	uint64_t exit_ns[SPHT_CLASS_NR]; /* a #PF exit by class, entry included */
	uint64_t other_exit_ns;
	uint64_t helper_wake_ns; /* from request to start, when the helper is idle */
	uint64_t helper_read_ns; /* reading the guest's entry, whatever comes of it */
	uint64_t helper_build_ns; /* one entry with its prefetch, mmu_lock included */
	uint64_t helper_page_ns; /* a shadow page created on the way */
	uint64_t exit_lock_ns; /* part of a #PF exit that takes mmu_lock, spent holding it */
	uint64_t helper_lock_ns; /* part of helper_build_ns spent holding mmu_lock */
	uint64_t helper_pace_ns; /* least time from the start of a build to the next */
	uint64_t helper_batch; /* builds under one hold of mmu_lock, 1.. */
	uint64_t helper_poll_ns; /* how often it looks again at an entry that is not there yet */
	uint64_t helper_watch_ns; /* for how long; 0: such a request is refused at once */
	uint64_t first_use_ns; /* what the first access through a built entry still costs */
	uint64_t queue_limit; /* requests */
	uint64_t tracing_percent; /* what recording added to an exit's time */
	double touch_probability; /* share of prefetched entries that the guest touches */
	/*
	 * Lead time of a refault: from the guest's store of its entry to its first access
	 * to the page.  Quantiles, ascending, evenly spaced: [0] the least, [nr - 1] the most.
	 */
	uint64_t lead_ns[SPHT_COSTS_LEADS];
	unsigned int nr_leads; /* 2.. */
};

/* The built-in profile. */
extern const char spht_costs_default[];

/*
 * Reads a profile: @path, or the built-in one for "default".  Returns 0 or -1
 * with @err set: a missing or unknown number is an error, never a default.
 */
int spht_costs_load(struct spht_costs *costs, const char *path, struct spht_error *err);

/* Lead time at quantile @u, 0..1: between two of the profile's, a straight line. */
uint64_t spht_costs_lead(const struct spht_costs *costs, double u);

#endif
