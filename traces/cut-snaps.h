/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CUT_SNAPS_H
#define SPHT_CUT_SNAPS_H

#include <stddef.h>
#include <stdint.h>

#include "spht_event.h"

/*
 * The page tables of the guest as the snapshots of a recording told them last.  A cut tells each
 * of them again in full, so that snapshots of its window may go on from there.
 *
 * Memory: 4 KiB for each table.
 */
struct cut_snaps;

/* NULL without memory. */
struct cut_snaps *cut_snaps_new(void);
void cut_snaps_free(struct cut_snaps *s);
/* Takes one event of either kind; @seq is its place.  0, or -1 without memory. */
int cut_snaps_feed(struct cut_snaps *s, const struct spht_event *ev, uint64_t seq);

/* One table. */
struct cut_snap;
/*
 * The tables whose content is known, in the order of their last snapshots; free() the list.
 * NULL without memory.
 */
const struct cut_snap **cut_snaps_list(const struct cut_snaps *s, size_t *nr);
uint64_t cut_snap_seq(const struct cut_snap *t);
/* Its snapshot in full, as preamble: @fn as for cut_state_emit(). */
int cut_snap_emit(const struct cut_snaps *s, const struct cut_snap *t,
		  int (*fn)(void *arg, const struct spht_event *ev), void *arg);

#endif
