/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PROFILE_H
#define SPHT_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Which tracepoints a live recording asks for.  Every profile has what the
 * replayer needs; docs/model.md says what each event is good for.
 */
enum spht_profile {
	SPHT_PROFILE_MINIMAL, /* what the replayer reads, and no more */
	SPHT_PROFILE_SHADOW, /* and what explains it: MMIO, hypercalls, user-space exits */
	SPHT_PROFILE_FULL, /* every event of kvm and kvmmmu */
	SPHT_PROFILES
};

struct spht_profile_event {
	const char *system, *event; /* event "*": all of them */
	enum spht_profile from; /* in this profile and those after it */
	/* Without it a trace is no use: the replayer could not tell what happened. */
	bool needed;
};

/* -1 when there is none of that @name. */
int spht_profile_find(const char *name);
const char *spht_profile_name(enum spht_profile p);
/* The list of all profiles; static storage. */
const struct spht_profile_event *spht_profile_events(size_t *nr);

#endif
