// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Recency-based preloading: pages that lost their entries together are touched together.
 *
 * The rule: each address space has a stack of the translations that were evicted, the last
 * one on top.  A page whose entry is zapped is put on top (from where it stands in the stack,
 * if it does).  At a fault on a page of the stack its neighbours, `degree` evicted after it
 * and as many before it, are asked for, the nearest first and the later first, and the page
 * leaves the stack.  A page asked for stays until it faults or is zapped again.
 *
 * The paper keeps the stack in two pointers of each entry of the page table, so it is as
 * deep as the table.  Here it is a table of `entries` pages of all spaces, which forgets the
 * page evicted first.  Its TLB evicts one page per miss, for want of room; KVM takes entries
 * away when a table is zapped or the guest changes an entry.  A whole table goes in order
 * of its pages: then the stack says no more than that they are neighbours.  What a sync drops
 * in silence is not told to a helper and not in the stack.
 *
 * State at the defaults 3.8 MiB.  A zap takes up to 8 lookups, a fault 2 x degree + 4.
 */
#include "heuristic.h"
#include "lru.h"

enum { ENTRIES, DEGREE, CROSS, ON, NR };

/* Where a stack begins and ends: a place under no page, among those of its pages. */
#define ANCHOR UINT64_MAX

static const struct spht_param recency_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 65536, 16, 524288, true, "entries", NULL,
		     "pages in the stacks; default 65536: 4 MiB here (the paper: the page table)"},
	[DEGREE] = {"degree", SPHT_PARAM_INT, 1, 1, 256, false, "pages", NULL,
		    "neighbours on each side; default 1: the paper's predecessor and successor"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		   "1: may leave the fault's 2 MiB region; default 1: the paper knows none"},
	[ON] = SPHT_PARAM_ON,
};

/* A place in a stack: the pages next to it, ANCHOR at its ends. */
struct recency_place {
	uint64_t later, earlier; /* evicted than this one */
	bool stacked; /* or a page that has left */
};

static size_t recency_state_size(const int64_t *params)
{
	return spht_lru_size(params[ENTRIES], sizeof(struct recency_place));
}

static void recency_init(void *state, const int64_t *params)
{
	spht_lru_init(state, params[ENTRIES], sizeof(struct recency_place));
}

/* The place of a page of a stack, or its anchor: there, as long as a place names it. */
static struct recency_place *at(struct spht_lru *t, uint64_t space, uint64_t vpn)
{
	return spht_lru_peek(t, space, vpn);
}

static void leave(struct spht_lru *t, uint64_t space, struct recency_place *p)
{
	if (!p->stacked)
		return;
	at(t, space, p->later)->earlier = p->earlier;
	at(t, space, p->earlier)->later = p->later;
	p->stacked = false;
}

/* The place of @vpn, now the one used last; the oldest of all leaves its stack for it. */
static struct recency_place *place(struct spht_lru *t, uint64_t space, uint64_t vpn, bool *fresh)
{
	struct recency_place *old = at(t, space, vpn) ? NULL : spht_lru_victim(t);

	if (old)
		leave(t, spht_lru_key(old)[0], old);
	return spht_lru_get(t, space, vpn, fresh);
}

static void recency_zapped(void *state, const int64_t *params, const struct spht_zap *zap,
			   struct spht_host *host)
{
	struct recency_place *p, *anchor;
	struct spht_lru *t = state;
	bool fresh;

	(void)params;
	(void)host;
	p = place(t, zap->space, zap->vpn, &fresh);
	leave(t, zap->space, p);
	/* After its page: an anchor is always younger than its stack, and outlives it. */
	anchor = place(t, zap->space, ANCHOR, &fresh);
	if (fresh)
		anchor->later = anchor->earlier = ANCHOR;
	p->later = ANCHOR;
	p->earlier = anchor->earlier;
	p->stacked = true;
	at(t, zap->space, p->earlier)->later = zap->vpn;
	anchor->earlier = zap->vpn;
}

static void ask(const int64_t *params, const struct spht_fault *fault, uint64_t vpn,
		struct spht_host *host)
{
	if (vpn != ANCHOR &&
	    spht_vpn_add(fault->vpn, (int64_t)(vpn - fault->vpn), params[CROSS], &vpn))
		spht_request(host, fault->space, vpn);
}

static void recency_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			  struct spht_host *host)
{
	struct spht_lru *t = state;
	struct recency_place *p;
	uint64_t later, earlier;

	if (!spht_is_on(fault, params[ON]))
		return;
	p = at(t, fault->space, fault->vpn);
	if (!p || !p->stacked)
		return;
	later = p->later;
	earlier = p->earlier;
	for (int64_t i = 0; i < params[DEGREE]; i++) {
		ask(params, fault, later, host);
		ask(params, fault, earlier, host);
		if (later != ANCHOR)
			later = at(t, fault->space, later)->later;
		if (earlier != ANCHOR)
			earlier = at(t, fault->space, earlier)->earlier;
	}
	leave(t, fault->space, p);
}

SPHT_HEURISTIC(recency, .name = "recency",
	       .summary = "pages whose entries were zapped just after and before the fault's was",
	       .cite = "Saulsbury, Dahlgren and Stenstrom, Recency-Based TLB Preloading, "
		       "ISCA 2000",
	       .params = recency_params, .nr_params = NR, .state_size = recency_state_size,
	       .init = recency_init, .fault = recency_fault, .zapped = recency_zapped);
