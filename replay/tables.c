// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/tables.h"

int spht_tables_init(struct spht_tables *t, uint32_t nr_shadow, uint32_t nr_guest)
{
	t->nr_shadow = nr_shadow;
	t->nr_guest = nr_guest;
	t->shadow = calloc(nr_shadow + 1u, sizeof(*t->shadow));
	t->guest = calloc(nr_guest + 1u, sizeof(*t->guest));
	t->shown = calloc(nr_shadow + 1u, sizeof(*t->shown));
	return t->shadow && t->guest && t->shown ? 0 : -1;
}

void spht_tables_close(struct spht_tables *t)
{
	for (uint32_t i = 0; t->shadow && i < t->nr_shadow; i++)
		free(t->shadow[i]);
	for (uint32_t i = 0; t->guest && i < t->nr_guest; i++)
		free(t->guest[i]);
	for (uint32_t i = 0; t->shown && i < t->nr_shadow; i++)
		free(t->shown[i]);
	free(t->shadow);
	free(t->guest);
	free(t->shown);
	memset(t, 0, sizeof(*t));
}

/* The table at @at, made when it is first written to; NULL: memory. */
static struct spht_table *table_at(_Atomic(struct spht_table *) *at)
{
	struct spht_table *t = atomic_load_explicit(at, memory_order_relaxed);

	if (t)
		return t;
	t = aligned_alloc(sizeof(*t), sizeof(*t));
	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	atomic_store_explicit(at, t, memory_order_release);
	return t;
}

static uint64_t entry_of(const struct spht_mmu_page *p, unsigned int index)
{
	uint64_t e = 0;

	if (spht_bit(p->unknown, index))
		e |= SPHT_SPTE_UNKNOWN;
	if (!spht_bit(p->present, index))
		return e;
	e |= SPHT_SPTE_P | (spht_bit(p->writable, index) ? SPHT_SPTE_W : 0);
	if (p->child && p->child[index] != SPHT_NO_ID)
		e |= ((uint64_t)p->child[index] + 1) << SPHT_SPTE_SHIFT;
	return e;
}

int spht_tables_show(struct spht_tables *t, const struct spht_mmu *m, uint32_t page)
{
	const struct spht_mmu_page *p = &m->pages[page];
	struct spht_table *table;
	struct spht_shown *s;

	if (!t->shown[page] && !(t->shown[page] = calloc(1, sizeof(**t->shown))))
		return -1;
	table = table_at(&t->shadow[page]);
	if (!table)
		return -1;
	s = t->shown[page];
	for (unsigned int k = 0; k < SPHT_MMU_WORDS; k++) {
		uint64_t todo = (s->present[k] ^ p->present[k]) | (s->unknown[k] ^ p->unknown[k]) |
				((s->writable[k] ^ p->writable[k]) & p->present[k]);

		/* Links change with no bit of the map. */
		if (p->child)
			todo |= p->present[k];
		for (; todo; todo &= todo - 1) {
			unsigned int i = 64 * k + (unsigned int)__builtin_ctzll(todo);

			atomic_store_explicit(&table->entry[i], entry_of(p, i),
					      memory_order_release);
		}
		s->present[k] = p->present[k];
		s->writable[k] = p->writable[k];
		s->unknown[k] = p->unknown[k];
	}
	return 0;
}

int spht_tables_guest(struct spht_tables *t, uint32_t table, unsigned int index, uint8_t state)
{
	struct spht_table *g = table_at(&t->guest[table]);

	if (!g)
		return -1;
	atomic_store_explicit(&g->entry[index], state, memory_order_release);
	return 0;
}

uint64_t spht_tables_compare(const struct spht_tables *t, const struct spht_mmu *m)
{
	uint64_t n = 0;

	for (uint32_t page = 0; page < t->nr_shadow; page++)
		for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++)
			n += spht_tables_entry(t->shadow, page, i) != entry_of(&m->pages[page], i);
	return n;
}

bool spht_tables_walk(const struct spht_tables *t, const struct spht_shadow *shadow, uint32_t path,
		      uint32_t leaf, unsigned int leaf_level, vpn_t vpn, uint64_t *entry)
{
	const uint32_t pages[5] = {0, 0, spht_path_l2(shadow, path), spht_path_l3(shadow, path),
				   spht_path_root(shadow, path)};

	for (unsigned int level = 4; level > leaf_level; level--) {
		uint32_t child = level - 1 == leaf_level ? leaf : pages[level - 1];
		uint64_t e;

		if (pages[level] == SPHT_NO_ID)
			continue;
		e = spht_tables_entry(t->shadow, pages[level], spht_vpn_index(vpn, level));
		if (!(e & SPHT_SPTE_UNKNOWN) && e >> SPHT_SPTE_SHIFT != (uint64_t)child + 1)
			return false;
	}
	*entry = spht_tables_entry(t->shadow, leaf, spht_vpn_index(vpn, leaf_level));
	return *entry & SPHT_SPTE_P;
}
