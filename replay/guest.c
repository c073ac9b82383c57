// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/guest-local.h"

const char *spht_world_name(enum spht_world w)
{
	static const char *const names[] = {"strict", "inferred", "optimistic"};

	return w < SPHT_WORLD_NR ? names[w] : "?";
}

struct spht_guest *spht_guest_open(struct spht_changes *changes)
{
	struct spht_guest *g = calloc(1, sizeof(*g));

	if (g)
		g->changes = changes;
	return g;
}

void spht_guest_close(struct spht_guest *g)
{
	if (!g)
		return;
	for (uint32_t t = 0; t < g->nr; t++)
		for (unsigned int c = 0; c < SPHT_GST_TABLE_CHUNKS; c++)
			free(g->tables[t].chunk[c]);
	free(g->tables);
	free(g);
}

struct spht_gst_table *spht_gst_table(struct spht_guest *g, uint32_t id)
{
	uint32_t cap = g->nr ? g->nr : 256;
	void *p;

	if (id < g->nr)
		return &g->tables[id];
	while (cap <= id)
		cap *= 2;
	p = realloc(g->tables, cap * sizeof(*g->tables));
	if (!p)
		return NULL;
	g->tables = p;
	memset(g->tables + g->nr, 0, (cap - g->nr) * sizeof(*g->tables));
	g->nr = cap;
	return &g->tables[id];
}

/* At @step.  What the very first snapshot shows may have been there before; else it was absent. */
struct spht_gst_entry *spht_gst_entry(struct spht_guest *g, struct spht_gst_table *t,
				      unsigned int index, uint32_t step)
{
	bool seen = t->was_known && step > t->first;
	struct spht_gst_entry **chunk = &t->chunk[index / SPHT_GST_CHUNK];
	struct spht_gst_entry *e;

	if (!*chunk) {
		*chunk = calloc(SPHT_GST_CHUNK, sizeof(**chunk));
		if (!*chunk)
			return NULL;
		for (unsigned int i = 0; i < SPHT_GST_CHUNK; i++) {
			e = &(*chunk)[i];
			e->kind = seen ? SPHT_EVIDENCE_ABSENT : SPHT_GST_KIND_NONE;
			e->step = seen ? t->since : 0;
			e->incarnation = t->incarnation;
			memcpy(e->state, t->rest, sizeof(e->state));
		}
	}
	e = &(*chunk)[index % SPHT_GST_CHUNK];
	if (e->kind == SPHT_GST_KIND_NONE && !e->refused && (!e->step || e->guessed))
		g->entries++;
	return e;
}

/* The entry as the evidence shows it, for the time before that evidence. */
static uint8_t state_of(const struct spht_gst_entry *e, const struct spht_evidence *ev)
{
	uint8_t gen = e->generation ? SPHT_GPTE_GENERATION : 0;

	switch (ev->kind) {
	case SPHT_EVIDENCE_PRESENT:
		return gen | SPHT_GPTE_DECIDED | SPHT_GPTE_PRESENT | (ev->a ? SPHT_GPTE_A : 0) |
		       (ev->w && ev->d ? SPHT_GPTE_WRITABLE : 0);
	case SPHT_EVIDENCE_PREFETCHED:
		return gen | SPHT_GPTE_DECIDED | SPHT_GPTE_PRESENT | SPHT_GPTE_A |
		       (ev->w ? SPHT_GPTE_WRITABLE : 0);
	default:
		return SPHT_GPTE_DECIDED;
	}
}

/* What two looks at the same mapping have in common: bits that came or went were not there. */
static uint8_t both(const struct spht_gst_entry *e, uint8_t st)
{
	if (!e->a)
		st &= (uint8_t)~SPHT_GPTE_A;
	if (!e->w || !e->d)
		st &= (uint8_t)~SPHT_GPTE_WRITABLE;
	return st;
}

/* The step from which on the worlds other than optimistic have @e as it is. */
static uint32_t known_from(const struct spht_gst_table *t, const struct spht_gst_entry *e)
{
	return e->kind == SPHT_GST_KIND_NONE ? t->born : e->step;
}

/*
 * One interval of one entry, between its last evidence (@e, or nothing since
 * @born) and @ev.  @same: both show the same mapping.  In the optimistic world the
 * interval begins at @begin; SPHT_NOT_FROZEN: it is not closed there.
 */
static int close_interval(struct spht_guest *g, struct spht_gst_table *t, struct spht_gst_entry *e,
			  const struct spht_evidence *ev, bool same, uint32_t begin)
{
	uint32_t since = ev->frozen_since, around;
	bool now = spht_gst_is_present(ev->kind), before = spht_gst_is_present(e->kind);
	bool served, whole;
	uint8_t st = state_of(e, ev), s;
	uint32_t from = known_from(t, e);
	uint8_t keep = e->state[SPHT_WORLD_OPTIMISTIC];

	/* KEPT says nothing new of the value: the entry goes on as it was. */
	if (ev->kind == SPHT_EVIDENCE_KEPT)
		st = before ? keep : SPHT_GPTE_DECIDED | SPHT_GPTE_PRESENT | SPHT_GPTE_A;

	/* strict: only between two pieces of evidence that agree. */
	if (now && before && same)
		s = t->known ? both(e, st) : st;
	else if (!now && e->kind == ev->kind)
		s = SPHT_GPTE_DECIDED;
	else
		s = 0;
	if (spht_gst_emit(g, SPHT_WORLD_STRICT, e, ev->table, ev->index, from, s))
		return -1;

	/* optimistic: present as early and as long as nothing contradicts. */
	if (now && before && same && t->known)
		s = st | (keep & (SPHT_GPTE_A | SPHT_GPTE_WRITABLE));
	else if (now)
		s = st;
	else if (before)
		s = keep;
	else
		s = e->kind == SPHT_GST_KIND_NONE ? 0 : SPHT_GPTE_DECIDED;
	if (begin != SPHT_NOT_FROZEN &&
	    spht_gst_emit(g, SPHT_WORLD_OPTIMISTIC, e, ev->table, ev->index, begin, s))
		return -1;

	/*
	 * inferred: a mapping stays until contrary evidence.  A new one is there
	 * since its table was last writable for the guest, at the latest; and if
	 * no fault on it was seen, since the last guest fault in its fault-around
	 * group was served, for nothing else maps pages one by one.
	 */
	if (e->guessed) {
		/* From where it was guessed on, when the guess would be told, it is what is shown now. */
		e->guessed = false;
		now = now && !ev->refault;
		if (spht_gst_emit(g, SPHT_WORLD_INFERRED, e, ev->table, ev->index, e->step,
				  (now ? st : SPHT_GPTE_DECIDED) | (e->lead ? SPHT_GPTE_LEAD : 0)))
			return -1;
		/* A fault of its own that met no table: it came with that. */
		if (!ev->refault || ev->step <= e->step + 1)
			return 0;
		return spht_gst_emit(g, SPHT_WORLD_INFERRED, e, ev->table, ev->index, ev->step - 1,
				     st | SPHT_GPTE_LEAD);
	}
	if (before && (!now || same))
		s = now && !t->known ? st : e->state[SPHT_WORLD_INFERRED];
	else
		s = before || e->kind == SPHT_GST_KIND_NONE ? 0 : SPHT_GPTE_DECIDED;
	if (spht_gst_emit(g, SPHT_WORLD_INFERRED, e, ev->table, ev->index, from, s))
		return -1;
	/* A bit that has come since came with the handler's store, or nobody knows when. */
	if (now && before && same && t->known && ev->refault && ev->step > from &&
	    (st & ~s & (SPHT_GPTE_A | SPHT_GPTE_WRITABLE)))
		return spht_gst_emit(g, SPHT_WORLD_INFERRED, e, ev->table, ev->index, ev->step - 1,
				     st | s | SPHT_GPTE_LEAD);
	if (!now || (before && same))
		return 0;
	/* Seen otherwise since: what froze it has not kept it from a store that KVM emulates. */
	if (t->known && since <= from)
		since = SPHT_NOT_FROZEN;
	around = t->around[ev->index / SPHT_GST_FAULT_AROUND];
	served = (e->kind != SPHT_EVIDENCE_ABSENT || t->known) && !ev->refault && around > from;
	/* It was mapped with the page that the handler was asked for, and before it. */
	if (served && (since == SPHT_NOT_FROZEN || around < since)) {
		since = around - 1;
		st |= SPHT_GPTE_LEAD;
	}
	/* The kernel's own mappings are made whole, before their first access. */
	whole = ev->kernel && e->kind == SPHT_GST_KIND_NONE && !ev->refault;
	if (!t->known && (served || whole) &&
	    spht_gst_guess(g, t, ev, served ? around : ev->step, since))
		return -1;
	/* The handler of the guest fault stored it, shortly before the access. */
	if ((since == SPHT_NOT_FROZEN || since >= ev->step) && ev->refault && ev->step > from)
		return spht_gst_emit(g, SPHT_WORLD_INFERRED, e, ev->table, ev->index, ev->step - 1,
				     st | SPHT_GPTE_LEAD);
	if (since == SPHT_NOT_FROZEN || since >= ev->step)
		return 0;
	return spht_gst_emit(g, SPHT_WORLD_INFERRED, e, ev->table, ev->index,
			     since > from ? since : from, st);
}

/*
 * The state right after the evidence, before any later one is known.  @optimistic: in
 * that world too.
 */
static int open_interval(struct spht_guest *g, struct spht_gst_entry *e,
			 const struct spht_evidence *ev, bool a_set, bool optimistic)
{
	uint8_t s = state_of(e, ev);

	if (ev->kind == SPHT_EVIDENCE_KEPT)
		return 0;
	/* The walk itself sets A (and D on a write): from here on the entry has them. */
	if (a_set)
		s |= SPHT_GPTE_A;
	if (ev->sets_d && ev->w)
		s |= SPHT_GPTE_WRITABLE;
	if (optimistic &&
	    spht_gst_emit(g, SPHT_WORLD_OPTIMISTIC, e, ev->table, ev->index, ev->step, s))
		return -1;
	return spht_gst_emit(g, SPHT_WORLD_INFERRED, e, ev->table, ev->index, ev->step, s);
}

/* Entries of @table without any evidence become @state in @world, from just after @step on. */
int spht_gst_emit_rest(struct spht_guest *g, enum spht_world world, struct spht_gst_table *t,
		       uint32_t table, uint32_t step, uint8_t state)
{
	if (t->rest[world] == state)
		return 0;
	t->rest[world] = state;
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
		struct spht_gst_entry *c = t->chunk[i / SPHT_GST_CHUNK];

		if (!c)
			i |= SPHT_GST_CHUNK - 1;
		else if (!(c[i % SPHT_GST_CHUNK].state[world] & ~SPHT_GPTE_DECIDED))
			c[i % SPHT_GST_CHUNK].state[world] = state;
	}
	return spht_changes_add(g->changes, (struct spht_change){.step = step,
								 .table = table,
								 .index = SPHT_PT_ENTRIES,
								 .state = state,
								 .kind = (uint8_t)world});
}

static int refuse_at(struct spht_guest *g, struct spht_gst_table *t, struct spht_gst_entry *e,
		     uint32_t table, unsigned int index, uint32_t step, bool optimistic)
{
	struct spht_evidence ev = {.table = table,
				   .index = (uint16_t)index,
				   .kind = SPHT_EVIDENCE_REFUSED,
				   .step = step,
				   .frozen_since = SPHT_NOT_FROZEN};

	if (close_interval(g, t, e, &ev, false, optimistic ? known_from(t, e) : SPHT_NOT_FROZEN) ||
	    open_interval(g, e, &ev, false, optimistic))
		return -1;
	e->step = step;
	e->kind = SPHT_EVIDENCE_REFUSED;
	e->gfn = 0;
	e->w = e->loose_w = false;
	return 0;
}

/* Groups ended at @e, and nothing tells why: the entry is taken for absent there. */
int spht_gst_refuse(struct spht_guest *g, struct spht_gst_table *t, struct spht_gst_entry *e,
		    uint32_t table, unsigned int index, bool optimistic)
{
	if (!e->refused)
		return 0;
	e->refused = false;
	if (refuse_at(g, t, e, table, index, e->refused_first, optimistic))
		return -1;
	return e->refused_last == e->refused_first
		       ? 0
		       : refuse_at(g, t, e, table, index, e->refused_last, optimistic);
}

/*
 * What @ev tells of why groups ended at @e before it.  A page that a walk finds never
 * accessed may have been there all the while: for certain, if its table was frozen.  @begin:
 * from when on the optimistic world has it then.
 */
static int settle_refusals(struct spht_guest *g, struct spht_gst_table *t, struct spht_gst_entry *e,
			   const struct spht_evidence *ev, uint32_t *begin)
{
	bool untouched = ev->kind == SPHT_EVIDENCE_PRESENT && !ev->a;

	if (e->refused && untouched && ev->frozen_since <= e->refused_first)
		e->refused = false;
	*begin = known_from(t, e);
	if (spht_gst_refuse(g, t, e, ev->table, ev->index, !untouched))
		return -1;
	if (!untouched)
		*begin = known_from(t, e);
	return 0;
}

/* The last evidence was of the page's former life: forget it, in every world. */
static int forget(struct spht_guest *g, struct spht_gst_table *t, struct spht_gst_entry *e,
		  uint32_t table, unsigned int index)
{
	/* It ended with its former life, before the new one can have begun. */
	if (spht_gst_refuse(g, t, e, table, index, true))
		return -1;
	if (spht_gst_emit(g, SPHT_WORLD_STRICT, e, table, index, e->step, 0) ||
	    spht_gst_emit(g, SPHT_WORLD_INFERRED, e, table, index, t->born, 0) ||
	    spht_gst_emit(g, SPHT_WORLD_OPTIMISTIC, e, table, index, t->born, 0))
		return -1;
	e->incarnation = t->incarnation;
	e->kind = SPHT_GST_KIND_NONE;
	e->guessed = false;
	return 0;
}

int spht_guest_reuse(struct spht_guest *g, uint32_t table, uint32_t since)
{
	struct spht_gst_table *t = spht_gst_table(g, table);

	if (!t || spht_guest_unknow(g, table))
		return -1;
	/* What snapshots showed until then holds, whatever the page was. */
	if (t->was_known && t->snapped > since)
		since = t->snapped;
	t->was_known = false;
	t->incarnation++;
	memset(t->around, 0, sizeof(t->around));
	memset(t->guessed, 0, sizeof(t->guessed));
	t->born = since;
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
		struct spht_gst_entry *c = t->chunk[i / SPHT_GST_CHUNK];

		if (!c)
			i |= SPHT_GST_CHUNK - 1;
		else if (c[i % SPHT_GST_CHUNK].kind == SPHT_GST_KIND_NONE &&
			 !c[i % SPHT_GST_CHUNK].guessed && !c[i % SPHT_GST_CHUNK].refused)
			c[i % SPHT_GST_CHUNK].incarnation = t->incarnation;
		else if (forget(g, t, c + i % SPHT_GST_CHUNK, table, i))
			return -1;
	}
	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++)
		if (spht_gst_emit_rest(g, w, t, table, since, 0))
			return -1;
	return 0;
}

/*
 * Of a table that is known as a whole, a prefetch group tells nothing new of what is there
 * already, and why it ended is not the guest's doing more often than it is.
 */
static bool says_nothing(const struct spht_gst_entry *e, const struct spht_evidence *ev)
{
	if (ev->kind == SPHT_EVIDENCE_KEPT || ev->kind == SPHT_EVIDENCE_REFUSED)
		return true;
	return ev->kind == SPHT_EVIDENCE_PREFETCHED && spht_gst_is_present(e->kind) &&
	       e->gfn == (uint32_t)ev->gfn;
}

int spht_guest_evidence(struct spht_guest *g, const struct spht_evidence *ev)
{
	struct spht_gst_table *t = spht_gst_table(g, ev->table);
	struct spht_gst_entry *e;
	uint32_t begin;
	bool same;

	e = t ? spht_gst_entry(g, t, ev->index, ev->step) : NULL;
	if (!e)
		return -1;
	if (t->known && says_nothing(e, ev))
		return 0;
	if (spht_gst_catch_up(g, t, e, ev->table, ev->index))
		return -1;
	if (e->incarnation != t->incarnation && forget(g, t, e, ev->table, ev->index))
		return -1;
	if (ev->kind == SPHT_EVIDENCE_REFUSED) {
		if (!e->refused)
			e->refused_first = ev->step;
		e->refused = true;
		e->refused_last = ev->step;
		return 0;
	}
	if (settle_refusals(g, t, e, ev, &begin))
		return -1;
	if (ev->kind == SPHT_EVIDENCE_KEPT) {
		same = true;
	} else {
		/* Where nothing goes unseen, rights alone do not make it another page. */
		bool w_agrees = e->w == ev->w || e->loose_w ||
				ev->kind == SPHT_EVIDENCE_PREFETCHED || t->known;

		same = e->gfn == (uint32_t)ev->gfn && w_agrees;
	}
	if (!same && spht_gst_is_present(ev->kind))
		e->generation = !e->generation;
	if (close_interval(g, t, e, ev, same, begin) || open_interval(g, e, ev, ev->sets_a, true))
		return -1;
	/*
	 * Absent, then walked as present: the guest's handler ran in between.
	 * Until that is seen, an absent entry leaves the group's last service open.
	 */
	if (ev->snapshot)
		;
	else if (ev->kind == SPHT_EVIDENCE_ABSENT)
		t->around[ev->index / SPHT_GST_FAULT_AROUND] = 0;
	else if (ev->kind == SPHT_EVIDENCE_PRESENT &&
		 (e->kind == SPHT_EVIDENCE_ABSENT ||
		  (e->kind == SPHT_GST_KIND_NONE && ev->refault)))
		t->around[ev->index / SPHT_GST_FAULT_AROUND] = ev->step;
	e->step = ev->step;
	if (ev->kind != SPHT_EVIDENCE_KEPT || e->kind == SPHT_GST_KIND_NONE) {
		e->kind = ev->kind;
		e->gfn = (uint32_t)ev->gfn;
		e->w = ev->w;
		e->loose_w = ev->kind == SPHT_EVIDENCE_PREFETCHED;
		e->a = ev->a || ev->sets_a || e->loose_w;
		e->d = ev->d || ev->sets_d || (e->loose_w && ev->w);
	}
	return 0;
}

/* Nothing confirms what the last evidence showed: strict credits nothing after it. */
int spht_guest_finish(struct spht_guest *g)
{
	for (uint32_t t = 0; t < g->nr; t++) {
		if (spht_guest_unknow(g, t))
			return -1;
		for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
			struct spht_gst_entry *c = g->tables[t].chunk[i / SPHT_GST_CHUNK];

			if (!c) {
				i |= SPHT_GST_CHUNK - 1;
				continue;
			}
			c += i % SPHT_GST_CHUNK;
			if (spht_gst_refuse(g, &g->tables[t], c, t, i, true))
				return -1;
			if (spht_gst_emit(g, SPHT_WORLD_STRICT, c, t, i, c->step, 0))
				return -1;
		}
	}
	return 0;
}

uint64_t spht_guest_entries(const struct spht_guest *g)
{
	return g->entries;
}
