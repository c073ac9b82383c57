// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "replay/observe-local.h"

void spht_fidelity_sides(const struct spht_fidelity *f, struct spht_fidelity_sides *s)
{
	s->absent[0] = f->prefetched[0];
	s->absent[1] = f->prefetched[0] + f->prefetched[1];
	s->present[0] = f->kept[0] + f->spurious[0];
	s->present[1] = s->present[0] + f->kept[1] + f->spurious[1];
	for (unsigned int c = 0; c < SPHT_CLASS_NR; c++) {
		s->absent[0] += f->pbit[c][0][SPHT_BELIEF_ABSENT];
		s->present[0] += f->pbit[c][1][SPHT_BELIEF_WEAK];
		for (unsigned int b = 0; b < SPHT_BELIEF_NR; b++) {
			s->absent[1] += f->pbit[c][0][b];
			s->present[1] += f->pbit[c][1][b];
		}
	}
}

void spht_fidelity_score(const struct spht_fidelity *f, uint64_t *agreed, uint64_t *all)
{
	struct spht_fidelity_sides s;

	spht_fidelity_sides(f, &s);
	*agreed = s.absent[0] + s.present[0];
	*all = s.absent[1] + s.present[1];
}

void spht_fidelity_pages(const struct spht_fidelity *f, uint64_t pages[2])
{
	pages[0] = f->get_page[0][1] + f->get_page[1][0];
	pages[1] = pages[0] + f->get_page[0][0] + f->get_page[1][1];
}

bool spht_fidelity_passes(const struct spht_fidelity *f)
{
	struct spht_fidelity_sides s;

	spht_fidelity_sides(f, &s);
	return s.absent[0] * 100 >= s.absent[1] * SPHT_FIDELITY_MIN_PERCENT &&
	       s.present[0] * 100 >= s.present[1] * SPHT_FIDELITY_MIN_PERCENT;
}

/* Present, too weak or strong enough for this access: from the recorded SPTE's bits. */
static int strength(const struct spht_observed *o, const struct spht_mmu_spot *at,
		    const struct spht_obs_info *info, uint32_t pfec)
{
	bool writable = spht_bit(o->mmu.pages[at->page].writable, at->index);

	if ((pfec & SPHT_PF_W) && !writable)
		return SPHT_BELIEF_WEAK;
	if (info->proven)
		return SPHT_BELIEF_STRONG;
	if ((pfec & SPHT_PF_U) && !(info->spte & SPHT_PTE_U))
		return SPHT_BELIEF_WEAK;
	if ((pfec & SPHT_PF_FETCH) && (info->spte & SPHT_PTE_NX))
		return SPHT_BELIEF_WEAK;
	return SPHT_BELIEF_STRONG;
}

static int belief(struct spht_observed *o, const struct spht_obs_where *w, uint32_t pfec)
{
	const struct spht_mmu_page *leaf = &o->mmu.pages[w->page];
	const struct spht_mmu_spot *at = &w->at;
	const struct spht_mmu_page *p = &o->mmu.pages[at->page];
	struct spht_obs_info *info;

	/* What led to a page that is older than the trace is not known either. */
	if (at->page != w->page && !spht_bit(p->present, at->index) && leaf->exists &&
	    spht_bit(leaf->unknown, w->index))
		return -1;
	if (!p->exists)
		return SPHT_BELIEF_ABSENT;
	if (spht_bit(p->unknown, at->index))
		return -1;
	if (!spht_bit(p->present, at->index))
		return SPHT_BELIEF_ABSENT;
	if (at->unknown)
		return -1;
	info = spht_obs_info(o, at->page, at->index);
	if (!info || info->preamble)
		return -1;
	return strength(o, at, info, pfec);
}

/* What the walk tells of the entry that the hardware is about to look for. */
static enum spht_derived foresee(struct spht_observed *o, const struct spht_obs_vcpu *v,
				 const struct spht_obs_where *w, const struct spht_exit *x)
{
	uint64_t pte = x->walk.nr ? x->walk.pte[x->walk.nr - 1] : 0;

	if (w->direct || w->leaf_level != 1 || w->at.page != w->page || !(pte & SPHT_PTE_P))
		return SPHT_DERIVED_NOTHING;
	return spht_obs_derive(o, v, w->page, w->index, spht_pte_gfn(pte), pte & SPHT_PTE_A);
}

/* Drops that the guest's entry tells of.  The fault then shows if they are right. */
static int derive(struct spht_observed *o, const struct spht_obs_vcpu *v,
		  const struct spht_obs_where *w, const struct spht_exit *x)
{
	enum spht_derived why = foresee(o, v, w, x);
	const struct spht_obs_info *info;
	uint32_t since;
	uint64_t pte;
	bool range;

	if (why == SPHT_DERIVED_NOTHING)
		return 0;
	pte = x->walk.pte[x->walk.nr - 1];
	o->fid.derived[why][!!(x->pfec & SPHT_PF_P)]++;
	since = why == SPHT_DERIVED_FLUSHED ? v->last_flush : o->pages[w->page].last_sync;
	/* A page that is copied on write, or has lost its A bit alone, is no range. */
	info = spht_obs_info(o, w->page, w->index);
	range = info->gfn != (uint32_t)spht_pte_gfn(pte) &&
		((info->spte & SPHT_PTE_W) || !(pte & SPHT_PTE_W));
	if (spht_obs_drop_dated(o, w->page, w->index))
		return -1;
	if (!range)
		return 0;
	return spht_obs_drop_beside(o, w->page, w->index, since, SPHT_DERIVED_BESIDE_WALK);
}

int spht_obs_believe(struct spht_observed *o, struct spht_obs_vcpu *v, struct spht_obs_where *w,
		     const struct spht_exit *x, int *answer)
{
	spht_mmu_walk(&o->mmu, w->path, w->page, w->leaf_level, w->vpn, &w->at);
	if (derive(o, v, w, x))
		return -1;
	*answer = belief(o, w, x->pfec);
	return 0;
}

int spht_obs_peek(struct spht_observed *o, const struct spht_obs_where *where,
		  const struct spht_exit *x)
{
	const struct spht_obs_vcpu *v = spht_obs_vcpu(o, x->vcpu);
	struct spht_obs_where w = *where;

	w.vpn = spht_gva_vpn(x->gva);
	w.direct = spht_role_direct(o->shadow.layout, spht_shadow_role(&o->shadow, w.page));
	spht_mmu_walk(&o->mmu, w.path, w.page, w.leaf_level, w.vpn, &w.at);
	if (v && foresee(o, v, &w, x) != SPHT_DERIVED_NOTHING)
		return SPHT_BELIEF_ABSENT;
	return belief(o, &w, x->pfec);
}

/* A page that is used without ever having been got is older than the trace. */
static int assume_used(struct spht_observed *o, const struct spht_obs_where *w,
		       const struct spht_exit *x)
{
	if (o->mmu.pages[w->page].exists || o->pages[w->page].seen ||
	    !(x->requested || (x->pfec & SPHT_PF_P)) || spht_obs_got(o, x, w->page))
		return 0;
	o->pages[w->page].seen = true;
	return spht_obs_assume(o, w->page);
}

/* Does the walk show another mapping than the entry was made from? */
static bool mapping_changed(const struct spht_obs_info *info, const struct spht_exit *x)
{
	uint64_t pte = x->walk.pte[x->walk.nr - 1];

	if (info->proven || x->walk.level[x->walk.nr - 1] != 1)
		return false;
	return info->gfn != (uint32_t)spht_pte_gfn(pte) ||
	       ((info->spte & SPHT_PTE_W) && !(pte & SPHT_PTE_W)) ||
	       ((info->spte ^ pte) & SPHT_PTE_NX);
}

/*
 * The hardware found nothing where the model holds an entry.  It went without
 * an event, at the earliest at the last sync of its page; not before a
 * prefetch group of that page passed it over.
 */
static int silent_drop(struct spht_observed *o, const struct spht_obs_vcpu *v,
		       const struct spht_mmu_spot *at, const struct spht_exit *x)
{
	struct spht_obs_info *info = spht_obs_info(o, at->page, at->index);
	const struct spht_obs_page *p = &o->pages[at->page];

	if (mapping_changed(info, x))
		o->fid.drops[SPHT_DROP_CHANGED]++;
	else if (p->last_sync > info->step)
		o->fid.drops[SPHT_DROP_SYNCED]++;
	else if (v->last_flush > info->step)
		o->fid.drops[SPHT_DROP_FLUSHED]++;
	else
		o->fid.drops[SPHT_DROP_UNEXPLAINED]++;
	return spht_obs_drop_dated(o, at->page, at->index);
}

/* No SPTE was set, so the leaf's was there and right; its path may have been missing. */
static void check_spurious(struct spht_observed *o, const struct spht_obs_where *w)
{
	const struct spht_mmu_page *p = &o->mmu.pages[w->page];
	bool present = o->always >= 0 ? o->always : spht_bit(p->present, w->index);

	if (spht_bit(p->unknown, w->index))
		o->fid.unknown_start++;
	else
		o->fid.spurious[!present]++;
	if (!present && !spht_bit(p->unknown, w->index))
		spht_obs_miss(o, SPHT_CHECK_SPURIOUS, SPHT_BELIEF_ABSENT, false, w->page, w->index);
}

/*
 * The hardware found the entry and refused a write that the model would have
 * let through, and the guest's entry refuses it as well: a sync has copied that
 * (sync_page() sets SPTEs without an event, as after the guest's fork).
 */
static int lose_write(struct spht_observed *o, const struct spht_mmu_spot *at)
{
	spht_bit_clear(o->mmu.pages[at->page].writable, at->index);
	return spht_steps_do(&o->steps, SPHT_DO_WPROTECT, at->page, at->index, false);
}

/* The entry is there, whatever the model held; of its value nothing is known. */
static int prove(struct spht_observed *o, uint32_t page, unsigned int index)
{
	struct spht_obs_info *info = spht_obs_info(o, page, index);

	if (!info)
		return -1;
	info->proven = true;
	info->step = o->step;
	spht_mmu_set_any(&o->mmu, page, index, false);
	return spht_steps_do(&o->steps, SPHT_DO_PROVE, page, index, false);
}

/* The answer says that there is an entry: the one that the hardware met, or else the leaf's. */
static int prove_answer(struct spht_observed *o, const struct spht_obs_where *w, bool spurious)
{
	const struct spht_mmu_spot *at = &w->at;

	if (!spurious && spht_mmu_present(&o->mmu, at->page, at->index))
		return 0;
	if (!spurious && at->level == w->leaf_level)
		return prove(o, at->page, at->index);
	return spht_mmu_present(&o->mmu, w->page, w->index) ? 0 : prove(o, w->page, w->index);
}

/* Check 1, and what becomes of the model by the hardware's answer. */
static int take_answer(struct spht_observed *o, struct spht_obs_vcpu *v,
		       const struct spht_obs_where *w, const struct spht_exit *x, int now)
{
	bool hw = x->pfec & SPHT_PF_P, spurious = x->cls == SPHT_CLASS_SPURIOUS;
	/* The hardware answered before other threads' work that came in between. */
	int then = x->raced ? v->seen : now, answer;
	bool made_since = then == SPHT_BELIEF_ABSENT && now > SPHT_BELIEF_ABSENT;
	bool gone_since = then > SPHT_BELIEF_ABSENT && now == SPHT_BELIEF_ABSENT;
	bool counted = x->cls == SPHT_CLASS_HIDDEN || x->cls == SPHT_CLASS_AD ||
		       x->cls == SPHT_CLASS_HUGE;

	answer = o->always < 0 ? then : o->always ? SPHT_BELIEF_STRONG : SPHT_BELIEF_ABSENT;
	if (counted && then >= 0)
		o->fid.pbit[x->cls][hw][answer]++;
	else if (counted)
		o->fid.unknown_start++;
	if (counted && then >= 0 && answer != (hw ? SPHT_BELIEF_WEAK : SPHT_BELIEF_ABSENT))
		spht_obs_miss(o, SPHT_CHECK_P_BIT, (unsigned int)answer, hw, w->at.page,
			      w->at.index);
	if (spurious)
		check_spurious(o, w);
	/* Where the guest has unmapped it by now, that may be what took it. */
	if (w->at.page == w->page && !x->raced && (hw || x->cls != SPHT_CLASS_GUEST))
		spht_obs_settle(o, w->page, w->index, hw);
	if (x->cls == SPHT_CLASS_GUEST || (!hw && made_since))
		return 0;
	if (!hw && counted && then > SPHT_BELIEF_ABSENT && now > SPHT_BELIEF_ABSENT) {
		if (silent_drop(o, v, &w->at, x))
			return -1;
	} else if (!hw && !spurious && !w->at.unknown &&
		   spht_mmu_present(&o->mmu, w->at.page, w->at.index)) {
		if (spht_obs_drop(o, w->at.page, w->at.index))
			return -1;
	} else if (!hw) {
		spht_bit_clear(o->mmu.pages[w->page].unknown, w->index);
	}
	return (hw && !gone_since) || spurious ? prove_answer(o, w, spurious) : 0;
}

int spht_obs_check_fault(struct spht_observed *o, struct spht_obs_vcpu *v, struct spht_obs_where *w,
			 const struct spht_exit *x)
{
	struct spht_mmu_page *p = &o->mmu.pages[w->page];
	bool hw = x->pfec & SPHT_PF_P, writable;
	struct spht_obs_info *info;
	int now;

	if (assume_used(o, w, x) || spht_obs_believe(o, v, w, x, &now))
		return -1;
	writable = spht_bit(o->mmu.pages[w->at.page].writable, w->at.index);
	if (hw && spht_mmu_present(&o->mmu, w->at.page, w->at.index)) {
		info = spht_obs_info(o, w->at.page, w->at.index);
		if (info && info->prefetch) {
			if (spht_steps_touch(&o->steps, info->prefetch - 1, w->at.page,
					     w->at.index))
				return -1;
			info->prefetch = 0;
		}
	}
	/* What-ifs may only be spared a P=1 fault for want of W where W is what they have more. */
	if (hw && !((x->pfec & SPHT_PF_W) && !writable))
		o->steps.last->flags |= SPHT_STEP_FORCED;
	if (x->cls == SPHT_CLASS_GUEST && hw && (x->pfec & SPHT_PF_W) && writable &&
	    now == SPHT_BELIEF_STRONG && lose_write(o, &w->at))
		return -1;
	if (take_answer(o, v, w, x, now))
		return -1;
	w->before = p->present[w->index / 64];
	w->unknown = p->unknown[w->index / 64];
	return 0;
}

/* @x: where the fault's own walk tells, and finds the entry present. */
static int add_evidence(struct spht_observed *o, const struct spht_obs_where *w, unsigned int index,
			enum spht_evidence_kind kind, gfn_t gfn, uint64_t bits,
			const struct spht_exit *x)
{
	const struct spht_mmu_page *p = &o->mmu.pages[w->page];
	struct spht_evidence ev = {
		.table = w->table,
		.index = (uint16_t)index,
		.kind = kind,
		.step = o->step,
		.gfn = gfn,
		.w = bits & SPHT_PTE_W,
		.a = bits & SPHT_PTE_A,
		.d = bits & SPHT_PTE_D,
		.refault = x && x->refault,
		.kernel = spht_vpn_upper(w->vpn),
		.sets_a = x && !x->walk.failed,
		.sets_d = x && !x->walk.failed && x->walk.set_d &&
			  spht_guest_is_known(o->guest, w->table),
		.frozen_since = SPHT_NOT_FROZEN,
	};

	/* A write-protected table has not changed since it was created or synced. */
	if (!w->direct && p->exists && !p->unsync && p->sync_pos < o->step)
		ev.frozen_since = p->sync_pos;
	return spht_guest_evidence(o->guest, &ev);
}

int spht_obs_leaf_evidence(struct spht_observed *o, const struct spht_obs_where *w,
			   const struct spht_exit *x)
{
	uint64_t pte = x->walk.pte[x->walk.nr - 1];
	gfn_t gfn = spht_pte_gfn(pte);

	if (!(pte & SPHT_PTE_P))
		return add_evidence(o, w, w->index, SPHT_EVIDENCE_ABSENT, 0, 0, NULL);
	if (w->direct)
		gfn = (gfn & ~511ull) + w->index;
	return add_evidence(o, w, w->index, SPHT_EVIDENCE_PRESENT, gfn, pte, x);
}

int spht_obs_prefetched(struct spht_observed *o, struct spht_obs_where *w, unsigned int index,
			const struct spht_op *op)
{
	uint64_t bit = 1ull << (index & 63);
	unsigned int span = index ^ w->index;
	bool here = index / 64 == w->index / 64u;
	struct spht_obs_info *info = spht_obs_info(o, w->page, index);
	bool believed = here ? w->before & bit : spht_mmu_present(&o->mmu, w->page, index);
	bool answer = o->always >= 0 ? o->always : believed;

	if (!info)
		return -1;
	o->spans[span ? 32 - __builtin_clz(span) : 0]++;
	if ((here && w->unknown & bit) || info->preamble)
		o->fid.unknown_start++;
	else
		o->fid.prefetched[answer]++;
	if (answer && !((here && w->unknown & bit) || info->preamble))
		spht_obs_miss(o, SPHT_CHECK_PREFETCHED, SPHT_BELIEF_STRONG, false, w->page, index);
	info->preamble = false;
	spht_obs_settle(o, w->page, index, false);
	if (spht_mmu_present(&o->mmu, w->page, index) && spht_obs_drop(o, w->page, index))
		return -1;
	if (here)
		w->prefetched |= bit;
	return add_evidence(o, w, index, SPHT_EVIDENCE_PREFETCHED, op->gfn, op->spte, NULL);
}

/*
 * What a prefetch group says of the entries that it did not set (pte_prefetch
 * goes up, skips present ones, stops at the first that does not qualify): below
 * the last one set, they were present; the first absent one after it stopped it.
 */
int spht_obs_group_evidence(struct spht_observed *o, struct spht_obs_where *w)
{
	unsigned int base = w->index & ~(o->window - 1) & 63, shift = w->index & ~63u;
	unsigned int self = w->index & 63, last;
	uint64_t group = (o->window == 64 ? ~0ull : (1ull << o->window) - 1) << base;
	uint64_t set = w->prefetched & group;

	for (unsigned int i = 0; i < o->window; i += 8)
		o->pages[w->page].group_step[(shift + base + i) / 8] = o->step;
	/* An MMIO entry is set without an event; its neighbours are prefetched with one. */
	/* A page that was zapped before the guest went on holds nothing to speak of. */
	if (!o->mmu.pages[w->page].exists)
		return 0;
	if (w->leaf_level != 1 || w->direct || o->window == 1 || (!w->demand_done && !set))
		return 0;
	last = set ? 63 - (unsigned int)__builtin_clzll(set) : base;
	for (unsigned int i = base; i < base + o->window; i++) {
		uint64_t bit = 1ull << i;
		bool present = w->before & bit;
		bool answer = o->always >= 0 ? o->always : present;

		if (i == self || (set & bit))
			continue;
		if (set && i < last) {
			if (w->unknown & bit)
				o->fid.unknown_start++;
			else
				o->fid.kept[!answer]++;
			if (!answer && !(w->unknown & bit))
				spht_obs_miss(o, SPHT_CHECK_KEPT, SPHT_BELIEF_ABSENT, false,
					      w->page, shift + i);
			spht_obs_settle(o, w->page, shift + i, true);
			/* A page made just now had none: the recording contradicts itself. */
			if (!present && o->pages[w->page].made != o->step &&
			    prove(o, w->page, shift + i))
				return -1;
			if (add_evidence(o, w, shift + i, SPHT_EVIDENCE_KEPT, 0, 0, NULL))
				return -1;
		} else if (!present && !(w->unknown & bit)) {
			w->has_stop = true;
			w->stop = (uint16_t)(shift + i);
			return add_evidence(o, w, shift + i, SPHT_EVIDENCE_REFUSED, 0, 0, NULL);
		} else if (!present) {
			return 0; /* it stopped here, or the entry was present: not known */
		}
	}
	return 0;
}

unsigned int spht_observed_window(const struct spht_observed *o)
{
	uint64_t all = 0, beyond = 0;
	unsigned int w;

	for (unsigned int i = 0; i < 10; i++)
		all += o->spans[i];
	if (!all)
		return o->steps.nr ? 1 : 0;
	/* Entries that fit no group are misbound ones: at most one in a thousand. */
	for (w = 9; w > 0; w--) {
		beyond += o->spans[w];
		if (beyond * 1000 > all)
			break;
	}
	return 1u << w;
}
