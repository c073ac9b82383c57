// SPDX-License-Identifier: LGPL-2.1-or-later
/* spht-trace info: options, one pass over the file, then info-text.c or info-json.c. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "info.h"

static const char info_help[] =
	"usage: spht-trace info [OPTION...] FILE\n"
	"Says what a recording holds and what it lacks: host, guest, clock, span, events\n"
	"by type, ledger and losses, exits by reason, threads, vCPUs, marks.\n"
	"\n"
	"  --json     one JSON object\n"
	"  --marks    all marks of the guest, not the first 20 alone\n"
	"  --partial  read what is whole of a damaged file; exit status 4\n"
	"  --help     this text\n";

#define MARKS_SHOWN 20

static int scan(struct info *info, struct spht_reader *r)
{
	const struct spht_event *rows, *ev;
	struct spht_error err;
	size_t nr;
	int rc;

	while ((rc = spht_reader_rows(r, &rows, &nr, &err)) > 0) {
		for (ev = rows; ev < rows + nr; ev++) {
			if (!info_event(info, ev))
				continue;
			cmd_message("no memory to count %zu threads and %zu marks",
				    info->nr_threads, info->nr_marks);
			return CMD_FAILED;
		}
	}
	if (rc < 0) {
		cmd_message("%s", err.text);
		return CMD_FAILED;
	}
	info->complete = spht_reader_complete(r);
	info_finish(info);
	return CMD_OK;
}

static int info_reader(struct spht_reader *r, const char *path, bool json, size_t marks)
{
	struct cmd_out out;
	struct stat st;
	struct info info;
	int status;

	status = info_init(&info, r);
	if (status) {
		cmd_message("%s: no memory to count its events", path);
		goto out;
	}
	/* The size of stdin is not that of a file. */
	if (strcmp(path, "-")) {
		if (stat(path, &st)) {
			cmd_message("%s: %s", path, strerror(errno));
			status = CMD_FAILED;
			goto out;
		}
		info.file_size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	}
	status = scan(&info, r);
	if (status)
		goto out;
	if (!info.complete) {
		cmd_message("%s: not whole; this is all that could be read", path);
		status = CMD_PARTIAL;
	}
	if (cmd_out_open(&out, 1 << 16)) {
		status = CMD_FAILED;
		goto out;
	}
	if (json)
		info_print_json(&info, path, &out);
	else
		info_print_text(&info, path, marks, &out);
	status = cmd_out_close(&out, status);
out:
	info_free(&info);
	return status < 0 ? CMD_FAILED : status;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"marks", no_argument, NULL, 'm'},
		{"partial", no_argument, NULL, 'P'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool json = false, partial = false;
	size_t marks = MARKS_SHOWN;
	struct spht_reader *r;
	struct spht_error err;
	const char *path;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'h')
			return cmd_help(cmd);
		if (opt == 'j')
			json = true;
		else if (opt == 'm')
			marks = SIZE_MAX;
		else if (opt == 'P')
			partial = true;
		else
			return cmd_bad_option(cmd);
	}
	path = cmd_operand(cmd, argc, argv);
	if (!path)
		return CMD_USAGE;
	r = spht_reader_open(path, partial ? SPHT_READ_PARTIAL : 0, &err);
	if (!r) {
		cmd_message("%s", err.text);
		return CMD_FAILED;
	}
	status = info_reader(r, path, json, marks);
	spht_reader_close(r);
	return status;
}

const struct cmd cmd_info = {
	.name = "info",
	.summary = "what a recording holds and what it lacks",
	.help = info_help,
	.run = run,
};
