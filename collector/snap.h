/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SNAP_H
#define SPHT_SNAP_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "spht_trace.h"
#include "vm.h"

/*
 * Page tables of the guest as events of a live recording: a program in the kernel copies
 * them at events of the shadow MMU, a thread here stores what has changed.
 */
struct spht_snap;

enum spht_snap_level {
	SPHT_SNAP_OFF,
	SPHT_SNAP_TABLES, /* where a shadow page is created, found unsync, synced or made unsync */
	SPHT_SNAP_WALKS, /* and the table of level 1 at each walk */
};

/* "tables", "walks"; SPHT_SNAP_OFF for anything else. */
enum spht_snap_level spht_snap_level(const char *name);

/* What the thread needs; borrowed. */
struct spht_snap_target {
	struct spht_writer *writer;
	struct spht_vms *vms; /* NULL: tables of every VM are kept */
	unsigned int cpu; /* of the events, no other's */
	unsigned int type; /* of `snap`; that of `snap_entry` is the next one */
	int wake; /* an eventfd; written when the thread fails */
};

/* So far. */
struct spht_snap_counts {
	uint64_t taken, entries, full;
	uint64_t unreadable, dropped, filtered;
	uint64_t late; /* stored with a later time than their own */
};

#define SPHT_SNAP_TYPES 2
/* `snap` and `snap_entry`; borrowed, the layout of both is filled in. */
const struct spht_event_type *spht_snap_types(void);

/*
 * Loads the program, with a buffer of about @buffer bytes.  NULL with @err set: why it is not
 * possible here.
 */
struct spht_snap *spht_snap_open(enum spht_snap_level level, uint64_t buffer,
				 struct spht_error *err);
/* "snap" of the trace's header; its events will have @cpu.  NULL without memory. */
json_t *spht_snap_header(const struct spht_snap *s, unsigned int cpu);
/*
 * Attaches the program and starts the thread.  Events of tracefs that are on already come
 * before their snapshot.  0 or -1.
 */
int spht_snap_start(struct spht_snap *s, const struct spht_snap_target *target,
		    struct spht_error *err);
/* Detaches it, stores what is left, joins the thread.  -1 with @err set when that has failed. */
int spht_snap_stop(struct spht_snap *s, struct spht_error *err);
/* At any time, from any thread. */
bool spht_snap_failed(const struct spht_snap *s);
void spht_snap_counts(const struct spht_snap *s, struct spht_snap_counts *c);
/* "snap" and "memslots" of the footer, after spht_snap_stop(). */
int spht_snap_footer(const struct spht_snap *s, json_t *footer);
/* Of its CPU: records that were asked for, taken, and refused for want of room. */
void spht_snap_ledger(const struct spht_snap *s, struct spht_ledger *l);
/* NULL is allowed. */
void spht_snap_close(struct spht_snap *s);

#endif
