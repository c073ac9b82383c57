// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/chunk.h"

/* Changes are sorted before steps are read over what they came in. */
enum { BUFFER_STEPS, BUFFER_RAW = BUFFER_STEPS, BUFFER_SORTED, BUFFER_NR };

void spht_chunk_init(struct spht_chunk *c)
{
	memset(c, 0, sizeof(*c));
}

void spht_chunk_close(struct spht_chunk *c)
{
	for (unsigned int i = 0; i < BUFFER_NR; i++)
		free(c->buffer[i]);
	free(c->at);
	memset(c, 0, sizeof(*c));
}

static int reserve(struct spht_chunk *c, unsigned int what, size_t size)
{
	if (size <= c->cap[what])
		return 0;
	free(c->buffer[what]);
	c->cap[what] = size + size / 4;
	c->buffer[what] = malloc(c->cap[what]);
	if (c->buffer[what])
		return 0;
	c->cap[what] = 0;
	return -1;
}

/* By kind and step; within a step as they came: a stable counting sort. */
static void sort(struct spht_chunk *c, unsigned int bits, uint32_t nr)
{
	const uint32_t keys = SPHT_CHANGE_NR << bits;
	const uint64_t *in = c->buffer[BUFFER_RAW];
	struct spht_change *out = c->buffer[BUFFER_SORTED];
	uint32_t at = 0;

	memset(c->at, 0, keys * sizeof(*c->at));
	for (uint32_t i = 0; i < nr; i++)
		c->at[spht_change_key(in[i], bits)]++;
	for (uint32_t k = 0; k < keys; k++) {
		uint32_t n = c->at[k];

		c->at[k] = at;
		at += n;
	}
	for (unsigned int kind = 0; kind < SPHT_CHANGE_NR; kind++) {
		uint32_t from = c->at[kind << bits];
		uint32_t to = kind + 1 < SPHT_CHANGE_NR ? c->at[(kind + 1) << bits] : nr;

		c->changes[kind] = nr ? out + from : out;
		c->nr_changes[kind] = to - from;
	}
	for (uint32_t i = 0; i < nr; i++)
		out[c->at[spht_change_key(in[i], bits)]++] =
			spht_change_unpack(in[i], bits, c->first);
}

static int by_place(const void *a, const void *b)
{
	const struct spht_change *x = a, *y = b;

	if (x->step != y->step)
		return x->step < y->step ? -1 : 1;
	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return (int)x->index - (int)y->index;
}

/* Marks what the step's prefetch set and a later fault proved used; of several, the last. */
static void touch(struct spht_chunk *c, const struct spht_change *t)
{
	const struct spht_step *s = &c->steps[t->step - c->first];
	struct spht_do *d = (struct spht_do *)c->dos + s->first_do;

	for (uint32_t i = s->nr_do; i-- > 0;) {
		if (d[i].kind != SPHT_DO_PREFETCH || d[i].page != t->page || d[i].index != t->index)
			continue;
		d[i].touched = true;
		return;
	}
}

static int load_changes(struct spht_chunk *c, const struct spht_steps *s, uint32_t chunk,
			struct spht_error *err)
{
	if (spht_changes_read(&s->changes, chunk, c->buffer[BUFFER_RAW], err))
		return -1;
	sort(c, s->chunk_bits, spht_changes_count(&s->changes, chunk));
	if (c->nr_changes[SPHT_CHANGE_DROP])
		qsort((void *)c->changes[SPHT_CHANGE_DROP], c->nr_changes[SPHT_CHANGE_DROP],
		      sizeof(struct spht_change), by_place);
	return 0;
}

int spht_chunk_load(struct spht_chunk *c, const struct spht_steps *s, uint32_t nr,
		    struct spht_error *err)
{
	const struct spht_chunk_ref *ref = &s->chunks[nr];
	size_t changes = spht_changes_count(&s->changes, nr);
	size_t steps, dos = ref->nr_do * sizeof(struct spht_do);

	c->first = nr << s->chunk_bits;
	c->nr = nr + 1 < s->nr_chunks ? 1u << s->chunk_bits : s->nr - c->first;
	c->has_next = nr + 1 < s->nr_chunks;
	c->t_next = c->has_next ? ref[1].t_first : UINT64_MAX;
	steps = c->nr * sizeof(struct spht_step);
	if (!c->at)
		c->at = malloc(SPHT_CHANGE_NR * sizeof(*c->at) << s->chunk_bits);
	if (!c->at || reserve(c, BUFFER_RAW, changes * sizeof(uint64_t)) ||
	    reserve(c, BUFFER_STEPS, steps + dos) ||
	    reserve(c, BUFFER_SORTED, changes * sizeof(struct spht_change))) {
		spht_error_set(err, "out of memory for a chunk of steps");
		return -1;
	}
	if (load_changes(c, s, nr, err) ||
	    spht_spill_read(s->spill, ref->at, c->buffer[BUFFER_STEPS], steps + dos, err))
		return -1;
	c->steps = c->buffer[BUFFER_STEPS];
	c->dos = (const void *)((const char *)c->buffer[BUFFER_STEPS] + steps);
	for (uint32_t i = 0; i < c->nr_changes[SPHT_CHANGE_TOUCH]; i++)
		touch(c, &c->changes[SPHT_CHANGE_TOUCH][i]);
	return 0;
}
