// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "codec.h"
#include "predict.h"
#include "spht_trace.h"

#define CUT_MIN 1024u /* bytes of a column that get entropy tables of their own */

/*
 * What is to be done with one part of an event, in one cache line: usually the
 * first candidate is right, and nothing else is touched.
 */
struct op {
	struct guess first;
	const struct guess *others;
	struct spht_column *column;
	uint64_t varied; /* bits in which a value differed from the one before */
	uint16_t reg;
	uint8_t slot;
	uint8_t rot, up, down; /* value = rotl(word, rot) << up >> down */
	uint8_t exact : 2; /* candidates with a symbol of their own */
	bool raw : 1, whole : 1; /* whole: the word as it is */
};

_Static_assert(sizeof(struct op) <= 64, "an op is a cache line");

/* What is to be done with an event of one type, and where the block's ones are. */
struct program {
	struct op *ops, *end;
	struct spht_column *time;
	uint64_t *deltas; /* time->numbers, nanoseconds until the time unit is known */
	uint32_t count, room; /* of this type in the block, and what its columns have room for */
	uint16_t common; /* flags | preempt << 8 of the last one */
	uint32_t first_entry, end_entry; /* tables of its parts */
};

struct spht_encoder {
	const struct spht_schema *schema;
	uint64_t *regs, *tables;
	struct program *programs; /* by type */
	struct op *ops; /* by part */
	struct guess *others; /* SPHT_MAX_CANDS by part */
	struct spht_column *columns; /* as in the directory: by type its time, then its parts */
	unsigned int nr_columns;
	struct spht_bytes types; /* one byte an event */
	struct spht_bytes changes; /* of pid, flags and preempt count, as in the block */
	struct spht_bytes bits; /* of all columns */
	uint64_t first_ts, last_ts, unit;
	uint32_t nr_changes, last_change_at, count;
	int32_t pid;
	size_t value_bytes; /* of all values, with all the bytes of numbers that are not small */
	bool wide; /* the processor has BMI2 */
	bool failed; /* memory ran out in the middle of an event */
};

static int put_varint(struct spht_bytes *b, uint64_t v)
{
	if (spht_bytes_reserve(b, 10))
		return -1;
	for (; v >= 0x80; v >>= 7)
		b->buf[b->len++] = (uint8_t)(v | 0x80);
	b->buf[b->len++] = (uint8_t)v;
	return 0;
}

/* Forgets the block's events of one type. */
static void reset_type(struct spht_encoder *e, unsigned int type)
{
	struct program *prog = &e->programs[type];

	spht_column_reset(prog->time);
	for (struct op *op = prog->ops; op < prog->end; op++)
		spht_column_reset(op->column);
	if (prog->end_entry > prog->first_entry)
		memset(e->tables + prog->first_entry, 0,
		       (prog->end_entry - prog->first_entry) * sizeof(*e->tables));
	prog->count = 0;
	prog->common = 0;
}

static void start_block(struct spht_encoder *e)
{
	const struct spht_schema *s = e->schema;

	memset(e->regs, 0, s->nr_regs * sizeof(*e->regs));
	e->regs[SPHT_REG_PREV] = e->regs[SPHT_REG_PREV2] = UINT8_MAX;
	for (unsigned int i = 0; i < s->nr_types; i++)
		if (e->programs[i].count)
			reset_type(e, i);
	e->types.len = e->changes.len = e->bits.len = 0;
	e->unit = 0;
	e->nr_changes = e->last_change_at = e->count = 0;
	e->pid = 0;
	e->value_bytes = 0;
}

static void prepare_op(struct spht_encoder *e, unsigned int p, struct spht_column *column)
{
	const struct spht_part *part = &e->schema->parts[p];
	struct guess *others = &e->others[p * SPHT_MAX_CANDS];
	struct op *op = &e->ops[p];

	spht_guess_prepare(&op->first, &part->cands[0], e->tables);
	for (unsigned int i = 1; i < part->ncands; i++)
		spht_guess_prepare(&others[i - 1], &part->cands[i], e->tables);
	op->others = others;
	op->whole = part->width == 64 && !part->rot;
	op->reg = part->reg;
	op->slot = part->slot;
	op->rot = part->rot;
	op->up = (uint8_t)(64 - part->width - part->shift);
	op->down = (uint8_t)(64 - part->width);
	op->exact = (part->ncands - 1u) & (SPHT_MAX_CANDS - 1);
	op->raw = part->raw;
	op->column = column;
	column->exact = op->exact;
}

static void prepare_type(struct spht_encoder *e, unsigned int type)
{
	const struct spht_schema *s = e->schema;
	struct program *prog = &e->programs[type];

	prog->ops = &e->ops[s->first_part[type]];
	prog->end = &e->ops[s->first_part[type + 1]];
	prog->time = &e->columns[s->first_part[type] + type];
	prog->time->noise = true;
	prog->first_entry = s->nr_entries;
	for (uint32_t p = s->first_part[type]; p < s->first_part[type + 1]; p++) {
		const struct spht_part *part = &s->parts[p];

		prepare_op(e, p, prog->time + 1 + (p - s->first_part[type]));
		for (unsigned int i = 0; i < part->ncands; i++) {
			const struct spht_cand *c = &part->cands[i];

			if (!c->nkeys)
				continue;
			if (c->table < prog->first_entry)
				prog->first_entry = c->table;
			prog->end_entry = c->table + (1u << c->bits);
		}
	}
}

struct spht_encoder *spht_encoder_new(const struct spht_schema *s)
{
	struct spht_encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->schema = s;
#if defined(__x86_64__)
	e->wide = __builtin_cpu_supports("bmi2");
#endif
	e->regs = calloc(s->nr_regs, sizeof(*e->regs));
	e->tables = calloc(s->nr_entries + 1, sizeof(*e->tables));
	e->programs = calloc(s->nr_types + 1, sizeof(*e->programs));
	e->ops = aligned_alloc(64, (s->nr_parts + 1) * sizeof(*e->ops));
	e->others = calloc((s->nr_parts + 1) * SPHT_MAX_CANDS, sizeof(*e->others));
	e->nr_columns = s->nr_types + s->nr_parts;
	e->columns = calloc(e->nr_columns + 1, sizeof(*e->columns));
	if (!e->regs || !e->tables || !e->programs || !e->ops || !e->others || !e->columns) {
		spht_encoder_free(e);
		return NULL;
	}
	for (unsigned int i = 0; i < s->nr_types; i++)
		prepare_type(e, i);
	start_block(e);
	return e;
}

void spht_encoder_free(struct spht_encoder *e)
{
	if (!e)
		return;
	for (unsigned int i = 0; e->columns && i < e->nr_columns; i++)
		spht_column_free(&e->columns[i]);
	free(e->regs);
	free(e->tables);
	free(e->programs);
	free(e->ops);
	free(e->others);
	free(e->columns);
	free(e->types.buf);
	free(e->changes.buf);
	free(e->bits.buf);
	free(e);
}

uint32_t spht_encoder_count(const struct spht_encoder *e)
{
	return e->count;
}

uint64_t spht_encoder_first_ts(const struct spht_encoder *e)
{
	return e->first_ts;
}

uint64_t spht_encoder_last_ts(const struct spht_encoder *e)
{
	return e->last_ts;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t t = a % b;

		a = b;
		b = t;
	}
	return a;
}

/* What a number of a column may take beyond its symbol. */
static inline unsigned int number_bytes(uint64_t x)
{
	if (x < SPHT_DICT_MAX)
		return 0;
	if (x <= UINT16_MAX)
		return 2;
	return x <= UINT32_MAX ? 4 : 8;
}

/*
 * Codes @value, value @at of its part, which is not what the first candidate
 * said in @o.  Candidates behind the one that is right stay as they are: they
 * then know better what to say when it is wrong, and the reader need not look
 * at them.
 */
static inline __attribute__((always_inline)) int other_value(struct spht_encoder *e,
							     const struct op *op, uint32_t at,
							     uint64_t value, struct opinion o)
{
	uint64_t nowhere, x;

	*o.entry = value - o.from;
	for (unsigned int i = 1; i <= op->exact; i++) {
		o = guess_ask(&op->others[i - 1], e->regs, &nowhere);
		*o.entry = value - o.from;
		if (o.value == value && i < op->exact) {
			spht_column_exact(op->column, at, i);
			return 0;
		}
	}
	x = op->raw ? value : spht_zigzag(value - o.value);
	e->value_bytes += number_bytes(x);
	return spht_column_number(op->column, at, x);
}

static inline __attribute__((always_inline)) int
add_values(struct spht_encoder *e, const struct program *prog, const struct spht_event *ev)
{
	const uint32_t at = prog->count;
	uint64_t *regs = e->regs, nowhere;

	for (struct op *op = prog->ops, *end = prog->end; op < end; op++) {
		uint64_t value = ev->v[op->slot];
		struct opinion o = guess_ask(&op->first, regs, &nowhere);

		if (!op->whole)
			value = spht_rotl(value, op->rot) << op->up >> op->down;
		if (__builtin_expect(o.value != value, 0) && other_value(e, op, at, value, o))
			return -1;
		op->varied |= regs[op->reg] ^ value;
		regs[op->reg] = value;
	}
	return 0;
}

static int add_change(struct spht_encoder *e, const struct spht_event *ev, uint16_t common)
{
	struct program *prog = &e->programs[ev->type];

	if (put_varint(&e->changes, e->count - e->last_change_at) ||
	    put_varint(&e->changes, spht_zigzag((uint64_t)((int64_t)ev->pid - e->pid))) ||
	    put_varint(&e->changes, common ^ prog->common))
		return -1;
	e->nr_changes++;
	e->last_change_at = e->count;
	e->pid = ev->pid;
	prog->common = common;
	e->regs[SPHT_REG_PID] = (uint32_t)ev->pid;
	return 0;
}

static int grow_type(struct program *prog)
{
	uint32_t room = prog->room ? 2 * prog->room : 64;

	if (spht_column_grow(prog->time, room) || spht_column_grow_numbers(prog->time, room))
		return -1;
	prog->deltas = prog->time->numbers;
	for (struct op *op = prog->ops; op < prog->end; op++)
		if (spht_column_grow(op->column, room))
			return -1;
	prog->room = room;
	return 0;
}

/* What the columns of a type have to know of their first value. */
static void first_values(struct spht_encoder *e, const struct program *prog)
{
	for (struct op *op = prog->ops; op < prog->end; op++) {
		op->column->first = e->regs[op->reg];
		op->varied = 0;
	}
}

static inline bool is_full(const struct spht_encoder *e)
{
	/* A time delta takes at most a symbol and 8 bytes. */
	return e->count >= SPHT_BLOCK_EVENTS ||
	       e->value_bytes + e->count * (size_t)10 + e->changes.len > SPHT_MAX_BLOCK / 2;
}

/* The whole writer's speed hangs on this. */
static inline __attribute__((always_inline)) int add_event(struct spht_encoder *e,
							   const struct spht_event *ev)
{
	struct program *prog = &e->programs[ev->type];
	uint16_t common = (uint16_t)(ev->flags | ev->preempt << 8);
	uint64_t delta = ev->ts - e->last_ts;

	if (__builtin_expect(!e->count, 0)) {
		e->first_ts = ev->ts;
		delta = 0;
	}
	if ((prog->count == prog->room && grow_type(prog)) || spht_bytes_reserve(&e->types, 1))
		goto no_memory;
	if ((ev->pid != e->pid || common != prog->common) && add_change(e, ev, common))
		goto no_memory;
	if (e->unit != 1 && delta && (!e->unit || delta % e->unit))
		e->unit = gcd(delta, e->unit);
	e->last_ts = ev->ts;
	e->types.buf[e->types.len++] = ev->type;
	prog->deltas[prog->count] = delta;
	if (add_values(e, prog, ev))
		goto no_memory;
	if (__builtin_expect(!prog->count, 0))
		first_values(e, prog);
	e->value_bytes += (size_t)(prog->end - prog->ops);
	e->regs[SPHT_REG_PREV2] = e->regs[SPHT_REG_PREV];
	e->regs[SPHT_REG_PREV] = ev->type;
	prog->count++;
	e->count++;
	return is_full(e);

no_memory:
	e->failed = true;
	return -1;
}

static __attribute__((noinline)) int add_event_plain(struct spht_encoder *e,
						     const struct spht_event *ev)
{
	return add_event(e, ev);
}

#if defined(__x86_64__)
/* Shifts by a variable are what these instructions are good at. */
__attribute__((target("bmi2"))) static int add_event_wide(struct spht_encoder *e,
							  const struct spht_event *ev)
{
	return add_event(e, ev);
}
#endif

int spht_encoder_add(struct spht_encoder *e, const struct spht_event *ev)
{
#if defined(__x86_64__)
	if (e->wide)
		return add_event_wide(e, ev);
#endif
	return add_event_plain(e, ev);
}

static int add_cut(struct spht_bytes *cuts, size_t at)
{
	uint32_t v = (uint32_t)at;

	if (spht_bytes_reserve(cuts, sizeof(v)))
		return -1;
	memcpy(cuts->buf + cuts->len, &v, sizeof(v));
	cuts->len += sizeof(v);
	return 0;
}

static int put_dict(struct spht_bytes *b, const struct spht_dict *dict)
{
	uint64_t last = 0;

	if (put_varint(b, dict->nr))
		return -1;
	for (unsigned int i = 0; i < dict->nr; i++) {
		if (put_varint(b, dict->values[i] - last))
			return -1;
		last = dict->values[i];
	}
	return 0;
}

static int append(struct spht_bytes *to, const uint8_t *from, size_t len)
{
	if (!len)
		return 0;
	if (spht_bytes_reserve(to, len))
		return -1;
	memcpy(to->buf + to->len, from, len);
	to->len += len;
	return 0;
}

static enum spht_coding choose_coding(const struct spht_column *c, struct spht_dict *dict)
{
	if (!c->varies)
		return SPHT_CODING_CONST;
	return c->nonzero ? spht_column_choose(c, dict) : SPHT_CODING_ZERO;
}

/* Completes a column, its raw bits behind those of the others, and adds its directory entry. */
static int put_entry(struct spht_encoder *e, struct spht_column *c, struct spht_bytes *raw)
{
	struct spht_dict dict;
	enum spht_coding coding = choose_coding(c, &dict);

	c->stored = coding >= SPHT_CODING_FIRST;
	c->bits_at = e->bits.len;
	c->bits_len = 0;
	if (spht_bytes_reserve(raw, 1))
		return -1;
	raw->buf[raw->len++] = (uint8_t)coding;
	if (coding == SPHT_CODING_CONST)
		return put_varint(raw, c->first);
	if (coding == SPHT_CODING_ZERO)
		return 0;
	if (coding == SPHT_CODING_DICT && put_dict(raw, &dict))
		return -1;
	if (spht_column_encode(c, coding, &dict, &e->bits))
		return -1;
	c->bits_len = e->bits.len - c->bits_at;
	return put_varint(raw, c->bits_len);
}

/* Appends bytes that, if they are many, resemble each other more than what is around them. */
static int append_apart(struct spht_bytes *to, struct spht_bytes *cuts, const uint8_t *from,
			size_t len)
{
	if (len < CUT_MIN)
		return append(to, from, len);
	if (add_cut(cuts, to->len) || append(to, from, len))
		return -1;
	return add_cut(cuts, to->len);
}

/* Sums up the columns of a type, now that all its events are there. */
static void end_type(struct program *prog, uint64_t unit)
{
	struct spht_column *c = prog->time;

	c->count = c->nr_numbers = prog->count;
	c->first = c->numbers[0] / unit;
	c->varies = c->nonzero = c->large = false;
	for (uint32_t i = 0; i < c->nr_numbers; i++) {
		uint64_t x = unit == 1 ? c->numbers[i] : c->numbers[i] / unit;

		c->numbers[i] = x;
		c->varies |= x != c->first;
		c->nonzero |= x != 0;
		c->large |= x >= SPHT_COLUMN_SMALL;
	}
	for (const struct op *op = prog->ops; op < prog->end; op++) {
		op->column->count = prog->count;
		op->column->varies = op->varied != 0;
	}
}

static int put_columns(struct spht_encoder *e, struct spht_bytes *raw, struct spht_bytes *cuts)
{
	const struct spht_column *c, *end = e->columns + e->nr_columns;

	for (c = e->columns; c < end; c++)
		if (c->count && c->stored && append_apart(raw, cuts, c->symbols, c->count))
			return -1;
	if (add_cut(cuts, raw->len))
		return -1;
	for (c = e->columns; c < end; c++)
		if (c->count && c->bits_len &&
		    append_apart(raw, cuts, e->bits.buf + c->bits_at, c->bits_len))
			return -1;
	return 0;
}

static int put_block(struct spht_encoder *e, struct spht_bytes *raw, struct spht_bytes *cuts)
{
	uint64_t unit = e->unit ? e->unit : 1;

	if (put_varint(raw, unit) || put_varint(raw, e->nr_changes) ||
	    append(raw, e->changes.buf, e->changes.len) || add_cut(cuts, raw->len) ||
	    append(raw, e->types.buf, e->types.len) || add_cut(cuts, raw->len))
		return -1;
	for (unsigned int i = 0; i < e->schema->nr_types; i++)
		if (e->programs[i].count)
			end_type(&e->programs[i], unit);
	for (unsigned int i = 0; i < e->nr_columns; i++)
		if (e->columns[i].count && put_entry(e, &e->columns[i], raw))
			return -1;
	return put_columns(e, raw, cuts);
}

int spht_encoder_finish(struct spht_encoder *e, struct spht_bytes *raw, struct spht_bytes *cuts)
{
	int ret;

	raw->len = cuts->len = 0;
	ret = e->failed ? -1 : put_block(e, raw, cuts);
	start_block(e);
	return ret;
}
