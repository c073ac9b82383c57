/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SCRIPT_H
#define SPHT_SCRIPT_H

#include <stdbool.h>

#include "calibrate/cost.h"
#include "calibrate/guest.h"
#include "calibrate/machine.h"

/*
 * A guest that times its own accesses: two time stamps around each, less what two
 * stamps with nothing between them take.
 */
struct script {
	struct guest guest;
	uint64_t stamps; /* gpa of the first */
	unsigned int nr; /* stamps in the script so far */
	uint64_t frames; /* gpa of what all data pages map */
	size_t warm_up; /* entry of the script that reads the script */
};

/* At most so many timed accesses in one script. */
#define SCRIPT_TIMED 16000u

void script_open(struct script *s);
void script_close(struct script *s);
/* Maps 512 pages from DATA_GVA + @region * 2 MiB on; entry i has bits[i % 8]. */
void script_map(struct script *s, unsigned int region, const uint64_t bits[GROUP]);
/* A timed access to @count addresses, @stride apart; a write stores @value. */
void script_read(struct script *s, uint64_t gva, uint64_t count, uint64_t stride);
void script_write(struct script *s, uint64_t gva, uint64_t value);
/* Nothing can be added after it. */
void script_finish(struct script *s);

/* What timed access @i took, in ns; after the guest has run. */
double script_ns(const struct script *s, const struct machine *m, unsigned int i);
/* Timed accesses, those of the overhead among them not counted. */
unsigned int script_timed(const struct script *s);

/* Runs @s as the only guest, on this thread. */
void script_run(struct script *s);
/* Adds a run of all timed accesses from @from to @to, divided by @pages, to @c. */
void script_cost(const struct script *s, const struct machine *m, unsigned int from,
		 unsigned int to, double pages, struct cost *c);

#endif
