// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The upper bound.  The host tells it of each avoidable fault just before it
 * happens, and whether the guest's entry was there and legal; it has that entry
 * built at once, at no cost.  The one heuristic that sees the future.
 */
#include "heuristic.h"

static bool oracle_foresee(void *state, const int64_t *params, const struct spht_prospect *prospect)
{
	(void)state;
	(void)params;
	/*
	 * Avoiding a fault saves one exit and is charged with @loss new ones:
	 * at 1.0 nothing is won, and a bound that builds there could be beaten
	 * by a heuristic that does not.
	 */
	return prospect->buildable && prospect->loss < 1.0;
}

SPHT_HEURISTIC(oracle, .name = "oracle",
	       .summary = "upper bound: builds each legal entry just before its recorded fault",
	       .cite = "clairvoyant bound after Belady, IBM Systems Journal 5(2), 1966",
	       .foresee = oracle_foresee);
