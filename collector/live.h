/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_LIVE_H
#define SPHT_LIVE_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "import.h"
#include "profile.h"
#include "snap.h"

/* A live recording through tracefs. */
struct spht_live {
	const char *out;
	bool force, quiet;
	bool stats_json; /* the summary as JSON on stdout */
	int level; /* of zstd */
	const json_t *settings; /* of --set */
	enum spht_profile profile;
	const char *const *events; /* "SYSTEM:EVENT", EVENT may be "*"; ends with NULL */
	const char *clock; /* "mono", "x86-tsc" */
	uint64_t buffer; /* bytes per CPU */
	uint64_t duration_ns, size; /* end after this long, at this many bytes; 0: do not */
	enum spht_snap_level snap; /* page tables of the guest, too */
	unsigned int mark_port; /* I/O port by whose writes the guest marks times */
	/* Whose events are kept: those of a process, of COMMAND, or of every VM. */
	pid_t vm;
	char *const *command; /* ends with NULL; or NULL */
	bool all; /* with a command: the events of every VM all the same */
	/* Becomes the number of a signal that says to stop. */
	const volatile sig_atomic_t *stop;
	/* The same when there was one before: what is to wait no longer for who reads stdout. */
	const volatile sig_atomic_t *hurry;
};

/* Records, and reports on stderr. */
enum spht_status spht_live(const struct spht_live *o);

#endif
