/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_OBSERVE_H
#define SPHT_OBSERVE_H

#include "replay/guest.h"
#include "replay/housekeeping.h"
#include "replay/step.h"

/*
 * The observed MMU: follows the recording, is held against it (METRICS
 * section 6), and resolves every exit to a step that what-ifs replay.
 */

/* What the model believed of the faulting entry. */
enum { SPHT_BELIEF_ABSENT, SPHT_BELIEF_WEAK, SPHT_BELIEF_STRONG, SPHT_BELIEF_NR };

/* Silent drops by cause. */
enum spht_drop_cause {
	SPHT_DROP_CHANGED, /* evidence: the walk shows another mapping than the entry had */
	SPHT_DROP_SYNCED, /* inference: a sync of its shadow page came in between */
	SPHT_DROP_FLUSHED, /* inference: an INVLPG or CR3 load of the vCPU came in between */
	SPHT_DROP_UNEXPLAINED,
	SPHT_DROP_NR
};

/* Drops without an event that are foreseen before the hardware is asked. */
enum spht_derived {
	SPHT_DERIVED_NOTHING,
	/* By the guest's entry, which the fault's walk shows: */
	SPHT_DERIVED_FROZEN, /* synced since, and write-protected from then on: for certain */
	SPHT_DERIVED_SYNCED, /* synced since and written again: it maps another page by now */
	SPHT_DERIVED_FLUSHED, /* unsync all the while; INVLPG or CR3 load since; another page */
	/* Beside one that went (guests unmap ranges), in the same aligned group: */
	SPHT_DERIVED_BESIDE_WALK, /* one of the above */
	SPHT_DERIVED_BESIDE_GUEST, /* one that the guest's own fault shows to be gone */
	SPHT_DERIVED_SNAPSHOT, /* a snapshot shows what the sync saw */
	SPHT_DERIVED_NR
};

/* Counters of 64 bits and nothing else: intervals subtract them (phase.c). */
struct spht_fidelity {
	/* Check 1, [P bit][belief], by class hidden, ad, huge. */
	uint64_t pbit[SPHT_CLASS_NR][2][SPHT_BELIEF_NR];
	/* Checks 2 and 3: [0] agreed, [1] not. */
	uint64_t kept[2], spurious[2], prefetched[2];
	/* Check 4: [believed to exist][created]. */
	uint64_t get_page[2][2];
	/* Zaps by cause: [expected by KVM's rules][recorded]. */
	uint64_t zaps[SPHT_ZAP_NR][2][2];
	uint64_t drops[SPHT_DROP_NR];
	/* Drops foreseen: [0] right, [1] refuted by what was found there afterwards. */
	uint64_t derived[SPHT_DERIVED_NR][2];
	uint64_t unknown_start; /* checks on state from before the trace: outside the score */
	uint64_t role_mismatch; /* get_page named another page than the walk resolved to */
	uint64_t unbound; /* set_spte on a frame of no known shadow page */
	uint64_t other_mode; /* set_spte of a guest without paging or with other tables */
	uint64_t rmap_recycled; /* times that too many entries mapped one guest page */
	uint64_t unmodelled; /* F_base faults without a leaf that the model knows */
	uint64_t root_unknown; /* faults under a root that could not be told */
};

/* Checks that say "present" or "absent": [0] agreed, [1] all. */
struct spht_fidelity_sides {
	uint64_t absent[2], present[2];
};

/*
 * Checks 1-3, two-sided.  Nearly all checks of a real recording say "absent", so
 * the share over all alone would flatter a model that holds nothing.
 */
void spht_fidelity_sides(const struct spht_fidelity *f, struct spht_fidelity_sides *sides);
/* Agreed and all of checks 1-3. */
void spht_fidelity_score(const struct spht_fidelity *f, uint64_t *agreed, uint64_t *all);
/* Check 4, shadow pages got: as expected and all. */
void spht_fidelity_pages(const struct spht_fidelity *f, uint64_t pages[2]);
/*
 * Does the model explain the recording?  Each side that has checks must agree
 * in SPHT_FIDELITY_MIN_PERCENT of them: always empty fails, always full fails.
 */
#define SPHT_FIDELITY_MIN_PERCENT 95
bool spht_fidelity_passes(const struct spht_fidelity *f);

/* Where a check and the model disagree. */
enum spht_check {
	SPHT_CHECK_P_BIT, /* check 1 */
	SPHT_CHECK_KEPT, /* check 2: passed over by a prefetch group */
	SPHT_CHECK_SPURIOUS, /* check 2: target of a spurious fault */
	SPHT_CHECK_PREFETCHED, /* check 3 */
	SPHT_CHECK_FOUND, /* check 4, outside of the score: a shadow page was found, */
	SPHT_CHECK_CREATED, /* or created */
	SPHT_CHECK_NR
};

struct spht_miss {
	uint8_t check; /* enum spht_check */
	uint8_t belief; /* SPHT_BELIEF_*; FOUND, CREATED: of the page */
	bool p; /* P_BIT: the hardware's answer */
	uint32_t page;
	uint16_t index; /* of the entry; FOUND, CREATED: SPHT_PT_ENTRIES */
};

typedef void spht_miss_fn(void *arg, const struct spht_miss *miss);

/* What was made of the recording's snapshots of guest tables. */
struct spht_snap_use {
	uint64_t used; /* of level-1 tables, and of an exit */
	uint64_t other; /* of upper tables, or not of an exit: their content is kept in mind */
	uint64_t entries; /* that they showed to have changed, or to be there for the first time */
	uint64_t against_walk; /* walks that read another entry than their own snapshot shows */
};

struct spht_observed;

/*
 * @window: KVM's own prefetch window in this recording, 1..64, a power of two.
 * NULL when memory is short.
 */
struct spht_observed *spht_observed_open(const struct spht_role_layout *layout, unsigned int window,
					 struct spht_room room);
void spht_observed_close(struct spht_observed *o);
/* Callback of spht_assemble_open(). */
int spht_observed_exit(void *observed, const struct spht_exit *exit, struct spht_error *err);
/* Ends the recording; its steps can be read from now on (chunk.h).  Again: nothing. */
int spht_observed_finish(struct spht_observed *o, struct spht_error *err);
/* Calls @fn at each disagreement from now on, before the model mends its ways; NULL: no more. */
void spht_observed_on_miss(struct spht_observed *o, spht_miss_fn *fn, void *arg);

struct spht_shadow *spht_observed_shadow(struct spht_observed *o);
const struct spht_steps *spht_observed_steps(const struct spht_observed *o);
const struct spht_mmu *spht_observed_mmu(const struct spht_observed *o);
const struct spht_fidelity *spht_observed_fidelity(const struct spht_observed *o);
/* The aligned window that the recorded prefetch groups fit: 1 (none), 8, 16, ...; 0 = no evidence. */
unsigned int spht_observed_window(const struct spht_observed *o);
/*
 * The limit of shadow pages, SPHT_UNLIMITED: none is known.  To be set before the
 * first exit; from then on recycling is expected where it leads to it.
 */
void spht_observed_set_limit(struct spht_observed *o, uint32_t limit);
/*
 * The limit that most recorded recyclings fit, where the observed MMU had none:
 * 21 to 25 pages zapped before the first get_page of a fetch.  0: there is no such.
 */
uint32_t spht_observed_limit_seen(const struct spht_observed *o);
/* What is done with snapshots; SPHT_SNAP_USE, if not told before the first exit. */
void spht_observed_snapshots(struct spht_observed *o, enum spht_snap_mode mode);
const struct spht_snap_use *spht_observed_snap_use(const struct spht_observed *o);
/*
 * For tests of the score: `always` = 0 answers "absent", 1 "present and strong"
 * to every question whatever the state; -1 the model's own answer.
 */
void spht_observed_mock(struct spht_observed *o, int always);

#endif
