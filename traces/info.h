/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_INFO_H
#define SPHT_INFO_H

#include "cmd.h"
#include "mark.h"

/* What `spht-trace info` gathers in one pass over a file; cmd-info.c prints it. */
#define INFO_MAX_EXITS 512 /* distinct exit reasons; more are counted together */
#define INFO_MAX_PORTS 16
#define INFO_MAX_MARKS (1u << 20) /* kept; more are only counted */

struct info_cpu {
	bool used;
	uint64_t events; /* without preamble */
	uint64_t lost, gaps, unknown_gaps; /* gaps: places where events are missing */
};

struct info_thread {
	int32_t pid;
	bool used;
	bool walking; /* a walk has begun, its first entry has not been seen */
	uint64_t events;
	int64_t vcpu; /* the last vCPU it named, -1 none */
	bool vcpus_vary;
};

struct info_mark {
	uint64_t ts;
	int32_t pid;
	uint32_t value;
	uint16_t cpu;
};

struct info_exit {
	struct cmd_exit exit;
	uint64_t count;
};

struct info {
	const json_t *header, *footer;
	const struct spht_event_type *types;
	unsigned int nr_types;
	const struct spht_block_info *blocks;
	struct cmd_span span;
	uint64_t file_size; /* 0 unknown */
	bool complete;

	uint64_t events, preamble; /* as read */
	uint64_t by_type[SPHT_MAX_TYPES], preamble_by_type[SPHT_MAX_TYPES];
	struct info_cpu *cpus; /* SPHT_MAX_CPUS of them */
	uint64_t lost, gaps, unknown_gaps;
	struct info_thread *threads; /* open hash; after info_finish() a sorted list */
	size_t nr_threads, cap_threads;
	size_t vcpu_threads; /* of these threads: that name a vCPU */
	bool vcpu_twice; /* two name the same: two VMs, or one that was started again */
	struct info_exit exits[INFO_MAX_EXITS];
	unsigned int nr_exits;
	uint64_t exits_other, exits_total, page_faults, tdp_exits;
	uint64_t modes[6]; /* walks by the level of their first entry */
	uint64_t snaps[SPHT_SNAP_KINDS], snap_unreadable, snap_full;
	uint64_t port_io;
	struct {
		uint64_t port, count;
	} ports[INFO_MAX_PORTS];
	unsigned int nr_ports;
	struct spht_marks *mark_names;
	struct info_mark *marks;
	size_t nr_marks, cap_marks;
	uint64_t marks_total;
};

/* What keeps an analysis from being possible, or from being good. */
enum info_weight {
	INFO_NOTE, /* known and harmless, but worth knowing */
	INFO_MISSING, /* some results are empty or weaker */
	INFO_FATAL, /* cannot be replayed */
};
typedef void info_missing_fn(void *arg, enum info_weight weight, const char *what,
			     const char *effect);

int info_init(struct info *info, struct spht_reader *r);
void info_free(struct info *info);
/* Counts one event.  Returns 0, or -1 without memory. */
int info_event(struct info *info, const struct spht_event *ev);
/* All events have been counted: puts threads and exits in order, most events first. */
void info_finish(struct info *info);
/* After info_finish(): calls @fn for everything that the recording lacks. */
void info_missing(const struct info *info, info_missing_fn *fn, void *arg);
/* Events of a known id, preamble apart. */
uint64_t info_count(const struct info *info, enum spht_event_id id);
/* What the file says under @key: in its header, or where only the end knew it, in its footer. */
const json_t *info_said(const struct info *info, const char *key);
/* @marks: how many of them, at most. */
void info_print_text(const struct info *info, const char *path, size_t marks, struct cmd_out *out);
void info_print_json(const struct info *info, const char *path, struct cmd_out *out);

#endif
