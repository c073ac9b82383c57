// SPDX-License-Identifier: LGPL-2.1-or-later
#include "program.h"

/* Makes the next change, at an event of @type; open_changes() has checked the list. */
static void next_change(struct spht_decoder *d, unsigned int type)
{
	struct cursor c = {d->changes, d->changes_end};
	struct spht_event *start = &d->programs[type].start;
	uint64_t by, flip, skip = 0;

	spht_get_varint(&c, &by);
	spht_get_varint(&c, &flip);
	d->pid = (int32_t)(d->pid + (int64_t)spht_unzigzag(by));
	start->flags ^= (uint8_t)flip;
	start->preempt ^= (uint8_t)(flip >> 8);
	if (--d->nr_changes) {
		spht_get_varint(&c, &skip);
		d->next_change_at += (uint32_t)skip;
	}
	d->changes = c.p;
}

/* What is not fast: more than 56 bits at once, and symbols or bits that are not there. */
static __attribute__((noinline)) uint64_t number_rare(struct op *op, unsigned int symbol,
						      bool *damaged)
{
	unsigned int n = op->coding->nbits[symbol];

	if (n > 64 || n > op->bits_end - op->bit) {
		*damaged = true;
		return 0;
	}
	return op->coding->base[symbol] + spht_get_bits(op->bits, &op->bit, n);
}

static inline __attribute__((always_inline)) uint64_t number_at(struct op *op, unsigned int symbol,
								bool *damaged)
{
	unsigned int n = op->coding->nbits[symbol];
	uint64_t at = op->bit;

	if (__builtin_expect((n > 56) | (at + n > op->bits_end), 0))
		return number_rare(op, symbol, damaged);
	op->bit = at + n;
	return op->coding->base[symbol] +
	       (spht_get64(op->bits + (at >> 3)) >> (at & 7) & ((1ull << n) - 1));
}

/*
 * The value of a part whose first candidate is wrong, or the only one.  The
 * candidates up to the right one learn the value.  Not a loop: its count would
 * be a guess of the processor that is wrong as often as the candidates are.
 */
static inline __attribute__((always_inline)) uint64_t
other_value(struct op *op, unsigned int symbol, const uint64_t *regs, bool *damaged)
{
	const struct guess *g = op->guesses;
	unsigned int exact = op->exact;
	struct opinion o[SPHT_MAX_CANDS];
	uint64_t nowhere, value, last;

	o[0] = guess_ask(&g[0], regs, &nowhere);
	o[1].entry = o[2].entry = o[3].entry = &nowhere;
	o[1].from = o[2].from = o[3].from = 0;
	last = o[0].value;
	if (exact >= 1) {
		o[1] = guess_ask(&g[1], regs, &nowhere);
		last = value = o[1].value;
		if (symbol == 1 && exact > 1)
			goto learn1;
	}
	if (exact >= 2) {
		o[2] = guess_ask(&g[2], regs, &nowhere);
		last = value = o[2].value;
		if (symbol == 2 && exact > 2)
			goto learn2;
	}
	if (exact >= 3) {
		o[3] = guess_ask(&g[3], regs, &nowhere);
		last = o[3].value;
	}
	value = number_at(op, symbol - exact, damaged);
	if (!op->raw)
		value = last + spht_unzigzag(value);
	*o[3].entry = value - o[3].from;
learn2:
	*o[2].entry = value - o[2].from;
learn1:
	*o[1].entry = value - o[1].from;
	*o[0].entry = value - o[0].from;
	return value;
}

static inline const uint8_t *change_place(const struct spht_decoder *d)
{
	return d->nr_changes ? d->types + d->next_change_at : NULL;
}

/* The next @nr events, which the block has.  The whole reader's speed hangs on this loop. */
static inline __attribute__((always_inline)) void decode(struct spht_decoder *d,
							 struct spht_event *rows, unsigned int nr)
{
	uint64_t *regs = d->regs, left = d->left, ts = d->ts;
	const uint64_t unit = d->unit;
	const uint8_t *types = d->types + d->at, *end_types = types + nr;
	const uint8_t *change_at = change_place(d);
	unsigned int prev = (unsigned int)regs[SPHT_REG_PREV];
	int32_t pid = d->pid;
	bool damaged = false;

	for (; types < end_types; types++, rows++) {
		unsigned int type = *types;
		struct program *prog = &d->programs[type];
		struct op *op = prog->ops, *end = op + prog->nr_ops;
		uint64_t delta = prog->time.value;

		if (__builtin_expect(types == change_at, 0)) {
			next_change(d, type);
			change_at = change_place(d);
			pid = d->pid;
			regs[SPHT_REG_PID] = (uint32_t)pid;
		}
		*rows = prog->start;
		if (prog->time.step)
			delta = number_at(&prog->time, *prog->time.symbols++, &damaged);
		damaged |= delta > left;
		left -= delta;
		ts += delta * unit;
		rows->ts = ts;
		rows->pid = pid;
		for (; op < end; op++) {
			unsigned int symbol = *op->symbols;
			uint64_t value, nowhere;

			op->symbols += op->step;
			if (__builtin_expect(symbol == op->hit, 1))
				value = guess_ask_kind((enum guess_kind)op->kind, &op->guesses[0],
						       regs, &nowhere)
						.value;
			else
				value = other_value(op, symbol, regs, &damaged);
			regs[op->reg] = value;
			rows->v[op->slot] |= spht_rotr(value << op->shift, op->rot);
		}
		regs[SPHT_REG_PREV2] = prev;
		regs[SPHT_REG_PREV] = prev = type;
	}
	d->at += nr;
	d->left = left;
	d->ts = ts;
	d->damaged |= damaged;
}

#if defined(__x86_64__)
/* Shifts by a variable and copies of whole events are what these instructions are good at. */
__attribute__((target("bmi2,avx2"))) static void
decode_wide(struct spht_decoder *d, struct spht_event *rows, unsigned int nr)
{
	decode(d, rows, nr);
}
#endif

/* True when all raw bits were used, to the byte. */
static bool all_used(const struct spht_decoder *d)
{
	const struct spht_schema *s = d->schema;

	for (unsigned int t = 0; t < s->nr_types; t++) {
		const struct program *prog = &d->programs[t];

		if ((prog->time.bit + 7) / 8 != prog->time.nbytes)
			return false;
		for (unsigned int i = 0; i < prog->nr_ops; i++)
			if ((prog->ops[i].bit + 7) / 8 != prog->ops[i].nbytes)
				return false;
	}
	return true;
}

int spht_decoder_next(struct spht_decoder *d, struct spht_event *rows, unsigned int max)
{
	if (max > d->nr_events - d->at)
		max = d->nr_events - d->at;
#if defined(__x86_64__)
	if (d->wide)
		decode_wide(d, rows, max);
	else
#endif
		decode(d, rows, max);
	if (d->damaged || (d->at == d->nr_events && (d->left || !all_used(d))))
		return -1;
	return (int)max;
}
