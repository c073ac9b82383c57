// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "node-table.h"

#define MIN_BUCKETS 64

int table_init(struct table *t)
{
	t->mask = MIN_BUCKETS - 1;
	t->buckets = calloc(t->mask + 1, sizeof(*t->buckets));
	return t->buckets ? 0 : -1;
}

static struct node **bucket(const struct table *t, uint64_t key)
{
	return &t->buckets[(key * 0x9e3779b97f4a7c15ull >> 20) & t->mask];
}

struct node *table_find(const struct table *t, uint64_t key)
{
	struct node *n = *bucket(t, key);

	while (n && n->key != key)
		n = n->next;
	return n;
}

struct node *node_next(const struct node *n)
{
	uint64_t key = n->key;

	do {
		n = n->next;
	} while (n && n->key != key);
	return (struct node *)n;
}

/* Twice the buckets; without memory the chains only get longer. */
static void table_grow(struct table *t)
{
	struct table bigger = {.mask = t->mask * 2 + 1};
	size_t i;

	bigger.buckets = calloc(bigger.mask + 1, sizeof(*bigger.buckets));
	if (!bigger.buckets)
		return;
	for (i = 0; i <= t->mask; i++) {
		struct node *n = t->buckets[i], *next;

		for (; n; n = next) {
			struct node **head = bucket(&bigger, n->key);

			next = n->next;
			n->next = *head;
			*head = n;
		}
	}
	free(t->buckets);
	t->buckets = bigger.buckets;
	t->mask = bigger.mask;
}

void table_add(struct table *t, struct node *n, uint64_t key)
{
	struct node **head;

	if (t->nr++ > t->mask)
		table_grow(t);
	head = bucket(t, key);
	n->key = key;
	n->next = *head;
	*head = n;
}

void table_del(struct table *t, struct node *n)
{
	struct node **link = bucket(t, n->key);

	while (*link != n)
		link = &(*link)->next;
	*link = n->next;
	t->nr--;
}

struct node *table_any(const struct table *t, size_t *i)
{
	for (; *i <= t->mask; (*i)++)
		if (t->buckets[*i])
			return t->buckets[*i];
	return NULL;
}
