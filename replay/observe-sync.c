// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/observe-local.h"

/*
 * What syncs and invalidations did to an entry.  They leave no event of their own, and
 * show in what the guest's entry is by now: that is known before the hardware's answer
 * is looked at.
 */

/* Takes the entry away: at the last sync, if that is when it can have gone, else now. */
int spht_obs_drop_dated(struct spht_observed *o, uint32_t page, unsigned int index)
{
	const struct spht_obs_info *info = spht_obs_info(o, page, index);
	const struct spht_obs_page *p = &o->pages[page];
	bool synced = info && p->last_sync > info->step &&
		      p->last_sync > p->group_step[index / 8] && p->last_sync < o->step;

	if (!synced && !o->between)
		return spht_obs_drop(o, page, index);
	/* Between two steps it is after the one, and no part of what its fault met. */
	spht_mmu_drop(&o->mmu, page, index);
	return spht_steps_drop(&o->steps, synced ? p->last_sync : o->step, page, index);
}

enum spht_derived spht_obs_derive(struct spht_observed *o, const struct spht_obs_vcpu *v,
				  uint32_t page, unsigned int index, gfn_t gfn, bool accessed)
{
	const struct spht_mmu_page *m = &o->mmu.pages[page];
	const struct spht_obs_info *info;
	bool changed;

	if (!m->exists || !spht_bit(m->present, index) || spht_bit(m->unknown, index))
		return SPHT_DERIVED_NOTHING;
	info = spht_obs_info(o, page, index);
	if (!info || info->proven || info->preamble)
		return SPHT_DERIVED_NOTHING;
	changed = info->gfn != (uint32_t)gfn;
	/* Write-protected since its sync, the guest's table was then as it is now. */
	if (!m->unsync && m->sync_pos > info->step && (changed || !accessed))
		return SPHT_DERIVED_FROZEN;
	/* The guest has written to it since; but before it relies on a change it flushes. */
	if (changed && o->pages[page].last_sync > info->step)
		return SPHT_DERIVED_SYNCED;
	if (changed && m->unsync && v->last_flush > info->step)
		return SPHT_DERIVED_FLUSHED;
	return SPHT_DERIVED_NOTHING;
}

uint32_t spht_obs_unmapped(const struct spht_observed *o, const struct spht_obs_vcpu *v,
			   uint32_t page, const struct spht_obs_info *info)
{
	if (o->pages[page].last_sync > info->step)
		return o->pages[page].last_sync;
	/* INVLPG and CR3 loads do nothing to a synced table. */
	return o->mmu.pages[page].unsync && v->last_flush > info->step ? v->last_flush : 0;
}

/* Linux unmaps ranges, and maps files around a fault in groups of 16: half of one. */
#define BESIDE         8u
/*
 * Not every guest does, so the rule has to earn its belief in this very recording: from
 * so many outcomes on, and as long as so few of 100 refute it.
 */
#define BESIDE_TRIES   16u
#define BESIDE_REFUTED 1u

static bool is_believed(const struct spht_observed *o, enum spht_derived why)
{
	uint64_t right = o->fid.derived[why][0], refuted = o->fid.derived[why][1];

	return right + refuted >= BESIDE_TRIES &&
	       refuted * 100 <= (right + refuted) * BESIDE_REFUTED;
}

int spht_obs_drop_beside(struct spht_observed *o, uint32_t page, unsigned int index, uint32_t since,
			 enum spht_derived why)
{
	const struct spht_mmu_page *m = &o->mmu.pages[page];
	unsigned int base = index & ~(BESIDE - 1);

	for (unsigned int i = base; i < base + BESIDE; i++) {
		struct spht_obs_info *info;

		if (i == index || !spht_bit(m->present, i) || spht_bit(m->unknown, i))
			continue;
		info = spht_obs_info(o, page, i);
		if (!info || info->proven || info->preamble || info->step >= since)
			continue;
		info->gone = (unsigned int)(why - SPHT_DERIVED_BESIDE_WALK + 1) & 3;
		if (is_believed(o, why) && spht_obs_drop_dated(o, page, i))
			return -1;
	}
	return 0;
}

void spht_obs_settle(struct spht_observed *o, uint32_t page, unsigned int index, bool present)
{
	struct spht_obs_info *info = spht_obs_info(o, page, index);

	if (!info || !info->gone)
		return;
	/* A page made since says nothing of the entries of the one before it. */
	if (info->step >= o->pages[page].made)
		o->fid.derived[SPHT_DERIVED_BESIDE_WALK + info->gone - 1][present]++;
	info->gone = 0;
}

/* The unsync page that @root leads to at the address, SPHT_NO_ID: none. */
static uint32_t unsync_leaf(const struct spht_observed *o, uint32_t root, vpn_t vpn)
{
	struct spht_mmu_spot at;

	if (root == SPHT_NO_ID || !o->mmu.pages[root].exists)
		return SPHT_NO_ID;
	spht_mmu_descend(&o->mmu, root, 4, vpn, &at);
	return at.level == 1 && o->mmu.pages[at.page].unsync ? at.page : SPHT_NO_ID;
}

bool spht_obs_invalidates(const struct spht_observed *o, const struct spht_obs_vcpu *v,
			  const struct spht_exit *x)
{
	if (!x->invlpg_known)
		return v->cow_page != SPHT_NO_ID;
	for (unsigned int i = 0; i < SPHT_MRU_ROOTS; i++)
		if (unsync_leaf(o, v->mru[i], spht_gva_vpn(x->gva)) != SPHT_NO_ID)
			return true;
	return false;
}

/*
 * INVLPG zaps the entry if its table is unsync, under the current root and the cached
 * ones (kvm_mmu_invalidate_gva, FNAME(invlpg)), and up to 6.1 maps it again, visibly,
 * if the guest's entry is still good.  Where the exit does not tell the address (SVM
 * without decode assists), the page of the last protection fault is taken: that is
 * what a copy-on-write handler flushes.
 */
int spht_obs_invalidated(struct spht_observed *o, struct spht_obs_vcpu *v,
			 const struct spht_exit *x)
{
	vpn_t vpn = spht_gva_vpn(x->gva);
	uint32_t cow = v->cow_page, page;

	v->cow_page = SPHT_NO_ID;
	if (!x->invlpg_known) {
		if (cow == SPHT_NO_ID || !o->mmu.pages[cow].unsync)
			return 0;
		return spht_obs_drop(o, cow, v->cow_index);
	}
	for (unsigned int i = 0; i < SPHT_MRU_ROOTS; i++) {
		page = unsync_leaf(o, v->mru[i], vpn);
		if (page != SPHT_NO_ID && spht_obs_drop(o, page, spht_vpn_index(vpn, 1)))
			return -1;
	}
	return 0;
}
