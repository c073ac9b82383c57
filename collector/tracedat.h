/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TRACEDAT_H
#define SPHT_TRACEDAT_H

#include <stdbool.h>
#include <stdint.h>

#include "child.h"
#include "feed.h"

/*
 * The child of an import: reads a trace.dat through libtracecmd and sends what
 * it finds.  libtracecmd keeps nearly everything that it has read in memory
 * until its process ends, so a large file is read in slices, each by a process
 * of its own, which starts where the one before it stopped.
 */

/* Where reading one CPU of one buffer stands. */
struct tracedat_cursor {
	uint64_t offset, ts; /* of the next event, as libtracecmd counts offsets */
	uint64_t last_page; /* last page that had an event, plus 1; 0: none yet */
	uint64_t pages, pages_promised; /* seen with events, and according to the file */
	uint64_t read; /* events, of all systems */
	uint32_t buffer, cpu;
	uint8_t started, done;
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
