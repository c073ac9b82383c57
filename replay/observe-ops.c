// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "replay/observe-local.h"

static int do_set(struct spht_observed *o, uint8_t kind, uint32_t page, unsigned int index,
		  gfn_t gfn, uint64_t spte)
{
	struct spht_obs_info *info = spht_obs_info(o, page, index);
	bool newly;

	if (!info)
		return -1;
	newly = !spht_mmu_present(&o->mmu, page, index) || info->gfn != (uint32_t)gfn;
	if (info->gfn != (uint32_t)gfn)
		spht_obs_rmap_del(o, info);
	if (spht_obs_rmap_add(o, gfn, page, index, info))
		return -1;
	info->spte = spte;
	info->gfn = (uint32_t)gfn;
	info->preamble = false;
	info->step = o->step;
	info->proven = false;
	info->gone = 0;
	spht_mmu_set_any(&o->mmu, page, index, spte & SPHT_PTE_W);
	if (spht_steps_do(&o->steps, kind, page, index, spte & SPHT_PTE_W))
		return -1;
	info->prefetch = kind == SPHT_DO_PREFETCH ? o->step + 1 : 0;
	return newly && spht_obs_rmap_many(o, info) ? spht_obs_rmap_limit(o, info, page) : 0;
}

/*
 * Binds a frame of SPTEs to its shadow page.  SPTEs that a cut's preamble
 * recorded on the frame now have a place; the page's other entries are absent.
 */
static int bind_frame(struct spht_observed *o, uint64_t frame, uint32_t page)
{
	uint32_t id;

	if (o->pages[page].frame == frame + 1)
		return 0;
	id = spht_idmap_get(&o->frames, frame, 0);
	if (id == SPHT_NO_ID || spht_obs_grow_frames(o, id))
		return -1;
	/* Another page's SPTEs were here before: it is bound no more. */
	if (o->frame_page[id])
		o->pages[o->frame_page[id] - 1].frame = 0;
	o->frame_page[id] = page + 1;
	o->pages[page].frame = frame + 1;
	if (!o->nr_pending || !o->pages[page].preamble)
		return 0;
	o->pages[page].preamble = false;
	memset(o->mmu.pages[page].unknown, 0, sizeof(o->mmu.pages[page].unknown));
	for (size_t i = 0; i < o->nr_pending; i++) {
		unsigned int index = SPHT_PT_INDEX(o->pending[i].sptep >> 3);
		struct spht_obs_info *info;

		if (o->pending[i].sptep >> SPHT_PAGE_SHIFT != frame)
			continue;
		if (do_set(o, SPHT_DO_PROVE, page, index, o->pending[i].gfn, o->pending[i].spte))
			return -1;
		info = spht_obs_info(o, page, index);
		info->preamble = true;
	}
	return 0;
}

/* An event says whether the page is unsync; the what-ifs are told where that is news. */
static int set_unsync(struct spht_observed *o, uint32_t page, bool unsync)
{
	struct spht_mmu_page *p = &o->mmu.pages[page];

	if (p->unsync == unsync)
		return 0;
	p->unsync = unsync;
	return spht_steps_do(&o->steps, unsync ? SPHT_DO_UNSYNC : SPHT_DO_SYNC, page, 0, false);
}

static int op_get(struct spht_observed *o, struct spht_obs_vcpu *v, const struct spht_op *op,
		  bool preamble)
{
	uint32_t page = spht_obs_page(o, op->gfn, op->role);
	unsigned int level = spht_role_level(o->shadow.layout, op->role);
	struct spht_mmu_page *p;
	bool seen;

	if (spht_role_nested(o->shadow.layout, op->role))
		o->nested = true;
	if (page == SPHT_NO_ID || o->nested)
		return -1;
	p = &o->mmu.pages[page];
	seen = o->pages[page].seen;
	o->pages[page].seen = true;
	if (preamble) {
		/* Faults can be resolved before the first root is loaded after the cut. */
		if (level == 4)
			o->role = spht_shadow_role(&o->shadow, page);
		o->pages[page].preamble = true;
		return spht_obs_assume(o, page) || set_unsync(o, page, op->unsync) ? -1 : 0;
	}
	if (seen || op->created)
		o->fid.get_page[p->exists][op->created]++;
	else
		o->fid.unknown_start++;
	if ((seen || op->created) && p->exists == op->created)
		spht_obs_miss(o, op->created ? SPHT_CHECK_CREATED : SPHT_CHECK_FOUND,
			      p->exists ? SPHT_BELIEF_STRONG : SPHT_BELIEF_ABSENT, false, page,
			      SPHT_PT_ENTRIES);
	if (op->created) {
		if (p->exists &&
		    spht_steps_do(&o->steps, SPHT_DO_ZAP, page, SPHT_ZAP_UNSEEN, false))
			return -1;
		spht_mmu_zap(&o->mmu, page);
		spht_mmu_create(&o->mmu, page, o->step);
		o->pages[page].made = o->step;
		o->pages[page].preamble = false;
		if (spht_steps_do(&o->steps, SPHT_DO_CREATE, page, 0, false) ||
		    (level > 1 && spht_obs_upper(o, page)) ||
		    (!spht_role_direct(o->shadow.layout, op->role) &&
		     spht_obs_write_protect(o, op->gfn)))
			return -1;
	} else {
		if (spht_obs_assume(o, page))
			return -1;
		/* Found unsync: kvm_mmu_find_shadow_page syncs it in place, without an event. */
		if (set_unsync(o, page, op->unsync))
			return -1;
		if (level == 4)
			p->flood = 0;
		if (level == 4 && spht_steps_do(&o->steps, SPHT_DO_ROOT, page, 0, false))
			return -1;
		if (op->unsync)
			o->pages[page].last_sync = o->step;
		if (op->unsync && spht_obs_snap_sync(o, page, op->gfn))
			return -1;
	}
	if (v && level == 4)
		spht_obs_root_load(o, v, page, op->created);
	return 0;
}

/*
 * SPTEs belong to the leaf of the fault's walk once the entry was requested;
 * elsewhere (INVLPG, injected #PF) to the page that owns the frame.
 */
static int op_set(struct spht_observed *o, struct spht_obs_where *w, const struct spht_op *op,
		  bool requested, bool preamble)
{
	unsigned int index = SPHT_PT_INDEX(op->sptep >> 3);
	uint64_t frame = op->sptep >> SPHT_PAGE_SHIFT;
	uint8_t kind;
	uint32_t page;

	if (preamble)
		return spht_obs_pend(o, op);
	if (requested && w->has_leaf && op->level == w->leaf_level) {
		bool demand = index == w->index && !w->demand_done;

		page = w->page;
		/* Its creation was lost: it exists all the same. */
		if (spht_obs_assume(o, page) || bind_frame(o, frame, page))
			return -1;
		kind = demand ? SPHT_DO_SET : SPHT_DO_PREFETCH;
		if (demand)
			w->demand_done = true;
		else if (spht_obs_prefetched(o, w, index, op))
			return -1;
		return do_set(o, kind, page, index, op->gfn, op->spte);
	}
	if (requested && !w->four_levels) {
		o->fid.other_mode++;
		return 0;
	}
	page = spht_idmap_find(&o->frames, frame, 0);
	page = page != SPHT_NO_ID ? o->frame_page[page] : 0;
	if (!page-- || !o->mmu.pages[page].exists) {
		o->fid.unbound++;
		return 0;
	}
	return do_set(o, SPHT_DO_REFRESH, page, index, op->gfn, op->spte);
}

static int op_page(struct spht_observed *o, const struct spht_exit *x, size_t i)
{
	const struct spht_op *op = &x->ops[i];
	uint32_t page = spht_obs_page(o, op->gfn, op->role);
	struct spht_mmu_page *p;

	if (page == SPHT_NO_ID)
		return -1;
	p = &o->mmu.pages[page];
	switch (op->kind) {
	case SPHT_OP_ZAP:
		/* A root zapped in use shows again when it is freed: its successor may be there. */
		if (!p->exists || (op->role >> o->shadow.layout->invalid_bit & 1))
			return 0;
		o->pages[page].made = o->step;
		return spht_obs_zap(o, x, i, page);
	case SPHT_OP_SYNC:
		/* Also printed when an unsync page is zapped, after its zap: not a sync. */
		if (!p->exists)
			return 0;
		p->unsync = false;
		p->sync_pos = o->step;
		o->pages[page].last_sync = o->step;
		if (spht_obs_write_protect(o, op->gfn) || spht_obs_snap_sync(o, page, op->gfn))
			return -1;
		return spht_steps_do(&o->steps, SPHT_DO_SYNC, page, 0, false);
	default:
		if (spht_obs_assume(o, page))
			return -1;
		p->unsync = true;
		return spht_steps_do(&o->steps, SPHT_DO_UNSYNC, page, 0, false);
	}
}

/*
 * Pages on a path that KVM just used exist, whether their creation was seen or
 * not.  The root is left alone: which one it is may be a guess.
 */
static int assume_path(struct spht_observed *o, uint32_t path)
{
	uint32_t l3 = spht_path_l3(&o->shadow, path), l2 = spht_path_l2(&o->shadow, path);

	if (l3 != SPHT_NO_ID && spht_obs_assume(o, l3))
		return -1;
	return l2 != SPHT_NO_ID ? spht_obs_assume(o, l2) : 0;
}

/* KVM linked the path to the fault's leaf; a zap that comes later takes it apart again. */
static int link_leaf(struct spht_observed *o, struct spht_obs_where *w)
{
	if (!w->has_leaf || w->linked)
		return 0;
	w->linked = true;
	if (assume_path(o, w->path))
		return -1;
	return spht_mmu_link_path(&o->mmu, w->path, w->page, w->leaf_level, w->vpn);
}

/*
 * Which entries of the fault's leaf are set is known, and what is linked with them lies
 * anywhere: begins to read it.
 */
static void fetch_ahead(const struct spht_observed *o, const struct spht_obs_where *w,
			const struct spht_exit *x)
{
	struct spht_obs_info *const *chunk = o->pages[w->page].chunk;

	for (size_t i = 0; i < x->nr_ops; i++) {
		unsigned int index = SPHT_PT_INDEX(x->ops[i].sptep >> 3);
		const struct spht_obs_info *c = chunk[index / SPHT_INFO_CHUNK];

		if (x->ops[i].kind == SPHT_OP_SET && c)
			__builtin_prefetch(&o->rmap[c[index % SPHT_INFO_CHUNK].rmap]);
	}
}

int spht_obs_apply(struct spht_observed *o, struct spht_obs_vcpu *v, struct spht_obs_where *w,
		   const struct spht_exit *x)
{
	bool requested = false;

	if (w->has_leaf && x->requested && o->rmap)
		fetch_ahead(o, w, x);
	if (spht_obs_expect(o, v, w, x))
		return -1;
	for (size_t i = 0; i < x->nr_ops; i++) {
		const struct spht_op *op = &x->ops[i];
		int ret = 0;

		switch (op->kind) {
		case SPHT_OP_GET:
			spht_obs_check_leaf(o, w, op);
			ret = op_get(o, v, op, x->preamble);
			/* Made for this very fault: nothing was in it, whatever a loss left open. */
			if (op->created && w->has_leaf &&
			    spht_obs_page(o, op->gfn, op->role) == w->page)
				w->before = w->unknown = 0;
			break;
		case SPHT_OP_SET:
			ret = requested ? link_leaf(o, w) : 0;
			if (!ret)
				ret = op_set(o, w, op, requested, x->preamble);
			break;
		case SPHT_OP_REQUESTED:
			requested = true;
			break;
		case SPHT_OP_ZAP_ALL:
			spht_mmu_zap_all(&o->mmu);
			ret = spht_steps_do(&o->steps, SPHT_DO_ZAP_ALL, 0, 0, false);
			break;
		default:
			ret = op_page(o, x, i);
			break;
		}
		if (ret)
			return -1;
	}
	if (requested && link_leaf(o, w))
		return -1;
	return spht_obs_expected(o);
}
