/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SPILL_H
#define SPHT_SPILL_H

#include <stddef.h>
#include <stdint.h>

#include "spht_error.h"

/*
 * spill: bytes that are appended and read back at their place.  The first ones
 * stay in memory, up to a limit; those above it go to a temporary file in
 * $TMPDIR (/tmp where that is not set), which has no name and ends with the process.
 */
struct spht_spill;

/* @limit: bytes to keep in memory, rounded up to 2 MiB.  NULL when memory is short. */
struct spht_spill *spht_spill_open(size_t limit);
/* NULL is nothing. */
void spht_spill_close(struct spht_spill *s);
/*
 * Appends @n bytes; *@at is where they are.  Returns 0, or -1 with @err set:
 * memory, no folder for the file, no room there.
 */
int spht_spill_append(struct spht_spill *s, const void *data, size_t n, uint64_t *at,
		      struct spht_error *err);
/*
 * Reads @n bytes at @at, which were appended.  Several threads may, as long as
 * none appends.  Returns 0, or -1 with @err set: the file cannot be read.
 */
int spht_spill_read(const struct spht_spill *s, uint64_t at, void *data, size_t n,
		    struct spht_error *err);
/* Bytes in memory. */
size_t spht_spill_held(const struct spht_spill *s);
/* Bytes in the file. */
uint64_t spht_spill_written(const struct spht_spill *s);

#endif
