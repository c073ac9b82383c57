/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SPECS_H
#define SPHT_SPECS_H

#include "replay/heuristic_spec.h"
#include "replay/plugin.h"

/* Rows of a result for one recording, at most: what a sweep on one machine may ask for. */
#define SPHT_MAX_ROWS 100000

/* All that the command line asks for, each configuration once, in the order of asking. */
struct spht_specs {
	struct spht_spec *v;
	size_t nr, cap;
	uint32_t *slots; /* index + 1 by hash; 0: free; twice @cap of them */
	struct spht_plugins plugins;
};

enum spht_specs_status {
	SPHT_SPECS_OK,
	SPHT_SPECS_USAGE, /* the text is wrong */
	SPHT_SPECS_FAILED, /* a file or memory is */
};

/*
 * Adds what @text asks for: "NAME[:PARAMETERS]" of a built-in heuristic or
 * "PATH[:PARAMETERS]" of a plugin, where a path has a '/'; PARAMETERS as of
 * spht_ranges_parse().  *@again: how many configurations were there before, and are
 * left out.  On failure @err is set, and @specs good for spht_specs_close() only.  Begins as {0}.
 */
enum spht_specs_status spht_specs_add(struct spht_specs *specs, const char *text, size_t *again,
				      struct spht_error *err);
/*
 * Answers "help" (every heuristic in a line, with the plugins loaded so far), "NAME:help"
 * and "PATH:help" (its parameters) on @out.  *@asked: it was asked for help; only then
 * is anything printed or wrong.
 */
enum spht_specs_status spht_specs_help(struct spht_specs *specs, const char *text, FILE *out,
				       bool *asked, struct spht_error *err);
/* One line for each configuration, which can be given back: all parameters, and no ranges. */
void spht_specs_print(const struct spht_specs *specs, FILE *out);
void spht_specs_close(struct spht_specs *specs);

#endif
