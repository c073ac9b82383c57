/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_WHATIF_H
#define SPHT_WHATIF_H

#include "replay/account.h"
#include "replay/costs.h"
#include "replay/guest.h"
#include "replay/heuristic_spec.h"
#include "replay/look.h"
#include "replay/kvm.h"
#include "replay/mmu.h"
#include "replay/chunk.h"
#include "replay/phase.h"
#include "replay/housekeeping.h"
#include "replay/real.h"
#include "replay/timeline.h"

/*
 * A what-if: the recording's exogenous events replayed against an MMU of its
 * own, in one world of the guest's page tables, with a helper on a second core.
 */
enum spht_legality { SPHT_LEGAL_ACCESSED, SPHT_LEGAL_PRESENT };

#define SPHT_HELPERS_PER_VCPU 0

/* How much of the model a run takes part in: each level has the rules before it. */
enum spht_rules {
	SPHT_RULES_NAIVE, /* each base fault on a page that was ever asked for */
	SPHT_RULES_VALIDITY, /* and whose guest entry is legal before the access, in this world */
	SPHT_RULES_LIFETIME, /* and is built, at no cost, and still there: zaps, drops, changes */
	SPHT_RULES_PREFETCH, /* and takes its own prefetch with it; builds bring theirs */
	SPHT_RULES_ALL, /* and is built in time: queue, reads, builds, mmu_lock */
	SPHT_RULES_NR
};

const char *spht_rules_name(enum spht_rules rules);

struct spht_whatif_config {
	struct spht_shadow *shadow;
	const struct spht_steps *steps; /* finished */
	const struct spht_mmu *observed; /* at the end: what `none` must equal */
	enum spht_world world;
	const struct spht_spec *spec;
	const struct spht_costs *costs;
	enum spht_legality legality;
	unsigned int window; /* KVM's own prefetch here */
	unsigned int recorded_window; /* and in the recording */
	const struct spht_kvm *kvm; /* whose rules hold here; NULL: the recording's */
	/* The recording's KVM had another window or other rules: `none` may leave it. */
	bool counterfactual;
	uint32_t mmu_pages; /* limit of shadow pages, SPHT_UNLIMITED: none */
	bool helper_prefetch;
	bool verify; /* after each step: verify.h */
	bool clock_real; /* recorded durations hold */
	double guest_time_scale;
	const struct spht_real_plan *pace; /* whose pace guest time has besides; NULL: as recorded */
	/*
	 * The helper is a thread by @pace, and this hears of it (zeroed); NULL: the virtual
	 * clock.  The thread that opens feeds, finishes and closes.
	 */
	struct spht_real_run *real;
	double cost_scale; /* real clock: recorded exits per exit of the profile's cost; else 1 */
	unsigned int helpers; /* SPHT_HELPERS_PER_VCPU, or how many share one queue, 1.. */
	bool bypass_guest_pf; /* KVM of 2010: guest faults on synced tables do not exit */
	enum spht_rules rules;
	bool curve; /* fill account.curve */
	bool ask_proof; /* count what answers are proven, in account.asked_presence */
	/*
	 * Steps from @from on and before @to (ns of the recording's clock) count; 0 and
	 * UINT64_MAX: all.  Exits count where they are, requests where they are made, and
	 * what becomes of a request with it.
	 */
	uint64_t from, to;
	/* Intervals and, for each, what counts in it (zeroed by the caller); NULL: not wanted. */
	const struct spht_phases *phases;
	struct spht_part *parts;
	/* An entry, and where what this run does with it is told (zeroed); NULL: not wanted. */
	const struct spht_look_at *look_at;
	struct spht_look *look;
	/* On the virtual clock by all rules: what is filled in (spht_timeline_init()); NULL: none. */
	struct spht_timeline *timeline;
};

struct spht_whatif;

/*
 * Begins one; what it finds is added up in @account.  Both stay where they are
 * until it is closed.  NULL with @err set: memory.
 */
struct spht_whatif *spht_whatif_open(const struct spht_whatif_config *config,
				     struct spht_account *account, struct spht_error *err);
/*
 * Replays the next chunk of config->steps, from the first one to the last, each
 * once.  @chunk may be gone afterwards.  Returns 0, or -1 with @err set: memory.
 */
int spht_whatif_feed(struct spht_whatif *w, const struct spht_chunk *chunk, struct spht_error *err);
/* All chunks have been fed: closes the account. */
void spht_whatif_finish(struct spht_whatif *w);
/* NULL is nothing. */
void spht_whatif_close(struct spht_whatif *w);
/* Bytes that one what-if of @shadow, with a curve or without, holds at most, about. */
size_t spht_whatif_size(const struct spht_shadow *shadow, bool curve);

#endif
