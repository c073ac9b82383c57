/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_HOUSEKEEPING_H
#define SPHT_HOUSEKEEPING_H

#include "replay/mmu.h"

/*
 * KVM's rules for zapping shadow pages of its own accord, as questions about one
 * MMU; Linux 6.1, arch/x86/kvm/mmu/mmu.c.  The observed MMU and every what-if ask
 * them of themselves.
 */
#define SPHT_MIN_FREE_PAGES   5u /* KVM_MIN_FREE_MMU_PAGES */
#define SPHT_REFILL_PAGES     25u /* KVM_REFILL_PAGES */
#define SPHT_MIN_MMU_PAGES    64u /* KVM_MIN_ALLOC_MMU_PAGES */
#define SPHT_MEMSLOT_PER_PAGE 50u /* KVM_MEMSLOT_PAGES_TO_MMU_PAGES_RATIO */
#define SPHT_FLOOD_STORES     3u /* detect_write_flooding */
#define SPHT_UNLIMITED        0u /* a limit that nothing reaches */

/* A list of pages that keeps its memory. */
struct spht_pages {
	uint32_t *v;
	uint32_t nr, cap;
};

/* -1 when memory is short. */
int spht_pages_add(struct spht_pages *l, uint32_t page) __attribute__((warn_unused_result));

/* kvm_mmu_calculate_default_mmu_pages: the limit that @memslot_pages of guest memory lead to. */
uint32_t spht_default_mmu_pages(uint64_t memslot_pages);

/*
 * make_mmu_pages_available: how many pages are to be zapped before a fetch or a
 * root load, 0: enough are free below @limit.
 */
static inline unsigned int spht_shortage(const struct spht_mmu *m, uint32_t limit)
{
	uint64_t avail = limit > m->nr_existing ? limit - m->nr_existing : 0;

	if (limit == SPHT_UNLIMITED || avail >= SPHT_MIN_FREE_PAGES)
		return 0;
	return SPHT_REFILL_PAGES - (unsigned int)avail;
}

/*
 * kvm_mmu_zap_oldest_mmu_pages: the oldest page that no vCPU has as a root, from
 * @page up (SPHT_NO_ID: from the oldest).  SPHT_NO_ID: there is none.
 */
uint32_t spht_oldest_free(const struct spht_mmu *m, uint32_t page);

/* Only level-1 pages are ever unsync; upper ones may be marked so after a loss of events. */
bool spht_is_unsync(const struct spht_mmu *m, uint32_t page);

/*
 * mmu_zap_unsync_children: the unsync pages that @page leads to go with it.
 * Appended to @list in order of their address.  -1 when memory is short.
 */
int spht_unsync_below(const struct spht_mmu *m, uint32_t page, struct spht_pages *list);

/*
 * kvm_mmu_pte_write, for one page of the table that was stored to: is it zapped
 * for that?  @at_once: detect_write_misaligned says so.
 */
bool spht_store_floods(struct spht_mmu *m, uint32_t page, bool at_once);

#endif
