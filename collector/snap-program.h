/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SNAP_PROGRAM_H
#define SPHT_SNAP_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "spht_error.h"

/* The program of snap.bpf.c in the kernel. */
struct spht_snap_program;

/*
 * Loads it, attached to nothing yet, with a ring buffer of @size bytes, a power of 2 that is at
 * least 16384; @walks: with the part that is about walks.  NULL with @err set: what this
 * build, this kernel or this user lacks.
 */
struct spht_snap_program *spht_snap_program_open(uint64_t size, bool walks, struct spht_error *err);
/* From now on it runs.  0 or -1. */
int spht_snap_program_attach(struct spht_snap_program *p, struct spht_error *err);
/* From now on it does not. */
void spht_snap_program_detach(struct spht_snap_program *p);
/* The ring buffer's map, as long as it is open. */
int spht_snap_program_ring(const struct spht_snap_program *p);
/* How many records found no room. */
uint64_t spht_snap_program_dropped(const struct spht_snap_program *p);
void spht_snap_program_close(struct spht_snap_program *p);

#endif
