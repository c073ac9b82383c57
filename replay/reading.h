/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_READING_H
#define SPHT_READING_H

#include <stdbool.h>
#include <stdint.h>

#include "spht_error.h"

/* The part of the command line that says which part of a recording counts, and how it is shown. */
struct spht_reading {
	const char *roi, *warmup, *intervals; /* as given, NULL: not */
	uint64_t interval_ns; /* 0: not given */
	bool explain; /* matrices and intervals */
};

/* The values of --roi, --warmup, --interval: -1 with @err set where it is none. */
int spht_reading_roi(struct spht_reading *r, const char *arg, struct spht_error *err);
int spht_reading_warmup(struct spht_reading *r, const char *arg, struct spht_error *err);
int spht_reading_interval(struct spht_reading *r, const char *arg, struct spht_error *err);
/* All options have been read; @json: there will be JSON.  -1 where they do not go together. */
int spht_reading_check(const struct spht_reading *r, bool json, struct spht_error *err);
/* Length of intervals, ns; 0 where nobody asks for any. */
uint64_t spht_reading_length(const struct spht_reading *r);

#endif
