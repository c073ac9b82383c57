/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_REAL_OPTIONS_H
#define SPHT_REAL_OPTIONS_H

#include "replay/recording.h"
#include "replay/run.h"

/* What the command line says of the clock. */
struct spht_clock_options {
	bool real; /* --clock=real */
	bool smt;
	const char *pace, *repetitions, *warmups, *cpus; /* as given; NULL: not */
	struct spht_real_plan plan; /* filled in by spht_clock_check() */
};

/* --clock=@arg.  -1 with @err set: neither real nor virtual. */
int spht_clock_option(struct spht_clock_options *o, const char *arg, struct spht_error *err);
/*
 * All options have been read: fills in o->plan and, on the real clock, @run->real.
 * Returns 0, -2 where they do not go together (usage), or -1 where this machine has no
 * two cores for it; with @err set.
 */
int spht_clock_check(struct spht_clock_options *o, struct spht_run_options *run, bool intervals,
		     bool story, struct spht_error *err);
/* Can the recording be played in real time?  -1 with @err set: no. */
int spht_clock_suits(const struct spht_run_options *run, const struct spht_recording *recording,
		     struct spht_error *err);

#endif
