// SPDX-License-Identifier: LGPL-2.1-or-later
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "column.h"

#define SAMPLES     2048u
#define COUNT_BITS  12 /* log2 of different numbers that are counted for a dictionary */
#define PROBES      4 /* places where a number may be */
#define FINDER_BITS 10 /* log2 of places to find a number of the dictionary in */
#define COUNT_MIN   4u /* occurrences that pay for an entry */

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

/* What stands for a number: a symbol, and raw bits behind it. */
struct coded {
	unsigned int symbol, nbits;
	uint64_t low;
};

/* Of @x in @coding, which is a constant where this is called and not SPHT_CODING_DICT. */
static inline __attribute__((always_inline)) struct coded code_number(enum spht_coding coding,
								      uint64_t x)
{
	unsigned int direct = shape[coding].direct, m = shape[coding].mantissa, e;
	uint64_t w = x - direct;

	if (x < direct)
		return (struct coded){(unsigned int)x, 0, 0};
	if (coding == SPHT_CODING_BYTES) {
		e = log2_floor(w | 1) / 8;
		return (struct coded){direct + e, 8 * (e + 1), w};
	}
	w += 1ull << m;
	e = log2_floor(w) - m;
	return (struct coded){direct + (e << m) + ((unsigned int)(w >> e) & ((1u << m) - 1)), e,
			      w & ((1ull << e) - 1)};
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

int spht_column_grow_numbers(struct spht_column *c, uint32_t room)
{
	uint64_t *numbers = realloc(c->numbers, room * sizeof(*numbers));
	uint32_t *at;

	if (!numbers)
		return -1;
	c->numbers = numbers;
	at = realloc(c->at, room * sizeof(*at));
	if (!at)
		return -1;
	for (uint32_t i = c->numbers_room; i < room; i++)
		at[i] = i;
	c->at = at;
	c->numbers_room = room;
	return 0;
}

int spht_column_grow(struct spht_column *c, uint32_t room)
{
	uint8_t *symbols = realloc(c->symbols, room);

	if (!symbols)
		return -1;
	memset(symbols + c->room, 0, room - c->room);
	c->symbols = symbols;
	c->room = room;
	return 0;
}

void spht_column_free(struct spht_column *c)
{
	free(c->symbols);
	free(c->numbers);
	free(c->at);
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

/* Where to look for the numbers of a dictionary. */
struct finder {
	const struct spht_dict *dict;
	uint8_t places[1u << FINDER_BITS]; /* symbol + 1, 0 where there is none */
};

static inline unsigned int hash(uint64_t x, unsigned int bits)
{
	return (unsigned int)(x * 0x9e3779b97f4a7c15ull >> (64 - bits));
}

static void finder_fill(struct finder *f, const struct spht_dict *dict)
{
	f->dict = dict;
	memset(f->places, 0, sizeof(f->places));
	for (unsigned int i = 0; i < dict->nr; i++) {
		unsigned int at = hash(dict->values[i], FINDER_BITS);

		while (f->places[at])
			at = (at + 1) & ((1u << FINDER_BITS) - 1);
		f->places[at] = (uint8_t)(i + 1);
	}
}

static inline struct coded finder_code(const struct finder *f, uint64_t x)
{
	unsigned int at = hash(x, FINDER_BITS), e;

	for (; f->places[at]; at = (at + 1) & ((1u << FINDER_BITS) - 1))
		if (f->dict->values[f->places[at] - 1] == x)
			return (struct coded){f->places[at] - 1u, 0, 0};
	e = log2_floor(x | 1) / 8;
	return (struct coded){f->dict->nr + e, 8 * (e + 1), x};
}

struct counted {
	uint64_t value;
	uint32_t count;
};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A few probes, then the number is as good as rare. */
static inline void count_number(struct counted *counts, unsigned int bits, uint64_t x)
{
	unsigned int at = hash(x, bits);

	for (int probe = 0; probe < PROBES; probe++, at = (at + 1) & ((1u << bits) - 1)) {
		if (counts[at].count && counts[at].value != x)
			continue;
		counts[at].value = x;
		counts[at].count++;
		return;
	}
}

/* The numbers that are frequent enough for an entry at the start of @counts; how many. */
static uint32_t count_numbers(const struct spht_column *c, struct counted *counts)
{
	unsigned int bits = COUNT_BITS;
	uint32_t used = 0;

	/* Four places for each number, where there are few. */
	while (bits > 4 && c->nr_numbers < 1u << (bits - 3))
		bits--;
	memset(counts, 0, sizeof(*counts) << bits);
	for (uint32_t i = 0; i < c->nr_numbers; i++)
		count_number(counts, bits, c->numbers[i]);
	for (uint32_t i = 0; i < 1u << bits; i++)
		if (counts[i].count >= COUNT_MIN)
			counts[used++] = counts[i];
	return used;
}

static uint64_t cost_of(uint32_t count, uint32_t total)
{
	return count ? count * (log2_256(total) - log2_256(count)) : 0;
}

/* Lists @x, which was there @count times of @total; what that costs. */
static uint64_t list_number(struct spht_dict *dict, uint64_t x, uint32_t count, uint32_t total)
{
	dict->values[dict->nr++] = x;
	return cost_of(count, total) + 256 * (8 + (x ? log2_floor(x) : 0) / 2);
}

static inline bool is_better(const struct counted *a, const struct counted *b)
{
	return a->count > b->count || (a->count == b->count && a->value < b->value);
}

/* Brings the @wanted most frequent numbers, of equals the smallest, before all others. */
static void select_best(struct counted *counts, uint32_t nr, uint32_t wanted)
{
	int64_t from = 0, to = (int64_t)nr - 1;

	while (from < to) {
		struct counted pivot = counts[(from + to) / 2];
		int64_t i = from, j = to;

		while (i <= j) {
			while (is_better(&counts[i], &pivot))
				i++;
			while (is_better(&pivot, &counts[j]))
				j--;
			if (i <= j) {
				struct counted swap = counts[i];

				counts[i++] = counts[j];
				counts[j--] = swap;
			}
		}
		if (wanted <= j)
			to = j;
		else if (wanted >= i)
			from = i;
		else
			return;
	}
}

/* Numbers that every value without a candidate of its own is. */
static inline uint32_t nr_zeros(const struct spht_column *c)
{
	return c->exact ? 0 : c->count - c->nr_numbers;
}

/*
 * The most frequent numbers, not in order yet, and what all numbers would cost
 * with them, in 1/256 bits.
 */
static uint64_t make_dict(const struct spht_column *c, struct spht_dict *dict)
{
	struct counted counts[1u << COUNT_BITS];
	uint32_t used = count_numbers(c, counts), rest = c->nr_numbers, room;
	uint32_t total = c->nr_numbers + nr_zeros(c);
	uint64_t cost = 0;

	dict->nr = 0;
	/* Zeros that are not among the numbers have the symbol 0 already. */
	if (nr_zeros(c))
		cost += list_number(dict, 0, nr_zeros(c), total);
	room = SPHT_DICT_MAX - dict->nr;
	if (used > room) {
		select_best(counts, used, room);
		used = room;
	}
	for (uint32_t i = 0; i < used; i++) {
		rest -= counts[i].count;
		cost += list_number(dict, counts[i].value, counts[i].count, total);
	}
	/* What is not listed is taken for four bytes. */
	return cost + cost_of(rest, total) + rest * 256ull * 32;
}

/* What one of @step numbers would cost. */
static inline __attribute__((always_inline)) uint64_t
sample_cost(const struct spht_column *c, uint32_t step, enum spht_coding coding)
{
	uint32_t hist[256] = {nr_zeros(c) / step}, total = hist[0];
	uint64_t cost = 0;

	for (uint32_t i = 0; i < c->nr_numbers; i += step) {
		struct coded n = code_number(coding, c->numbers[i]);

		hist[n.symbol]++;
		cost += n.nbits;
		total++;
	}
	cost *= 256;
	for (int i = 0; i < SPHT_CODING_SYMBOLS; i++)
		cost += cost_of(hist[i], total);
	return cost;
}

enum spht_coding spht_column_choose(const struct spht_column *c, struct spht_dict *dict)
{
	uint32_t step = c->nr_numbers / SAMPLES + 1;
	enum spht_coding best = SPHT_CODING_FIRST;
	uint64_t cost[SPHT_CODING_DICT];

	if (!c->large)
		return SPHT_CODING_DIRECT;
	cost[SPHT_CODING_DIRECT] = sample_cost(c, step, SPHT_CODING_DIRECT);
	cost[SPHT_CODING_HALF] = sample_cost(c, step, SPHT_CODING_HALF);
	cost[SPHT_CODING_QUARTER] = sample_cost(c, step, SPHT_CODING_QUARTER);
	cost[SPHT_CODING_BYTES] = sample_cost(c, step, SPHT_CODING_BYTES);
	for (int k = SPHT_CODING_FIRST; k < SPHT_CODING_DICT; k++)
		if (cost[k] < cost[best])
			best = (enum spht_coding)k;
	if (c->noise || make_dict(c, dict) / step >= cost[best])
		return best;
	qsort(dict->values, dict->nr, sizeof(dict->values[0]), by_value);
	return SPHT_CODING_DICT;
}

/* Bits on their way into a buffer that has room for them. */
struct bit_writer {
	uint8_t *p;
	uint64_t acc;
	unsigned int pending; /* bits of acc that are not in the buffer */
};

static inline void put_bits(struct bit_writer *w, uint64_t low, unsigned int nbits)
{
	w->acc |= low << w->pending;
	w->pending += nbits;
	if (w->pending >= 64) {
		spht_put64(w->p, w->acc);
		w->p += 8;
		w->pending -= 64;
		w->acc = w->pending ? low >> (nbits - w->pending) : 0;
	}
}

static inline __attribute__((always_inline)) void encode_numbers(struct spht_column *c,
								 enum spht_coding coding,
								 const struct finder *f,
								 struct bit_writer *w)
{
	for (uint32_t i = 0; i < c->nr_numbers; i++) {
		struct coded n = coding == SPHT_CODING_DICT ? finder_code(f, c->numbers[i])
							    : code_number(coding, c->numbers[i]);

		c->symbols[c->at[i]] = (uint8_t)(c->exact + n.symbol);
		put_bits(w, n.low, n.nbits);
	}
}

int spht_column_encode(struct spht_column *c, enum spht_coding coding, const struct spht_dict *dict,
		       struct spht_bytes *bits)
{
	struct bit_writer w = {0};
	struct finder f;

	if (spht_bytes_reserve(bits, 8 * (size_t)c->nr_numbers))
		return -1;
	w.p = bits->buf + bits->len;
	switch (coding) {
	case SPHT_CODING_DIRECT:
		encode_numbers(c, SPHT_CODING_DIRECT, NULL, &w);
		break;
	case SPHT_CODING_HALF:
		encode_numbers(c, SPHT_CODING_HALF, NULL, &w);
		break;
	case SPHT_CODING_QUARTER:
		encode_numbers(c, SPHT_CODING_QUARTER, NULL, &w);
		break;
	case SPHT_CODING_BYTES:
		encode_numbers(c, SPHT_CODING_BYTES, NULL, &w);
		break;
	default:
		finder_fill(&f, dict);
		encode_numbers(c, SPHT_CODING_DICT, &f, &w);
	}
	spht_put64(w.p, w.acc);
	bits->len = (size_t)(w.p - bits->buf) + (w.pending + 7) / 8;
	return 0;
}

void spht_column_reset(struct spht_column *c)
{
	if (c->nonzero)
		memset(c->symbols, 0, c->count);
	c->nr_numbers = 0;
	c->count = 0;
	c->nonzero = false;
	c->large = false;
}
