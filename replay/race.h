/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_RACE_H
#define SPHT_RACE_H

#include <ck_pr.h>
#include <ck_ring.h>
#include <ck_spinlock.h>
#include <stdatomic.h>
#include <stdint.h>

/*
 * What two threads share on the real clock: Concurrency Kit's ticket lock, which is
 * fair as the kernel's queued locks are, and its ring for one producer and one
 * consumer.  Both are headers alone: nothing is linked.  ThreadSanitizer cannot see
 * into their assembly, so it is told what they order, and that what the ring does in
 * its own buffer is the ring's business.
 */
#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define SPHT_RACE_ACQUIRE(p) __tsan_acquire(p)
#define SPHT_RACE_RELEASE(p) __tsan_release(p)
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
#define SPHT_RACE_INSIDE() \
	do { \
		AnnotateIgnoreReadsBegin(__FILE__, __LINE__); \
		AnnotateIgnoreWritesBegin(__FILE__, __LINE__); \
	} while (0)
#define SPHT_RACE_OUTSIDE() \
	do { \
		AnnotateIgnoreWritesEnd(__FILE__, __LINE__); \
		AnnotateIgnoreReadsEnd(__FILE__, __LINE__); \
	} while (0)
#else
#define SPHT_RACE_INSIDE()   ((void)0)
#define SPHT_RACE_OUTSIDE()  ((void)0)
#define SPHT_RACE_ACQUIRE(p) ((void)(p))
#define SPHT_RACE_RELEASE(p) ((void)(p))
#endif

#define SPHT_CACHE_LINE 64

struct spht_race_lock {
	ck_spinlock_ticket_t ticket;
} __attribute__((aligned(SPHT_CACHE_LINE)));

static inline void spht_race_lock_init(struct spht_race_lock *l)
{
	ck_spinlock_ticket_init(&l->ticket);
}

static inline void spht_race_lock(struct spht_race_lock *l)
{
	ck_spinlock_ticket_lock(&l->ticket);
	SPHT_RACE_ACQUIRE(l);
}

/* Takes it if nobody has it or waits for it. */
static inline bool spht_race_trylock(struct spht_race_lock *l)
{
	bool mine = ck_spinlock_ticket_trylock(&l->ticket);

	if (mine)
		SPHT_RACE_ACQUIRE(l);
	return mine;
}

static inline void spht_race_unlock(struct spht_race_lock *l)
{
	SPHT_RACE_RELEASE(l);
	ck_spinlock_ticket_unlock(&l->ticket);
}

/* Pointers, in order, from one thread to one other. */
struct spht_race_ring {
	ck_ring_t ring;
	ck_ring_buffer_t *buffer;
} __attribute__((aligned(SPHT_CACHE_LINE)));

/* Holds @size - 1, @size a power of two.  -1: memory. */
int spht_race_ring_init(struct spht_race_ring *r, unsigned int size);
void spht_race_ring_close(struct spht_race_ring *r);

/* False: it is full. */
static inline bool spht_race_push(struct spht_race_ring *r, void *p)
{
	bool room;

	SPHT_RACE_RELEASE(r);
	SPHT_RACE_INSIDE();
	room = ck_ring_enqueue_spsc(&r->ring, r->buffer, p);
	SPHT_RACE_OUTSIDE();
	return room;
}

/* NULL: it is empty. */
static inline void *spht_race_pop(struct spht_race_ring *r)
{
	void *p = NULL;

	SPHT_RACE_INSIDE();
	ck_ring_dequeue_spsc(&r->ring, r->buffer, &p);
	SPHT_RACE_OUTSIDE();
	if (p)
		SPHT_RACE_ACQUIRE(r);
	return p;
}

#endif
