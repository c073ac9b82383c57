// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What KVM took away is asked for again.
 *
 * The rule.  Entries that are zapped are remembered, per 2 MiB region of an address space.
 * The first `at_once` of an exit are asked for at once; they are looked at until the guest's
 * entry is there (watch=1).  At the next fault in the region, up to `degree` of those not
 * asked for are, the nearest to the fault first.  Each is asked for once after its zap.
 *
 * Two things lie behind a zap.  A store into the guest's page table that KVM emulates, or
 * INVLPG, takes one entry: the guest is just changing it, and the new one is there already
 * or stored a moment later (a copy on write clears it, flushes and sets it).  So the
 * first one is asked for at once, and watched.  When KVM zaps a page table (it was written
 * too often, its frame was freed, or shadow pages ran short) all of its entries go in one
 * exit: either the process is gone, and every request would be for nothing, or
 * it goes on, and its next fault in the region shows it.  So these wait for it.
 *
 * Nothing is published for this; KVM itself once built the entry of an emulated store at
 * once (mmu_pte_write_new_pte).  Rebuilding cannot go round in circles: a page asked for is
 * forgotten, and only another zap brings it back.
 *
 * State at the defaults 108 KiB.  A zap takes one lookup and asks for one page at most, a
 * fault takes one lookup and a pass over 512 bits.
 */
#include "heuristic.h"
#include "lru.h"

enum { ENTRIES, AT_ONCE, DEGREE, WATCH, ON, NR };

#define WORDS (SPHT_REGION_PAGES / 64)

static const struct spht_param rebuild_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 1024, 1, 65536, true, "entries", NULL,
		     "regions remembered; default 1024: as many page tables map 2 GiB"},
	[AT_ONCE] =
		{"at_once", SPHT_PARAM_INT, 1, 0, SPHT_REGION_PAGES, false, "pages", NULL,
		 "of an exit's zaps asked for at once; default 1: what an emulated store takes"},
	[DEGREE] = {"degree", SPHT_PARAM_INT, 16, 0, SPHT_REGION_PAGES - 1, false, "pages", NULL,
		    "asked for at a fault in the region; default 16: as window's"},
	[WATCH] = {"watch", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		   "1: pages asked for at once are watched; default 1: a guest's entry is cleared, "
		   "then set"},
	[ON] = SPHT_PARAM_ON,
};

struct rebuild_region {
	uint64_t zapped[WORDS];
	uint32_t nr; /* bits set */
};

struct rebuild {
	uint64_t time_ns; /* of the exit that had the last zaps */
	uint64_t asked; /* for, at once, in it */
	uint64_t regions[]; /* struct spht_lru */
};

static struct spht_lru *regions_of(struct rebuild *r)
{
	return (struct spht_lru *)(void *)r->regions;
}

static size_t rebuild_state_size(const int64_t *params)
{
	return sizeof(struct rebuild) +
	       spht_lru_size(params[ENTRIES], sizeof(struct rebuild_region));
}

static void rebuild_init(void *state, const int64_t *params)
{
	spht_lru_init(regions_of(state), params[ENTRIES], sizeof(struct rebuild_region));
}

static bool forget(struct rebuild_region *region, unsigned int page)
{
	uint64_t bit = UINT64_C(1) << page % 64;

	if (!(region->zapped[page / 64] & bit))
		return false;
	region->zapped[page / 64] &= ~bit;
	region->nr--;
	return true;
}

static void rebuild_zapped(void *state, const int64_t *params, const struct spht_zap *zap,
			   struct spht_host *host)
{
	unsigned int page = zap->vpn % SPHT_REGION_PAGES;
	struct rebuild *r = state;
	struct rebuild_region *region;
	bool fresh;

	if (zap->time_ns != r->time_ns)
		r->asked = 0;
	r->time_ns = zap->time_ns;
	region = spht_lru_get(regions_of(r), zap->space, zap->vpn >> SPHT_REGION_SHIFT, &fresh);
	forget(region, page);
	if (r->asked < (uint64_t)params[AT_ONCE]) {
		r->asked++;
		if (params[WATCH])
			spht_watch(host, zap->space, zap->vpn);
		else
			spht_request(host, zap->space, zap->vpn);
		return;
	}
	region->zapped[page / 64] |= UINT64_C(1) << page % 64;
	region->nr++;
}

static void rebuild_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			  struct spht_host *host)
{
	int64_t asked = 0;
	struct rebuild_region *region;
	uint64_t vpn;

	if (!spht_is_on(fault, params[ON]))
		return;
	region = spht_lru_find(regions_of(state), fault->space, fault->vpn >> SPHT_REGION_SHIFT);
	if (!region)
		return;
	forget(region, fault->vpn % SPHT_REGION_PAGES);
	/* +1 -1 +2 -2 ... */
	for (int64_t i = 2; region->nr && asked < params[DEGREE] && i < 2 * SPHT_REGION_PAGES;
	     i++) {
		int64_t delta = i % 2 ? -(i / 2) : i / 2;

		if (!spht_vpn_add(fault->vpn, delta, false, &vpn) ||
		    !forget(region, vpn % SPHT_REGION_PAGES))
			continue;
		spht_request(host, fault->space, vpn);
		asked++;
	}
}

SPHT_HEURISTIC(rebuild, .name = "rebuild", .summary = "entries that were zapped, once more",
	       .cite = "none published; cf. KVM mmu_pte_write_new_pte() "
		       "(arch/x86/kvm/mmu.c, Linux 5.10)",
	       .params = rebuild_params, .nr_params = NR, .state_size = rebuild_state_size,
	       .init = rebuild_init, .fault = rebuild_fault, .zapped = rebuild_zapped);
