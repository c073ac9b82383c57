/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CHUNK_H
#define SPHT_CHUNK_H

#include "replay/step.h"

/*
 * A chunk of finished steps, read into memory with all that takes effect in it.
 * What-ifs share it; the next one is read over it.
 */
struct spht_chunk {
	uint32_t first, nr; /* steps */
	const struct spht_step *steps;
	const struct spht_do *dos; /* a step's begin at its first_do */
	/*
	 * By kind, in order of step, from @first on.  Of one step, those of guest
	 * entries in the order of evidence, drops by page and index.  What is dated
	 * to the last step takes effect after it: before the next chunk's first one,
	 * and is not told again there.
	 */
	const struct spht_change *changes[SPHT_CHANGE_NR];
	uint32_t nr_changes[SPHT_CHANGE_NR];
	bool has_next; /* there are steps behind it; */
	uint64_t t_next; /* t_exit of the first of them */

	void *buffer[2]; /* steps and dos, changes sorted */
	size_t cap[2];
	uint32_t *at; /* for sorting */
};

void spht_chunk_init(struct spht_chunk *c);
void spht_chunk_close(struct spht_chunk *c);
/*
 * Reads chunk @nr < s->nr_chunks of finished steps.  Returns 0 or -1 with @err
 * set: memory, or the temporary file.
 */
int spht_chunk_load(struct spht_chunk *c, const struct spht_steps *s, uint32_t nr,
		    struct spht_error *err);

#endif
