/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_RING_H
#define SPHT_RING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <tracefs.h>

#include "spht_error.h"

/*
 * A private instance of the kernel's trace buffers, named spht-PID, that only
 * this process uses.  Nothing but event files is touched: some kernels answer
 * EPERM for the files of the function tracer.
 */
struct spht_ring;

/* per_cpu/cpuN/stats of Documentation/trace/ftrace.rst; all since the instance was made. */
struct spht_ring_stats {
	uint64_t entries; /* events in the buffer now */
	uint64_t overrun; /* overwritten before they were read */
	uint64_t commit_overrun, dropped; /* never got in */
	uint64_t read;
	uint64_t bytes; /* in the buffer now */
};

/*
 * Removes instances that killed recorders left, makes ours with @bytes of
 * buffer per CPU and @clock (a name in the file trace_clock), switched off.
 * @removed tells how many were removed.  NULL with @err set: the text names the
 * file that failed and what to do.
 */
struct spht_ring *spht_ring_open(const char *clock, uint64_t bytes, unsigned int *removed,
				 struct spht_error *err);
const char *spht_ring_name(const struct spht_ring *r);
struct tracefs_instance *spht_ring_instance(struct spht_ring *r);
/* Bytes that each CPU really got. */
uint64_t spht_ring_bytes(const struct spht_ring *r);
/* All CPUs that have a buffer, ascending. */
const unsigned int *spht_ring_cpus(const struct spht_ring *r, unsigned int *nr);

/* Is there such a tracepoint on this kernel? */
bool spht_ring_has_event(const struct spht_ring *r, const char *system, const char *event);
/* 0, or -1.  @filter (may be NULL) as in the event's file `filter`. */
int spht_ring_enable(struct spht_ring *r, const char *system, const char *event, const char *filter,
		     struct spht_error *err);
/* Switches recording on or off. */
int spht_ring_switch(struct spht_ring *r, bool on, struct spht_error *err);
/* False when somebody else has switched it off, or one of its events. */
bool spht_ring_untouched(struct spht_ring *r);

/*
 * What an event costs the one who causes it, ns: setting a thread's name with and
 * without task:task_rename switched on.  Before anything else is switched on;
 * takes some ms and empties the buffers.  -1 where it cannot be told.
 */
double spht_ring_overhead(struct spht_ring *r);

int spht_ring_stats(struct spht_ring *r, unsigned int cpu, struct spht_ring_stats *stats,
		    struct spht_error *err);
/*
 * Events that were overwritten before this page of 4096 bytes; 0 when none were,
 * SPHT_LOST_UNKNOWN when the kernel had no room to say how many.
 * kbuffer_missed_events() says 0 where the page begins with what is no event: a
 * discarded one, or a step of time.
 */
uint64_t spht_ring_missed(const void *page);

/*
 * Removes the instance; all readers must be closed.  -1 with @err set when it
 * stays behind; @r is freed in any case.  NULL is allowed.
 */
int spht_ring_close(struct spht_ring *r, struct spht_error *err);

#endif
