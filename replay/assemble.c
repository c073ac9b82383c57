// SPDX-License-Identifier: LGPL-2.1-or-later
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "replay/exit.h"
#include "replay/thread.h"
#include "replay/window.h"

/* kvm_exit.isa and the exit reasons that matter here (vmx.h, svm.h). */
#define ISA_VMX                1
#define ISA_SVM                2
#define VMX_REASON_EXCEPTION   0
#define VMX_REASON_INVLPG      14
#define VMX_REASON_CR_ACCESS   28
#define VMX_REASON_EPT         48
#define VMX_REASON_EPT_MISCONF 49
#define VMX_REASON_INVPCID     58
#define VMX_INTR_PF            0x8000030eu /* valid, hardware exception, vector 14 */
#define VMX_INTR_MASK          0x800007ffu
#define SVM_REASON_WRITE_CR3   0x13
#define SVM_REASON_PF          0x4e
#define SVM_REASON_INVLPG      0x79
#define SVM_REASON_INVPCID     0xa2
#define SVM_REASON_NPF         0x400

struct spht_assemble {
	struct spht_order *order; /* what goes on from here goes through it */
	spht_order_fn *deliver; /* past it: where nothing is open */
	void *arg;
	struct spht_assemble_stats stats;
	struct spht_threads *threads;
	struct spht_exit loose; /* scratch for events outside of windows */
	struct spht_op loose_op;
	int32_t *selected;
	size_t nr_selected;
	struct spht_snap_reader *snaps;
	bool ignore_snaps;
};

/* The current event's place in the recording. */
static uint64_t position(const struct spht_assemble *a)
{
	return a->stats.events + a->stats.preamble;
}

static int deliver(struct spht_assemble *a, struct spht_thread *t, struct spht_error *err)
{
	struct spht_exit *x = &t->exit;
	struct spht_assemble_stats *st = &a->stats;
	vpn_t vpn = spht_gva_vpn(x->gva);

	x->number = ++st->exits_total;
	t->guest_ring[t->nr_exits % SPHT_REFAULT_RING] = UINT64_MAX;
	if (x->is_pf && !spht_skip_mode(st, x)) {
		x->cls = spht_classify(t);
		x->nopaging = x->cls == SPHT_CLASS_HUGE && !x->walk.nr;
		if (x->cls == SPHT_CLASS_PTWRITE_EMUL)
			x->sub = spht_classify_emul(x);
		st->by_class[x->cls]++;
		st->emul_sub[x->sub]++;
		st->nopaging += x->nopaging;
		if (x->cls == SPHT_CLASS_GUEST)
			t->guest_ring[t->nr_exits % SPHT_REFAULT_RING] = vpn;
		else if (x->cls == SPHT_CLASS_HIDDEN || x->cls == SPHT_CLASS_AD)
			x->refault = spht_is_refault(t, vpn);
		st->refault += x->refault;
	}
	t->nr_exits++;
	t->open = false;
	spht_snap_end(a->snaps, x->snaps, &t->snap_left, &st->snaps);
	if (spht_order_end(a->order, &t->order, x, position(a), err))
		return -1;
	spht_snaps_clear(x->snaps);
	return 0;
}

static void window_open(struct spht_assemble *a, struct spht_thread *t, const struct spht_event *ev)
{
	spht_thread_reset(t);
	spht_order_begin(a->order, &t->order, &t->exit, position(a));
	t->open = true;
	t->exit.kind = SPHT_EXIT_WINDOW;
	t->exit.t_exit = ev->ts;
	t->exit.tid = ev->pid;
	t->exit.vcpu = t->vcpu;
}

/* A window that never closes is neither an exit nor a fault: counted, not used. */
static void window_drop(struct spht_assemble *a, struct spht_thread *t)
{
	if (t->open) {
		a->stats.exits_incomplete++;
		t->guest_ring[t->nr_exits % SPHT_REFAULT_RING] = UINT64_MAX;
		t->nr_exits++;
	}
	spht_order_drop(a->order, &t->order);
	t->open = false;
	t->nr_held = 0;
}

static int on_exit_event(struct spht_assemble *a, struct spht_thread *t,
			 const struct spht_event *ev, struct spht_error *err)
{
	struct spht_exit *x = &t->exit;
	uint32_t reason = (uint32_t)ev->v[SPHT_EXIT_REASON];
	uint32_t isa = (uint32_t)ev->v[SPHT_EXIT_ISA];

	window_drop(a, t);
	spht_threads_bind(a->threads, t, (uint16_t)ev->v[SPHT_EXIT_VCPU]);
	window_open(a, t, ev);
	x->reason = reason;
	x->rip = ev->v[SPHT_EXIT_RIP];
	if (isa == ISA_SVM) {
		x->is_pf = reason == SVM_REASON_PF;
		x->pfec = (uint32_t)ev->v[SPHT_EXIT_INFO1];
		x->gva = ev->v[SPHT_EXIT_INFO2];
		x->cr3_load = reason == SVM_REASON_WRITE_CR3;
		x->invlpg = reason == SVM_REASON_INVLPG || reason == SVM_REASON_INVPCID;
		/* With decode assists; without, info1 is 0. */
		x->invlpg_known = reason == SVM_REASON_INVLPG && ev->v[SPHT_EXIT_INFO1];
		if (x->invlpg_known)
			x->gva = ev->v[SPHT_EXIT_INFO1];
		if (reason == SVM_REASON_NPF)
			goto tdp;
	} else if (isa == ISA_VMX) {
		uint32_t intr = (uint32_t)ev->v[SPHT_EXIT_INTR_INFO] & VMX_INTR_MASK;
		uint32_t basic = reason & 0xffff;

		x->is_pf = basic == VMX_REASON_EXCEPTION && intr == VMX_INTR_PF;
		x->pfec = (uint32_t)ev->v[SPHT_EXIT_ERROR_CODE];
		x->gva = ev->v[SPHT_EXIT_INFO1];
		/* Qualification bits 3:0 = CR number, 5:4 = 0 for MOV to CR. */
		x->cr3_load = basic == VMX_REASON_CR_ACCESS && (ev->v[SPHT_EXIT_INFO1] & 0x3f) == 3;
		x->invlpg = basic == VMX_REASON_INVLPG || basic == VMX_REASON_INVPCID;
		x->invlpg_known = basic == VMX_REASON_INVLPG;
		if (basic == VMX_REASON_EPT || basic == VMX_REASON_EPT_MISCONF)
			goto tdp;
	}
	/* The emulator's walks, where there are any, come before what it does. */
	if (x->invlpg)
		spht_order_walk(a->order, &t->order, position(a));
	return 0;
tdp:
	spht_error_set(
		err,
		"the guest ran on nested page tables (EPT/NPT exit at %llu ns), not on shadow "
		"paging; record with kvm_intel ept=0 or kvm_amd npt=0",
		(unsigned long long)ev->ts);
	return -1;
}

static int on_entry_event(struct spht_assemble *a, struct spht_thread *t,
			  const struct spht_event *ev, struct spht_error *err)
{
	spht_threads_bind(a->threads, t, (uint16_t)ev->v[SPHT_ENTRY_VCPU]);
	if (!t->open)
		return 0;
	t->exit.t_entry = ev->ts;
	return deliver(a, t, err);
}

/* A shadow-MMU event: into the thread's window, or on its own. */
static int on_op(struct spht_assemble *a, struct spht_thread *t, const struct spht_event *ev,
		 struct spht_error *err)
{
	struct spht_exit *x = &t->exit;
	struct spht_op *op;

	if (!t->open || ev->preamble) {
		struct spht_exit *l = &a->loose;

		memset(l, 0, sizeof(*l));
		l->kind = SPHT_EXIT_LOOSE;
		l->preamble = ev->preamble;
		l->tid = ev->pid;
		l->vcpu = t->vcpu;
		l->t_exit = l->t_entry = ev->ts;
		l->ops = &a->loose_op;
		l->nr_ops = l->cap_ops = 1;
		spht_window_op(l->ops, ev);
		return spht_order_loose(a->order, l, position(a), err);
	}
	if (x->nr_ops == x->cap_ops && spht_thread_grow_ops(t, err))
		return -1;
	if (spht_order_op(a->order, &t->order, position(a), ev->ts)) {
		spht_error_set(err, "out of memory for exits that overlap");
		return -1;
	}
	op = &x->ops[x->nr_ops++];
	spht_window_op(op, ev);
	switch (op->kind) {
	case SPHT_OP_REQUESTED:
		x->requested = true;
		x->req_level = op->level;
		break;
	case SPHT_OP_SET:
		t->nr_sets++;
		break;
	case SPHT_OP_UNSYNC:
		if (!t->nr_sets)
			t->unsync_first = true;
		break;
	case SPHT_OP_GET:
		/* role.direct: bit 7 since 5.10, which has spte_requested at all. */
		if (x->requested && (op->role & (1u << 7)))
			x->direct_after = true;
		break;
	default:
		break;
	}
	return 0;
}

/* A cut's tables as they were at its beginning: on their own, like its shadow pages. */
static int snap_preamble(struct spht_assemble *a, struct spht_thread *t,
			 const struct spht_event *ev, struct spht_error *err)
{
	struct spht_exit *l = &a->loose;

	if (t->snap_left || !t->exit.snaps->nr)
		return 0;
	memset(l, 0, sizeof(*l));
	l->kind = SPHT_EXIT_LOOSE;
	l->preamble = true;
	l->tid = ev->pid;
	l->t_exit = l->t_entry = ev->ts;
	l->snaps = t->exit.snaps;
	if (a->deliver(a->arg, l, err))
		return -1;
	spht_snaps_clear(t->exit.snaps);
	return 0;
}

/* Guest tables, of the exit in which they were read. */
static int on_snap(struct spht_assemble *a, struct spht_thread *t, const struct spht_event *ev,
		   struct spht_error *err)
{
	struct spht_snaps **list = &t->exit.snaps;

	if (a->ignore_snaps) {
		a->stats.snaps.taken += ev->id == SPHT_EV_SNAP;
		return 0;
	}
	if (spht_snap_event(a->snaps, list, &t->snap_left, ev, &a->stats.snaps)) {
		spht_error_set(err, "out of memory for snapshots of guest tables");
		return -1;
	}
	return ev->preamble ? snap_preamble(a, t, ev, err) : 0;
}

/* kvm_pvm: closes what is open and opens a window at @ev. */
static int pvm_open(struct spht_assemble *a, struct spht_thread *t, const struct spht_event *ev,
		    struct spht_error *err)
{
	if (t->open && deliver(a, t, err))
		return -1;
	/* Nothing names the vCPU: threads are numbered as they appear. */
	if (!t->is_vcpu)
		spht_threads_bind(a->threads, t, (uint16_t)spht_threads_vcpus(a->threads));
	window_open(a, t, ev);
	if (ev->id != SPHT_EV_PAGETABLE_WALK) {
		/* What walks there are come from the emulator; after a root is got, a fault's. */
		t->nr_walks = !spht_is_root_get(ev);
		return 0;
	}
	t->exit.is_pf = true;
	t->exit.gva = ev->v[SPHT_WALK_ADDR];
	t->exit.pfec = (uint32_t)ev->v[SPHT_WALK_PFERR];
	return 0;
}

/* A walk held back was a fault's after all: close the old window before it, open its own. */
static int pvm_promote(struct spht_assemble *a, struct spht_thread *t, unsigned int i,
		       struct spht_error *err)
{
	struct spht_held_walk h = t->held[i];

	if (i + 1 == t->nr_held)
		h.walk = t->other_walk;
	t->nr_held = 0;
	t->exit.t_entry = h.t_entry;
	t->exit.store_known = t->kept_store_known;
	t->exit.store_gpa = t->kept_store_gpa;
	if (pvm_open(a, t, &h.ev, err))
		return -1;
	t->exit.walk = h.walk;
	t->nr_walks = 1;
	t->walk = &t->exit.walk;
	return 0;
}

/*
 * kvm_pvm records neither exit nor entry (METRICS section 1): walks open
 * windows, which end where the next one opens.
 */
static int on_pvm(struct spht_assemble *a, struct spht_thread *t, const struct spht_event *ev,
		  struct spht_error *err)
{
	switch (spht_thread_pvm(t, ev)) {
	case SPHT_PVM_HELD_TOO:
		return pvm_promote(a, t, t->nr_held - 1, err) || on_pvm(a, t, ev, err) ? -1 : 0;
	case SPHT_PVM_FAULT:
	case SPHT_PVM_OTHER:
		return pvm_open(a, t, ev, err);
	case SPHT_PVM_HELD_FIRST:
		return pvm_promote(a, t, 0, err);
	case SPHT_PVM_HELD_LAST:
		return pvm_promote(a, t, t->nr_held - 1, err);
	default:
		return 0;
	}
}

static int on_loss(struct spht_assemble *a, const struct spht_event *ev, struct spht_error *err)
{
	struct spht_exit *l = &a->loose;
	struct spht_thread *t;

	if (ev->v[0] == UINT64_MAX)
		a->stats.lost_unknown++;
	else
		a->stats.lost_events += ev->v[0];
	/* Any thread may have run on the CPU that lost events. */
	for (size_t i = 0; (t = spht_threads_at(a->threads, i)); i++)
		window_drop(a, t);
	if (spht_order_flush(a->order, err))
		return -1;
	memset(l, 0, sizeof(*l));
	l->kind = SPHT_EXIT_LOSS;
	l->t_exit = l->t_entry = ev->ts;
	l->lost = ev->v[0];
	return a->deliver(a->arg, l, err);
}

/*
 * With a choice, vCPU threads of other VMs take no part, neither with exits nor
 * with shadow pages.  Their first exit or entry (kvm_pvm: walk) tells them.
 */
static bool is_left_out(const struct spht_assemble *a, struct spht_thread *t,
			const struct spht_event *ev)
{
	uint8_t tells = a->stats.has_exits ? SPHT_EV_EXIT : SPHT_EV_PAGETABLE_WALK;

	if (t->left_out || t->is_vcpu)
		return t->left_out;
	if (ev->id != tells && ev->id != SPHT_EV_ENTRY &&
	    (a->stats.has_exits || !spht_is_root_get(ev)))
		return false;
	for (size_t i = 0; i < a->nr_selected; i++)
		if (a->selected[i] == t->tid)
			return false;
	t->left_out = true;
	return true;
}

static int dispatch(struct spht_assemble *a, struct spht_thread *t, const struct spht_event *ev,
		    struct spht_error *err)
{
	switch (ev->id) {
	case SPHT_EV_EXIT:
		return on_exit_event(a, t, ev, err);
	case SPHT_EV_ENTRY:
		return on_entry_event(a, t, ev, err);
	case SPHT_EV_PAGE_FAULT:
		spht_window_page_fault(t, ev);
		break;
	case SPHT_EV_PAGETABLE_WALK:
		if (!t->open)
			break;
		spht_order_walk(a->order, &t->order, position(a));
		spht_window_walk(t, ev);
		break;
	case SPHT_EV_PAGING_ELEMENT:
		if (t->open)
			spht_window_element(t, ev);
		break;
	case SPHT_EV_WALKER_ERROR:
		if (t->open && t->walk) {
			t->walk->failed = true;
			t->walk->error = (uint32_t)ev->v[SPHT_WERR_PFERR];
		}
		break;
	case SPHT_EV_SET_ACCESSED_BIT:
		if (t->open && t->walk)
			t->walk->set_a = true;
		break;
	case SPHT_EV_SET_DIRTY_BIT:
		if (t->open && t->walk)
			t->walk->set_d = true;
		break;
	case SPHT_EV_EMULATE_INSN:
		t->emulated = true;
		t->exit.store_bytes = spht_window_store_bytes(ev);
		break;
	case SPHT_EV_MMIO:
	case SPHT_EV_HANDLE_MMIO_PAGE_FAULT:
	case SPHT_EV_MARK_MMIO_SPTE:
		t->mmio = true;
		/* kvm_pvm: a fault for which KVM walked no table. */
		t->exit.is_pf |= !a->stats.has_exits && t->open;
		break;
	case SPHT_EV_CR:
		if (t->open && ev->v[SPHT_CR_RW] && ev->v[SPHT_CR_CR] == 3) {
			t->exit.cr3_load = t->exit.cr3_known = true;
			t->exit.cr3 = ev->v[SPHT_CR_VAL];
		}
		break;
	case SPHT_EV_GET_PAGE:
	case SPHT_EV_SYNC_PAGE:
	case SPHT_EV_UNSYNC_PAGE:
	case SPHT_EV_PREPARE_ZAP_PAGE:
	case SPHT_EV_SET_SPTE:
	case SPHT_EV_SPTE_REQUESTED:
	case SPHT_EV_ZAP_ALL_FAST:
		return on_op(a, t, ev, err);
	case SPHT_EV_TDP_SPTE_CHANGED:
		spht_error_set(
			err,
			"the guest ran on nested page tables (kvm_tdp_mmu_spte_changed at %llu "
			"ns), not on shadow paging; record with kvm_intel ept=0 or kvm_amd "
			"npt=0",
			(unsigned long long)ev->ts);
		return -1;
	case SPHT_EV_UNKNOWN:
		a->stats.unknown_events++;
		break;
	default:
		break;
	}
	return 0;
}

int spht_assemble_event(struct spht_assemble *a, const struct spht_event *ev,
			struct spht_error *err)
{
	struct spht_thread *t;
	int ret;

	if (ev->id == SPHT_EV_LOST)
		return on_loss(a, ev, err);
	t = spht_threads_find(a->threads, ev->pid, err);
	if (!t)
		return -1;
	if (ev->preamble) {
		a->stats.preamble++;
		if (a->nr_selected && is_left_out(a, t, ev))
			return 0;
		if (ev->id == SPHT_EV_SNAP || ev->id == SPHT_EV_SNAP_ENTRY)
			return on_snap(a, t, ev, err);
		if (ev->id == SPHT_EV_ENTRY)
			spht_threads_bind(a->threads, t, (uint16_t)ev->v[SPHT_ENTRY_VCPU]);
		return dispatch(a, t, ev, err);
	}
	if (!a->stats.events++)
		a->stats.t_first = ev->ts;
	a->stats.t_last = ev->ts;
	if (a->nr_selected && is_left_out(a, t, ev))
		return 0;
	if (ev->id == SPHT_EV_SNAP || ev->id == SPHT_EV_SNAP_ENTRY)
		return on_snap(a, t, ev, err);
	if (!a->stats.has_exits && on_pvm(a, t, ev, err))
		return -1;
	ret = dispatch(a, t, ev, err);
	if (!a->stats.has_exits && t->open)
		t->exit.t_entry = ev->ts;
	return ret;
}

int spht_assemble_finish(struct spht_assemble *a, struct spht_error *err)
{
	struct spht_thread *t;

	for (size_t i = 0; (t = spht_threads_at(a->threads, i)); i++) {
		if (!a->stats.has_exits && t->open && deliver(a, t, err))
			return -1;
		window_drop(a, t);
	}
	if (spht_order_flush(a->order, err))
		return -1;
	a->stats.unordered = spht_order_forced(a->order);
	a->stats.vcpus = spht_threads_vcpus(a->threads);
	return a->nr_selected ? 0 : spht_threads_one_vm(a->threads, err);
}

struct spht_assemble *spht_assemble_open(bool has_exits,
					 int (*fn)(void *arg, const struct spht_exit *exit,
						   struct spht_error *err),
					 void *arg)
{
	struct spht_assemble *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->threads = spht_threads_open();
	a->order = spht_order_open(fn, arg);
	a->snaps = spht_snap_reader_open();
	if (!a->threads || !a->order || !a->snaps) {
		spht_assemble_close(a);
		return NULL;
	}
	a->deliver = fn;
	a->arg = arg;
	a->stats.has_exits = has_exits;
	return a;
}

void spht_assemble_ignore_snaps(struct spht_assemble *a)
{
	a->ignore_snaps = true;
}

int spht_assemble_select(struct spht_assemble *a, const int32_t *tids, size_t nr)
{
	a->selected = malloc(nr * sizeof(*tids) + 1);
	if (!a->selected)
		return -1;
	memcpy(a->selected, tids, nr * sizeof(*tids));
	a->nr_selected = nr;
	return 0;
}

int spht_assemble_check_selected(const struct spht_assemble *a, struct spht_error *err)
{
	return spht_threads_check(a->threads, a->selected, a->nr_selected, err);
}

const struct spht_assemble_stats *spht_assemble_stats(const struct spht_assemble *a)
{
	return &a->stats;
}

void spht_assemble_close(struct spht_assemble *a)
{
	if (!a)
		return;
	spht_order_close(a->order);
	spht_threads_close(a->threads);
	spht_snap_reader_close(a->snaps);
	free(a->selected);
	free(a);
}
