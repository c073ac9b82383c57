/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_REPORT_H
#define SPHT_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "replay/run.h"
#include "replay/story.h"

/* report: counters -> CSV, JSON, text.  No arithmetic beyond ratios. */

#define SPHT_CSV_SCHEMA "4"
#define SPHT_MAX_FIELDS 160

enum spht_field_kind { SPHT_FIELD_EMPTY, SPHT_FIELD_TEXT, SPHT_FIELD_COUNT, SPHT_FIELD_REAL };

struct spht_field {
	const char *name; /* column, METRICS section 8 */
	enum spht_field_kind kind;
	const char *text; /* @own, or what lives as long as the row is used */
	char own[192];
	uint64_t count;
	double real;
};

struct spht_row {
	struct spht_field f[SPHT_MAX_FIELDS];
	unsigned int nr;
	unsigned int whose; /* of an interval: so many of them say whose it is */
	char params[SPHT_SPEC_TEXT];
};

/* The first lines of a result: what was asked, and of which plugin. */
void spht_text_heading(FILE *out, const struct spht_result *res);
/* All columns of one result, in the order of METRICS section 8. */
void spht_row_fill(struct spht_row *row, const struct spht_recording *recording,
		   const struct spht_run_options *options, const struct spht_result *result,
		   const char *vm);
/* The same of repetition @i on the real clock, with columns that only it has. */
void spht_row_fill_repetition(struct spht_row *row, const struct spht_recording *recording,
			      const struct spht_run_options *options,
			      const struct spht_result *result, unsigned int i, const char *vm);
/* All columns of interval @i of one result. */
void spht_row_fill_phase(struct spht_row *row, const struct spht_recording *recording,
			 const struct spht_run_options *options, const struct spht_result *result,
			 uint32_t i);
/*
 * Histograms of one result, in all worlds: how many rows there are, which is never 0, and
 * all columns of row @i.
 */
unsigned int spht_row_bins(const struct spht_recording *recording,
			   const struct spht_run_options *options,
			   const struct spht_result *result);
void spht_row_fill_bin(struct spht_row *row, const struct spht_recording *recording,
		       const struct spht_run_options *options, const struct spht_result *result,
		       const char *vm, unsigned int i);
/* RFC 4180; errors show in ferror(@out). */
void spht_csv_header(FILE *out, const struct spht_row *row);
void spht_csv_row(FILE *out, const struct spht_row *row);
/*
 * The row as an object with what has no column: slack, fidelity matrix, and the
 * intervals where there are any.  NULL: memory.
 */
json_t *spht_json_row(const struct spht_row *row, const struct spht_recording *recording,
		      const struct spht_run_options *options, const struct spht_result *result);
/* For people: the recording and its fidelity; then one block per result. */
void spht_text_recording(FILE *out, const struct spht_recording *recording);
void spht_text_result(FILE *out, const struct spht_recording *recording,
		      const struct spht_run_options *options, const struct spht_result *result);
/* What was made of snapshots of guest tables; the worlds against them; answers not proven. */
void spht_text_snapshots(FILE *out, const struct spht_recording *recording);
void spht_text_score(FILE *out, const struct spht_recording *recording);
void spht_text_left(FILE *out, const struct spht_account *account);
/* On the real clock, all repetitions of a result in the place of spht_text_result(). */
void spht_text_real(FILE *out, const struct spht_recording *recording,
		    const struct spht_run_options *options, const struct spht_result *result);
/* Adds to @row, of repetition @i, what has no column.  -1: memory. */
int spht_json_real(json_t *row, const struct spht_recording *recording,
		   const struct spht_run_options *options, const struct spht_result *result,
		   unsigned int i);
/* --explain: the confusion matrices behind fidelity_pct. */
void spht_text_explain(FILE *out, const struct spht_recording *recording);
/* --list-misses: a line for each disagreement, at most 100 columns. */
void spht_text_misses(FILE *out, const struct spht_recording *recording,
		      const struct spht_misses *misses);
/* What check and model said of a missed entry: "P=0, held strong". */
void spht_miss_text(char *buf, size_t size, const struct spht_miss_at *miss);
/*
 * --explain=EXIT: the story of one exit, in lines of at most 100 columns.
 * @results: of the recording, with what each run did with the entry.
 */
void spht_text_story(FILE *out, const struct spht_recording *recording,
		     const struct spht_story *story, const struct spht_run_options *options,
		     const struct spht_result *results);
/* What each run did with the entry, for spht_text_story().  @other: the fault was on another. */
void spht_text_looks(FILE *out, const struct spht_recording *recording,
		     const struct spht_run_options *options, const struct spht_result *results,
		     bool other);
/*
 * A trace of Chrome's trace event format, as ui.perfetto.dev and chrome://tracing open it, of
 * a finished timeline of @recording.  @row: of the run, for its provenance.  Errors
 * show in ferror(@out); -1: memory.
 */
int spht_timeline_write(FILE *out, const struct spht_timeline *timeline,
			const struct spht_recording *recording, const struct spht_row *row);
/* What is in it, for people, in one line. */
void spht_text_timeline(FILE *out, const struct spht_timeline *timeline, const char *path);
/* And the fidelity of each interval, a line each of at most 100 columns. */
void spht_text_phases(FILE *out, const struct spht_recording *recording);

#endif
