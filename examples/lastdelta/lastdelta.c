// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Two faults in a row that are the same distance apart: the next ones will be, too.
 * An example of a plugin; docs/heuristics.md explains it line by line.
 */
#include <spht/heuristic.h>
#include <spht/lru.h>

enum { DEPTH, SPACES, ON, NR_PARAMS };

static const struct spht_param lastdelta_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[DEPTH] = {"depth", SPHT_PARAM_INT, 4, 1, 64, false, "pages", NULL,
		   "pages asked for at a time; default 4: a guess"},
	[SPACES] = {"spaces", SPHT_PARAM_INT, 16, 1, 4096, false, "spaces", NULL,
		    "address spaces remembered; default 16: a guess"},
	[ON] = SPHT_PARAM_ON,
};

/* Of one address space. */
struct walk {
	uint64_t vpn; /* of its last fault */
	int64_t delta; /* from the fault before; 0: not known */
};

static size_t lastdelta_size(const int64_t *params)
{
	return spht_lru_size((uint32_t)params[SPACES], sizeof(struct walk));
}

static void lastdelta_init(void *state, const int64_t *params)
{
	spht_lru_init(state, (uint32_t)params[SPACES], sizeof(struct walk));
}

static void lastdelta_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			    struct spht_host *host)
{
	struct walk *w;
	int64_t delta;
	uint64_t vpn;
	bool fresh;

	if (!spht_is_on(fault, params[ON]))
		return;
	w = spht_lru_get(state, fault->space, 0, &fresh);
	delta = fresh ? 0 : (int64_t)(fault->vpn - w->vpn);
	for (int64_t i = 1; delta == w->delta && i <= params[DEPTH]; i++)
		if (spht_vpn_add(fault->vpn, i * delta, false, &vpn))
			spht_request(host, fault->space, vpn);
	w->vpn = fault->vpn;
	w->delta = delta;
}

SPHT_HEURISTIC(lastdelta, .name = "lastdelta",
	       .summary = "the pages at the distance that was seen twice in a row",
	       .cite = "none: an example (docs/heuristics.md)", .params = lastdelta_params,
	       .nr_params = NR_PARAMS, .state_size = lastdelta_size, .init = lastdelta_init,
	       .fault = lastdelta_fault);
SPHT_PLUGIN(lastdelta);
