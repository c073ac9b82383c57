/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_ACCOUNT_H
#define SPHT_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "spht_error.h"

/*
 * account: what one what-if run counted.  Every request ends in exactly one of
 * the classes of METRICS section 5; spht_account_check() asserts the identities.
 */
#define SPHT_SLACK_BINS   40 /* slack in [2^b, 2^(b+1)) ns */

/* Points of the curve over the helper's latency, ns, ascending from 0. */
#define SPHT_CURVE_POINTS 23
extern const uint64_t spht_curve_ns[SPHT_CURVE_POINTS];

/* The first thing that --verify found wrong (verify.h). */
enum spht_broken_kind {
	SPHT_BROKEN_NOTHING,
	SPHT_BROKEN_ABSENT, /* an entry of the recording's is neither here nor lacking */
	SPHT_BROKEN_WEAK, /* an entry that is writable in the recording is not so here */
	SPHT_BROKEN_END, /* the steps do not lead to where the recording ends */
};

struct spht_broken {
	enum spht_broken_kind kind;
	uint32_t step;
	uint64_t gfn; /* of the shadow page */
	uint32_t role;
	unsigned int index;
};

struct spht_account {
	uint64_t f_base;
	uint64_t avoided_direct, avoided_side, remaining;
	/* Parts of remaining: two of its classes (the rest is hidden), and refaults of any. */
	uint64_t remaining_huge, remaining_ad, remaining_refault;
	uint64_t new_exits_lo, new_exits_hi;
	uint64_t helper_exits;

	uint64_t generated, duplicate, illegal, unknown, queue_full, cancelled_demand,
		cancelled_zap, pending_end, issued;
	uint64_t build_failed, in_progress_end, built;
	uint64_t used_timely, used_late, used_weak, use_unknown, zapped_unused, evicted_unused,
		lost_epoch, resident_unused;
	uint64_t used_carry;

	uint64_t side_built; /* entries that came along with helper builds and helped faults */
	uint64_t pages_created; /* shadow pages that the helper created before the guest's fault */
	uint64_t helper_busy_ns; /* reading, building, waiting for mmu_lock, looking again */
	uint64_t helper_wait_ns; /* part of it: waiting for mmu_lock */
	uint64_t watched_ns; /* how long entries were watched, added up */
	uint64_t kicks; /* part of helper_exits: vCPUs that a write protection interrupted */
	/* Time of all vCPUs, added up, ns: guest time and exits. */
	uint64_t base_ns; /* without a helper */
	uint64_t helped_ns; /* with it; new_exits and helper_exits not included */
	uint64_t f_base_ns; /* part of base_ns: the exits that count in f_base */
	uint64_t lock_wait_ns; /* part of helped_ns: waiting for mmu_lock */
	uint64_t base_wait_ns; /* part of base_ns: the same */
	uint64_t bypassed; /* guest faults that KVM of 2010 would not have seen */
	/*
	 * Base faults whose entry had been asked for and could have been built for at least
	 * spht_curve_ns[i]: what a helper of that latency without queue or lock avoids directly.
	 */
	uint64_t curve[SPHT_CURVE_POINTS];
	/* Shadow pages zapped here and not in the recording, or the reverse. */
	uint64_t zapped_alone, kept_pages;
	uint64_t kept_met; /* base faults on entries that were kept so: they happen all the same */
	/*
	 * Answers of this world to what the helper asked of guest entries, where the strict
	 * one is held beside it: all, and those that are no proof (whatif_config.ask_proof).
	 */
	uint64_t asked_presence;
	uint64_t left_undecided; /* the world has no answer */
	uint64_t left_refault; /* a guest fault's handler stores it, between two exits */
	uint64_t left_rule; /* by any other rule */
	uint64_t slack[SPHT_SLACK_BINS];
	struct spht_broken broken;
	uint64_t divergence; /* steps at which the what-if without helper left the observed MMU */
};

/* avoided of METRICS section 4, with the given charge for possible new exits. */
double spht_account_avoided(const struct spht_account *a, double new_exits);
/*
 * The identities of METRICS sections 4 and 5.  @is_none: also that no helper
 * left a trace.  Returns 0, or -1 with the first one that does not hold.
 */
int spht_account_check(const struct spht_account *a, bool is_none, struct spht_error *err);

#endif
