// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "snap-tables.h"

#define BUCKETS 16384u /* a power of 2 */

struct known {
	struct known *next; /* in its bucket */
	uint64_t gfn;
	bool valid;
	uint64_t page[SPHT_SNAP_WORDS];
};

struct spht_snap_tables {
	size_t max, nr;
	struct known *buckets[BUCKETS];
};

struct spht_snap_tables *spht_snap_tables_new(size_t max)
{
	struct spht_snap_tables *t = calloc(1, sizeof(*t));

	if (t)
		t->max = max;
	return t;
}

void spht_snap_tables_clear(struct spht_snap_tables *t)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (t->buckets[i]) {
			struct known *k = t->buckets[i];

			t->buckets[i] = k->next;
			free(k);
		}
	}
	t->nr = 0;
}

void spht_snap_tables_free(struct spht_snap_tables *t)
{
	if (t)
		spht_snap_tables_clear(t);
	free(t);
}

size_t spht_snap_tables_count(const struct spht_snap_tables *t)
{
	return t->nr;
}

static struct known **bucket(struct spht_snap_tables *t, uint64_t gfn)
{
	return &t->buckets[(gfn * 0x9e3779b97f4a7c15ull >> 40) & (BUCKETS - 1)];
}

static struct known *find(struct spht_snap_tables *t, uint64_t gfn)
{
	struct known *k = *bucket(t, gfn);

	while (k && k->gfn != gfn)
		k = k->next;
	return k;
}

static struct known *add(struct spht_snap_tables *t, uint64_t gfn)
{
	struct known *k, **b = bucket(t, gfn);

	if (t->nr == t->max)
		spht_snap_tables_clear(t);
	k = malloc(sizeof(*k));
	if (!k)
		return NULL;
	k->gfn = gfn;
	k->valid = false;
	k->next = *b;
	*b = k;
	t->nr++;
	return k;
}

bool spht_snap_tables_forget(struct spht_snap_tables *t, uint64_t gfn)
{
	struct known *k = find(t, gfn);
	bool was = k && k->valid;

	if (k)
		k->valid = false;
	return was;
}

static void list_full(const uint64_t *page, struct spht_snap_diff *d)
{
	d->full = true;
	d->nr = 0;
	for (unsigned int i = 0; i < SPHT_SNAP_WORDS; i++)
		if (page[i])
			d->index[d->nr++] = (uint16_t)i;
}

/* Returns how many words are not 0. */
static unsigned int list_changes(const uint64_t *was, const uint64_t *page,
				 struct spht_snap_diff *d)
{
	unsigned int used = 0;

	d->full = false;
	d->nr = 0;
	for (unsigned int i = 0; i < SPHT_SNAP_WORDS; i++) {
		used += page[i] != 0;
		if (page[i] != was[i])
			d->index[d->nr++] = (uint16_t)i;
	}
	return used;
}

int spht_snap_tables_diff(struct spht_snap_tables *t, uint64_t gfn,
			  const uint64_t page[SPHT_SNAP_WORDS], struct spht_snap_diff *diff)
{
	struct known *k = find(t, gfn);
	unsigned int used;

	/* Most have not changed since. */
	if (k && k->valid && !memcmp(k->page, page, sizeof(k->page))) {
		diff->full = false;
		diff->nr = 0;
		return 0;
	}
	if (!k)
		k = add(t, gfn);
	if (!k)
		return -1;
	used = k->valid ? list_changes(k->page, page, diff) : 0;
	if (!k->valid || used < diff->nr)
		list_full(page, diff);
	memcpy(k->page, page, sizeof(k->page));
	k->valid = true;
	return 0;
}
