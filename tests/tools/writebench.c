// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Writes the events of a .spht file anew: the speed of the writer alone.  The
 * events wait in memory, packed, and are handed over in batches, so that they
 * come from a warm cache as a recorder's do; only append and close are timed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "spht_trace.h"

#define BATCH 512u

/* All of an event but its words. */
#define FIXED offsetof(struct spht_event, v)

struct store {
	uint8_t *buf;
	size_t len, cap;
	uint64_t events;
};

struct bench {
	const char *in, *out;
	int level;
	uint64_t max;
	struct spht_reader *reader;
	const struct spht_event_type *types;
	unsigned int nr_types;
	uint8_t words[256]; /* of payload, by type */
	struct store store;
	uint64_t used_ns;
};

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void count_words(struct bench *b)
{
	b->types = spht_reader_types(b->reader, &b->nr_types);
	for (unsigned int i = 0; i < b->nr_types && i < 256; i++) {
		const struct spht_event_type *t = &b->types[i];

		for (unsigned int f = 0; f < t->nr_fields; f++) {
			unsigned int end = t->fields[f].slot + t->fields[f].nwords;

			if (end > b->words[i] && end <= SPHT_EVENT_SLOTS)
				b->words[i] = (uint8_t)end;
		}
	}
}

static int keep(struct store *s, const struct spht_event *ev, size_t size)
{
	if (s->len + size > s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 1 << 24;
		uint8_t *buf = realloc(s->buf, cap);

		if (!buf)
			return -1;
		s->buf = buf;
		s->cap = cap;
	}
	memcpy(s->buf + s->len, ev, size);
	s->len += size;
	s->events++;
	return 0;
}

static int read_all(struct bench *b, struct spht_error *err)
{
	const struct spht_event *ev;
	int rc = 0;

	while (b->store.events < b->max && (rc = spht_reader_next(b->reader, &ev, err)) > 0) {
		if (ev->id == SPHT_EV_LOST)
			continue;
		if (keep(&b->store, ev, FIXED + 8u * b->words[ev->type])) {
			spht_error_set(err, "%s: more events than there is memory for", b->in);
			return -1;
		}
	}
	return rc < 0 ? -1 : 0;
}

/* The next events into @batch; how many. */
static unsigned int unpack(const struct bench *b, size_t *at, struct spht_event *batch)
{
	unsigned int n = 0;

	for (; n < BATCH && *at < b->store.len; n++) {
		const uint8_t *from = b->store.buf + *at;
		size_t size;

		memcpy(&batch[n], from, FIXED);
		size = FIXED + 8u * b->words[batch[n].type];
		memcpy(&batch[n], from, size);
		*at += size;
	}
	return n;
}

static int write_all(struct bench *b, struct spht_error *err)
{
	static struct spht_event batch[BATCH];
	struct spht_writer *w = spht_writer_open(b->out, SPHT_WRITE_OVERWRITE, NULL, b->types,
						 b->nr_types, b->level, err);
	unsigned int n;
	size_t at = 0;
	uint64_t start;
	int rc = 0;

	if (!w)
		return -1;
	while (!rc && (n = unpack(b, &at, batch))) {
		start = cpu_ns();
		for (unsigned int i = 0; !rc && i < n; i++)
			rc = spht_writer_append(w, &batch[i], err);
		b->used_ns += cpu_ns() - start;
	}
	start = cpu_ns();
	if (rc || spht_writer_close(w, NULL, 0, NULL, err)) {
		spht_writer_abort(w);
		return -1;
	}
	b->used_ns += cpu_ns() - start;
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b = {.level = 3, .max = UINT64_MAX};
	struct spht_error err;
	int rc;

	if (argc < 3 || argc > 5) {
		fprintf(stderr, "usage: writebench IN.spht OUT.spht [LEVEL [MAX_EVENTS]]\n");
		return 2;
	}
	b.in = argv[1];
	b.out = argv[2];
	if (argc > 3)
		b.level = atoi(argv[3]);
	if (argc > 4)
		b.max = strtoull(argv[4], NULL, 10);
	b.reader = spht_reader_open(b.in, 0, &err);
	if (!b.reader) {
		fprintf(stderr, "writebench: %s\n", err.text);
		return 1;
	}
	count_words(&b);
	rc = read_all(&b, &err);
	if (!rc)
		rc = write_all(&b, &err);
	spht_reader_close(b.reader);
	free(b.store.buf);
	if (rc) {
		fprintf(stderr, "writebench: %s\n", err.text);
		return 1;
	}
	printf("%" PRIu64 " events, %.3f CPU s, %.1f ns/event\n", b.store.events,
	       (double)b.used_ns / 1e9,
	       b.store.events ? (double)b.used_ns / (double)b.store.events : 0);
	return 0;
}
