/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TRACE_UTIL_H
#define TRACE_UTIL_H

#include <stddef.h>
#include <stdint.h>

#include "traces/spht_trace.h"

/* What the tests of the trace library share: files, random events, patched bytes. */

/* The same numbers on every machine. */
struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *r);
/* Below @n. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* Any 64-bit value, with the small, the large and the round ones more often than chance. */
uint64_t rng_value(struct rng *r);

/* Static storage.  Known and unknown events, signed fields, byte arrays. */
extern const struct spht_event_type test_types[];
extern const unsigned int nr_test_types;

/* A random event of one of the first @nr_types test types at @ts. */
struct spht_event random_event(struct rng *r, unsigned int nr_types, unsigned int cpu, uint64_t ts);

/* A path in a temporary directory that is removed at exit.  Static storage, four at a time. */
const char *temp_path(void);
/* Whole files; these fail the test on errors. */
uint8_t *load_file(const char *path, size_t *len);
void save_file(const char *path, const uint8_t *bytes, size_t len);
/* A writer for all test types; fails the test on errors. */
struct spht_writer *open_writer(const char *path, unsigned int nr_types);
void append(struct spht_writer *w, const struct spht_event *ev);
void close_writer(struct spht_writer *w);

/* All that a reader returns for a file. */
struct reading {
	struct spht_event *events;
	size_t nr;
	int status; /* of the last spht_reader_next(), or -2 where the file did not open */
	int complete;
	struct spht_error err;
};

struct reading read_all(const char *path, unsigned int flags);
void reading_free(struct reading *r);
void assert_event_equal(const struct spht_event *a, const struct spht_event *b);

/*
 * Byte offsets of the parts of a whole trace file.  refresh_sums() makes
 * checksums right again after a test changed the bytes they cover, so that
 * the checks behind the checksums are reached.
 */
struct parts {
	size_t block[64], footer, index;
	unsigned int nr_blocks;
};

struct parts find_parts(const uint8_t *file, size_t len);
void refresh_sums(uint8_t *file, size_t len);

#endif
