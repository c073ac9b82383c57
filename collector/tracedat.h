/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TRACEDAT_H
#define SPHT_TRACEDAT_H

#include <stdbool.h>
#include <stdint.h>

#include "child.h"
#include "spht_event.h"

/*
 * The child of an import: reads a trace.dat through libtracecmd and sends what
 * it finds.  libtracecmd keeps nearly everything that it has read in memory
 * until its process ends, so a large file is read in slices, each by a process
 * of its own, which starts where the one before it stopped.
 */
enum tracedat_message {
	/* JSON: {"header": {...}, "types": [...], "stats": [...], "notes": [...]}, first slice. */
	TRACEDAT_PLAN = 1,
	TRACEDAT_EVENTS, /* struct tracedat_event, one after the other */
	TRACEDAT_ALIVE, /* only for its `done` */
	TRACEDAT_SKIPPED, /* JSON: [[system, event, count], ...] of this slice */
	TRACEDAT_CURSORS, /* struct tracedat_cursor[]: the end of the slice */
	TRACEDAT_ERROR, /* text: why it gives up */
};

/* Where reading one CPU of one buffer stands. */
struct tracedat_cursor {
	uint64_t offset, ts; /* of the next event, as libtracecmd counts offsets */
	uint64_t last_page; /* last page that had an event, plus 1; 0: none yet */
	uint64_t pages, pages_promised; /* seen with events, and according to the file */
	uint64_t read; /* events, of all systems */
	uint32_t buffer, cpu;
	uint8_t started, done;
};

/* One event, or (type TRACEDAT_LOST) v[0] lost ones; only @nwords of v are sent. */
#define TRACEDAT_LOST 0xff
struct tracedat_event {
	uint64_t ts;
	int32_t pid;
	uint16_t cpu;
	uint8_t type, flags, preempt, nwords;
	uint8_t unused[6];
	uint64_t v[SPHT_EVENT_SLOTS];
};

struct tracedat_job {
	int fd; /* the trace.dat, from its beginning */
	const char *name;
	bool first; /* slice */
	uint64_t done; /* bytes of pages read by former slices */
	const struct tracedat_cursor *cursors; /* where to go on, unless this is the first */
	size_t nr_cursors;
};

/* For spht_child_start(); @job is a struct tracedat_job. */
int tracedat_child(struct spht_pipe *pipe, void *job);

#endif
