// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Distance prefetching, made for TLB misses: what follows a distance is likely to
 * follow it again.  distance = page of this miss - page of the miss before.
 *
 * The rule, for each miss, with d its distance and p the one before it:
 *   1. the row of d, if the table has it: page + each distance in its slots is asked
 *      for, the one that followed d last first;
 *   2. the row of p: d becomes its newest slot, the oldest makes room.  Rows are
 *      mapped directly by the low bits of the distance; another distance's row is
 *      taken over.
 * The order matters for runs: with 1 before 2, as here, a run's fourth miss is the
 * first that asks.  The paper describes table and slots; that order is chosen here.
 * A miss on the page of the one before has no distance: nothing is learned or asked.
 *
 * What shadow faults change: a fault is a miss, history and table belong to an address
 * space (a TLB has one of each for whoever runs; shared=1 is one table for all, each
 * with its own history).  A hit in the paper's prefetch buffer is still a miss of the
 * TLB and trains; a page built in time is no fault.  So the last 16 pages asked for in
 * a space, which is the paper's buffer, are looked at when the next fault comes:
 * those used since train as misses before it, in the order in which they were asked
 * for, as theirs is not known.  They are too late to ask for anything (follow=0: not
 * looked at).  A page that is there already is not asked for.
 *
 * Bounds at the defaults: 64 spaces x (256 rows of 32 bytes + 168) and two tables, 540
 * KiB; a fault looks at 16 entries and asks for 2.
 */
#include "asked.h"
#include "heuristic.h"
#include "lru.h"

#define BUFFER    16
#define MAX_SLOTS 4

enum { ENTRIES, ROWS, SLOTS, FOLLOW, SHARED, CROSS, ON, NR };

static const struct spht_param distance_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 64, 1, 256, false, "spaces", NULL,
		     "address spaces followed at a time (LRU); default 64: the paper has one"},
	[ROWS] = {"rows", SPHT_PARAM_INT, 256, 1, 1024, true, "entries", NULL,
		  "rows of a table, mapped directly; default 256: the paper's r"},
	[SLOTS] = {"slots", SPHT_PARAM_INT, 2, 1, MAX_SLOTS, false, "distances", NULL,
		   "distances kept in a row, all asked for; default 2: the paper's s"},
	[FOLLOW] = {"follow", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: pages asked for and used train too; default 1: as hits in the paper's "
		    "buffer"},
	[SHARED] = {"shared", SPHT_PARAM_BOOL, 0, 0, 1, false, "", NULL,
		    "1: one table for all address spaces; default 0: the paper runs one program"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		   "1: may leave the fault's 2 MiB region; default 1: the paper knows no regions"},
	[ON] = SPHT_PARAM_ON,
};

struct distance_row {
	int64_t distance; /* 0: free, a real one never is */
	uint64_t n;
	int64_t next[]; /* newest first */
};

struct distance_space {
	uint64_t last; /* page of the last miss */
	int64_t distance; /* that it had; 0: none yet */
	uint64_t asked[BUFFER]; /* oldest first, not seen used */
	uint32_t nr_asked;
};

static uint32_t nr_tables(const int64_t *params)
{
	return params[SHARED] ? 1 : (uint32_t)params[ENTRIES];
}

static size_t row_size(const int64_t *params)
{
	return sizeof(struct distance_row) + (size_t)params[SLOTS] * sizeof(int64_t);
}

static struct spht_lru *tables_of(void *state, const int64_t *params)
{
	return (struct spht_lru *)(void *)((char *)state +
					   spht_lru_size((uint32_t)params[ENTRIES],
							 sizeof(struct distance_space)));
}

static size_t distance_state_size(const int64_t *params)
{
	return spht_lru_size((uint32_t)params[ENTRIES], sizeof(struct distance_space)) +
	       spht_lru_size(nr_tables(params), (size_t)params[ROWS] * row_size(params));
}

static void distance_init(void *state, const int64_t *params)
{
	spht_lru_init(state, (uint32_t)params[ENTRIES], sizeof(struct distance_space));
	spht_lru_init(tables_of(state, params), nr_tables(params),
		      (size_t)params[ROWS] * row_size(params));
}

/* The row that @distance has or would have. */
static struct distance_row *row_of(void *table, const int64_t *params, int64_t distance)
{
	size_t i = (uint64_t)distance & ((uint64_t)params[ROWS] - 1);

	return (struct distance_row *)(void *)((char *)table + i * row_size(params));
}

static void learn(void *table, const int64_t *params, int64_t before, int64_t distance)
{
	struct distance_row *row = row_of(table, params, before);
	uint64_t i = 0;

	if (row->distance != before) {
		row->distance = before;
		row->n = 0;
	}
	while (i < row->n && row->next[i] != distance)
		i++;
	if (i == row->n && row->n < (uint64_t)params[SLOTS])
		row->n++;
	if (i == (uint64_t)params[SLOTS])
		i--;
	memmove(&row->next[1], &row->next[0], i * sizeof(row->next[0]));
	row->next[0] = distance;
}

/* A miss on @vpn; @host: it is one that may ask. */
static void miss(struct distance_space *s, void *table, const int64_t *params, uint64_t space,
		 uint64_t vpn, struct spht_host *host)
{
	int64_t distance = (int64_t)(vpn - s->last);
	const struct distance_row *row = row_of(table, params, distance);

	if (!distance)
		return;
	for (uint64_t i = 0; host && row->distance == distance && i < row->n; i++) {
		uint64_t to;

		if (!spht_vpn_add(vpn, row->next[i], params[CROSS], &to) ||
		    spht_look(host, space, to) != SPHT_ENTRY_ABSENT)
			continue;
		spht_request(host, space, to);
		s->nr_asked = spht_asked_add(s->asked, s->nr_asked, BUFFER, to);
	}
	if (s->distance)
		learn(table, params, s->distance, distance);
	s->distance = distance;
	s->last = vpn;
}

/* What was used since the last fault would have missed: it trains now. */
static void catch_up(struct distance_space *s, void *table, const int64_t *params, uint64_t space,
		     struct spht_host *host)
{
	uint64_t used[BUFFER];
	uint32_t n = spht_asked_take_used(s->asked, &s->nr_asked, used, host, space);

	for (uint32_t i = 0; i < n; i++)
		miss(s, table, params, space, used[i], NULL);
}

static void distance_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			   struct spht_host *host)
{
	struct distance_space *s;
	bool fresh, unused;
	void *table;

	if (!spht_is_on(fault, params[ON]))
		return;
	s = spht_lru_get(state, fault->space, 0, &fresh);
	table = spht_lru_get(tables_of(state, params), params[SHARED] ? 0 : fault->space, 0,
			     &unused);
	if (fresh) {
		s->last = fault->vpn;
		return;
	}
	if (params[FOLLOW])
		catch_up(s, table, params, fault->space, host);
	miss(s, table, params, fault->space, fault->vpn, host);
}

SPHT_HEURISTIC(distance, .name = "distance",
	       .summary = "distance prefetching: the distances that followed this one before",
	       .cite = "Kandiraju and Sivasubramaniam, Going the Distance for TLB Prefetching: An "
		       "Application-Driven Study, ISCA 2002",
	       .params = distance_params, .nr_params = NR, .state_size = distance_state_size,
	       .init = distance_init, .fault = distance_fault);
