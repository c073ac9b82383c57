// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The upper bound.  The host tells it of each avoidable fault just before it
 * happens, and whether the guest's entry was there and legal; it has that entry
 * built at once, at no cost.  The one heuristic that sees the future.
 *
 * With a latency it bounds helpers that need that long from the guest's store
 * to the finished entry; with a bandwidth, those that build no more than so many
 * in a time.  Both serve the faults in the order in which they come (earliest
 * deadline first): good, and no proof that no other order would avoid more.
 */
#include "heuristic.h"

enum { LATENCY, BANDWIDTH, NR_PARAMS };

static const struct spht_param oracle_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[LATENCY] = {"latency", SPHT_PARAM_INT, 0, 0, 1000000000, false, "ns", NULL,
		     "least time from the guest's store to the built entry; default 0: the bound"},
	[BANDWIDTH] = {"bandwidth", SPHT_PARAM_INT, 0, 0, 1000000, false, "builds/ms", NULL,
		       "at most so many builds in a millisecond; default 0: no limit"},
};

struct oracle {
	uint64_t free_ns; /* when the last build was over */
};

static size_t oracle_size(const int64_t *params)
{
	(void)params;
	return sizeof(struct oracle);
}

/* Could the build have been over by now?  Then it was. */
static bool in_time(struct oracle *o, const int64_t *params, const struct spht_prospect *p)
{
	uint64_t pace = 1000000 / (params[BANDWIDTH] ? params[BANDWIDTH] : 1);
	uint64_t latency = params[LATENCY], from;

	if (p->legal_for_ns < latency)
		return false;
	if (!params[BANDWIDTH])
		return true;
	from = p->legal_for_ns < p->time_ns ? p->time_ns - p->legal_for_ns : 0;
	if (from < o->free_ns)
		from = o->free_ns;
	if (from + (pace > latency ? pace : latency) > p->time_ns)
		return false;
	o->free_ns = from + pace;
	return true;
}

static bool oracle_foresee(void *state, const int64_t *params, const struct spht_prospect *prospect)
{
	/*
	 * Avoiding a fault saves one exit and is charged with @loss new ones:
	 * at 1.0 nothing is won, and a bound that builds there could be beaten
	 * by a heuristic that does not.
	 */
	return prospect->buildable && prospect->loss < 1.0 && in_time(state, params, prospect);
}

SPHT_HEURISTIC(oracle, .name = "oracle",
	       .summary = "upper bound: builds each legal entry just before its recorded fault",
	       .cite = "clairvoyant bound after Belady, IBM Systems Journal 5(2), 1966",
	       .params = oracle_params, .nr_params = NR_PARAMS, .state_size = oracle_size,
	       .foresee = oracle_foresee);
