/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_EMIT_H
#define SPHT_EMIT_H

#include "replay/output.h"
#include "replay/report.h"

/* Where results go; what is not wanted is not open. */
struct spht_outputs {
	struct spht_output csv, json, intervals;
	bool csv_started, intervals_started;
	json_t *rows; /* NULL: no JSON */
	FILE *report; /* NULL: none */
};

/* Rows, objects and text of all results of one recording.  @vm: as chosen, or NULL.  -1: memory. */
int spht_outputs_add(struct spht_outputs *out, const struct spht_recording *recording,
		     const struct spht_run_options *options, const struct spht_result *results,
		     const char *vm);
/* Writes the JSON, which is one value; -1 where it cannot be written. */
int spht_outputs_finish(struct spht_outputs *out);
/* Closes all, and gives them their names if they are to be kept.  -1 after a message. */
int spht_outputs_close(struct spht_outputs *out, bool keep);

#endif
