/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_WRITER_LOCAL_H
#define SPHT_WRITER_LOCAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <zstd.h>

#include "codec.h"
#include "format.h"

/* What the files of the writer share. */

/* Touched only by the thread that appends to this CPU. */
struct cpu {
	struct spht_encoder *encoder; /* NULL until the CPU's first event */
	uint64_t last_ts;
	uint64_t lost; /* before the block being filled */
	uint64_t lost_total;
	uint64_t events, nr_preamble;
	uint64_t *nr_by_type;
	bool seen;
};

/* What packing a block needs; there are as many as blocks were packed at the same time. */
struct workshop {
	struct workshop *next;
	ZSTD_CCtx *cctx;
	struct spht_bytes raw, cuts, comp;
};

struct spht_writer {
	char *path;
	int fd, level;
	bool created; /* remove on abort */
	struct spht_schema *schema;
	_Atomic(struct cpu *) cpus[SPHT_MAX_CPUS]; /* NULL: nothing of that CPU yet */
	atomic_bool started; /* an event that is not preamble was written */
	bool preamble; /* there were some */
	pthread_mutex_t lock; /* of all that follows, and of what goes to @fd */
	unsigned int nr_cpus; /* up to the highest CPU seen */
	uint64_t offset;
	bool failed; /* the file ends in the middle of what should be in it */
	struct spht_error why; /* it has */
	struct workshop *idle;
	struct spht_bytes index;
	uint64_t nr_blocks;
};

/* Sets @err; -1. */
int spht_writer_no_memory(const struct spht_writer *w, struct spht_error *err);
/* Appends @len bytes to the file. */
int spht_writer_put(struct spht_writer *w, const void *data, size_t len, struct spht_error *err);
/* Writes the footer frame; arguments as of spht_writer_close(). */
int spht_writer_footer(struct spht_writer *w, const struct spht_ledger *ledger,
		       unsigned int nr_cpus, const json_t *extra, struct spht_error *err);

#endif
