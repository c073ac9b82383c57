// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sampling-based free TLB prefetching.  A page walk reads a cache line of 8 entries; which of
 * the 7 that come free are worth keeping is learned per free distance, from -7 to 7.
 *
 * The rule, for a fault on a page:
 *   credit: if the page is in the queue (asked for, and too late) or in the sampler, the
 *     distance by which it got there gains one, and it leaves both;
 *   for each other page of its line, in order: if the counter of its distance exceeds the
 *     threshold it is asked for and put into the queue, else into the sampler.  What is in
 *     the queue already is left there.
 *   A counter that reaches its top halves all of them.
 *
 * The paper's queue is searched at each TLB miss, so a page built in time gains credit by a
 * hit.  Here it is a fault that never comes: a page that leaves the queue, which is first
 * in, first out, is looked at, and gains credit if the guest has used it.  Pages that
 * are there when the line is read are left out, as the paper leaves out what the TLB holds.
 *
 * KVM itself builds the aligned 8 (PTE_PREFETCH_NUM), so in a recording with that window a
 * line of 8 only asks for what KVM had to pass over; a longer line is the extension.
 *
 * Of the paper's ATP (which of three prefetchers runs, if any) nothing is here: one
 * of the three needs a program counter, and the other two need queues for what they would
 * have asked for; its off switch without them is a threshold that nothing exceeds.
 *
 * One table of counters for all address spaces as in the paper's core, or with shared=0 one
 * for each of the last 64.  State at the defaults 3.6 KiB (227 KiB with shared=0).  An exit
 * takes a pass over both, 128 places, up to 7 more over the queue, and up to 7 looks each at
 * neighbours and at what leaves the queue.
 */
#include "heuristic.h"
#include "lru.h"

enum { LINE, THRESHOLD, BITS, SAMPLER, QUEUE, SHARED, ON, NR };

#define SPACES   64
#define LONGEST  64
#define COUNTERS (2 * LONGEST - 1)

static const struct spht_param sbfp_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[LINE] = {"line", SPHT_PARAM_INT, 8, 2, LONGEST, true, "pages", NULL,
		  "entries read at a time; default 8: a cache line of 64 bytes, as the paper"},
	[THRESHOLD] = {"threshold", SPHT_PARAM_INT, 100, 0, 65535, false, "", NULL,
		       "a distance is used above this count; default 100: the paper's FDT"},
	[BITS] = {"counter_bits", SPHT_PARAM_INT, 10, 1, 16, false, "bits", NULL,
		  "of a counter; a full one halves all; default 10: the paper's FDT"},
	[SAMPLER] = {"sampler", SPHT_PARAM_INT, 64, 1, 1024, false, "entries", NULL,
		     "pages not asked for that are remembered; default 64: the paper's sampler"},
	[QUEUE] = {"queue", SPHT_PARAM_INT, 64, 1, 1024, false, "entries", NULL,
		   "pages asked for whose use is awaited; default 64: the paper's prefetch queue"},
	[SHARED] = {"shared", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: all address spaces train the same counters; default 1: one table a core, "
		    "as the paper"},
	[ON] = SPHT_PARAM_ON,
};

struct sbfp_page {
	uint64_t space, vpn;
	int64_t distance; /* 0: empty */
};

struct sbfp_ring {
	uint32_t head, cap; /* head: the oldest, where the next one goes */
};

struct sbfp {
	uint32_t count[COUNTERS]; /* of distance d at d + LONGEST - 1 */
	struct sbfp_ring sampler, queue;
	struct sbfp_page pages[]; /* the sampler's, then the queue's */
};

static uint32_t nr_sets(const int64_t *params)
{
	return params[SHARED] ? 1 : SPACES;
}

static size_t set_size(const int64_t *params)
{
	return sizeof(struct sbfp) + (params[SAMPLER] + params[QUEUE]) * sizeof(struct sbfp_page);
}

static size_t sbfp_state_size(const int64_t *params)
{
	return spht_lru_size(nr_sets(params), set_size(params));
}

static void sbfp_init(void *state, const int64_t *params)
{
	spht_lru_init(state, nr_sets(params), set_size(params));
}

static struct sbfp *find_set(struct spht_lru *sets, const int64_t *params, uint64_t space)
{
	bool fresh;
	struct sbfp *s = spht_lru_get(sets, params[SHARED] ? 0 : space, 0, &fresh);

	if (fresh) {
		s->sampler.cap = params[SAMPLER];
		s->queue.cap = params[QUEUE];
	}
	return s;
}

static void credit(struct sbfp *s, const int64_t *params, int64_t distance)
{
	uint32_t top = (1u << params[BITS]) - 1;

	if (++s->count[distance + LONGEST - 1] < top)
		return;
	for (unsigned int i = 0; i < COUNTERS; i++)
		s->count[i] /= 2;
}

/* Empties every place of @pages that holds (@space, @vpn); the distance of the newest, or 0. */
static int64_t take(struct sbfp_page *pages, const struct sbfp_ring *ring, uint64_t space,
		    uint64_t vpn)
{
	int64_t distance = 0;

	for (uint32_t i = 0; i < ring->cap; i++) {
		struct sbfp_page *p = &pages[(ring->head + i) % ring->cap];

		if (p->vpn != vpn || p->space != space || !p->distance)
			continue;
		distance = p->distance;
		p->distance = 0;
	}
	return distance;
}

static bool holds(const struct sbfp_page *pages, const struct sbfp_ring *ring,
		  const struct sbfp_page *page)
{
	for (uint32_t i = 0; i < ring->cap; i++)
		if (pages[i].vpn == page->vpn && pages[i].space == page->space && pages[i].distance)
			return true;
	return false;
}

/* Puts @page in and returns what made room for it. */
static struct sbfp_page put(struct sbfp_page *pages, struct sbfp_ring *ring,
			    const struct sbfp_page *page)
{
	struct sbfp_page old = pages[ring->head];

	pages[ring->head] = *page;
	ring->head = (ring->head + 1) % ring->cap;
	return old;
}

static void sbfp_fault(void *state, const int64_t *params, const struct spht_fault *fault,
		       struct spht_host *host)
{
	struct sbfp_page *queue, old;
	int64_t hit, late;
	struct sbfp *s;
	uint64_t first;

	if (!spht_is_on(fault, params[ON]))
		return;
	s = find_set(state, params, fault->space);
	queue = &s->pages[s->sampler.cap];
	late = take(queue, &s->queue, fault->space, fault->vpn);
	hit = take(s->pages, &s->sampler, fault->space, fault->vpn);
	if (late || hit)
		credit(s, params, late ? late : hit);
	first = fault->vpn & ~(uint64_t)(params[LINE] - 1);
	for (int64_t i = 0; i < params[LINE]; i++) {
		struct sbfp_page page = {fault->space, first + i,
					 (int64_t)(first + i - fault->vpn)};

		if (!page.distance || spht_look(host, page.space, page.vpn) != SPHT_ENTRY_ABSENT)
			continue;
		if (s->count[page.distance + LONGEST - 1] <= params[THRESHOLD]) {
			put(s->pages, &s->sampler, &page);
			continue;
		}
		if (holds(queue, &s->queue, &page))
			continue;
		spht_request(host, page.space, page.vpn);
		old = put(queue, &s->queue, &page);
		if (old.distance && spht_look(host, old.space, old.vpn) == SPHT_ENTRY_USED)
			credit(s, params, old.distance);
	}
}

SPHT_HEURISTIC(sbfp, .name = "sbfp",
	       .summary = "pages that share the fault's line of entries, at distances that paid",
	       .cite = "Vavouliotis et al., Exploiting Page Table Locality for Agile TLB "
		       "Prefetching, ISCA 2021 (SBFP; without ATP)",
	       .params = sbfp_params, .nr_params = NR, .state_size = sbfp_state_size,
	       .init = sbfp_init, .fault = sbfp_fault);
