/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TRACEDAT_META_H
#define SPHT_TRACEDAT_META_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "spht_error.h"

/*
 * What a trace.dat (version 6 or 7) says about itself and libtracecmd does not
 * hand out: where the data of every CPU lies, the statistics of the ring
 * buffers, where it was recorded and how, the texts of the event formats.
 */

/* The data of one CPU in one buffer. */
struct tracedat_cpu {
	unsigned int cpu;
	uint64_t offset, size; /* in the file */
	uint64_t data_size; /* of its pages; differs from size when compressed */
};

struct tracedat_buffer {
	char *name; /* "" is the top buffer, others are instances */
	char *clock; /* may be NULL */
	uint64_t offset;
	uint32_t page_size;
	struct tracedat_cpu *cpus;
	unsigned int nr_cpus;
	unsigned int where; /* its number among the instances of libtracecmd, if not the top */
};

/* per_cpu/cpuN/stats of one buffer, as trace-cmd saved it before its last read. */
struct tracedat_stat {
	char *buffer;
	unsigned int cpu;
	uint64_t entries, overrun, commit_overrun, dropped, read;
};

struct tracedat_meta {
	unsigned int version; /* 6 or 7 */
	uint32_t page_size;
	char compression[32]; /* "none", "zstd" */
	char *uname, *recorder, *clock;
	char *date, *offset; /* added to time stamps by libtracecmd; NULL when not there */
	bool has_tsc2nsec;
	bool has_time_shift; /* this is the guest's half of a host and guest recording */
	bool has_text; /* output of a latency tracer, not events */
	bool has_trace_id;
	uint64_t trace_id;
	unsigned int nr_guests;
	unsigned int nr_cpus;
	struct tracedat_buffer *buffers;
	unsigned int nr_buffers;
	struct tracedat_stat *stats;
	unsigned int nr_stats;
	json_t *formats; /* "system/event" -> text, kvm and kvmmmu only; NULL unless wanted */
};

/*
 * Reads and checks all of that from @fd, named @name in messages.  Everything
 * is bounded by the size of the file.  0, or -1 with @err set; @m must be freed
 * in both cases.
 */
int tracedat_meta_read(struct tracedat_meta *m, int fd, const char *name, bool want_formats,
		       struct spht_error *err);
void tracedat_meta_free(struct tracedat_meta *m);

#endif
