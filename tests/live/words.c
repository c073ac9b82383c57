// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>

#include "calibrate/die.h"
#include "tests/live/words.h"

void words_bad(const char *what, const char *which)
{
	fprintf(stderr, "%s: %s '%s'; --help says more\n", program_invocation_short_name, what,
		which);
	exit(2);
}

uint64_t words_number(const char *text, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || n < min || n > max)
		words_bad("not a number, or out of range:", text);
	return n;
}

void words_arguments(int argc, char **argv, unsigned int nr, const uint64_t *max, uint64_t *arg)
{
	if ((unsigned int)argc != nr + 1)
		words_bad("wrong number of arguments for", argv[0]);
	for (unsigned int i = 0; i < nr; i++)
		arg[i] = words_number(argv[i + 1], 1, max[i]);
}

FILE *words_output(const char *name)
{
	FILE *f = fopen(name, "w");

	if (!f)
		die_errno("%s", name);
	return f;
}

void words_close(FILE *f, const char *name)
{
	if (fclose(f))
		die_errno("%s", name);
}
