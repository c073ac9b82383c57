/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_COMMAND_H
#define SPHT_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

#include "spht_error.h"

/* The program that is recorded: COMMAND of `spht-record -- COMMAND`. */
struct spht_command {
	pid_t pid; /* 0: there is none */
	int pidfd; /* readable when it has ended */
	int go, says; /* pipes: to let it begin; to hear why it could not */
	bool ended;
	int status; /* of waitpid(), when it has ended */
};

/*
 * Makes the process, which waits; @argv ends with NULL.  With @stdout_taken its
 * standard output goes where its errors go.  0 or -1.
 */
int spht_command_open(struct spht_command *c, char *const *argv, bool stdout_taken,
		      struct spht_error *err);
/* Lets it begin.  -1 with @err set when there is no such program. */
int spht_command_start(struct spht_command *c, const char *name, struct spht_error *err);
/* Has it ended?  Does not wait. */
bool spht_command_ended(struct spht_command *c);
/*
 * Asks it to end and waits up to @seconds; says on stderr when it goes on.
 * One that has not begun never will.
 */
void spht_command_close(struct spht_command *c, int seconds);

#endif
