// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Leap: the delta that most of the newest accesses share, however many others are
 * strewn among them, and a window that goes with the success of the last.
 *
 * The rule, for each access of an address space, with delta = page - page before:
 *   trend: of the newest w = history / split deltas one that occurs more than w / 2
 *     times (found by Boyer and Moore's vote, then counted); if there is none, w is
 *     doubled, up to all of the history.  A history not yet full has that many fewer
 *     votes, and the same majority to reach;
 *   window, with hits = pages asked for and used since the last window: hits + 1,
 *     rounded up to a power of two; without hits 1 if this delta is the trend (the
 *     last one found if there is none now), else 0; at most max_pages, at least half of
 *     the window before;
 *   with a trend that many pages along it are asked for; without one as many around the
 *     fault along the last trend found: one step on, one back, two on, ...
 * An access to the page of the one before has no delta and is left out.  Whether pages
 * "around" are meant on both sides, and what a short history does, the paper leaves
 * open.
 *
 * What shadow faults change: Leap sees hits in its page cache as they happen.  Here
 * the pages of the last two windows, 2 x max_pages, are looked at when the next fault
 * comes.  Those used since are hits; with follow=1 they are entered into the history before
 * the fault, in the order in which they were asked for.  A page that is there
 * already is not asked for.  Space and history are a process and its list in the paper.
 *
 * Bounds at the defaults: 64 spaces x 1344 bytes, 86 KiB; a fault looks at 16 + 8
 * entries, goes over at most 4 x 32 deltas and asks for 8.
 */
#include "asked.h"
#include "heuristic.h"
#include "lru.h"

#define MOST_PAGES 64

enum { ENTRIES, HISTORY, SPLIT, MAX_PAGES, FOLLOW, CROSS, ON, NR };

static const struct spht_param leap_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 64, 1, 1024, false, "spaces", NULL,
		     "address spaces followed at a time (LRU); default 64: the paper has all "
		     "processes"},
	[HISTORY] = {"history", SPHT_PARAM_INT, 32, 2, 1024, true, "deltas", NULL,
		     "deltas kept of a space; default 32: the paper's H_size"},
	[SPLIT] = {"split", SPHT_PARAM_INT, 2, 1, 64, true, "", NULL,
		   "part of the history looked at first; default 2: the paper's example (its "
		   "code: 4)"},
	[MAX_PAGES] = {"max_pages", SPHT_PARAM_INT, 8, 1, MOST_PAGES, true, "pages", NULL,
		       "largest window; default 8: the paper's PWsize_max"},
	[FOLLOW] = {"follow", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: pages asked for and used are in the history too; default 1: as the "
		    "paper's hits"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		   "1: may leave the fault's 2 MiB region; default 1: the paper knows no regions"},
	[ON] = SPHT_PARAM_ON,
};

struct leap_space {
	uint64_t last; /* page of the last access */
	int64_t trend; /* the last one found; 0: none yet */
	uint32_t hits, win; /* since the last window; that one's pages */
	uint32_t nr_asked;
	uint64_t asked[2 * MOST_PAGES]; /* oldest first, not seen used */
	uint64_t n; /* deltas entered ever */
	int64_t deltas[]; /* number i is at i modulo history */
};

static size_t space_size(const int64_t *params)
{
	return sizeof(struct leap_space) + (size_t)params[HISTORY] * sizeof(int64_t);
}

static size_t leap_state_size(const int64_t *params)
{
	return spht_lru_size((uint32_t)params[ENTRIES], space_size(params));
}

static void leap_init(void *state, const int64_t *params)
{
	spht_lru_init(state, (uint32_t)params[ENTRIES], space_size(params));
}

/* The @i-th newest delta, from 1 on. */
static int64_t newest(const struct leap_space *s, const int64_t *params, uint64_t i)
{
	return s->deltas[(s->n - i) & ((uint64_t)params[HISTORY] - 1)];
}

/* What more than half of the newest @w deltas are; 0: there is no such. */
static int64_t majority(const struct leap_space *s, const int64_t *params, uint64_t w)
{
	uint64_t n = s->n < w ? s->n : w, votes = 0, count = 0;
	int64_t delta = 0;

	for (uint64_t i = 1; i <= n; i++) {
		int64_t d = newest(s, params, i);

		if (!votes)
			delta = d;
		if (delta == d)
			votes++;
		else
			votes--;
	}
	for (uint64_t i = 1; i <= n; i++)
		count += newest(s, params, i) == delta;
	return count > w / 2 ? delta : 0;
}

static int64_t find_trend(const struct leap_space *s, const int64_t *params)
{
	uint64_t all = (uint64_t)params[HISTORY], w = all / (uint64_t)params[SPLIT];
	int64_t trend = 0;

	for (w = w ? w : 1; !trend && w <= all; w *= 2)
		trend = majority(s, params, w);
	return trend;
}

static uint32_t next_window(struct leap_space *s, const int64_t *params, bool follows)
{
	uint32_t pages = follows;

	if (s->hits) {
		while (pages < s->hits + 1)
			pages = pages ? 2 * pages : 1;
	}
	if (pages > params[MAX_PAGES])
		pages = (uint32_t)params[MAX_PAGES];
	if (pages < s->win / 2)
		pages = s->win / 2;
	s->hits = 0;
	s->win = pages;
	return pages;
}

/* False: it is the page of the access before. */
static bool enter(struct leap_space *s, const int64_t *params, uint64_t vpn)
{
	int64_t delta = (int64_t)(vpn - s->last);

	if (!delta)
		return false;
	s->deltas[s->n++ & ((uint64_t)params[HISTORY] - 1)] = delta;
	s->last = vpn;
	return true;
}

static void count_hits(struct leap_space *s, const int64_t *params, uint64_t space,
		       struct spht_host *host)
{
	uint64_t used[2 * MOST_PAGES];
	uint32_t n = spht_asked_take_used(s->asked, &s->nr_asked, used, host, space);

	s->hits += n;
	for (uint32_t i = 0; params[FOLLOW] && i < n; i++)
		enter(s, params, used[i]);
}

static void leap_fault(void *state, const int64_t *params, const struct spht_fault *fault,
		       struct spht_host *host)
{
	struct leap_space *s;
	int64_t trend;
	uint32_t pages;
	bool fresh;

	if (!spht_is_on(fault, params[ON]))
		return;
	s = spht_lru_get(state, fault->space, 0, &fresh);
	if (fresh)
		s->last = fault->vpn;
	count_hits(s, params, fault->space, host);
	if (!enter(s, params, fault->vpn))
		return;
	trend = find_trend(s, params);
	if (trend)
		s->trend = trend;
	pages = next_window(s, params, newest(s, params, 1) == s->trend);
	for (uint32_t i = 1; i <= pages; i++) {
		int64_t k = trend ? i : i % 2 ? (i + 1) / 2 : -(int64_t)(i / 2);
		uint64_t vpn;

		if (!spht_vpn_add(fault->vpn, k * s->trend, params[CROSS], &vpn) ||
		    spht_look(host, fault->space, vpn) != SPHT_ENTRY_ABSENT)
			continue;
		spht_request(host, fault->space, vpn);
		s->nr_asked =
			spht_asked_add(s->asked, s->nr_asked, 2 * (uint32_t)params[MAX_PAGES], vpn);
	}
}

SPHT_HEURISTIC(leap, .name = "leap",
	       .summary = "Leap: along the delta that most of the newest accesses share",
	       .cite = "Al Maruf and Chowdhury, Effectively Prefetching Remote Memory with Leap, "
		       "USENIX ATC 2020",
	       .params = leap_params, .nr_params = NR, .state_size = leap_state_size,
	       .init = leap_init, .fault = leap_fault);
