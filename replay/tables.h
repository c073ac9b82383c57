/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TABLES_H
#define SPHT_TABLES_H

#include <stdatomic.h>

#include "replay/mmu.h"

/*
 * The page tables that vCPU and helper race for on the real clock: 4 KiB each, 512
 * entries of 64 bits, read and written without a lock.  Who writes has decided what
 * by the maps of a struct spht_mmu; who only wants to know reads here.
 */
struct spht_table {
	_Atomic uint64_t entry[SPHT_PT_ENTRIES];
};

enum {
	SPHT_SPTE_P = 1 << 0,
	SPHT_SPTE_W = 1 << 1,
	SPHT_SPTE_UNKNOWN = 1 << 9, /* nobody knows: one of those that the hardware ignores */
	SPHT_SPTE_SHIFT = 12, /* what an upper entry links, + 1 */
};

/* What is shown of a shadow page. */
struct spht_shown {
	uint64_t present[SPHT_MMU_WORDS], writable[SPHT_MMU_WORDS], unknown[SPHT_MMU_WORDS];
};

struct spht_tables {
	_Atomic(struct spht_table *) *shadow; /* by page id; NULL: nothing was ever in it */
	_Atomic(struct spht_table *) *guest; /* by table id; an entry is SPHT_GPTE_* bits */
	struct spht_shown **shown; /* by page id, of who writes */
	uint32_t nr_shadow, nr_guest;
};

/* Returns 0 or -1: memory. */
int spht_tables_init(struct spht_tables *t, uint32_t nr_shadow, uint32_t nr_guest);
void spht_tables_close(struct spht_tables *t);
/* Writes what has changed in shadow page @page of @m.  -1: memory. */
int spht_tables_show(struct spht_tables *t, const struct spht_mmu *m, uint32_t page);
/* Writes a guest entry.  -1: memory. */
int spht_tables_guest(struct spht_tables *t, uint32_t table, unsigned int index, uint8_t state);
/* Entries of all pages that are not as @m has them. */
uint64_t spht_tables_compare(const struct spht_tables *t, const struct spht_mmu *m);

static inline uint64_t spht_tables_entry(const _Atomic(struct spht_table *) *tables, uint32_t i,
					 unsigned int index)
{
	struct spht_table *t = atomic_load_explicit(&tables[i], memory_order_acquire);

	return t ? atomic_load_explicit(&t->entry[index], memory_order_acquire) : 0;
}

static inline uint8_t spht_tables_gpte(const struct spht_tables *t, uint32_t table,
				       unsigned int index)
{
	return (uint8_t)spht_tables_entry(t->guest, table, index);
}

/*
 * The hardware's walk for @vpn: is there an entry in @leaf, and do the tables above
 * lead to it?  @entry: the leaf's.  The same answer as spht_w_reaches() has of the maps.
 */
bool spht_tables_walk(const struct spht_tables *t, const struct spht_shadow *shadow, uint32_t path,
		      uint32_t leaf, unsigned int leaf_level, vpn_t vpn, uint64_t *entry);

#endif
