/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PLUGIN_H
#define SPHT_PLUGIN_H

#include <stddef.h>

#include "heuristics/heuristic.h"
#include "spht_error.h"

/*
 * Heuristics from shared objects.  A plugin is code that runs with the rights of
 * the user; what is checked here are mistakes, not malice.
 */
struct spht_plugin {
	const struct spht_heuristic *h; /* checked by spht_spec_validate() */
	char *path; /* as given; of several names for one content the first */
	const char *file; /* its last part */
	char sha256[65]; /* of the file, in hex */
	void *handle;
};

/* Those that are loaded, in the order in which they were named first.  Begins as {0}. */
struct spht_plugins {
	struct spht_plugin **v;
	size_t nr;
};

/*
 * Loads the shared object @path, or finds the one that has the same content.  NULL
 * with what is wrong and what helps in @err, one line, without the path.
 */
const struct spht_plugin *spht_plugins_load(struct spht_plugins *plugins, const char *path,
					    struct spht_error *err);
/* Unloads all: no pointer to a plugin or to what is in it may be used any more. */
void spht_plugins_close(struct spht_plugins *plugins);

#endif
