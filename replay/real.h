/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_REAL_H
#define SPHT_REAL_H

#include "replay/account.h"
#include "replay/cpus.h"

/*
 * The real clock: the helper of a what-if is a thread on a core of its own, the
 * replaying thread plays the vCPU, and both race for real page tables.  What an exit
 * and a build cost they spend by turning in circles.
 */
#define SPHT_REAL_BINS       40 /* [2^b, 2^(b+1)) ns, bin 0 also 0 */
#define SPHT_MAX_REPETITIONS 1000
/* A vCPU that is later than that does not catch up: its clock slips. */
#define SPHT_REAL_SLIP_NS    100000
/* Longer between two looks at the clock: the thread was away. */
#define SPHT_REAL_STALL_NS   10000

/* How it is to be done. */
struct spht_real_plan {
	struct spht_cpus cpus;
	double pace; /* guest time is divided by it; 0: it takes none */
	unsigned int warmups, repetitions;
};

struct spht_histogram {
	uint64_t bin[SPHT_REAL_BINS];
	uint64_t sum, most;
};

void spht_histogram_add(struct spht_histogram *h, uint64_t ns);

/* What befell one of the two threads. */
struct spht_real_thread {
	uint64_t switches; /* involuntary context switches */
	uint64_t stalls, stalled_ns; /* away from its clock for SPHT_REAL_STALL_NS or longer */
	uint64_t books_wait_ns; /* waiting for the other one's bookkeeping, which is not modelled */
};

/* One repetition, beside its account. */
struct spht_real_run {
	struct spht_real_thread vcpu, helper;
	struct spht_histogram lag; /* exits: how late the vCPU came to them */
	struct spht_histogram vcpu_wait,
		helper_wait; /* for mmu_lock, each time that it was taken */
	struct spht_histogram queue; /* requests: asked for, to taken up */
	uint64_t slips, slipped_ns;
	uint64_t elapsed_ns;
	/* Faults at which the tables and the model's own maps did not say the same. */
	uint64_t disagreed;
};

/* Was the race held up by somebody else? */
static inline bool spht_real_is_disturbed(const struct spht_real_run *r)
{
	return r->vcpu.switches || r->helper.switches || r->slips;
}

#endif
