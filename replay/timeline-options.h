/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TIMELINE_OPTIONS_H
#define SPHT_TIMELINE_OPTIONS_H

#include "replay/recording.h"
#include "replay/run.h"

/* The part of the command line that says of what a timeline is made. */
struct spht_timeline_options {
	const char *file; /* --timeline; NULL: none */
	struct spht_tl_window window; /* --timeline-window */
};

/*
 * All options have been read, the clock is a @real one or not, there are @nr_files.  A
 * timeline is of one run.  -1 with @err set where they do not go together.
 */
int spht_timeline_check(const struct spht_timeline_options *o, const struct spht_run_options *run,
			bool real, int nr_files, struct spht_error *err);
/*
 * Begins the timeline of @recording; spht_timeline_close() ends it.  -1 with @err set where it
 * tells nothing of time, or has ended before the window.
 */
int spht_timeline_begin(struct spht_timeline *t, const struct spht_timeline_options *o,
			const struct spht_recording *recording, struct spht_error *err);

#endif
