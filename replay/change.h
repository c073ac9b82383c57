/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CHANGE_H
#define SPHT_CHANGE_H

#include "replay/spill.h"

/*
 * Changes that hold from just after a step.  They become known in the order of
 * the evidence, often long after their step, and are wanted in the order of
 * steps: so they are kept in one bucket for each chunk of steps.
 */

/* Steps are kept in chunks of 2^this many: as much as a core's cache holds. */
#define SPHT_CHUNK_BITS 14u

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

/* Adds one.  Returns 0, or -1 with c->err set. */
static inline int spht_changes_add(struct spht_changes *c, struct spht_change change)
{
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
 * All of them, as they were added, to @out, which has room for that many.  Several
 * threads may.  Returns 0 or -1 with @err set.
 */
int spht_changes_read(const struct spht_changes *c, uint32_t chunk, struct spht_change *out,
		      struct spht_error *err);

#endif
