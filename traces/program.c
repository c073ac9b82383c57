// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "spht_trace.h"

bool spht_get_varint(struct cursor *c, uint64_t *v)
{
	*v = 0;
	for (unsigned int shift = 0; shift < 64 && c->p < c->end; shift += 7) {
		uint8_t byte = *c->p++;

		/* One encoding for each number: no tenth byte above 1, no leading zeros. */
		if ((shift == 63 && byte > 1) || (shift && !byte))
			return false;
		*v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

struct spht_decoder *spht_decoder_new(const struct spht_schema *s)
{
	struct spht_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->schema = s;
#if defined(__x86_64__)
	d->wide = __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("avx2");
#endif
	d->regs = calloc(s->nr_regs, sizeof(*d->regs));
	d->tables = calloc(s->nr_entries + 1, sizeof(*d->tables));
	d->read = calloc(s->nr_regs, sizeof(*d->read));
	d->ops = calloc(s->nr_parts + s->nr_types + 1, sizeof(*d->ops));
	d->programs = calloc(s->nr_types + 1, sizeof(*d->programs));
	d->dicts = calloc(s->nr_parts + s->nr_types + 1, sizeof(*d->dicts));
	if (!d->regs || !d->tables || !d->read || !d->ops || !d->programs || !d->dicts) {
		spht_decoder_free(d);
		return NULL;
	}
	for (unsigned int p = 0; p < s->nr_parts; p++) {
		const struct spht_part *part = &s->parts[p];

		for (unsigned int i = 0; i < part->ncands; i++) {
			const struct spht_cand *c = &part->cands[i];

			/* Its own register matters only where the part is decoded at all. */
			if (c->reg != part->reg)
				d->read[c->reg] = true;
			for (unsigned int k = 0; k < c->nkeys; k++) {
				if (c->keys[k].reg != part->reg)
					d->read[c->keys[k].reg] = true;
				if (c->keys[k].levels != part->reg)
					d->read[c->keys[k].levels] = true;
			}
		}
	}
	return d;
}

void spht_decoder_free(struct spht_decoder *d)
{
	if (!d)
		return;
	for (size_t i = 0; d->dicts && i < d->schema->nr_parts + d->schema->nr_types; i++)
		free(d->dicts[i]);
	free(d->dicts);
	free(d->regs);
	free(d->tables);
	free(d->read);
	free(d->ops);
	free(d->unusual);
	free(d->programs);
	free(d);
}

static const char *open_changes(struct spht_decoder *d, struct cursor *c)
{
	uint64_t nr, skip, by, flip, at = 0;
	int64_t pid = 0;

	if (!spht_get_varint(c, &nr) || nr > d->nr_events)
		return "a number of changes that does not fit";
	d->nr_changes = (uint32_t)nr;
	d->pid = 0;
	for (uint64_t i = 0; i < nr; i++) {
		if (!spht_get_varint(c, &skip) || skip >= d->nr_events || (i && !skip) ||
		    (at += skip) >= d->nr_events)
			return "changes outside the block";
		if (!i) {
			d->next_change_at = (uint32_t)skip;
			d->changes = c->p; /* next_change() goes on from here */
		}
		if (!spht_get_varint(c, &by) || !spht_get_varint(c, &flip) || flip > UINT16_MAX)
			return "a change that is cut off or too large";
		pid = (int64_t)((uint64_t)pid + spht_unzigzag(by));
		if (pid != (int32_t)pid)
			return "a pid of more than 32 bits";
	}
	d->changes_end = c->p;
	return NULL;
}

/* One entry of a block's directory. */
struct entry {
	enum spht_coding coding;
	uint64_t value; /* of SPHT_CODING_CONST */
	uint64_t nbytes; /* of raw bits */
	struct spht_dict dict;
};

static const char *get_entry(struct cursor *c, struct entry *e)
{
	uint64_t nr, by, last = 0;

	if (c->p == c->end || *c->p >= SPHT_CODING_NR)
		return "a column coding this program does not know";
	e->coding = (enum spht_coding) * c->p++;
	e->value = e->nbytes = 0;
	if (e->coding == SPHT_CODING_ZERO)
		return NULL;
	if (e->coding == SPHT_CODING_CONST)
		return spht_get_varint(c, &e->value) ? NULL : "a cut off constant";
	if (e->coding == SPHT_CODING_DICT) {
		if (!spht_get_varint(c, &nr) || nr > SPHT_DICT_MAX)
			return "a dictionary that is too large";
		e->dict.nr = (unsigned int)nr;
		for (unsigned int i = 0; i < nr; i++) {
			if (!spht_get_varint(c, &by) || (i && !by) || last + by < last)
				return "a dictionary that is not in order";
			last += by;
			e->dict.values[i] = last;
		}
	}
	if (!spht_get_varint(c, &e->nbytes) || e->nbytes > SPHT_MAX_BLOCK)
		return "a column larger than a block";
	return NULL;
}

const char spht_decoder_no_memory[] = "more in it than there is memory for";

/* Where the columns of the types that occur are. */
struct places {
	struct cursor dir;
	const uint8_t *symbols, *bits;
};

/* Points @op at its column; what is wrong with the column, or NULL. */
static const char *place_column(struct spht_decoder *d, struct places *at, struct op *op,
				size_t column, uint32_t count, enum spht_coding *coding)
{
	static const uint8_t zero;
	struct entry e;

	get_entry(&at->dir, &e); /* not its first time: no error */
	*coding = e.coding;
	op->value = e.value;
	op->symbols = &zero;
	op->all = 0;
	op->bit = op->bits_end = op->nbytes = 0;
	if (e.coding < SPHT_CODING_FIRST)
		return NULL;
	if (e.coding == SPHT_CODING_DICT) {
		if (!d->dicts[column])
			d->dicts[column] = malloc(sizeof(*d->dicts[column]));
		if (!d->dicts[column])
			return spht_decoder_no_memory;
		spht_dict_table(&e.dict, d->dicts[column]);
		op->coding = d->dicts[column];
	} else {
		op->coding = spht_coding_table(e.coding);
	}
	op->symbols = at->symbols;
	op->all = UINT32_MAX;
	op->bits = at->bits;
	op->nbytes = e.nbytes;
	op->bits_end = 8 * e.nbytes;
	at->symbols += count;
	at->bits += e.nbytes;
	return NULL;
}

/* Copies what the inner loop needs of @part; false if it needs nothing at each event. */
static bool prepare_op(struct spht_decoder *d, struct program *prog, struct op *op,
		       const struct spht_part *part, enum spht_coding coding)
{
	const struct spht_cand constant = {.add = op->value}, *first = &part->cands[0];
	bool varies = true;

	op->slot = part->slot;
	op->rot = part->rot;
	op->shift = part->shift;
	op->reg = part->reg;
	op->raw = part->raw;
	op->exact = (uint8_t)(part->ncands - 1);
	op->hit = op->exact || coding == SPHT_CODING_ZERO ? 0 : NO_SYMBOL;
	if (coding == SPHT_CODING_CONST ||
	    (coding == SPHT_CODING_ZERO && part->raw && part->ncands == 1)) {
		prog->start.v[op->slot] |= spht_rotr(op->value << op->shift, op->rot);
		first = &constant;
		op->hit = 0;
		varies = d->read[part->reg];
	}
	spht_guess_prepare(&op->first, first, d->tables);
	for (unsigned int i = 1; i < part->ncands; i++)
		spht_guess_prepare(&op->others[i - 1], &part->cands[i], d->tables);
	op->kind = (uint8_t)(op->first.kind + (part->width == 64 && !part->rot ? 0 : OP_PIECE));
	return varies;
}

#define SUM_SLACK 8u /* bytes behind the sums that sum_up() may write */
_Static_assert(SUM_SLACK <= SPHT_RAW_SLACK, "symbols are read as far as sums are written");

/* What is not 0 in the symbols of a type with @count events, in @unusual. */
static void sum_up(struct program *prog, uint8_t *unusual, uint32_t count)
{
	bool first = true;

	for (const struct op *op = prog->ops; op->kind != OP_END; op++) {
		if (op->hit == NO_SYMBOL) {
			memset(unusual, 1, count);
			return;
		}
		if (!op->all)
			continue;
		/* Eight at a time, the last ones perhaps beyond @count: into the slack. */
		for (uint32_t i = 0; i < count; i += 8) {
			uint64_t sum, more;

			memcpy(&sum, unusual + i, sizeof(sum));
			memcpy(&more, op->symbols + i, sizeof(more));
			sum = first ? more : sum | more;
			memcpy(unusual + i, &sum, sizeof(sum));
		}
		first = false;
	}
	if (first)
		memset(unusual, 0, count);
}

/* Directory and columns of all types that occur. */
static const char *open_columns(struct spht_decoder *d, struct cursor *c, const uint32_t *counts)
{
	const struct spht_schema *s = d->schema;
	struct places at = {.dir = *c};
	uint64_t symbols = 0, bits = 0;
	uint8_t *unusual = d->unusual;
	const char *wrong;

	/* First to the end of the directory, where the columns begin. */
	for (unsigned int t = 0; t < s->nr_types; t++) {
		unsigned int columns = 1 + s->first_part[t + 1] - s->first_part[t];
		struct entry e;

		for (unsigned int i = 0; counts[t] && i < columns; i++) {
			wrong = get_entry(c, &e);
			if (wrong)
				return wrong;
			symbols += e.coding >= SPHT_CODING_FIRST ? counts[t] : 0;
			bits += e.nbytes;
		}
	}
	if (symbols + bits != (uint64_t)(c->end - c->p))
		return "columns that do not fill the block";
	at.symbols = c->p;
	at.bits = c->p + symbols;
	for (unsigned int t = 0; t < s->nr_types; t++) {
		struct program *prog = &d->programs[t];
		struct op *op = &d->ops[s->first_part[t] + t];
		enum spht_coding coding;

		prog->ops = op;
		prog->at = 0;
		prog->time.bit = prog->time.nbytes = 0;
		op->kind = OP_END;
		if (!counts[t])
			continue;
		wrong = place_column(d, &at, &prog->time, s->nr_parts + t, counts[t], &coding);
		if (wrong)
			return wrong;
		for (uint32_t p = s->first_part[t]; p < s->first_part[t + 1]; p++) {
			wrong = place_column(d, &at, op, p, counts[t], &coding);
			if (wrong)
				return wrong;
			op += prepare_op(d, prog, op, &s->parts[p], coding);
		}
		op->kind = OP_END;
		sum_up(prog, unusual, counts[t]);
		prog->unusual = unusual;
		unusual += counts[t];
	}
	return NULL;
}

/* Four sums at a time: runs of one type would wait for their own sum. */
static void count_types(const struct spht_decoder *d, uint32_t counts[256])
{
	uint32_t part[4][256] = {{0}};
	uint32_t i = 0;

	for (; i + 4 <= d->nr_events; i += 4)
		for (int k = 0; k < 4; k++)
			part[k][d->types[i + k]]++;
	for (; i < d->nr_events; i++)
		part[0][d->types[i]]++;
	for (int t = 0; t < 256; t++)
		counts[t] = part[0][t] + part[1][t] + part[2][t] + part[3][t];
}

const char *spht_decoder_open(struct spht_decoder *d, const struct spht_block *b)
{
	const struct spht_schema *s = d->schema;
	struct cursor c = {b->raw, b->raw + b->size};
	uint32_t counts[256];
	const char *wrong;

	d->nr_events = b->nr_events;
	d->at = 0;
	d->damaged = false;
	d->ts = b->first_ts;
	if (!spht_get_varint(&c, &d->unit) || !d->unit || b->last_ts < b->first_ts ||
	    (b->last_ts - b->first_ts) % d->unit)
		return "a time unit that does not fit";
	d->left = (b->last_ts - b->first_ts) / d->unit;
	wrong = open_changes(d, &c);
	if (wrong)
		return wrong;
	if ((uint64_t)(c.end - c.p) < b->nr_events)
		return "fewer bytes than events";
	if (b->nr_events > SPHT_BLOCK_EVENTS)
		return "more events than a block holds";
	if (!d->unusual)
		d->unusual = malloc(SPHT_BLOCK_EVENTS + SUM_SLACK);
	if (!d->unusual)
		return spht_decoder_no_memory;
	d->types = c.p;
	c.p += b->nr_events;
	count_types(d, counts);
	for (unsigned int t = s->nr_types; t < 256; t++)
		if (counts[t])
			return "an event type the header does not list";
	for (unsigned int t = 0; t < s->nr_types; t++) {
		struct spht_event *ev = &d->programs[t].start;

		memset(ev, 0, sizeof(*ev));
		ev->cpu = (uint16_t)b->cpu;
		ev->id = (uint8_t)s->types[t].id;
		ev->type = (uint8_t)t;
		ev->preamble = b->preamble;
	}
	wrong = open_columns(d, &c, counts);
	if (wrong)
		return wrong;
	memset(d->regs, 0, s->nr_regs * sizeof(*d->regs));
	if (d->dirty)
		memset(d->tables, 0, s->nr_entries * sizeof(*d->tables));
	d->dirty = true;
	d->regs[SPHT_REG_PREV] = d->regs[SPHT_REG_PREV2] = UINT8_MAX;
	return NULL;
}
