// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <string.h>

#include "predict.h"

/* Decimal number of at most @max at *@p; false where there is none. */
static bool number(const char **p, uint64_t max, uint64_t *v)
{
	const char *start = *p;

	*v = 0;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		uint64_t digit = (uint64_t)(**p - '0');

		if (*v > (UINT64_MAX - digit) / 10)
			return false;
		*v = *v * 10 + digit;
	}
	return *p > start && *v <= max;
}

static bool literal(const char **p, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*p, word, len))
		return false;
	*p += len;
	return true;
}

static bool register_ref(const char **p, unsigned int nr_regs, uint16_t *reg)
{
	uint64_t v;

	if (!literal(p, "r") || !number(p, nr_regs - 1, &v))
		return false;
	*reg = (uint16_t)v;
	return true;
}

static bool shift(const char **p, const char *op, uint8_t *by)
{
	uint64_t v;

	*by = 0;
	if (!literal(p, op))
		return true;
	if (!number(p, 63, &v))
		return false;
	*by = (uint8_t)v;
	return true;
}

static bool candidate(const char **p, struct spht_cand *c, unsigned int nr_regs,
		      unsigned int *nr_entries)
{
	uint64_t v;

	memset(c, 0, sizeof(*c));
	if (!register_ref(p, nr_regs, &c->reg) || !shift(p, ">>", &c->shr) ||
	    !shift(p, "<<", &c->shl))
		return false;
	if (literal(p, "+"))
		return number(p, UINT64_MAX, &c->add);
	if (!literal(p, "@"))
		return true;
	if (!number(p, 16, &v) || !v || !literal(p, "("))
		return false;
	c->bits = (uint8_t)v;
	do {
		struct spht_key *k = &c->keys[c->nkeys];

		if (c->nkeys == SPHT_MAX_KEYS || !register_ref(p, nr_regs, &k->reg) ||
		    !shift(p, ">>", &k->shift) ||
		    (!c->nkeys && literal(p, "*") && !register_ref(p, nr_regs, &k->levels)))
			return false;
		c->nkeys++;
	} while (literal(p, ","));
	if (!literal(p, ")") || *nr_entries + (1u << c->bits) > SPHT_MAX_TABLE_ENTRIES)
		return false;
	c->table = *nr_entries;
	*nr_entries += 1u << c->bits;
	return true;
}

int spht_predict_parse(struct spht_part *part, const char *text, unsigned int nr_regs,
		       unsigned int *nr_entries)
{
	const char *p = text;

	part->ncands = 0;
	part->raw = false;
	do {
		struct spht_cand *c = &part->cands[part->ncands];

		if (part->ncands == SPHT_MAX_CANDS)
			return -1;
		part->ncands++;
		if (literal(&p, "raw")) {
			/* The register that is always 0 stands in, so that every part has a base. */
			memset(c, 0, sizeof(*c));
			part->raw = true;
			break;
		}
		if (!candidate(&p, c, nr_regs, nr_entries))
			return -1;
	} while (literal(&p, "|"));
	return *p ? -1 : 0;
}

void spht_predict_print(const struct spht_part *part, char *buf, size_t size)
{
	char *end = buf + size;

	/* snprintf's result is the wanted length: past the end, p stays at the end. */
#define PUT(...) \
	do { \
		int n_ = snprintf(buf, (size_t)(end - buf), __VA_ARGS__); \
		buf = n_ < end - buf ? buf + n_ : end; \
	} while (0)
	for (unsigned int i = 0; i < part->ncands; i++) {
		const struct spht_cand *c = &part->cands[i];

		if (i)
			PUT("|");
		if (part->raw && i == part->ncands - 1u) {
			PUT("raw");
			break;
		}
		PUT("r%u", c->reg);
		if (c->shr)
			PUT(">>%u", c->shr);
		if (c->shl)
			PUT("<<%u", c->shl);
		if (c->add)
			PUT("+%llu", (unsigned long long)c->add);
		if (!c->nkeys)
			continue;
		PUT("@%u(", c->bits);
		for (unsigned int k = 0; k < c->nkeys; k++) {
			PUT(k ? ",r%u" : "r%u", c->keys[k].reg);
			if (c->keys[k].shift)
				PUT(">>%u", c->keys[k].shift);
			if (c->keys[k].levels)
				PUT("*r%u", c->keys[k].levels);
		}
		PUT(")");
	}
#undef PUT
}

static enum guess_kind kind_of(const struct spht_cand *c)
{
	const struct spht_key *k = c->keys;
	bool as_it_is = !c->shr && !c->shl;

	if (!c->nkeys)
		return as_it_is ? GUESS_REG : GUESS_SHIFTED;
	if (c->reg == SPHT_REG_ZERO && !k[1].shift && !k[2].shift) {
		if (k[0].levels && c->nkeys > 1)
			return c->nkeys == 2 ? GUESS_WALK2 : GUESS_WALK3;
		if (!k[0].levels && !k[0].shift)
			return (enum guess_kind)(GUESS_TABLE1 + c->nkeys - 1);
	}
	return as_it_is && c->nkeys == 1 && !k[0].levels ? GUESS_NEAR : GUESS_OTHER;
}

void spht_guess_prepare(struct guess *g, const struct spht_cand *c, uint64_t *tables)
{
	g->from = c->reg;
	g->shr = c->shr;
	g->shl = c->shl;
	if (c->nkeys)
		g->table = tables + c->table;
	else
		g->add = c->add;
	g->index_shift = (uint8_t)(64 - c->bits);
	g->levels = c->keys[0].levels;
	for (unsigned int k = 0; k < SPHT_MAX_KEYS; k++) {
		g->key[k] = c->keys[k].reg;
		g->key_shift[k] = c->keys[k].shift;
	}
	g->kind = (uint8_t)kind_of(c);
}
