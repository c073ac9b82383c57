/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_INDEX_H
#define SPHT_INDEX_H

#include <jansson.h>
#include <stdbool.h>

#include "schema.h"
#include "source.h"
#include "spht_trace.h"

/* What a trace file says about itself, read and checked; events are not touched. */
struct spht_index {
	json_t *header;
	json_t *footer; /* NULL where the file has no valid end */
	struct spht_schema *schema;
	struct spht_block_info *blocks; /* in file order */
	uint32_t *payload_crcs;
	size_t nr_blocks;
	bool complete;
};

/*
 * Reads header and footer; with @partial a missing or damaged footer is
 * replaced by a scan of the block headers up to the first that is not whole.
 * Returns -1 with @err set; spht_index_free() is allowed either way.
 */
int spht_index_read(struct spht_index *x, const struct spht_source *src, bool partial,
		    struct spht_error *err);
void spht_index_free(struct spht_index *x);

#endif
