// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Markov prefetching: after a fault on a page, the pages on which the next fault came the
 * last times.
 *
 * The rule: a row for each page holds its last `width` distinct successors, the most recent
 * first; a fault is put at the front of the row of the fault before it in its address space,
 * and then all pages of its own row are asked for, in this order.  A fault on the same page
 * again neither learns nor asks.  With depth > 1 the row of the first successor is
 * asked for too, then that of its first successor, and so on.
 *
 * The paper's prefetcher sits behind the first-level cache and sees what its prefetches
 * avoid as well.  Here a page built well is a fault not seen, so that a row which predicts
 * well learns what comes after its successors, and in the end loses them to it.  With
 * follow=1 the pages asked for at the last fault are looked at, and each one used is
 * learned again, before the fault is: successors that pay stay, and what comes after them
 * is asked for with them.
 *
 * The paper has one table for all that runs.  A kernel build runs the same compiler
 * thousands of times, much of it at the same addresses, each time in a new address space
 * of which nothing is known: shared=1, the default, learns by page alone.  What is a fault
 * "before" is known for each space apart, and requests are for the faulting space.
 * Successors are anywhere in the half, so the region may be left (cross=1).
 *
 * State at the defaults 4.4 MiB.  An exit takes a look and at most one row for each page asked
 * for at the last fault, of which there are 4 at the defaults and 128 at most, and depth
 * rows to ask from.
 */
#include "heuristic.h"
#include "lru.h"

enum { ENTRIES, WIDTH, DEPTH, FOLLOW, SHARED, CROSS, ON, NR };

#define SPACES 64 /* of which the last fault is remembered */
#define WIDEST 8
#define MOST   (16 * WIDEST)

static const struct spht_param markov_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 65536, 1, 262144, true, "entries", NULL,
		     "pages with successors; default 65536: 4 MiB here (the paper: 1 Mbyte)"},
	[WIDTH] = {"width", SPHT_PARAM_INT, 4, 1, WIDEST, false, "pages", NULL,
		   "successors of a page, the least recent is replaced; default 4: the paper"},
	[DEPTH] = {"depth", SPHT_PARAM_INT, 1, 1, MOST / WIDEST, false, "rows", NULL,
		   "rows asked for along first successors; default 1: the paper"},
	[FOLLOW] = {"follow", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: pages built and used are learned again; default 1: prefetched lines "
		    "train the paper's"},
	[SHARED] = {"shared", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: address spaces learn from each other; default 1: the paper's one table, "
		    "and programs run again"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		   "1: may leave the fault's 2 MiB region; default 1: the paper knows none"},
	[ON] = SPHT_PARAM_ON,
};

/* What was asked for at the last fault of a space. */
struct markov_asked {
	uint64_t vpn, after; /* after: the page in whose row it stood */
};

struct markov_space {
	uint64_t vpn; /* of the last fault */
	uint32_t nr;
	struct markov_asked asked[MOST];
};

struct markov {
	size_t rows; /* bytes from here */
	uint64_t spaces[]; /* struct spht_lru; the rows' follows */
};

static struct spht_lru *spaces_of(struct markov *m)
{
	return (struct spht_lru *)(void *)m->spaces;
}

static struct spht_lru *rows_of(struct markov *m)
{
	return (struct spht_lru *)(void *)((char *)m + m->rows);
}

/* A row: pages + 1, 0: none. */
static size_t row_size(const int64_t *params)
{
	return params[WIDTH] * sizeof(uint64_t);
}

static size_t markov_state_size(const int64_t *params)
{
	return sizeof(struct markov) + spht_lru_size(SPACES, sizeof(struct markov_space)) +
	       spht_lru_size(params[ENTRIES], row_size(params));
}

static void markov_init(void *state, const int64_t *params)
{
	struct markov *m = state;

	m->rows = sizeof(*m) + spht_lru_size(SPACES, sizeof(struct markov_space));
	spht_lru_init(spaces_of(m), SPACES, sizeof(struct markov_space));
	spht_lru_init(rows_of(m), params[ENTRIES], row_size(params));
}

/* @vpn came after @before: to the front of its row. */
static void learn(struct markov *m, const int64_t *params, uint64_t space, uint64_t before,
		  uint64_t vpn)
{
	bool fresh;
	uint64_t *row = spht_lru_get(rows_of(m), params[SHARED] ? 0 : space, before, &fresh);
	unsigned int at = 0;

	while (at < params[WIDTH] - 1 && row[at] != vpn + 1)
		at++;
	memmove(row + 1, row, at * sizeof(*row));
	row[0] = vpn + 1;
}

/* Learns again what of the last fault's requests was good. */
static void follow(struct markov *m, const int64_t *params, uint64_t space,
		   const struct markov_space *s, struct spht_host *host)
{
	/* The last learned is the first of its row: from the end, and the order stays. */
	for (uint32_t i = s->nr; i-- > 0;)
		if (spht_look(host, space, s->asked[i].vpn) == SPHT_ENTRY_USED)
			learn(m, params, space, s->asked[i].after, s->asked[i].vpn);
}

static void add(struct markov_space *s, uint64_t after, uint64_t vpn)
{
	for (uint32_t i = 0; i < s->nr; i++)
		if (s->asked[i].vpn == vpn)
			return;
	s->asked[s->nr++] = (struct markov_asked){.vpn = vpn, .after = after};
}

/* Collects what to ask for after a fault on s->vpn. */
static void predict(struct markov *m, const int64_t *params, uint64_t space, struct markov_space *s)
{
	uint64_t at = s->vpn, vpn;

	s->nr = 0;
	for (int64_t d = 0; d < params[DEPTH]; d++) {
		const uint64_t *row = spht_lru_find(rows_of(m), params[SHARED] ? 0 : space, at);

		for (int64_t i = 0; row && i < params[WIDTH] && row[i]; i++)
			if (spht_vpn_add(s->vpn, (int64_t)(row[i] - 1 - s->vpn), params[CROSS],
					 &vpn))
				add(s, at, vpn);
		if (!row)
			return;
		at = row[0] - 1;
	}
}

static void markov_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			 struct spht_host *host)
{
	struct markov *m = state;
	struct markov_space *s;
	bool fresh;

	if (!spht_is_on(fault, params[ON]))
		return;
	s = spht_lru_get(spaces_of(m), fault->space, 0, &fresh);
	if (!fresh) {
		if (fault->vpn == s->vpn)
			return;
		if (params[FOLLOW])
			follow(m, params, fault->space, s, host);
		learn(m, params, fault->space, s->vpn, fault->vpn);
	}
	s->vpn = fault->vpn;
	predict(m, params, fault->space, s);
	for (uint32_t i = 0; i < s->nr; i++)
		spht_request(host, fault->space, s->asked[i].vpn);
}

SPHT_HEURISTIC(markov, .name = "markov",
	       .summary = "the pages that faulted next after this one before",
	       .cite = "Joseph and Grunwald, Prefetching Using Markov Predictors, ISCA 1997; "
		       "IEEE Trans. Computers 48(2), 1999",
	       .params = markov_params, .nr_params = NR, .state_size = markov_state_size,
	       .init = markov_init, .fault = markov_fault);
