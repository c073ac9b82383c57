/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_IMPORT_H
#define SPHT_IMPORT_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>

struct spht_import {
	const char *in, *out;
	bool force; /* replace an existing output */
	bool quiet; /* say nothing unless something is wrong */
	int level; /* of zstd */
	const json_t *settings; /* object, from --set */
	const volatile sig_atomic_t *stop; /* the signal that asks for an end, or 0 */
};

enum spht_status {
	SPHT_DONE = 0,
	SPHT_FAILED = 1, /* nothing was written */
	SPHT_USAGE = 2,
	SPHT_INCOMPLETE = 4, /* written, but events are missing */
};

/* Makes a .spht file of another recording.  All messages have been printed. */
enum spht_status spht_import(const struct spht_import *o);

#endif
