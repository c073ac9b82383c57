// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/emit.h"

static void add_intervals(struct spht_outputs *out, const struct spht_recording *rec,
			  const struct spht_run_options *opt, const struct spht_result *res)
{
	static struct spht_row row;

	for (uint32_t i = 0; out->intervals.f && i < rec->phases.nr; i++) {
		spht_row_fill_phase(&row, rec, opt, res, i);
		if (!out->intervals_started)
			spht_csv_header(out->intervals.f, &row);
		out->intervals_started = true;
		spht_csv_row(out->intervals.f, &row);
		spht_output_note(&out->intervals);
	}
}

static void add_histograms(struct spht_outputs *out, const struct spht_recording *rec,
			   const struct spht_run_options *opt, const struct spht_result *res,
			   const char *vm)
{
	static struct spht_row row;

	for (unsigned int i = 0; out->histograms.f && i < spht_row_bins(rec, opt, res); i++) {
		spht_row_fill_bin(&row, rec, opt, res, vm, i);
		if (!out->histograms_started)
			spht_csv_header(out->histograms.f, &row);
		out->histograms_started = true;
		spht_csv_row(out->histograms.f, &row);
		spht_output_note(&out->histograms);
	}
}

/* The row that was filled in, of @res; @rep: of which repetition on the real clock. */
static int add_row(struct spht_outputs *out, const struct spht_row *row,
		   const struct spht_recording *rec, const struct spht_run_options *opt,
		   const struct spht_result *res, const struct spht_result *all, unsigned int rep)
{
	json_t *o;

	if (out->csv.f && !out->csv_started)
		spht_csv_header(out->csv.f, row);
	out->csv_started = true;
	if (out->csv.f)
		spht_csv_row(out->csv.f, row);
	spht_output_note(&out->csv);
	if (!out->rows)
		return 0;
	o = spht_json_row(row, rec, opt, res);
	if (json_array_append_new(out->rows, o))
		return -1;
	return all ? spht_json_real(o, rec, opt, all, rep) : 0;
}

static int add_repetitions(struct spht_outputs *out, struct spht_row *row,
			   const struct spht_recording *rec, const struct spht_run_options *opt,
			   const struct spht_result *res, const char *vm)
{
	struct spht_result one;

	for (unsigned int k = 0; k < res->nr_reps; k++) {
		spht_result_of_repetition(&one, res, k, opt->knowledge);
		spht_row_fill_repetition(row, rec, opt, res, k, vm);
		if (add_row(out, row, rec, opt, &one, res, k))
			return -1;
	}
	if (out->report)
		spht_text_real(out->report, rec, opt, res);
	return 0;
}

static int add_timeline(struct spht_outputs *out, const struct spht_recording *rec,
			const struct spht_timeline *t, const struct spht_row *row)
{
	if (spht_timeline_write(out->timeline.f, t, rec, row))
		return -1;
	spht_output_note(&out->timeline);
	if (out->report)
		spht_text_timeline(out->report, t, out->timeline.path);
	if (t->full)
		fprintf(stderr,
			"spht-replay: %s: THE TIMELINE IS CUT at %.9f s of the recording: %u "
			"events are all that it holds; --timeline-window=%.9f.. goes on\n",
			out->timeline.path, (double)(t->end_ns - t->start) / 1e9, t->max_events,
			(double)(t->end_ns - t->start) / 1e9);
	return 0;
}

static int add_results(struct spht_outputs *out, const struct spht_recording *rec,
		       const struct spht_run_options *opt, const struct spht_result *res,
		       const char *vm)
{
	static struct spht_row row;

	for (unsigned int i = 0; i < opt->nr_specs * opt->nr_scales; i++) {
		if (opt->real) {
			if (add_repetitions(out, &row, rec, opt, &res[i], vm ? vm : ""))
				return -1;
			continue;
		}
		spht_row_fill(&row, rec, opt, &res[i], vm ? vm : "");
		if (add_row(out, &row, rec, opt, &res[i], NULL, 0))
			return -1;
		if (out->report)
			spht_text_result(out->report, rec, opt, &res[i]);
		add_intervals(out, rec, opt, &res[i]);
		add_histograms(out, rec, opt, &res[i], vm ? vm : "");
		if (opt->timeline && add_timeline(out, rec, opt->timeline, &row))
			return -1;
	}
	return 0;
}

int spht_outputs_run(struct spht_outputs *out, struct spht_recording *rec,
		     const struct spht_run_options *opt, const char *vm,
		     const struct spht_story *story, struct spht_error *err)
{
	struct spht_run_options part = *opt;
	int ret = 0;

	for (unsigned int i = 0; i < opt->nr_specs && !ret; i += part.nr_specs) {
		struct spht_result *res = NULL;

		part.specs = opt->specs + i;
		part.nr_specs = opt->nr_specs - i;
		if (part.nr_specs > SPHT_SPECS_AT_ONCE)
			part.nr_specs = SPHT_SPECS_AT_ONCE;
		ret = spht_run(rec, &part, &res, err);
		if (!ret && part.timeline)
			ret = spht_timeline_finish(part.timeline, err);
		if (!ret && add_results(out, rec, &part, res, vm)) {
			spht_error_set(err, "out of memory");
			ret = -1;
		}
		if (res && out->report && story)
			spht_text_story(out->report, rec, story, &part, res);
		free(res);
	}
	return ret;
}

int spht_outputs_finish(struct spht_outputs *out)
{
	if (!out->rows)
		return 0;
	if (json_dumpf(out->rows, out->json.f, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) >= 0 &&
	    fputc('\n', out->json.f) >= 0) {
		spht_output_note(&out->json);
		return 0;
	}
	fprintf(stderr, "spht-replay: %s: cannot be written: %s\n", out->json.path,
		strerror(errno));
	return -1;
}

int spht_outputs_apart(const struct spht_outputs *out)
{
	const struct spht_output *const all[] = {&out->csv, &out->json, &out->intervals,
						 &out->histograms, &out->timeline};

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (unsigned int k = 0; k < i; k++)
			if (spht_output_apart(all[k], all[i]))
				return -1;
	return 0;
}

void spht_outputs_leave(const struct spht_outputs *out)
{
	spht_output_leave(&out->csv);
	spht_output_leave(&out->json);
	spht_output_leave(&out->intervals);
	spht_output_leave(&out->histograms);
	spht_output_leave(&out->timeline);
}

int spht_outputs_close(struct spht_outputs *out, bool keep)
{
	/* One that failed has been told; the others would only look like results of this run. */
	int ret = spht_output_close(&out->csv, keep);

	json_decref(out->rows);
	out->rows = NULL;
	ret |= spht_output_close(&out->json, keep && !ret);
	ret |= spht_output_close(&out->intervals, keep && !ret);
	ret |= spht_output_close(&out->histograms, keep && !ret);
	return ret | spht_output_close(&out->timeline, keep && !ret);
}
