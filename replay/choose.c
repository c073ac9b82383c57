// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/choose.h"
#include "replay/status.h"

#define MAX_SHOWN 200

void spht_answered(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		exit(EXIT_OK);
	fprintf(stderr, "spht-replay: stdout: cannot be written: %s\n", strerror(errno));
	exit(EXIT_INPUT);
}

int spht_choose(struct spht_specs *specs, const char *arg)
{
	/* A long list is known by its beginning. */
	const char *dots = strlen(arg) > MAX_SHOWN ? "..." : "";
	int shown = *dots ? MAX_SHOWN : (int)strlen(arg);
	enum spht_specs_status ret;
	struct spht_error err;
	size_t again = 0;
	bool help;

	ret = spht_specs_help(specs, arg, stdout, &help, &err);
	if (!ret && help)
		spht_answered();
	if (!ret)
		ret = spht_specs_add(specs, arg, &again, &err);
	if (ret)
		fprintf(stderr, "spht-replay: --heuristic=%.*s%s: %s\n", shown, arg, dots,
			err.text);
	else if (again)
		fprintf(stderr,
			"spht-replay: --heuristic=%.*s%s: %zu of its configurations asked for "
			"before, not run again\n",
			shown, arg, dots, again);
	return ret == SPHT_SPECS_USAGE ? EXIT_USAGE : ret ? EXIT_INPUT : 0;
}

int spht_chosen(const struct spht_specs *specs, struct spht_run_options *run, bool list)
{
	size_t rows = specs->nr * run->nr_scales;

	if (rows > SPHT_MAX_ROWS) {
		fprintf(stderr,
			"spht-replay: %zu configurations by %u time scales are %zu results, more "
			"than the %d of one run: split it\n",
			specs->nr, run->nr_scales, rows, SPHT_MAX_ROWS);
		return EXIT_USAGE;
	}
	run->specs = specs->v;
	run->nr_specs = (unsigned int)specs->nr;
	if (!list)
		return 0;
	spht_specs_print(specs, stdout);
	spht_answered();
}
