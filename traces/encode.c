// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "codec.h"
#include "predict.h"
#include "spht_trace.h"

#define CUT_MIN 1024u /* bytes of a column that get entropy tables of their own */

struct spht_encoder {
	const struct spht_schema *schema;
	uint64_t *regs, *tables;
	struct spht_column *times, *parts;
	struct spht_bytes types; /* one byte an event */
	struct spht_bytes deltas; /* one uint64_t an event, until the time unit is known */
	struct spht_bytes changes; /* of pid, flags and preempt count, as in the block */
	struct spht_bytes bits;
	uint64_t first_ts, last_ts, unit;
	uint32_t nr_changes, last_change_at, count;
	int32_t pid;
	uint16_t common[256]; /* by type: flags | preempt << 8 of its last event */
	size_t token_bytes;
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

static void start_block(struct spht_encoder *e)
{
	const struct spht_schema *s = e->schema;

	memset(e->regs, 0, s->nr_regs * sizeof(*e->regs));
	memset(e->tables, 0, s->nr_entries * sizeof(*e->tables));
	for (unsigned int i = 0; i < s->nr_types; i++)
		spht_column_reset(&e->times[i]);
	for (unsigned int i = 0; i < s->nr_parts; i++)
		spht_column_reset(&e->parts[i]);
	e->regs[SPHT_REG_PREV] = e->regs[SPHT_REG_PREV2] = UINT8_MAX;
	e->types.len = e->deltas.len = e->changes.len = 0;
	e->unit = 0;
	e->nr_changes = e->last_change_at = e->count = 0;
	e->pid = 0;
	memset(e->common, 0, sizeof(e->common));
	e->token_bytes = 0;
}

struct spht_encoder *spht_encoder_new(const struct spht_schema *s)
{
	struct spht_encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->schema = s;
	e->regs = calloc(s->nr_regs, sizeof(*e->regs));
	e->tables = calloc(s->nr_entries + 1, sizeof(*e->tables));
	e->times = calloc(s->nr_types + 1, sizeof(*e->times));
	e->parts = calloc(s->nr_parts + 1, sizeof(*e->parts));
	if (!e->regs || !e->tables || !e->times || !e->parts) {
		spht_encoder_free(e);
		return NULL;
	}
	for (unsigned int i = 0; i < s->nr_parts; i++)
		e->parts[i].exact = (uint8_t)(s->parts[i].ncands - 1);
	for (unsigned int i = 0; i < s->nr_types; i++)
		e->times[i].noise = true;
	start_block(e);
	return e;
}

void spht_encoder_free(struct spht_encoder *e)
{
	if (!e)
		return;
	for (unsigned int i = 0; e->times && i < e->schema->nr_types; i++)
		free(e->times[i].tokens.buf);
	for (unsigned int i = 0; e->parts && i < e->schema->nr_parts; i++)
		free(e->parts[i].tokens.buf);
	free(e->regs);
	free(e->tables);
	free(e->times);
	free(e->parts);
	free(e->types.buf);
	free(e->deltas.buf);
	free(e->changes.buf);
	free(e->bits.buf);
	free(e);
}

uint32_t spht_encoder_count(const struct spht_encoder *e)
{
	return e->count;
}

size_t spht_encoder_bytes(const struct spht_encoder *e)
{
	/* A time delta takes at most a symbol and 8 bytes. */
	return e->token_bytes + e->count * (size_t)10 + e->changes.len;
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

/*
 * Codes @value of @part.  Candidates behind the one that is right stay as they
 * are: they then know better what to say when it is wrong, and the reader
 * need not look at them.
 */
static int add_value(struct spht_encoder *e, const struct spht_part *part, struct spht_column *col,
		     uint64_t value)
{
	unsigned int exact = part->ncands - 1u, i;
	uint64_t base = 0;
	int ret;

	for (i = 0; i < part->ncands; i++) {
		const struct spht_cand *c = &part->cands[i];
		uint64_t from = spht_cand_base(c, e->regs), guess = from + c->add;

		if (c->nkeys) {
			uint64_t *entry = &e->tables[spht_cand_index(c, e->regs)];

			guess = from + *entry;
			*entry = value - from;
		}
		base = guess;
		if (guess == value && i < exact)
			break;
	}
	if (!col->count)
		col->first = value;
	col->varies |= value != col->first;
	e->token_bytes -= col->tokens.len;
	if (i < exact)
		ret = spht_column_exact(col, i);
	else
		ret = spht_column_number(col, part->raw ? value : spht_zigzag(value - base));
	e->token_bytes += col->tokens.len;
	e->regs[part->reg] = value;
	return ret;
}

static int add_common(struct spht_encoder *e, const struct spht_event *ev)
{
	uint64_t delta = e->count ? ev->ts - e->last_ts : 0;
	uint16_t common = (uint16_t)(ev->flags | ev->preempt << 8);

	if (spht_bytes_reserve(&e->types, 1) || spht_bytes_reserve(&e->deltas, sizeof(delta)))
		return -1;
	e->types.buf[e->types.len++] = ev->type;
	memcpy(e->deltas.buf + e->deltas.len, &delta, sizeof(delta));
	e->deltas.len += sizeof(delta);
	if (!e->count)
		e->first_ts = ev->ts;
	e->last_ts = ev->ts;
	if (e->unit != 1 && delta && (!e->unit || delta % e->unit))
		e->unit = gcd(delta, e->unit);
	if (ev->pid != e->pid || common != e->common[ev->type]) {
		uint64_t by = (uint64_t)((int64_t)ev->pid - e->pid);

		if (put_varint(&e->changes, e->count - e->last_change_at) ||
		    put_varint(&e->changes, spht_zigzag(by)) ||
		    put_varint(&e->changes, common ^ e->common[ev->type]))
			return -1;
		e->nr_changes++;
		e->last_change_at = e->count;
		e->pid = ev->pid;
		e->common[ev->type] = common;
	}
	e->regs[SPHT_REG_PID] = (uint32_t)ev->pid;
	return 0;
}

int spht_encoder_add(struct spht_encoder *e, const struct spht_event *ev)
{
	const struct spht_schema *s = e->schema;
	int ret = add_common(e, ev);

	if (ret)
		return -1;
	for (uint32_t p = s->first_part[ev->type]; p < s->first_part[ev->type + 1]; p++) {
		const struct spht_part *part = &s->parts[p];
		uint64_t word = spht_rotl(ev->v[part->slot], part->rot) >> part->shift;

		ret |= add_value(e, part, &e->parts[p], word & UINT64_MAX >> (64 - part->width));
	}
	e->regs[SPHT_REG_PREV2] = e->regs[SPHT_REG_PREV];
	e->regs[SPHT_REG_PREV] = ev->type;
	e->count++;
	return ret;
}

/* Symbols and bits of all columns go where they belong in this order; the directory with them. */
struct layout {
	struct spht_bytes *raw, *cuts;
	struct spht_bytes symbols; /* all symbol columns, to be put behind the directory */
	struct spht_bytes bits;
	struct spht_bytes symbol_cuts;
};

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

static int put_column(struct layout *l, const struct spht_column *c)
{
	enum spht_coding coding = SPHT_CODING_ZERO;
	size_t bits_before = l->bits.len;
	struct spht_dict dict;

	if (!c->varies && c->count)
		coding = SPHT_CODING_CONST;
	else if (c->nonzero)
		coding = spht_column_choose(c, &dict);
	if (spht_bytes_reserve(l->raw, 1))
		return -1;
	l->raw->buf[l->raw->len++] = (uint8_t)coding;
	if (coding == SPHT_CODING_CONST)
		return put_varint(l->raw, c->first);
	if (coding == SPHT_CODING_ZERO)
		return 0;
	if (coding == SPHT_CODING_DICT && put_dict(l->raw, &dict))
		return -1;
	if (spht_bytes_reserve(&l->symbols, c->count) ||
	    spht_column_encode(c, coding, &dict, l->symbols.buf + l->symbols.len, &l->bits))
		return -1;
	if (c->count >= CUT_MIN && (add_cut(&l->symbol_cuts, l->symbols.len) ||
				    add_cut(&l->symbol_cuts, l->symbols.len + c->count)))
		return -1;
	l->symbols.len += c->count;
	return put_varint(l->raw, l->bits.len - bits_before);
}

static int append(struct spht_bytes *to, const struct spht_bytes *from)
{
	if (!from->len)
		return 0;
	if (spht_bytes_reserve(to, from->len))
		return -1;
	memcpy(to->buf + to->len, from->buf, from->len);
	to->len += from->len;
	return 0;
}

static int put_block(struct spht_encoder *e, struct layout *l)
{
	const struct spht_schema *s = e->schema;
	uint64_t unit = e->unit ? e->unit : 1;
	size_t base;

	for (uint32_t i = 0; i < e->count; i++) {
		struct spht_column *c = &e->times[e->types.buf[i]];
		uint64_t delta;

		memcpy(&delta, e->deltas.buf + i * sizeof(delta), sizeof(delta));
		delta = unit == 1 ? delta : delta / unit;
		if (!c->count)
			c->first = delta;
		c->varies |= delta != c->first;
		if (spht_column_number(c, delta))
			return -1;
	}
	if (put_varint(l->raw, unit) || put_varint(l->raw, e->nr_changes) ||
	    append(l->raw, &e->changes) || add_cut(l->cuts, l->raw->len) ||
	    append(l->raw, &e->types) || add_cut(l->cuts, l->raw->len))
		return -1;
	for (unsigned int i = 0; i < s->nr_types; i++) {
		if (!e->times[i].count)
			continue;
		if (put_column(l, &e->times[i]))
			return -1;
		for (uint32_t p = s->first_part[i]; p < s->first_part[i + 1]; p++)
			if (put_column(l, &e->parts[p]))
				return -1;
	}
	base = l->raw->len;
	for (size_t i = 0; i < l->symbol_cuts.len; i += sizeof(uint32_t)) {
		uint32_t at;

		memcpy(&at, l->symbol_cuts.buf + i, sizeof(at));
		if (add_cut(l->cuts, base + at))
			return -1;
	}
	if (append(l->raw, &l->symbols) || add_cut(l->cuts, l->raw->len))
		return -1;
	return append(l->raw, &l->bits);
}

int spht_encoder_finish(struct spht_encoder *e, struct spht_bytes *raw, struct spht_bytes *cuts)
{
	struct layout l = {.raw = raw, .cuts = cuts};
	int ret;

	raw->len = cuts->len = 0;
	ret = put_block(e, &l);
	free(l.symbols.buf);
	free(l.bits.buf);
	free(l.symbol_cuts.buf);
	start_block(e);
	return ret;
}
