/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_LIVE_PATTERNS_H
#define SPHT_LIVE_PATTERNS_H

#include <stdbool.h>

#include "calibrate/guest.h"

/* What the guest does, and the exits that KVM must take for it.  tests/live/README. */

/*
 * Named like the columns of spht-replay.  prefetched: entries that came along;
 * silent_drops: entries that KVM takes away without an event.
 */
enum expected {
	EXPECT_HIDDEN,
	EXPECT_HUGE,
	EXPECT_AD,
	EXPECT_GUEST,
	EXPECT_UNSYNC,
	EXPECT_EMUL_C2,
	EXPECT_EMUL_C3,
	EXPECT_EMUL_C4,
	EXPECT_MMIO,
	EXPECT_SPURIOUS,
	EXPECT_REFAULT,
	EXPECT_PREFETCHED,
	EXPECT_DROPS,
	EXPECT_NR
};

extern const char *const expected_names[EXPECT_NR];

struct plan {
	uint64_t expect[EXPECT_NR];
	uint64_t mmu_pages; /* limit of shadow pages, after which KVM recycles them */
	uint64_t round; /* accesses up to the restart; 0: the script ends */
	unsigned int seconds; /* after which the VMM stops a guest that does not */
	uint64_t fill; /* first frame for what the guest faults on; 0: it does not */
	bool zapped; /* code and script (one group of pages at most) fault a second time */
};

struct pattern {
	const char *name;
	const char *args, *help;
	unsigned int nr_args;
	uint64_t max[2]; /* of each argument; all are at least 1 */
	void (*build)(struct guest *g, struct plan *p, const uint64_t *arg);
};

/* NULL where there is none of that name. */
const struct pattern *pattern_find(const char *name);
/* All patterns, the last has no name. */
extern const struct pattern patterns[];
/* The whole guest for @pat and what must come of it. */
void pattern_build(const struct pattern *pat, const uint64_t *arg, struct guest *g, struct plan *p);

#endif
