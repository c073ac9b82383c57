/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CHANGE_H
#define SPHT_CHANGE_H

#include "replay/spill.h"

/*
 * Changes that hold from just after a step.  They become known in the order of
 * the evidence, often long after their step, and are wanted in the order of
 * steps: so they are kept in one bucket for each chunk of steps.
 */

/*
 * Steps are kept in chunks of 2^this many.  What-ifs take turns with a chunk, and each finds its
 * own state gone from the core's cache: the more steps, the seldomer.
 */
#define SPHT_CHUNK_BITS 16u

enum spht_change_kind {
	/* Three worlds: a guest entry becomes `state`.  As enum spht_world. */
	SPHT_CHANGE_STRICT,
	SPHT_CHANGE_INFERRED,
	SPHT_CHANGE_OPTIMISTIC,
	SPHT_CHANGE_DROP, /* silent drop of an SPTE, dated back to when it can have happened */
	SPHT_CHANGE_TOUCH, /* the guest used what the step's prefetch had set */
	SPHT_CHANGE_TRUTH, /* a guest entry was so, as a snapshot shows: score.h */
	SPHT_CHANGE_NR
};

struct spht_change {
	uint32_t step;
	union {
		uint32_t table; /* of a guest entry */
		uint32_t page; /* DROP, TOUCH: of an SPTE */
	};
	uint16_t index; /* of a guest entry; SPHT_PT_ENTRIES: all that are not decided as present */
	uint8_t state; /* SPHT_GPTE_*; TRUTH: and enum spht_truth where index is none */
	uint8_t kind; /* enum spht_change_kind */
};

/* One chunk's bucket. */
struct spht_bucket {
	uint64_t last; /* its last run of changes in the spill; earlier ones are chained */
	uint32_t nr; /* changes in all of its runs */
	uint32_t pending; /* in the buffer; then where the next of them goes */
};

struct spht_changes {
	struct spht_spill *spill;
	unsigned int chunk_bits;
	uint64_t tables; /* ids of tables and pages are below it: what a packed change has room for */
	struct spht_change *buffer; /* in the order of their coming */
	uint32_t nr_buffer;
	uint8_t *sorted; /* the buffer by bucket, as runs */
	size_t cap_sorted;
	struct spht_bucket *buckets; /* by chunk */
	uint32_t nr_buckets;
	struct spht_error err; /* of the first failure */
};

/* Returns 0 or -1: memory.  @spill is borrowed. */
int spht_changes_init(struct spht_changes *c, struct spht_spill *spill, unsigned int chunk_bits);
void spht_changes_close(struct spht_changes *c);
/* Moves the buffer into the buckets.  Returns 0, or -1 with c->err set. */
int spht_changes_flush(struct spht_changes *c);
/* Nothing more comes: moves the rest and frees the buffer.  0, or -1 with c->err set. */
int spht_changes_finish(struct spht_changes *c);

#define SPHT_CHANGES_BUFFER (128u << 10)

/* A table has an id that is too high.  Returns -1 with c->err set. */
int spht_changes_refuse(struct spht_changes *c, uint32_t table);

/* Adds one.  Returns 0, or -1 with c->err set. */
static inline int spht_changes_add(struct spht_changes *c, struct spht_change change)
{
	if (change.table >= c->tables)
		return spht_changes_refuse(c, change.table);
	if (c->nr_buffer == SPHT_CHANGES_BUFFER && spht_changes_flush(c))
		return -1;
	c->buffer[c->nr_buffer++] = change;
	return 0;
}

/* Changes of steps of @chunk, once finished. */
static inline uint32_t spht_changes_count(const struct spht_changes *c, uint32_t chunk)
{
	return chunk < c->nr_buckets ? c->buckets[chunk].nr : 0;
}

/*
 * In a bucket a change takes one word, since there are several for each step: from below,
 * its step in the chunk (chunk_bits), its kind, state, index, and table or page.
 */
enum {
	SPHT_PACKED_KIND_BITS = 3,
	SPHT_PACKED_STATE_BITS = 8,
	SPHT_PACKED_INDEX_BITS = 10,
	SPHT_PACKED_BITS = SPHT_PACKED_KIND_BITS + SPHT_PACKED_STATE_BITS + SPHT_PACKED_INDEX_BITS,
};

/* Kind and step in the chunk: by what they are sorted. */
static inline uint32_t spht_change_key(uint64_t packed, unsigned int chunk_bits)
{
	return (uint32_t)(packed & ((1ull << (chunk_bits + SPHT_PACKED_KIND_BITS)) - 1));
}

static inline uint64_t spht_change_pack(const struct spht_change *c, unsigned int chunk_bits)
{
	uint64_t v = c->table;

	v = v << SPHT_PACKED_INDEX_BITS | c->index;
	v = v << SPHT_PACKED_STATE_BITS | c->state;
	v = v << SPHT_PACKED_KIND_BITS | c->kind;
	return v << chunk_bits | (c->step & ((1u << chunk_bits) - 1));
}

/* @first: step of the chunk. */
static inline struct spht_change spht_change_unpack(uint64_t packed, unsigned int chunk_bits,
						    uint32_t first)
{
	uint64_t v = packed >> chunk_bits;
	struct spht_change c;

	c.step = first + (uint32_t)(packed & ((1u << chunk_bits) - 1));
	c.kind = v & ((1u << SPHT_PACKED_KIND_BITS) - 1);
	v >>= SPHT_PACKED_KIND_BITS;
	c.state = (uint8_t)v;
	v >>= SPHT_PACKED_STATE_BITS;
	c.index = v & ((1u << SPHT_PACKED_INDEX_BITS) - 1);
	c.table = (uint32_t)(v >> SPHT_PACKED_INDEX_BITS);
	return c;
}

/*
 * All of them, packed, as they were added, to @out, which has room for that many.  Several
 * threads may.  Returns 0 or -1 with @err set.
 */
int spht_changes_read(const struct spht_changes *c, uint32_t chunk, uint64_t *out,
		      struct spht_error *err);

#endif
