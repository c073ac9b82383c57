// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/observe-local.h"

struct spht_observed *spht_observed_open(const struct spht_role_layout *layout, unsigned int window,
					 struct spht_room room)
{
	struct spht_observed *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->always = -1;
	o->role = SPHT_NO_ID;
	o->window = window;
	if (spht_shadow_init(&o->shadow, layout) || spht_idmap_init(&o->frames) ||
	    spht_idmap_init(&o->gfns) || spht_idmap_init(&o->rmap_gfns) ||
	    spht_idmap_init(&o->snap_gfns) || spht_steps_init(&o->steps, room))
		goto fail;
	spht_mmu_init(&o->mmu, &o->shadow);
	o->guest = spht_guest_open(&o->steps.changes);
	if (o->guest)
		return o;
fail:
	spht_observed_close(o);
	return NULL;
}

/* What no question is asked of once the recording has ended. */
static void forget(struct spht_observed *o)
{
	for (uint32_t i = 0; i < o->cap_pages; i++) {
		for (unsigned int c = 0; c < SPHT_INFO_CHUNKS; c++)
			free(o->pages[i].chunk[c]);
		free(o->pages[i].l3_gfn);
	}
	free(o->pages);
	o->pages = NULL;
	o->cap_pages = 0;
	free(o->rmap);
	free(o->rmap_head);
	o->rmap = NULL;
	o->rmap_head = NULL;
	o->nr_rmap = o->cap_rmap = o->free_rmap = o->cap_rmap_head = 0;
	spht_guest_close(o->guest);
	o->guest = NULL;
	spht_obs_snaps_close(o);
}

void spht_observed_close(struct spht_observed *o)
{
	if (!o)
		return;
	forget(o);
	free(o->owner);
	free(o->gfn_head);
	free(o->frame_page);
	free(o->pending);
	free(o->expected.v);
	free(o->below.v);
	spht_idmap_close(&o->rmap_gfns);
	free(o->vcpus);
	spht_steps_close(&o->steps);
	spht_mmu_close(&o->mmu);
	spht_idmap_close(&o->frames);
	spht_idmap_close(&o->gfns);
	spht_shadow_close(&o->shadow);
	free(o);
}

struct spht_obs_info *spht_obs_info(struct spht_observed *o, uint32_t page, unsigned int index)
{
	struct spht_obs_info **c = &o->pages[page].chunk[index / SPHT_INFO_CHUNK];

	if (!*c)
		*c = calloc(SPHT_INFO_CHUNK, sizeof(**c));
	return *c ? *c + index % SPHT_INFO_CHUNK : NULL;
}

/* A page that is older than the trace: it exists, its entries are unknown. */
int spht_obs_assume(struct spht_observed *o, uint32_t page)
{
	if (o->mmu.pages[page].exists)
		return 0;
	spht_mmu_assume(&o->mmu, page, o->step);
	return spht_steps_do(&o->steps, SPHT_DO_ASSUME, page, 0, false);
}

int spht_obs_drop(struct spht_observed *o, uint32_t page, unsigned int index)
{
	spht_mmu_drop(&o->mmu, page, index);
	return spht_steps_do(&o->steps, SPHT_DO_DROP, page, index, false);
}

/* Every entry that hangs in @page is gone: its guest table has become another one. */
static int drop_all(struct spht_observed *o, uint32_t page)
{
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++)
		if (spht_mmu_present(&o->mmu, page, i) && spht_obs_drop(o, page, i))
			return -1;
	return 0;
}

/* An emulated store into a tracked table unlinks what hung there (kvm_mmu_pte_write). */
static int emulated_store(struct spht_observed *o, const struct spht_exit *x)
{
	unsigned int index = SPHT_PT_INDEX(x->store_gpa >> 3);
	uint32_t page = spht_obs_first_page(o, x->store_gpa >> SPHT_PAGE_SHIFT);

	for (; page != SPHT_NO_ID; page = o->pages[page].next_same_gfn) {
		uint32_t role = spht_shadow_role(&o->shadow, page);

		if (spht_role_direct(o->shadow.layout, role))
			continue;
		if (o->pages[page].l3_gfn)
			o->pages[page].l3_gfn[index] = 0;
		/* Said to the what-ifs even where nothing hangs: a helper may have linked it. */
		if (spht_obs_drop(o, page, index))
			return -1;
	}
	return 0;
}

/* The guest has taken its own entry away, and the shadow entry went with it, unseen. */
static int unmapped(struct spht_observed *o, const struct spht_obs_vcpu *v,
		    const struct spht_obs_where *w, const struct spht_exit *x)
{
	const struct spht_mmu_spot *at = &w->at;
	const struct spht_obs_info *info = spht_obs_info(o, at->page, at->index);
	bool range = at->page == w->page && !(x->walk.pte[x->walk.nr - 1] & SPHT_PTE_P);
	uint32_t since;

	if (!info)
		return -1;
	range = range && !info->proven && !info->preamble;
	since = range ? spht_obs_unmapped(o, v, at->page, info) : 0;
	if (spht_obs_drop(o, at->page, at->index))
		return -1;
	return since ? spht_obs_drop_beside(o, at->page, at->index, since,
					    SPHT_DERIVED_BESIDE_GUEST)
		     : 0;
}

/*
 * A guest fault carries the hardware's answer too: P=0, no entry.  If the code
 * that KVM injects has P=1 it invalidates the address, which drops the entry
 * where the table is unsync (kvm_inject_emulated_page_fault, FNAME(invlpg)).
 */
static int guest_fault(struct spht_observed *o, struct spht_obs_vcpu *v,
		       const struct spht_obs_where *w, const struct spht_exit *x)
{
	bool injected_p = x->walk.error & SPHT_PF_P;

	v->cow_page = injected_p && w->has_leaf ? w->page : SPHT_NO_ID;
	v->cow_index = w->index;
	if (!w->has_leaf)
		return 0;
	/* Not where the guest's entry is there and permits less: that one trapped. */
	if (!(x->pfec & SPHT_PF_P) && !injected_p && o->mmu.pages[w->page].exists &&
	    !o->mmu.pages[w->page].unsync &&
	    !spht_mmu_missing(&o->mmu, w->path, w->page, w->leaf_level, w->vpn))
		o->steps.last->flags |= SPHT_STEP_BYPASS;
	/* Said to the what-ifs even where nothing is there: a helper may have built it. */
	if (injected_p && o->mmu.pages[w->page].unsync)
		return spht_obs_drop(o, w->page, w->index);
	/* Another vCPU may have made it since. */
	if (x->raced && v->seen == SPHT_BELIEF_ABSENT)
		return 0;
	if ((x->pfec & SPHT_PF_P) || w->at.unknown ||
	    !spht_mmu_present(&o->mmu, w->at.page, w->at.index))
		return 0;
	return unmapped(o, v, w, x);
}

static int on_fault(struct spht_observed *o, struct spht_obs_vcpu *v, struct spht_obs_where *w,
		    const struct spht_exit *x)
{
	const struct spht_op *got;

	if (spht_obs_resolve(o, v, w, x))
		return -1;
	if (!w->has_leaf)
		return 0;
	if (spht_obs_owner(o, w))
		return -1;
	got = spht_obs_got(o, x, w->page);
	/* A used-again table was zeroed first: being got unsync syncs all of that away. */
	if (got && !got->created && got->unsync && w->fresh && *w->fresh && drop_all(o, w->page))
		return -1;
	if (got && w->fresh)
		*w->fresh = false;
	if (spht_obs_check_fault(o, v, w, x))
		return -1;
	if (x->cls == SPHT_CLASS_GUEST && guest_fault(o, v, w, x))
		return -1;
	return spht_obs_leaf_evidence(o, w, x);
}

static void fill_step(struct spht_observed *o, struct spht_obs_vcpu *v,
		      const struct spht_obs_where *w, const struct spht_exit *x)
{
	struct spht_step *s = o->steps.last;
	uint64_t window = x->t_entry - x->t_exit;
	bool hidden = x->cls == SPHT_CLASS_HIDDEN;
	bool base = hidden || x->cls == SPHT_CLASS_AD ||
		    (x->cls == SPHT_CLASS_HUGE && !x->nopaging);

	s->t_exit = x->t_exit;
	s->vpn = spht_gva_vpn(x->gva);
	s->rip = x->rip;
	s->pfec = x->pfec;
	s->cls = x->cls;
	s->sub = x->sub;
	s->vcpu = x->vcpu;
	s->window_ns = window > UINT32_MAX ? UINT32_MAX : (uint32_t)window;
	s->space = w->space;
	s->region = w->region;
	s->path = w->path;
	s->page = w->page;
	s->table = w->table;
	s->index = w->index;
	s->leaf_level = w->leaf_level;
	s->stop = w->stop;
	s->flags |= (x->cls != SPHT_CLASS_NONE ? SPHT_STEP_PF : 0) |
		    (x->pfec & SPHT_PF_W ? SPHT_STEP_NEED_W : 0) |
		    (base && w->has_leaf ? SPHT_STEP_BASE : 0) |
		    (x->refault ? SPHT_STEP_REFAULT : 0) |
		    (base && !w->has_leaf ? SPHT_STEP_UNMODELLED : 0) |
		    (w->has_leaf ? SPHT_STEP_HAS_LEAF : 0) | (w->direct ? SPHT_STEP_DIRECT : 0) |
		    (w->has_stop ? SPHT_STEP_STOP : 0) | (x->requested ? SPHT_STEP_REQUESTED : 0);
	o->fid.unmodelled += base && !w->has_leaf;
	o->steps.nr_hidden += hidden;
	o->steps.hidden_ns += hidden ? window : 0;
	o->fid.root_unknown += w->doubt;
	if (v) {
		s->gap_ns = v->gap_ns;
		s->other_exits = v->other_exits;
		s->other_ns = v->other_ns;
		v->gap_ns = v->other_exits = v->other_ns = 0;
	}
}

static const struct spht_obs_where nowhere = {
	.space = SPHT_NO_ID,
	.region = SPHT_NO_ID,
	.path = SPHT_NO_ID,
	.page = SPHT_NO_ID,
	.table = SPHT_NO_ID,
};

/*
 * A fault has come; other threads work before its vCPU does.  What the
 * hardware found is to be held against the entry as it is now.
 */
static int on_seen(struct spht_observed *o, const struct spht_exit *x)
{
	struct spht_obs_vcpu *v = spht_obs_vcpu(o, x->vcpu);
	struct spht_obs_where w = nowhere;
	int seen = -1, ret = 0;

	if (!v || spht_obs_resolve(o, v, &w, x))
		return -1;
	o->between = true;
	/* A page that nobody has named yet may be older than the recording. */
	if (w.has_leaf && (o->mmu.pages[w.page].exists || o->pages[w.page].seen))
		ret = spht_obs_believe(o, v, &w, x, &seen);
	o->between = false;
	if (ret)
		return -1;
	v->seen = (int8_t)seen;
	return 0;
}

static int on_window(struct spht_observed *o, const struct spht_exit *x)
{
	struct spht_obs_vcpu *v = spht_obs_vcpu(o, x->vcpu);
	struct spht_obs_where w = nowhere;
	uint64_t window;

	if (!v)
		return -1;
	if (v->t_entry && x->t_exit > v->t_entry)
		v->gap_ns += x->t_exit - v->t_entry;
	v->t_entry = x->t_entry;
	spht_obs_guest_flush(o, v, x);
	if (x->cls == SPHT_CLASS_NONE && !x->nr_ops && !x->store_known &&
	    !(x->snaps && x->snaps->nr) && !(x->invlpg && spht_obs_invalidates(o, v, x))) {
		v->other_exits++;
		window = x->t_entry - x->t_exit;
		v->other_ns = window < UINT32_MAX - v->other_ns ? v->other_ns + (uint32_t)window
								: UINT32_MAX;
		return 0;
	}
	if (!spht_steps_add(&o->steps))
		return -1;
	o->step = o->steps.nr - 1;
	if (x->cls != SPHT_CLASS_NONE && on_fault(o, v, &w, x))
		return -1;
	if (spht_obs_snaps(o, &w, x))
		return -1;
	if (x->invlpg && spht_obs_invalidated(o, v, x))
		return -1;
	if (w.doubt && w.has_leaf && x->requested && spht_obs_tell_root(o, v, &w, x))
		return -1;
	if (spht_obs_apply(o, v, &w, x))
		return -1;
	if (x->store_known && emulated_store(o, x))
		return -1;
	if (w.has_leaf && x->requested && spht_obs_group_evidence(o, &w))
		return -1;
	fill_step(o, v, &w, x);
	return 0;
}

/*
 * Losing events makes every belief a guess until the page is created anew, and
 * ends what was known of the guest's tables: nothing is proven across the gap.
 */
static int on_loss(struct spht_observed *o)
{
	for (uint32_t i = 0; i < o->cap_pages; i++) {
		struct spht_mmu_page *p = &o->mmu.pages[i];

		o->pages[i].frame = 0;
		o->pages[i].seen = false;
		free(o->pages[i].l3_gfn); /* stores to it may have been among them */
		o->pages[i].l3_gfn = NULL;
		if (!p->exists)
			continue;
		memset(p->unknown, 0xff, sizeof(p->unknown));
		p->unsync = true;
	}
	if (o->cap_frames)
		memset(o->frame_page, 0, o->cap_frames * sizeof(*o->frame_page));
	for (uint32_t v = 0; v < o->nr_vcpus; v++) {
		o->vcpus[v].root_sure = false;
		o->vcpus[v].cow_page = SPHT_NO_ID;
	}
	for (uint32_t t = 0; t < o->shadow.tables.nr; t++)
		if (spht_guest_reuse(o->guest, t, o->step))
			return -1;
	return 0;
}

/* Memory, unless the steps know more. */
static int failed(const struct spht_observed *o, struct spht_error *err)
{
	const struct spht_error *why = spht_steps_error(&o->steps);

	if (why)
		*err = *why;
	else
		spht_error_set(err, "out of memory while replaying");
	return -1;
}

int spht_observed_exit(void *observed, const struct spht_exit *x, struct spht_error *err)
{
	struct spht_observed *o = observed;
	struct spht_obs_where w = {.page = SPHT_NO_ID};
	struct spht_obs_vcpu *v = NULL;
	int ret = 0;

	if (x->kind == SPHT_EXIT_PIECE) {
		v = spht_obs_vcpu(o, x->vcpu);
		ret = v ? 0 : -1;
	}
	if (ret) {
		;
	} else if (x->kind == SPHT_EXIT_WINDOW) {
		ret = on_window(o, x);
	} else if (x->kind == SPHT_EXIT_SEEN) {
		ret = on_seen(o, x);
	} else if (!spht_steps_add(&o->steps)) {
		ret = -1;
	} else {
		o->step = o->steps.nr - 1;
		o->steps.last->t_exit = x->t_exit;
		o->steps.last->region = SPHT_NO_ID;
		o->steps.last->flags = SPHT_STEP_LOOSE;
		if (x->kind == SPHT_EXIT_LOSS) {
			o->steps.last->flags |= SPHT_STEP_LOSS;
			ret = on_loss(o);
		} else {
			ret = spht_obs_snaps(o, &w, x) || spht_obs_apply(o, v, &w, x) ? -1 : 0;
		}
	}
	if (ret && o->nested) {
		spht_error_set(err,
			       "at %" PRIu64
			       " ns a shadow page of a nested guest (role guest_mode): "
			       "shadowed EPT/NPT is not modelled yet; record without nested guests",
			       x->t_exit);
		return -1;
	}
	return ret ? failed(o, err) : 0;
}

int spht_observed_finish(struct spht_observed *o, struct spht_error *err)
{
	/* It has ended before. */
	if (!o->guest)
		return 0;
	if (spht_guest_finish(o->guest) || spht_steps_finish(&o->steps))
		return failed(o, err);
	forget(o);
	return 0;
}

struct spht_shadow *spht_observed_shadow(struct spht_observed *o)
{
	return &o->shadow;
}

const struct spht_steps *spht_observed_steps(const struct spht_observed *o)
{
	return &o->steps;
}

const struct spht_mmu *spht_observed_mmu(const struct spht_observed *o)
{
	return &o->mmu;
}

const struct spht_fidelity *spht_observed_fidelity(const struct spht_observed *o)
{
	return &o->fid;
}

void spht_observed_snapshots(struct spht_observed *o, enum spht_snap_mode mode)
{
	o->snap_mode = mode;
}

const struct spht_snap_use *spht_observed_snap_use(const struct spht_observed *o)
{
	return &o->snap_use;
}

void spht_observed_mock(struct spht_observed *o, int always)
{
	o->always = always;
}

void spht_observed_on_miss(struct spht_observed *o, spht_miss_fn *fn, void *arg)
{
	o->on_miss = fn;
	o->miss_arg = arg;
}
