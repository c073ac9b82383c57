/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_LOOK_H
#define SPHT_LOOK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * look: what a what-if does with one entry up to one step, for people who want
 * to know why a fault was or was not avoided.  It sees the entry's state
 * before and after each part of a step, and what the heuristic is told of it.
 */
struct spht_look_at {
	uint32_t step;
	uint32_t page, table; /* table: SPHT_NO_ID where it is not known */
	uint64_t space, vpn;
	uint16_t index;
};

enum spht_told {
	SPHT_TOLD_ASKED, /* the heuristic asked for it, and it waits in the queue */
	SPHT_TOLD_DUPLICATE, /* asked for again, or it is there */
	SPHT_TOLD_QUEUE_FULL,
	SPHT_TOLD_WATCHED, /* read, not there yet: looked at again */
	SPHT_TOLD_UNKNOWN, /* read, not decided in this world: refused */
	SPHT_TOLD_ILLEGAL, /* read, and not to be built: refused */
	SPHT_TOLD_THERE, /* read, and the entry was there by then */
	SPHT_TOLD_CANCELLED, /* its shadow page was zapped while it waited */
	SPHT_TOLD_STARTED, /* the build began */
	SPHT_TOLD_BUILT,
	SPHT_TOLD_BESIDE, /* came along with a build beside it */
	SPHT_TOLD_LATE, /* a fault came before the build was over */
	SPHT_TOLD_SIDE, /* came along with a fault that ran otherwise than recorded */
	SPHT_TOLD_LACKING, /* the recording's KVM made it, with a fault that is avoided here */
	SPHT_TOLD_MADE_UP, /* and it is there after all */
	SPHT_TOLD_BY_KVM, /* there as recorded, no helper's any more if it was one's */
	SPHT_TOLD_USED, /* an access found it: the fault is avoided */
	SPHT_TOLD_SPENT, /* there and a fault came all the same */
	SPHT_TOLD_GONE, /* no longer there: dropped or zapped */
	SPHT_TOLD_NR
};

struct spht_told_at {
	uint64_t ns; /* kvm_exit of the step, the recording's clock */
	uint64_t virtual_ns; /* of the vCPU */
	uint8_t what; /* enum spht_told */
};

/* As many of the last as are kept. */
#define SPHT_LOOK_TOLD 32

/* The entry in one what-if. */
struct spht_look {
	struct spht_told_at told[SPHT_LOOK_TOLD]; /* ring */
	uint64_t nr; /* ever told */
	bool met; /* the step has been */
	uint8_t guest; /* SPHT_GPTE_*, just before the step */
	bool guest_known; /* the table is */
	bool present, writable,
		reached; /* the shadow entry, and the path to it, before the fault */
	bool helper, side, lacking, queued, building;
	bool avoided;
};

#endif
