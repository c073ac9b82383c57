/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_MMU_H
#define SPHT_MMU_H

#include "replay/shadow.h"

/*
 * One instance of KVM's shadow MMU: which shadow pages exist, which of their
 * entries are present and writable, and how they are linked.  It follows
 * orders; who gives them makes it the observed or a what-if MMU.
 */
#define SPHT_MMU_WORDS (SPHT_PT_ENTRIES / 64)

struct spht_mmu_page {
	uint64_t present[SPHT_MMU_WORDS];
	uint64_t writable[SPHT_MMU_WORDS];
	uint64_t unknown[SPHT_MMU_WORDS]; /* state not known: before the trace, or lost */
	uint32_t *child; /* page id by index; only pages above level 1 */
	uint32_t (*parents)[2]; /* (page, index) that link or linked this page */
	uint32_t nr_parents, cap_parents;
	uint32_t sync_pos; /* step of the creation or last sync */
	uint32_t older, newer; /* pages by creation, SPHT_NO_ID at the ends; of existing ones */
	uint16_t pins; /* roots: vCPUs that hold it (root_count) */
	uint8_t flood; /* emulated stores since a fetch went through it (write_flooding_count) */
	bool exists;
	bool unsync;
};

struct spht_mmu {
	const struct spht_shadow *shadow;
	struct spht_mmu_page *pages; /* by page id */
	uint32_t nr;
	uint32_t oldest, newest; /* active_mmu_pages, SPHT_NO_ID: no page exists */
	uint64_t nr_existing; /* n_used_mmu_pages */
	uint64_t nr_most; /* that ever existed at once */
	/*
	 * Goes up whenever links, entries of upper pages, or stores that are counted
	 * change: as long as it stays, what was found of a path holds.  Never 0, which
	 * stands for "before any time".
	 */
	uint64_t changes;
	uint32_t *roots; /* pages that are pinned, each once */
	uint32_t nr_roots, cap_roots;
	/* Hears of pages that are created, zapped, or have a link changed; NULL: nobody does. */
	void (*touched)(void *arg, uint32_t page);
	void *touched_arg;
};

void spht_mmu_init(struct spht_mmu *m, const struct spht_shadow *shadow);
void spht_mmu_close(struct spht_mmu *m);
/* Makes room for every page id below @nr.  -1 when memory is short. */
int spht_mmu_reserve(struct spht_mmu *m, uint32_t nr) __attribute__((warn_unused_result));

/* kvm_mmu_alloc_shadow_page: an empty, synced page at step @pos, the newest of all. */
void spht_mmu_create(struct spht_mmu *m, uint32_t page, uint32_t pos);
/*
 * A page whose creation nobody saw exists: all entries are unknown, and it is
 * older than any other.
 */
void spht_mmu_assume(struct spht_mmu *m, uint32_t page, uint32_t pos);
/*
 * __kvm_mmu_prepare_zap_page: all entries and all links to the page go; its
 * children stay in the hash, unlinked.
 */
void spht_mmu_zap(struct spht_mmu *m, uint32_t page);
/* kvm_mmu_zap_all_fast: every page is obsolete. */
void spht_mmu_zap_all(struct spht_mmu *m);
/* Links @child at @index of @parent (link_shadow_page).  -1 when memory is short. */
int spht_mmu_link(struct spht_mmu *m, uint32_t parent, unsigned int index, uint32_t child);

/* What hung at @index of upper page @parent, if anything, hangs there no more. */
void spht_mmu_unlink(struct spht_mmu *m, uint32_t parent, unsigned int index);

static inline bool spht_bit(const uint64_t *map, unsigned int i)
{
	return map[i >> 6] >> (i & 63) & 1;
}

static inline void spht_bit_set(uint64_t *map, unsigned int i)
{
	map[i >> 6] |= 1ull << (i & 63);
}

static inline void spht_bit_clear(uint64_t *map, unsigned int i)
{
	map[i >> 6] &= ~(1ull << (i & 63));
}

static inline bool spht_mmu_present(const struct spht_mmu *m, uint32_t page, unsigned int index)
{
	return page < m->nr && spht_bit(m->pages[page].present, index);
}

/* Sets an entry of a page of level 1. */
static inline void spht_mmu_set(struct spht_mmu *m, uint32_t page, unsigned int index,
				bool writable)
{
	struct spht_mmu_page *p = &m->pages[page];

	spht_bit_set(p->present, index);
	spht_bit_clear(p->unknown, index);
	if (writable)
		spht_bit_set(p->writable, index);
	else
		spht_bit_clear(p->writable, index);
}

/*
 * The same where the page may be above level 1: a large page takes the place of a page
 * below it, which is linked no more (mmu_set_spte).
 */
static inline void spht_mmu_set_any(struct spht_mmu *m, uint32_t page, unsigned int index,
				    bool writable)
{
	const struct spht_mmu_page *p = &m->pages[page];

	if (p->child && p->child[index] != SPHT_NO_ID)
		spht_mmu_unlink(m, page, index);
	m->changes += p->child != NULL;
	spht_mmu_set(m, page, index, writable);
}

static inline void spht_mmu_drop(struct spht_mmu *m, uint32_t page, unsigned int index)
{
	struct spht_mmu_page *p = &m->pages[page];

	spht_bit_clear(p->present, index);
	spht_bit_clear(p->writable, index);
	spht_bit_clear(p->unknown, index);
	m->changes += p->child != NULL;
}

/* What hangs at @index of upper page @page: a page id, SPHT_NO_ID if nothing. */
static inline uint32_t spht_mmu_child(const struct spht_mmu *m, uint32_t page, unsigned int index)
{
	const struct spht_mmu_page *p = &m->pages[page];

	return p->child && spht_bit(p->present, index) ? p->child[index] : SPHT_NO_ID;
}

/*
 * Is the path to @leaf at @leaf_level linked for @vpn?  0 = complete, else the
 * level of the page that is missing below its parent, or SPHT_PATH_UNKNOWN.
 * An unknown root (SPHT_NO_ID) counts as linked to its level-3 page.
 */
#define SPHT_PATH_UNKNOWN 9
unsigned int spht_mmu_missing(const struct spht_mmu *m, uint32_t path, uint32_t leaf,
			      unsigned int leaf_level, vpn_t vpn);
/*
 * What the hardware meets at @vpn: the page at which its walk ends, by the links as
 * they are, which need not lead to the page that a fault there would be served from
 * (validate_direct_spte, a large page that became a table or the reverse).
 */
struct spht_mmu_spot {
	uint32_t page;
	uint16_t index;
	uint8_t level; /* of the page: above the leaf's own, nothing or a large page is there */
	bool unknown; /* a link above was not known: taken to be as @path has it */
};
void spht_mmu_walk(const struct spht_mmu *m, uint32_t path, uint32_t leaf, unsigned int leaf_level,
		   vpn_t vpn, struct spht_mmu_spot *at);
/* The same by links alone, from @page at @level down (for_each_shadow_entry_using_root). */
void spht_mmu_descend(const struct spht_mmu *m, uint32_t page, unsigned int level, vpn_t vpn,
		      struct spht_mmu_spot *at);
/* A vCPU holds @page as its root from now on, or no longer.  -1 when memory is short. */
int spht_mmu_pin(struct spht_mmu *m, uint32_t page);
void spht_mmu_unpin(struct spht_mmu *m, uint32_t page);
/*
 * A fetch went down this path: stores into its tables are counted anew
 * (clear_sp_write_flooding_count).  If the root is not known it is any of
 * those that are held.
 */
void spht_mmu_clear_flood(struct spht_mmu *m, uint32_t path, uint32_t leaf,
			  unsigned int leaf_level);
/* Links the whole path to @leaf.  -1 when memory is short. */
int spht_mmu_link_path(struct spht_mmu *m, uint32_t path, uint32_t leaf, unsigned int leaf_level,
		       vpn_t vpn);

#endif
