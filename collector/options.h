/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_OPTIONS_H
#define SPHT_OPTIONS_H

#include "import.h"
#include "live.h"

enum spht_mode {
	SPHT_MODE_DONE, /* --help, --version: nothing is left to do */
	SPHT_MODE_IMPORT,
	SPHT_MODE_LIVE,
	SPHT_MODE_CHECK,
};

/* The command line of spht-record, checked. */
struct spht_options {
	enum spht_mode mode;
	struct spht_import import;
	struct spht_live live;
	json_t *settings; /* of both; owned */
	const char **events; /* of -e; owned */
};

/* 0; or the exit status, when the command line makes no sense, which has been said. */
int spht_options_parse(struct spht_options *o, int argc, char **argv,
		       const volatile sig_atomic_t *stop);
void spht_options_close(struct spht_options *o);

#endif
