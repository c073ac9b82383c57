// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stddef.h>

#include "replay/plugin.h"
#include "replay/report.h"
#include "replay/spread.h"

/* The report of the real clock: what was measured, what the virtual clock predicts, what was in the way. */

static void text_pace(FILE *out, const struct spht_real_plan *p)
{
	const struct spht_cpus *c = &p->cpus;

	fprintf(out, "  clock             real: vCPU on CPU %d, helper on CPU %d%s, ", c->vcpu,
		c->helper, c->siblings ? " (threads of one core)" : "");
	if (p->pace > 0 && p->pace != 1)
		fprintf(out, "pace %g; ", p->pace);
	else
		fprintf(out, "pace %s; ", p->pace > 0 ? "recorded" : "max");
	fprintf(out, "%u to warm up, %u measured\n", p->warmups, p->repetitions);
}

static void text_measure(FILE *out, enum spht_measure m, const char *name,
			 const struct spht_recording *rec, const struct spht_run_options *opt,
			 const struct spht_result *res)
{
	struct spht_spread s = spht_measure_spread(res, m, rec, opt);

	fprintf(out, "    %-18s %11.6g %11.6g %11.6g %11.6g %11.6g %11.6g\n", name, s.median, s.min,
		s.max, s.q1, s.q3, spht_measure(res, m, rec, opt));
}

static void text_measures(FILE *out, const struct spht_recording *rec,
			  const struct spht_run_options *opt, const struct spht_result *res)
{
	fprintf(out, "  %-20s %11s %11s %11s %11s %11s %11s\n", spht_world_name(opt->knowledge),
		"median", "least", "most", "quartile 1", "quartile 3", "virtual");
	text_measure(out, SPHT_MEASURE_AVOIDED, "avoided exits", rec, opt, res);
	text_measure(out, SPHT_MEASURE_TIMELY, "used in time", rec, opt, res);
	text_measure(out, SPHT_MEASURE_LATE, "late, overtaken", rec, opt, res);
	text_measure(out, SPHT_MEASURE_LOCK_WAIT, "lock wait, s", rec, opt, res);
	text_measure(out, SPHT_MEASURE_HELPER_LOCK_WAIT, "helper's, s", rec, opt, res);
	text_measure(out, SPHT_MEASURE_HELPER_BUSY, "helper busy, s", rec, opt, res);
	text_measure(out, SPHT_MEASURE_SPEEDUP, "speed-up, %", rec, opt, res);
}

struct column {
	const char *name;
	size_t at;
};

static const struct column columns[] = {
	{"lag", offsetof(struct spht_real_run, lag)},
	{"lock wait", offsetof(struct spht_real_run, vcpu_wait)},
	{"helper's", offsetof(struct spht_real_run, helper_wait)},
	{"queue", offsetof(struct spht_real_run, queue)},
};

#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* Slack of timely uses is in the account, the others beside it. */
static uint64_t slack_of(const struct spht_result *res, unsigned int bin)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < res->nr_reps; i++)
		n += res->reps[i].account.slack[bin];
	return n;
}

static void text_histograms(FILE *out, const struct spht_result *res)
{
	struct spht_histogram h[NR_COLUMNS];

	fprintf(out, "  %-14s", "ns, from");
	for (unsigned int c = 0; c < NR_COLUMNS; c++) {
		h[c] = spht_histogram_of(res, columns[c].at);
		fprintf(out, " %11s", columns[c].name);
	}
	fprintf(out, " %11s\n", "slack");
	for (unsigned int b = 0; b < SPHT_REAL_BINS; b++) {
		uint64_t all = slack_of(res, b);

		for (unsigned int c = 0; c < NR_COLUMNS; c++)
			all += h[c].bin[b];
		if (!all)
			continue;
		fprintf(out, "  %14" PRIu64, b ? UINT64_C(1) << b : 0);
		for (unsigned int c = 0; c < NR_COLUMNS; c++)
			fprintf(out, " %11" PRIu64, h[c].bin[b]);
		fprintf(out, " %11" PRIu64 "\n", slack_of(res, b));
	}
	fprintf(out, "  %-14s", "mean, ns");
	for (unsigned int c = 0; c < NR_COLUMNS; c++) {
		uint64_t n = spht_histogram_count(&h[c]);

		fprintf(out, " %11.0f", n ? (double)h[c].sum / (double)n : 0);
	}
	fprintf(out, "\n  %-14s", "most, ns");
	for (unsigned int c = 0; c < NR_COLUMNS; c++)
		fprintf(out, " %11" PRIu64, h[c].most);
	fputc('\n', out);
}

/* Whatever was in the way, and when. */
static void text_disturbances(FILE *out, const struct spht_result *res)
{
	unsigned int disturbed = 0;

	for (unsigned int i = 0; i < res->nr_reps; i++) {
		const struct spht_real_run *r = &res->reps[i].run;

		if (!spht_real_is_disturbed(r))
			continue;
		disturbed++;
		fprintf(out,
			"  DISTURBED         repetition %u: core lost %" PRIu64
			" times by the vCPU, %" PRIu64 " by the helper; %" PRIu64
			" slips, %.3f ms\n",
			i + 1, r->vcpu.switches, r->helper.switches, r->slips,
			(double)r->slipped_ns / 1e6);
	}
	if (disturbed)
		fprintf(out,
			"  %u OF %u REPETITIONS WERE DISTURBED: others had the cores, or the pace "
			"was "
			"not kept; give them a machine to themselves\n",
			disturbed, res->nr_reps);
	for (unsigned int i = 0; i < res->nr_reps; i++) {
		const struct spht_real_run *r = &res->reps[i].run;

		fprintf(out,
			"  repetition %-6u %.3f s; away from the clock: vCPU %" PRIu64
			" times, %.3f ms, helper %" PRIu64
			", %.3f; bookkeeping waited for: %.3f ms, %.3f\n",
			i + 1, (double)r->elapsed_ns / 1e9, r->vcpu.stalls,
			(double)r->vcpu.stalled_ns / 1e6, r->helper.stalls,
			(double)r->helper.stalled_ns / 1e6, (double)r->vcpu.books_wait_ns / 1e6,
			(double)r->helper.books_wait_ns / 1e6);
	}
}

void spht_text_real(FILE *out, const struct spht_recording *rec, const struct spht_run_options *opt,
		    const struct spht_result *res)
{
	const struct spht_account *a = &res->world[opt->knowledge];

	spht_text_heading(out, res);
	text_pace(out, opt->real);
	fprintf(out,
		"  base faults       %" PRIu64
		" hidden, huge and ad ones; measured, so no two runs are the same\n",
		a->f_base);
	text_measures(out, rec, opt, res);
	text_histograms(out, res);
	text_disturbances(out, res);
}
