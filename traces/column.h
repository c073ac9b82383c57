/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_COLUMN_H
#define SPHT_COLUMN_H

#include <stddef.h>
#include <stdint.h>

#include "le.h"

/*
 * How a column of unsigned numbers becomes bytes: one symbol byte for each
 * number, and raw bits for those that a symbol only bounds.  A coding is a
 * table from symbol to (base, nbits): number = base + next nbits raw bits,
 * least significant first.  docs/trace-format.md, "Codings".
 */
enum spht_coding {
	SPHT_CODING_ZERO, /* every symbol is 0; nothing is stored */
	SPHT_CODING_CONST, /* every value is the one given in the directory */
	SPHT_CODING_DIRECT, /* 0..187, then one symbol per power of two */
	SPHT_CODING_HALF, /* 0..125, then two */
	SPHT_CODING_QUARTER, /* 0..3, then four */
	SPHT_CODING_BYTES, /* 0..243, then one symbol per count of whole bytes */
	SPHT_CODING_DICT, /* the numbers in the column's dictionary, then as BYTES */
	SPHT_CODING_NR
};

#define SPHT_CODING_FIRST   SPHT_CODING_DIRECT
#define SPHT_DICT_MAX       244 /* numbers in a dictionary */
#define SPHT_CODING_SYMBOLS 252 /* what is left of 256 belongs to exact candidates */

struct spht_coding_table {
	uint64_t base[256];
	uint8_t nbits[256]; /* SPHT_NO_BITS for symbols the coding does not use */
};

#define SPHT_NO_BITS 0xff

/* Frequent numbers of one column, ascending. */
struct spht_dict {
	uint64_t values[SPHT_DICT_MAX];
	unsigned int nr;
};

/* Static storage; @coding is SPHT_CODING_FIRST or above and not SPHT_CODING_DICT. */
const struct spht_coding_table *spht_coding_table(enum spht_coding coding);
/* The table of SPHT_CODING_DICT with @dict. */
void spht_dict_table(const struct spht_dict *dict, struct spht_coding_table *table);

/* The next @n bits at bit position *@pos; reads up to 8 bytes past the last bit. */
static inline uint64_t spht_get_bits(const uint8_t *p, uint64_t *pos, unsigned int n)
{
	uint64_t at = *pos, v = spht_get64(p + (at >> 3)) >> (at & 7);

	*pos = at + n;
	if (__builtin_expect(n > 56, 0)) {
		v = (v & ((1ull << 32) - 1)) | (spht_get64(p + ((at + 32) >> 3)) >> ((at + 32) & 7))
						       << 32;
		return n == 64 ? v : v & ((1ull << n) - 1);
	}
	return v & ((1ull << n) - 1);
}

/* A growing byte buffer.  Zero it to start; free(buf) ends it. */
struct spht_bytes {
	uint8_t *buf;
	size_t len, cap;
};

int spht_bytes_grow(struct spht_bytes *b, size_t more);

/* Room for @more bytes and 8 of slack; 0, or -1 without memory. */
static inline int spht_bytes_reserve(struct spht_bytes *b, size_t more)
{
	return b->len + more + 8 <= b->cap ? 0 : spht_bytes_grow(b, more);
}

/*
 * One column while its block is being filled.  What is usual, candidate 0 or
 * the number 0 where there is no candidate, costs nothing: it is there already.
 */
struct spht_column {
	uint8_t *symbols; /* by value: the candidate; 0 where it is another number */
	uint32_t room; /* of symbols */
	uint32_t count; /* of values; set when the block ends */
	uint64_t *numbers; /* all that are not 0, or more */
	uint32_t *at; /* by number: which value it is, ascending */
	uint32_t nr_numbers, numbers_room;
	uint64_t first; /* the first value; set when the block ends */
	uint8_t exact; /* symbols 0..exact-1 say "candidate n", numbers come after */
	_Bool noise; /* its numbers do not repeat: no dictionary is tried */
	_Bool large; /* some number is above those that every coding has symbols for */
	_Bool nonzero; /* some symbol is not 0 */
	_Bool varies; /* some value differs from the first; set when the block ends */
	/* For who lays out the block. */
	_Bool stored; /* it has symbols */
	size_t bits_at, bits_len; /* where the raw bits are */
};

#define SPHT_COLUMN_SMALL 126u /* numbers below have a symbol in every coding but QUARTER */

/* Room for @room numbers, of which all that is new is for the value of its place; 0 or -1. */
int spht_column_grow_numbers(struct spht_column *c, uint32_t room);
/* Room for @room values, of which all that is new is 0; 0, or -1 without memory. */
int spht_column_grow(struct spht_column *c, uint32_t room);
void spht_column_free(struct spht_column *c);

/* Value @at is "candidate @symbol" (below exact). */
static inline void spht_column_exact(struct spht_column *c, uint32_t at, unsigned int symbol)
{
	c->symbols[at] = (uint8_t)symbol;
	c->nonzero |= symbol != 0;
}

/* Value @at is the number @x. */
static inline int spht_column_number(struct spht_column *c, uint32_t at, uint64_t x)
{
	uint32_t nr = c->nr_numbers;

	if (nr == c->numbers_room && spht_column_grow_numbers(c, nr ? 2 * nr : 64))
		return -1;
	c->numbers[nr] = x;
	c->at[nr] = at;
	c->nr_numbers = nr + 1;
	c->nonzero |= x != 0 || c->exact;
	c->large |= x >= SPHT_COLUMN_SMALL;
	return 0;
}

/*
 * The coding expected to be smallest, from a sample of the numbers; fills
 * @dict for SPHT_CODING_DICT.
 */
enum spht_coding spht_column_choose(const struct spht_column *c, struct spht_dict *dict);
/*
 * Completes the c->count symbols and appends the raw bits to @bits, padded to
 * a byte.  Returns 0, or -1 without memory.
 */
int spht_column_encode(struct spht_column *c, enum spht_coding coding, const struct spht_dict *dict,
		       struct spht_bytes *bits);
/* Forgets the c->count values, keeps the memory. */
void spht_column_reset(struct spht_column *c);

#endif
