/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CAPTURE_H
#define SPHT_CAPTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ring.h"
#include "spht_trace.h"
#include "types.h"
#include "vm.h"

/*
 * One CPU of a live recording: a thread that empties the CPU's trace buffer
 * into the trace file.
 */
struct spht_capture;

/* Time stamps of the ring buffer in @num / 2^32 parts of a ns, as ns since @base ticks, plus @add. */
struct spht_capture_clock {
	uint64_t base, num, add; /* num 0: time stamps are ns already */
	uint64_t begin; /* a time stamp from before the first event */
};

/* What all CPUs share; borrowed, must outlive them. */
struct spht_capture_shared {
	struct spht_ring *ring;
	struct spht_writer *writer;
	struct spht_types *types;
	struct spht_vms *vms; /* NULL: the events of every VM are kept */
	struct spht_capture_clock clock;
	int stop; /* an eventfd; readable: the buffers are switched off, read the rest and end */
	int wake; /* an eventfd; written when a thread fails */
	/* How often events were found to be missing that no buffer tells of: each CPU notes it. */
	atomic_uint holes;
};

/* So far.  The books: @read = @stored + @filtered + @skipped. */
struct spht_capture_counts {
	uint64_t read; /* events taken out of the ring buffer */
	uint64_t stored;
	uint64_t filtered; /* of other VMs */
	uint64_t skipped; /* of no type that was asked for */
	uint64_t faults; /* kvm_page_fault */
	uint64_t gaps, unknown_gaps, lost; /* marked in the buffer: events before, lost */
	uint64_t backwards; /* time stamps that were set to the one before them */
};

/* Opens the buffer of @cpu; no thread yet.  NULL with @err set. */
struct spht_capture *spht_capture_open(const struct spht_capture_shared *shared, unsigned int cpu,
				       struct spht_error *err);
int spht_capture_start(struct spht_capture *c, struct spht_error *err);
/*
 * After shared->stop: waits for the thread.  Where none was started, reads what
 * is there.  -1 with @err set when the thread has failed; may be called again.
 */
int spht_capture_join(struct spht_capture *c, struct spht_error *err);
unsigned int spht_capture_cpu(const struct spht_capture *c);
/* At any time, from any thread. */
void spht_capture_counts(const struct spht_capture *c, struct spht_capture_counts *counts);
bool spht_capture_failed(const struct spht_capture *c);
/* Closes the buffer, whose instance can be removed then; joined before.  The counts stay. */
void spht_capture_let_go(struct spht_capture *c);
/* NULL is allowed; joined before. */
void spht_capture_close(struct spht_capture *c);

#endif
