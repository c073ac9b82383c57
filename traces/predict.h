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
	GUESS_TABLE1, /* a table relative to nothing with so many keys, none of them shifted */
	GUESS_TABLE2,
	GUESS_TABLE3,
	GUESS_WALK2, /* two or three keys, of which only the first is shifted, by a level */
	GUESS_WALK3,
	GUESS_NEAR, /* a table of one key, relative to a register as it is */
	GUESS_SHIFTED, /* a register, shifted, plus a number */
	GUESS_OTHER, /* any table */
	GUESS_NR
};

/* A candidate with what its evaluation needs in one place. */
struct guess {
	union {
		uint64_t add; /* of GUESS_REG and GUESS_SHIFTED */
		uint64_t *table; /* of all others */
	};
	uint16_t from, key[SPHT_MAX_KEYS], levels;
	uint8_t shr, shl, index_shift, key_shift[SPHT_MAX_KEYS];
	uint8_t kind; /* enum guess_kind */
};

/* What a candidate says, and where it is told what was right. */
struct opinion {
	uint64_t value, from;
	uint64_t *entry; /* what is to be value - from */
};

/* Fills @g from @c; @tables is the arena of all tables. */
void spht_guess_prepare(struct guess *g, const struct spht_cand *c, uint64_t *tables);

/* What @g of kind @kind says; @nowhere takes what a candidate without a table learns. */
static inline __attribute__((always_inline)) struct opinion
guess_ask_kind(enum guess_kind kind, const struct guess *g, const uint64_t *regs, uint64_t *nowhere)
{
	uint64_t k = 0, from = 0, *entry;

	switch (kind) {
	case GUESS_REG:
		return (struct opinion){regs[g->from] + g->add, 0, nowhere};
	case GUESS_SHIFTED:
		return (struct opinion){(regs[g->from] >> g->shr << g->shl) + g->add, 0, nowhere};
	case GUESS_TABLE3:
		k += regs[g->key[2]] * SPHT_MIX2;
		/* fallthrough */
	case GUESS_TABLE2:
		k += regs[g->key[1]] * SPHT_MIX1;
		/* fallthrough */
	case GUESS_TABLE1:
		k += regs[g->key[0]] * SPHT_MIX0;
		break;
	case GUESS_WALK3:
		k += regs[g->key[2]] * SPHT_MIX2;
		/* fallthrough */
	case GUESS_WALK2:
		k += regs[g->key[1]] * SPHT_MIX1;
		k += (regs[g->key[0]] >> ((g->key_shift[0] + 9 * regs[g->levels]) & 63)) *
		     SPHT_MIX0;
		break;
	case GUESS_NEAR:
		from = regs[g->from];
		k = (regs[g->key[0]] >> g->key_shift[0]) * SPHT_MIX0;
		break;
	case GUESS_OTHER:
		from = regs[g->from] >> g->shr << g->shl;
		k = (regs[g->key[0]] >> ((g->key_shift[0] + 9 * regs[g->levels]) & 63)) *
			    SPHT_MIX0 +
		    (regs[g->key[1]] >> g->key_shift[1]) * SPHT_MIX1 +
		    (regs[g->key[2]] >> g->key_shift[2]) * SPHT_MIX2;
		break;
	default:
		__builtin_unreachable();
	}
	entry = g->table + (k >> g->index_shift);
	return (struct opinion){from + *entry, from, entry};
}

/* The same of any kind. */
static inline __attribute__((always_inline)) struct opinion
guess_ask(const struct guess *g, const uint64_t *regs, uint64_t *nowhere)
{
	return guess_ask_kind((enum guess_kind)g->kind, g, regs, nowhere);
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
