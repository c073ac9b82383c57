// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "json-memory.h"
#include "std-files.h"
#include "version.h"

static const struct cmd *const commands[] = {
	&cmd_info, &cmd_dump, &cmd_verify, &cmd_cut, &cmd_repack,
};
#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int print_help(void)
{
	struct cmd_out out;
	size_t i;

	if (cmd_out_open(&out, 1 << 16))
		return CMD_FAILED;
	cmd_out_printf(&out, "usage: spht-trace COMMAND [OPTION...] FILE\n"
			     "Looks at, checks and rewrites .spht recordings; '-' is standard "
			     "input.\n\n");
	for (i = 0; i < NR_COMMANDS; i++)
		cmd_out_printf(&out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	cmd_out_printf(&out,
		       "\n"
		       "  --help     this text, or that of a command: spht-trace dump --help\n"
		       "  --version  name and version\n\n"
		       "Exit status: 0 done, 1 the input or the system failed, 2 usage, "
		       "4 read (--partial) or\nrecorded incompletely.  See spht-trace(1), "
		       "spht-trace(5).\n");
	return cmd_out_close(&out, CMD_OK);
}

static int print_version(void)
{
	struct cmd_out out;

	if (cmd_out_open(&out, 1 << 12))
		return CMD_FAILED;
	cmd_out_printf(&out, "spht-trace %s (%s), .spht format %d\n", SPHT_VERSION, SPHT_GIT_COMMIT,
		       SPHT_FORMAT_VERSION);
	return cmd_out_close(&out, CMD_OK);
}

/* @name is not a command: which ones there are. */
static int unknown_command(const char *name)
{
	size_t i;

	fprintf(stderr, "spht-trace: unknown %s '%s', there are",
		*name == '-' ? "option" : "command", name);
	if (*name == '-')
		fprintf(stderr, " --help and --version before the command");
	else
		for (i = 0; i < NR_COMMANDS; i++)
			fprintf(stderr, "%s %s", i ? "," : "", commands[i]->name);
	fputc('\n', stderr);
	return CMD_USAGE;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	char title[32];
	size_t i;

	spht_std_files();
	spht_json_memory("spht-trace", CMD_FAILED, cmd_leave);
	if (argc < 2) {
		fprintf(stderr, "spht-trace: which command? See 'spht-trace --help'\n");
		return CMD_USAGE;
	}
	if (!strcmp(name, "--help"))
		return print_help();
	if (!strcmp(name, "--version"))
		return print_version();
	for (i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(name, commands[i]->name))
			continue;
		/* getopt_long() begins its messages with argv[0]. */
		snprintf(title, sizeof(title), "spht-trace %s", name);
		argv[1] = title;
		return commands[i]->run(commands[i], argc - 1, argv + 1);
	}
	return unknown_command(name);
}
