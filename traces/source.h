/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SOURCE_H
#define SPHT_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "spht_error.h"

/* A file that can be read anywhere; pipes are copied to an unlinked temporary file. */
struct spht_source {
	char *name; /* for messages */
	int fd;
	uint64_t size;
};

/* Opens @path, "-" for stdin; -1 with @err set.  Either way spht_source_close() is allowed. */
int spht_source_open(struct spht_source *s, const char *path, struct spht_error *err);
/* Exactly @len bytes at @offset, or -1 with @err set. */
int spht_source_read(const struct spht_source *s, uint64_t offset, void *buf, size_t len,
		     struct spht_error *err);
void spht_source_close(struct spht_source *s);

#endif
