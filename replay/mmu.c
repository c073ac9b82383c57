// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/mmu.h"

void spht_mmu_init(struct spht_mmu *m, const struct spht_shadow *shadow)
{
	memset(m, 0, sizeof(*m));
	m->shadow = shadow;
	m->oldest = m->newest = SPHT_NO_ID;
	m->changes = 1; /* 0 is before all of them */
}

void spht_mmu_close(struct spht_mmu *m)
{
	for (uint32_t i = 0; i < m->nr; i++) {
		free(m->pages[i].child);
		free(m->pages[i].parents);
	}
	free(m->pages);
	free(m->roots);
	memset(m, 0, sizeof(*m));
}

int spht_mmu_reserve(struct spht_mmu *m, uint32_t nr)
{
	uint32_t cap = m->nr ? m->nr : 256;
	void *p;

	if (nr <= m->nr)
		return 0;
	while (cap < nr)
		cap *= 2;
	p = realloc(m->pages, cap * sizeof(*m->pages));
	if (!p)
		return -1;
	m->pages = p;
	memset(m->pages + m->nr, 0, (cap - m->nr) * sizeof(*m->pages));
	m->nr = cap;
	return 0;
}

static void touch(const struct spht_mmu *m, uint32_t page)
{
	if (m->touched)
		m->touched(m->touched_arg, page);
}

static void empty(struct spht_mmu_page *p)
{
	memset(p->present, 0, sizeof(p->present));
	memset(p->writable, 0, sizeof(p->writable));
	memset(p->unknown, 0, sizeof(p->unknown));
}

/* Where the ends of the list of pages are, or a page's own neighbours. */
static uint32_t *newer_of(struct spht_mmu *m, uint32_t page)
{
	return page == SPHT_NO_ID ? &m->oldest : &m->pages[page].newer;
}

static uint32_t *older_of(struct spht_mmu *m, uint32_t page)
{
	return page == SPHT_NO_ID ? &m->newest : &m->pages[page].older;
}

static void enlist(struct spht_mmu *m, uint32_t page, uint32_t older, uint32_t newer)
{
	m->pages[page].older = older;
	m->pages[page].newer = newer;
	*newer_of(m, older) = page;
	*older_of(m, newer) = page;
	if (++m->nr_existing > m->nr_most)
		m->nr_most = m->nr_existing;
}

static void delist(struct spht_mmu *m, uint32_t page)
{
	const struct spht_mmu_page *p = &m->pages[page];

	*newer_of(m, p->older) = p->newer;
	*older_of(m, p->newer) = p->older;
	m->nr_existing--;
}

void spht_mmu_create(struct spht_mmu *m, uint32_t page, uint32_t pos)
{
	struct spht_mmu_page *p = &m->pages[page];

	m->changes++;
	if (p->exists)
		delist(m, page);
	enlist(m, page, m->newest, SPHT_NO_ID);
	p->flood = 0;
	empty(p);
	p->exists = true;
	p->unsync = false;
	p->sync_pos = pos;
	touch(m, page);
}

void spht_mmu_assume(struct spht_mmu *m, uint32_t page, uint32_t pos)
{
	struct spht_mmu_page *p = &m->pages[page];

	if (p->exists)
		return;
	spht_mmu_create(m, page, pos);
	delist(m, page);
	enlist(m, page, SPHT_NO_ID, m->oldest);
	memset(p->unknown, 0xff, sizeof(p->unknown));
	touch(m, page);
}

void spht_mmu_zap(struct spht_mmu *m, uint32_t page)
{
	struct spht_mmu_page *p = &m->pages[page];

	m->changes++;
	if (p->exists)
		delist(m, page);
	empty(p);
	p->exists = p->unsync = false;
	for (uint32_t i = 0; i < p->nr_parents; i++) {
		uint32_t parent = p->parents[i][0], index = p->parents[i][1];

		if (m->pages[parent].child[index] != page)
			continue;
		m->pages[parent].child[index] = SPHT_NO_ID;
		spht_mmu_drop(m, parent, index);
		touch(m, parent);
	}
	p->nr_parents = 0;
	touch(m, page);
}

void spht_mmu_zap_all(struct spht_mmu *m)
{
	for (uint32_t i = 0; i < m->nr; i++)
		if (m->pages[i].exists)
			spht_mmu_zap(m, i);
}

static int add_parent(struct spht_mmu_page *p, uint32_t parent, uint32_t index)
{
	if (p->nr_parents == p->cap_parents) {
		uint32_t cap = p->cap_parents ? p->cap_parents * 2 : 4;
		void *n = realloc(p->parents, cap * sizeof(*p->parents));

		if (!n)
			return -1;
		p->parents = n;
		p->cap_parents = cap;
	}
	p->parents[p->nr_parents][0] = parent;
	p->parents[p->nr_parents++][1] = index;
	return 0;
}

/* Another page hangs there from now on. */
static void del_parent(struct spht_mmu_page *p, uint32_t parent, uint32_t index)
{
	for (uint32_t i = 0; i < p->nr_parents; i++) {
		if (p->parents[i][0] != parent || p->parents[i][1] != index)
			continue;
		p->nr_parents--;
		p->parents[i][0] = p->parents[p->nr_parents][0];
		p->parents[i][1] = p->parents[p->nr_parents][1];
		return;
	}
}

void spht_mmu_unlink(struct spht_mmu *m, uint32_t parent, unsigned int index)
{
	struct spht_mmu_page *p = &m->pages[parent];

	m->changes++;
	if (p->child[index] != SPHT_NO_ID)
		del_parent(&m->pages[p->child[index]], parent, index);
	p->child[index] = SPHT_NO_ID;
	touch(m, parent);
}

int spht_mmu_link(struct spht_mmu *m, uint32_t parent, unsigned int index, uint32_t child)
{
	struct spht_mmu_page *p = &m->pages[parent];

	if (spht_mmu_child(m, parent, index) == child)
		return 0;
	m->changes++;
	if (!p->child) {
		p->child = malloc(SPHT_PT_ENTRIES * sizeof(*p->child));
		if (!p->child)
			return -1;
		memset(p->child, 0xff, SPHT_PT_ENTRIES * sizeof(*p->child));
	}
	/* A parent that lost the link by its own zap is still in the child's list. */
	if (p->child[index] != child) {
		if (add_parent(&m->pages[child], parent, index))
			return -1;
		spht_mmu_unlink(m, parent, index);
	}
	p->child[index] = SPHT_NO_ID;
	spht_mmu_set(m, parent, index, true);
	p->child[index] = child;
	touch(m, parent);
	return 0;
}

/* Pages above the leaf from the top, by the level of the page. */
static uint32_t path_page(const struct spht_mmu *m, uint32_t path, unsigned int level)
{
	switch (level) {
	case 4:
		return spht_path_root(m->shadow, path);
	case 3:
		return spht_path_l3(m->shadow, path);
	default:
		return spht_path_l2(m->shadow, path);
	}
}

unsigned int spht_mmu_missing(const struct spht_mmu *m, uint32_t path, uint32_t leaf,
			      unsigned int leaf_level, vpn_t vpn)
{
	unsigned int ret = 0;

	for (unsigned int level = 4; level > leaf_level; level--) {
		uint32_t page = path_page(m, path, level);
		uint32_t child = level - 1 == leaf_level ? leaf : path_page(m, path, level - 1);
		unsigned int index = spht_vpn_index(vpn, level);

		if (page == SPHT_NO_ID)
			continue;
		if (spht_bit(m->pages[page].unknown, index))
			ret = SPHT_PATH_UNKNOWN;
		else if (spht_mmu_child(m, page, index) != child)
			return level - 1;
	}
	return ret;
}

void spht_mmu_walk(const struct spht_mmu *m, uint32_t path, uint32_t leaf, unsigned int leaf_level,
		   vpn_t vpn, struct spht_mmu_spot *at)
{
	uint32_t page = spht_path_root(m->shadow, path), child;
	unsigned int level = 4;

	at->unknown = false;
	if (page == SPHT_NO_ID)
		page = path_page(m, path, --level);
	for (;; level--) {
		unsigned int index = spht_vpn_index(vpn, level);

		at->page = page;
		at->index = (uint16_t)index;
		at->level = (uint8_t)level;
		if (level == 1)
			return;
		child = spht_mmu_child(m, page, index);
		if (level > leaf_level && spht_bit(m->pages[page].unknown, index)) {
			at->unknown = true;
			child = level - 1 == leaf_level ? leaf : path_page(m, path, level - 1);
		}
		if (child == SPHT_NO_ID)
			return;
		page = child;
	}
}

void spht_mmu_descend(const struct spht_mmu *m, uint32_t page, unsigned int level, vpn_t vpn,
		      struct spht_mmu_spot *at)
{
	for (;; level--) {
		uint32_t child;

		*at = (struct spht_mmu_spot){
			.page = page,
			.index = (uint16_t)spht_vpn_index(vpn, level),
			.level = (uint8_t)level,
		};
		child = level > 1 ? spht_mmu_child(m, page, at->index) : SPHT_NO_ID;
		if (child == SPHT_NO_ID)
			return;
		page = child;
	}
}

void spht_mmu_clear_flood(struct spht_mmu *m, uint32_t path, uint32_t leaf, unsigned int leaf_level)
{
	for (unsigned int level = 4; level >= leaf_level; level--) {
		uint32_t page = level == leaf_level ? leaf : path_page(m, path, level);

		if (page != SPHT_NO_ID)
			m->pages[page].flood = 0;
	}
	if (spht_path_root(m->shadow, path) != SPHT_NO_ID)
		return;
	for (uint32_t i = 0; i < m->nr_roots; i++)
		m->pages[m->roots[i]].flood = 0;
}

int spht_mmu_pin(struct spht_mmu *m, uint32_t page)
{
	m->changes++;
	if (m->pages[page].pins++)
		return 0;
	if (m->nr_roots == m->cap_roots) {
		uint32_t cap = m->cap_roots ? m->cap_roots * 2 : 8;
		void *p = realloc(m->roots, cap * sizeof(*m->roots));

		if (!p)
			return -1;
		m->roots = p;
		m->cap_roots = cap;
	}
	m->roots[m->nr_roots++] = page;
	return 0;
}

void spht_mmu_unpin(struct spht_mmu *m, uint32_t page)
{
	if (--m->pages[page].pins)
		return;
	for (uint32_t i = 0; i < m->nr_roots; i++) {
		if (m->roots[i] != page)
			continue;
		m->roots[i] = m->roots[--m->nr_roots];
		return;
	}
}

int spht_mmu_link_path(struct spht_mmu *m, uint32_t path, uint32_t leaf, unsigned int leaf_level,
		       vpn_t vpn)
{
	for (unsigned int level = 4; level > leaf_level; level--) {
		uint32_t page = path_page(m, path, level);
		uint32_t child = level - 1 == leaf_level ? leaf : path_page(m, path, level - 1);

		if (page == SPHT_NO_ID)
			continue;
		if (spht_mmu_link(m, page, spht_vpn_index(vpn, level), child))
			return -1;
	}
	return 0;
}
