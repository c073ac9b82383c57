/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_THREAD_H
#define SPHT_THREAD_H

#include "replay/order.h"

/* Threads of a recording, by tid, and the window that each has open. */

#define SPHT_REFAULT_RING 64u

/* kvm_pvm: a walk of which it is not known yet whether it is a fault's. */
struct spht_held_walk {
	struct spht_event ev;
	struct spht_walk walk; /* its entries; of the last one held: struct spht_thread.other_walk */
	uint64_t t_entry; /* of the window before it */
	bool error; /* it failed */
};

struct spht_thread {
	int32_t tid;
	uint16_t vcpu;
	bool is_vcpu; /* named a vcpu_id itself (kvm_pvm: walked) */
	bool left_out; /* a vCPU of a VM that was not chosen */
	bool open; /* between kvm_exit and kvm_entry */
	bool emulated; /* kvm_emulate_insn in this window */
	bool mmio;
	bool unsync_first; /* kvm_mmu_unsync_page before the first set_spte */
	bool emulation_done; /* kvm_pvm: what comes now is no part of it */
	bool injected; /* kvm_pvm: the guest got the fault of this window */
	bool kept_store_known; /* the exit's store before the walks held */
	unsigned int nr_walks, nr_sets;
	unsigned int snap_left; /* entries of its last snapshot that are still to come */
	struct spht_exit exit;
	struct spht_order_window order;
	struct spht_walk *walk; /* the walk that elements belong to; NULL: none */
	struct spht_walk other_walk; /* any walk but the first */
	struct spht_held_walk held[2]; /* kvm_pvm: a walk, and an instruction fetch after it */
	unsigned int nr_held;
	uint64_t kept_store_gpa;
	uint64_t nr_exits;
	vpn_t guest_ring[SPHT_REFAULT_RING];
};

struct spht_threads;

struct spht_threads *spht_threads_open(void);
void spht_threads_close(struct spht_threads *ts);
/* The thread of @tid, made if new.  NULL only when memory is short. */
struct spht_thread *spht_threads_find(struct spht_threads *ts, int32_t tid, struct spht_error *err);
/* The @i-th thread in order of appearance, NULL past the last. */
struct spht_thread *spht_threads_at(struct spht_threads *ts, size_t i);
/* @t, of @ts, says that it runs vCPU @vcpu. */
void spht_threads_bind(struct spht_threads *ts, struct spht_thread *t, uint16_t vcpu);
/* Number of threads that run a vCPU. */
unsigned int spht_threads_vcpus(const struct spht_threads *ts);
/* -1 with @err set when two threads claim one vcpu_id, as those of several VMs do. */
int spht_threads_one_vm(const struct spht_threads *ts, struct spht_error *err);

/* -1 with @err set where one of @tids runs no vCPU. */
int spht_threads_check(struct spht_threads *ts, const int32_t *tids, size_t nr,
		       struct spht_error *err);

/* Empties the window, keeping its memory. */
void spht_thread_reset(struct spht_thread *t);
int spht_thread_grow_ops(struct spht_thread *t, struct spht_error *err);

/* kvm_pvm, which has no kvm_exit: what an event says about windows, before it is dealt with. */
enum spht_pvm {
	SPHT_PVM_GO_ON, /* nothing: it belongs to the window, if one is open */
	SPHT_PVM_FAULT, /* it is the walk of a fault: a window opens here */
	SPHT_PVM_HELD_FIRST, /* held[0] was one: a window opened there */
	SPHT_PVM_HELD_LAST, /* the last one held was */
	SPHT_PVM_HELD_TOO, /* the last one held was, and for @ev ask again */
	SPHT_PVM_OTHER, /* an exit for another reason than a fault begins */
};
enum spht_pvm spht_thread_pvm(struct spht_thread *t, const struct spht_event *ev);
/* A root is got: only a vCPU's thread does that, before its first walk. */
bool spht_is_root_get(const struct spht_event *ev);

/* classify.c: METRICS section 1, over a window that has closed. */
enum spht_class spht_classify(const struct spht_thread *t);
enum spht_emul_sub spht_classify_emul(const struct spht_exit *x);
/* Does the fault on @vpn follow a guest fault of this vCPU?  That guest fault is used up. */
bool spht_is_refault(struct spht_thread *t, vpn_t vpn);
/* A fault under another paging mode than 4-level: counted, and true. */
bool spht_skip_mode(struct spht_assemble_stats *st, const struct spht_exit *x);

#endif
