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

/* Table index of a candidate with keys, in the common arena. */
static inline uint32_t spht_cand_index(const struct spht_cand *c, const uint64_t *regs)
{
	unsigned int shift0 = (c->keys[0].shift + 9 * (unsigned int)regs[c->keys[0].levels]) & 63;
	uint64_t k = (regs[c->keys[0].reg] >> shift0) * SPHT_MIX0 +
		     (regs[c->keys[1].reg] >> c->keys[1].shift) * SPHT_MIX1 +
		     (regs[c->keys[2].reg] >> c->keys[2].shift) * SPHT_MIX2;

	return c->table + (uint32_t)(k >> (64 - c->bits));
}

/* What a table's entry is relative to. */
static inline uint64_t spht_cand_base(const struct spht_cand *c, const uint64_t *regs)
{
	return regs[c->reg] >> c->shr << c->shl;
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
