// SPDX-License-Identifier: LGPL-2.1-or-later
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "column.h"

/*
 * Tokens: what the column keeps until its coding is chosen.  One byte below
 * TOKEN_16 is a symbol of a candidate or, after those, a small number; the
 * others announce a number of 2, 4 or 8 bytes.
 */
enum { TOKEN_16 = 253, TOKEN_32, TOKEN_64 };

#define SAMPLES    2048u
#define COUNT_BITS 12 /* log2 of different numbers that are counted for a dictionary */
#define COUNT_MIN  4u /* occurrences that pay for an entry */

/* Direct numbers and mantissa bits of the logarithmic codings. */
static const struct {
	uint8_t direct, mantissa;
} shape[SPHT_CODING_NR] = {
	[SPHT_CODING_DIRECT] = {188, 0},
	[SPHT_CODING_HALF] = {126, 1},
	[SPHT_CODING_QUARTER] = {4, 2},
	[SPHT_CODING_BYTES] = {244, 0},
};

static struct spht_coding_table tables[SPHT_CODING_NR];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void tables_fill(void)
{
	for (int coding = SPHT_CODING_FIRST; coding < SPHT_CODING_DICT; coding++) {
		struct spht_coding_table *t = &tables[coding];
		unsigned int direct = shape[coding].direct, m = shape[coding].mantissa;

		memset(t->nbits, SPHT_NO_BITS, sizeof(t->nbits));
		for (unsigned int s = 0; s < SPHT_CODING_SYMBOLS; s++) {
			unsigned int k = s - direct, e = k >> m;

			if (s < direct) {
				t->base[s] = s;
				t->nbits[s] = 0;
			} else if (coding == SPHT_CODING_BYTES) {
				t->base[s] = direct;
				t->nbits[s] = (uint8_t)(8 * (k + 1));
			} else {
				uint64_t top = (1ull << m) + (k & ((1u << m) - 1));

				t->base[s] = (top << e) - (1ull << m) + direct;
				t->nbits[s] = (uint8_t)e;
			}
		}
	}
}

const struct spht_coding_table *spht_coding_table(enum spht_coding coding)
{
	pthread_once(&tables_once, tables_fill);
	return &tables[coding];
}

static inline unsigned int log2_floor(uint64_t v)
{
	return 63u - (unsigned int)__builtin_clzll(v);
}

unsigned int spht_coding_symbol(enum spht_coding coding, uint64_t x, unsigned int *nbits,
				uint64_t *low)
{
	unsigned int direct = shape[coding].direct, m = shape[coding].mantissa, e;
	uint64_t w = x - direct;

	*nbits = 0;
	*low = 0;
	if (x < direct)
		return (unsigned int)x;
	if (coding == SPHT_CODING_BYTES) {
		e = w ? log2_floor(w) / 8 : 0;
		*nbits = 8 * (e + 1);
		*low = w;
		return direct + e;
	}
	w += 1ull << m;
	e = log2_floor(w) - m;
	*nbits = e;
	*low = w & ((1ull << e) - 1);
	return direct + (e << m) + ((unsigned int)(w >> e) & ((1u << m) - 1));
}

int spht_bytes_grow(struct spht_bytes *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 256;
	uint8_t *buf;

	while (cap < b->len + more + 8)
		cap += cap / 2;
	buf = realloc(b->buf, cap);
	if (!buf)
		return -1;
	b->buf = buf;
	b->cap = cap;
	return 0;
}

int spht_column_exact(struct spht_column *c, unsigned int symbol)
{
	if (spht_bytes_reserve(&c->tokens, 1))
		return -1;
	c->tokens.buf[c->tokens.len++] = (uint8_t)symbol;
	c->nonzero |= symbol != 0;
	c->count++;
	return 0;
}

int spht_column_number(struct spht_column *c, uint64_t x)
{
	struct spht_bytes *t = &c->tokens;
	uint8_t *p;

	if (spht_bytes_reserve(t, 9))
		return -1;
	p = t->buf + t->len;
	c->count++;
	c->nonzero |= x != 0 || c->exact;
	c->large |= x >= shape[SPHT_CODING_HALF].direct;
	if (x < (unsigned int)TOKEN_16 - c->exact) {
		*p = (uint8_t)(x + c->exact);
		t->len += 1;
	} else if (x <= UINT16_MAX) {
		*p = TOKEN_16;
		spht_put16(p + 1, (uint16_t)x);
		t->len += 3;
	} else if (x <= UINT32_MAX) {
		*p = TOKEN_32;
		spht_put32(p + 1, (uint32_t)x);
		t->len += 5;
	} else {
		*p = TOKEN_64;
		spht_put64(p + 1, x);
		t->len += 9;
	}
	return 0;
}

/* Takes one token; true for a number in *@x, false for a candidate in *@symbol. */
static inline bool token_next(const uint8_t **p, unsigned int exact, uint64_t *x,
			      unsigned int *symbol)
{
	unsigned int t = *(*p)++;

	if (t < exact) {
		*symbol = t;
		return false;
	}
	switch (t) {
	case TOKEN_16:
		*x = spht_get16(*p);
		*p += 2;
		break;
	case TOKEN_32:
		*x = spht_get32(*p);
		*p += 4;
		break;
	case TOKEN_64:
		*x = spht_get64(*p);
		*p += 8;
		break;
	default:
		*x = t - exact;
	}
	return true;
}

/* 256 * log2(v), v > 0, by table-free interpolation: near enough to compare codings. */
static uint64_t log2_256(uint64_t v)
{
	unsigned int e = log2_floor(v);
	uint64_t frac = e >= 8 ? (v >> (e - 8)) - 256 : (v << (8 - e)) - 256;

	/* log2(1 + f) is about f + 0.34 f (1 - f) */
	return 256 * e + frac + (frac * (256 - frac) * 87 >> 16);
}

void spht_dict_table(const struct spht_dict *dict, struct spht_coding_table *table)
{
	memset(table->base, 0, sizeof(table->base));
	memset(table->nbits, SPHT_NO_BITS, sizeof(table->nbits));
	memset(table->nbits, 0, dict->nr);
	memcpy(table->base, dict->values, dict->nr * sizeof(dict->values[0]));
	for (unsigned int k = 0; k < 8; k++)
		table->nbits[dict->nr + k] = (uint8_t)(8 * (k + 1));
}

static unsigned int dict_symbol(const struct spht_dict *dict, uint64_t x, unsigned int *nbits,
				uint64_t *low)
{
	unsigned int from = 0, to = dict->nr, e;

	while (from < to) {
		unsigned int mid = (from + to) / 2;

		if (dict->values[mid] < x)
			from = mid + 1;
		else
			to = mid;
	}
	*nbits = 0;
	*low = 0;
	if (from < dict->nr && dict->values[from] == x)
		return from;
	e = x ? log2_floor(x) / 8 : 0;
	*nbits = 8 * (e + 1);
	*low = x;
	return dict->nr + e;
}

struct counted {
	uint64_t value;
	uint32_t count;
};

static int by_count(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->value < y->value ? -1 : x->value > y->value;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The most frequent numbers, and what the column would cost with them, in 1/256 bits. */
static uint64_t make_dict(const struct spht_column *c, struct spht_dict *dict)
{
	struct counted *counts = calloc(1u << COUNT_BITS, sizeof(*counts));
	uint32_t exacts[256] = {0}, rest = 0, used = 0;
	const uint8_t *p = c->tokens.buf;
	uint64_t cost = 0;

	dict->nr = 0;
	if (!counts)
		return UINT64_MAX;
	for (uint32_t i = 0; i < c->count; i++) {
		unsigned int symbol = 0, at;
		uint64_t x = 0;

		if (!token_next(&p, c->exact, &x, &symbol)) {
			exacts[symbol]++;
			continue;
		}
		rest++;
		at = (unsigned int)(x * 0x9e3779b97f4a7c15ull >> (64 - COUNT_BITS));
		/* A few probes, then the number is as good as rare. */
		for (int probe = 0; probe < 4; probe++, at = (at + 1) & ((1u << COUNT_BITS) - 1)) {
			if (counts[at].count && counts[at].value != x)
				continue;
			counts[at].value = x;
			counts[at].count++;
			break;
		}
	}
	for (uint32_t i = 0; i < 1u << COUNT_BITS; i++)
		if (counts[i].count >= COUNT_MIN)
			counts[used++] = counts[i];
	qsort(counts, used, sizeof(*counts), by_count);
	for (uint32_t i = 0; i < used && dict->nr < SPHT_DICT_MAX; i++) {
		dict->values[dict->nr++] = counts[i].value;
		rest -= counts[i].count;
		cost += counts[i].count * (log2_256(c->count) - log2_256(counts[i].count));
		cost += 256 * (8 + (counts[i].value ? log2_floor(counts[i].value) : 0) / 2);
	}
	for (int s = 0; s < 256; s++)
		if (exacts[s])
			cost += exacts[s] * (log2_256(c->count) - log2_256(exacts[s]));
	/* What is not listed is taken for four bytes. */
	if (rest)
		cost += rest * (log2_256(c->count) - log2_256(rest) + 256 * 32);
	free(counts);
	qsort(dict->values, dict->nr, sizeof(dict->values[0]), by_value);
	return cost;
}

enum spht_coding spht_column_choose(const struct spht_column *c, struct spht_dict *dict)
{
	uint32_t hist[SPHT_CODING_DICT][256] = {0};
	uint64_t cost[SPHT_CODING_DICT] = {0};
	const uint8_t *p = c->tokens.buf;
	unsigned int step = c->count / SAMPLES + 1, total = 0;
	enum spht_coding best = SPHT_CODING_FIRST;

	if (!c->large)
		return SPHT_CODING_DIRECT;
	for (uint32_t i = 0; i < c->count; i++) {
		unsigned int symbol = 0, nbits;
		uint64_t x = 0, low;
		bool number = token_next(&p, c->exact, &x, &symbol);

		if (i % step)
			continue;
		total++;
		for (int k = SPHT_CODING_FIRST; k < SPHT_CODING_DICT; k++) {
			if (number) {
				symbol = c->exact +
					 spht_coding_symbol((enum spht_coding)k, x, &nbits, &low);
				cost[k] += 256 * nbits;
			}
			hist[k][symbol]++;
		}
	}
	for (int k = SPHT_CODING_FIRST; k < SPHT_CODING_DICT; k++) {
		for (int s = 0; s < 256; s++)
			if (hist[k][s])
				cost[k] += hist[k][s] * (log2_256(total) - log2_256(hist[k][s]));
		if (cost[k] < cost[best])
			best = (enum spht_coding)k;
	}
	if (!c->noise && make_dict(c, dict) / step < cost[best])
		best = SPHT_CODING_DICT;
	return best;
}

int spht_column_encode(const struct spht_column *c, enum spht_coding coding,
		       const struct spht_dict *dict, uint8_t *symbols, struct spht_bytes *bits)
{
	const uint8_t *p = c->tokens.buf;
	unsigned int pending = 0; /* bits of acc that are not in the buffer */
	uint64_t acc = 0;

	for (uint32_t i = 0; i < c->count; i++) {
		unsigned int symbol = 0, nbits;
		uint64_t x = 0, low;

		if (!token_next(&p, c->exact, &x, &symbol)) {
			symbols[i] = (uint8_t)symbol;
			continue;
		}
		symbol = coding == SPHT_CODING_DICT ? dict_symbol(dict, x, &nbits, &low)
						    : spht_coding_symbol(coding, x, &nbits, &low);
		symbols[i] = (uint8_t)(c->exact + symbol);
		if (!nbits)
			continue;
		if (spht_bytes_reserve(bits, 8))
			return -1;
		acc |= low << pending;
		if (pending + nbits >= 64) {
			spht_put64(bits->buf + bits->len, acc);
			bits->len += 8;
			acc = pending ? low >> (64 - pending) : 0;
			pending = pending + nbits - 64;
		} else {
			pending += nbits;
		}
	}
	if (spht_bytes_reserve(bits, 8))
		return -1;
	spht_put64(bits->buf + bits->len, acc);
	bits->len += (pending + 7) / 8;
	return 0;
}

void spht_column_reset(struct spht_column *c)
{
	c->tokens.len = 0;
	c->count = 0;
	c->nonzero = false;
	c->varies = false;
	c->large = false;
}
