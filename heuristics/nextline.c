// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One-block lookahead on faults: the next pages, always, untrained.  Smith's
 * tagged variant also looks ahead on the first use of a prefetched block; a
 * helper thread never learns of such a use, so faults alone trigger here.
 */
#include "heuristic.h"

enum { DEGREE, CROSS, ON, NR_PARAMS };

/* Which classes of faults trigger. */
enum { ON_HIDDEN, ON_GUEST, ON_BOTH };

#define HIDDEN     (1u << SPHT_FAULT_HIDDEN | 1u << SPHT_FAULT_HUGE | 1u << SPHT_FAULT_AD)
#define GUEST      (1u << SPHT_FAULT_GUEST)

/* Bit of the page number that parts the two canonical halves. */
#define HALF_SHIFT 35

static const char *const on_choices[] = {"hidden", "guest", "both", NULL};
static const unsigned int on_classes[] = {HIDDEN, GUEST, HIDDEN | GUEST};

static const struct spht_param nextline_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[DEGREE] = {"degree", SPHT_PARAM_INT, 1, 1, SPHT_REGION_PAGES - 1, false, "pages", NULL,
		    "pages after the fault; default 1: one-block lookahead (gem5's "
		    "TaggedPrefetcher has 2)"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 0, 0, 1, false, "", NULL,
		   "1: may leave the fault's 2 MiB region; default 0: that takes a second page "
		   "table"},
	[ON] = {"on", SPHT_PARAM_CHOICE, ON_HIDDEN, ON_HIDDEN, ON_BOTH, false, "", on_choices,
		"faults that trigger: hidden (with huge and ad), guest or both; default hidden: "
		"the shadow table's own misses"},
};

static void nextline_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			   struct spht_host *host)
{
	/* The last page of the lower half has no next page: the canonical hole follows. */
	unsigned int shift = params[CROSS] ? HALF_SHIFT : SPHT_REGION_SHIFT;

	(void)state;
	if (!(on_classes[params[ON]] & 1u << fault->cls))
		return;
	for (int64_t i = 1; i <= params[DEGREE]; i++) {
		uint64_t vpn = fault->vpn + i;

		if ((vpn ^ fault->vpn) >> shift)
			break;
		spht_request(host, fault->space, vpn);
	}
}

SPHT_HEURISTIC(nextline, .name = "nextline",
	       .summary = "the next pages after a fault (one-block lookahead)",
	       .cite = "Smith, Sequential Program Prefetching in Memory Hierarchies, IEEE Computer "
		       "11(12), 1978; gem5 TaggedPrefetcher",
	       .params = nextline_params, .nr_params = NR_PARAMS, .fault = nextline_fault);
