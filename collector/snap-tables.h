/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SNAP_TABLES_H
#define SPHT_SNAP_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPHT_SNAP_WORDS 512 /* of a page table; entries, but where the guest's have 4 bytes */

/*
 * The last content of each page table that a trace has, so that only what changed need
 * be stored.  Memory is bounded: when there are too many tables all are forgotten.
 */
struct spht_snap_tables;

/* What a snapshot adds to what the trace has. */
struct spht_snap_diff {
	bool full; /* words that are not listed are 0; else they are as they were */
	unsigned int nr;
	uint16_t index[SPHT_SNAP_WORDS]; /* ascending */
};

/* @max tables at most.  NULL without memory. */
struct spht_snap_tables *spht_snap_tables_new(size_t max);
void spht_snap_tables_free(struct spht_snap_tables *t);
/* @page is the content of @gfn now.  Full where nothing is known or it is shorter so.  0 or -1. */
int spht_snap_tables_diff(struct spht_snap_tables *t, uint64_t gfn,
			  const uint64_t page[SPHT_SNAP_WORDS], struct spht_snap_diff *diff);
/* What @gfn holds is not known any more; was it? */
bool spht_snap_tables_forget(struct spht_snap_tables *t, uint64_t gfn);
/* Another VM. */
void spht_snap_tables_clear(struct spht_snap_tables *t);
size_t spht_snap_tables_count(const struct spht_snap_tables *t);

#endif
