// SPDX-License-Identifier: LGPL-2.1-or-later
/* spht-trace verify: reads everything, believes nothing. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

/* What was read, to be compared with what the file says of itself. */
struct verify {
	const char *path;
	const struct spht_event_type *types;
	unsigned int nr_types;
	uint64_t by_type[SPHT_MAX_TYPES];
	uint64_t events, preamble, lost, gaps, unknown_gaps;
	uint64_t first_ts, last_ts;
	uint64_t *by_cpu; /* SPHT_MAX_CPUS of them */
	struct spht_error err;
};

static const char verify_help[] =
	"usage: spht-trace verify FILE\n"
	"Reads and checks the whole file: every checksum, block, event and total.  Names\n"
	"the first damage and what can be read all the same.  Exit status 0, 1, or 4 where the\n"
	"recording itself is incomplete: its ledger is not closed.\n"
	"\n"
	"  --help  this text\n";

static void count_event(struct verify *v, const struct spht_event *ev)
{
	if (ev->id == SPHT_EV_LOST) {
		v->gaps++;
		if (ev->v[0] == SPHT_LOST_UNKNOWN)
			v->unknown_gaps++;
		else
			v->lost += ev->v[0];
		return;
	}
	v->by_type[ev->type]++;
	v->by_cpu[ev->cpu]++;
	if (ev->preamble) {
		v->preamble++;
		return;
	}
	if (!v->events++)
		v->first_ts = ev->ts;
	v->last_ts = ev->ts;
}

/* Everything that the reader gives; 0, or -1 at damage with v->err set. */
static int count_all(struct verify *v, struct spht_reader *r)
{
	const struct spht_event *rows;
	size_t nr;
	int rc;

	v->types = spht_reader_types(r, &v->nr_types);
	memset(v->by_cpu, 0, SPHT_MAX_CPUS * sizeof(*v->by_cpu));
	memset(v->by_type, 0, sizeof(v->by_type));
	v->events = v->preamble = v->lost = v->gaps = v->unknown_gaps = 0;
	while ((rc = spht_reader_rows(r, &rows, &nr, &v->err)) > 0)
		for (size_t i = 0; i < nr; i++)
			count_event(v, &rows[i]);
	return rc;
}

/* A total in the footer; the writer stores all of them. */
static int check_total(struct verify *v, const char *what, const json_t *value, uint64_t counted)
{
	const char *text = json_string_value(value);
	uint64_t said = text ? strtoull(text, NULL, 16) : 0;

	if (text && said == counted)
		return 0;
	if (text)
		spht_error_set(&v->err,
			       "%s: the footer says %" PRIu64 " %s, the blocks hold %" PRIu64,
			       v->path, said, what, counted);
	else
		spht_error_set(&v->err, "%s: the footer does not say how many %s there are",
			       v->path, what);
	return -1;
}

static int check_footer(struct verify *v, const json_t *footer)
{
	const json_t *types = json_object_get(footer, "events_by_type");
	const json_t *cpus = json_object_get(footer, "cpus");
	unsigned int i;
	char what[160];

	for (i = 0; i < v->nr_types; i++) {
		snprintf(what, sizeof(what), "events of type %s", v->types[i].name);
		if (check_total(v, what, json_array_get(types, i), v->by_type[i]))
			return -1;
	}
	for (i = 0; i < SPHT_MAX_CPUS; i++) {
		const json_t *cpu = json_array_get(cpus, i);

		snprintf(what, sizeof(what), "events of CPU %u", i);
		if ((cpu || v->by_cpu[i]) &&
		    check_total(v, what, json_object_get(cpu, "events"), v->by_cpu[i]))
			return -1;
	}
	return check_total(v, "preamble events", json_object_get(footer, "preamble"), v->preamble);
}

/* The worst that the ledger of a CPU says. */
enum ledger_state { LEDGER_NONE, LEDGER_CLOSED, LEDGER_OPEN };

static enum ledger_state check_ledger(struct verify *v, const json_t *footer)
{
	enum ledger_state state = LEDGER_NONE;
	struct spht_ledger l;
	unsigned int cpu;

	for (cpu = 0; cmd_ledger(footer, cpu, &l); cpu++) {
		if (!l.known)
			continue;
		if (state == LEDGER_NONE)
			state = LEDGER_CLOSED;
		if (cmd_ledger_closed(&l) || state == LEDGER_OPEN)
			continue;
		state = LEDGER_OPEN;
		spht_error_set(&v->err,
			       "%s: the ledger of CPU %u is not closed: %" PRIu64 " written, "
			       "%" PRIu64 " read, %" PRIu64 " overrun, %" PRIu64
			       " dropped, %" PRIu64 " commit overrun",
			       v->path, cpu, l.written, l.read, l.overrun, l.dropped,
			       l.commit_overrun);
	}
	return state;
}

static void print_counts(const struct verify *v, size_t blocks, struct cmd_out *out)
{
	uint64_t ns = v->events ? v->last_ts - v->first_ts : 0;

	cmd_out_printf(out,
		       "  whole   %zu blocks, %" PRIu64 " events, %" PRIu64 " preamble events, "
		       "%" PRIu64 ".%06u seconds\n",
		       blocks, v->events, v->preamble, ns / 1000000000,
		       (unsigned int)(ns % 1000000000 / 1000));
}

static void print_losses(const struct verify *v, struct cmd_out *out)
{
	if (!v->gaps)
		cmd_out_printf(out, "  losses  none\n");
	else if (v->gaps == v->unknown_gaps)
		cmd_out_printf(out, "  losses  uncounted events at %" PRIu64 " places\n", v->gaps);
	else
		cmd_out_printf(out,
			       "  losses  %" PRIu64 " events at %" PRIu64
			       " places, uncounted ones at %" PRIu64 " of them\n",
			       v->lost, v->gaps, v->unknown_gaps);
}

static int report_whole(struct verify *v, struct spht_reader *r, enum ledger_state ledger)
{
	static const char *const states[] = {"none", "closed", "NOT CLOSED"};
	struct cmd_out out;
	char sha256[65];
	size_t blocks;

	spht_reader_blocks(r, &blocks);
	if (cmd_out_open(&out, 1 << 12))
		return CMD_FAILED;
	cmd_out_text(&out, v->path);
	cmd_out_printf(&out, ": whole\n");
	print_counts(v, blocks, &out);
	print_losses(v, &out);
	cmd_out_printf(&out, "  ledger  %s\n", states[ledger]);
	if (spht_reader_sha256(r, sha256, &v->err)) {
		cmd_message("%s", v->err.text);
		return cmd_out_close(&out, CMD_FAILED);
	}
	cmd_out_printf(&out, "  sha256  %s\n", sha256);
	if (ledger != LEDGER_OPEN)
		return cmd_out_close(&out, CMD_OK);
	/* The file is whole; it is the recording that is not (METRICS: recorded incompletely). */
	cmd_message("%s", v->err.text);
	return cmd_out_close(&out, CMD_PARTIAL);
}

/* Blocks that hold at least one event in @r, of a file that was found damaged. */
static int report_damage(struct verify *v)
{
	struct spht_reader *r = NULL;
	struct spht_error damage = v->err;
	struct cmd_out out;
	size_t blocks = 0;

	cmd_message("%s", damage.text);
	/* What a pipe brought is gone by now. */
	if (spht_trace_once(v->path))
		return CMD_FAILED;
	r = spht_reader_open(v->path, SPHT_READ_PARTIAL, &v->err);
	if (!r || count_all(v, r)) {
		/* Where nothing can be read, the reason is the same as before. */
		if (strcmp(v->err.text, damage.text))
			cmd_message("%s", v->err.text);
	} else if (!cmd_out_open(&out, 1 << 12)) {
		spht_reader_blocks(r, &blocks);
		cmd_out_text(&out, v->path);
		cmd_out_printf(&out, ": NOT WHOLE; with --partial can be read\n");
		print_counts(v, blocks, &out);
		print_losses(v, &out);
		cmd_out_close(&out, CMD_FAILED);
	}
	spht_reader_close(r);
	return CMD_FAILED;
}

static int verify(struct verify *v)
{
	struct spht_reader *r = spht_reader_open(v->path, 0, &v->err);
	int status;

	if (!r)
		return report_damage(v);
	if (count_all(v, r)) {
		spht_reader_close(r);
		return report_damage(v);
	}
	if (check_footer(v, spht_reader_footer(r))) {
		cmd_message("%s", v->err.text);
		status = CMD_FAILED;
	} else {
		status = report_whole(v, r, check_ledger(v, spht_reader_footer(r)));
	}
	spht_reader_close(r);
	return status;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct verify v;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		return opt == 'h' ? cmd_help(cmd) : cmd_bad_option(cmd);
	memset(&v, 0, sizeof(v));
	v.path = cmd_operand(cmd, argc, argv);
	if (!v.path)
		return CMD_USAGE;
	v.by_cpu = calloc(SPHT_MAX_CPUS, sizeof(*v.by_cpu));
	if (!v.by_cpu) {
		cmd_message("no memory to count events by CPU");
		return CMD_FAILED;
	}
	status = verify(&v);
	free(v.by_cpu);
	return status;
}

const struct cmd cmd_verify = {
	.name = "verify",
	.summary = "checks everything and names the first damage",
	.help = verify_help,
	.run = run,
};
