// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/change.h"

#define NO_RUN UINT64_MAX

/* In the spill, before its changes. */
struct run {
	uint64_t previous; /* of the same bucket, NO_RUN: none */
	uint32_t nr, unused;
};

int spht_changes_init(struct spht_changes *c, struct spht_spill *spill, unsigned int chunk_bits)
{
	memset(c, 0, sizeof(*c));
	c->spill = spill;
	c->chunk_bits = chunk_bits;
	c->tables = 1ull << (64 - SPHT_PACKED_BITS - chunk_bits);
	c->buffer = malloc(SPHT_CHANGES_BUFFER * sizeof(*c->buffer));
	return c->buffer ? 0 : -1;
}

void spht_changes_close(struct spht_changes *c)
{
	free(c->buffer);
	free(c->sorted);
	free(c->buckets);
	memset(c, 0, sizeof(*c));
}

static int no_memory(struct spht_changes *c)
{
	spht_error_set(&c->err, "out of memory while replaying");
	return -1;
}

int spht_changes_refuse(struct spht_changes *c, uint32_t table)
{
	spht_error_set(&c->err,
		       "more than %u page tables: replay the recording in pieces (spht-trace cut)",
		       table);
	return -1;
}

static uint32_t chunk_of(const struct spht_changes *c, const struct spht_change *change)
{
	return change->step >> c->chunk_bits;
}

static int grow(struct spht_changes *c, uint32_t need)
{
	uint32_t cap = c->nr_buckets ? c->nr_buckets : 64;
	void *p;

	if (need <= c->nr_buckets)
		return 0;
	while (cap < need)
		cap *= 2;
	p = realloc(c->buckets, cap * sizeof(*c->buckets));
	if (!p)
		return -1;
	c->buckets = p;
	for (uint32_t i = c->nr_buckets; i < cap; i++)
		c->buckets[i] = (struct spht_bucket){.last = NO_RUN};
	c->nr_buckets = cap;
	return 0;
}

/* Counts what each bucket gets; returns the buckets concerned and *@first of them. */
static int count(struct spht_changes *c, uint32_t *first, uint32_t *end)
{
	uint32_t min = UINT32_MAX, max = 0;

	for (uint32_t i = 0; i < c->nr_buffer; i++) {
		uint32_t chunk = chunk_of(c, &c->buffer[i]);

		min = chunk < min ? chunk : min;
		max = chunk > max ? chunk : max;
	}
	if (grow(c, max + 1))
		return -1;
	for (uint32_t i = 0; i < c->nr_buffer; i++)
		c->buckets[chunk_of(c, &c->buffer[i])].pending++;
	*first = min;
	*end = max + 1;
	return 0;
}

/*
 * The buffer as runs of [@first, @end), one after the other, to c->sorted.  The
 * changes of one bucket keep their order.  Returns the size.
 */
static size_t sort(struct spht_changes *c, uint32_t first, uint32_t end)
{
	size_t at = 0;

	for (uint32_t k = first; k < end; k++) {
		struct spht_bucket *b = &c->buckets[k];
		struct run run = {b->last, b->pending, 0};

		if (!run.nr)
			continue;
		memcpy(c->sorted + at, &run, sizeof(run));
		at += sizeof(run);
		b->pending = (uint32_t)at;
		at += run.nr * sizeof(uint64_t);
	}
	for (uint32_t i = 0; i < c->nr_buffer; i++) {
		struct spht_bucket *b = &c->buckets[chunk_of(c, &c->buffer[i])];
		uint64_t packed = spht_change_pack(&c->buffer[i], c->chunk_bits);

		memcpy(c->sorted + b->pending, &packed, sizeof(packed));
		b->pending += sizeof(packed);
	}
	return at;
}

/* The runs are in the spill from @at on: chains them. */
static void chain(struct spht_changes *c, uint32_t first, uint32_t end, uint64_t at)
{
	size_t pos = 0;

	for (uint32_t k = first; k < end; k++) {
		struct spht_bucket *b = &c->buckets[k];
		struct run run;

		if (!b->pending)
			continue;
		memcpy(&run, c->sorted + pos, sizeof(run));
		b->last = at + pos;
		b->nr += run.nr;
		b->pending = 0;
		pos += sizeof(run) + run.nr * sizeof(uint64_t);
	}
}

int spht_changes_flush(struct spht_changes *c)
{
	uint32_t first, end;
	uint64_t at;
	size_t size;

	if (!c->nr_buffer)
		return 0;
	if (count(c, &first, &end))
		return no_memory(c);
	size = c->nr_buffer * sizeof(uint64_t) + (end - first) * sizeof(struct run);
	if (size > c->cap_sorted) {
		free(c->sorted);
		c->sorted = malloc(size);
		c->cap_sorted = c->sorted ? size : 0;
	}
	if (!c->sorted)
		return no_memory(c);
	size = sort(c, first, end);
	if (spht_spill_append(c->spill, c->sorted, size, &at, &c->err))
		return -1;
	chain(c, first, end, at);
	c->nr_buffer = 0;
	return 0;
}

int spht_changes_finish(struct spht_changes *c)
{
	if (spht_changes_flush(c))
		return -1;
	free(c->buffer);
	free(c->sorted);
	c->buffer = NULL;
	c->sorted = NULL;
	return 0;
}

int spht_changes_read(const struct spht_changes *c, uint32_t chunk, uint64_t *out,
		      struct spht_error *err)
{
	uint32_t left = spht_changes_count(c, chunk);
	struct run run;

	if (!left)
		return 0;
	/* The last run is found first. */
	for (uint64_t at = c->buckets[chunk].last; left; at = run.previous) {
		if (spht_spill_read(c->spill, at, &run, sizeof(run), err))
			return -1;
		left -= run.nr;
		if (spht_spill_read(c->spill, at + sizeof(run), out + left, run.nr * sizeof(*out),
				    err))
			return -1;
	}
	return 0;
}
