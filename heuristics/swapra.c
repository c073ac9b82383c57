// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Swap readahead as Linux does it for a VMA: a window around the fault that grows with
 * the pages of earlier windows that were used, and shrinks by no more than half.
 *
 * The rule, for each fault, with hits = pages asked for and used since the last one:
 *   pages = hits + 2, rounded up to a power of two of at least 4; with no hits 2 if the
 *     fault is next to the last access, else 1;
 *   at most max_pages, at least half of the window before; 1 asks for nothing;
 *   the window, which holds the fault, begins with it if the last access was the page
 *     below, ends with it if it was the page above, else has it in the middle, with
 *     (pages - 1) / 2 pages below; it is cut off at the ends of the 2 MiB region.
 * The first fault has 4 hits to its credit, as in Linux.
 *
 * What shadow faults change: the state belongs to a 2 MiB region of an address space,
 * since no VMA is known.  Linux takes note of each hit as it happens, in its page
 * cache; here the entries asked for are looked at when the next fault comes: those used
 * since are the hits, and the last access was one of them, which one is not known: if
 * a page next to the fault is among them it is taken for that (the one below first),
 * else no neighbour was last.  Of each region the last 32 pages asked for are
 * looked at.  A page that is there already is not asked for, as Linux reads none that is.
 *
 * Bounds at the defaults: 1024 regions x 320 bytes and their table, 325 KiB; a fault
 * looks at 32 + 7 entries and asks for 7.
 */
#include "asked.h"
#include "heuristic.h"
#include "lru.h"

#define ASKED      32
#define FIRST_HITS 4

enum { ENTRIES, MAX_PAGES, ON, NR };

static const struct spht_param swapra_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 1024, 1, 65536, false, "entries", NULL,
		     "regions followed at a time (LRU); default 1024: Linux has a word in every "
		     "VMA"},
	[MAX_PAGES] = {"max_pages", SPHT_PARAM_INT, 8, 2, 32, true, "pages", NULL,
		       "largest window; default 8: Linux page_cluster 3 (its ceiling is 32)"},
	[ON] = SPHT_PARAM_ON,
};

struct readahead {
	uint64_t last; /* page of the last access */
	uint32_t win, hits;
	bool known; /* is last */
	uint32_t nr_asked;
	uint64_t asked[ASKED]; /* oldest first, not seen used */
};

static size_t swapra_state_size(const int64_t *params)
{
	return spht_lru_size((uint32_t)params[ENTRIES], sizeof(struct readahead));
}

static void swapra_init(void *state, const int64_t *params)
{
	spht_lru_init(state, (uint32_t)params[ENTRIES], sizeof(struct readahead));
}

static void count_hits(struct readahead *ra, const struct spht_fault *fault, struct spht_host *host)
{
	uint64_t used[ASKED];
	uint32_t n = spht_asked_take_used(ra->asked, &ra->nr_asked, used, host, fault->space);
	bool below = false, above = false;

	for (uint32_t i = 0; i < n; i++) {
		below |= used[i] + 1 == fault->vpn;
		above |= used[i] == fault->vpn + 1;
	}
	if (!n)
		return;
	ra->hits += n;
	ra->known = below || above;
	ra->last = below ? fault->vpn - 1 : fault->vpn + 1;
}

static uint32_t next_window(const struct readahead *ra, const int64_t *params, bool adjacent)
{
	uint32_t pages = ra->hits + 2;

	if (ra->hits) {
		uint32_t up = 4;

		while (up < pages)
			up *= 2;
		pages = up;
	} else if (!adjacent) {
		pages = 1;
	}
	if (pages > params[MAX_PAGES])
		pages = (uint32_t)params[MAX_PAGES];
	return pages < ra->win / 2 ? ra->win / 2 : pages;
}

static void swapra_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			 struct spht_host *host)
{
	int64_t at = fault->vpn % SPHT_REGION_PAGES, left = at;
	bool fresh, up, down;
	struct readahead *ra;

	if (!spht_is_on(fault, params[ON]))
		return;
	ra = spht_lru_get(state, fault->space, fault->vpn >> SPHT_REGION_SHIFT, &fresh);
	if (fresh)
		ra->hits = FIRST_HITS;
	count_hits(ra, fault, host);
	up = ra->known && fault->vpn == ra->last + 1;
	down = ra->known && ra->last == fault->vpn + 1;
	ra->win = next_window(ra, params, up || down);
	ra->last = fault->vpn;
	ra->known = true;
	ra->hits = 0;
	if (down)
		left -= ra->win - 1;
	else if (!up)
		left -= (ra->win - 1) / 2;
	for (int64_t i = left; i < left + ra->win; i++) {
		uint64_t vpn;

		if (!spht_vpn_add(fault->vpn, i - at, false, &vpn) ||
		    spht_look(host, fault->space, vpn) != SPHT_ENTRY_ABSENT)
			continue;
		spht_request(host, fault->space, vpn);
		ra->nr_asked = spht_asked_add(ra->asked, ra->nr_asked, ASKED, vpn);
	}
}

SPHT_HEURISTIC(swapra, .name = "swapra",
	       .summary = "swap readahead: a window that grows with the pages used of those "
			  "before",
	       .cite = "Linux swap_vma_readahead(), __swapin_nr_pages() (mm/swap_state.c)",
	       .params = swapra_params, .nr_params = NR, .state_size = swapra_state_size,
	       .init = swapra_init, .fault = swapra_fault);
