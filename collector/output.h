/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_OUTPUT_H
#define SPHT_OUTPUT_H

#include <stdbool.h>

#include "input.h"
#include "spht_error.h"

/*
 * Where a whole trace is to appear at once: it is written to FILE.part, which
 * takes the name FILE when all is well.  "-" is stdout.
 */
struct spht_output {
	const char *path; /* as the user named it */
	char *part; /* what to hand to the writer */
	bool force; /* an existing file may be replaced */
	bool to_stdout;
	bool keep; /* a part that cannot get its name stays: it cannot be made again */
};

/*
 * Says early what could only fail late; @in is the file that must not be the
 * output, or NULL.  0 or -1; the caller must close @out if 0.
 */
int spht_output_open(struct spht_output *out, const char *path, bool force,
		     const struct spht_input *in, struct spht_error *err);
/* The part is whole: gives it its name.  On failure removes it, or @keep.  @stop may be NULL. */
int spht_output_commit(struct spht_output *out, const volatile sig_atomic_t *stop,
		       struct spht_error *err);
/* For a program that ends at once: removes the part that is open, unless it is to be kept. */
void spht_output_leave(void);
/* Frees; spht_writer_abort() has removed a part that was not committed. */
void spht_output_close(struct spht_output *out);

#endif
