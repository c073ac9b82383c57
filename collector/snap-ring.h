/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SNAP_RING_H
#define SPHT_SNAP_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spht_error.h"

/*
 * The reader's side of a ring buffer of the kernel's BPF: records of any length in the
 * order in which room was taken for them.  A record that is not finished keeps those
 * behind it.  One thread reads.
 */
struct spht_snap_ring {
	uint64_t *consumer; /* where we are; mapped, as all of it */
	const uint64_t *producer; /* where the next record will be */
	const uint8_t *data; /* twice, one behind the other: no record is in two pieces */
	uint64_t size; /* a power of 2 */
	size_t page; /* of memory; what was mapped besides the data */
};

/* @fd: a map of type BPF_MAP_TYPE_RINGBUF with @size bytes.  0 or -1. */
int spht_snap_ring_open(struct spht_snap_ring *r, int fd, uint64_t size, struct spht_error *err);
void spht_snap_ring_close(struct spht_snap_ring *r);

/* Where the kernel is: spht_snap_ring_next() up to there takes all that was begun before. */
uint64_t spht_snap_ring_end(const struct spht_snap_ring *r);
/*
 * The next record in front of @end, which stays until spht_snap_ring_pass(); discarded ones
 * are left out.  NULL when there is none; then *@whole tells whether @end was reached.
 */
const void *spht_snap_ring_next(struct spht_snap_ring *r, uint64_t end, size_t *len, bool *whole);
/* Gives its room back. */
void spht_snap_ring_pass(struct spht_snap_ring *r);

#endif
