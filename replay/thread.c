// SPDX-License-Identifier: LGPL-2.1-or-later
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "replay/thread.h"

#define MAX_THREADS 65536u

struct spht_threads {
	struct spht_thread **by_order;
	size_t nr, cap;
	struct spht_thread *last; /* nearly always the one that is asked for again */
};

struct spht_threads *spht_threads_open(void)
{
	return calloc(1, sizeof(struct spht_threads));
}

void spht_threads_close(struct spht_threads *ts)
{
	if (!ts)
		return;
	for (size_t i = 0; i < ts->nr; i++) {
		free(ts->by_order[i]->exit.ops);
		free(ts->by_order[i]);
	}
	free(ts->by_order);
	free(ts);
}

static struct spht_thread *thread_new(struct spht_threads *ts, int32_t tid)
{
	struct spht_thread *t;

	if (ts->nr == ts->cap) {
		size_t cap = ts->cap ? ts->cap * 2 : 64;
		void *p;

		if (ts->nr >= MAX_THREADS)
			return NULL;
		p = realloc(ts->by_order, cap * sizeof(*ts->by_order));
		if (!p)
			return NULL;
		ts->by_order = p;
		ts->cap = cap;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->tid = tid;
	for (unsigned int i = 0; i < SPHT_REFAULT_RING; i++)
		t->guest_ring[i] = UINT64_MAX;
	t->nr_exits = SPHT_REFAULT_RING;
	ts->by_order[ts->nr++] = t;
	return t;
}

struct spht_thread *spht_threads_find(struct spht_threads *ts, int32_t tid, struct spht_error *err)
{
	struct spht_thread *t = ts->last;

	if (t && t->tid == tid)
		return t;
	/* Few threads matter; a linear search over them is paid only at a switch. */
	for (size_t i = 0; i < ts->nr; i++) {
		if (ts->by_order[i]->tid == tid) {
			ts->last = ts->by_order[i];
			return ts->last;
		}
	}
	t = thread_new(ts, tid);
	if (!t) {
		spht_error_set(err, "out of memory, or more than %u threads in the recording",
			       MAX_THREADS);
		return NULL;
	}
	ts->last = t;
	return t;
}

struct spht_thread *spht_threads_at(struct spht_threads *ts, size_t i)
{
	return i < ts->nr ? ts->by_order[i] : NULL;
}

void spht_threads_bind(struct spht_thread *t, uint16_t vcpu)
{
	t->is_vcpu = true;
	t->vcpu = vcpu;
}

unsigned int spht_threads_vcpus(struct spht_threads *ts, bool chosen, struct spht_error *err)
{
	unsigned int n = 0;

	for (size_t i = 0; i < ts->nr; i++) {
		struct spht_thread *t = ts->by_order[i];

		n += t->is_vcpu;
		for (size_t j = 0; !chosen && t->is_vcpu && j < i; j++) {
			if (!ts->by_order[j]->is_vcpu || ts->by_order[j]->vcpu != t->vcpu)
				continue;
			spht_error_set(
				err,
				"threads %d and %d both run vCPU %u: the recording holds several "
				"VMs; choose one with --vm=TID[,TID...] (its vCPU threads, see "
				"spht-trace info)",
				ts->by_order[j]->tid, t->tid, t->vcpu);
			return UINT_MAX;
		}
	}
	return n;
}

void spht_thread_reset(struct spht_thread *t)
{
	struct spht_op *ops = t->exit.ops;
	size_t cap = t->exit.cap_ops;

	memset(&t->exit, 0, sizeof(t->exit));
	t->exit.ops = ops;
	t->exit.cap_ops = cap;
	t->emulated = t->mmio = t->unsync_first = t->tentative = false;
	t->nr_walks = t->nr_sets = 0;
	t->walk = NULL;
}

int spht_thread_grow_ops(struct spht_thread *t, struct spht_error *err)
{
	size_t cap = t->exit.cap_ops ? t->exit.cap_ops * 2 : 32;
	void *p = realloc(t->exit.ops, cap * sizeof(*t->exit.ops));

	if (!p) {
		spht_error_set(err, "out of memory for %zu shadow-MMU events of one exit", cap);
		return -1;
	}
	t->exit.ops = p;
	t->exit.cap_ops = cap;
	return 0;
}
