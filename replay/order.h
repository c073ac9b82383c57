/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_ORDER_H
#define SPHT_ORDER_H

#include "replay/exit.h"

/*
 * order: several threads' work on one shadow MMU in the order in which it was
 * done.  A window is known when it closes, but a thread can be held up between
 * its work and its kvm_entry: so what a window did is put where it did it, and
 * windows wait for those that opened earlier and may still have a say.
 *
 * The work of one window is cut where another thread's came in between.  A
 * fault's own work is one piece, done under one hold of mmu_lock (FNAME(fetch)).
 */
struct spht_order_cut {
	size_t nr_ops; /* of the window, up to here */
	uint64_t pos, ts; /* of the last of them */
};

/* Kept with the window of each thread. */
struct spht_order_window {
	const struct spht_exit *exit; /* its thread's */
	uint64_t pos_open; /* kvm_exit; 0: not open */
	uint64_t pos_walk, pos_op; /* the last of each, 0: none */
	uint64_t pos_work; /* the first of either */
	uint64_t ts_op;
	uint64_t ops_before; /* of all threads, when it opened */
	bool raced; /* another thread's work came between kvm_exit and its own */
	struct spht_order_cut *cuts;
	size_t nr_cuts, cap_cuts;
	struct spht_order_window *next; /* open ones */
};

/*
 * Pieces that wait for a window which is held up; above it the oldest are let go,
 * so that a thread that never comes back cannot fill the memory.
 */
#define SPHT_ORDER_LIMIT 16384u

struct spht_order;

typedef int spht_order_fn(void *arg, const struct spht_exit *exit, struct spht_error *err);

struct spht_order *spht_order_open(spht_order_fn *deliver, void *arg);
void spht_order_close(struct spht_order *o);

/*
 * @pos, here and below: the event's number in the recording, from 1.  The
 * window of a thread opens; what was open in @w is dropped.
 */
void spht_order_begin(struct spht_order *o, struct spht_order_window *w,
		      const struct spht_exit *exit, uint64_t pos);
/* A walk, or what else acts on guest or shadow tables without an operation of its own. */
void spht_order_walk(struct spht_order *o, struct spht_order_window *w, uint64_t pos);
/* An operation at time @ts, which will be the window's exit->ops[exit->nr_ops].  -1: memory. */
int spht_order_op(struct spht_order *o, struct spht_order_window *w, uint64_t pos, uint64_t ts);
/* The window is not one. */
void spht_order_drop(struct spht_order *o, struct spht_order_window *w);
/*
 * The window closes.  Delivers what nobody can come before any more, with
 * exit->ops exchanged for another array where it has to be kept.  Returns 0 or
 * -1 with @err set, or what deliver() returned.
 */
int spht_order_end(struct spht_order *o, struct spht_order_window *w, struct spht_exit *exit,
		   uint64_t pos, struct spht_error *err);
/* Work outside of windows: one operation. */
int spht_order_loose(struct spht_order *o, const struct spht_exit *exit, uint64_t pos,
		     struct spht_error *err);
/* Delivers all that waits. */
int spht_order_flush(struct spht_order *o, struct spht_error *err);
/* Pieces that were let go before their turn (SPHT_ORDER_LIMIT). */
uint64_t spht_order_forced(const struct spht_order *o);

#endif
