// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/score.h"

#define WORDS (SPHT_PT_ENTRIES / 64)
#define NEAR  16u

/* What the worlds hold of a table, and what it is. */
struct table {
	uint64_t decided[SPHT_WORLD_NR][WORDS], present[SPHT_WORLD_NR][WORDS];
	uint64_t truth[WORDS];
	bool known;
};

struct run {
	struct spht_score *score;
	struct table **tables;
	uint32_t nr_tables;
	const struct spht_chunk *chunk;
	uint32_t next[SPHT_WORLD_NR], next_truth;
};

static struct table *get(struct run *r, uint32_t id)
{
	if (!r->tables[id])
		r->tables[id] = calloc(1, sizeof(**r->tables));
	return r->tables[id];
}

static void put(uint64_t *map, unsigned int i, bool set)
{
	uint64_t bit = 1ull << (i & 63);

	map[i / 64] = set ? map[i / 64] | bit : map[i / 64] & ~bit;
}

static int change(struct run *r, const struct spht_change *c)
{
	struct table *t = get(r, c->table);

	if (!t)
		return -1;
	/* All the rest of a table changes by snapshots alone, and these worlds have none. */
	if (c->index >= SPHT_PT_ENTRIES)
		return 0;
	put(t->decided[c->kind], c->index, c->state & SPHT_GPTE_DECIDED);
	put(t->present[c->kind], c->index, c->state & SPHT_GPTE_PRESENT);
	return 0;
}

/* What took effect up to and with @step, entries that the guest stores before the next exit included. */
static int advance(struct run *r, uint32_t step)
{
	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++) {
		const struct spht_change *c = r->chunk->changes[w];
		uint32_t nr = r->chunk->nr_changes[w];

		for (; r->next[w] < nr && c[r->next[w]].step <= step; r->next[w]++)
			if (change(r, &c[r->next[w]]))
				return -1;
	}
	return 0;
}

static void add(struct run *r, const struct table *t, enum spht_score_set set, const uint64_t *mask)
{
	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++) {
		for (unsigned int k = 0; k < WORDS; k++) {
			uint64_t says[SPHT_SAYS_NR] = {
				[SPHT_SAYS_ABSENT] = t->decided[w][k] & ~t->present[w][k],
				[SPHT_SAYS_PRESENT] = t->decided[w][k] & t->present[w][k],
				[SPHT_SAYS_NOTHING] = ~t->decided[w][k],
			};

			for (unsigned int s = 0; s < SPHT_SAYS_NR; s++) {
				uint64_t all = says[s] & mask[k];
				uint64_t there = all & t->truth[k];

				r->score->n[w][set][s][1] +=
					(unsigned int)__builtin_popcountll(there);
				r->score->n[w][set][s][0] +=
					(unsigned int)__builtin_popcountll(all & ~there);
			}
		}
	}
}

static void score(struct run *r, const struct table *t, uint32_t id, const struct spht_step *s)
{
	uint64_t all[WORDS], near[WORDS] = {0};
	unsigned int first = s->index & ~(NEAR - 1);

	memset(all, 0xff, sizeof(all));
	r->score->snapshots++;
	/* What the walk read is no inference. */
	if ((s->flags & SPHT_STEP_HAS_LEAF) && s->table == id) {
		put(all, s->index, false);
		near[first / 64] = ((1ull << NEAR) - 1) << (first & 63) & all[first / 64];
		r->score->near_snapshots++;
		add(r, t, SPHT_SCORE_NEAR, near);
	}
	add(r, t, SPHT_SCORE_ALL, all);
}

static int truth(struct run *r, const struct spht_change *c)
{
	struct table *t = get(r, c->table);

	if (!t)
		return -1;
	if (c->index < SPHT_PT_ENTRIES) {
		put(t->truth, c->index, c->state & SPHT_GPTE_PRESENT);
	} else if (c->state == SPHT_TRUTH_NOW) {
		if (t->known)
			score(r, t, c->table, &r->chunk->steps[c->step - r->chunk->first]);
	} else {
		t->known = c->state == SPHT_TRUTH_BEGIN;
		memset(t->truth, 0, sizeof(t->truth));
	}
	return 0;
}

static int feed(struct run *r)
{
	const struct spht_change *c = r->chunk->changes[SPHT_CHANGE_TRUTH];
	uint32_t nr = r->chunk->nr_changes[SPHT_CHANGE_TRUTH];

	memset(r->next, 0, sizeof(r->next));
	for (uint32_t i = 0; i < nr; i++) {
		if (c[i].step && advance(r, c[i].step - 1))
			return -1;
		if (truth(r, &c[i]))
			return -1;
	}
	return advance(r, UINT32_MAX);
}

int spht_score_run(struct spht_score *s, const struct spht_steps *steps, uint32_t nr_tables,
		   struct spht_error *err)
{
	struct run r = {.score = s, .nr_tables = nr_tables};
	struct spht_chunk chunk;
	int ret = 0;

	memset(s, 0, sizeof(*s));
	r.tables = calloc(nr_tables + 1u, sizeof(*r.tables));
	r.chunk = &chunk;
	spht_chunk_init(&chunk);
	for (uint32_t k = 0; r.tables && k < steps->nr_chunks && !ret; k++) {
		ret = spht_chunk_load(&chunk, steps, k, err);
		if (ret || !feed(&r))
			continue;
		spht_error_set(err, "out of memory for the score of snapshots");
		ret = -1;
	}
	if (!r.tables) {
		spht_error_set(err, "out of memory for the score of snapshots");
		ret = -1;
	}
	for (uint32_t i = 0; r.tables && i < nr_tables; i++)
		free(r.tables[i]);
	free(r.tables);
	spht_chunk_close(&chunk);
	return ret;
}

void spht_score_precision(const struct spht_score *s, enum spht_world world,
			  enum spht_score_set set, bool present, uint64_t of[2])
{
	const uint64_t *n = s->n[world][set][present ? SPHT_SAYS_PRESENT : SPHT_SAYS_ABSENT];

	of[0] = n[present];
	of[1] = n[0] + n[1];
}

void spht_score_recall(const struct spht_score *s, enum spht_world world, enum spht_score_set set,
		       bool present, uint64_t of[2])
{
	of[0] = s->n[world][set][present ? SPHT_SAYS_PRESENT : SPHT_SAYS_ABSENT][present];
	of[1] = 0;
	for (unsigned int k = 0; k < SPHT_SAYS_NR; k++)
		of[1] += s->n[world][set][k][present];
}
