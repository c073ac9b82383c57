// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/whatif-local.h"

/*
 * The life of shadow pages in a what-if.  What the guest and the host do to them is
 * replayed; what KVM does of its own accord (housekeeping.h) follows from the
 * what-if's own state, with the helper's pages in it.  Where that differs from the
 * recording, a page is in one of two states:
 *
 *   lost   the recording has it, the what-if zapped it: its entries are lacking
 *   alone  the what-if has it, the recording has not: its entries are a helper's, or
 *          kept (extra), and kept ones avoid nothing
 */

static unsigned int level_of(const struct spht_whatif *w, uint32_t page)
{
	return spht_role_level(w->c->shadow->layout, spht_shadow_role(w->c->shadow, page));
}

static bool is_direct(const struct spht_whatif *w, uint32_t page)
{
	return spht_role_direct(w->c->shadow->layout, spht_shadow_role(w->c->shadow, page));
}

bool spht_w_is_root(const struct spht_whatif *w, uint32_t page)
{
	return level_of(w, page) == 4;
}

/* Does the current step do this to @page? */
static bool step_has(const struct spht_whatif *w, uint8_t kind, uint32_t page)
{
	const struct spht_do *d;

	if (!w->step)
		return false;
	d = spht_w_dos(w, w->step);
	for (uint32_t i = 0; i < w->step->nr_do; i++)
		if (d[i].kind == kind && d[i].page == page)
			return true;
	return false;
}

void spht_w_lack(struct spht_whatif *w, uint32_t page, unsigned int index, bool writable)
{
	struct spht_wpage *p = &w->pages[page];

	if (writable)
		spht_bit_set(p->lack_w, index);
	else
		spht_bit_clear(p->lack_w, index);
	if (spht_bit(p->lack, index))
		return;
	w->mmu.changes += w->mmu.pages[page].child != NULL;
	spht_bit_set(p->lack, index);
	spht_w_tag(w, p, SPHT_OUTSIDE_LACK, index, w->outside);
	spht_w_book(w, w->outside)->new_exits_hi++;
}

bool spht_w_restore(struct spht_whatif *w, uint32_t page, unsigned int index, bool writable)
{
	struct spht_wpage *p = &w->pages[page];

	if (!spht_bit(p->lack, index))
		return false;
	spht_bit_clear(p->lack, index);
	spht_w_no_extra(p, index);
	/* Weaker than there: a write that went unseen there would be an exit. */
	if (spht_bit(p->lack_w, index) && !writable)
		spht_w_book(w, w->outside)->new_exits_hi++;
	spht_mmu_set(&w->mmu, page, index, writable || spht_bit(p->lack_w, index));
	return true;
}

void spht_w_mark(struct spht_whatif *w, uint64_t **map, unsigned int index)
{
	if (!*map)
		*map = calloc(SPHT_MMU_WORDS, sizeof(**map));
	if (*map)
		spht_bit_set(*map, index);
	else
		w->no_memory = true;
}

/* Is the entry here and not in the recording? */
static bool is_own(const struct spht_wpage *p, unsigned int index)
{
	return spht_bit(p->helper, index) || spht_bit(p->side, index) || spht_w_extra(p, index);
}

/* Links to a page: as the what-if has them, the recording's or its own. */
static bool is_link(const struct spht_whatif *w, const uint32_t *parent, uint32_t page)
{
	return spht_mmu_child(&w->mmu, parent[0], parent[1]) == page;
}

/*
 * The recording keeps the page that goes here: what it had of it is lacking from now
 * on.  One link comes back with the first entry; others cost an exit each.
 */
static void lose(struct spht_whatif *w, uint32_t page)
{
	const struct spht_mmu_page *m = &w->mmu.pages[page];
	struct spht_wpage *p = &w->pages[page];
	bool first = true;

	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++)
		if (spht_bit(m->present, i) && (!is_own(p, i) || spht_w_theirs(p, i)))
			spht_w_lack(w, page, i, spht_bit(m->writable, i));
	for (uint32_t i = 0; i < m->nr_parents; i++) {
		const uint32_t *parent = m->parents[i];

		if (!is_link(w, parent, page) || w->pages[parent[0]].alone ||
		    spht_w_extra(&w->pages[parent[0]], parent[1]))
			continue;
		if (first)
			spht_bit_set(w->pages[parent[0]].lack, parent[1]);
		else
			spht_w_lack(w, parent[0], parent[1], true);
		first = false;
	}
	spht_w_book(w, w->outside)->zapped_alone++;
}

/* The page goes here: it is the recording's doing, or @own and not at the same time. */
static void go(struct spht_whatif *w, uint32_t page, bool own, bool evicted)
{
	unsigned int in = spht_w_count_built(&w->pages[page], false);
	unsigned int out = spht_w_count_built(&w->pages[page], true);
	struct spht_wpage *p = &w->pages[page];

	*(evicted ? &w->acc->evicted_unused : &w->acc->zapped_unused) += in;
	*(evicted ? &w->rest.evicted_unused : &w->rest.zapped_unused) += out;
	spht_request_zapped(w, page);
	spht_tell_zap_page(w, page);
	if (p->wanted_ns)
		memset(p->wanted_ns, 0, SPHT_PT_ENTRIES * sizeof(*p->wanted_ns));
	/* What was lacking before goes on being so. */
	if (own && !p->alone)
		lose(w, page);
	else
		memset(p->lack, 0, sizeof(p->lack));
	memset(p->helper, 0, sizeof(p->helper));
	memset(p->side, 0, sizeof(p->side));
	if (p->extra)
		memset(p->extra, 0, SPHT_MMU_WORDS * sizeof(*p->extra));
	if (p->theirs)
		memset(p->theirs, 0, SPHT_MMU_WORDS * sizeof(*p->theirs));
	if (p->used)
		memset(p->used, 0, SPHT_MMU_WORDS * sizeof(*p->used));
	p->lost = own && !p->alone;
	p->by_helper = p->alone = false;
	spht_mmu_zap(&w->mmu, page);
	spht_w_touched(w, page);
}

/* Rules that were not followed in the recording are not followed here either. */
static bool is_spared(const struct spht_whatif *w, uint32_t page)
{
	return step_has(w, SPHT_DO_SPARE, page);
}

/* A zap by KVM's rules.  Spared pages count, once: they would have gone. */
static unsigned int zap_one(struct spht_whatif *w, uint32_t page, enum spht_zap_cause cause)
{
	if (!w->mmu.pages[page].exists || w->pages[page].room == w->room)
		return 0;
	w->pages[page].room = w->room;
	if (!is_spared(w, page))
		go(w, page, !step_has(w, SPHT_DO_ZAP, page), cause == SPHT_ZAP_RECYCLED);
	return 1;
}

static void find_below(struct spht_whatif *w, uint32_t page)
{
	w->below.nr = 0;
	if (spht_unsync_below(&w->mmu, page, &w->below))
		w->no_memory = true;
}

/* mmu_zap_unsync_children, over what was found below. */
static unsigned int zap_below(struct spht_whatif *w)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < w->below.nr; i++)
		n += zap_one(w, w->below.v[i], SPHT_ZAP_CHILD);
	return n;
}

/* By KVM's rules @page and what is unsync below it go.  How many that are. */
static unsigned int zap_own(struct spht_whatif *w, uint32_t page, enum spht_zap_cause cause)
{
	bool spared = is_spared(w, page);
	unsigned int n;

	if (cause != SPHT_ZAP_RECYCLED)
		w->room++;
	find_below(w, page);
	n = zap_one(w, page, cause);
	/* What is below one that a recycling spared was taken to go with it. */
	if (!spared || cause == SPHT_ZAP_RECYCLED)
		n += zap_below(w);
	return n;
}

void spht_w_zap(struct spht_whatif *w, uint32_t page, bool below)
{
	if (w->mmu.pages[page].exists) {
		w->room++;
		find_below(w, page);
		go(w, page, false, false);
		if (below)
			zap_below(w);
	}
	memset(w->pages[page].lack, 0, sizeof(w->pages[page].lack));
	w->pages[page].lost = false;
}

/* The recording lost the page by KVM's rules; what the what-if still has of it is kept. */
static void keep(struct spht_whatif *w, uint32_t page)
{
	const struct spht_mmu_page *m = &w->mmu.pages[page];
	struct spht_wpage *p = &w->pages[page];
	uint32_t table;

	memset(p->lack, 0, sizeof(p->lack));
	p->lost = false;
	if (!m->exists || p->alone)
		return;
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++)
		if (spht_bit(m->present, i) && !is_own(p, i))
			spht_w_mark(w, &w->pages[page].extra, i);
	for (uint32_t i = 0; i < m->nr_parents; i++)
		if (is_link(w, m->parents[i], page))
			spht_w_mark(w, &w->pages[m->parents[i][0]].extra, m->parents[i][1]);
	if (p->theirs)
		memset(p->theirs, 0, SPHT_MMU_WORDS * sizeof(*p->theirs));
	w->mmu.changes++;
	p->alone = true;
	p->by_helper = !is_direct(w, page);
	spht_w_book(w, w->outside)->kept_pages++;
	table = spht_idmap_find(&w->c->shadow->tables, spht_shadow_gfn(w->c->shadow, page), 1);
	if (p->by_helper && level_of(w, page) == 1 && table != SPHT_NO_ID)
		spht_w_list(w, table, page);
}

/* Unsync pages that went with the one zapped by @d, in the recording. */
void spht_w_settle_below(struct spht_whatif *w, const struct spht_step *s, const struct spht_do *d)
{
	const struct spht_do *end = spht_w_dos(w, s) + s->nr_do;

	for (d++; d < end; d++) {
		if (d->kind == SPHT_DO_ZAP && d->index != SPHT_ZAP_CHILD)
			return;
		if (d->kind == SPHT_DO_ZAP)
			keep(w, d->page);
	}
}

void spht_w_settle(struct spht_whatif *w, const struct spht_step *s, enum spht_zap_cause cause)
{
	const struct spht_do *d = spht_w_dos(w, s), *end = d + s->nr_do;

	if (!(s->flags & SPHT_STEP_ZAPS))
		return;
	for (; d < end; d++) {
		if (d->kind != SPHT_DO_ZAP || d->index != cause)
			continue;
		keep(w, d->page);
		spht_w_settle_below(w, s, d);
	}
}

void spht_w_make_room(struct spht_whatif *w, unsigned int short_of)
{
	uint32_t page = spht_oldest_free(&w->mmu, SPHT_NO_ID), next;
	unsigned int zapped = 0;

	w->room++;
	while (short_of && page != SPHT_NO_ID && zapped < short_of) {
		next = w->mmu.pages[page].newer;
		zapped += zap_own(w, page, SPHT_ZAP_RECYCLED);
		/* The one after it may have gone with it. */
		while (next != SPHT_NO_ID && !w->mmu.pages[next].exists)
			next = w->mmu.pages[next].newer;
		page = next == SPHT_NO_ID ? next : spht_oldest_free(&w->mmu, next);
	}
}

/* An upper table takes its gfn: what is unsync of it goes (kvm_mmu_find_shadow_page). */
static void zap_unsync_of(struct spht_whatif *w, uint32_t page)
{
	if (level_of(w, page) == 1)
		return;
	for (uint32_t i = w->pages[page].same_gfn; i != page; i = w->pages[i].same_gfn)
		if (spht_is_unsync(&w->mmu, i))
			zap_own(w, i, SPHT_ZAP_UPPER);
}

void spht_w_create(struct spht_whatif *w, uint32_t page, uint32_t step)
{
	struct spht_wpage *p = &w->pages[page];

	p->alone = p->by_helper = p->lost = false;
	if (w->mmu.pages[page].exists)
		return;
	spht_mmu_create(&w->mmu, page, step);
	zap_unsync_of(w, page);
}

/* Where a region's table hangs in its level-2 page. */
static unsigned int region_index(const struct spht_whatif *w, uint32_t region)
{
	return (unsigned int)w->c->shadow->regions.keys[region][1] & (SPHT_PT_ENTRIES - 1);
}

/* Pages of a path from the top, SPHT_NO_ID: not known. */
static uint32_t path_page(const struct spht_whatif *w, uint32_t path, uint32_t leaf,
			  unsigned int leaf_level, unsigned int level)
{
	if (level == leaf_level)
		return leaf;
	if (level == 4)
		return spht_path_root(w->c->shadow, path);
	return level == 3 ? spht_path_l3(w->c->shadow, path) : spht_path_l2(w->c->shadow, path);
}

void spht_w_linked(struct spht_whatif *w, const struct spht_step *s)
{
	if (spht_mmu_link_path(&w->mmu, s->path, s->page, s->leaf_level, s->vpn))
		w->no_memory = true;
	for (unsigned int level = 4; level > s->leaf_level; level--) {
		uint32_t page = path_page(w, s->path, s->page, s->leaf_level, level);
		unsigned int index = spht_vpn_index(s->vpn, level);

		if (page == SPHT_NO_ID)
			continue;
		spht_bit_clear(w->pages[page].lack, index);
		spht_w_no_extra(&w->pages[page], index);
	}
}

void spht_w_set_unsync(struct spht_whatif *w, const struct spht_do *d)
{
	if (w->mmu.pages[d->page].exists)
		w->mmu.pages[d->page].unsync = d->kind == SPHT_DO_UNSYNC;
}

/* What the recording created for the fault is there from now on; what became unsync is so. */
static void create_pages(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	const struct spht_do *d = spht_w_dos(w, s);

	if (!(s->flags & SPHT_STEP_MORE))
		return;
	for (uint32_t i = 0; i < w->first_late; i++) {
		if (d[i].kind == SPHT_DO_CREATE && !spht_w_is_root(w, d[i].page))
			spht_w_create(w, d[i].page, step);
		else if (d[i].kind == SPHT_DO_SYNC || d[i].kind == SPHT_DO_UNSYNC)
			spht_w_set_unsync(w, &d[i]);
	}
}

void spht_w_fetch(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	if (spht_w_waits(s)) {
		spht_w_make_room(w, w->short_of);
		spht_w_settle(w, s, SPHT_ZAP_RECYCLED);
		create_pages(w, s, step);
		spht_w_settle(w, s, SPHT_ZAP_UPPER);
	}
	if (!(s->flags & SPHT_STEP_HAS_LEAF) || spht_w_is_settled(w, s))
		return;
	for (unsigned int level = 4; level >= s->leaf_level; level--) {
		uint32_t page = path_page(w, s->path, s->page, s->leaf_level, level);

		if (page != SPHT_NO_ID && w->pages[page].lost)
			spht_w_create(w, page, step);
	}
	if (!w->flood_cleared)
		spht_mmu_clear_flood(&w->mmu, s->path, s->page, s->leaf_level);
}

void spht_w_no_fetch(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	if (!spht_w_waits(s))
		return;
	spht_w_settle(w, s, SPHT_ZAP_RECYCLED);
	create_pages(w, s, step);
	spht_w_settle(w, s, SPHT_ZAP_UPPER);
	/* A link that was not known before was there, or the fault would not have been avoided. */
	spht_w_linked(w, s);
}

/*
 * The table maps the fault's region.  If it was known under another one, the guest has
 * freed it there, and what a helper hung into its shadow by that path goes with the
 * flush that the guest owed.
 */
void spht_w_own_table(struct spht_whatif *w, const struct spht_step *s)
{
	uint32_t was = w->table_region[s->table], l2;
	struct spht_wregion *old;
	unsigned int index;

	w->table_region[s->table] = s->region + 1;
	if (!was || was == s->region + 1 || (s->flags & SPHT_STEP_DIRECT) || s->leaf_level != 1)
		return;
	old = &w->regions[was - 1];
	if (!old->valid || old->table != s->table)
		return;
	old->valid = false;
	l2 = spht_path_l2(w->c->shadow, old->path);
	index = region_index(w, was - 1);
	if (l2 == SPHT_NO_ID || !spht_w_extra(&w->pages[l2], index))
		return;
	spht_w_no_extra(&w->pages[l2], index);
	spht_mmu_drop(&w->mmu, l2, index);
	spht_w_changed(w, l2);
}

/* A page that the helper's own fetch makes, in the place of one that was lost or before the guest. */
static void make_for_helper(struct spht_whatif *w, uint32_t page)
{
	struct spht_wpage *p = &w->pages[page];
	bool lost = p->lost;

	spht_w_create(w, page, 0);
	if (lost)
		return;
	p->alone = true;
	p->by_helper = !is_direct(w, page);
}

unsigned int spht_w_missing_pages(const struct spht_whatif *w, const struct spht_wregion *r)
{
	unsigned int n = 0;

	for (unsigned int level = 4; level >= r->leaf_level; level--) {
		uint32_t page = path_page(w, r->path, r->page, r->leaf_level, level);

		n += page != SPHT_NO_ID && !w->mmu.pages[page].exists &&
		     (level < 4 || w->pages[page].lost);
	}
	return n;
}

int spht_w_helper_fetch(struct spht_whatif *w, const struct spht_wregion *r, uint64_t vpn)
{
	int made = 0;

	spht_w_make_room(w, spht_shortage(&w->mmu, w->c->mmu_pages));
	for (unsigned int level = 4; level >= r->leaf_level; level--) {
		uint32_t page = path_page(w, r->path, r->page, r->leaf_level, level);

		/* Which root it is may be a guess: nobody makes one for that. */
		if (page == SPHT_NO_ID || w->mmu.pages[page].exists ||
		    (level == 4 && !w->pages[page].lost))
			continue;
		make_for_helper(w, page);
		spht_w_touched(w, page);
		made++;
	}
	spht_mmu_clear_flood(&w->mmu, r->path, r->page, r->leaf_level);
	for (unsigned int level = 4; level > r->leaf_level; level--) {
		uint32_t page = path_page(w, r->path, r->page, r->leaf_level, level);
		uint32_t child = path_page(w, r->path, r->page, r->leaf_level, level - 1);
		unsigned int index = spht_vpn_index(vpn, level);
		uint32_t hangs = page == SPHT_NO_ID ? child : spht_mmu_child(&w->mmu, page, index);

		if (hangs == child)
			continue;
		/* The recording has another page there: the path is an old one, or its root a guess. */
		if (hangs != SPHT_NO_ID && !spht_w_extra(&w->pages[page], index))
			continue;
		if (spht_mmu_link(&w->mmu, page, index, child))
			return -1;
		if (!spht_bit(w->pages[page].lack, index))
			spht_w_mark(w, &w->pages[page].extra, index);
		spht_bit_clear(w->pages[page].lack, index);
		spht_w_touched(w, page);
	}
	return made;
}

void spht_w_unmap(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	const struct spht_shadow *shadow = w->c->shadow;
	uint32_t child, table, region;

	if (level_of(w, page) != 2 || !w->mmu.pages[page].child)
		return;
	/* What hung there last, linked or not. */
	child = w->mmu.pages[page].child[index];
	if (child == SPHT_NO_ID || is_direct(w, child))
		return;
	table = spht_idmap_find(&shadow->tables, spht_shadow_gfn(shadow, child), 1);
	region = table == SPHT_NO_ID ? 0 : w->table_region[table];
	if (region && w->regions[region - 1].page == child)
		w->regions[region - 1].valid = false;
}

void spht_w_store(struct spht_whatif *w, const struct spht_step *s, const struct spht_do *d)
{
	if (!w->flood_cleared && (s->flags & SPHT_STEP_HAS_LEAF) &&
	    (s->flags & SPHT_STEP_REQUESTED)) {
		spht_mmu_clear_flood(&w->mmu, s->path, s->page, s->leaf_level);
		w->flood_cleared = true;
	}
	if (w->mmu.pages[d->page].exists && spht_store_floods(&w->mmu, d->page, d->index))
		zap_own(w, d->page, SPHT_ZAP_FLOODED);
}

void spht_w_begin_pages(struct spht_whatif *w, const struct spht_step *s)
{
	/* page_fault_handle_page_track: the store finds its table's entry, read-only. */
	bool tracked = s->cls == SPHT_CLASS_PTWRITE_EMUL && (s->flags & SPHT_STEP_HAS_LEAF) &&
		       !(s->flags & SPHT_STEP_REQUESTED) && (s->pfec & SPHT_PF_P) &&
		       (s->pfec & SPHT_PF_W);

	w->step = s;
	w->short_of = spht_shortage(&w->mmu, w->c->mmu_pages);
	w->flood_cleared = tracked;
	if (tracked)
		spht_mmu_clear_flood(&w->mmu, s->path, s->page, s->leaf_level);
}

/* Rings through all pages of a gfn, whatever their roles. */
static int link_gfns(struct spht_whatif *w, struct spht_idmap *gfns, uint32_t *last)
{
	for (uint32_t i = 0; i < w->c->shadow->pages.nr; i++) {
		uint32_t before = gfns->nr;
		uint32_t id = spht_idmap_get(gfns, spht_shadow_gfn(w->c->shadow, i), 0);

		if (id == SPHT_NO_ID)
			return -1;
		w->pages[i].same_gfn = i;
		if (id < before) {
			w->pages[i].same_gfn = w->pages[last[id]].same_gfn;
			w->pages[last[id]].same_gfn = i;
		}
		last[id] = i;
	}
	return 0;
}

int spht_w_pages_init(struct spht_whatif *w)
{
	uint32_t *last = malloc((w->c->shadow->pages.nr + 1u) * sizeof(*last));
	struct spht_idmap gfns;
	int ret = -1;

	if (last && !spht_idmap_init(&gfns)) {
		ret = link_gfns(w, &gfns, last);
		spht_idmap_close(&gfns);
	}
	free(last);
	return ret;
}

void spht_w_pages_close(struct spht_whatif *w)
{
	for (uint32_t i = 0; w->pages && i < w->mmu.nr; i++) {
		free(w->pages[i].extra);
		free(w->pages[i].theirs);
		free(w->pages[i].used);
	}
	free(w->below.v);
}
