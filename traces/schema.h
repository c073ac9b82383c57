/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SCHEMA_H
#define SPHT_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "spht_error.h"
#include "spht_event.h"

/*
 * The event types of one file and how each of their values is predicted.
 * Every stored word of an event is one part, or two where a split pays (the
 * frame and the bits of a page table entry).  A register holds the last value
 * of each part; predictions are made of registers and of tables that remember
 * the last value under a key of registers.  docs/trace-format.md, "Prediction".
 */
#define SPHT_MAX_CANDS         4
#define SPHT_MAX_KEYS          3
#define SPHT_MAX_TABLE_ENTRIES (1u << 18) /* all tables of a file together, 8 bytes each */

enum {
	SPHT_REG_ZERO, /* always 0 */
	SPHT_REG_PREV, /* type index of the event before, 255 at the block's start */
	SPHT_REG_PREV2, /* and of the one before that */
	SPHT_REG_PID, /* of this event */
	SPHT_REG_PARTS /* first register of a part */
};

/* reg >> (shift + 9 * levels) & 63: page table walks consume 9 bits of the address a level. */
struct spht_key {
	uint16_t reg;
	uint16_t levels; /* a register; only the first key has it, others the one that is always 0 */
	uint8_t shift;
};

/* Predicted value: ((reg >> shr) << shl) + (nkeys ? table[hash(keys)] : add). */
struct spht_cand {
	uint16_t reg;
	uint8_t shr, shl;
	uint8_t nkeys;
	uint8_t bits; /* log2 of the table's entries */
	uint32_t table; /* first entry in the common arena */
	uint64_t add;
	struct spht_key keys[SPHT_MAX_KEYS];
};

/* value = (rotl(word, rot) >> shift) & (width == 64 ? ~0 : 2^width - 1) */
struct spht_part {
	uint16_t reg;
	uint8_t slot; /* in spht_event.v[] */
	uint8_t rot, shift, width;
	uint8_t ncands;
	bool raw; /* misses are coded as they are, not against the last candidate */
	struct spht_cand cands[SPHT_MAX_CANDS];
};

struct spht_schema {
	struct spht_event_type *types;
	unsigned int nr_types;
	uint32_t *first_part; /* nr_types + 1 entries into parts */
	struct spht_part *parts;
	unsigned int nr_parts, nr_regs, nr_entries;
};

/* For a new file.  @types are copied; NULL with @err set when they cannot be stored. */
struct spht_schema *spht_schema_new(const struct spht_event_type *types, unsigned int nr_types,
				    struct spht_error *err);
/* The "types" array of a file header; owned by the caller.  NULL without memory. */
json_t *spht_schema_to_json(const struct spht_schema *s);
/* From the header of @path, checked; NULL with @err set. */
struct spht_schema *spht_schema_from_json(const json_t *types, const char *path,
					  struct spht_error *err);
void spht_schema_free(struct spht_schema *s);

/* How a field is split and predicted; predictions.c has the table. */
struct spht_prediction {
	const char *event, *field;
	uint8_t rot, width; /* width of the low part after rotation; 0: not split */
	const char *low; /* prediction; names instead of register numbers */
	const char *high;
};

/* Never NULL: unknown fields get a general one.  *@order (may be NULL): rank in the table. */
const struct spht_prediction *spht_prediction_find(const char *event, const char *field,
						   unsigned int *order);

/*
 * Prediction text (docs/trace-format.md) into @part, tables appended after
 * *@nr_entries.  Returns 0, or -1 for anything that is not such a text.
 */
int spht_predict_parse(struct spht_part *part, const char *text, unsigned int nr_regs,
		       unsigned int *nr_entries);
/* The text of @part's prediction, at most @size bytes with NUL. */
void spht_predict_print(const struct spht_part *part, char *buf, size_t size);

#endif
