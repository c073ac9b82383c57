/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TRACEDAT_PARSER_H
#define SPHT_TRACEDAT_PARSER_H

#include "tracedat-file.h"
#include "tracedat-meta.h"

/* What the readers of the two versions of trace.dat share; nobody else needs it. */
struct tracedat_parser {
	struct span_file f;
	struct tracedat_meta *m;
	bool want_formats;
	bool nested; /* in the options of an instance of version 6 */
	uint64_t formats_at; /* 0: none seen */
	char *stat_buffer; /* whose statistics come next; NULL is the top buffer */
};

/* Options of both versions; the end of them has another shape in each. */
#define TRACEDAT_OPTION_DONE 0

/* All return 0, or -1 (NULL) with the file's error set. */
int tracedat_no_memory(const struct tracedat_parser *p);
/* "local global [mono] boot": keeps the one in brackets. */
int tracedat_keep_clock(struct tracedat_parser *p, const uint8_t *text, size_t len);
/* The buffer must be new; the pointer is good until the next one is added. */
struct tracedat_buffer *tracedat_add_buffer(struct tracedat_parser *p, const char *name);
/* Room for the CPUs of a buffer; @nr comes from the file. */
int tracedat_alloc_cpus(struct tracedat_parser *p, struct tracedat_buffer *b, uint64_t nr,
			uint64_t offset);
/* Checks where the data of a CPU lies. */
int tracedat_add_cpu(struct tracedat_parser *p, struct tracedat_buffer *b, unsigned int cpu,
		     uint64_t offset, uint64_t size, bool compressed);
int tracedat_take_option(struct tracedat_parser *p, unsigned int id, const uint8_t *data,
			 size_t len, uint64_t offset);
int tracedat_take_formats(struct tracedat_parser *p, struct span *s);

/* A whole file of version 6, mapped; @offset is behind its page size. */
int tracedat_read_v6(struct tracedat_parser *p, uint64_t offset, const uint8_t *map);

#endif
