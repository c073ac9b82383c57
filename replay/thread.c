// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/idmap.h"
#include "replay/thread.h"

#define MAX_THREADS 65536u

struct spht_threads {
	struct spht_thread **by_order;
	size_t nr, cap;
	unsigned int nr_vcpus; /* of them */
	struct spht_idmap order; /* thread id -> place in by_order */
	struct spht_thread *last; /* nearly always the one that is asked for again */
};

struct spht_threads *spht_threads_open(void)
{
	struct spht_threads *ts = calloc(1, sizeof(*ts));

	if (ts && spht_idmap_init(&ts->order)) {
		free(ts);
		return NULL;
	}
	return ts;
}

void spht_threads_close(struct spht_threads *ts)
{
	if (!ts)
		return;
	for (size_t i = 0; i < ts->nr; i++) {
		free(ts->by_order[i]->exit.ops);
		spht_snaps_free(ts->by_order[i]->exit.snaps);
		free(ts->by_order[i]->order.cuts);
		free(ts->by_order[i]);
	}
	free(ts->by_order);
	spht_idmap_close(&ts->order);
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
	if (spht_idmap_get(&ts->order, (uint64_t)tid, 0) == SPHT_NO_ID) {
		free(t);
		return NULL;
	}
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
	uint32_t known;

	if (t && t->tid == tid)
		return t;
	known = spht_idmap_find(&ts->order, (uint64_t)tid, 0);
	t = known == SPHT_NO_ID ? thread_new(ts, tid) : ts->by_order[known];
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

void spht_threads_bind(struct spht_threads *ts, struct spht_thread *t, uint16_t vcpu)
{
	ts->nr_vcpus += !t->is_vcpu;
	t->is_vcpu = true;
	t->vcpu = vcpu;
}

unsigned int spht_threads_vcpus(const struct spht_threads *ts)
{
	return ts->nr_vcpus;
}

int spht_threads_one_vm(const struct spht_threads *ts, struct spht_error *err)
{
	const struct spht_thread **owner = calloc(UINT16_MAX + 1u, sizeof(*owner));
	const struct spht_thread *t, *other = NULL;

	if (!owner) {
		spht_error_set(err, "out of memory for the vCPUs of the recording");
		return -1;
	}
	for (size_t i = 0; i < ts->nr && !other; i++) {
		t = ts->by_order[i];
		if (!t->is_vcpu)
			continue;
		other = owner[t->vcpu];
		if (other)
			spht_error_set(
				err,
				"threads %d and %d both run vCPU %u: the recording holds several "
				"VMs; choose one with --vm=TID[,TID...] (its vCPU threads, see "
				"spht-trace info)",
				other->tid, t->tid, t->vcpu);
		owner[t->vcpu] = t;
	}
	free(owner);
	return other ? -1 : 0;
}

static bool runs_vcpu(const struct spht_threads *ts, int32_t tid)
{
	uint32_t known = spht_idmap_find(&ts->order, (uint64_t)tid, 0);

	return known != SPHT_NO_ID && ts->by_order[known]->is_vcpu;
}

int spht_threads_check(struct spht_threads *ts, const int32_t *tids, size_t nr,
		       struct spht_error *err)
{
	char there[256] = "";
	size_t len = 0, i = 0;

	while (i < nr && runs_vcpu(ts, tids[i]))
		i++;
	if (i == nr)
		return 0;
	for (size_t k = 0; k < ts->nr; k++)
		if ((ts->by_order[k]->is_vcpu || ts->by_order[k]->left_out) &&
		    len < sizeof(there) - 16)
			len += (size_t)snprintf(there + len, sizeof(there) - len, "%s%d",
						len ? ", " : "", ts->by_order[k]->tid);
	spht_error_set(err, "--vm: thread %d runs no vCPU in this recording; those that do: %s",
		       tids[i], len ? there : "none");
	return -1;
}

void spht_thread_reset(struct spht_thread *t)
{
	struct spht_snaps *snaps = t->exit.snaps;
	struct spht_op *ops = t->exit.ops;
	size_t cap = t->exit.cap_ops;

	memset(&t->exit, 0, sizeof(t->exit));
	t->exit.ops = ops;
	t->exit.cap_ops = cap;
	t->exit.snaps = snaps;
	/* Of a window that did not close, or of none: what they say holds, but not when. */
	spht_snaps_outlive(snaps);
	t->emulated = t->mmio = t->unsync_first = false;
	t->emulation_done = t->injected = false;
	t->nr_walks = t->nr_sets = t->nr_held = 0;
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

/*
 * kvm_pvm.  A fault's walk opens a window, but other walks look the same: the
 * emulator's, for its instruction and for its operands, and those by which KVM
 * delivers an exception itself.  None of these has the P bit.  They are held
 * until what follows tells.
 */

static bool is_fetch(const struct spht_event *walk)
{
	return walk->v[SPHT_WALK_PFERR] & SPHT_PF_FETCH;
}

static bool same_page(uint64_t a, uint64_t b)
{
	return spht_gva_vpn(a) == spht_gva_vpn(b);
}

bool spht_is_root_get(const struct spht_event *ev)
{
	/* role.level: bits 0-3 since 5.10. */
	return ev->id == SPHT_EV_GET_PAGE && (ev->v[SPHT_SP_ROLE] & 15) >= 4;
}

static void hold(struct spht_thread *t, const struct spht_event *ev, bool with_one_before)
{
	if (with_one_before) {
		t->held[0].walk = t->other_walk;
	} else {
		t->nr_held = 0;
		t->kept_store_known = t->exit.store_known;
		t->kept_store_gpa = t->exit.store_gpa;
	}
	t->held[t->nr_held].ev = *ev;
	t->held[t->nr_held].error = false;
	t->held[t->nr_held++].t_entry = t->exit.t_entry;
}

/* The window's fault was dealt with, and not by emulating what faulted. */
static bool is_handled(const struct spht_thread *t)
{
	const struct spht_exit *x = &t->exit;
	bool writable = false;

	for (size_t i = 0; i < x->nr_ops; i++)
		writable |= x->ops[i].kind == SPHT_OP_SET && (x->ops[i].spte & SPHT_PTE_W);
	/* A store to a page table is emulated after its entry was made, read-only. */
	return x->walk.failed || (x->requested && (!(x->pfec & SPHT_PF_W) || writable));
}

static enum spht_pvm pvm_walk(struct spht_thread *t, const struct spht_event *ev)
{
	const struct spht_held_walk *last = t->nr_held ? &t->held[t->nr_held - 1] : NULL;
	uint64_t addr = ev->v[SPHT_WALK_ADDR];

	if (!t->open || !t->nr_walks || (ev->v[SPHT_WALK_PFERR] & SPHT_PF_P))
		return SPHT_PVM_FAULT;
	if (last && is_fetch(&last->ev)) {
		/* An instruction across two pages; else no emulation came, and so it was a fault. */
		bool on = is_fetch(ev) && !(addr & 0xfff) &&
			  same_page(addr - 1, last->ev.v[SPHT_WALK_ADDR]);

		return on ? SPHT_PVM_GO_ON : SPHT_PVM_HELD_TOO;
	}
	if (is_fetch(ev)) {
		hold(t, ev, last);
		return SPHT_PVM_GO_ON;
	}
	if (!t->emulated && !t->injected)
		return SPHT_PVM_FAULT;
	/* The operand: the page that the window's fault was about. */
	if (t->emulated && !t->emulation_done && same_page(addr, t->exit.gva)) {
		t->emulation_done = true;
		t->nr_held = 0;
		return SPHT_PVM_GO_ON;
	}
	hold(t, ev, false);
	return SPHT_PVM_GO_ON;
}

static enum spht_pvm pvm_emulation(struct spht_thread *t)
{
	bool fetched = t->nr_held && is_fetch(&t->held[t->nr_held - 1].ev);
	unsigned int nr = t->nr_held - fetched;
	struct spht_exit *x = &t->exit;

	/* Emulated without a fault, and the fetch was taken for one. */
	if (t->open && !t->nr_held && t->nr_walks == 1 && (x->pfec & SPHT_PF_FETCH) &&
	    !x->requested && !x->walk.failed)
		x->is_pf = false;
	/*
	 * Walk, fetch, emulation: a fault that is emulated, unless the walk can be
	 * an operand of the emulation before or part of delivering an exception.
	 */
	if (nr &&
	    (t->emulation_done || (t->injected && (t->held[0].ev.v[SPHT_WALK_PFERR] & SPHT_PF_U))))
		return SPHT_PVM_HELD_FIRST;
	t->nr_held = 0;
	if (!nr && t->open && (t->emulation_done || (!t->emulated && is_handled(t))))
		return SPHT_PVM_OTHER;
	return SPHT_PVM_GO_ON;
}

enum spht_pvm spht_thread_pvm(struct spht_thread *t, const struct spht_event *ev)
{
	struct spht_held_walk *last = t->nr_held ? &t->held[t->nr_held - 1] : NULL;

	switch (ev->id) {
	case SPHT_EV_PAGETABLE_WALK:
		return pvm_walk(t, ev);
	case SPHT_EV_EMULATE_INSN:
		return pvm_emulation(t);
	case SPHT_EV_WALKER_ERROR:
		if (last)
			last->error = true;
		/* Whoever fetches it, the guest takes a fault. */
		return last && is_fetch(&last->ev) ? SPHT_PVM_HELD_LAST : SPHT_PVM_GO_ON;
	case SPHT_EV_INJ_EXCEPTION:
		if (last && last->error && ev->v[SPHT_INJ_EXCEPTION] == 14)
			return SPHT_PVM_HELD_LAST;
		t->injected |= t->open && t->exit.walk.failed;
		return SPHT_PVM_GO_ON;
	case SPHT_EV_GET_PAGE:
		if (spht_is_root_get(ev))
			return t->open ? SPHT_PVM_GO_ON : SPHT_PVM_OTHER;
		return last ? SPHT_PVM_HELD_LAST : SPHT_PVM_GO_ON;
	case SPHT_EV_SPTE_REQUESTED:
	case SPHT_EV_UNSYNC_PAGE:
	case SPHT_EV_SET_SPTE:
		return last ? SPHT_PVM_HELD_LAST : SPHT_PVM_GO_ON;
	case SPHT_EV_HANDLE_MMIO_PAGE_FAULT:
		/* Told by the error code alone, without a walk. */
		return SPHT_PVM_OTHER;
	case SPHT_EV_MMIO:
	case SPHT_EV_USERSPACE_EXIT:
		t->emulation_done = t->emulated;
		t->nr_held = 0;
		return SPHT_PVM_GO_ON;
	default:
		return SPHT_PVM_GO_ON;
	}
}
