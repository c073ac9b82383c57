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
#define SPHT_SLACK_BINS 40 /* slack in [2^b, 2^(b+1)) ns */

struct spht_account {
	uint64_t f_base;
	uint64_t avoided_direct, avoided_side, remaining;
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
	uint64_t helper_busy_ns, helper_read_ns;
	uint64_t slack[SPHT_SLACK_BINS];
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
