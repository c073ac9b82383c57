/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TIMELINE_H
#define SPHT_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "spht_error.h"

/*
 * timeline: what one what-if did in a window of the recording, for people who want to see
 * it: vCPUs, helpers and mmu_lock on the axis of that run's virtual time.  The
 * what-if fills it in (whatif-timeline.c) and learns nothing from it;
 * timeline-json.c writes it down.
 */

/* Where something happens. */
enum spht_tl_room { SPHT_TL_VCPU, SPHT_TL_HELPER, SPHT_TL_NOBODY };

enum spht_tl_kind {
	/* Slices of a vCPU: */
	SPHT_TL_GUEST, /* the guest runs */
	SPHT_TL_OTHERS, /* exits that are no steps, @n of them in one slice */
	SPHT_TL_BEHIND, /* it does not run: another vCPU did something later before */
	SPHT_TL_EXIT, /* an exit, or the access that was spared one; the next two are inside */
	SPHT_TL_SERVED, /* it holds mmu_lock */
	SPHT_TL_WAIT, /* of a helper, too: waits for mmu_lock */
	/* of a helper: */
	SPHT_TL_READ, /* looks at what it was asked for */
	SPHT_TL_BUILD, /* prepares it */
	SPHT_TL_INSTALL, /* sets the entry, under mmu_lock */
	SPHT_TL_KEEP, /* holds mmu_lock for the next entry, which is refused */
	/* of mmu_lock; room and number are its holder's: */
	SPHT_TL_HOLD,
	/* No slices: */
	SPHT_TL_NOTE, /* @what happened @n times; enum spht_tl_note */
	SPHT_TL_COUNT, /* counter @what changes by @delta; enum spht_tl_counter */
	SPHT_TL_FLOW, /* a point of arrow @n; @what: enum spht_tl_point */
};

enum spht_tl_note {
	SPHT_TL_PROVEN, /* an exit that only this run has, proven by a recorded fault */
	SPHT_TL_POSSIBLE, /* one that there would be if the entry is touched */
	SPHT_TL_KICK, /* a helper made a vCPU exit */
	SPHT_TL_FULL, /* a request found the queue full */
	SPHT_TL_LOSS, /* the recording lost events */
	SPHT_TL_NOTES
};

enum spht_tl_counter {
	SPHT_TL_QUEUED,
	SPHT_TL_WATCHED,
	SPHT_TL_UNUSED,
	SPHT_TL_WAITERS,
	SPHT_TL_COUNTERS
};

enum spht_tl_point { SPHT_TL_BEGIN, SPHT_TL_STEP, SPHT_TL_END };

/* What became of an exit, of a look, or of an entry that is being installed. */
enum spht_tl_outcome {
	SPHT_TL_NOTHING, /* nobody could have avoided it; nothing was asked */
	SPHT_TL_REMAINS, /* a base fault that nobody had done anything about */
	SPHT_TL_DIRECT, /* avoided: what was asked for is there */
	SPHT_TL_SIDE, /* avoided: what came along is there */
	SPHT_TL_LATE, /* asked for, and not there yet */
	SPHT_TL_WEAK, /* there, and does not allow this access */
	SPHT_TL_UNREACHED, /* there, and no path leads to it */
	SPHT_TL_REFLECTED, /* KVM of 2010: the guest's own fault does not exit */
	/* a look: */
	SPHT_TL_TAKEN, /* it is built */
	SPHT_TL_WATCH, /* not there yet: looked at again */
	SPHT_TL_ILLEGAL,
	SPHT_TL_UNKNOWN,
	SPHT_TL_DUPLICATE,
	/* an entry: */
	SPHT_TL_BUILT,
	SPHT_TL_REFUSED, /* not right any more */
	SPHT_TL_OUTCOMES
};

struct spht_tl_event {
	uint64_t ns, dur; /* virtual time */
	uint64_t recorded_ns; /* EXIT: from the recording's first event on */
	uint64_t vpn, rip; /* EXIT, READ to INSTALL */
	uint32_t n;
	int32_t delta;
	uint32_t pfec;
	uint32_t page; /* shadow page, SPHT_NO_ID: not known */
	uint16_t index; /* its entry; HOLD: lane, 0 unless holds overlap */
	uint16_t number; /* of the vCPU or helper */
	uint8_t room, kind, what;
	uint8_t outcome;
	uint8_t cls; /* EXIT: enum spht_class */
	bool outside; /* of the region that counts */
	bool refault, pf, direct;
};

/* A request that was queued: the points of its arrow, as numbers of events + 1. */
struct spht_tl_request {
	uint64_t ns;
	uint32_t asked, built, met; /* 0: none */
	uint16_t vcpu;
};

/* FROM..TO, ns from the recording's first event on. */
struct spht_tl_window {
	uint64_t from, to; /* UINT64_MAX: no end */
	bool given;
};

#define SPHT_TL_MAX_EVENTS 1000000u
/* Without a window: one second, or so many exits. */
#define SPHT_TL_SECOND     1000000000ull
#define SPHT_TL_EXITS      10000u

struct spht_timeline {
	/* What is wanted: by the recording's clock, and so many exits and events at most. */
	uint64_t from, to;
	uint32_t max_exits, max_events;
	uint64_t start; /* the recording's first event */

	struct spht_tl_event *v;
	uint32_t nr, cap;
	uint32_t *order; /* of @v, by time; after spht_timeline_finish() */
	struct spht_tl_request *requests;
	uint32_t nr_requests, cap_requests;
	uint32_t exits; /* slices of them */
	uint32_t helpers, vcpus, lanes; /* tracks */
	bool full, all_exits; /* max_events or max_exits were reached, */
	uint64_t end_ns; /* before the exit that began then, of the recording's clock */
	bool no_memory;

	/* The what-if's, while it runs: */
	uint32_t current; /* the exit, + 1 */
	uint32_t **built; /* by page id and index: request + 1 that its entry is of */
	uint32_t nr_built;
	int64_t counters[SPHT_TL_COUNTERS]; /* last told */
	uint64_t notes[SPHT_TL_NOTES], generated; /* last told */
};

/* "FROM..TO" in seconds, one or both of which may be missing.  -1 with @err set. */
int spht_tl_window_parse(struct spht_tl_window *w, const char *arg, struct spht_error *err);
/* Zeroes @t and says what is wanted: @w, or the default from @begin on (ns, as @start). */
void spht_timeline_init(struct spht_timeline *t, const struct spht_tl_window *w, uint64_t start,
			uint64_t begin);
void spht_timeline_close(struct spht_timeline *t);
/* Adds a zeroed event; its number + 1, 0: memory. */
uint32_t spht_timeline_add(struct spht_timeline *t, enum spht_tl_kind kind, uint64_t ns,
			   uint64_t dur);
/* Adds a request: its number + 1, 0: memory. */
uint32_t spht_timeline_ask(struct spht_timeline *t, uint64_t ns, unsigned int vcpu);
/* The run is over: arrows, and all in order.  -1 with @err set: memory, or nothing in it. */
int spht_timeline_finish(struct spht_timeline *t, struct spht_error *err);

#endif
