// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "replay/whatif-local.h"

/*
 * What a heuristic learns: what a helper in KVM would see at that time, and nothing that
 * only the rest of the recording tells.
 */

static uint8_t fault_class(uint8_t cls)
{
	switch (cls) {
	case SPHT_CLASS_GUEST:
		return SPHT_FAULT_GUEST;
	case SPHT_CLASS_HIDDEN:
		return SPHT_FAULT_HIDDEN;
	case SPHT_CLASS_HUGE:
		return SPHT_FAULT_HUGE;
	case SPHT_CLASS_AD:
		return SPHT_FAULT_AD;
	case SPHT_CLASS_PTWRITE_EMUL:
	case SPHT_CLASS_PTWRITE_UNSYNC:
		return SPHT_FAULT_PTWRITE;
	default:
		return SPHT_FAULT_OTHER;
	}
}

void spht_tell_fault(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_heuristic *h = w->c->spec->h;
	struct spht_fault f;

	if (!h->fault)
		return;
	/* The hardware reflects it: no exit, and nobody to tell. */
	if (w->c->bypass_guest_pf && (s->flags & SPHT_STEP_BYPASS))
		return;
	f = (struct spht_fault){
		.time_ns = w->now_ns,
		.space = s->space,
		.vpn = s->vpn,
		.rip = s->rip,
		.error_code = s->pfec,
		.vcpu = s->vcpu,
		.cls = fault_class(s->cls),
	};
	/* Without a space (the walk failed at the top) there is nothing to ask for. */
	if (s->space != SPHT_NO_ID)
		h->fault(w->hstate, w->c->spec->params, &f, &w->host);
}

static void add_zap(struct spht_whatif *w, const struct spht_zap *zap)
{
	if (w->nr_zaps == w->cap_zaps) {
		size_t cap = w->cap_zaps ? 2 * w->cap_zaps : SPHT_PT_ENTRIES;
		void *p = realloc(w->zaps, cap * sizeof(*w->zaps));

		if (!p) {
			w->no_memory = true;
			return;
		}
		w->zaps = p;
		w->cap_zaps = cap;
	}
	w->zaps[w->nr_zaps++] = *zap;
}

/* The region that @page, of level 1, was last seen to map; NULL: never. */
static const uint64_t *region_of(const struct spht_whatif *w, uint32_t page)
{
	const struct spht_shadow *shadow = w->c->shadow;
	uint32_t role = spht_shadow_role(shadow, page), table;

	if (spht_role_level(shadow->layout, role) != 1 || spht_role_direct(shadow->layout, role))
		return NULL;
	table = spht_idmap_find(&shadow->tables, spht_shadow_gfn(shadow, page), 1);
	if (table == SPHT_NO_ID || !w->table_region[table])
		return NULL;
	return shadow->regions.keys[w->table_region[table] - 1];
}

static void zap(struct spht_whatif *w, const uint64_t *region, unsigned int index)
{
	add_zap(w, &(struct spht_zap){.space = region[0],
				      .vpn = region[1] << SPHT_LEVEL_BITS | index});
}

void spht_tell_zap(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	const uint64_t *region;

	if (!w->c->spec->h->zapped || !spht_bit(w->mmu.pages[page].present, index))
		return;
	region = region_of(w, page);
	if (region)
		zap(w, region, index);
}

void spht_tell_zap_page(struct spht_whatif *w, uint32_t page)
{
	const uint64_t *region;

	if (!w->c->spec->h->zapped)
		return;
	region = region_of(w, page);
	for (unsigned int i = 0; region && i < SPHT_PT_ENTRIES; i++)
		if (spht_bit(w->mmu.pages[page].present, i))
			zap(w, region, i);
}

void spht_tell_zaps(struct spht_whatif *w, uint64_t ns)
{
	const struct spht_heuristic *h = w->c->spec->h;
	uint64_t begin_ns = w->now_ns;

	/* What is asked for now is asked for at that time. */
	w->now_ns = ns;
	for (size_t i = 0; i < w->nr_zaps; i++) {
		w->zaps[i].time_ns = ns;
		h->zapped(w->hstate, w->c->spec->params, &w->zaps[i], &w->host);
	}
	w->nr_zaps = 0;
	w->now_ns = begin_ns;
}

static uint8_t look(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	struct spht_whatif *w = (struct spht_whatif *)host;
	const struct spht_wregion *r = spht_w_region(w, space, vpn);
	unsigned int index;

	if (!r)
		return SPHT_ENTRY_ABSENT;
	index = spht_vpn_index(vpn, r->leaf_level);
	if (!spht_w_region_reaches(w, r, index, vpn))
		return SPHT_ENTRY_ABSENT;
	return w->pages[r->page].used && spht_bit(w->pages[r->page].used, index)
		       ? SPHT_ENTRY_USED
		       : SPHT_ENTRY_PRESENT;
}

void spht_tell_init(struct spht_whatif *w)
{
	w->host.look = look;
}
