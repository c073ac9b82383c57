/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_LRU_H
#define SPHT_LRU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A table of bounded size for the state of a heuristic: entries of one size, found by a
 * pair of 64-bit words, of which the least recently used one makes room.  All of it
 * lies in memory of the caller's, holds no pointers, and does the same on every
 * machine.  Finding and making an entry take constant time on average.
 *
 *	size_t n = spht_lru_size(64, sizeof(struct mine));
 *	struct spht_lru *t = memory_of_n_bytes_aligned_to_8;
 *	spht_lru_init(t, 64, sizeof(struct mine));
 *	struct mine *m = spht_lru_get(t, space, region, &fresh);
 *
 * A pointer to an entry is good until the next spht_lru_get() that makes one.
 */
#define SPHT_LRU_NONE UINT32_MAX

struct spht_lru {
	uint32_t cap, nr, mask; /* entries at most and now, slots - 1 */
	uint32_t newest, oldest; /* of use; SPHT_LRU_NONE: empty */
	uint32_t stride; /* bytes of a node */
};

/* In front of each entry. */
struct spht_lru_node {
	uint64_t key[2];
	uint32_t chain; /* next of its slot */
	uint32_t newer, older;
	uint32_t unused;
};

static inline uint32_t spht_lru_slots(uint32_t cap)
{
	uint32_t n = 1;

	while (n < cap)
		n *= 2;
	return n < 2 ? 2 : n;
}

static inline uint32_t spht_lru_stride(size_t entry)
{
	return (uint32_t)(sizeof(struct spht_lru_node) + ((entry + 7) & ~(size_t)7));
}

/* Bytes that a table of @cap entries (1 .. 2^24) of @entry bytes takes: a multiple of 8. */
static inline size_t spht_lru_size(uint32_t cap, size_t entry)
{
	return sizeof(struct spht_lru) + spht_lru_slots(cap) * sizeof(uint32_t) +
	       (size_t)cap * spht_lru_stride(entry);
}

static inline uint32_t *spht_lru_slot(struct spht_lru *t, uint64_t a, uint64_t b)
{
	uint64_t h = (a * UINT64_C(0x9e3779b97f4a7c15)) ^ b;

	h = (h ^ (h >> 32)) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t *)(void *)(t + 1) + ((uint32_t)(h >> 32) & t->mask);
}

static inline struct spht_lru_node *spht_lru_node(struct spht_lru *t, uint32_t i)
{
	unsigned char *nodes = (unsigned char *)((uint32_t *)(void *)(t + 1) + t->mask + 1);

	return (struct spht_lru_node *)(void *)(nodes + (size_t)i * t->stride);
}

/* @t: spht_lru_size() bytes, zeroed or not. */
static inline void spht_lru_init(struct spht_lru *t, uint32_t cap, size_t entry)
{
	t->cap = cap;
	t->nr = 0;
	t->mask = spht_lru_slots(cap) - 1;
	t->newest = t->oldest = SPHT_LRU_NONE;
	t->stride = spht_lru_stride(entry);
	memset(t + 1, 0xff, (t->mask + 1) * sizeof(uint32_t));
}

static inline void spht_lru_unlink(struct spht_lru *t, const struct spht_lru_node *n)
{
	*(n->newer == SPHT_LRU_NONE ? &t->newest : &spht_lru_node(t, n->newer)->older) = n->older;
	*(n->older == SPHT_LRU_NONE ? &t->oldest : &spht_lru_node(t, n->older)->newer) = n->newer;
}

static inline void spht_lru_to_front(struct spht_lru *t, uint32_t i)
{
	struct spht_lru_node *n = spht_lru_node(t, i);

	n->newer = SPHT_LRU_NONE;
	n->older = t->newest;
	*(t->newest == SPHT_LRU_NONE ? &t->oldest : &spht_lru_node(t, t->newest)->newer) = i;
	t->newest = i;
}

/* The entry of (@a, @b) as it stands, which counts as a use unless @peek; NULL: none. */
static inline void *spht_lru_seek(struct spht_lru *t, uint64_t a, uint64_t b, bool peek)
{
	uint32_t i = *spht_lru_slot(t, a, b);

	while (i != SPHT_LRU_NONE) {
		struct spht_lru_node *n = spht_lru_node(t, i);

		if (n->key[0] == a && n->key[1] == b) {
			if (!peek && t->newest != i) {
				spht_lru_unlink(t, n);
				spht_lru_to_front(t, i);
			}
			return n + 1;
		}
		i = n->chain;
	}
	return NULL;
}

static inline void *spht_lru_find(struct spht_lru *t, uint64_t a, uint64_t b)
{
	return spht_lru_seek(t, a, b, false);
}

static inline void *spht_lru_peek(struct spht_lru *t, uint64_t a, uint64_t b)
{
	return spht_lru_seek(t, a, b, true);
}

/* The words by which @entry, of this table, is found: two. */
static inline const uint64_t *spht_lru_key(const void *entry)
{
	return ((const struct spht_lru_node *)entry - 1)->key;
}

/* The entry that the next new one takes the place of; NULL: there is room. */
static inline void *spht_lru_victim(struct spht_lru *t)
{
	return t->nr < t->cap ? NULL : spht_lru_node(t, t->oldest) + 1;
}

/* Takes the least recently used entry's node out of its slot. */
static inline uint32_t spht_lru_evict(struct spht_lru *t)
{
	uint32_t i = t->oldest;
	struct spht_lru_node *n = spht_lru_node(t, i);
	uint32_t *link = spht_lru_slot(t, n->key[0], n->key[1]);

	while (*link != i)
		link = &spht_lru_node(t, *link)->chain;
	*link = n->chain;
	spht_lru_unlink(t, n);
	return i;
}

/* The entry of (@a, @b); *@fresh: it was made now, all zero. */
static inline void *spht_lru_get(struct spht_lru *t, uint64_t a, uint64_t b, bool *fresh)
{
	void *entry = spht_lru_find(t, a, b);
	struct spht_lru_node *n;
	uint32_t i, *slot;

	*fresh = !entry;
	if (entry)
		return entry;
	i = t->nr < t->cap ? t->nr++ : spht_lru_evict(t);
	n = spht_lru_node(t, i);
	memset(n, 0, t->stride);
	n->key[0] = a;
	n->key[1] = b;
	slot = spht_lru_slot(t, a, b);
	n->chain = *slot;
	*slot = i;
	spht_lru_to_front(t, i);
	return n + 1;
}

/* Entries from the most recently used on: the first, and the one after @entry; NULL: none. */
static inline void *spht_lru_first(struct spht_lru *t)
{
	return t->newest == SPHT_LRU_NONE ? NULL : spht_lru_node(t, t->newest) + 1;
}

static inline void *spht_lru_next(struct spht_lru *t, const void *entry)
{
	uint32_t i = ((const struct spht_lru_node *)entry - 1)->older;

	return i == SPHT_LRU_NONE ? NULL : spht_lru_node(t, i) + 1;
}

#endif
