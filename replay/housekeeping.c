// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "replay/housekeeping.h"

int spht_pages_add(struct spht_pages *l, uint32_t page)
{
	if (l->nr == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 64;
		void *v = realloc(l->v, cap * sizeof(*l->v));

		if (!v)
			return -1;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->nr++] = page;
	return 0;
}

uint32_t spht_default_mmu_pages(uint64_t memslot_pages)
{
	uint64_t n = memslot_pages / SPHT_MEMSLOT_PER_PAGE;

	if (n < SPHT_MIN_MMU_PAGES)
		return SPHT_MIN_MMU_PAGES;
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

uint32_t spht_oldest_free(const struct spht_mmu *m, uint32_t page)
{
	if (page == SPHT_NO_ID)
		page = m->oldest;
	while (page != SPHT_NO_ID && m->pages[page].pins)
		page = m->pages[page].newer;
	return page;
}

static unsigned int level_of(const struct spht_mmu *m, uint32_t page)
{
	return spht_role_level(m->shadow->layout, spht_shadow_role(m->shadow, page));
}

bool spht_is_unsync(const struct spht_mmu *m, uint32_t page)
{
	return m->pages[page].exists && m->pages[page].unsync && level_of(m, page) == 1;
}

int spht_unsync_below(const struct spht_mmu *m, uint32_t page, struct spht_pages *list)
{
	const struct spht_mmu_page *p = &m->pages[page];

	if (!p->child)
		return 0;
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
		uint32_t child;

		if (!(i % 64) && !p->present[i / 64]) {
			i += 63;
			continue;
		}
		child = spht_mmu_child(m, page, i);
		if (child == SPHT_NO_ID)
			continue;
		if (spht_is_unsync(m, child) && spht_pages_add(list, child))
			return -1;
		if (spht_unsync_below(m, child, list))
			return -1;
	}
	return 0;
}

bool spht_store_floods(struct spht_mmu *m, uint32_t page, bool at_once)
{
	struct spht_mmu_page *p = &m->pages[page];

	if (at_once)
		return true;
	/* A level-1 table can become unsync instead, and then stores go unseen. */
	if (level_of(m, page) == 1)
		return false;
	m->changes++;
	return ++p->flood >= SPHT_FLOOD_STORES;
}
