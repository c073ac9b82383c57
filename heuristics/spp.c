// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signature path prefetching: what the last steps in a region were says what the next one
 * is, and that says the one after it, as long as all of it together is likely enough.
 *
 * The rule, with the paper's pages as 2 MiB regions and its blocks as pages.  The
 * signature table has the last page and the signature of a region: 12 bits, shifted by 3 and
 * mixed with each step (sign and magnitude, 10 bits here instead of 7).  The pattern table
 * has, for a signature, up to 4 steps that came next, a count of each (a new one begins at
 * 0, in the place of the lowest) and one of all; when that passes 15 all are halved.
 *   A fault trains the pattern of the old signature with its step, and makes the new
 *   signature.  From there: each step of the pattern whose count / count of all, times (but
 *   not at first) the accuracy so far, times the likelihood of the way to here, is
 *   threshold_pct or more is asked for; the way goes on by the likeliest, until there is none.
 *   A region's first fault, and the same page again, train and ask nothing.
 * A way that leaves the region ends, and its last step is kept in the global history (8
 * entries): a first fault on just that page begins with that signature.  (The paper's pages
 * are physical and match by offset; these are virtual, and match by page.)  All is in whole
 * per cent, as in ChampSim's spp_dev, of the same author, which is followed where the paper
 * is silent, but for this: signature 0, which nothing trains, predicts nothing, and a new
 * step takes an empty place before it takes that of another which was seen once.
 *
 * The filter has what was asked for lately: it is not asked for again, and tells the
 * accuracy, which is pages used per page built, both halved at 1024.  A fault cannot tell
 * of a use here, so each fault looks at 4 entries in turn; one that loses its place is
 * looked at too, and one that came late was right.  A refusal empties its entry, a zap too.
 *
 * The paper trains on all accesses that reach its cache; here a page built well is a
 * fault not seen, and 1 1 1 1 becomes 5.  With follow=1 the pages on the way asked for at
 * the region's last fault are looked at: as far as each one was used, they train first, in
 * that order, like faults.
 *
 * Signatures know no addresses: one pattern table serves all (shared=1), as in the paper,
 * or each of the last 64 address spaces has one with its filter and history.  State at the
 * defaults 108 KiB (2.2 MiB with shared=0).  An exit takes up to degree levels of 4 steps,
 * degree requests, and 4 + 3 x degree looks: 100 at the defaults.
 */
#include "heuristic.h"
#include "lru.h"

enum { ENTRIES, PATTERNS, THRESHOLD, DEGREE, FILTER, FOLLOW, SHARED, CROSS, ON, NR };

#define SPACES    64
#define WAYS      4
#define COUNT_MAX 15
#define SCORE_MAX 1023
#define HISTORY   8
#define SWEEP     4
#define MOST      128

static const struct spht_param spp_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 256, 1, 16384, true, "entries", NULL,
		     "regions followed at a time; default 256: the paper's signature table"},
	[PATTERNS] = {"patterns", SPHT_PARAM_INT, 512, 1, 4096, true, "entries", NULL,
		      "rows of 4 steps; default 512: the paper's pattern table"},
	[THRESHOLD] = {"threshold_pct", SPHT_PARAM_INT, 25, 1, 100, false, "%", NULL,
		       "least likelihood of what is asked for; default 25: the paper"},
	[DEGREE] = {"degree", SPHT_PARAM_INT, 32, 1, MOST, false, "pages", NULL,
		    "asked for at a time, and levels, at most; default 32: ChampSim's miss "
		    "registers"},
	[FILTER] = {"filter", SPHT_PARAM_INT, 1024, 1, 16384, true, "entries", NULL,
		    "pages asked for that are known; default 1024: the paper's filter"},
	[FOLLOW] = {"follow", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: pages on the way that were used train; default 1: as hits train SPP"},
	[SHARED] = {"shared", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: one pattern table for all address spaces; default 1: the paper"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 0, 0, 1, false, "", NULL,
		   "1: the way may leave the fault's 2 MiB region; default 0: as the paper"},
	[ON] = SPHT_PARAM_ON,
};

enum { FREE, ASKED, WAITED, BUILT, USED };

struct spp_filtered {
	uint64_t space, vpn;
	uint8_t state; /* WAITED: asked for, and not heard of since the last look */
};

struct spp_step {
	int16_t delta; /* 0: none yet */
	uint8_t count;
};

struct spp_pattern {
	struct spp_step ways[WAYS];
	uint8_t count;
};

/* A step out of a region: to @vpn, by @delta, at signature @sig. */
struct spp_exit {
	uint64_t space, vpn;
	int32_t delta; /* 0: empty */
	uint16_t sig;
};

/* What is learned, of one address space or of all. */
struct spp_set {
	struct spp_exit history[HISTORY];
	uint32_t next_exit, next_look;
	uint32_t built, used; /* of the accuracy */
	size_t filter; /* where it begins, in bytes from here */
	struct spp_pattern patterns[];
};

struct spp_region {
	uint16_t sig, last; /* last: page in the region */
	uint16_t nr, way[MOST]; /* pages on the way asked for at the last fault, in order */
};

struct spp {
	size_t sets; /* where they begin, in bytes from here */
	uint64_t regions[]; /* struct spht_lru */
};

/* Are these pages of one region, or with @cross of one half? */
static bool together(uint64_t a, uint64_t b, bool cross)
{
	return !((a ^ b) >> (cross ? SPHT_VPN_BITS - 1 : SPHT_REGION_SHIFT));
}

/* A walk along the likeliest steps. */
struct spp_walk {
	struct spp_set *set;
	struct spp_region *region;
	const struct spht_fault *fault;
	struct spht_host *host;
	uint64_t asked[MOST];
	uint64_t at; /* page */
	uint32_t pct; /* likelihood of being here */
	int64_t level;
	uint16_t nr, sig;
	bool known; /* the way so far can be told from looks */
};

static struct spht_lru *regions_of(struct spp *s)
{
	return (struct spht_lru *)(void *)s->regions;
}

static struct spht_lru *sets_of(struct spp *s)
{
	return (struct spht_lru *)(void *)((char *)s + s->sets);
}

static size_t patterns_size(const int64_t *params)
{
	return (sizeof(struct spp_set) + params[PATTERNS] * sizeof(struct spp_pattern) + 7) &
	       ~(size_t)7;
}

static size_t set_size(const int64_t *params)
{
	return patterns_size(params) + params[FILTER] * sizeof(struct spp_filtered);
}

static size_t spp_state_size(const int64_t *params)
{
	return sizeof(struct spp) + spht_lru_size(params[ENTRIES], sizeof(struct spp_region)) +
	       spht_lru_size(params[SHARED] ? 1 : SPACES, set_size(params));
}

static void spp_init(void *state, const int64_t *params)
{
	struct spp *s = state;

	s->sets = sizeof(*s) + spht_lru_size(params[ENTRIES], sizeof(struct spp_region));
	spht_lru_init(regions_of(s), params[ENTRIES], sizeof(struct spp_region));
	spht_lru_init(sets_of(s), params[SHARED] ? 1 : SPACES, set_size(params));
}

static struct spp_set *find_set(struct spp *s, const int64_t *params, uint64_t space)
{
	bool fresh;
	struct spp_set *set = spht_lru_get(sets_of(s), params[SHARED] ? 0 : space, 0, &fresh);

	if (fresh)
		set->filter = patterns_size(params);
	return set;
}

static uint16_t next_sig(uint16_t sig, int32_t delta)
{
	uint32_t step = delta < 0 ? (uint32_t)-delta + SPHT_REGION_PAGES : (uint32_t)delta;

	return (sig << 3 ^ step) & 0xfff;
}

static struct spp_pattern *pattern(struct spp_set *set, const int64_t *params, uint16_t sig)
{
	return &set->patterns[sig * 2654435761u >> 20 & (uint32_t)(params[PATTERNS] - 1)];
}

static void train(struct spp_pattern *p, int32_t delta)
{
	struct spp_step *way = p->ways, *least = p->ways;

	for (; way < p->ways + WAYS && way->delta != delta; way++)
		if (least->delta && (!way->delta || way->count < least->count))
			least = way;
	if (way < p->ways + WAYS)
		way->count++;
	else
		*least = (struct spp_step){.delta = (int16_t)delta};
	if (++p->count <= COUNT_MAX)
		return;
	p->count /= 2;
	for (way = p->ways; way < p->ways + WAYS; way++)
		way->count /= 2;
}

/* The page @offset of @region is touched. */
static void step(struct spp_set *set, const int64_t *params, struct spp_region *region,
		 uint16_t offset)
{
	int32_t delta = (int32_t)offset - region->last;

	if (!delta)
		return;
	if (region->sig)
		train(pattern(set, params, region->sig), delta);
	region->sig = next_sig(region->sig, delta);
	region->last = offset;
}

/* The pages asked for that were used since the last fault, up to the first that was not. */
static void follow(struct spp_set *set, const int64_t *params, struct spp_region *region,
		   const struct spht_fault *fault, struct spht_host *host)
{
	uint64_t first = fault->vpn & ~(uint64_t)(SPHT_REGION_PAGES - 1);

	for (uint16_t i = 0; i < region->nr; i++) {
		if (spht_look(host, fault->space, first + region->way[i]) != SPHT_ENTRY_USED)
			return;
		step(set, params, region, region->way[i]);
	}
}

static struct spp_filtered *filtered(struct spp_set *set, const int64_t *params, uint64_t space,
				     uint64_t vpn)
{
	struct spp_filtered *f = (struct spp_filtered *)(void *)((char *)set + set->filter);
	uint64_t h = (vpn ^ space * UINT64_C(0xd6e8feb86659fd93)) * UINT64_C(0x9e3779b97f4a7c15);

	return &f[h >> 40 & (uint64_t)(params[FILTER] - 1)];
}

/* The filter's entry of a page that was asked for and is not forgotten; NULL: none. */
static struct spp_filtered *find_filtered(struct spp_set *set, const int64_t *params,
					  uint64_t space, uint64_t vpn)
{
	struct spp_filtered *f = set ? filtered(set, params, space, vpn) : NULL;

	return f && f->state != FREE && f->vpn == vpn && f->space == space ? f : NULL;
}

static void count_built(struct spp_set *set)
{
	if (++set->built <= SCORE_MAX)
		return;
	set->built /= 2;
	set->used /= 2;
}

/* Uses of pages that were built before the last halving must not make it more than all. */
static void count_used(struct spp_set *set)
{
	set->used += set->used < set->built;
}

/* Was it used by now? */
static void judge(struct spp_set *set, struct spp_filtered *f, struct spht_host *host)
{
	if (f->state == BUILT && spht_look(host, f->space, f->vpn) == SPHT_ENTRY_USED) {
		count_used(set);
		f->state = USED;
	}
}

/* Looks at some of the filter's entries, and gives up those that nobody heard of. */
static void sweep(struct spp_set *set, const int64_t *params, struct spht_host *host)
{
	struct spp_filtered *f = (struct spp_filtered *)(void *)((char *)set + set->filter);

	for (int i = 0; i < SWEEP; i++) {
		struct spp_filtered *at = &f[set->next_look++ & (uint32_t)(params[FILTER] - 1)];

		judge(set, at, host);
		if (at->state == WAITED)
			at->state = FREE;
		if (at->state == ASKED)
			at->state = WAITED;
	}
}

/* Asks for @vpn unless it was asked for lately. */
static void ask(struct spp_walk *w, const int64_t *params, uint64_t vpn)
{
	uint64_t space = w->fault->space;
	struct spp_filtered *f;

	for (uint16_t i = 0; i < w->nr; i++)
		if (w->asked[i] == vpn)
			return;
	if (w->nr == params[DEGREE])
		return;
	if (find_filtered(w->set, params, space, vpn))
		return;
	f = filtered(w->set, params, space, vpn);
	judge(w->set, f, w->host);
	*f = (struct spp_filtered){.space = space, .vpn = vpn, .state = ASKED};
	w->asked[w->nr++] = vpn;
	spht_request(w->host, space, vpn);
}

/* The step @delta from here is likely enough. */
static void take(struct spp_walk *w, const int64_t *params, int32_t delta)
{
	struct spp_set *set = w->set;
	uint64_t vpn = w->at + (uint64_t)(int64_t)delta;

	if (vpn != w->fault->vpn && together(vpn, w->fault->vpn, params[CROSS]))
		ask(w, params, vpn);
	if (!together(vpn, w->fault->vpn, false))
		set->history[set->next_exit++ % HISTORY] = (struct spp_exit){
			.space = w->fault->space, .vpn = vpn, .delta = delta, .sig = w->sig};
}

/* Notes the page that the way has reached, if a look can tell later whether it was used. */
static void note(struct spp_walk *w)
{
	struct spp_region *r = w->region;

	w->known = w->known && together(w->at, w->fault->vpn, false) &&
		   spht_look(w->host, w->fault->space, w->at) != SPHT_ENTRY_USED;
	if (w->known)
		r->way[r->nr++] = w->at % SPHT_REGION_PAGES;
}

/* One level further; false: nothing is likely enough any more. */
static bool advance(struct spp_walk *w, const int64_t *params)
{
	const struct spp_pattern *p = pattern(w->set, params, w->sig);
	uint32_t accuracy = w->set->built ? 100 * w->set->used / w->set->built : 0, best = 0;
	int32_t by = 0;

	if (!w->sig || !p->count)
		return false;
	for (const struct spp_step *s = p->ways; s < p->ways + WAYS; s++) {
		uint32_t pct = 100u * s->count / p->count;

		if (w->level)
			pct = accuracy * s->count / p->count * w->pct / 100;
		if (!s->delta || pct < (uint32_t)params[THRESHOLD])
			continue;
		take(w, params, s->delta);
		if (pct > best) {
			best = pct;
			by = s->delta;
		}
	}
	w->at += (uint64_t)(int64_t)by;
	w->sig = next_sig(w->sig, by);
	w->pct = best;
	w->level++;
	return by && together(w->at, w->fault->vpn, params[CROSS]);
}

static void walk(struct spp_set *set, const int64_t *params, struct spp_region *region,
		 const struct spht_fault *fault, struct spht_host *host)
{
	struct spp_walk w = {.set = set,
			     .region = region,
			     .fault = fault,
			     .host = host,
			     .at = fault->vpn,
			     .pct = 100,
			     .sig = region->sig,
			     .known = params[FOLLOW]};

	region->nr = 0;
	while (w.level < params[DEGREE] && advance(&w, params))
		note(&w);
}

/* The signature of a region on its first fault: that of a way that led there, or 0. */
static uint16_t first_sig(const struct spp_set *set, const struct spht_fault *fault)
{
	for (uint32_t i = 1; i <= HISTORY; i++) {
		const struct spp_exit *e = &set->history[(set->next_exit - i) % HISTORY];

		if (e->delta && e->vpn == fault->vpn && e->space == fault->space)
			return next_sig(e->sig, e->delta);
	}
	return 0;
}

static void spp_fault(void *state, const int64_t *params, const struct spht_fault *fault,
		      struct spht_host *host)
{
	uint16_t offset = fault->vpn % SPHT_REGION_PAGES;
	struct spp *s = state;
	struct spp_region *region;
	struct spp_set *set;
	bool fresh;

	if (!spht_is_on(fault, params[ON]))
		return;
	set = find_set(s, params, fault->space);
	sweep(set, params, host);
	region = spht_lru_get(regions_of(s), fault->space, fault->vpn >> SPHT_REGION_SHIFT, &fresh);
	if (fresh) {
		region->sig = first_sig(set, fault);
		region->last = offset;
	} else {
		if (offset == region->last)
			return;
		follow(set, params, region, fault, host);
		step(set, params, region, offset);
	}
	walk(set, params, region, fault, host);
}

static void spp_outcome(void *state, const int64_t *params, const struct spht_outcome *outcome,
			struct spht_host *host)
{
	struct spp_set *set = spht_lru_peek(sets_of(state), params[SHARED] ? 0 : outcome->space, 0);
	struct spp_filtered *f = find_filtered(set, params, outcome->space, outcome->vpn);

	(void)host;
	if (!f || (f->state != ASKED && f->state != WAITED))
		return;
	f->state = outcome->kind == SPHT_OUTCOME_BUILT ? BUILT : FREE;
	if (outcome->kind == SPHT_OUTCOME_REFUSED)
		return;
	count_built(set);
	if (outcome->kind == SPHT_OUTCOME_LATE)
		count_used(set);
}

static void spp_zapped(void *state, const int64_t *params, const struct spht_zap *zap,
		       struct spht_host *host)
{
	struct spp_set *set = spht_lru_peek(sets_of(state), params[SHARED] ? 0 : zap->space, 0);
	struct spp_filtered *f = find_filtered(set, params, zap->space, zap->vpn);

	(void)host;
	if (f)
		f->state = FREE;
}

SPHT_HEURISTIC(spp, .name = "spp",
	       .summary = "the likeliest ways on from the last steps inside a 2 MiB region",
	       .cite = "Kim et al., Path Confidence Based Lookahead Prefetching, MICRO 2016; "
		       "ChampSim spp_dev",
	       .params = spp_params, .nr_params = NR, .state_size = spp_state_size,
	       .init = spp_init, .fault = spp_fault, .outcome = spp_outcome, .zapped = spp_zapped);
