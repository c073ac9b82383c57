/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_NODE_TABLE_H
#define SPHT_NODE_TABLE_H

#include <stddef.h>
#include <stdint.h>

/*
 * A chained hash whose nodes lie inside the things it finds, so that one of
 * these can be in several tables.  Several nodes may have one key.
 */
struct node {
	struct node *next;
	uint64_t key;
};

struct table {
	struct node **buckets;
	size_t mask, nr;
};

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#define for_each_node(t, i, n) \
	for ((i) = 0; (i) <= (t)->mask; (i)++) \
		for ((n) = (t)->buckets[i]; (n); (n) = (n)->next)

/* 0, or -1 without memory; free(t->buckets) ends it. */
int table_init(struct table *t);
/* The first node with @key, NULL if there is none. */
struct node *table_find(const struct table *t, uint64_t key);
/* The next node of the same key. */
struct node *node_next(const struct node *n);
void table_add(struct table *t, struct node *n, uint64_t key);
void table_del(struct table *t, struct node *n);
/* Any node, to empty a table; NULL when it is empty.  *@i starts at 0. */
struct node *table_any(const struct table *t, size_t *i);

#endif
