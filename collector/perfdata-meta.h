/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PERFDATA_META_H
#define SPHT_PERFDATA_META_H

#include <event-parse.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "span.h"

/*
 * What a perf.data says about itself.  There is no library for that; the
 * layout is that of tools/perf/Documentation/perf.data-file-format.txt and of
 * struct perf_event_attr in include/uapi/linux/perf_event.h.
 */

/* One event that perf record was told to record. */
struct perfdata_attr {
	uint32_t type; /* PERF_TYPE_... */
	uint64_t config; /* of a tracepoint: its number */
	uint64_t period, sample_type, read_format;
	bool is_freq, sample_id_all, has_clockid, overwrites;
	int32_t clockid;
	char *name; /* as perf calls it, "kvm:kvm_exit"; NULL where it does not say */
	bool wanted; /* a tracepoint of KVM, */
	bool again; /* the same one as an event before it */
};

/* Numbers by which records name events: one for each event and CPU or thread. */
struct perfdata_id {
	uint64_t id;
	uint32_t attr;
	int32_t cpu; /* -1 while not known */
};

struct perfdata_meta {
	uint64_t data_offset, data_size;
	struct perfdata_attr *attrs;
	unsigned int nr_attrs;
	struct perfdata_id *ids; /* ascending */
	size_t nr_ids;
	uint64_t tracing_offset, tracing_size; /* the formats of the tracepoints */
	char *release, *version, *arch, *cpu_model, *cpu_id; /* NULL where not there */
	uint32_t cpus_online; /* 0: not there */
	bool filtered; /* perf was told to leave out events */
	bool compressed;
	bool has_clock_data;
	uint64_t clock_wall, clock_time; /* the same instant on CLOCK_REALTIME and on the clock */
	json_t *formats; /* "system/event" -> text, kvm and kvmmmu only */
};

/*
 * Reads and checks all but the formats; everything is bounded by the size of the
 * file.  0, or -1 with the file's error set; @m must be freed in both cases.
 */
int perfdata_meta_read(struct perfdata_meta *m, const struct span_file *f);
/* Hands the formats to @tep and keeps their texts.  0, or -1 with the file's error set. */
int perfdata_meta_formats(struct perfdata_meta *m, const struct span_file *f,
			  struct tep_handle *tep);
/* NULL when no event has this @id. */
struct perfdata_id *perfdata_meta_id(const struct perfdata_meta *m, uint64_t id);
void perfdata_meta_free(struct perfdata_meta *m);

#endif
