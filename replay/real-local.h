/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_REAL_LOCAL_H
#define SPHT_REAL_LOCAL_H

#include <pthread.h>
#include <time.h>

#include "replay/race.h"
#include "replay/tables.h"
#include "replay/whatif-local.h"

/*
 * Inside of the real clock: real.c (the clock, the beginning and the end), real-vcpu.c
 * (the thread that replays), real-helper.c (the one that helps).
 *
 * Two locks.  mmu_lock is the one that is modelled: what an exit or a build spends
 * under it is spent there, and waits for it are what is measured.  `books` guards what
 * the what-if knows (maps, books, heuristic); the vCPU's thread holds it except while
 * time passes, the helper's only to look something up and to install.  Who has both
 * has taken mmu_lock first.
 */

/* Where a request is.  Whoever moves it on does so by compare-and-swap. */
enum spht_slot_state {
	SPHT_SLOT_FREE, /* the vCPU's */
	SPHT_SLOT_WAITING, /* in the queue */
	SPHT_SLOT_TAKEN, /* the helper works at it */
	SPHT_SLOT_WATCHED, /* the helper looks for its entry */
	SPHT_SLOT_CANCELLED, /* a fault or a zap came first; waits for the helper to drop it */
	SPHT_SLOT_LATE, /* a fault came while it was worked at; goes on for nothing */
	SPHT_SLOT_OVER, /* built or refused; on its way back */
};

struct spht_slot {
	_Atomic uint32_t state; /* enum spht_slot_state */
	struct spht_request q; /* as it was asked for */
	/* Of the helper, until the slot comes back: */
	struct spht_request job; /* with what it knows of the place */
	uint64_t looks, watched_ns, until_ns;
	uint64_t end_ns;
	uint8_t outcome; /* what the heuristic is told */
	bool issued;
	/* Of the vCPU: */
	uint32_t live; /* its place among those that are not free */
	bool queued; /* the page's bit is set for it */
};

/* What the helper counts for itself: inside of the region, and outside. */
struct spht_real_counts {
	uint64_t duplicate, illegal, unknown, issued, in_progress;
	uint64_t busy_ns, wait_ns, watched_ns;
};

struct spht_real_helper {
	struct spht_real_thread *me;
	uint64_t last_ns; /* when it looked at the clock */
	uint64_t free_ns, start_ns; /* of the last job: its end, its beginning */
	uint64_t look_ns; /* when it looks at a watched entry next */
	uint32_t cursor, nr_watched;
	struct spht_slot **watched;
	struct spht_slot *next; /* popped, and not begun */
	uint64_t next_ns; /* when it begins */
	long switches; /* before it was let go last */
	struct spht_real_counts counts[2];
};

struct spht_real {
	struct spht_race_lock mmu_lock, books;
	struct spht_race_ring asked, done;
	struct spht_whatif *w;
	const struct spht_real_plan *plan;
	struct spht_real_run *run;
	struct spht_tables tables;
	struct spht_slot *slots, **free, **live;
	uint32_t nr_slots, nr_free, nr_live;

	uint64_t start_ns; /* of the machine's clock */
	_Atomic uint64_t paused_ns; /* while a chunk is read nobody's time passes */
	uint64_t pause_ns;
	_Atomic bool pause, parked, stop;
	pthread_t thread;
	bool running; /* the thread is there */
	cpu_set_t before; /* where the vCPU's thread might run before */
	bool pinned;

	/* The vCPU's: */
	uint64_t planned_ns; /* when the exit should have begun */
	uint64_t last_ns; /* its last look at the clock */
	long switches;
	struct spht_pages dirty; /* not shown yet */
	bool *is_dirty; /* by page */

	struct spht_real_helper h __attribute__((aligned(SPHT_CACHE_LINE)));
};

static inline uint64_t spht_raw_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Nanoseconds of the run. */
static inline uint64_t spht_real_now(struct spht_real *r)
{
	return spht_raw_ns() - r->start_ns -
	       atomic_load_explicit(&r->paused_ns, memory_order_relaxed);
}

/* @me was at its clock at @last and is again at @now. */
static inline void spht_real_note_stall(struct spht_real_thread *me, uint64_t last, uint64_t now)
{
	if (now - last < SPHT_REAL_STALL_NS)
		return;
	me->stalls++;
	me->stalled_ns += now - last;
}

static inline bool spht_slot_move(struct spht_slot *s, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong_explicit(&s->state, &from, to, memory_order_acq_rel,
						       memory_order_acquire);
}

static inline void spht_real_lock_books(struct spht_real *r, struct spht_real_thread *me)
{
	uint64_t from;

	if (spht_race_trylock(&r->books))
		return;
	from = spht_raw_ns();
	spht_race_lock(&r->books);
	me->books_wait_ns += spht_raw_ns() - from;
}

static inline void spht_real_unlock_books(struct spht_real *r)
{
	spht_race_unlock(&r->books);
}

/* Shows what has changed.  Under `books`. */
void spht_real_show(struct spht_real *r);
/* Involuntary context switches of the calling thread so far. */
long spht_real_switches(void);
void *spht_real_helper_main(void *real);

#endif
