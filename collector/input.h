/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_INPUT_H
#define SPHT_INPUT_H

#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>

#include "feed.h"
#include "spht_error.h"

/* A file to be imported: open, seekable, of a kind that can be imported. */
struct spht_input {
	int fd;
	const struct spht_feed *feed; /* what kind it is */
	const char *path; /* as given */
	const char *name; /* its last component, for the header */
	struct stat st;
	uint64_t size;
	char sha256[65];
};

/*
 * Opens @path ("-" is stdin, which is copied to an unnamed file), says by name
 * what it is when it cannot be imported, and computes its hash.  0 or -1.
 */
int spht_input_open(struct spht_input *in, const char *path, const volatile sig_atomic_t *stop,
		    struct spht_error *err);
/* -1 with @err set when the file is not what it was when it was opened. */
int spht_input_unchanged(const struct spht_input *in, struct spht_error *err);
void spht_input_close(struct spht_input *in);

#endif
