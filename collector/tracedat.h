/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TRACEDAT_H
#define SPHT_TRACEDAT_H

#include <stdint.h>

/*
 * The child of an import reads a trace.dat through libtracecmd, which keeps
 * nearly everything that it has read in memory until its process ends; so a
 * large file is read in slices.  A slice hands this on to the next one.
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

#endif
