// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/order.h"

/* A window or loose operation that waits, as long as pieces of it do. */
struct node {
	struct spht_exit exit;
	struct spht_snaps *snaps; /* kept for it, as exit.ops are */
	unsigned int pieces;
	struct node *next_free;
};

/* A place in the order: a whole exit, or some of its operations. */
struct piece {
	uint64_t pos, serial;
	struct node *node;
	size_t first, nr; /* operations */
	uint64_t ts;
	uint8_t kind; /* enum spht_exit_kind */
	bool raced;
};

struct spht_order {
	spht_order_fn *deliver;
	void *arg;
	uint64_t nr_ops; /* of all threads */
	uint64_t serial, forced;
	struct spht_order_window *open; /* list */
	struct spht_order_window *last; /* did the last operation, if in a window */
	struct piece *heap;
	size_t nr, cap;
	struct node *free;
};

struct spht_order *spht_order_open(spht_order_fn *deliver, void *arg)
{
	struct spht_order *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->deliver = deliver;
	o->arg = arg;
	return o;
}

static void node_delete(struct node *n)
{
	free(n->exit.ops);
	spht_snaps_free(n->snaps);
	free(n);
}

void spht_order_close(struct spht_order *o)
{
	struct node *n;

	if (!o)
		return;
	for (size_t i = 0; i < o->nr; i++)
		if (!--o->heap[i].node->pieces)
			node_delete(o->heap[i].node);
	while ((n = o->free)) {
		o->free = n->next_free;
		node_delete(n);
	}
	free(o->heap);
	free(o);
}

/* The heap: what comes first, and of two at one event what was put there first. */
static bool before(const struct piece *a, const struct piece *b)
{
	return a->pos != b->pos ? a->pos < b->pos : a->serial < b->serial;
}

static void heap_push(struct spht_order *o, struct piece p)
{
	size_t i = o->nr++;

	p.serial = o->serial++;
	p.node->pieces++;
	for (; i && before(&p, &o->heap[(i - 1) / 2]); i = (i - 1) / 2)
		o->heap[i] = o->heap[(i - 1) / 2];
	o->heap[i] = p;
}

static struct piece heap_pop(struct spht_order *o)
{
	struct piece top = o->heap[0], p = o->heap[--o->nr];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < o->nr) {
		if (child + 1 < o->nr && before(&o->heap[child + 1], &o->heap[child]))
			child++;
		if (!before(&o->heap[child], &p))
			break;
		o->heap[i] = o->heap[child];
		i = child;
	}
	o->heap[i] = p;
	return top;
}

static int heap_reserve(struct spht_order *o, size_t more)
{
	size_t cap = o->cap ? o->cap : 64;
	void *p;

	if (o->nr + more <= o->cap)
		return 0;
	while (cap < o->nr + more)
		cap *= 2;
	p = realloc(o->heap, cap * sizeof(*o->heap));
	if (!p)
		return -1;
	o->heap = p;
	o->cap = cap;
	return 0;
}

static struct node *node_new(struct spht_order *o)
{
	struct node *n = o->free;

	if (!n)
		return calloc(1, sizeof(*n));
	o->free = n->next_free;
	return n;
}

static void window_unlink(struct spht_order *o, struct spht_order_window *w)
{
	struct spht_order_window **p = &o->open;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	if (o->last == w)
		o->last = NULL;
}

void spht_order_begin(struct spht_order *o, struct spht_order_window *w,
		      const struct spht_exit *exit, uint64_t pos)
{
	if (w->pos_open)
		window_unlink(o, w);
	w->exit = exit;
	w->pos_open = pos;
	w->pos_walk = w->pos_op = w->pos_work = 0;
	w->ops_before = o->nr_ops;
	w->raced = false;
	w->nr_cuts = 0;
	w->next = o->open;
	o->open = w;
}

void spht_order_walk(struct spht_order *o, struct spht_order_window *w, uint64_t pos)
{
	w->pos_walk = pos;
	if (!w->pos_work)
		w->pos_work = pos;
	/* Decided by the first operation, if there comes one. */
	if (!w->pos_op)
		w->raced = o->nr_ops != w->ops_before;
}

/* The thread that worked until now is overtaken: what it did so far is a piece. */
static int cut(struct spht_order_window *w, size_t nr_ops)
{
	if (w->nr_cuts == w->cap_cuts) {
		size_t cap = w->cap_cuts ? w->cap_cuts * 2 : 8;
		void *p = realloc(w->cuts, cap * sizeof(*w->cuts));

		if (!p)
			return -1;
		w->cuts = p;
		w->cap_cuts = cap;
	}
	w->cuts[w->nr_cuts++] = (struct spht_order_cut){nr_ops, w->pos_op, w->ts_op};
	return 0;
}

int spht_order_op(struct spht_order *o, struct spht_order_window *w, uint64_t pos, uint64_t ts)
{
	/* Others worked since this window's last operation. */
	if (w->pos_op && o->last != w && cut(w, w->exit->nr_ops))
		return -1;
	if (!w->pos_op)
		w->raced = o->nr_ops != w->ops_before;
	o->last = w;
	o->nr_ops++;
	w->pos_op = pos;
	w->ts_op = ts;
	if (!w->pos_work)
		w->pos_work = pos;
	return 0;
}

void spht_order_drop(struct spht_order *o, struct spht_order_window *w)
{
	if (!w->pos_open)
		return;
	window_unlink(o, w);
	w->pos_open = 0;
}

/*
 * The first place at which an open window may still have a say.  A fault's
 * begins with its exit, which shows what the hardware found; other windows do
 * nothing until they do something, and one without is where it ends.
 */
static uint64_t barrier(const struct spht_order *o)
{
	uint64_t min = UINT64_MAX;

	for (const struct spht_order_window *w = o->open; w; w = w->next) {
		uint64_t pos = w->exit->is_pf ? w->pos_open : w->pos_work;

		if (pos && pos < min)
			min = pos;
	}
	return min;
}

static int deliver_piece(struct spht_order *o, const struct piece *p, struct spht_error *err)
{
	struct node *n = p->node;
	struct spht_exit x = n->exit;
	int ret;

	x.kind = p->kind;
	x.raced = p->raced;
	if (p->kind == SPHT_EXIT_SEEN || p->kind == SPHT_EXIT_PIECE)
		x.snaps = NULL;
	if (p->kind != SPHT_EXIT_SEEN) {
		x.ops = p->nr ? n->exit.ops + p->first : NULL;
		x.nr_ops = p->nr;
	}
	if (p->kind == SPHT_EXIT_PIECE)
		x.t_exit = x.t_entry = p->ts;
	ret = o->deliver(o->arg, &x, err);
	if (!--n->pieces) {
		n->next_free = o->free;
		o->free = n;
	}
	return ret;
}

static int deliver_until(struct spht_order *o, uint64_t pos, struct spht_error *err)
{
	while (o->nr && (o->heap[0].pos < pos || o->nr > SPHT_ORDER_LIMIT)) {
		struct piece p = heap_pop(o);
		int ret = deliver_piece(o, &p, err);

		o->forced += p.pos >= pos;
		if (ret)
			return ret;
	}
	return 0;
}

/* Operations [first, end) that are the exit's own; the rest are pieces beside it. */
static void find_main(const struct spht_exit *x, size_t *first, size_t *last)
{
	bool requested = false;

	*first = *last = 0;
	if (!x->is_pf)
		return;
	for (size_t i = 0; i < x->nr_ops; i++) {
		if (x->ops[i].kind == SPHT_OP_REQUESTED && !requested) {
			*first = *last = i;
			requested = true;
		} else if (x->ops[i].kind == SPHT_OP_SET && requested) {
			*last = i;
		}
	}
}

/* Cuts the window, kept in @n, into pieces; the one that holds the fault's work is the exit. */
static void push_window(struct spht_order *o, const struct spht_order_window *w, struct node *n,
			uint64_t pos)
{
	const struct spht_exit *x = &n->exit;
	struct piece main = {.node = n, .kind = SPHT_EXIT_WINDOW};
	size_t first, last, begin = 0;

	find_main(x, &first, &last);
	main.raced = x->is_pf && w->raced;
	main.pos = w->pos_walk ? w->pos_walk : pos;
	for (size_t i = 0; x->nr_ops && i <= w->nr_cuts; i++) {
		struct spht_order_cut end = {x->nr_ops, w->pos_op, w->ts_op};

		if (i < w->nr_cuts)
			end = w->cuts[i];
		if (begin <= last && end.nr_ops > first) {
			/* Where clocks of CPUs differ a little, one hold of the lock is cut. */
			if (!main.nr)
				main.first = begin;
			main.nr = end.nr_ops - main.first;
			main.pos = end.pos;
			main.raced |= x->is_pf && main.first;
		} else {
			heap_push(o, (struct piece){.node = n,
						    .kind = SPHT_EXIT_PIECE,
						    .pos = end.pos,
						    .ts = end.ts,
						    .first = begin,
						    .nr = end.nr_ops - begin});
		}
		begin = end.nr_ops;
	}
	if (main.raced)
		heap_push(o, (struct piece){.node = n, .kind = SPHT_EXIT_SEEN, .pos = w->pos_open});
	heap_push(o, main);
}

static int no_memory(struct spht_error *err)
{
	spht_error_set(err, "out of memory for exits that overlap");
	return -1;
}

int spht_order_end(struct spht_order *o, struct spht_order_window *w, struct spht_exit *x,
		   uint64_t pos, struct spht_error *err)
{
	struct spht_snaps *snaps;
	struct spht_op *ops;
	struct node *n;
	size_t cap;

	window_unlink(o, w);
	/* Nobody else is there, as ever with one vCPU. */
	if (!o->open && !o->nr && !w->nr_cuts && !(w->raced && x->is_pf)) {
		w->pos_open = 0;
		return o->deliver(o->arg, x, err);
	}
	n = node_new(o);
	if (!n || heap_reserve(o, w->nr_cuts + 3))
		goto fail;
	ops = n->exit.ops;
	cap = n->exit.cap_ops;
	n->exit = *x;
	x->ops = ops;
	x->cap_ops = cap;
	x->nr_ops = 0;
	snaps = n->snaps;
	spht_snaps_clear(snaps);
	n->snaps = x->snaps;
	x->snaps = snaps;
	push_window(o, w, n, pos);
	w->pos_open = 0;
	return deliver_until(o, barrier(o), err);
fail:
	if (n)
		node_delete(n);
	return no_memory(err);
}

int spht_order_loose(struct spht_order *o, const struct spht_exit *x, uint64_t pos,
		     struct spht_error *err)
{
	struct spht_op *ops;
	struct node *n;
	size_t cap;

	o->last = NULL;
	o->nr_ops++;
	if (!o->nr && pos < barrier(o))
		return o->deliver(o->arg, x, err);
	n = node_new(o);
	if (!n || heap_reserve(o, 1))
		goto fail;
	ops = n->exit.ops;
	cap = n->exit.cap_ops;
	if (!cap) {
		ops = malloc(sizeof(*ops));
		if (!ops)
			goto fail;
		cap = 1;
	}
	ops[0] = x->ops[0];
	n->exit = *x;
	n->exit.ops = ops;
	n->exit.cap_ops = cap;
	n->exit.snaps = NULL;
	heap_push(o, (struct piece){.node = n, .kind = SPHT_EXIT_LOOSE, .pos = pos, .nr = 1});
	return deliver_until(o, barrier(o), err);
fail:
	if (n)
		node_delete(n);
	return no_memory(err);
}

int spht_order_flush(struct spht_order *o, struct spht_error *err)
{
	return deliver_until(o, UINT64_MAX, err);
}

uint64_t spht_order_forced(const struct spht_order *o)
{
	return o->forced;
}
