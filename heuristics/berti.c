// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Timely deltas: a distance between faults is worth asking for if the earlier one came early
 * enough for the helper to be done by the later one.
 *
 * The rule.  The paper keeps a history for each load instruction; a #PF exit has none that
 * is always recorded, so here it is one for each 2 MiB region of an address space: its last
 * 16 faults with their times.  It is searched, from the newest, for faults at least a
 * latency before a touch, until 8 are found, or one on the same page or on a page found
 * already (as in the artifact), and the distance of each is credited; the number of
 * searches that found one is counted.  After `window` of them the distances credited in
 * coverage_pct of them or more are chosen, and the counts begin again; in the first
 * window, from half of it on, those with 80 % are.  16 distances are kept; a new one
 * takes the place of the lowest that is not chosen.
 *   A fault trains, and then all chosen distances are asked for, the shortest first, at
 * most `degree`.
 *
 * Latency is measured: from a request to its outcome BUILT, waiting in the queue included.
 *   At a fault, the helper would have needed as long as it did for its last build,
 *     whoever asked for it: it is the same helper.
 *   A page built in time is a fault not seen.  Those asked for are looked at, at each
 *     fault in the region; of one that was used it is known that it was touched after it
 *     was built, so the faults until its request are credited: early enough for
 *     certain.  (The paper searches at the hit, with the latency stored with the line.)
 *   With timely=0 a latency is taken for nothing, and all faults before are early enough.
 *
 * The paper fills the first or second cache by coverage (65, 50, 35 %).  A helper builds
 * in one place, where nothing is displaced; the default is the lowest that it uses.
 *
 * State at the defaults 91 KiB.  An exit takes passes over 16 faults and 16 distances for
 * itself and for each page found used, of which 32 are looked at.
 */
#include "heuristic.h"
#include "lru.h"

enum { ENTRIES, WINDOW, COVERAGE, DEGREE, TIMELY, CROSS, ON, NR };

#define HISTORY 16
#define DELTAS  16
#define FOUND   8 /* in a search */
#define PENDING 32
#define EARLY   80 /* per cent, in the first window */

static const struct spht_param berti_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 64, 1, 16384, true, "entries", NULL,
		     "regions followed at a time; default 64: as stride (the paper: 16 loads)"},
	[WINDOW] = {"window", SPHT_PARAM_INT, 16, 2, 255, false, "searches", NULL,
		    "after which distances are chosen; default 16: the paper's 4-bit counter"},
	[COVERAGE] = {"coverage_pct", SPHT_PARAM_INT, 35, 1, 100, false, "%", NULL,
		      "searches that a chosen distance was found in; default 35: the paper's "
		      "lowest"},
	[DEGREE] = {"degree", SPHT_PARAM_INT, 12, 1, DELTAS, false, "pages", NULL,
		    "asked for at a time; default 12: the paper's limit of chosen deltas"},
	[TIMELY] = {"timely", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "0: all faults before count as early enough; default 1: the paper's idea"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 0, 0, 1, false, "", NULL,
		   "1: may leave the fault's 2 MiB region; default 0: that takes a second page "
		   "table"},
	[ON] = SPHT_PARAM_ON,
};

struct berti_fault {
	uint64_t vpn, time_ns;
};

struct berti_delta {
	int32_t delta; /* 0: none; with cross=1 it may exceed a region */
	uint8_t found; /* in this window's searches */
	bool chosen;
};

/* A page asked for. */
struct berti_pending {
	uint64_t vpn, time_ns; /* time_ns: of the request */
	uint64_t built_ns;
	uint8_t state; /* PENDING_* */
};
enum { PENDING_NONE, PENDING_ASKED, PENDING_BUILT };

struct berti_region {
	struct berti_fault faults[HISTORY];
	struct berti_pending pending[PENDING];
	struct berti_delta deltas[DELTAS];
	uint32_t nr_faults, nr_pending; /* ever */
	uint8_t searches; /* in this window */
	bool warm; /* a window is over */
};

struct berti {
	uint64_t latency_ns; /* of the last build */
	uint64_t regions[]; /* struct spht_lru */
};

static struct spht_lru *regions_of(struct berti *b)
{
	return (struct spht_lru *)(void *)b->regions;
}

static size_t berti_state_size(const int64_t *params)
{
	return sizeof(struct berti) + spht_lru_size(params[ENTRIES], sizeof(struct berti_region));
}

static void berti_init(void *state, const int64_t *params)
{
	spht_lru_init(regions_of(state), params[ENTRIES], sizeof(struct berti_region));
}

static void credit(struct berti_region *r, int64_t delta)
{
	struct berti_delta *place = NULL;

	for (struct berti_delta *d = r->deltas; d < r->deltas + DELTAS; d++) {
		if (d->delta == delta) {
			d->found += d->found < UINT8_MAX;
			return;
		}
		if (d->chosen || (place && !place->delta))
			continue;
		if (!place || !d->delta || d->found < place->found)
			place = d;
	}
	if (place)
		*place = (struct berti_delta){.delta = (int32_t)delta, .found = 1};
}

/* One more search that found something. */
static void count(struct berti_region *r, const int64_t *params)
{
	if (++r->searches < params[WINDOW])
		return;
	for (struct berti_delta *d = r->deltas; d < r->deltas + DELTAS; d++) {
		d->chosen = d->found * 100 >= params[COVERAGE] * params[WINDOW];
		d->found = 0;
	}
	r->searches = 0;
	r->warm = true;
}

static bool is_in(const uint64_t *pages, uint32_t n, uint64_t vpn)
{
	for (uint32_t i = 0; i < n; i++)
		if (pages[i] == vpn)
			return true;
	return false;
}

/* Credits the faults up to @until by which @vpn could have been asked for. */
static void search(struct berti_region *r, const int64_t *params, uint64_t vpn, uint64_t until)
{
	uint32_t n = r->nr_faults < HISTORY ? r->nr_faults : HISTORY, nr = 0;
	uint64_t found[FOUND];

	for (uint32_t i = 1; i <= n && nr < FOUND; i++) {
		const struct berti_fault *f = &r->faults[(r->nr_faults - i) % HISTORY];

		if (f->vpn == vpn)
			return;
		if (f->time_ns > until)
			continue;
		/* A distance is found in a search or not, never twice. */
		if (is_in(found, nr, f->vpn))
			return;
		if (!nr)
			count(r, params);
		found[nr++] = f->vpn;
		credit(r, (int64_t)(vpn - f->vpn));
	}
}

/* Credits what was asked for and used since. */
static void look(struct berti_region *r, const int64_t *params, const struct spht_fault *fault,
		 struct spht_host *host)
{
	for (struct berti_pending *p = r->pending; p < r->pending + PENDING; p++) {
		if (p->state != PENDING_BUILT ||
		    spht_look(host, fault->space, p->vpn) != SPHT_ENTRY_USED)
			continue;
		p->state = PENDING_NONE;
		search(r, params, p->vpn, params[TIMELY] ? p->time_ns : p->built_ns);
	}
}

/* Is this distance to be asked for? */
static bool is_good(const struct berti_region *r, const struct berti_delta *d,
		    const int64_t *params)
{
	if (!d->delta || r->warm)
		return d->delta && d->chosen;
	return r->searches * 2 >= params[WINDOW] && d->found * 100 >= EARLY * r->searches;
}

static int length(const struct berti_delta *d)
{
	return d->delta < 0 ? -d->delta : d->delta;
}

static void ask(struct berti_region *r, const int64_t *params, const struct spht_fault *fault,
		struct spht_host *host)
{
	const struct berti_delta *good[DELTAS];
	unsigned int n = 0;

	/* By length, and of two alike the one found first. */
	for (const struct berti_delta *d = r->deltas; d < r->deltas + DELTAS; d++) {
		unsigned int at = n;

		if (!is_good(r, d, params))
			continue;
		for (; at && length(good[at - 1]) > length(d); at--)
			good[at] = good[at - 1];
		good[at] = d;
		n++;
	}
	for (unsigned int i = 0; i < n && i < params[DEGREE]; i++) {
		uint64_t vpn;

		if (!spht_vpn_add(fault->vpn, good[i]->delta, params[CROSS], &vpn))
			continue;
		r->pending[r->nr_pending++ % PENDING] = (struct berti_pending){
			.vpn = vpn, .time_ns = fault->time_ns, .state = PENDING_ASKED};
		spht_request(host, fault->space, vpn);
	}
}

static void berti_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			struct spht_host *host)
{
	struct berti *b = state;
	uint64_t latency = params[TIMELY] ? b->latency_ns : 0;
	struct berti_region *r;
	bool fresh;

	if (!spht_is_on(fault, params[ON]))
		return;
	r = spht_lru_get(regions_of(b), fault->space, fault->vpn >> SPHT_REGION_SHIFT, &fresh);
	look(r, params, fault, host);
	if (r->nr_faults && r->faults[(r->nr_faults - 1) % HISTORY].vpn == fault->vpn)
		return;
	if (fault->time_ns >= latency)
		search(r, params, fault->vpn, fault->time_ns - latency);
	r->faults[r->nr_faults++ % HISTORY] =
		(struct berti_fault){.vpn = fault->vpn, .time_ns = fault->time_ns};
	ask(r, params, fault, host);
}

static bool ended(struct berti *b, const struct spht_outcome *outcome, uint64_t region)
{
	struct berti_region *r = spht_lru_peek(regions_of(b), outcome->space, region);

	if (!r)
		return false;
	for (struct berti_pending *p = r->pending; p < r->pending + PENDING; p++) {
		if (p->vpn != outcome->vpn || p->state != PENDING_ASKED)
			continue;
		p->state = outcome->kind == SPHT_OUTCOME_BUILT ? PENDING_BUILT : PENDING_NONE;
		p->built_ns = outcome->time_ns;
		if (p->state == PENDING_BUILT)
			b->latency_ns =
				outcome->time_ns > p->time_ns ? outcome->time_ns - p->time_ns : 0;
		return true;
	}
	return false;
}

static void berti_outcome(void *state, const int64_t *params, const struct spht_outcome *outcome,
			  struct spht_host *host)
{
	uint64_t region = outcome->vpn >> SPHT_REGION_SHIFT;

	(void)host;
	/* A page that is beyond the fault's region stands with that region's pages. */
	if (!ended(state, outcome, region) && params[CROSS] && !ended(state, outcome, region - 1))
		ended(state, outcome, region + 1);
}

SPHT_HEURISTIC(berti, .name = "berti",
	       .summary = "distances inside a 2 MiB region that leave the helper time enough",
	       .cite = "Navarro-Torres et al., Berti: an Accurate Local-Delta Data Prefetcher, "
		       "MICRO 2022, and its artifact",
	       .params = berti_params, .nr_params = NR, .state_size = berti_state_size,
	       .init = berti_init, .fault = berti_fault, .outcome = berti_outcome);
