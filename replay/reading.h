/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_READING_H
#define SPHT_READING_H

#include <stdbool.h>
#include <stdint.h>

#include "replay/explain.h"

/* The part of the command line that says which part of a recording counts, and how it is shown. */
struct spht_reading {
	const char *roi, *warmup, *intervals, *histograms; /* as given, NULL: not */
	uint64_t interval_ns; /* 0: not given */
	bool explain; /* matrices and intervals */
	struct spht_target target; /* an exit whose story is told */
	bool list_misses;
};

/* The values of --roi, --warmup, --interval, --explain: -1 with @err set where it is none. */
int spht_reading_roi(struct spht_reading *r, const char *arg, struct spht_error *err);
int spht_reading_warmup(struct spht_reading *r, const char *arg, struct spht_error *err);
int spht_reading_interval(struct spht_reading *r, const char *arg, struct spht_error *err);
/* @arg NULL: matrices; else the exit whose story is told. */
int spht_reading_explain(struct spht_reading *r, const char *arg, struct spht_error *err);
/*
 * All options have been read; there are @nr @files, and JSON and a @report or not.  -1
 * where they do not go together.
 */
int spht_reading_check(const struct spht_reading *r, bool json, bool report, char **files, int nr,
		       struct spht_error *err);
/* Length of intervals, ns; 0 where nobody asks for any. */
uint64_t spht_reading_length(const struct spht_reading *r);

#endif
