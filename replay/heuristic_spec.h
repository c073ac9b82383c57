/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_HEURISTIC_SPEC_H
#define SPHT_HEURISTIC_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "heuristics/heuristic.h"
#include "spht_error.h"

/*
 * What --heuristic= takes: which heuristic, with which parameters.  All that is
 * said here about a heuristic comes from its own tables.
 */

/* The heuristics that are built in, by name; made by scripts/gen-heuristics. */
extern const struct spht_heuristic *const spht_heuristics[];
extern const unsigned int spht_nr_heuristics;

#define SPHT_SPEC_MAX_PARAMS 32
/* Holds what spht_spec_format() writes for any heuristic that is valid. */
#define SPHT_SPEC_TEXT       (SPHT_SPEC_MAX_PARAMS * 82 + 1)

struct spht_plugin;

struct spht_spec {
	const struct spht_heuristic *h;
	const struct spht_plugin *plugin; /* the file that @h is from; NULL: built in */
	int64_t params[SPHT_SPEC_MAX_PARAMS]; /* one per row of h->params, checked */
};

/* The built-in heuristic of this name; NULL with the valid ones in @err. */
const struct spht_heuristic *spht_spec_find(const char *name, size_t len, struct spht_error *err);

/*
 * Reads @text, "NAME[:KEY=VALUE[,KEY=VALUE ...]]" of a built-in heuristic; ';' separates
 * as well as ',' does, so that what spht_spec_format() prints can be given back.  A
 * parameter that is not named has its default.  Returns 0, or -1 with the valid names or
 * the range in @err: a mistake in usage, exit status 2.  @spec is whole or untouched.
 */
int spht_spec_parse(struct spht_spec *spec, const char *text, struct spht_error *err);

/* Parameters with several values each: one spec for each element of their product. */
struct spht_ranges {
	const struct spht_heuristic *h;
	unsigned int nr; /* parameters that were named, in that order */
	unsigned int param[SPHT_SPEC_MAX_PARAMS];
	const int64_t *values[SPHT_SPEC_MAX_PARAMS];
	size_t nr_values[SPHT_SPEC_MAX_PARAMS];
	uint64_t product; /* of nr_values; UINT64_MAX: that or more */
	int64_t *memory;
	size_t nr_memory;
};

/*
 * Reads "KEY=VALUE[|VALUE ...][,KEY=VALUE[|VALUE ...] ...]" or an empty text, each key and
 * each of its values once.  Returns 0, and @ranges is to be closed, -1 with @err set, or -2 without memory.
 */
int spht_ranges_parse(struct spht_ranges *ranges, const struct spht_heuristic *h, const char *text,
		      struct spht_error *err);
/* Element @i of the product: the parameter that was named first varies slowest. */
void spht_ranges_at(const struct spht_ranges *ranges, uint64_t i, struct spht_spec *spec);
void spht_ranges_close(struct spht_ranges *ranges);

/*
 * Writes all effective parameters as "KEY=VALUE;KEY=VALUE", in the order of the
 * table: the column params of the CSV.  As snprintf(): returns the length that
 * it takes, cuts at @size, always terminates (unless @size is 0).
 */
size_t spht_spec_format(const struct spht_spec *spec, char *buf, size_t size);

/* A paragraph for each parameter: default, type, range, meaning. */
void spht_spec_print_params(const struct spht_heuristic *h, FILE *out);

/*
 * Checks a descriptor against the contract of heuristic.h: interface version,
 * names, ranges and defaults.  Returns 0, or -1 with the first fault in @err.
 */
int spht_spec_validate(const struct spht_heuristic *h, struct spht_error *err);

#endif
