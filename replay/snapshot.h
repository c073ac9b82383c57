/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SNAPSHOT_H
#define SPHT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/addr.h"
#include "spht_event.h"

/*
 * snapshot: guest page tables as the recorder read them, from events to lists that
 * travel with the exit in which they were taken.  A snapshot tells what has changed
 * since the one before of the same frame in the file.
 */
enum spht_snap_mode { SPHT_SNAP_USE, SPHT_SNAP_IGNORE, SPHT_SNAP_SCORE, SPHT_SNAP_MODES };

/* use, ignore, score. */
const char *spht_snap_mode_name(enum spht_snap_mode mode);

/* Beside those of the file: taken outside of the exit that it travels with. */
#define SPHT_SNAP_OLD 0x80u

struct spht_snap {
	gfn_t gfn; /* of the table */
	uint32_t role; /* raw; 0 for a walk */
	uint32_t serial; /* in the file, from 1: threads' work may come in another order */
	uint32_t first, nr; /* its entries in the list */
	uint8_t kind; /* enum spht_snap_kind */
	uint8_t flags; /* SPHT_SNAP_FULL, SPHT_SNAP_UNREADABLE, SPHT_SNAP_OLD */
};

struct spht_snap_entry {
	uint64_t value;
	uint16_t index;
};

/* The snapshots of one exit, in the order of the file. */
struct spht_snaps {
	struct spht_snap *v;
	uint32_t nr, cap;
	uint32_t nr_old; /* the first so many belong to no exit */
	struct spht_snap_entry *entries;
	uint32_t nr_entries, cap_entries;
};

struct spht_snap_stats {
	uint64_t taken; /* snapshots in the recording, damaged and unreadable ones included */
	uint64_t entries;
	uint64_t unreadable; /* by what the recorder says */
	uint64_t damaged; /* cut short, out of range, or a change of what is not known */
};

/* NULL is an empty list, for all of these. */
void spht_snaps_free(struct spht_snaps *s);
void spht_snaps_clear(struct spht_snaps *s);
/* Those that are there belong to no exit any more. */
void spht_snaps_outlive(struct spht_snaps *s);

/* Checks the sequences of a file. */
struct spht_snap_reader;

struct spht_snap_reader *spht_snap_reader_open(void);
void spht_snap_reader_close(struct spht_snap_reader *r);
/*
 * One event, SPHT_EV_SNAP or SPHT_EV_SNAP_ENTRY, of a thread whose list is *@list (made
 * when it is needed) and of whose last snapshot *@left entries are to come.  What is
 * damaged makes its table unreadable.  -1: memory.
 */
int spht_snap_event(struct spht_snap_reader *r, struct spht_snaps **list, unsigned int *left,
		    const struct spht_event *ev, struct spht_snap_stats *stats);
/* The thread's exit is over, and with it its last snapshot. */
void spht_snap_end(struct spht_snap_reader *r, struct spht_snaps *list, unsigned int *left,
		   struct spht_snap_stats *stats);

#endif
