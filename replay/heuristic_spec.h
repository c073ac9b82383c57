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

struct spht_spec {
	const struct spht_heuristic *h;
	int64_t params[SPHT_SPEC_MAX_PARAMS]; /* one per row of h->params, checked */
};

/*
 * Reads @text, "NAME[:KEY=VALUE[,KEY=VALUE ...]]"; ';' separates as well as ','
 * does, so that what spht_spec_format() prints can be given back.  A parameter
 * that is not named has its default.  Returns 0, or -1 with the valid names or
 * the range in @err: a mistake in usage, exit status 2.  @spec is whole or untouched.
 */
int spht_spec_parse(struct spht_spec *spec, const char *text, struct spht_error *err);

/*
 * Writes all effective parameters as "KEY=VALUE;KEY=VALUE", in the order of the
 * table: the column params of the CSV.  As snprintf(): returns the length that
 * it takes, cuts at @size, always terminates (unless @size is 0).
 */
size_t spht_spec_format(const struct spht_spec *spec, char *buf, size_t size);

/*
 * Answers "help" (every heuristic in a line) and "NAME:help" (its parameters) on
 * @out.  Returns 1 if @text asks for help and got it, 0 if it does not ask, -1
 * with @err if it asks for a heuristic that does not exist.
 */
int spht_spec_help(const char *text, FILE *out, struct spht_error *err);

/*
 * Checks a descriptor against the contract of heuristic.h: interface version,
 * names, ranges and defaults.  Returns 0, or -1 with the first fault in @err.
 */
int spht_spec_validate(const struct spht_heuristic *h, struct spht_error *err);

#endif
