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

/* op.kind: an enum guess_kind, of the first candidate, for a part that is its whole word, and: */
#define OP_PIECE  GUESS_NR /* added to it: for one that is not */
#define OP_END    (2 * GUESS_NR) /* no part: behind the last one of a type */

/* How the values of one part come about in the block at hand. */
struct op {
	struct guess first; /* candidate: usually it is right, and little else is touched */
	uint16_t reg;
	uint8_t kind;
	uint8_t slot, rot, shift;
	/* From here on for values that do not come from the first candidate. */
	uint8_t exact; /* candidates with a symbol of their own */
	bool raw;
	uint16_t hit; /* symbol that says "the first candidate", or NO_SYMBOL */
	uint32_t all; /* of an event's number, what symbols are found by; 0: all are the same */
	const uint8_t *symbols;
	const struct spht_coding_table *coding;
	const uint8_t *bits;
	uint64_t bit, bits_end; /* position in bits, and its end */
	uint64_t nbytes;
	uint64_t value; /* of SPHT_CODING_CONST */
	struct guess others[SPHT_MAX_CANDS - 1];
};

/* What happens at an event of one type. */
struct program {
	struct op *ops; /* that have something to do at each event; OP_END is behind them */
	/* By event of the type: not 0 where some value does not come from its first candidate. */
	const uint8_t *unusual;
	uint32_t at; /* number of the next event of the type */
	struct op time; /* all 0: all deltas are value */
	struct spht_event start; /* the event with all that is constant */
};

struct spht_decoder {
	const struct spht_schema *schema;
	uint64_t *regs, *tables;
	bool *read; /* by register: some prediction depends on it */
	struct op *ops; /* one for each part, and one for each type */
	uint8_t *unusual; /* by type, by event */
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
