/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_COSTS_H
#define SPHT_COSTS_H

#include <stdint.h>

#include "replay/exit.h"
#include "spht_error.h"

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
	uint64_t queue_limit; /* requests */
	uint64_t tracing_percent; /* what recording added to an exit's time */
	double touch_probability; /* share of prefetched entries that the guest touches */
};

/* The built-in profile. */
extern const char spht_costs_default[];

/*
 * Reads a profile: @path, or the built-in one for "default".  Returns 0 or -1
 * with @err set: a missing or unknown number is an error, never a default.
 */
int spht_costs_load(struct spht_costs *costs, const char *path, struct spht_error *err);

#endif
