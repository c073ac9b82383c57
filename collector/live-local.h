/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_LIVE_LOCAL_H
#define SPHT_LIVE_LOCAL_H

#include <event-parse.h>

#include "capture.h"
#include "command.h"
#include "live.h"
#include "output.h"

/* What the files of a live recording share. */

/* One CPU at the end: what the kernel says it wrote, what we took. */
struct live_cpu {
	struct spht_capture *capture;
	struct spht_capture_counts counts;
	struct spht_ring_stats stats;
	bool reset; /* the kernel's counters went backwards: somebody emptied the buffer */
};

struct live_totals {
	struct spht_capture_counts counts;
	uint64_t overrun, dropped, commit_overrun;
	uint64_t out_bytes;
	double fill; /* of the fullest buffer, 0 to 1 */
	double seconds; /* since the buffers were switched on */
};

enum live_end {
	LIVE_END_NOT,
	LIVE_END_COMMAND, /* has ended */
	LIVE_END_VM, /* the process has ended */
	LIVE_END_SIGNAL,
	LIVE_END_DURATION,
	LIVE_END_SIZE,
	LIVE_END_FAILED, /* a reader has; error set */
};

struct live {
	const struct spht_live *o;
	struct spht_error err;
	struct spht_output out;
	struct spht_command command;
	int vm_fd; /* a pidfd of --vm, or -1 */
	struct spht_ring *ring;
	struct tep_handle *tep;
	struct spht_types *types;
	struct spht_vms *vms; /* of which VM map and counters are kept */
	struct spht_writer *writer;
	struct spht_capture_shared shared;
	struct spht_snap *snap; /* of --snap, or NULL */
	struct spht_event_type *stored; /* of tracepoints, nr_types, and those of --snap */
	unsigned int nr_types;
	struct live_cpu *cpus;
	unsigned int nr_cpus;
	unsigned int stale; /* instances of dead recorders that were removed */
	json_t *formats, *asked_missing; /* "kvm/kvm_exit" -> text; events this kernel lacks */
	json_t *missing; /* of the header: what could not be found out */
	json_t *clock_start, *clock_end, *stats_before, *stats_after;
	uint64_t started_at; /* CLOCK_MONOTONIC, ns; 0: never */
	uint64_t ended_at;
	enum live_end why;
	bool foreign; /* /proc has other thread numbers than the events */
	bool joined; /* the readers have ended */
	bool touched; /* somebody switched off our buffers or events */
	bool off; /* at the last look they were */
	double overhead; /* of an event, ns; below 0: not known */
	double cpu_seconds; /* of this process while it recorded */
	uint64_t out_bytes; /* of the whole file */
};

/* live-events.c: switches on what the profile and -e ask for; fills formats, tep, types. */
int live_events_open(struct live *l);
/* live-header.c */
json_t *live_header(struct live *l);
/* The CPU that snapshots have, which is none of the machine's. */
unsigned int live_snap_cpu(const struct live *l);
json_t *live_footer(struct live *l);
/* The ledger of every CPU, by number up to the highest; free() it. */
struct spht_ledger *live_ledger(const struct live *l, unsigned int *nr);
/* What the kernel counted: in the buffer, read, overwritten or refused. */
uint64_t live_cpu_written(const struct live_cpu *c);
/* Of these: overwritten or refused. */
uint64_t live_cpu_lost(const struct live_cpu *c);

/* live-report.c */
void live_totals(struct live *l, struct live_totals *t);
void live_status(struct live *l);
enum spht_status live_report(struct live *l);
/* How the command ended, if not well. */
void live_report_command(const struct live *l);

#endif
