// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>

#include "replay/account.h"

double spht_account_avoided(const struct spht_account *a, double new_exits)
{
	return (double)a->avoided_direct + (double)a->avoided_side - new_exits -
	       (double)a->helper_exits;
}

static int differ(struct spht_error *err, const char *what, uint64_t left, uint64_t right)
{
	if (left == right)
		return 0;
	spht_error_set(err, "the books do not close: %s: %" PRIu64 " != %" PRIu64, what, left,
		       right);
	return -1;
}

static int is_broken(const struct spht_broken *b, struct spht_error *err)
{
	static const char *const what[] = {
		[SPHT_BROKEN_ABSENT] = "has an entry that the what-if neither has nor lacks",
		[SPHT_BROKEN_WEAK] = "has an entry writable that the what-if has read-only",
		[SPHT_BROKEN_END] = "does not end where its steps lead",
	};

	spht_error_set(err,
		       "--verify: the recording's MMU %s: shadow page of gfn 0x%" PRIx64
		       ", role 0x%x, index %u, at step %u",
		       what[b->kind], b->gfn, b->role, b->index, b->step);
	return -1;
}

int spht_account_check(const struct spht_account *a, bool is_none, struct spht_error *err)
{
	if (differ(err, "F_base = avoided_direct + avoided_side + remaining", a->f_base,
		   a->avoided_direct + a->avoided_side + a->remaining))
		return -1;
	if (a->remaining_huge + a->remaining_ad > a->remaining)
		return differ(err, "remaining_huge + remaining_ad <= remaining",
			      a->remaining_huge + a->remaining_ad, a->remaining);
	if (a->remaining_refault > a->remaining)
		return differ(err, "remaining_refault <= remaining", a->remaining_refault,
			      a->remaining);
	if (differ(err,
		   "generated = duplicate + illegal + unknown + queue_full + cancelled_demand + "
		   "cancelled_zap + pending_end + issued",
		   a->generated,
		   a->duplicate + a->illegal + a->unknown + a->queue_full + a->cancelled_demand +
			   a->cancelled_zap + a->pending_end + a->issued))
		return -1;
	if (differ(err, "issued = build_failed + in_progress_end + built", a->issued,
		   a->build_failed + a->in_progress_end + a->built))
		return -1;
	if (differ(err,
		   "built = used_timely + used_late + used_weak + use_unknown + zapped_unused + "
		   "evicted_unused + lost_epoch + resident_unused",
		   a->built,
		   a->used_timely + a->used_late + a->used_weak + a->use_unknown +
			   a->zapped_unused + a->evicted_unused + a->lost_epoch +
			   a->resident_unused))
		return -1;
	if (a->broken.kind)
		return is_broken(&a->broken, err);
	if (a->new_exits_lo > a->new_exits_hi)
		return differ(err, "new_exits_lo <= new_exits_hi", a->new_exits_lo,
			      a->new_exits_hi);
	if (!is_none)
		return 0;
	if (differ(err, "none: the what-if equals the observed MMU", a->divergence, 0) ||
	    differ(err, "none: avoids nothing", a->avoided_direct + a->avoided_side, 0) ||
	    differ(err, "none: causes no exits", a->new_exits_hi + a->helper_exits, 0) ||
	    differ(err, "none: asks for nothing", a->generated, 0) ||
	    differ(err, "none: takes the time of the base", a->helped_ns, a->base_ns))
		return -1;
	return 0;
}
