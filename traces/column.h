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
/* Symbol of @x (not SPHT_CODING_DICT); *@nbits raw bits of it go to *@low. */
unsigned int spht_coding_symbol(enum spht_coding coding, uint64_t x, unsigned int *nbits,
				uint64_t *low);

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

/* Numbers of one column while its block is being filled. */
struct spht_column {
	struct spht_bytes tokens;
	uint64_t first; /* the first value */
	uint32_t count;
	uint8_t exact; /* symbols 0..exact-1 say "candidate n", numbers come after */
	_Bool noise; /* its numbers do not repeat: no dictionary is tried */
	_Bool large; /* some number is above those that every coding has symbols for */
	_Bool nonzero; /* some symbol is not 0 */
	_Bool varies; /* some value differs from the first */
};

/* Appends "candidate @symbol" (below exact). */
int spht_column_exact(struct spht_column *c, unsigned int symbol);
/* Appends the number @x. */
int spht_column_number(struct spht_column *c, uint64_t x);
/*
 * The coding expected to be smallest, from a sample of the numbers; fills
 * @dict for SPHT_CODING_DICT.
 */
enum spht_coding spht_column_choose(const struct spht_column *c, struct spht_dict *dict);
/*
 * Writes c->count symbols at @symbols (room for that many) and appends the raw
 * bits to @bits, padded to a byte.  Returns 0, or -1 without memory.
 */
int spht_column_encode(const struct spht_column *c, enum spht_coding coding,
		       const struct spht_dict *dict, uint8_t *symbols, struct spht_bytes *bits);
/* Forgets the numbers, keeps the memory. */
void spht_column_reset(struct spht_column *c);

#endif
