// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "cut-snaps.h"
#include "cut-state-own.h"

/* The root is one only as long as the page that it names lives. */
static bool root_lives(const struct cut_state *s, const struct record *root)
{
	struct page *p = cut_state_page(s, root->v[SPHT_SP_GFN],
					(uint32_t)root->v[SPHT_SP_ROLE] & ~(1u << s->invalid_bit));

	return p && p->born <= root->seq;
}

static size_t collect(const struct cut_state *s, const struct record **list)
{
	struct node *n;
	size_t i, nr = 0;

	for_each_node(&s->pages, i, n)
	{
		const struct page *p = container_of(n, struct page, node);

		list[nr++] = p->get;
		if (p->sync)
			list[nr++] = p->sync;
	}
	for_each_node(&s->sptes, i, n) list[nr++] = container_of(n, struct spte, node)->set;
	for_each_node(&s->threads, i, n)
	{
		const struct thread *t = container_of(n, struct thread, node);

		if (t->entry)
			list[nr++] = t->entry;
		if (t->root && root_lives(s, t->root))
			list[nr++] = t->root;
	}
	return nr;
}

static int compare_records(const void *a, const void *b)
{
	const struct record *x = *(const struct record *const *)a;
	const struct record *y = *(const struct record *const *)b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

typedef int emit_fn(void *arg, const struct spht_event *ev);

static int emit_record(const struct cut_state *s, const struct record *r, emit_fn *fn, void *arg)
{
	struct spht_event ev = {
		.ts = r->ts,
		.pid = r->pid,
		.cpu = r->cpu,
		.id = r->id,
		.type = r->type,
		.flags = r->flags,
		.preempt = r->preempt,
		.preamble = true,
	};

	memcpy(ev.v, r->v, s->words[r->type] * sizeof(ev.v[0]));
	return fn(arg, &ev);
}

int cut_state_emit(const struct cut_state *s, emit_fn *fn, void *arg)
{
	size_t i, nr, k = 0, nr_snaps = 0;
	const struct cut_snap **snaps = cut_snaps_list(s->snaps, &nr_snaps);
	const struct record **list;
	int rc = -1;

	list = calloc(2 * s->pages.nr + s->sptes.nr + 2 * s->threads.nr + 1, sizeof(*list));
	if (!list || !snaps)
		goto out;
	nr = collect(s, list);
	qsort(list, nr, sizeof(*list), compare_records);
	rc = 0;
	for (i = 0; i < nr && !rc; i++) {
		while (!rc && k < nr_snaps && cut_snap_seq(snaps[k]) < list[i]->seq)
			rc = cut_snap_emit(s->snaps, snaps[k++], fn, arg);
		/* A root's get_page is the page's last one, too. */
		if (!rc && !(i && list[i - 1]->seq == list[i]->seq))
			rc = emit_record(s, list[i], fn, arg);
	}
	while (!rc && k < nr_snaps)
		rc = cut_snap_emit(s->snaps, snaps[k++], fn, arg);
out:
	free(list);
	free(snaps);
	return rc;
}

static int compare_frames(const void *a, const void *b)
{
	const struct frame *x = *(const struct frame *const *)a;
	const struct frame *y = *(const struct frame *const *)b;

	return (x->node.key > y->node.key) - (x->node.key < y->node.key);
}

json_t *cut_state_frames(const struct cut_state *s)
{
	const struct frame **list = calloc(s->frames.nr + 1, sizeof(*list));
	json_t *frames = json_array();
	struct node *n;
	size_t i, nr = 0;
	int failed = !list || !frames;

	if (list)
		for_each_node(&s->frames, i, n) list[nr++] = container_of(n, struct frame, node);
	if (list)
		qsort(list, nr, sizeof(*list), compare_frames);
	for (i = 0; i < nr && !failed; i++) {
		const struct frame *f = list[i];

		if (f->sptes)
			failed = json_array_append_new(
				frames,
				json_pack("[o, o, o]", cmd_json_hex(f->node.key),
					  cmd_json_hex(f->by_gfn.key),
					  f->role_known ? cmd_json_hex(f->role) : json_null()));
	}
	free(list);
	if (!failed)
		return frames;
	json_decref(frames);
	return NULL;
}
