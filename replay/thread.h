/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_THREAD_H
#define SPHT_THREAD_H

#include "replay/exit.h"

/* Threads of a recording, by tid, and the window that each has open. */

#define SPHT_REFAULT_RING 64u

struct spht_thread {
	int32_t tid;
	uint16_t vcpu;
	bool is_vcpu; /* named a vcpu_id itself (kvm_pvm: walked) */
	bool left_out; /* a vCPU of a VM that was not chosen */
	bool open; /* between kvm_exit and kvm_entry */
	bool emulated; /* kvm_emulate_insn in this window */
	bool mmio;
	bool unsync_first; /* kvm_mmu_unsync_page before the first set_spte */
	bool tentative; /* kvm_pvm: a walk that may or may not open a window */
	bool tentative_error;
	bool kept_store_known; /* the exit's store before that walk */
	unsigned int nr_walks, nr_sets;
	struct spht_exit exit;
	struct spht_walk *walk; /* the walk that elements belong to; NULL: none */
	struct spht_walk other_walk; /* any walk but the first */
	struct spht_event tentative_ev;
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
/* @t says that it runs vCPU @vcpu. */
void spht_threads_bind(struct spht_thread *t, uint16_t vcpu);
/*
 * Number of vCPU threads.  UINT_MAX with @err set when two threads claim one
 * vcpu_id (several VMs) and the user has not @chosen.
 */
unsigned int spht_threads_vcpus(struct spht_threads *ts, bool chosen, struct spht_error *err);

/* Empties the window, keeping its memory. */
void spht_thread_reset(struct spht_thread *t);
int spht_thread_grow_ops(struct spht_thread *t, struct spht_error *err);

/* classify.c: METRICS section 1, over a window that has closed. */
enum spht_class spht_classify(const struct spht_thread *t);
enum spht_emul_sub spht_classify_emul(const struct spht_exit *x);
/* Does the fault on @vpn follow a guest fault of this vCPU?  That guest fault is used up. */
bool spht_is_refault(struct spht_thread *t, vpn_t vpn);
/* A fault under another paging mode than 4-level: counted, and true. */
bool spht_skip_mode(struct spht_assemble_stats *st, const struct spht_exit *x);

#endif
