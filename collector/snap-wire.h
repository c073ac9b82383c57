/* SPDX-License-Identifier: GPL-2.0-or-later OR LGPL-2.1-or-later */
#ifndef SPHT_SNAP_WIRE_H
#define SPHT_SNAP_WIRE_H

#include <stdint.h>

/* What the program in the kernel and spht-record say to each other; same machine, same build. */

#define SNAP_WORDS        512 /* of a page */
#define SNAP_SLOTS        128 /* memory slots that one record holds */
/* As in the trace, enum spht_snap_kind; and one more: page[] is struct snap_slot[role]. */
#define SNAP_KIND_CREATED 0
#define SNAP_KIND_FOUND   1
#define SNAP_KIND_SYNC    2
#define SNAP_KIND_UNSYNC  3
#define SNAP_KIND_WALK    4
#define SNAP_KIND_SLOTS   255

enum snap_status {
	SNAP_OK,
	SNAP_NO_VM, /* the thread's process holds no VM, or its memory is gone */
	SNAP_SEVERAL, /* it holds more than one: which is meant is not known */
	SNAP_NO_SLOT, /* no memory of the guest is there */
	SNAP_FAULT, /* the page is not resident */
	SNAP_STATUSES
};

struct snap_slot {
	uint64_t gfn, pages, hva;
	uint32_t id, flags;
};

struct snap_record {
	uint64_t ts; /* CLOCK_MONOTONIC, ns, when the page was read */
	uint64_t gfn;
	uint64_t vm; /* tells one VM from the next; 0: not known */
	uint64_t dropped; /* records that found no room, up to this one */
	uint32_t tid;
	uint32_t role;
	uint16_t kind, status; /* enum spht_snap_kind, enum snap_status */
	uint32_t unused;
	uint64_t page[SNAP_WORDS]; /* only with SNAP_OK */
};

#endif
