// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * spht-trace dump: events as CSV or JSON lines.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "dump-rows.h"

#define BUFFER     (1u << 20)
#define CSV_HEADER "ts,cpu,pid,flags,preempt,preamble,system,event,fields\n"
#define NO_TID     INT64_MAX
#define TYPE_LOST  SPHT_MAX_TYPES /* a place after all types of the file */

struct dump {
	const struct cmd *cmd;
	struct cmd_out out;
	bool json, header, partial;
	char *events; /* --event */
	struct cmd_time from, to;
	bool by_cpu, by_pid, by_vcpu;
	uint64_t cpu, pid, vcpu;
	uint64_t from_ns, to_ns;
	struct dump_row rows[SPHT_MAX_TYPES + 1];
	int64_t *tids; /* the threads that are --vcpu: an open hash, NO_TID where free */
	size_t nr_tids, cap_tids; /* cap_tids a power of two */
	struct spht_error unlearned; /* what ended the pass that looked for them; "": the end */
	uint64_t lost_hidden; /* LOST markers that --event left out */
};

static const char dump_help[] =
	"usage: spht-trace dump [OPTION...] FILE\n"
	"Prints events, one a line, in order of time.\n"
	"\n"
	"  --format=csv|jsonl  columns (default) or one JSON object a line\n"
	"  --event=NAME,...    only these events; LOST is the marker of lost events\n"
	"  --from=S            events at or after S seconds since the first event\n"
	"  --to=S              events before S; @NS is a time stamp as printed here\n"
	"  --cpu=N             events of host CPU N\n"
	"  --pid=N             events of thread N\n"
	"  --vcpu=N            events of the threads that run vCPU N\n"
	"  --partial           read what is whole of a damaged file; exit status 4\n"
	"  --no-header         no line of column names\n"
	"  --help              this text\n";

/* The marker has no type in the file; it gets one field, "count". */
static int rows_init(struct dump *d, const struct spht_event_type *types, unsigned int nr)
{
	static const struct spht_event_field count = {"count", 0, 1, 8, false, false};
	static const struct spht_event_type lost = {"spht", "LOST", SPHT_EV_LOST, 1, 1, &count};
	unsigned int i;
	int failed = dump_row_init(&d->rows[TYPE_LOST], &lost, d->json);

	for (i = 0; i < nr; i++)
		failed |= dump_row_init(&d->rows[i], &types[i], d->json);
	if (failed)
		cmd_message("no memory for the rows of %u event types", nr);
	return failed;
}

static void rows_free(struct dump *d)
{
	struct dump_row *row;

	for (row = d->rows; row <= &d->rows[TYPE_LOST]; row++)
		dump_row_free(row);
}

/* The marker is no kernel's event: an unknown count is said as a word. */
static void print_lost(struct dump *d, const struct spht_event *ev)
{
	struct dump_row *row = &d->rows[TYPE_LOST];
	struct dump_row unknown = *row;

	if (ev->v[0] != SPHT_LOST_UNKNOWN) {
		dump_row_print(&d->out, row, ev, d->json);
		return;
	}
	unknown.nr = 0;
	dump_row_print(&d->out, &unknown, ev, d->json);
	d->out.len -= d->json ? 3 : 1;
	cmd_out_printf(&d->out, d->json ? "\"count\":\"unknown\"}}\n" : "count=unknown\n");
}

static bool name_is(const struct spht_event_type *type, const char *name)
{
	size_t len = strlen(type->system);

	return !strcmp(type->name, name) ||
	       (!strncmp(type->system, name, len) && name[len] == ':' &&
		!strcmp(type->name, name + len + 1));
}

static int unknown_event(const struct dump *d, const char *name,
			 const struct spht_event_type *types, unsigned int nr)
{
	unsigned int i;

	/* A kernel may not have had it, or it was not asked for: no error in a script. */
	if (spht_event_find("kvm", name) != SPHT_EV_UNKNOWN ||
	    spht_event_find("kvmmmu", name) != SPHT_EV_UNKNOWN) {
		cmd_message("this recording has no event type '%s'", name);
		return 0;
	}
	fprintf(stderr, "spht-trace %s: unknown event '%s', the file has LOST", d->cmd->name, name);
	for (i = 0; i < nr; i++)
		fprintf(stderr, ", %s", types[i].name);
	fputc('\n', stderr);
	return CMD_USAGE;
}

/* Marks the wanted rows; 0 or CMD_USAGE. */
static int choose_events(struct dump *d, const struct spht_event_type *types, unsigned int nr)
{
	char *name, *rest = d->events;
	unsigned int i;

	for (i = 0; i <= TYPE_LOST; i++)
		d->rows[i].wanted = !d->events;
	while ((name = strsep(&rest, ","))) {
		bool found = !strcmp(name, "LOST");

		if (!*name)
			continue;
		if (found)
			d->rows[TYPE_LOST].wanted = true;
		for (i = 0; i < nr; i++)
			if (name_is(&types[i], name))
				found = d->rows[i].wanted = true;
		if (!found && unknown_event(d, name, types, nr))
			return CMD_USAGE;
	}
	return 0;
}

/* Where @pid stands in the hash, or the free place where it belongs. */
static int64_t *tid_place(int64_t *tids, size_t cap, int64_t pid)
{
	size_t i = (uint32_t)pid * 2654435761u & (cap - 1);

	while (tids[i] != NO_TID && tids[i] != pid)
		i = (i + 1) & (cap - 1);
	return &tids[i];
}

static bool is_tid(const struct dump *d, int32_t pid)
{
	return d->nr_tids && *tid_place(d->tids, d->cap_tids, pid) == pid;
}

static int grow_tids(struct dump *d)
{
	size_t cap = d->cap_tids ? 2 * d->cap_tids : 64, i;
	int64_t *tids = malloc(cap * sizeof(*tids));

	if (!tids)
		return -1;
	for (i = 0; i < cap; i++)
		tids[i] = NO_TID;
	for (i = 0; i < d->cap_tids; i++)
		if (d->tids[i] != NO_TID)
			*tid_place(tids, cap, d->tids[i]) = d->tids[i];
	free(d->tids);
	d->tids = tids;
	d->cap_tids = cap;
	return 0;
}

static int add_tid(struct dump *d, int32_t pid)
{
	if (is_tid(d, pid))
		return 0;
	if (d->nr_tids * 2 >= d->cap_tids && grow_tids(d)) {
		cmd_message("no memory for the threads of vCPU %" PRIu64, d->vcpu);
		return -1;
	}
	*tid_place(d->tids, d->cap_tids, pid) = pid;
	d->nr_tids++;
	return 0;
}

/*
 * kvmmmu events name no vCPU, so a first pass learns which threads run it.
 * Damage is left to the second pass, which comes as far; d->unlearned is for what that misses.
 */
static int learn_vcpu(struct dump *d, const char *path)
{
	const struct spht_event *ev;
	struct spht_error err;
	struct spht_reader *r;
	int rc = 0, more = 0;

	r = spht_reader_open(path, d->partial ? SPHT_READ_PARTIAL : 0, &err);
	if (!r) {
		cmd_message("%s", err.text);
		return CMD_FAILED;
	}
	while (!rc && (more = spht_reader_next(r, &ev, &d->unlearned)) > 0) {
		int slot = ev->id == SPHT_EV_LOST ? -1 : d->rows[ev->type].vcpu_slot;

		if (slot >= 0 && ev->v[slot] == d->vcpu)
			rc = add_tid(d, ev->pid);
	}
	spht_reader_close(r);
	if (rc)
		return CMD_FAILED;
	if (more >= 0)
		*d->unlearned.text = '\0';
	if (!d->nr_tids && more >= 0)
		return cmd_usage(d->cmd, "no event names vCPU %" PRIu64 ", info lists the vCPUs",
				 d->vcpu);
	return 0;
}

static bool selected(const struct dump *d, const struct spht_event *ev, bool lost)
{
	if (ev->ts < d->from_ns || ev->ts >= d->to_ns || (d->by_cpu && ev->cpu != d->cpu))
		return false;
	/* What was lost may have been of any thread. */
	if (lost)
		return true;
	if (d->by_pid && ev->pid != (int64_t)d->pid)
		return false;
	return !d->by_vcpu || is_tid(d, ev->pid);
}

static int dump_events(struct dump *d, struct spht_reader *r)
{
	const struct spht_event *ev;
	struct spht_error err;
	int rc;

	if (d->header && !d->json)
		cmd_out_printf(&d->out, CSV_HEADER);
	while ((rc = spht_reader_next(r, &ev, &err)) > 0 && !d->out.failed) {
		bool lost = ev->id == SPHT_EV_LOST;
		const struct dump_row *row = &d->rows[lost ? TYPE_LOST : ev->type];

		if (!selected(d, ev, lost)) {
			/* In order of time: nothing follows. */
			if (ev->ts >= d->to_ns && !ev->preamble && !lost)
				break;
			continue;
		}
		if (!row->wanted)
			d->lost_hidden += lost;
		else if (lost)
			print_lost(d, ev);
		else
			dump_row_print(&d->out, row, ev, d->json);
	}
	if (rc >= 0)
		return CMD_OK;
	cmd_out_flush(&d->out);
	cmd_message("%s", err.text);
	return CMD_FAILED;
}

/* A row must fit into the buffer, whatever lengths the names in the file have. */
static size_t buffer_size(const struct dump *d)
{
	size_t size = BUFFER;
	unsigned int i;

	for (i = 0; i <= TYPE_LOST; i++)
		if (d->rows[i].max > size)
			size = d->rows[i].max;
	return size;
}

static int dump_reader(struct dump *d, struct spht_reader *r, const char *path)
{
	const struct spht_event_type *types;
	struct cmd_span span;
	unsigned int nr;
	int status;

	types = spht_reader_types(r, &nr);
	if (rows_init(d, types, nr))
		return CMD_FAILED;
	status = choose_events(d, types, nr);
	if (!status && d->by_vcpu)
		status = learn_vcpu(d, path);
	if (status)
		return status;
	cmd_span(r, &span);
	d->from_ns = cmd_time_ns(&d->from, &span, 0);
	d->to_ns = cmd_time_ns(&d->to, &span, UINT64_MAX);
	if (cmd_out_open(&d->out, buffer_size(d)))
		return CMD_FAILED;
	status = dump_events(d, r);
	if (!status && *d->unlearned.text) {
		cmd_message("%s; threads of the vCPU may be missing", d->unlearned.text);
		status = CMD_FAILED;
	}
	if (d->lost_hidden)
		cmd_message("%s: events were lost at %" PRIu64 " places that --event leaves out; "
			    "add LOST to see them",
			    path, d->lost_hidden);
	if (!status && !spht_reader_complete(r)) {
		cmd_message("%s: not whole; this was all that could be read", path);
		status = CMD_PARTIAL;
	}
	return cmd_out_close(&d->out, status);
}

static int parse_option(struct dump *d, int opt)
{
	switch (opt) {
	case 'F':
		d->json = !strcmp(optarg, "jsonl");
		if (!d->json && strcmp(optarg, "csv"))
			return cmd_usage(d->cmd, "--format is csv or jsonl, not '%s'", optarg);
		return 0;
	case 'e':
		d->events = optarg;
		return 0;
	case 'f':
		return cmd_time(d->cmd, "--from", optarg, &d->from);
	case 't':
		return cmd_time(d->cmd, "--to", optarg, &d->to);
	case 'c':
		d->by_cpu = true;
		return cmd_number(d->cmd, "--cpu", optarg, 0, SPHT_MAX_CPUS - 1, &d->cpu);
	case 'p':
		d->by_pid = true;
		return cmd_number(d->cmd, "--pid", optarg, 0, INT32_MAX, &d->pid);
	case 'v':
		d->by_vcpu = true;
		return cmd_number(d->cmd, "--vcpu", optarg, 0, UINT32_MAX, &d->vcpu);
	case 'P':
		d->partial = true;
		return 0;
	case 'n':
		d->header = false;
		return 0;
	}
	return cmd_bad_option(d->cmd);
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{"format", required_argument, NULL, 'F'},
		{"event", required_argument, NULL, 'e'},
		{"from", required_argument, NULL, 'f'},
		{"to", required_argument, NULL, 't'},
		{"cpu", required_argument, NULL, 'c'},
		{"pid", required_argument, NULL, 'p'},
		{"vcpu", required_argument, NULL, 'v'},
		{"partial", no_argument, NULL, 'P'},
		{"no-header", no_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct dump d = {.header = true};
	struct spht_reader *r;
	struct spht_error err;
	const char *path;
	int opt, status = 0;

	d.cmd = cmd;
	while (!status && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'h')
			return cmd_help(cmd);
		status = parse_option(&d, opt);
	}
	if (status)
		return status;
	path = cmd_operand(cmd, argc, argv);
	if (!path)
		return CMD_USAGE;
	if (d.by_vcpu && spht_trace_once(path))
		return cmd_usage(cmd,
				 "--vcpu reads the file twice and cannot take stdin or a pipe");
	r = spht_reader_open(path, d.partial ? SPHT_READ_PARTIAL : 0, &err);
	if (!r) {
		cmd_message("%s", err.text);
		return CMD_FAILED;
	}
	status = dump_reader(&d, r, path);
	spht_reader_close(r);
	rows_free(&d);
	free(d.tids);
	return status;
}

const struct cmd cmd_dump = {
	.name = "dump",
	.summary = "events as CSV or JSON lines",
	.help = dump_help,
	.run = run,
};
