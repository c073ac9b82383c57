// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One-block lookahead on faults: the next pages, always, untrained.  Smith's
 * tagged variant also looks ahead on the first use of a prefetched block.  A
 * helper is not told of such a use as it happens (others here look for it at the
 * next fault); faults alone trigger here.
 */
#include "heuristic.h"

enum { DEGREE, CROSS, ON, NR_PARAMS };

static const struct spht_param nextline_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[DEGREE] = {"degree", SPHT_PARAM_INT, 1, 1, SPHT_REGION_PAGES - 1, false, "pages", NULL,
		    "pages after the fault; default 1: one-block lookahead (gem5's "
		    "TaggedPrefetcher has 2)"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 0, 0, 1, false, "", NULL,
		   "1: may leave the fault's 2 MiB region; default 0: that takes a second page "
		   "table"},
	[ON] = SPHT_PARAM_ON,
};

static void nextline_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			   struct spht_host *host)
{
	uint64_t vpn;

	(void)state;
	if (!spht_is_on(fault, params[ON]))
		return;
	/* The last page of the lower half has no next page: the canonical hole follows. */
	for (int64_t i = 1; i <= params[DEGREE] && spht_vpn_add(fault->vpn, i, params[CROSS], &vpn);
	     i++)
		spht_request(host, fault->space, vpn);
}

SPHT_HEURISTIC(nextline, .name = "nextline",
	       .summary = "the next pages after a fault (one-block lookahead)",
	       .cite = "Smith, Sequential Program Prefetching in Memory Hierarchies, IEEE Computer "
		       "11(12), 1978; gem5 TaggedPrefetcher",
	       .params = nextline_params, .nr_params = NR_PARAMS, .fault = nextline_fault);
