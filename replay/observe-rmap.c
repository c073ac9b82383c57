// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/observe-local.h"

/* Guest frames up to 16 GiB have their place in rmap_head; those above come behind. */
#define RMAP_DIRECT (1u << 22)
/* What spht_obs_info.rmap holds. */
#define RMAP_MAX    ((1u << 28) - 1)

static uint32_t rmap_far(struct spht_observed *o, gfn_t gfn)
{
	uint32_t id = spht_idmap_get(&o->rmap_gfns, gfn, 0);

	return id < UINT32_MAX - RMAP_DIRECT ? RMAP_DIRECT + id : SPHT_NO_ID;
}

static struct spht_obs_rmap_head *find_head(const struct spht_observed *o, gfn_t gfn)
{
	uint32_t id = (uint32_t)gfn;

	if (gfn >= RMAP_DIRECT) {
		id = spht_idmap_find(&o->rmap_gfns, gfn, 0);
		id = id < UINT32_MAX - RMAP_DIRECT ? RMAP_DIRECT + id : SPHT_NO_ID;
	}
	return id < o->cap_rmap_head ? &o->rmap_head[id] : NULL;
}

static uint32_t rmap_alloc(struct spht_observed *o)
{
	uint32_t i = o->free_rmap;

	if (i) {
		o->free_rmap = o->rmap[i].next;
		return i;
	}
	if (o->nr_rmap == RMAP_MAX ||
	    spht_obs_grow((void **)&o->rmap, &o->cap_rmap, o->nr_rmap + 1, sizeof(*o->rmap), 0))
		return 0;
	return ++o->nr_rmap;
}

/* Remembers that (@page, @index) maps @gfn. */
int spht_obs_rmap_add(struct spht_observed *o, gfn_t gfn, uint32_t page, unsigned int index,
		      struct spht_obs_info *info)
{
	struct spht_obs_rmap_head *head;
	uint32_t id, i;

	if (info->rmap)
		return 0;
	id = gfn < RMAP_DIRECT ? (uint32_t)gfn : rmap_far(o, gfn);
	if (id == SPHT_NO_ID ||
	    spht_obs_grow((void **)&o->rmap_head, &o->cap_rmap_head, id, sizeof(*o->rmap_head), 0))
		return -1;
	i = rmap_alloc(o);
	if (!i)
		return -1;
	head = &o->rmap_head[id];
	o->rmap[i] = (struct spht_obs_rmap){page, head->first, 0, id, (uint16_t)index};
	if (head->first)
		o->rmap[head->first].prev = i;
	head->first = i;
	head->nr++;
	info->rmap = i;
	return 0;
}

/* The entry is going to map another guest page than info->gfn, or none. */
void spht_obs_rmap_del(struct spht_observed *o, struct spht_obs_info *info)
{
	uint32_t i = info->rmap;
	struct spht_obs_rmap *r;

	/* There may be no array yet. */
	if (!i)
		return;
	r = &o->rmap[i];
	info->rmap = 0;
	if (r->next)
		o->rmap[r->next].prev = r->prev;
	if (r->prev)
		o->rmap[r->prev].next = r->next;
	else
		o->rmap_head[r->head].first = r->next;
	o->rmap_head[r->head].nr--;
	r->next = o->free_rmap;
	o->free_rmap = i;
}

static unsigned int level_of(const struct spht_observed *o, uint32_t page)
{
	return spht_role_level(o->shadow.layout, spht_shadow_role(&o->shadow, page));
}

/* Is the entry there?  A link to a page below maps nothing. */
static bool maps(const struct spht_observed *o, const struct spht_obs_rmap *r)
{
	return spht_mmu_present(&o->mmu, r->page, r->index) &&
	       spht_mmu_child(&o->mmu, r->page, r->index) == SPHT_NO_ID;
}

/* Forgets entries that are not there any more; the number of those at @level that are. */
static uint32_t prune(struct spht_observed *o, const struct spht_obs_rmap_head *head,
		      unsigned int level)
{
	uint32_t nr = 0, next;

	for (uint32_t i = head->first; i; i = next) {
		const struct spht_obs_rmap *r = &o->rmap[i];
		struct spht_obs_info *info;

		next = r->next;
		if (maps(o, r)) {
			nr += level_of(o, r->page) == level;
			continue;
		}
		info = spht_obs_info(o, r->page, r->index);
		if (info)
			spht_obs_rmap_del(o, info);
	}
	return nr;
}

/*
 * __rmap_add(): where more than SPHT_RMAP_LIMIT entries of one level mapped a guest page
 * already, all of them go, the new one included.  They are gone from the next step
 * on: what this one sets is set first.
 */
int spht_obs_rmap_limit(struct spht_observed *o, const struct spht_obs_info *info, uint32_t page)
{
	const struct spht_obs_rmap_head *head = &o->rmap_head[o->rmap[info->rmap].head];
	unsigned int level = level_of(o, page);

	if (prune(o, head, level) <= SPHT_RMAP_LIMIT + 1)
		return 0;
	o->fid.rmap_recycled++;
	for (uint32_t i = head->first; i; i = o->rmap[i].next) {
		const struct spht_obs_rmap *r = &o->rmap[i];

		if (level_of(o, r->page) != level)
			continue;
		spht_mmu_drop(&o->mmu, r->page, r->index);
		if (spht_steps_drop(&o->steps, o->step, r->page, r->index))
			return -1;
	}
	return 0;
}

/* Takes the W of entries at @level that map from @gfn on. */
static int write_protect(struct spht_observed *o, gfn_t gfn, unsigned int level)
{
	const struct spht_obs_rmap_head *head = find_head(o, gfn);

	for (uint32_t i = head ? head->first : 0; i; i = o->rmap[i].next) {
		const struct spht_obs_rmap *r = &o->rmap[i];

		if (!spht_bit(o->mmu.pages[r->page].writable, r->index) ||
		    level_of(o, r->page) != level || !maps(o, r))
			continue;
		spht_bit_clear(o->mmu.pages[r->page].writable, r->index);
		if (spht_steps_do(&o->steps, SPHT_DO_WPROTECT, r->page, r->index, false))
			return -1;
	}
	return 0;
}

/*
 * The page at @gfn is a page table that is shadowed and in sync from now on: no
 * SPTE of any level maps it writable (account_shadowed, mmu_sync_children,
 * kvm_mmu_slot_gfn_write_protect).
 */
int spht_obs_write_protect(struct spht_observed *o, gfn_t gfn)
{
	return write_protect(o, gfn, 1) || write_protect(o, gfn & ~(gfn_t)(SPHT_PT_ENTRIES - 1), 2)
		       ? -1
		       : 0;
}
