/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PERFDATA_STREAM_H
#define SPHT_PERFDATA_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"

/* Record types; below 64 the kernel's, from there on perf's own. */
enum perfdata_type {
	PERFDATA_LOST = 2,
	PERFDATA_THROTTLE = 5,
	PERFDATA_SAMPLE = 9,
	PERFDATA_AUX = 11,
	PERFDATA_LOST_SAMPLES = 13,
	PERFDATA_TRACING_DATA = 66,
	PERFDATA_FINISHED_ROUND = 68,
	PERFDATA_ID_INDEX = 69,
	PERFDATA_AUXTRACE_INFO = 70,
	PERFDATA_AUXTRACE = 71,
	PERFDATA_COMPRESSED = 81,
	PERFDATA_COMPRESSED2 = 83,
};

/* The 8 bytes that every record starts with. */
#define PERFDATA_HEAD 8u

struct perfdata_record {
	uint32_t type;
	uint16_t misc;
	const uint8_t *p; /* with its head */
	size_t size;
	uint64_t offset; /* in the file, of what it was unpacked from where it was packed */
};

/*
 * The records of a perf.data in their order in the file, unpacked.  Those of
 * perf record -z come as one zstd stream, cut into records of type COMPRESSED
 * without regard to where those inside of it end.
 */
struct perfdata_stream;

/* @f is borrowed; the data are @size bytes at @offset of it.  NULL without memory. */
struct perfdata_stream *perfdata_stream_new(const struct span_file *f, uint64_t offset,
					    uint64_t size);
void perfdata_stream_free(struct perfdata_stream *s);

/* 1 with the next record, valid until the next call; 0 at the end, -1 with the file's error set. */
int perfdata_stream_next(struct perfdata_stream *s, struct perfdata_record *r);
/* Bytes of the data that have been read. */
uint64_t perfdata_stream_done(const struct perfdata_stream *s);
/* At the end: perf has not unloaded all that it had packed, the last record is cut off. */
bool perfdata_stream_is_cut(const struct perfdata_stream *s);

#endif
