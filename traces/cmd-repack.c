// SPDX-License-Identifier: LGPL-2.1-or-later
/* spht-trace repack: the same events and ledger, compressed anew. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

struct repack {
	const struct cmd *cmd;
	const char *in, *out;
	bool force;
	uint64_t level;
};

static const char repack_help[] =
	"usage: spht-trace repack [OPTION...] IN -o OUT\n"
	"Writes the same events, compressed anew; the header says from which file.\n"
	"\n"
	"  -o, --output=OUT  the file to write; must not exist\n"
	"  --level=L         zstd compression level, 1 to 22 (default: 19)\n"
	"  -f, --force       write OUT even if it exists\n"
	"  --help            this text\n";

/* Header and origin of the copy; NULL with @err set. */
static json_t *new_header(const struct repack *p, struct spht_reader *r, struct spht_error *err)
{
	json_t *header = json_deep_copy(spht_reader_header(r)), *origin;
	char options[32];

	snprintf(options, sizeof(options), " --level=%" PRIu64, p->level);
	origin = cmd_origin(r, p->cmd, p->in, p->out, options, err);
	if (!origin) {
		json_decref(header);
		return NULL;
	}
	if (json_object_get(header, "repacked"))
		json_object_set(origin, "repacked", json_object_get(header, "repacked"));
	if (header && !json_object_set_new(header, "repacked", origin))
		return header;
	json_decref(header);
	spht_error_set(err, "%s: no memory for its header", p->out);
	return NULL;
}

static int copy_events(struct spht_writer *w, struct spht_reader *r, struct spht_error *err)
{
	const struct spht_event *ev;
	int rc;

	while ((rc = spht_reader_next(r, &ev, err)) > 0) {
		if (ev->id == SPHT_EV_LOST)
			rc = spht_writer_lost(w, ev->cpu, ev->v[0], err);
		else
			rc = spht_writer_append(w, ev, err);
		if (rc)
			return -1;
	}
	return rc;
}

/* The footer of the origin goes along: its ledger is that of the same recording. */
static int close_copy(struct spht_writer *w, const struct spht_reader *r, struct spht_error *err)
{
	const json_t *footer = spht_reader_footer(r);
	unsigned int nr = (unsigned int)json_array_size(json_object_get(footer, "cpus")), i;
	struct spht_ledger *ledger;
	int rc;

	if (nr > SPHT_MAX_CPUS)
		nr = SPHT_MAX_CPUS;
	ledger = calloc(nr + 1, sizeof(*ledger));
	if (!ledger) {
		spht_error_set(err, "no memory for the ledger of %u CPUs", nr);
		return -1;
	}
	for (i = 0; i < nr; i++)
		cmd_ledger(footer, i, &ledger[i]);
	rc = spht_writer_close(w, ledger, nr, footer, err);
	free(ledger);
	return rc;
}

static int repack(const struct repack *p, struct spht_reader *r)
{
	struct spht_writer *w = NULL;
	struct spht_error err;
	json_t *header;

	header = new_header(p, r, &err);
	if (header)
		w = cmd_writer_open(p->out, p->force, header, r, (int)p->level, &err);
	json_decref(header);
	if (w && !copy_events(w, r, &err) && !close_copy(w, r, &err))
		return CMD_OK;
	spht_writer_abort(w);
	cmd_message("%s", err.text);
	return CMD_FAILED;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},
		{"level", required_argument, NULL, 'l'},
		{"force", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct repack p = {.cmd = cmd, .level = 19};
	struct spht_reader *r;
	struct spht_error err;
	int opt, status = 0;

	while (!status && (opt = getopt_long(argc, argv, "fo:", options, NULL)) != -1) {
		if (opt == 'h')
			return cmd_help(cmd);
		if (opt == 'o')
			p.out = optarg;
		else if (opt == 'f')
			p.force = true;
		else if (opt == 'l')
			status = cmd_number(cmd, "--level", optarg, 1, CMD_MAX_LEVEL, &p.level);
		else
			status = cmd_bad_option(cmd);
	}
	if (status)
		return status;
	p.in = cmd_operand(cmd, argc, argv);
	if (!p.in || cmd_check_out(cmd, p.in, p.out))
		return CMD_USAGE;
	r = spht_reader_open(p.in, 0, &err);
	if (!r) {
		cmd_message("%s", err.text);
		return CMD_FAILED;
	}
	status = repack(&p, r);
	spht_reader_close(r);
	return status;
}

const struct cmd cmd_repack = {
	.name = "repack",
	.summary = "the same events, compressed anew",
	.help = repack_help,
	.run = run,
};
