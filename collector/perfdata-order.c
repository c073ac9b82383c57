// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "perfdata-order.h"
#include "spht_trace.h"

/* Sorting pays by the megabyte; more than MOST is never held. */
#define ENOUGH (16u << 20)
#define MOST   (64u << 20)

struct entry {
	uint64_t ts;
	uint32_t at; /* in the events of the CPU */
	uint32_t len;
};

struct queue {
	struct entry *entries;
	uint8_t *events;
	size_t nr, room, len, size;
	uint64_t reached; /* the time of the last event that was passed on */
	bool started;
};

struct perfdata_order {
	int (*emit)(void *arg, const struct spht_feed_event *ev, size_t len);
	void *arg;
	struct queue *cpus[SPHT_MAX_CPUS];
	size_t held; /* bytes, entries included */
	uint64_t newest, newest_before; /* now, and at the end of the last round */
	uint64_t safe; /* nothing older than that will come */
	uint64_t late_ts, late_reached;
	unsigned int late_cpu;
};

struct perfdata_order *
perfdata_order_new(int (*emit)(void *arg, const struct spht_feed_event *ev, size_t len), void *arg)
{
	struct perfdata_order *o = calloc(1, sizeof(*o));

	if (o) {
		o->emit = emit;
		o->arg = arg;
	}
	return o;
}

static void free_contents(struct queue *q)
{
	free(q->entries);
	free(q->events);
	q->entries = NULL;
	q->events = NULL;
	q->nr = q->room = q->len = q->size = 0;
}

void perfdata_order_free(struct perfdata_order *o)
{
	if (!o)
		return;
	for (unsigned int cpu = 0; cpu < SPHT_MAX_CPUS; cpu++) {
		if (o->cpus[cpu])
			free_contents(o->cpus[cpu]);
		free(o->cpus[cpu]);
	}
	free(o);
}

void perfdata_order_late(const struct perfdata_order *o, unsigned int *cpu, uint64_t *ts,
			 uint64_t *reached)
{
	*cpu = o->late_cpu;
	*ts = o->late_ts;
	*reached = o->late_reached;
}

/* The first entry behind a run that is in order from @i on. */
static size_t run_end(const struct entry *e, size_t nr, size_t i)
{
	for (i++; i < nr && e[i - 1].ts <= e[i].ts; i++)
		;
	return i;
}

static void merge(const struct entry *a, size_t nr_a, const struct entry *b, size_t nr_b,
		  struct entry *to)
{
	while (nr_a && nr_b) {
		if (b->ts < a->ts) {
			*to++ = *b++;
			nr_b--;
		} else {
			*to++ = *a++;
			nr_a--;
		}
	}
	memcpy(to, a, nr_a * sizeof(*a));
	memcpy(to + nr_a, b, nr_b * sizeof(*b));
}

/* Merges runs until there is one: nothing to do for what is in order already, as it mostly is. */
static int sort(struct queue *q)
{
	struct entry *from = q->entries, *to;

	if (!q->nr || run_end(from, q->nr, 0) == q->nr)
		return 0;
	to = malloc(q->room * sizeof(*to));
	if (!to)
		return PERFDATA_ORDER_MEMORY;
	while (run_end(from, q->nr, 0) < q->nr) {
		struct entry *swap = from;

		for (size_t i = 0, mid, end; i < q->nr; i = end) {
			mid = run_end(from, q->nr, i);
			end = mid < q->nr ? run_end(from, q->nr, mid) : mid;
			merge(from + i, mid - i, from + mid, end - mid, to + i);
		}
		from = to;
		to = swap;
	}
	q->entries = from;
	free(to);
	return 0;
}

/* Passes on the first @nr entries. */
static int emit(struct perfdata_order *o, unsigned int cpu, size_t nr)
{
	struct queue *q = o->cpus[cpu];
	struct spht_feed_event ev;

	for (size_t i = 0; i < nr; i++) {
		const struct entry *e = &q->entries[i];

		if (q->started && e->ts < q->reached) {
			o->late_cpu = cpu;
			o->late_ts = e->ts;
			o->late_reached = q->reached;
			return PERFDATA_ORDER_LATE;
		}
		q->started = true;
		q->reached = e->ts;
		memcpy(&ev, q->events + e->at, e->len);
		ev.ts = e->ts;
		if (o->emit(o->arg, &ev, e->len))
			return PERFDATA_ORDER_EMIT;
	}
	return 0;
}

/* Keeps what is behind the first @nr entries, in the order of time. */
static int keep_rest(struct perfdata_order *o, struct queue *q, size_t nr)
{
	size_t len = 0;
	uint8_t *events;

	for (size_t i = 0; i < nr; i++)
		o->held -= sizeof(struct entry) + q->entries[i].len;
	if (nr == q->nr) {
		free_contents(q);
		return 0;
	}
	events = malloc(q->size);
	if (!events)
		return PERFDATA_ORDER_MEMORY;
	for (size_t i = nr; i < q->nr; i++) {
		struct entry *e = &q->entries[i];

		memcpy(events + len, q->events + e->at, e->len);
		q->entries[i - nr] = (struct entry){e->ts, (uint32_t)len, e->len};
		len += e->len;
	}
	free(q->events);
	q->events = events;
	q->len = len;
	q->nr -= nr;
	return 0;
}

/* Passes on what is not newer than @limit; with @half at least the older half of each CPU. */
static int pass_on(struct perfdata_order *o, uint64_t limit, bool half)
{
	for (unsigned int cpu = 0; cpu < SPHT_MAX_CPUS; cpu++) {
		struct queue *q = o->cpus[cpu];
		size_t nr;
		int rc;

		if (!q || !q->nr)
			continue;
		rc = sort(q);
		if (rc)
			return rc;
		nr = half ? q->nr / 2 : 0;
		while (nr < q->nr && q->entries[nr].ts <= limit)
			nr++;
		rc = emit(o, cpu, nr);
		if (!rc && nr)
			rc = keep_rest(o, q, nr);
		if (rc)
			return rc;
	}
	return 0;
}

static int make_room(struct queue *q, size_t len)
{
	struct entry *entries;
	uint8_t *events;

	if (q->nr == q->room) {
		size_t room = q->room ? 2 * q->room : 64;

		entries = realloc(q->entries, room * sizeof(*entries));
		if (!entries)
			return -1;
		q->entries = entries;
		q->room = room;
	}
	if (len > q->size - q->len) {
		size_t size = q->size ? 2 * q->size : 4096;

		events = realloc(q->events, size);
		if (!events)
			return -1;
		q->events = events;
		q->size = size;
	}
	return 0;
}

int perfdata_order_add(struct perfdata_order *o, const struct spht_feed_event *ev, size_t len)
{
	struct queue *q = o->cpus[ev->cpu];
	int rc;

	if (o->held > MOST) {
		/* In rounds larger than that only what overtakes half of it is not put in order. */
		rc = pass_on(o, o->safe, true);
		if (rc)
			return rc;
	}
	if (!q) {
		q = calloc(1, sizeof(*q));
		if (!q)
			return PERFDATA_ORDER_MEMORY;
		o->cpus[ev->cpu] = q;
	}
	if (make_room(q, len))
		return PERFDATA_ORDER_MEMORY;
	memcpy(q->events + q->len, ev, len);
	q->entries[q->nr++] = (struct entry){ev->ts, (uint32_t)q->len, (uint32_t)len};
	q->len += len;
	o->held += sizeof(struct entry) + len;
	if (ev->ts > o->newest)
		o->newest = ev->ts;
	return 0;
}

int perfdata_order_round(struct perfdata_order *o)
{
	o->safe = o->newest_before;
	o->newest_before = o->newest;
	return o->held > ENOUGH ? pass_on(o, o->safe, false) : 0;
}

int perfdata_order_end(struct perfdata_order *o)
{
	return pass_on(o, UINT64_MAX, false);
}
