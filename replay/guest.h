/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_GUEST_H
#define SPHT_GUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "replay/addr.h"
#include "replay/change.h"

/*
 * guest: what the guest's own page tables held over time.  The trace shows an
 * entry only where KVM read it (a walk, a prefetch group); between two such
 * pieces of evidence a *world* decides (METRICS section 3).  Time is counted
 * in steps; a change "at step s" holds from just after step s.
 */
enum spht_world {
	SPHT_WORLD_STRICT = SPHT_CHANGE_STRICT, /* unknown = absent */
	SPHT_WORLD_INFERRED = SPHT_CHANGE_INFERRED, /* documented rules: docs/model.md */
	/* unknown = present from the earliest possible instant */
	SPHT_WORLD_OPTIMISTIC = SPHT_CHANGE_OPTIMISTIC,
	SPHT_WORLD_NR
};

const char *spht_world_name(enum spht_world w);

/* State of one guest entry in one world.  0 = not decided by any evidence. */
enum {
	SPHT_GPTE_DECIDED = 1 << 0,
	SPHT_GPTE_PRESENT = 1 << 1,
	SPHT_GPTE_A = 1 << 2,
	SPHT_GPTE_WRITABLE = 1 << 3, /* W and D: a helper would build it writable */
	/*
	 * Of a change: the guest's fault handler stored the entry in the gap before the next
	 * exit, a lead time before the access that it was for; not just after the step.
	 */
	SPHT_GPTE_LEAD = 1 << 4,
	SPHT_GPTE_GENERATION = 1 << 7, /* flips when the entry maps another page than before */
};

enum spht_evidence_kind {
	SPHT_EVIDENCE_ABSENT, /* a walk read a non-present entry */
	SPHT_EVIDENCE_PRESENT, /* a walk read it: value before the walk's own A/D update */
	SPHT_EVIDENCE_PREFETCHED, /* KVM prefetched it: present, A=1 */
	SPHT_EVIDENCE_KEPT, /* passed over by a prefetch group as already mapped */
	SPHT_EVIDENCE_REFUSED, /* a prefetch group ended here: absent, A=0 or host page not resident */
};

struct spht_evidence {
	uint32_t table; /* spht_shadow table id */
	uint16_t index;
	uint8_t kind;
	uint32_t step;
	gfn_t gfn; /* PRESENT, PREFETCHED */
	bool refault; /* PRESENT: right after a guest fault on the page, METRICS section 1 */
	bool snapshot; /* ABSENT, PRESENT: read by the recorder; no walk's doing */
	bool kernel; /* of the upper half, which no guest fault fills in */
	bool sets_a; /* PRESENT: the walk went on to set A; a failed one does not */
	bool sets_d; /* and D; told only of tables that are known from a snapshot */
	bool w, a, d; /* PRESENT: of the entry; PREFETCHED: w = SPTE writable */
	/* Step since which the table cannot have changed (write-protected), or SPHT_NOT_FROZEN. */
	uint32_t frozen_since;
};

#define SPHT_NOT_FROZEN UINT32_MAX

struct spht_guest;

/* Tells what it finds to @changes, which is borrowed.  NULL when memory is short. */
struct spht_guest *spht_guest_open(struct spht_changes *changes);
void spht_guest_close(struct spht_guest *g);
/*
 * @table maps other addresses from now on than it did (its page was freed and
 * used again): what was known of its entries ends, their earliest possible
 * beginning is @since.  -1 when memory is short, or changes->err says why.
 */
int spht_guest_reuse(struct spht_guest *g, uint32_t table, uint32_t since);
/* Adds evidence; steps must not decrease.  -1 as above. */
int spht_guest_evidence(struct spht_guest *g, const struct spht_evidence *ev);
/*
 * Snapshots show all entries of a table at once: @pte, 512 of them.  From here on @table is
 * known as a whole.  @but: the entry that the walk of the same step has given evidence of,
 * SPHT_PT_ENTRIES: none.  -1 as above.
 */
int spht_guest_know(struct spht_guest *g, uint32_t table, uint32_t step, const uint64_t *pte,
		    unsigned int but);
/* Another snapshot shows @pte in entry @index, which has changed.  -1 as above. */
int spht_guest_shown(struct spht_guest *g, uint32_t table, unsigned int index, uint32_t step,
		     uint64_t pte);
/* Is it, without a break until the last snapshot? */
bool spht_guest_is_known(const struct spht_guest *g, uint32_t table);
/*
 * Another snapshot, after what has changed since the last one was told: all other entries
 * are as they were then.
 */
void spht_guest_still(struct spht_guest *g, uint32_t table, uint32_t step);
/* No snapshot says anything of @table until it is known again.  -1 as above. */
int spht_guest_unknow(struct spht_guest *g, uint32_t table);
/* Ends the recording: decides what follows the last evidence.  -1 as above. */
int spht_guest_finish(struct spht_guest *g);
/* Entries that any evidence speaks of. */
uint64_t spht_guest_entries(const struct spht_guest *g);

#endif
