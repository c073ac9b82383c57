// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Global history buffer, C/DC: zones of memory have their own history of misses, and
 * after the last two deltas of a zone those follow that followed the same two before.
 *
 * The rule, for each miss:
 *   the page is entered into the buffer, the oldest one in it goes;
 *   of the pages in the buffer those of the miss's zone, newest first, give deltas.
 *     The last place before where the newest two occur, in that order, is looked for;
 *   degree deltas from there on are added up, beginning with the page missed, and each
 *     sum is asked for.  At the newest delta it begins again after the place found: so
 *     what lies between is a period.  (A run would get one page otherwise; the
 *     paper leaves that open.)
 * A miss on the page that is the newest of its zone has no delta and is left out.
 * Zones of 2^36 pages make one of all: the paper's G/DC.
 *
 * The paper's index table and links are how hardware finds the pages of a zone; here
 * the buffer is gone over, which finds the same pages.
 *
 * What shadow faults change: page for line, a zone of 2 MiB, no program counter.  Each
 * address space has a buffer of its own, so that none pushes out another's history.
 * Prefetched lines that hit train like misses; a page built in time is no fault.  So
 * the last 2 x degree pages asked for in a space are looked at when the next fault
 * comes, and those used since are entered before it, in the order in which they were
 * asked for (follow=0: not looked at).  A page that is there already is not asked for.
 *
 * Bounds at the defaults: 64 spaces x 3128 bytes, 200 KiB; a fault goes over 256 pages
 * twice, and once more for each page used, looks at 8 + 4 entries and asks for 4.
 */
#include "asked.h"
#include "heuristic.h"
#include "lru.h"

#define MOST_HISTORY 1024
#define MOST_DEGREE  64

enum { ENTRIES, HISTORY, DEGREE, ZONE, FOLLOW, CROSS, ON, NR };

static const struct spht_param ghb_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 64, 1, 1024, false, "spaces", NULL,
		     "address spaces followed at a time (LRU); default 64: the paper has one"},
	[HISTORY] = {"history", SPHT_PARAM_INT, 256, 4, MOST_HISTORY, true, "pages", NULL,
		     "pages in the buffer of a space; default 256: the paper's buffer"},
	[DEGREE] = {"degree", SPHT_PARAM_INT, 4, 1, MOST_DEGREE, false, "pages", NULL,
		    "deltas added up at a time; default 4: the paper's degree"},
	[ZONE] = {"zone_pages", SPHT_PARAM_INT, SPHT_REGION_PAGES, 16, INT64_C(1) << SPHT_VPN_BITS,
		  true, "pages", NULL,
		  "size of a zone (2^36: G/DC); default 512: what one page table maps"},
	[FOLLOW] = {"follow", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: pages asked for and used are history too; default 1: as hits of "
		    "prefetched lines"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 0, 0, 1, false, "", NULL,
		   "1: may leave the fault's 2 MiB region; default 0: that takes a second page "
		   "table"},
	[ON] = SPHT_PARAM_ON,
};

struct ghb_space {
	uint64_t n; /* pages entered ever */
	uint32_t nr_asked;
	uint64_t asked[2 * MOST_DEGREE]; /* oldest first, not seen used */
	uint64_t pages[]; /* number i is at i modulo history */
};

static size_t space_size(const int64_t *params)
{
	return sizeof(struct ghb_space) + (size_t)params[HISTORY] * sizeof(uint64_t);
}

static size_t ghb_state_size(const int64_t *params)
{
	return spht_lru_size((uint32_t)params[ENTRIES], space_size(params));
}

static void ghb_init(void *state, const int64_t *params)
{
	spht_lru_init(state, (uint32_t)params[ENTRIES], space_size(params));
}

/* The @i-th newest page, from 1 on. */
static uint64_t newest(const struct ghb_space *s, const int64_t *params, uint64_t i)
{
	return s->pages[(s->n - i) & ((uint64_t)params[HISTORY] - 1)];
}

static uint64_t nr_pages(const struct ghb_space *s, const int64_t *params)
{
	return s->n < (uint64_t)params[HISTORY] ? s->n : (uint64_t)params[HISTORY];
}

static bool same_zone(const int64_t *params, uint64_t a, uint64_t b)
{
	return !((a ^ b) & ~((uint64_t)params[ZONE] - 1));
}

/*
 * Finds where the newest two deltas of @vpn's zone occurred before.  Returns how many
 * deltas ago that was, and in @pages the zone's pages since, newest first; 0: never.
 */
static uint32_t find_pair(const struct ghb_space *s, const int64_t *params, uint64_t vpn,
			  uint64_t *pages)
{
	uint64_t have = nr_pages(s, params);
	uint32_t n = 0;

	for (uint64_t i = 1; i <= have; i++) {
		uint64_t page = newest(s, params, i);

		if (!same_zone(params, page, vpn))
			continue;
		pages[n++] = page;
		if (n >= 4 && pages[n - 3] - pages[n - 2] == pages[0] - pages[1] &&
		    pages[n - 2] - pages[n - 1] == pages[1] - pages[2])
			return n - 3;
	}
	return 0;
}

/* False: it is the newest page of its zone. */
static bool enter(struct ghb_space *s, const int64_t *params, uint64_t vpn)
{
	uint64_t i = 1, have = nr_pages(s, params);

	while (i <= have && !same_zone(params, newest(s, params, i), vpn))
		i++;
	if (i <= have && newest(s, params, i) == vpn)
		return false;
	s->pages[s->n++ & ((uint64_t)params[HISTORY] - 1)] = vpn;
	return true;
}

static void catch_up(struct ghb_space *s, const int64_t *params, uint64_t space,
		     struct spht_host *host)
{
	uint64_t used[2 * MOST_DEGREE];
	uint32_t n = spht_asked_take_used(s->asked, &s->nr_asked, used, host, space);

	for (uint32_t i = 0; i < n; i++)
		enter(s, params, used[i]);
}

/* Deltas that sum up to nothing lead to the same page again. */
static bool is_in(const uint64_t *pages, uint32_t n, uint64_t vpn)
{
	for (uint32_t i = 0; i < n; i++)
		if (pages[i] == vpn)
			return true;
	return false;
}

/* Adds up the deltas of the last @period pages, oldest first, again and again. */
static void replay(struct ghb_space *s, const int64_t *params, const struct spht_fault *fault,
		   const uint64_t *pages, uint32_t period, struct spht_host *host)
{
	uint64_t sum = fault->vpn, done[MOST_DEGREE];
	uint32_t nr_done = 0, at = period;

	for (int64_t i = 0; i < params[DEGREE]; i++) {
		uint64_t vpn;

		sum += pages[at - 1] - pages[at];
		at = at > 1 ? at - 1 : period;
		if (!spht_vpn_add(fault->vpn, (int64_t)(sum - fault->vpn), params[CROSS], &vpn) ||
		    is_in(done, nr_done, vpn) ||
		    spht_look(host, fault->space, vpn) != SPHT_ENTRY_ABSENT)
			continue;
		done[nr_done++] = vpn;
		spht_request(host, fault->space, vpn);
		s->nr_asked =
			spht_asked_add(s->asked, s->nr_asked, 2 * (uint32_t)params[DEGREE], vpn);
	}
}

static void ghb_fault(void *state, const int64_t *params, const struct spht_fault *fault,
		      struct spht_host *host)
{
	uint64_t pages[MOST_HISTORY];
	struct ghb_space *s;
	uint32_t period;
	bool fresh;

	if (!spht_is_on(fault, params[ON]))
		return;
	s = spht_lru_get(state, fault->space, 0, &fresh);
	if (params[FOLLOW])
		catch_up(s, params, fault->space, host);
	if (!enter(s, params, fault->vpn))
		return;
	period = find_pair(s, params, fault->vpn, pages);
	if (period)
		replay(s, params, fault, pages, period, host);
}

SPHT_HEURISTIC(ghb, .name = "ghb",
	       .summary = "global history buffer, C/DC: what followed a region's last two deltas",
	       .cite = "Nesbit and Smith, Data Cache Prefetching Using a Global History Buffer, "
		       "HPCA 2004; C/DC: Nesbit, Dhodapkar and Smith, AC/DC, PACT 2004",
	       .params = ghb_params, .nr_params = NR, .state_size = ghb_state_size,
	       .init = ghb_init, .fault = ghb_fault);
