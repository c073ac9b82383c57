// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Our own combination, meant to win: each part asks for what the others cannot know.
 *
 *   around  The aligned window around a hidden fault, the nearest pages first, so that
 *           those most likely to be touched next are built before the helper is late
 *           (window.c asks from the lowest on).
 *   log     Processes of one binary fault at the same addresses in the same order: a
 *           kernel build runs cc1 thousands of times.  All faults are logged; when a
 *           page faults that has faulted before, what followed then is asked for, as
 *           temporal streaming does with cache misses.  The log holds pages only, so
 *           one process teaches the next (shared=1); requests are made in the faulting
 *           address space, where other tables decide what is legal.
 *   self    The page of a guest fault itself is waited for, as prefault does.  Off: on
 *           the recordings here the guest is back before the entry is built nearly
 *           every time, and then waits for the mmu_lock that the helper holds.
 *
 * What the log says of pages that the window has asked for is left out.  Memory: 16 bytes
 * of log and 52 of index for each of `entries`, 4.4 MiB at the default.  Work: at most
 * window + ahead requests, and ahead * ahead comparisons, for a fault.
 */
#include "heuristic.h"
#include "lru.h"

enum { WINDOW, AHEAD, ENTRIES, SELF, SHARED, CROSS, NR_PARAMS };

#define MAX_AHEAD 64

static const struct spht_param hybrid_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[WINDOW] = {"window", SPHT_PARAM_INT, 64, 1, SPHT_REGION_PAGES / 2, true, "pages", NULL,
		    "aligned window around a hidden fault, 1: none; default 64: own choice"},
	[AHEAD] = {"ahead", SPHT_PARAM_INT, 16, 0, MAX_AHEAD, false, "pages", NULL,
		   "faults of the log that are asked for; default 16: own choice"},
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 65536, 64, 1 << 20, true, "faults", NULL,
		     "faults that the log remembers; default 65536: own choice"},
	[SELF] = {"self", SPHT_PARAM_BOOL, 0, 0, 1, false, "", NULL,
		  "1: waits for the page of a guest fault; default 0: costs the guest more than it "
		  "saves"},
	[SHARED] = {"shared", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: one log for all address spaces; default 1: the same binaries run again"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		   "1: the log may lead out of the fault's 2 MiB region; default 1"},
};

/* Address spaces that are told apart, shared=0. */
#define SPACES 1024u

/* A position in the log is 1 + the number of faults before it. */
struct logged {
	uint64_t vpn;
	uint64_t then; /* position of the next fault that counts as following; 0: none yet */
};

struct hybrid {
	uint64_t nr; /* faults so far */
	/* Then: last position of an address space; of a page; and the log. */
	uint64_t tables[];
};

static struct spht_lru *spaces_of(struct hybrid *h)
{
	return (struct spht_lru *)(void *)h->tables;
}

static struct spht_lru *pages_of(struct hybrid *h)
{
	return (struct spht_lru *)(void *)((char *)h->tables +
					   spht_lru_size(SPACES, sizeof(uint64_t)));
}

static struct logged *log_of(struct hybrid *h, const int64_t *params, uint64_t position)
{
	struct logged *log = (void *)((char *)pages_of(h) +
				      spht_lru_size((uint32_t)params[ENTRIES], sizeof(uint64_t)));

	return &log[position & (uint64_t)(params[ENTRIES] - 1)];
}

static size_t hybrid_size(const int64_t *params)
{
	return sizeof(struct hybrid) + spht_lru_size(SPACES, sizeof(uint64_t)) +
	       spht_lru_size((uint32_t)params[ENTRIES], sizeof(uint64_t)) +
	       (size_t)params[ENTRIES] * sizeof(struct logged);
}

static void hybrid_init(void *state, const int64_t *params)
{
	spht_lru_init(spaces_of(state), SPACES, sizeof(uint64_t));
	spht_lru_init(pages_of(state), (uint32_t)params[ENTRIES], sizeof(uint64_t));
}

/* Has the log still got what was at @position? */
static bool is_kept(const struct hybrid *h, const int64_t *params, uint64_t position)
{
	return position && h->nr - position < (uint64_t)params[ENTRIES];
}

/* The window, nearest first; of two that are as near, the later one. */
static void ask_around(const int64_t *params, const struct spht_fault *fault,
		       struct spht_host *host)
{
	uint64_t first = fault->vpn & ~(uint64_t)(params[WINDOW] - 1);
	uint64_t end = first + (uint64_t)params[WINDOW];

	for (uint64_t d = 1; d < (uint64_t)params[WINDOW]; d++) {
		if (fault->vpn + d < end)
			spht_request(host, fault->space, fault->vpn + d);
		if (fault->vpn >= first + d)
			spht_request(host, fault->space, fault->vpn - d);
	}
}

/* Is @vpn to be asked for, beside what the window and the log have asked for already? */
static bool is_new(const int64_t *params, const struct spht_fault *fault, uint64_t vpn,
		   const uint64_t *asked, unsigned int nr)
{
	bool around = fault->cls != SPHT_FAULT_GUEST;
	uint64_t ignored;

	if (!spht_vpn_add(fault->vpn, (int64_t)(vpn - fault->vpn), params[CROSS], &ignored))
		return false;
	if (around && !((vpn ^ fault->vpn) & ~(uint64_t)(params[WINDOW] - 1)))
		return false;
	for (unsigned int i = 0; i < nr; i++)
		if (asked[i] == vpn)
			return false;
	return true;
}

/* What followed the fault at position @at. */
static void ask_log(struct hybrid *h, const int64_t *params, uint64_t at,
		    const struct spht_fault *fault, struct spht_host *host)
{
	uint64_t asked[MAX_AHEAD];
	unsigned int nr = 0;

	for (int64_t i = 0; i < params[AHEAD] && is_kept(h, params, at); i++) {
		uint64_t vpn;

		at = log_of(h, params, at)->then;
		if (!at)
			return;
		vpn = log_of(h, params, at)->vpn;
		if (!is_new(params, fault, vpn, asked, nr))
			continue;
		asked[nr++] = vpn;
		spht_request(host, fault->space, vpn);
	}
}

static void hybrid_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			 struct spht_host *host)
{
	uint64_t who = params[SHARED] ? 0 : fault->space, *page, *last;
	struct hybrid *h = state;
	bool fresh;

	if (!spht_is_on(fault, SPHT_ON_BOTH))
		return;
	page = spht_lru_get(pages_of(h), who, fault->vpn, &fresh);
	last = spht_lru_get(spaces_of(h), who, 0, &fresh);
	if (fault->cls != SPHT_FAULT_GUEST)
		ask_around(params, fault, host);
	else if (params[SELF])
		spht_watch(host, fault->space, fault->vpn);
	ask_log(h, params, *page, fault, host);
	if (is_kept(h, params, *last))
		log_of(h, params, *last)->then = h->nr + 1;
	*page = *last = ++h->nr;
	*log_of(h, params, h->nr) = (struct logged){.vpn = fault->vpn};
}

SPHT_HEURISTIC(hybrid, .name = "hybrid",
	       .summary = "window, the log of earlier faults of the same pages, and prefault",
	       .cite = "own; the log after Wenisch et al., Temporal Streaming of Shared Memory, "
		       "ISCA 2005",
	       .params = hybrid_params, .nr_params = NR_PARAMS, .state_size = hybrid_size,
	       .init = hybrid_init, .fault = hybrid_fault);
