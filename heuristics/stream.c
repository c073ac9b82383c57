// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Streams: faults that go one way through a region are followed by those further on.
 * Jouppi's stream buffers prefetch the lines after a miss, and only upwards; here, as
 * in later stream prefetchers, a direction must be seen first, and may be down.
 *
 * The rule, after the streamer of the Pythia simulator, for each region:
 *   first fault: a tracker is made;
 *   fault on the page of the last one: nothing is learned or asked;
 *   fault above or below: a step up or down.  With `confirm` steps in a row of one
 *     direction the next degree pages that way are asked for.
 * How far a step goes is of no account, so faults past the pages asked for go on with
 * the stream: no feedback is needed where most pages are built well.
 *
 * What shadow faults change: a tracker follows a 2 MiB region of one address space, not
 * a 4 KiB page, so that far jumps inside it count as steps too.  The simulator drops
 * the tracker whose last step is the oldest; here a fault that is no step is a use too.
 *
 * Bounds at the defaults: 64 trackers, 4 KiB; constant work, 5 requests a fault.
 */
#include "heuristic.h"
#include "lru.h"

enum { ENTRIES, DEGREE, CONFIRM, CROSS, ON, NR };

static const struct spht_param stream_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 64, 1, 65536, false, "entries", NULL,
		     "regions tracked at a time (LRU); default 64: Pythia "
		     "streamer_num_trackers"},
	[DEGREE] = {"degree", SPHT_PARAM_INT, 5, 1, SPHT_REGION_PAGES - 1, false, "pages", NULL,
		    "pages asked for at a time; default 5: Pythia streamer_pref_degree"},
	[CONFIRM] = {"confirm", SPHT_PARAM_INT, 2, 1, 255, false, "faults", NULL,
		     "steps in a row of one direction before it asks; default 2: Pythia"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 0, 0, 1, false, "", NULL,
		   "1: may leave the fault's 2 MiB region; default 0: Pythia stays in its page"},
	[ON] = SPHT_PARAM_ON,
};

struct tracker {
	uint64_t vpn; /* of the last fault */
	int8_t dir; /* of the last step; 0: none yet */
	uint8_t steps; /* in a row that way, at most `confirm` */
};

static size_t stream_state_size(const int64_t *params)
{
	return spht_lru_size((uint32_t)params[ENTRIES], sizeof(struct tracker));
}

static void stream_init(void *state, const int64_t *params)
{
	spht_lru_init(state, (uint32_t)params[ENTRIES], sizeof(struct tracker));
}

static void stream_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			 struct spht_host *host)
{
	struct tracker *t;
	uint64_t vpn;
	int8_t dir;
	bool fresh;

	if (!spht_is_on(fault, params[ON]))
		return;
	t = spht_lru_get(state, fault->space, fault->vpn >> SPHT_REGION_SHIFT, &fresh);
	if (fresh || fault->vpn == t->vpn) {
		t->vpn = fault->vpn;
		return;
	}
	dir = fault->vpn > t->vpn ? 1 : -1;
	if (dir != t->dir)
		t->steps = 0;
	t->steps += t->steps < params[CONFIRM];
	t->dir = dir;
	t->vpn = fault->vpn;
	if (t->steps < params[CONFIRM])
		return;
	for (int64_t i = 1;
	     i <= params[DEGREE] && spht_vpn_add(fault->vpn, dir * i, params[CROSS], &vpn); i++)
		spht_request(host, fault->space, vpn);
}

SPHT_HEURISTIC(stream, .name = "stream",
	       .summary = "streams: the next pages up or down, where a 2 MiB region's faults go",
	       .cite = "Jouppi, Improving Direct-Mapped Cache Performance, ISCA 1990; streamer of "
		       "Pythia: Bera et al., MICRO 2021",
	       .params = stream_params, .nr_params = NR, .state_size = stream_state_size,
	       .init = stream_init, .fault = stream_fault);
