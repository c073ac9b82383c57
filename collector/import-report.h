/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_IMPORT_REPORT_H
#define SPHT_IMPORT_REPORT_H

#include <jansson.h>
#include <stdint.h>

#include "feed.h"
#include "import.h"
#include "spht_trace.h"

/* What an import has counted. */
struct spht_import_counts {
	uint64_t events, skipped;
	uint64_t gaps, unknown_gaps, lost; /* marked inside of the recording */
	uint64_t first_ts, last_ts, out_bytes;
};

/*
 * The books of every CPU: what the recorder's kernel wrote against what was
 * read.  Where the kernel's side is not known, `dropped` is what the recording
 * itself says was lost.
 */
struct spht_import_ledger {
	struct spht_ledger *cpus;
	uint64_t *empty_pages; /* by CPU: pages in which no event was found */
	unsigned int nr_cpus;
};

/* "0x12" of the plan; 0 for anything else. */
uint64_t spht_import_hex(const json_t *j);
/* @stats as in the plan.  0, or -1 without memory. */
int spht_import_ledger(struct spht_import_ledger *l, const json_t *stats,
		       const struct spht_feed_book *books, size_t nr_books);
void spht_import_ledger_free(struct spht_import_ledger *l);
/* Prints the summary, loudly if something is missing; the exit status. */
enum spht_status spht_import_report(const char *path, const struct spht_feed *feed,
				    const struct spht_import_counts *c,
				    const struct spht_import_ledger *l, bool quiet);

#endif
