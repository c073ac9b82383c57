/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SNAP_LOCAL_H
#define SPHT_SNAP_LOCAL_H

#include <pthread.h>

#include "snap-order.h"
#include "snap-program.h"
#include "snap-ring.h"
#include "snap-tables.h"
#include "snap.h"

/* What the files of snapshots share. */
struct spht_snap {
	enum spht_snap_level level;
	uint64_t buffer; /* bytes of the ring */
	struct spht_snap_target target;
	struct spht_snap_program *program;
	struct spht_snap_ring ring;
	struct spht_snap_order *order;
	struct spht_snap_tables *tables;
	int stop; /* an eventfd */
	pthread_t thread;
	bool running;
	atomic_bool failed;
	struct spht_error err; /* of the thread */

	/* The thread's until it has ended. */
	struct spht_snap_counts n;
	uint64_t kinds[SPHT_SNAP_KINDS], why[SNAP_STATUSES];
	uint64_t seen; /* records taken out of the ring */
	uint64_t last_ts, flushed_at;
	uint64_t told; /* of the dropped ones */
	uint64_t vm; /* whose tables are known; 0: none */
	unsigned int vms; /* that were seen, one after the other */
	uint32_t owner; /* the thread that was asked for last, when, and the answer */
	uint64_t asked;
	bool keep;
	struct snap_slot slots[SNAP_SLOTS];
	unsigned int nr_slots, slot_changes;

	pthread_mutex_t lock; /* of the next */
	struct spht_snap_counts published;
};

#endif
