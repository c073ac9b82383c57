// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/observe-local.h"
#include "replay/score.h"

/*
 * Snapshots of guest tables.  Their content is kept by frame, since each tells only what
 * has changed; what they show becomes evidence of the step of their exit.
 */

void spht_obs_snaps_close(struct spht_observed *o)
{
	for (uint32_t i = 0; i < o->cap_contents; i++)
		for (unsigned int c = 0; c < SPHT_PT_ENTRIES / SPHT_CONTENT_CHUNK; c++)
			free(o->contents[i].chunk[c]);
	free(o->contents);
	o->contents = NULL;
	o->cap_contents = 0;
	spht_idmap_close(&o->snap_gfns);
}

static uint64_t value_of(const struct spht_obs_content *c, unsigned int index)
{
	const struct spht_obs_cell *k = c->chunk[index / SPHT_CONTENT_CHUNK];

	return k ? k[index % SPHT_CONTENT_CHUNK].value : 0;
}

/* NULL: memory. */
static struct spht_obs_cell *cell(struct spht_obs_content *c, unsigned int index)
{
	struct spht_obs_cell **k = &c->chunk[index / SPHT_CONTENT_CHUNK];

	if (!*k)
		*k = calloc(SPHT_CONTENT_CHUNK, sizeof(**k));
	return *k ? *k + index % SPHT_CONTENT_CHUNK : NULL;
}

static int truth(struct spht_observed *o, uint32_t table, unsigned int index, uint8_t state)
{
	return spht_changes_add(&o->steps.changes, (struct spht_change){.step = o->step,
									.table = table,
									.index = (uint16_t)index,
									.state = state,
									.kind = SPHT_CHANGE_TRUTH});
}

/* What a snapshot shows of one entry. */
static int tell(struct spht_observed *o, uint32_t table, unsigned int index, uint64_t pte)
{
	if (o->snap_mode == SPHT_SNAP_SCORE)
		return truth(o, table, index, pte & SPHT_PTE_P ? SPHT_GPTE_PRESENT : 0);
	return spht_guest_shown(o->guest, table, index, o->step, pte);
}

/* The table is as it is in @c, whatever was known of it before. */
static int tell_all(struct spht_observed *o, const struct spht_obs_content *c, uint32_t table,
		    unsigned int but)
{
	uint64_t pte[SPHT_PT_ENTRIES];

	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
		pte[i] = value_of(c, i);
		o->snap_use.entries += pte[i] & SPHT_PTE_P;
	}
	if (o->snap_mode != SPHT_SNAP_SCORE)
		return spht_guest_know(o->guest, table, o->step, pte, but);
	if (truth(o, table, SPHT_PT_ENTRIES, SPHT_TRUTH_BEGIN))
		return -1;
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++)
		if ((pte[i] & SPHT_PTE_P) && tell(o, table, i, pte[i]))
			return -1;
	return 0;
}

/* One entry as of the snapshot @s; @table: to be told, SPHT_NO_ID: not. */
static int put(struct spht_observed *o, struct spht_obs_content *c, const struct spht_snap *s,
	       unsigned int index, uint64_t value, uint32_t table)
{
	struct spht_obs_cell *k;

	if (value == value_of(c, index) && !(s->flags & SPHT_SNAP_OLD) && s->serial > c->serial)
		return 0;
	k = cell(c, index);
	if (!k)
		return -1;
	/* Another thread's snapshot was later in the file, and is here already. */
	if (k->serial > s->serial)
		return 0;
	k->serial = s->serial;
	if (k->value == value)
		return 0;
	k->value = value;
	if (table == SPHT_NO_ID)
		return 0;
	o->snap_use.entries++;
	return tell(o, table, index, value);
}

static int put_all(struct spht_observed *o, struct spht_obs_content *c, const struct spht_snap *s,
		   const struct spht_snap_entry *e, uint32_t table, unsigned int but)
{
	uint64_t now[SPHT_PT_ENTRIES] = {0};

	if (!(s->flags & SPHT_SNAP_FULL)) {
		for (uint32_t i = 0; i < s->nr; i++)
			if (put(o, c, s, e[i].index, e[i].value,
				e[i].index == but ? SPHT_NO_ID : table))
				return -1;
		return 0;
	}
	for (uint32_t i = 0; i < s->nr; i++)
		now[e[i].index] = e[i].value;
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++)
		if (put(o, c, s, i, now[i], i == but ? SPHT_NO_ID : table))
			return -1;
	c->based = true;
	return 0;
}

/* What comes next of the table has no beginning. */
static int lose(struct spht_observed *o, struct spht_obs_content *c, uint32_t table)
{
	if (table == SPHT_NO_ID)
		return 0;
	if (o->snap_mode != SPHT_SNAP_SCORE)
		return spht_guest_unknow(o->guest, table);
	if (!c->told)
		return 0;
	c->told = false;
	return truth(o, table, SPHT_PT_ENTRIES, SPHT_TRUTH_END);
}

static struct spht_obs_content *content(struct spht_observed *o, gfn_t gfn)
{
	uint32_t id = spht_idmap_get(&o->snap_gfns, gfn, 0);

	if (id == SPHT_NO_ID ||
	    spht_obs_grow((void **)&o->contents, &o->cap_contents, id, sizeof(*o->contents), 0))
		return NULL;
	return &o->contents[id];
}

/* A snapshot of a level-1 table, and of this exit.  @but: its walk has told of that entry. */
static int use(struct spht_observed *o, struct spht_obs_content *c, const struct spht_snap *s,
	       const struct spht_snap_entry *e, uint32_t table, unsigned int but)
{
	bool score = o->snap_mode == SPHT_SNAP_SCORE;
	bool known = score ? c->told : spht_guest_is_known(o->guest, table);

	o->snap_use.used++;
	if (put_all(o, c, s, e, known ? table : SPHT_NO_ID, but))
		return -1;
	if (!c->based)
		return 0;
	if (!known && tell_all(o, c, table, but))
		return -1;
	c->told = true;
	if (s->kind == SPHT_SNAP_SYNC || s->kind == SPHT_SNAP_FOUND)
		c->synced = o->step + 1;
	if (!score) {
		spht_guest_still(o->guest, table, o->step);
		return 0;
	}
	if (c->scored == o->step + 1)
		return 0;
	c->scored = o->step + 1;
	return truth(o, table, SPHT_PT_ENTRIES, SPHT_TRUTH_NOW);
}

/* The entry that the fault's own walk read, if it went through this table. */
static unsigned int walked(struct spht_observed *o, const struct spht_obs_where *w,
			   const struct spht_exit *x, const struct spht_snap *s, uint64_t value)
{
	if (s->kind != SPHT_SNAP_WALK || !w->has_leaf || w->direct || w->leaf_level != 1 ||
	    spht_shadow_gfn(&o->shadow, w->page) != s->gfn)
		return SPHT_PT_ENTRIES;
	o->snap_use.against_walk += value != x->walk.pte[x->walk.nr - 1];
	return w->index;
}

static int one(struct spht_observed *o, const struct spht_obs_where *w, const struct spht_exit *x,
	       const struct spht_snap *s, const struct spht_snap_entry *e)
{
	unsigned int level = spht_role_level(o->shadow.layout, s->role), but = SPHT_PT_ENTRIES;
	bool upper = s->kind != SPHT_SNAP_WALK && level != 1;
	struct spht_obs_content *c = content(o, s->gfn);
	uint32_t table;

	if (!c)
		return -1;
	if (!upper)
		table = spht_shadow_table(&o->shadow, s->gfn, 1);
	else
		table = spht_idmap_find(&o->shadow.tables, s->gfn, 1);
	if (!upper && table == SPHT_NO_ID)
		return -1;
	if (s->flags & SPHT_SNAP_UNREADABLE) {
		c->based = c->based && s->serial < c->serial;
		return c->based ? 0 : lose(o, c, table);
	}
	if (upper || (s->flags & SPHT_SNAP_OLD)) {
		o->snap_use.other++;
		if (put_all(o, c, s, e, SPHT_NO_ID, SPHT_PT_ENTRIES) || lose(o, c, table))
			return -1;
	} else {
		for (uint32_t i = 0; i < s->nr; i++)
			if (w->has_leaf && e[i].index == w->index)
				but = i;
		but = walked(o, w, x, s,
			     but < SPHT_PT_ENTRIES ? e[but].value : value_of(c, w->index));
		/* The score leaves it out itself. */
		if (o->snap_mode == SPHT_SNAP_SCORE)
			but = SPHT_PT_ENTRIES;
		if (use(o, c, s, e, table, but))
			return -1;
	}
	if (s->serial > c->serial)
		c->serial = s->serial;
	return 0;
}

int spht_obs_snaps(struct spht_observed *o, const struct spht_obs_where *w,
		   const struct spht_exit *x)
{
	const struct spht_snaps *l = x->snaps;

	for (uint32_t i = 0; l && i < l->nr; i++) {
		/* Empty tables have none, and then there may be no list of them. */
		const struct spht_snap_entry *e = l->entries ? l->entries + l->v[i].first : NULL;

		if (one(o, w, x, &l->v[i], e))
			return -1;
	}
	return 0;
}

/* FNAME(sync_page) keeps what maps the page that it maps, and only as writable as that is. */
static int sync_one(struct spht_observed *o, uint32_t page, unsigned int index, uint64_t pte)
{
	struct spht_mmu_page *m = &o->mmu.pages[page];
	struct spht_obs_info *info = spht_obs_info(o, page, index);
	bool other;

	if (!info)
		return -1;
	other = !info->proven && !info->preamble && info->gfn != (uint32_t)spht_pte_gfn(pte);
	if (!(pte & SPHT_PTE_P) || !(pte & SPHT_PTE_A) || other) {
		if (info->step >= o->step)
			return 0;
		if (!info->preamble)
			info->gone = SPHT_DERIVED_SNAPSHOT - SPHT_DERIVED_BESIDE_WALK + 1;
		return spht_obs_drop(o, page, index);
	}
	if (((pte & SPHT_PTE_W) && (pte & SPHT_PTE_D)) || !spht_bit(m->writable, index))
		return 0;
	spht_bit_clear(m->writable, index);
	return spht_steps_do(&o->steps, SPHT_DO_WPROTECT, page, index, false);
}

int spht_obs_snap_sync(struct spht_observed *o, uint32_t page, gfn_t gfn)
{
	const struct spht_mmu_page *m = &o->mmu.pages[page];
	uint32_t id = spht_idmap_find(&o->snap_gfns, gfn, 0);
	const struct spht_obs_content *c = id == SPHT_NO_ID ? NULL : &o->contents[id];

	if (o->snap_mode != SPHT_SNAP_USE || !c || !c->based || c->synced != o->step + 1)
		return 0;
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
		if (!m->present[i / 64])
			i |= 63;
		else if (spht_bit(m->present, i) && !spht_bit(m->unknown, i) &&
			 sync_one(o, page, i, value_of(c, i)))
			return -1;
	}
	return 0;
}
