// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * spht-trace dump: events as CSV or JSON lines.  Every row is put together
 * by hand from pieces that were made once per event type: printf() would
 * take ten times as long.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

#define BUFFER     (1u << 20)
#define HEAD_MAX   160 /* the columns before "system" with their names */
#define NUMBER_MAX 24 /* a formatted number with its quotes */
#define CSV_HEADER "ts,cpu,pid,flags,preempt,preamble,system,event,fields\n"
#define NO_TID     INT64_MAX
#define TYPE_LOST  SPHT_MAX_TYPES /* a place after all types of the file */

enum value_kind { VALUE_HEX, VALUE_HEX_STRING, VALUE_UNSIGNED, VALUE_SIGNED, VALUE_BYTES };

/* One field: the text up to its value, and how the value is written. */
struct piece {
	char *lead;
	size_t lead_len;
	enum value_kind kind;
	uint8_t slot, size;
};

/* Rows of one event type. */
struct row {
	char *name; /* ",kvm,kvm_exit," or its JSON */
	size_t name_len;
	size_t max; /* bytes of the longest row */
	unsigned int nr;
	struct piece *pieces;
	int vcpu_slot;
	bool wanted;
};

struct dump {
	const struct cmd *cmd;
	struct cmd_out out;
	bool json, header, partial;
	char *events; /* --event */
	struct cmd_time from, to;
	bool by_cpu, by_pid, by_vcpu;
	uint64_t cpu, pid, vcpu;
	uint64_t from_ns, to_ns;
	struct row rows[SPHT_MAX_TYPES + 1];
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

/* Names come from the file: nothing in them may end a column, a string or a line. */
static void add_name(char **p, const char *name)
{
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;
		bool bad = c <= ' ' || c >= 127 || strchr(",=\"\\", c);

		*(*p)++ = bad ? '?' : (char)c;
	}
}

static char *new_lead(const char *before, const char *name, const char *after, size_t *len)
{
	char *text = malloc(strlen(before) + strlen(name) + strlen(after) + 1), *p;

	if (!text)
		return NULL;
	p = stpcpy(text, before);
	add_name(&p, name);
	p = stpcpy(p, after);
	*len = (size_t)(p - text);
	return text;
}

static enum value_kind kind_of(const struct spht_event_field *f, bool json)
{
	if (f->is_array)
		return VALUE_BYTES;
	if (f->is_signed)
		return VALUE_SIGNED;
	if (!json)
		return VALUE_HEX;
	/* Not every reader of JSON holds 64 bits in a number. */
	return f->size > 4 ? VALUE_HEX_STRING : VALUE_UNSIGNED;
}

static char *row_name(const struct spht_event_type *type, bool json, size_t *len)
{
	size_t room = strlen(type->system) + strlen(type->name) + 64;
	char *text = malloc(room), *p;

	if (!text)
		return NULL;
	p = stpcpy(text, json ? ",\"system\":\"" : ",");
	add_name(&p, type->system);
	p = stpcpy(p, json ? "\",\"event\":\"" : ",");
	add_name(&p, type->name);
	p = stpcpy(p, json ? "\",\"fields\":{" : ",");
	*len = (size_t)(p - text);
	return text;
}

static int row_init(struct row *row, const struct spht_event_type *type, bool json)
{
	unsigned int i;

	row->vcpu_slot = cmd_vcpu_slot(type);
	row->name = row_name(type, json, &row->name_len);
	row->pieces = calloc(type->nr_fields + 1, sizeof(*row->pieces));
	if (!row->name || !row->pieces)
		return -1;
	row->max = HEAD_MAX + row->name_len + 4;
	for (i = 0; i < type->nr_fields; i++) {
		const struct spht_event_field *f = &type->fields[i];
		struct piece *p = &row->pieces[row->nr++];

		p->lead = new_lead(json ? (i ? ",\"" : "\"") : (i ? " " : ""), f->name,
				   json ? "\":" : "=", &p->lead_len);
		if (!p->lead)
			return -1;
		p->kind = kind_of(f, json);
		p->slot = f->slot;
		p->size = f->size;
		row->max += p->lead_len + (f->is_array ? 2u * f->size + 2u : NUMBER_MAX);
	}
	return 0;
}

/* The marker has no type in the file; it gets one field, "count". */
static int rows_init(struct dump *d, const struct spht_event_type *types, unsigned int nr)
{
	static const struct spht_event_field count = {"count", 0, 1, 8, false, false};
	static const struct spht_event_type lost = {"spht", "LOST", SPHT_EV_LOST, 1, 1, &count};
	unsigned int i;
	int failed = row_init(&d->rows[TYPE_LOST], &lost, d->json);

	for (i = 0; i < nr; i++)
		failed |= row_init(&d->rows[i], &types[i], d->json);
	if (failed)
		cmd_message("no memory for the rows of %u event types", nr);
	return failed;
}

static void rows_free(struct dump *d)
{
	struct row *row;
	unsigned int i;

	for (row = d->rows; row <= &d->rows[TYPE_LOST]; row++) {
		for (i = 0; i < row->nr; i++)
			free(row->pieces[i].lead);
		free(row->pieces);
		free(row->name);
	}
}

static const char digits[] = "0123456789abcdef";

static char *put(char *p, const char *text, size_t len)
{
	memcpy(p, text, len);
	return p + len;
}

#define PUT(p, literal) put(p, literal, sizeof(literal) - 1)

static char *put_hex(char *p, uint64_t v)
{
	int shift = v ? (63 - __builtin_clzll(v)) & ~3 : 0;

	*p++ = '0';
	*p++ = 'x';
	for (; shift >= 0; shift -= 4)
		*p++ = digits[v >> shift & 15];
	return p;
}

static char *put_unsigned(char *p, uint64_t v)
{
	char text[20], *q = text + sizeof(text);

	do {
		*--q = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return put(p, q, (size_t)(text + sizeof(text) - q));
}

static char *put_signed(char *p, int64_t v)
{
	if (v >= 0)
		return put_unsigned(p, (uint64_t)v);
	*p++ = '-';
	return put_unsigned(p, 0 - (uint64_t)v);
}

static char *put_bytes(char *p, const uint64_t *words, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < size; i++) {
		unsigned int byte = words[i / 8] >> (8 * (i % 8)) & 255;

		*p++ = digits[byte >> 4];
		*p++ = digits[byte & 15];
	}
	return p;
}

static char *put_value(char *p, const struct piece *piece, const uint64_t *v, bool json)
{
	switch (piece->kind) {
	case VALUE_HEX:
		return put_hex(p, v[piece->slot]);
	case VALUE_UNSIGNED:
		return put_unsigned(p, v[piece->slot]);
	case VALUE_SIGNED:
		return put_signed(p, (int64_t)v[piece->slot]);
	case VALUE_HEX_STRING:
		*p++ = '"';
		p = put_hex(p, v[piece->slot]);
		*p++ = '"';
		return p;
	case VALUE_BYTES:
		break;
	}
	if (json)
		*p++ = '"';
	p = put_bytes(p, v + piece->slot, piece->size);
	if (json)
		*p++ = '"';
	return p;
}

static char *put_csv_head(char *p, const struct spht_event *ev)
{
	p = put_unsigned(p, ev->ts);
	*p++ = ',';
	p = put_unsigned(p, ev->cpu);
	*p++ = ',';
	p = put_signed(p, ev->pid);
	*p++ = ',';
	p = put_unsigned(p, ev->flags);
	*p++ = ',';
	p = put_unsigned(p, ev->preempt);
	*p++ = ',';
	*p++ = ev->preamble ? '1' : '0';
	return p;
}

static char *put_json_head(char *p, const struct spht_event *ev)
{
	p = put_unsigned(PUT(p, "{\"ts\":"), ev->ts);
	p = put_unsigned(PUT(p, ",\"cpu\":"), ev->cpu);
	p = put_signed(PUT(p, ",\"pid\":"), ev->pid);
	p = put_unsigned(PUT(p, ",\"flags\":"), ev->flags);
	p = put_unsigned(PUT(p, ",\"preempt\":"), ev->preempt);
	return ev->preamble ? PUT(p, ",\"preamble\":true") : PUT(p, ",\"preamble\":false");
}

static void print_event(struct dump *d, const struct row *row, const struct spht_event *ev)
{
	const struct piece *piece = row->pieces, *end = piece + row->nr;
	char *p;

	if (d->out.size - d->out.len < row->max)
		cmd_out_flush(&d->out);
	p = d->out.buf + d->out.len;
	p = d->json ? put_json_head(p, ev) : put_csv_head(p, ev);
	p = put(p, row->name, row->name_len);
	for (; piece < end; piece++) {
		p = put(p, piece->lead, piece->lead_len);
		p = put_value(p, piece, ev->v, d->json);
	}
	if (d->json)
		p = PUT(p, "}}");
	*p++ = '\n';
	d->out.len = (size_t)(p - d->out.buf);
}

/* The marker is no kernel's event: an unknown count is said as a word. */
static void print_lost(struct dump *d, const struct spht_event *ev)
{
	struct row *row = &d->rows[TYPE_LOST];
	struct row unknown = *row;

	if (ev->v[0] != SPHT_LOST_UNKNOWN) {
		print_event(d, row, ev);
		return;
	}
	unknown.nr = 0;
	print_event(d, &unknown, ev);
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
		const struct row *row = &d->rows[lost ? TYPE_LOST : ev->type];

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
			print_event(d, row, ev);
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
