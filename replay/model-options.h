/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_MODEL_OPTIONS_H
#define SPHT_MODEL_OPTIONS_H

#include "replay/recording.h"
#include "replay/run.h"

/* The part of the command line that says what is modelled, and by which rules. */

/* As getopt_long() returns them; beyond those of spht-replay.c. */
enum spht_model_opt {
	SPHT_OPT_KNOWLEDGE = 1024,
	SPHT_OPT_LEGALITY,
	SPHT_OPT_HELPER_PREFETCH,
	SPHT_OPT_WINDOW,
	SPHT_OPT_MMU_PAGES,
	SPHT_OPT_SNAPSHOTS,
	SPHT_OPT_HELPERS,
	SPHT_OPT_CURVE,
	SPHT_OPT_KVM,
	SPHT_OPT_RULES,
	SPHT_OPT_BYPASS,
	SPHT_OPT_MODEL_END
};

/* What of them is for the reading of a recording. */
struct spht_model_options {
	uint32_t mmu_pages; /* 0: auto */
	enum spht_snap_mode snaps;
};

/* Takes in one of them, of value @arg.  -1 with @err set where that is none. */
int spht_model_option(struct spht_run_options *run, struct spht_model_options *m,
		      enum spht_model_opt opt, const char *arg, struct spht_error *err);
/* All have been read: brings them together.  -1 with @err set where they do not go together. */
int spht_model_check(struct spht_run_options *run, struct spht_error *err);
/* Decimal digits alone, @max at most. */
bool spht_parse_uint(const char *s, unsigned long max, unsigned long *out);

#endif
