/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_FEED_H
#define SPHT_FEED_H

#include <stdint.h>

#include "spht_event.h"

/* What the child that reads a foreign recording tells its parent, which writes the .spht. */
enum spht_feed_message {
	/* JSON: {"header": {...}, "types": [...], "stats": [...], "notes": [...]}, first slice. */
	SPHT_FEED_PLAN = 1,
	SPHT_FEED_EVENTS, /* struct spht_feed_event, one after the other */
	SPHT_FEED_ALIVE, /* only for its `done` */
	SPHT_FEED_SKIPPED, /* JSON: [[system, event, count], ...] of this slice */
	SPHT_FEED_CURSORS, /* struct tracedat_cursor[]: the end of the slice */
	SPHT_FEED_ERROR, /* text: why it gives up */
};

/* One event, or (type SPHT_FEED_LOST) v[0] lost ones; only @nwords of v are sent. */
#define SPHT_FEED_LOST 0xff
struct spht_feed_event {
	uint64_t ts;
	int32_t pid;
	uint16_t cpu;
	uint8_t type, flags, preempt, nwords;
	uint8_t unused[6];
	uint64_t v[SPHT_EVENT_SLOTS];
};

#endif
