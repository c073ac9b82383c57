// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Spatial footprints: which pages of a small region were touched together, remembered
 * under what began it.  Spatial Memory Streaming, with the two events of Bingo.
 *
 * The rule.  A generation of a region (of one address space) begins with a fault in a region
 * that has none, the trigger.  It stands in the filter table until another page of the region
 * faults, then in the accumulation table, which collects the pages touched.  It ends when an
 * entry of its region is zapped or its place is needed (least recently used); a footprint
 * of more than the trigger then goes into the history, in two places: under the long event,
 * which is the trigger's page, and under the short one, its offset in the region, where
 * the last 16 are kept.  A trigger is looked up by its long event; without success by
 * the short one, where each page in at least vote_pct of the footprints counts.  The pages
 * found, other than the trigger, are asked for in order.
 *
 * Both papers put the program counter of the trigger into both events.  There is none
 * here: the kind of access (write, user, fetch) takes its place.  Bingo keeps one table with
 * two lookups, whose sets the short event selects; without program counters there are so
 * few of these that most of that table would be empty, so there are two tables here.
 * Their region is 2 KiB in blocks of 64 bytes; here it is as many pages.
 *
 * Their footprints are of all accesses; here a page built well is a fault not seen.  With
 * follow=1 a generation with requests goes into the accumulation table at once; its
 * pages asked for are looked at on each fault in the region and at the end, and those used
 * belong to the footprint.  After a zap the entry is gone, and nobody can tell: a page that
 * was built, and not known to be refused, keeps its place then.
 *
 * A kernel build runs the same programs at the same addresses thousands of times: shared=1,
 * the default, keeps one history for all address spaces, as both papers do.
 *
 * State at the defaults 803 KiB.  An exit takes lookups in four tables, and for an ended
 * generation and for the fault's region up to `region` looks each.
 */
#include "heuristic.h"
#include "lru.h"

enum { REGION, FILTER, ACCUMULATE, ENTRIES, EVENTS, VOTE, FOLLOW, SHARED, ON, NR };
enum { BOTH, LONG, SHORT };

#define SHORT_EVENTS (64 * 8)
#define WAYS         16

static const char *const events[] = {"both", "long", "short", NULL};

static const struct spht_param footprint_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[REGION] = {"region", SPHT_PARAM_INT, 32, 4, 64, true, "pages", NULL,
		    "of a footprint; default 32: the 32 blocks of 2 KiB in SMS and Bingo"},
	[FILTER] = {"filter", SPHT_PARAM_INT, 64, 1, 4096, false, "entries", NULL,
		    "regions touched once; default 64: Bingo's filter table"},
	[ACCUMULATE] = {"accumulate", SPHT_PARAM_INT, 128, 1, 4096, false, "entries", NULL,
			"regions touched more than once; default 128: Bingo's accumulation table"},
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 16384, 16, 262144, true, "entries", NULL,
		     "footprints by long event; default 16384: Bingo's history table"},
	[EVENTS] = {"events", SPHT_PARAM_CHOICE, BOTH, BOTH, SHORT, false, "", events,
		    "that are looked up: long (page), short (offset), both; default both: Bingo "
		    "(SMS: short)"},
	[VOTE] = {"vote_pct", SPHT_PARAM_INT, 20, 1, 100, false, "%", NULL,
		  "footprints of a short event that must have a page; default 20: Bingo"},
	[FOLLOW] = {"follow", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: pages built and used are part of it; default 1: as hits are in SMS"},
	[SHARED] = {"shared", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: one history for all address spaces; default 1: as SMS and Bingo, and "
		    "programs run again"},
	[ON] = SPHT_PARAM_ON,
};

/* A generation; a bit is a page of the region. */
struct generation {
	uint64_t touched, asked, used;
	uint8_t trigger, kind;
	bool lives;
};

struct footprints {
	uint64_t last[WAYS];
	uint32_t nr; /* ever */
};

struct footprint {
	size_t accumulate, history, shorts; /* where these tables begin, in bytes from here */
	uint64_t filter[]; /* struct spht_lru */
};

static struct spht_lru *table(struct footprint *f, size_t at)
{
	return (struct spht_lru *)(void *)((char *)f + at);
}

#define FILTER_AT offsetof(struct footprint, filter)

static size_t footprint_state_size(const int64_t *params)
{
	return sizeof(struct footprint) + spht_lru_size(params[FILTER], sizeof(struct generation)) +
	       spht_lru_size(params[ACCUMULATE], sizeof(struct generation)) +
	       spht_lru_size(params[ENTRIES], sizeof(uint64_t)) +
	       spht_lru_size(SHORT_EVENTS, sizeof(struct footprints));
}

static void footprint_init(void *state, const int64_t *params)
{
	struct footprint *f = state;

	f->accumulate = FILTER_AT + spht_lru_size(params[FILTER], sizeof(struct generation));
	f->history = f->accumulate + spht_lru_size(params[ACCUMULATE], sizeof(struct generation));
	f->shorts = f->history + spht_lru_size(params[ENTRIES], sizeof(uint64_t));
	spht_lru_init(table(f, FILTER_AT), params[FILTER], sizeof(struct generation));
	spht_lru_init(table(f, f->accumulate), params[ACCUMULATE], sizeof(struct generation));
	spht_lru_init(table(f, f->history), params[ENTRIES], sizeof(uint64_t));
	spht_lru_init(table(f, f->shorts), SHORT_EVENTS, sizeof(struct footprints));
}

/* The two words of an event: the space, or none; what and by what kind of access. */
static uint64_t event_space(const int64_t *params, uint64_t space)
{
	return params[SHARED] ? 0 : space;
}

static uint64_t event(uint64_t what, uint8_t kind)
{
	return what << 3 | kind;
}

/* Write, user and fetch of the error code, in three bits. */
static uint8_t kind_of(const struct spht_fault *fault)
{
	return (fault->error_code >> 1 & 3) | (fault->error_code >> 2 & 4);
}

static void store(struct footprint *f, const int64_t *params, const uint64_t *key,
		  const struct generation *g, uint64_t pages)
{
	uint64_t space = event_space(params, key[0]);
	struct footprints *s;
	uint64_t *p;
	bool fresh;

	p = spht_lru_get(table(f, f->history), space,
			 event(key[1] * params[REGION] + g->trigger, g->kind), &fresh);
	*p = pages;
	s = spht_lru_get(table(f, f->shorts), space, event(g->trigger, g->kind), &fresh);
	s->last[s->nr++ % WAYS] = pages;
}

/* Looks at what was asked for; with @gone, what is not there any more counts as used. */
static void look(const int64_t *params, const uint64_t *key, struct generation *g, bool gone,
		 struct spht_host *host)
{
	uint64_t left = g->asked & ~g->used & ~g->touched;

	for (; left; left &= left - 1) {
		unsigned int i = __builtin_ctzll(left);
		uint8_t st = spht_look(host, key[0], key[1] * params[REGION] + i);

		if (st == SPHT_ENTRY_USED || (gone && st == SPHT_ENTRY_ABSENT))
			g->used |= UINT64_C(1) << i;
	}
}

/* The generation @g, of an entry of a table, is over. */
static void end(struct footprint *f, const int64_t *params, struct generation *g, bool zapped,
		struct spht_host *host)
{
	const uint64_t *key = spht_lru_key(g);
	uint64_t pages;

	if (!g->lives)
		return;
	g->lives = false;
	if (params[FOLLOW])
		look(params, key, g, zapped, host);
	pages = g->touched | g->used;
	if (pages & (pages - 1))
		store(f, params, key, g, pages);
}

/* The generation of a region, in the table at @at; NULL: none that lives. */
static struct generation *living(struct footprint *f, size_t at, uint64_t space, uint64_t region)
{
	struct generation *g = spht_lru_find(table(f, at), space, region);

	return g && g->lives ? g : NULL;
}

/* A place for a new one, which has taken that of the oldest if it had to. */
static struct generation *place(struct footprint *f, const int64_t *params, size_t at,
				uint64_t space, uint64_t region, struct spht_host *host)
{
	struct spht_lru *t = table(f, at);
	struct generation *g = spht_lru_find(t, space, region);
	bool fresh;

	if (!g && spht_lru_victim(t))
		end(f, params, spht_lru_victim(t), false, host);
	g = spht_lru_get(t, space, region, &fresh);
	*g = (struct generation){.lives = true};
	return g;
}

/* The pages in enough of the footprints of a short event. */
static uint64_t vote(const struct footprints *s, const int64_t *params)
{
	uint32_t n = s->nr < WAYS ? s->nr : WAYS;
	uint64_t pages = 0;

	for (int64_t i = 0; i < params[REGION]; i++) {
		uint32_t votes = 0;

		for (uint32_t k = 0; k < n; k++)
			votes += s->last[k] >> i & 1;
		if (votes * 100 >= params[VOTE] * n)
			pages |= UINT64_C(1) << i;
	}
	return pages;
}

static uint64_t predict(struct footprint *f, const int64_t *params, const struct spht_fault *fault,
			uint8_t trigger)
{
	uint64_t space = event_space(params, fault->space);
	uint8_t kind = kind_of(fault);
	const struct footprints *s;
	const uint64_t *p = NULL;

	if (params[EVENTS] != SHORT)
		p = spht_lru_find(table(f, f->history), space, event(fault->vpn, kind));
	if (p || params[EVENTS] == LONG)
		return p ? *p : 0;
	s = spht_lru_find(table(f, f->shorts), space, event(trigger, kind));
	return s ? vote(s, params) : 0;
}

/* A new generation. */
static void trigger(struct footprint *f, const int64_t *params, const struct spht_fault *fault,
		    struct spht_host *host)
{
	uint64_t region = fault->vpn / params[REGION], first = region * params[REGION];
	uint8_t offset = fault->vpn - first;
	uint64_t bit = UINT64_C(1) << offset;
	uint64_t pages = predict(f, params, fault, offset) & ~bit;
	struct generation *g = place(f, params, pages && params[FOLLOW] ? f->accumulate : FILTER_AT,
				     fault->space, region, host);

	g->touched = bit;
	g->asked = pages;
	g->trigger = offset;
	g->kind = kind_of(fault);
	for (; pages; pages &= pages - 1)
		spht_request(host, fault->space, first + __builtin_ctzll(pages));
}

static void footprint_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			    struct spht_host *host)
{
	uint64_t region = fault->vpn / params[REGION];
	uint64_t bit = UINT64_C(1) << fault->vpn % params[REGION];
	struct footprint *f = state;
	struct generation *g, *filtered;

	if (!spht_is_on(fault, params[ON]))
		return;
	g = living(f, f->accumulate, fault->space, region);
	if (g) {
		g->touched |= bit;
		if (params[FOLLOW])
			look(params, spht_lru_key(g), g, false, host);
		return;
	}
	filtered = living(f, FILTER_AT, fault->space, region);
	if (!filtered) {
		trigger(f, params, fault, host);
		return;
	}
	if (filtered->touched == bit)
		return;
	g = place(f, params, f->accumulate, fault->space, region, host);
	*g = *filtered;
	g->touched |= bit;
	filtered->lives = false;
}

static void footprint_outcome(void *state, const int64_t *params,
			      const struct spht_outcome *outcome, struct spht_host *host)
{
	struct footprint *f = state;
	struct generation *g;

	(void)host;
	if (outcome->kind != SPHT_OUTCOME_REFUSED)
		return;
	g = spht_lru_peek(table(f, f->accumulate), outcome->space, outcome->vpn / params[REGION]);
	if (g)
		g->asked &= ~(UINT64_C(1) << outcome->vpn % params[REGION]);
}

static void footprint_zapped(void *state, const int64_t *params, const struct spht_zap *zap,
			     struct spht_host *host)
{
	uint64_t region = zap->vpn / params[REGION];
	struct footprint *f = state;
	struct generation *g;

	g = spht_lru_peek(table(f, f->accumulate), zap->space, region);
	if (g)
		end(f, params, g, true, host);
	g = spht_lru_peek(table(f, FILTER_AT), zap->space, region);
	if (g)
		end(f, params, g, true, host);
}

SPHT_HEURISTIC(footprint, .name = "footprint",
	       .summary = "the pages of a small region that were touched together before",
	       .cite = "Somogyi et al., Spatial Memory Streaming, ISCA 2006; Bakhshalipour et "
		       "al., Bingo Spatial Data Prefetcher, HPCA 2019",
	       .params = footprint_params, .nr_params = NR, .state_size = footprint_state_size,
	       .init = footprint_init, .fault = footprint_fault, .outcome = footprint_outcome,
	       .zapped = footprint_zapped);
