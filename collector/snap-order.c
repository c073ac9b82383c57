// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "snap-order.h"

struct node {
	struct node *older, *younger;
	struct snap_record r;
};

/* As many as were ever waiting at once are kept for the next ones. */
struct spht_snap_order {
	struct node *oldest, *youngest;
	struct node *idle; /* by older */
	struct node *taken; /* what the caller looks at */
};

struct spht_snap_order *spht_snap_order_new(void)
{
	return calloc(1, sizeof(struct spht_snap_order));
}

static void free_list(struct node *n)
{
	while (n) {
		struct node *older = n->older;

		free(n);
		n = older;
	}
}

void spht_snap_order_free(struct spht_snap_order *o)
{
	if (!o)
		return;
	free_list(o->youngest);
	free_list(o->idle);
	free(o->taken);
	free(o);
}

static struct node *new_node(struct spht_snap_order *o)
{
	struct node *n = o->idle;

	if (!n)
		return malloc(sizeof(*n));
	o->idle = n->older;
	return n;
}

int spht_snap_order_add(struct spht_snap_order *o, const struct snap_record *r, size_t len)
{
	struct node *n = new_node(o), *older = o->youngest;

	if (!n)
		return -1;
	memcpy(&n->r, r, len < sizeof(n->r) ? len : sizeof(n->r));
	/* From the end: nearly all are the youngest when they come. */
	while (older && older->r.ts > n->r.ts)
		older = older->older;
	n->older = older;
	n->younger = older ? older->younger : o->oldest;
	*(n->younger ? &n->younger->older : &o->youngest) = n;
	*(older ? &older->younger : &o->oldest) = n;
	return 0;
}

const struct snap_record *spht_snap_order_take(struct spht_snap_order *o, uint64_t limit)
{
	struct node *n = o->oldest;

	if (o->taken) {
		o->taken->older = o->idle;
		o->idle = o->taken;
		o->taken = NULL;
	}
	if (!n || n->r.ts >= limit)
		return NULL;
	o->oldest = n->younger;
	*(n->younger ? &n->younger->older : &o->youngest) = NULL;
	o->taken = n;
	return &n->r;
}
