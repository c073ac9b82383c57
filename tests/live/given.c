// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A helper that touches what a list says ($SPHT_GIVEN, as for tests/live/duo): the pages of
 * a batch, when a fault of any class comes on its trigger.  Batches whose trigger took no
 * fault are passed over with it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "heuristics/heuristic.h"

struct line {
	uint64_t batch, trigger, vpn;
};

struct given {
	struct line *lines;
	size_t nr, at; /* of the first batch that is not asked for yet */
};

static void given_init(void *state, const int64_t *params)
{
	const char *name = getenv("SPHT_GIVEN");
	struct given *g = state;
	struct line l;
	FILE *f = name ? fopen(name, "r") : NULL;

	(void)params;
	if (!f) {
		fprintf(stderr, "$SPHT_GIVEN: cannot open '%s'\n", name ? name : "");
		exit(1);
	}
	while (fscanf(f, "%" SCNu64 " %" SCNx64 " %" SCNx64, &l.batch, &l.trigger, &l.vpn) == 3) {
		if (!(g->nr & (g->nr + 1)))
			g->lines = realloc(g->lines, 2 * (g->nr + 1) * sizeof(*g->lines));
		if (!g->lines)
			exit(1);
		g->lines[g->nr++] = l;
	}
	fclose(f);
}

static void given_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			struct spht_host *host)
{
	struct given *g = state;
	size_t i = g->at;

	(void)params;
	while (i < g->nr && g->lines[i].trigger != fault->vpn)
		i++;
	if (i == g->nr)
		return;
	for (uint64_t batch = g->lines[i].batch; i < g->nr && g->lines[i].batch == batch; i++)
		spht_request(host, fault->space, g->lines[i].vpn);
	g->at = i;
}

static size_t given_size(const int64_t *params)
{
	(void)params;
	return sizeof(struct given);
}

SPHT_HEURISTIC(given, .name = "given", .summary = "what a list says", .cite = "tests/live/README",
	       .state_size = given_size, .init = given_init, .fault = given_fault);
SPHT_PLUGIN(given);
