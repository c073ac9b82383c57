// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cut-snaps.h"
#include "node-table.h"

#define WORDS 512 /* of a page table */

struct cut_snap {
	struct node node; /* by gfn */
	bool known;
	uint64_t seq; /* of the last snapshot */
	struct spht_event head; /* that snapshot; its thread's entries are like it */
	uint64_t page[WORDS];
};

struct cut_snaps {
	struct table tables;
	struct cut_snap *open; /* whose entries follow; NULL: of nothing that can be used */
	uint64_t left; /* so many */
	bool has_entries; /* one was seen: their type is known */
	uint8_t entry_type;
};

struct cut_snaps *cut_snaps_new(void)
{
	struct cut_snaps *s = calloc(1, sizeof(*s));

	if (s && table_init(&s->tables)) {
		free(s);
		return NULL;
	}
	return s;
}

void cut_snaps_free(struct cut_snaps *s)
{
	struct node *n;
	size_t i = 0;

	if (!s)
		return;
	while ((n = table_any(&s->tables, &i))) {
		table_del(&s->tables, n);
		free(container_of(n, struct cut_snap, node));
	}
	free(s->tables.buckets);
	free(s);
}

static struct cut_snap *find_table(struct cut_snaps *s, uint64_t gfn)
{
	struct node *n = table_find(&s->tables, gfn);
	struct cut_snap *t;

	if (n)
		return container_of(n, struct cut_snap, node);
	t = calloc(1, sizeof(*t));
	if (t)
		table_add(&s->tables, &t->node, gfn);
	return t;
}

/* The last one lacks entries: what they would have said is not known. */
static void close_last(struct cut_snaps *s)
{
	if (s->open && s->left)
		s->open->known = false;
	s->open = NULL;
	s->left = 0;
}

static int on_snap(struct cut_snaps *s, const struct spht_event *ev, uint64_t seq)
{
	struct cut_snap *t = find_table(s, ev->v[SPHT_SNAP_GFN]);
	uint64_t flags = ev->v[SPHT_SNAP_FLAGS];

	close_last(s);
	if (!t)
		return -1;
	if (flags & SPHT_SNAP_UNREADABLE) {
		t->known = false;
		return 0;
	}
	if (flags & SPHT_SNAP_FULL) {
		memset(t->page, 0, sizeof(t->page));
		t->known = true;
	}
	t->seq = seq;
	t->head = *ev;
	s->open = t;
	s->left = ev->v[SPHT_SNAP_ENTRIES];
	return 0;
}

static void on_entry(struct cut_snaps *s, const struct spht_event *ev)
{
	struct cut_snap *t = s->open;

	s->has_entries = true;
	s->entry_type = ev->type;
	if (!t || !s->left || t->node.key != ev->v[SPHT_SNAP_ENTRY_GFN])
		return;
	s->left--;
	if (ev->v[SPHT_SNAP_ENTRY_INDEX] < WORDS)
		t->page[ev->v[SPHT_SNAP_ENTRY_INDEX]] = ev->v[SPHT_SNAP_ENTRY_VALUE];
	else
		t->known = false;
}

int cut_snaps_feed(struct cut_snaps *s, const struct spht_event *ev, uint64_t seq)
{
	if (ev->id == SPHT_EV_SNAP)
		return on_snap(s, ev, seq);
	on_entry(s, ev);
	return 0;
}

static int compare_tables(const void *a, const void *b)
{
	const struct cut_snap *x = *(const struct cut_snap *const *)a;
	const struct cut_snap *y = *(const struct cut_snap *const *)b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

const struct cut_snap **cut_snaps_list(const struct cut_snaps *s, size_t *nr)
{
	const struct cut_snap **list = calloc(s->tables.nr + 1, sizeof(*list));
	struct node *n;
	size_t i;

	*nr = 0;
	if (!list)
		return NULL;
	for_each_node(&s->tables, i, n)
	{
		const struct cut_snap *t = container_of(n, struct cut_snap, node);

		/* Of the one that is open the rest is beyond the events that were fed. */
		if (t->known && !(t == s->open && s->left))
			list[(*nr)++] = t;
	}
	qsort(list, *nr, sizeof(*list), compare_tables);
	return list;
}

uint64_t cut_snap_seq(const struct cut_snap *t)
{
	return t->seq;
}

int cut_snap_emit(const struct cut_snaps *s, const struct cut_snap *t,
		  int (*fn)(void *arg, const struct spht_event *ev), void *arg)
{
	struct spht_event ev = t->head;
	unsigned int used = 0;
	int rc;

	for (unsigned int i = 0; i < WORDS; i++)
		used += t->page[i] != 0;
	ev.preamble = true;
	ev.v[SPHT_SNAP_FLAGS] = SPHT_SNAP_FULL;
	ev.v[SPHT_SNAP_ENTRIES] = used;
	rc = fn(arg, &ev);
	if (!s->has_entries)
		return rc;
	memset(ev.v, 0, sizeof(ev.v));
	ev.id = SPHT_EV_SNAP_ENTRY;
	ev.type = s->entry_type;
	ev.v[SPHT_SNAP_ENTRY_GFN] = t->node.key;
	for (unsigned int i = 0; i < WORDS && !rc; i++) {
		if (!t->page[i])
			continue;
		ev.v[SPHT_SNAP_ENTRY_INDEX] = i;
		ev.v[SPHT_SNAP_ENTRY_VALUE] = t->page[i];
		rc = fn(arg, &ev);
	}
	return rc;
}
