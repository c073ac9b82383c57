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
	const struct guess *g = op->others;
	unsigned int exact = op->exact;
	struct opinion o0, o1, o2, o3;
	uint64_t nowhere, value, last;

	o0 = guess_ask(&op->first, regs, &nowhere);
	last = o0.value;
	if (exact >= 1) {
		o1 = guess_ask(&g[0], regs, &nowhere);
		last = value = o1.value;
		if (symbol == 1 && exact > 1)
			goto learn1;
		if (exact >= 2) {
			o2 = guess_ask(&g[1], regs, &nowhere);
			last = value = o2.value;
			if (symbol == 2 && exact > 2)
				goto learn2;
			if (exact >= 3) {
				o3 = guess_ask(&g[2], regs, &nowhere);
				last = o3.value;
			}
		}
	}
	value = number_at(op, symbol - exact, damaged);
	if (!op->raw)
		value = last + spht_unzigzag(value);
	if (exact < 1)
		goto learn0;
	if (exact < 2)
		goto learn1;
	if (exact >= 3)
		*o3.entry = value - o3.from;
learn2:
	*o2.entry = value - o2.from;
learn1:
	*o1.entry = value - o1.from;
learn0:
	*o0.entry = value - o0.from;
	return value;
}

static inline __attribute__((always_inline)) uint64_t
first_value(enum guess_kind kind, const struct op *op, const uint64_t *regs)
{
	uint64_t nowhere;

	return guess_ask_kind(kind, &op->first, regs, &nowhere).value;
}

static inline __attribute__((always_inline)) void put_piece(const struct op *op, uint64_t value,
							    struct spht_event *row)
{
	row->v[op->slot] |= spht_rotr(value << op->shift, op->rot);
}

/*
 * Values of an event, each of which is what the first candidate says: so most
 * are, and no symbol is looked at.
 */
static inline __attribute__((always_inline)) void usual_values(const struct op *op, uint64_t *regs,
							       struct spht_event *row)
{
	for (;; op++) {
		uint64_t value;

		switch (op->kind) {
#define USUAL(guess) \
	case guess: \
		regs[op->reg] = row->v[op->slot] = first_value(guess, op, regs); \
		break; \
	case guess + OP_PIECE: \
		regs[op->reg] = value = first_value(guess, op, regs); \
		put_piece(op, value, row); \
		break
			USUAL(GUESS_REG);
			USUAL(GUESS_TABLE1);
			USUAL(GUESS_TABLE2);
			USUAL(GUESS_TABLE3);
			USUAL(GUESS_WALK2);
			USUAL(GUESS_WALK3);
			USUAL(GUESS_NEAR);
			USUAL(GUESS_SHIFTED);
			USUAL(GUESS_OTHER);
#undef USUAL
		case OP_END:
			return;
		default:
			__builtin_unreachable();
		}
	}
}

/*
 * Values of an event of which not all are what the first candidate says.  True
 * where bits were asked for that are not there.
 */
static inline __attribute__((always_inline)) bool
other_values(struct op *op, uint32_t at, uint64_t *regs, struct spht_event *row)
{
	bool damaged = false;

	for (; op->kind != OP_END; op++) {
		unsigned int symbol = op->symbols[at & op->all];
		uint64_t value;

		if (symbol == op->hit)
			value = first_value((enum guess_kind)op->first.kind, op, regs);
		else
			value = other_value(op, symbol, regs, &damaged);
		regs[op->reg] = value;
		put_piece(op, value, row);
	}
	return damaged;
}

/* As many bytes at a time as the processor can; the last ones overlap those before. */
typedef uint64_t wide_t __attribute__((vector_size(32), aligned(8), may_alias));

static inline __attribute__((always_inline)) void copy_event(struct spht_event *to,
							     const struct spht_event *from)
{
	wide_t *t = (wide_t *)to;
	const wide_t *f = (const wide_t *)from;
	const size_t last = sizeof(*to) - sizeof(wide_t);

	_Static_assert(sizeof(*to) >= 4 * sizeof(wide_t) && sizeof(*to) <= 5 * sizeof(wide_t),
		       "four copies and one more are the event");
	t[0] = f[0];
	t[1] = f[1];
	t[2] = f[2];
	t[3] = f[3];
	*(wide_t *)((char *)to + last) = *(const wide_t *)((const char *)from + last);
}

static inline const uint8_t *change_place(const struct spht_decoder *d)
{
	return d->nr_changes ? d->types + d->next_change_at : NULL;
}

/*
 * The next @nr events, which the block has.  The whole reader's speed hangs on
 * this loop; @others is other_values(), and no part of the loop because it would
 * take the registers that the loop needs.
 */
static inline __attribute__((always_inline)) void
decode(struct spht_decoder *d, struct spht_event *rows, unsigned int nr,
       bool (*others)(struct op *op, uint32_t at, uint64_t *regs, struct spht_event *row))
{
	uint64_t *regs = d->regs, left = d->left, ts = d->ts;
	const uint64_t unit = d->unit;
	const uint8_t *types = d->types + d->at, *end_types = types + nr;
	const uint8_t *change_at = change_place(d);
	int32_t pid = d->pid;
	bool damaged = false;

	for (; types < end_types; types++, rows++) {
		unsigned int type = *types;
		struct program *prog = &d->programs[type];
		uint32_t at = prog->at++;
		uint64_t delta = prog->time.value;

		if (__builtin_expect(types == change_at, 0)) {
			next_change(d, type);
			change_at = change_place(d);
			pid = d->pid;
			regs[SPHT_REG_PID] = (uint32_t)pid;
		}
		copy_event(rows, &prog->start);
		if (prog->time.all)
			delta = number_at(&prog->time, prog->time.symbols[at], &damaged);
		damaged |= delta > left;
		left -= delta;
		ts += delta * unit;
		rows->ts = ts;
		rows->pid = pid;
		if (prog->unusual[at])
			damaged |= others(prog->ops, at, regs, rows);
		else
			usual_values(prog->ops, regs, rows);
		regs[SPHT_REG_PREV2] = regs[SPHT_REG_PREV];
		regs[SPHT_REG_PREV] = type;
	}
	d->at += nr;
	d->left = left;
	d->ts = ts;
	d->damaged |= damaged;
}

static __attribute__((noinline)) bool others_plain(struct op *op, uint32_t at, uint64_t *regs,
						   struct spht_event *row)
{
	return other_values(op, at, regs, row);
}

#if defined(__x86_64__)
/* Shifts by a variable and copies of whole events are what these instructions are good at. */
#define WIDE __attribute__((target("bmi2,avx2"), noinline))

static WIDE bool others_wide(struct op *op, uint32_t at, uint64_t *regs, struct spht_event *row)
{
	return other_values(op, at, regs, row);
}

static WIDE void decode_wide(struct spht_decoder *d, struct spht_event *rows, unsigned int nr)
{
	decode(d, rows, nr, others_wide);
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
		for (const struct op *op = prog->ops; op->kind != OP_END; op++)
			if ((op->bit + 7) / 8 != op->nbytes)
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
		decode(d, rows, max, others_plain);
	if (d->damaged || (d->at == d->nr_events && (d->left || !all_used(d))))
		return -1;
	return (int)max;
}
