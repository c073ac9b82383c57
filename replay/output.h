/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_OUTPUT_H
#define SPHT_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/*
 * An output that appears whole or not at all: written beside its name, as NAME.XXXXXXXX.part, and
 * renamed; where the name is a link, beside what that leads to.  Devices, pipes and what a link of
 * /proc such as /dev/stdout leads to are written as they are, "-" is stdout.
 */
struct spht_output {
	const char *path; /* borrowed */
	char *target; /* NULL: @path is no link, or is written through */
	char *temp;
	FILE *f; /* NULL: not open */
	int failed; /* errno of the first write that failed; 0: none */
};

/* 0, or -1 after a message on stderr. */
int spht_output_open(struct spht_output *o, const char *path);
/* After writing: stdio remembers that something failed, but not what. */
void spht_output_note(struct spht_output *o);
/* For a program that ends at once: removes what is not whole. */
void spht_output_leave(const struct spht_output *o);
/* Renames it to its name if it is to be kept; nothing where it is not open.  -1 as above. */
int spht_output_close(struct spht_output *o, bool keep);
/* Are @output (NULL: none) and @input one regular file?  A recording must not end as its own table. */
bool spht_output_is(const char *output, const char *input);
/* 0, or -1 after a message where both are open and are one file or pipe by two names. */
int spht_output_apart(const struct spht_output *a, const struct spht_output *b);

#endif
