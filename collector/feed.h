/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_FEED_H
#define SPHT_FEED_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "child.h"
#include "spht_event.h"

/*
 * A kind of foreign recording that can be imported.  What reads it runs in a
 * child, because neither the file nor the libraries are trusted, and tells its
 * parent, which writes the .spht, by messages.
 *
 * A library may keep what it has read until its process ends; so reading may
 * be cut into slices, each by a process of its own, which goes on where the
 * one before it stopped.
 */
struct spht_feed {
	const char *kind; /* "trace.dat" */
	const char *magic; /* what the file starts with */
	size_t magic_len;
	/* For messages. */
	const char *reader; /* what has been at work where the child dies: "libtracecmd" */
	const char *viewer; /* what else can be asked about the file: "trace-cmd report" */
	const char *larger; /* how larger buffers are had: "trace-cmd record -b KIB" */
	/* What the child may allocate and map in bytes, and that for each byte of the file. */
	uint64_t heap, mapped;
	unsigned int heap_share, mapped_times; /* size / share (0: nothing), size * times */
	int (*child)(struct spht_pipe *pipe, void *job); /* struct spht_feed_job */
};

extern const struct spht_feed spht_feed_tracedat, spht_feed_perfdata;

/* The kind of file that starts like this; NULL when it is none of them. */
const struct spht_feed *spht_feed_find(const void *head, size_t len);

/* What a child is to read. */
struct spht_feed_job {
	int fd; /* the file, from its beginning */
	const char *name;
	uint64_t done; /* progress of former slices */
	const void *rest; /* where they stopped; NULL for the first */
	size_t rest_len;
};

enum spht_feed_message {
	/*
	 * JSON, first slice: {"header": {...}, "types": [...], "stats": [...],
	 * "notes": [...], "bytes": "0x..."}.
	 */
	SPHT_FEED_PLAN = 1,
	SPHT_FEED_EVENTS, /* struct spht_feed_event, one after the other; in order on each CPU */
	SPHT_FEED_ALIVE, /* only for its `done` */
	/* JSON: [[system, event, count], ...] of this slice; a fourth value: these are no events. */
	SPHT_FEED_SKIPPED,
	SPHT_FEED_BOOKS, /* struct spht_feed_book[], since the beginning */
	/* The end of a slice: what the next one is to be given; nothing when all is read. */
	SPHT_FEED_REST,
	SPHT_FEED_ERROR, /* text: why it gives up */
};

/* One event, or (type SPHT_FEED_LOST) v[0] lost ones; only @nwords of v are sent. */
#define SPHT_FEED_LOST 0xff
struct spht_feed_event {
	uint64_t ts;
	int32_t pid;
	uint16_t cpu;
	uint8_t type, flags, preempt, nwords;
	uint8_t unused[6];
	uint64_t v[SPHT_EVENT_SLOTS];
};

/* A part of the books of a CPU; it may have several, which add up. */
struct spht_feed_book {
	uint32_t cpu;
	uint32_t unused;
	uint64_t read; /* events, of all systems */
	uint64_t empty_pages; /* in which none was found */
	uint64_t lost; /* according to the recording, where there are no statistics */
};

/* The child's side: events are gathered to large messages. */
struct spht_feed_out {
	struct spht_pipe *pipe;
	const char *name; /* of the file */
	struct spht_error *err;
	uint64_t done; /* progress, told with every message */
	uint64_t quiet; /* ticks since the last message */
	uint8_t *batch;
	size_t len;
};

/* All return 0, or -1 with @err set. */
int spht_feed_open(struct spht_feed_out *o);
int spht_feed_send(struct spht_feed_out *o, uint32_t type, const void *data, size_t len);
/* Takes over @j; NULL is no memory. */
int spht_feed_send_json(struct spht_feed_out *o, uint32_t type, json_t *j);
/* An event as it is sent, from spht_feed_encode(). */
int spht_feed_put(struct spht_feed_out *o, const void *event, size_t len);
/* To be called for each thing that is read: a sign of life now and then. */
int spht_feed_tick(struct spht_feed_out *o);
/* Sends what has been put, at least a sign of life. */
int spht_feed_flush(struct spht_feed_out *o);

/* @ev with @nwords of v[]; the length. */
size_t spht_feed_encode(struct spht_feed_event *out, const struct spht_event *ev,
			unsigned int nwords);
/* @lost events (or SPHT_LOST_UNKNOWN) of @cpu; the length. */
size_t spht_feed_encode_lost(struct spht_feed_event *out, uint64_t ts, unsigned int cpu,
			     uint64_t lost);

#endif
