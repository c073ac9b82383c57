/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PROGRAM_H
#define SPHT_PROGRAM_H

#include "codec.h"
#include "predict.h"

/*
 * What the decoder keeps of a block: for each event type a program, a list of
 * what to do at each event.  program.c makes it, decode.c runs it.
 */

#define NO_SYMBOL 256u

/* How the values of one part come about in the block at hand. */
struct op {
	const uint8_t *symbols;
	uint16_t hit; /* symbol that says "the first candidate", or NO_SYMBOL */
	uint16_t reg;
	uint8_t step; /* 0: all symbols are the one at symbols */
	uint8_t kind; /* enum guess_kind of the first candidate */
	uint8_t slot, rot, shift;
	uint8_t exact; /* candidates with a symbol of their own */
	bool raw;
	uint64_t value; /* of SPHT_CODING_CONST */
	struct guess guesses[SPHT_MAX_CANDS];
	const struct spht_coding_table *coding;
	const uint8_t *bits;
	uint64_t bit, bits_end; /* position in bits, and its end */
	uint64_t nbytes;
};

/* What happens at an event of one type. */
struct program {
	struct op time; /* step 0: all deltas are value */
	struct op *ops;
	unsigned int nr_ops; /* that have something to do at each event */
	struct spht_event start; /* the event with all that is constant */
};

struct spht_decoder {
	const struct spht_schema *schema;
	uint64_t *regs, *tables;
	bool *read; /* by register: some prediction depends on it */
	struct op *ops; /* one for each part */
	struct spht_coding_table **dicts; /* by column, allocated when first needed */
	struct program *programs;
	bool dirty; /* tables hold something */
	bool damaged; /* the block at hand asked for bits it lacks */
	bool wide; /* the processor has BMI2 and AVX2 */
	/* The block at hand. */
	const uint8_t *types;
	uint32_t nr_events, at;
	uint64_t ts, unit, left; /* left: units until last_ts */
	const uint8_t *changes, *changes_end;
	uint32_t nr_changes; /* still to come */
	uint32_t next_change_at; /* where there are any */
	int32_t pid;
};

struct cursor {
	const uint8_t *p, *end;
};

/* False at the end, or where the bytes are no number of 64 bits in its shortest form. */
bool spht_get_varint(struct cursor *c, uint64_t *v);

#endif
