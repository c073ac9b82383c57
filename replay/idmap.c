// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/idmap.h"

#define FIRST_CAP 1024u

int spht_idmap_init(struct spht_idmap *m)
{
	m->nr = 0;
	m->cap = FIRST_CAP;
	m->mask = 2 * FIRST_CAP - 1;
	m->slots = calloc(2 * FIRST_CAP, sizeof(*m->slots));
	m->keys = malloc(FIRST_CAP * sizeof(*m->keys));
	if (m->slots && m->keys)
		return 0;
	spht_idmap_close(m);
	return -1;
}

void spht_idmap_close(struct spht_idmap *m)
{
	free(m->slots);
	free(m->keys);
	memset(m, 0, sizeof(*m));
}

static uint32_t hash(uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ (b * 0x9e3779b97f4a7c15ull)) * 0xbf58476d1ce4e5b9ull;

	h ^= h >> 29;
	h *= 0x94d049bb133111ebull;
	return (uint32_t)(h >> 32);
}

/* The slot of (@a, @b), or the free one where it belongs. */
static uint32_t *probe(const struct spht_idmap *m, uint64_t a, uint64_t b)
{
	uint32_t i = hash(a, b) & m->mask;

	while (m->slots[i]) {
		const uint64_t *k = m->keys[m->slots[i] - 1];

		if (k[0] == a && k[1] == b)
			break;
		i = (i + 1) & m->mask;
	}
	return &m->slots[i];
}

static int grow(struct spht_idmap *m)
{
	uint32_t cap = m->cap * 2, *slots, *old = m->slots;
	void *keys;

	if (m->cap > UINT32_MAX / 8)
		return -1;
	keys = realloc(m->keys, cap * sizeof(*m->keys));
	if (!keys)
		return -1;
	m->keys = keys;
	slots = calloc(2 * (size_t)cap, sizeof(*slots));
	if (!slots)
		return -1;
	m->slots = slots;
	m->mask = 2 * cap - 1;
	m->cap = cap;
	for (uint32_t id = 0; id < m->nr; id++)
		*probe(m, m->keys[id][0], m->keys[id][1]) = id + 1;
	free(old);
	return 0;
}

uint32_t spht_idmap_find(const struct spht_idmap *m, uint64_t a, uint64_t b)
{
	return *probe(m, a, b) - 1;
}

uint32_t spht_idmap_get(struct spht_idmap *m, uint64_t a, uint64_t b)
{
	uint32_t *slot = probe(m, a, b);

	if (*slot)
		return *slot - 1;
	if (m->nr == m->cap) {
		if (grow(m))
			return SPHT_NO_ID;
		slot = probe(m, a, b);
	}
	m->keys[m->nr][0] = a;
	m->keys[m->nr][1] = b;
	*slot = ++m->nr;
	return m->nr - 1;
}
