/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PREDICT_H
#define SPHT_PREDICT_H

#include "schema.h"

/*
 * Multipliers of a table's keys.  Absent keys are the register that is always
 * 0, so that no branch depends on how many there are.
 */
#define SPHT_MIX0 0x9e3779b97f4a7c15ull
#define SPHT_MIX1 0xc2b2ae3d27d4eb4full
#define SPHT_MIX2 0x165667b19e3779f9ull

/* The usual shapes of a candidate, which do without what they do not need. */
enum guess_kind {
	GUESS_REG, /* a register plus a number */
	GUESS_TABLE1, /* a table relative to nothing with so many keys */
	GUESS_TABLE2,
	GUESS_TABLE3,
	GUESS_WALK, /* a table whose key depends on a level */
	GUESS_OTHER,
};

/* A candidate with what its evaluation needs in one place. */
struct guess {
	uint64_t add;
	uint64_t *table; /* NULL without keys */
	uint16_t from, key[SPHT_MAX_KEYS], levels;
	uint8_t shr, shl, index_shift, key_shift[SPHT_MAX_KEYS];
};

/* What a candidate says, and where it is told what was right. */
struct opinion {
	uint64_t value, from;
	uint64_t *entry; /* what is to be value - from */
};

/* Fills @g from @c; @tables is the arena of all tables. */
void spht_guess_prepare(struct guess *g, const struct spht_cand *c, uint64_t *tables);
enum guess_kind spht_guess_kind(const struct spht_cand *c);

static inline __attribute__((always_inline)) uint64_t guess_key(const struct guess *g, int i,
								const uint64_t *regs)
{
	return regs[g->key[i]] >> g->key_shift[i];
}

static inline __attribute__((always_inline)) uint64_t *guess_entry(const struct guess *g,
								   const uint64_t *regs)
{
	uint64_t k =
		(regs[g->key[0]] >> ((g->key_shift[0] + 9 * regs[g->levels]) & 63)) * SPHT_MIX0 +
		guess_key(g, 1, regs) * SPHT_MIX1 + guess_key(g, 2, regs) * SPHT_MIX2;

	return g->table + (k >> g->index_shift);
}

static inline __attribute__((always_inline)) struct opinion from_table(uint64_t *entry)
{
	return (struct opinion){*entry, 0, entry};
}

/* What @g of any kind says; @nowhere takes what a candidate without a table learns. */
static inline __attribute__((always_inline)) struct opinion
guess_ask(const struct guess *g, const uint64_t *regs, uint64_t *nowhere)
{
	struct opinion o;

	o.from = regs[g->from] >> g->shr << g->shl;
	o.value = o.from + g->add;
	o.entry = nowhere;
	if (g->table) {
		o.entry = guess_entry(g, regs);
		o.value = o.from + *o.entry;
	}
	return o;
}

/* The same where @kind is known to be that of @g. */
static inline __attribute__((always_inline)) struct opinion
guess_ask_kind(enum guess_kind kind, const struct guess *g, const uint64_t *regs, uint64_t *nowhere)
{
	switch (kind) {
	case GUESS_REG:
		return (struct opinion){regs[g->from] + g->add, 0, nowhere};
	case GUESS_TABLE1:
		return from_table(g->table + (guess_key(g, 0, regs) * SPHT_MIX0 >> g->index_shift));
	case GUESS_TABLE2:
		return from_table(g->table + ((guess_key(g, 0, regs) * SPHT_MIX0 +
					       guess_key(g, 1, regs) * SPHT_MIX1) >>
					      g->index_shift));
	case GUESS_TABLE3:
		return from_table(g->table + ((guess_key(g, 0, regs) * SPHT_MIX0 +
					       guess_key(g, 1, regs) * SPHT_MIX1 +
					       guess_key(g, 2, regs) * SPHT_MIX2) >>
					      g->index_shift));
	case GUESS_WALK:
		return from_table(guess_entry(g, regs));
	case GUESS_OTHER:
		return guess_ask(g, regs, nowhere);
	}
	__builtin_unreachable();
}

static inline uint64_t spht_zigzag(uint64_t d)
{
	return d << 1 ^ -(d >> 63);
}

static inline uint64_t spht_unzigzag(uint64_t z)
{
	return z >> 1 ^ -(z & 1);
}

static inline uint64_t spht_rotl(uint64_t v, unsigned int by)
{
	return v << by | v >> (-by & 63);
}

static inline uint64_t spht_rotr(uint64_t v, unsigned int by)
{
	return v >> by | v << (-by & 63);
}

#endif
