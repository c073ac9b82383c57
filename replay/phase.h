/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PHASE_H
#define SPHT_PHASE_H

#include "replay/account.h"
#include "replay/observe.h"

/*
 * phase: a recording cut into intervals of equal length, from its first event
 * on.  What is counted is counted in the interval in which its exit began, so
 * that the intervals add up to the whole.
 */
#define SPHT_MAX_PHASES 100000u
#define SPHT_PHASE_NS   60000000000ull /* where no other length is asked for */
/* Results of all what-ifs together: at some 100 bytes each, what fits a small machine. */
#define SPHT_MAX_PARTS  10000000u

/* What the recording has in one interval. */
struct spht_phase {
	struct spht_assemble_stats exits; /* windows that begin in it, of those that count */
	struct spht_fidelity fidelity; /* of all that begins in it */
};

struct spht_phases {
	uint64_t length_ns; /* 0: no intervals are wanted */
	uint64_t start; /* ns, the recording's clock: where the first one begins */
	uint64_t end; /* where the last one does */
	struct spht_phase *v;
	uint32_t nr, cap;
	uint32_t now; /* that of the last exit */
	struct spht_fidelity seen; /* as it was when that one began */
};

/*
 * Intervals of @length_ns of a recording from @start to @end.  -1 with @err set
 * where they are more than SPHT_MAX_PHASES, or memory is short.
 */
int spht_phases_open(struct spht_phases *p, uint64_t length_ns, uint64_t start, uint64_t end,
		     struct spht_error *err);
void spht_phases_close(struct spht_phases *p);
/*
 * An exit that began at @ns is about to be told to the observed MMU, whose
 * counters are @f.  Returns its interval.
 */
struct spht_phase *spht_phases_exit(struct spht_phases *p, uint64_t ns,
				    const struct spht_fidelity *f);
/* The last exit has been. */
void spht_phases_finish(struct spht_phases *p, const struct spht_fidelity *f);

/*
 * What a what-if counts in one interval: counters of struct spht_account.
 * new_exits_lo is where the touch was proven, built where the build was over,
 * the rest where the exit was.
 */
#define SPHT_PART_COUNTERS(X) \
	X(f_base) \
	X(avoided_direct) \
	X(avoided_side) \
	X(remaining) \
	X(new_exits_lo) \
	X(new_exits_hi) \
	X(helper_exits) \
	X(built) \
	X(bypassed) \
	X(base_ns) \
	X(helped_ns) \
	X(f_base_ns) \
	X(lock_wait_ns) \
	X(helper_wait_ns)

struct spht_part {
#define SPHT_PART_MEMBER(name) uint64_t name;
	SPHT_PART_COUNTERS(SPHT_PART_MEMBER)
#undef SPHT_PART_MEMBER
};

/* These counters of an account, and an account with nothing but these. */
struct spht_part spht_part_of(const struct spht_account *a);
void spht_part_account(const struct spht_part *p, struct spht_account *a);

/* A what-if's intervals as it goes. */
struct spht_parts {
	const struct spht_phases *phases;
	struct spht_part *v; /* one for each of them; NULL: none are wanted */
	uint32_t now;
	struct spht_part seen;
};

/* The what-if comes to an exit that began at @ns and has counted @a so far. */
void spht_parts_step(struct spht_parts *p, uint64_t ns, const struct spht_account *a);
/* It has counted all. */
void spht_parts_finish(struct spht_parts *p, const struct spht_account *a);

#endif
