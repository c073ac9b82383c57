/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_EMIT_H
#define SPHT_EMIT_H

#include "replay/output.h"
#include "replay/report.h"

/* Where results go; what is not wanted is not open. */
struct spht_outputs {
	struct spht_output csv, json, intervals, histograms, timeline;
	bool csv_started, intervals_started, histograms_started;
	json_t *rows; /* NULL: no JSON */
	FILE *report; /* NULL: none */
};

/* Configurations whose results are in memory together; each such part runs the oracle anew. */
#define SPHT_SPECS_AT_ONCE 1000

/*
 * Runs all that @options ask of @recording, in parts, and adds rows, objects and text of
 * it.  @vm: as chosen, or NULL.  @story: told after the results, which then are of one
 * part; NULL: none.  Returns as spht_run().
 */
int spht_outputs_run(struct spht_outputs *out, struct spht_recording *recording,
		     const struct spht_run_options *options, const char *vm,
		     const struct spht_story *story, struct spht_error *err);
/* Writes the JSON, which is one value; -1 where it cannot be written. */
int spht_outputs_finish(struct spht_outputs *out);
/* 0, or -1 after a message where two that are open are one file. */
int spht_outputs_apart(const struct spht_outputs *out);
/* Closes all, and gives them their names if they are to be kept.  -1 after a message. */
int spht_outputs_close(struct spht_outputs *out, bool keep);

/* For a program that ends at once: removes those that are not whole. */
void spht_outputs_leave(const struct spht_outputs *out);

#endif
