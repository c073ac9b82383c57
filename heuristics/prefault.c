// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A fault that is reflected into the guest makes the guest fill in its own
 * entry and touch the page again, which exits a second time.  Asking for the
 * page as soon as the first exit is seen is meant to save the second.  When the
 * guest's entry appears is for the host to find out: it owns the waiting.
 */
#include "heuristic.h"

enum { AROUND, NR_PARAMS };

static const struct spht_param prefault_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[AROUND] = {"around", SPHT_PARAM_INT, 1, 1, SPHT_REGION_PAGES, true, "pages", NULL,
		    "aligned window, the page itself first; default 1: the page alone, as PVM"},
};

static void prefault_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			   struct spht_host *host)
{
	uint64_t around = params[AROUND];
	uint64_t first = fault->vpn & ~(around - 1);

	(void)state;
	if (fault->cls != SPHT_FAULT_GUEST)
		return;
	/* The one page that is certain to be touched, and the soonest. */
	spht_watch(host, fault->space, fault->vpn);
	for (uint64_t vpn = first; vpn < first + around; vpn++) {
		if (vpn != fault->vpn)
			spht_watch(host, fault->space, vpn);
	}
}

SPHT_HEURISTIC(
	prefault, .name = "prefault",
	.summary = "after a fault of the guest's own, the entry that its handler will fill in",
	.cite = "PVM: Huang et al., SOSP 2023, doi 10.1145/3600006.3613158",
	.params = prefault_params, .nr_params = NR_PARAMS, .fault = prefault_fault);
