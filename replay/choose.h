/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CHOOSE_H
#define SPHT_CHOOSE_H

#include "replay/run.h"
#include "replay/specs.h"

/* --heuristic and --list-configurations: who is told what, and when it ends. */

/*
 * Adds what one --heuristic=@arg asks for; or, if it asks for help, answers on stdout and
 * ends the program.  Returns 0, or an exit status after a line on stderr.
 */
int spht_choose(struct spht_specs *specs, const char *arg);
/*
 * All options have been read: hands the configurations to @run, whose time scales are
 * known; or, with @list, prints them and ends the program.  Returns as above.
 */
int spht_chosen(const struct spht_specs *specs, struct spht_run_options *run, bool list);
/* What was asked for is on stdout: ends the program, with success if it is written. */
__attribute__((noreturn)) void spht_answered(void);

#endif
