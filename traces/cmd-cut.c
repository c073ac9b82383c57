// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * spht-trace cut: a window of a recording as a recording of its own, with a
 * preamble that holds the state of the shadow MMU at its start.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "cut-state.h"

struct cut {
	const struct cmd *cmd;
	const char *in, *out;
	char options[256]; /* as the header repeats them */
	bool force;
	uint64_t level, exits; /* exits 0: not limited */
	struct cmd_time from, to, last;
	uint64_t from_ns, to_ns;

	struct spht_reader *reader;
	const struct spht_event_type *types;
	unsigned int nr_types;
	bool count_walks; /* no kvm_exit recorded: walks stand for exits */
	struct cut_state *state;
	struct spht_writer *writer;
	uint64_t lost_before, gaps_before; /* events, and places */
	uint64_t nr_preamble, nr_events, nr_exits;
	struct spht_error err;
};

static const char cut_help[] =
	"usage: spht-trace cut [OPTION...] IN -o OUT\n"
	"Writes a window of a recording, and before it what is needed to know the state\n"
	"of the shadow MMU at its start.\n"
	"\n"
	"  -o, --output=OUT  the file to write; must not exist\n"
	"  --from=S          from S seconds after the first event (default: the start)\n"
	"  --to=S            up to before S (default: the end); @NS is a time stamp\n"
	"  --last=S          the last S seconds\n"
	"  --exits=N         stop after N #PF exits (page table walks without kvm_exit)\n"
	"  --level=L         zstd compression level, 1 to 22 (default: 9)\n"
	"  -f, --force       write OUT even if it exists\n"
	"  --help            this text\n";

/* The cut's own entry in the header; what the origin was cut from stays inside. */
static json_t *cut_entry(struct cut *c)
{
	json_t *older = json_object_get(spht_reader_header(c->reader), "cut"), *entry, *nested;
	int failed;

	entry = cmd_origin(c->reader, c->cmd, c->in, c->out, c->options, &c->err);
	if (!entry)
		return NULL;
	failed = json_object_set_new(entry, "from", cmd_json_hex(c->from_ns)) |
		 json_object_set_new(entry, "to", c->exits ? json_null() : cmd_json_hex(c->to_ns)) |
		 json_object_set_new(entry, "frames", cut_state_frames(c->state)) |
		 json_object_set_new(entry, "gaps_before", cmd_json_hex(c->gaps_before)) |
		 json_object_set_new(entry, "lost_before", cmd_json_hex(c->lost_before));
	if (c->exits)
		failed |= json_object_set_new(entry, "exits", cmd_json_hex(c->exits));
	if (older) {
		nested = json_deep_copy(older);
		/* They described the start of the older window. */
		json_object_del(nested, "frames");
		failed |= json_object_set_new(entry, "cut", nested);
	}
	if (!failed)
		return entry;
	json_decref(entry);
	spht_error_set(&c->err, "%s: no memory for its header", c->out);
	return NULL;
}

static int open_writer(struct cut *c)
{
	json_t *header, *entry = cut_entry(c);

	if (!entry)
		return -1;
	header = json_copy((json_t *)spht_reader_header(c->reader));
	if (!header || json_object_set(header, "cut", entry)) {
		spht_error_set(&c->err, "%s: no memory for its header", c->out);
	} else {
		c->writer = cmd_writer_open(c->out, c->force, header, c->reader, (int)c->level,
					    &c->err);
	}
	json_decref(header);
	json_decref(entry);
	return c->writer ? 0 : -1;
}

static int append_preamble(void *arg, const struct spht_event *ev)
{
	struct cut *c = arg;

	c->nr_preamble++;
	return spht_writer_append(c->writer, ev, &c->err);
}

/* The first event of the window has come: all before it is state. */
static int start_window(struct cut *c)
{
	if (open_writer(c))
		return -1;
	spht_error_set(&c->err, "%s: no memory to sort its preamble", c->out);
	return cut_state_emit(c->state, append_preamble, c);
}

static bool is_counted_exit(const struct cut *c, const struct spht_event *ev)
{
	struct cmd_exit e;

	if (c->count_walks)
		return ev->id == SPHT_EV_PAGETABLE_WALK;
	if (ev->id != SPHT_EV_EXIT)
		return false;
	cmd_exit_decode(ev, &e);
	return cmd_exit_is_page_fault(&e);
}

static int feed(struct cut *c, const struct spht_event *ev)
{
	if (ev->id == SPHT_EV_LOST) {
		c->gaps_before++;
		if (c->lost_before != SPHT_LOST_UNKNOWN)
			c->lost_before = ev->v[0] == SPHT_LOST_UNKNOWN ? SPHT_LOST_UNKNOWN
								       : c->lost_before + ev->v[0];
	}
	if (!cut_state_feed(c->state, ev))
		return 0;
	spht_error_set(&c->err, "%s: no memory for the state before the window", c->in);
	return -1;
}

/* Copies one event of the window.  Returns 1 when the window is full, 0, or -1. */
static int copy(struct cut *c, const struct spht_event *ev)
{
	if (ev->ts >= c->to_ns)
		return 1;
	if (ev->id == SPHT_EV_LOST)
		return spht_writer_lost(c->writer, ev->cpu, ev->v[0], &c->err);
	if (is_counted_exit(c, ev) && c->nr_exits++ == c->exits && c->exits)
		return 1;
	c->nr_events++;
	return spht_writer_append(c->writer, ev, &c->err);
}

static int cut_events(struct cut *c)
{
	const struct spht_event *ev;
	int rc, done = 0;

	while (!done && (rc = spht_reader_next(c->reader, &ev, &c->err)) > 0) {
		if (ev->preamble || ev->ts < c->from_ns) {
			done = feed(c, ev);
			continue;
		}
		if (!c->writer && start_window(c))
			return -1;
		done = copy(c, ev);
	}
	if (done < 0 || (!done && rc < 0))
		return -1;
	if (c->nr_events)
		return 0;
	spht_error_set(&c->err, "%s: no events in this window", c->in);
	return -1;
}

/* What only the end of the window knows goes into the footer. */
static int close_writer(struct cut *c)
{
	json_t *extra = json_pack(
		"{s:{s:o, s:o, s:o}}", "cut", "events", cmd_json_hex(c->nr_events), "preamble",
		cmd_json_hex(c->nr_preamble), "exits",
		cmd_json_hex(c->exits && c->nr_exits > c->exits ? c->exits : c->nr_exits));
	json_t *slots = json_object_get(spht_reader_footer(c->reader), "memslots");
	int rc = -1;

	if (extra && (!slots || !json_object_set(extra, "memslots", slots)))
		rc = spht_writer_close(c->writer, NULL, 0, extra, &c->err);
	else
		spht_error_set(&c->err, "%s: no memory for its footer", c->out);
	json_decref(extra);
	return rc;
}

/* The window on the recording's clock; 0, or an exit status with the error printed. */
static int find_window(struct cut *c)
{
	struct cmd_span span;
	uint64_t end;

	cmd_span(c->reader, &span);
	end = span.last_ts + 1;
	c->from_ns = cmd_time_ns(&c->from, &span, span.first_ts);
	c->to_ns = cmd_time_ns(&c->to, &span, end);
	if (c->last.given)
		c->from_ns = c->last.ns < end - span.first_ts ? end - c->last.ns : span.first_ts;
	if (c->to_ns > end)
		c->to_ns = end;
	if (!span.events) {
		cmd_message("%s: has no events to cut from", c->in);
		return CMD_FAILED;
	}
	if (c->from_ns < c->to_ns && span.first_ts < c->to_ns)
		return 0;
	return cmd_usage(c->cmd,
			 "the window is empty: the recording spans %" PRIu64 ".%03u seconds, time "
			 "stamps %" PRIu64 " to %" PRIu64,
			 (span.last_ts - span.first_ts) / 1000000000,
			 (unsigned int)((span.last_ts - span.first_ts) % 1000000000 / 1000000),
			 span.first_ts, span.last_ts);
}

static int cut(struct cut *c)
{
	unsigned int i;
	int rc;

	c->types = spht_reader_types(c->reader, &c->nr_types);
	c->count_walks = true;
	for (i = 0; i < c->nr_types; i++)
		if (c->types[i].id == SPHT_EV_EXIT)
			c->count_walks = false;
	rc = find_window(c);
	if (rc)
		return rc;
	spht_error_set(&c->err, "%s: no memory for the state before the window", c->in);
	c->state = cut_state_new(spht_reader_header(c->reader), c->types, c->nr_types);
	if (c->state && !cut_events(c) && !close_writer(c)) {
		c->writer = NULL;
		rc = CMD_OK;
	} else {
		cmd_message("%s", c->err.text);
		rc = CMD_FAILED;
	}
	spht_writer_abort(c->writer);
	cut_state_free(c->state);
	return rc;
}

/* Remembers an option for the header.  None is longer than the limits on its value. */
static void note_option(struct cut *c, const char *name)
{
	size_t len = strlen(c->options);

	snprintf(c->options + len, sizeof(c->options) - len, " --%s=%s", name, optarg);
}

static int parse_option(struct cut *c, int opt)
{
	switch (opt) {
	case 'o':
		c->out = optarg;
		return 0;
	case 'f':
		c->force = true;
		return 0;
	case 'b':
		note_option(c, "from");
		return cmd_time(c->cmd, "--from", optarg, &c->from);
	case 't':
		note_option(c, "to");
		return cmd_time(c->cmd, "--to", optarg, &c->to);
	case 'L':
		note_option(c, "last");
		if (*optarg == '@')
			return cmd_usage(c->cmd, "--last is a number of seconds, not '%s'", optarg);
		return cmd_time(c->cmd, "--last", optarg, &c->last);
	case 'e':
		note_option(c, "exits");
		return cmd_number(c->cmd, "--exits", optarg, 1, UINT64_MAX - 1, &c->exits);
	case 'l':
		note_option(c, "level");
		return cmd_number(c->cmd, "--level", optarg, 1, CMD_MAX_LEVEL, &c->level);
	}
	return cmd_bad_option(c->cmd);
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},
		{"from", required_argument, NULL, 'b'},
		{"to", required_argument, NULL, 't'},
		{"last", required_argument, NULL, 'L'},
		{"exits", required_argument, NULL, 'e'},
		{"level", required_argument, NULL, 'l'},
		{"force", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct cut c = {.cmd = cmd, .level = 9};
	int opt, status = 0;

	while (!status && (opt = getopt_long(argc, argv, "fo:", options, NULL)) != -1) {
		if (opt == 'h')
			return cmd_help(cmd);
		status = parse_option(&c, opt);
	}
	if (status)
		return status;
	if (c.last.given && (c.from.given || c.to.given))
		return cmd_usage(cmd, "--last is a window of its own, without --from and --to");
	c.in = cmd_operand(cmd, argc, argv);
	if (!c.in || cmd_check_out(cmd, c.in, c.out))
		return CMD_USAGE;
	c.reader = spht_reader_open(c.in, 0, &c.err);
	if (!c.reader) {
		cmd_message("%s", c.err.text);
		return CMD_FAILED;
	}
	status = cut(&c);
	spht_reader_close(c.reader);
	return status;
}

const struct cmd cmd_cut = {
	.name = "cut",
	.summary = "a window of a recording, with the state at its start",
	.help = cut_help,
	.run = run,
};
