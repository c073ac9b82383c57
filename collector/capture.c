// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <kbuffer.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "le.h"
#include "now.h"

/*
 * What a recorder that is killed may lose: blocks are written this often, and
 * no CPU waits longer than WAIT_MAX for its buffer to be looked at.
 */
#define FLUSH_NS    500000000ull
#define WAIT_MIN_MS 2
#define WAIT_MAX_MS 100
/* Wait shorter when this much of a buffer filled meanwhile, longer below a quarter of it. */
#define FILL_SHARE  8
#define CACHE_BITS  6
/* The page that is being filled is one; more are made only while it is looked at. */
#define PARTIAL_MAX 4

/* Whose a thread is, asked once in a while: the answer costs some files of /proc. */
struct owner {
	pid_t tid;
	bool keep;
	uint64_t asked;
};

/* Written by the thread, read by everyone. */
struct counters {
	_Atomic uint64_t read, stored, filtered, skipped, faults;
	_Atomic uint64_t gaps, unknown_gaps, lost, backwards;
};

struct spht_capture {
	const struct spht_capture_shared *shared;
	unsigned int cpu;
	struct tracefs_cpu *source;
	struct kbuffer *kbuf;
	void *page;
	pthread_t thread;
	bool running;
	atomic_bool failed;
	struct spht_error err;
	struct counters n;
	uint64_t last_ts, flushed_at;
	uint64_t read_ts; /* of the last event read, as the buffer has it */
	bool seen, pending; /* a gap was told, and no event was stored since */
	unsigned int holes; /* of shared->holes, those that are told */
	struct owner owners[1 << CACHE_BITS];
};

/* One writer: no need for an atomic addition, only for readers that see no half number. */
static void count(_Atomic uint64_t *n, uint64_t by)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + by,
			      memory_order_relaxed);
}

static bool is_wanted(struct spht_capture *c, pid_t tid)
{
	struct owner *o = &c->owners[(unsigned int)tid & ((1u << CACHE_BITS) - 1)];

	if (!c->shared->vms)
		return true;
	if (o->tid != tid || o->asked != c->flushed_at) {
		o->tid = tid;
		o->asked = c->flushed_at;
		o->keep = spht_vm_of(c->shared->vms, tid) != SPHT_VM_OTHER;
	}
	return o->keep;
}

static uint64_t in_ns(const struct spht_capture *c, uint64_t ts)
{
	const struct spht_capture_clock *k = &c->shared->clock;

	if (!k->num)
		return ts;
	/* Before the base is what only a TSC that differs from CPU to CPU can be. */
	ts = ts > k->base ? ts - k->base : 0;
	return k->add + (uint64_t)(((unsigned __int128)ts * k->num) >> 32);
}

/* The kernel promises that time does not run backwards on a CPU; the file cannot hold it. */
static uint64_t event_time(struct spht_capture *c, uint64_t ts)
{
	ts = in_ns(c, ts);
	if (c->seen && ts < c->last_ts) {
		count(&c->n.backwards, 1);
		ts = c->last_ts;
	}
	c->seen = true;
	c->last_ts = ts;
	return ts;
}

static int take_event(struct spht_capture *c, const void *record, uint64_t ts)
{
	int size = kbuffer_event_size(c->kbuf), rc;
	struct spht_event ev; /* not cleared: 150 bytes for each event, and all that is read is set */

	ev.cpu = (uint16_t)c->cpu;
	ev.preamble = false;
	rc = spht_types_read(c->shared->types, record, size, &ev);
	count(&c->n.read, 1);
	if (rc < 0) {
		spht_error_set(&c->err,
			       "CPU %u: an event of %d bytes is shorter than its format: this "
			       "kernel does not describe its events as expected",
			       c->cpu, size);
		return -1;
	}
	if (!rc) {
		count(&c->n.skipped, 1);
		return 0;
	}
	if (!is_wanted(c, ev.pid)) {
		count(&c->n.filtered, 1);
		return 0;
	}
	c->pending = false;
	ev.ts = event_time(c, ts);
	count(&c->n.stored, 1);
	if (ev.id == SPHT_EV_PAGE_FAULT)
		count(&c->n.faults, 1);
	return spht_writer_append(c->shared->writer, &ev, &c->err);
}

/*
 * @lost events, before @ts of the buffer's clock: the time of the next event.
 * That of a page alone may be older than what was read before it.
 */
static int take_gap(struct spht_capture *c, uint64_t lost, uint64_t ts)
{
	ts = in_ns(c, ts);
	if (c->seen && ts < c->last_ts)
		ts = c->last_ts;
	count(&c->n.gaps, 1);
	if (lost != SPHT_LOST_UNKNOWN)
		count(&c->n.lost, lost);
	else
		count(&c->n.unknown_gaps, 1);
	c->pending = true;
	return spht_writer_lost_at(c->shared->writer, c->cpu, lost, ts, &c->err);
}

static int take_page(struct spht_capture *c)
{
	unsigned long long ts;
	void *record;
	uint64_t missed;

	if (kbuffer_load_subbuffer(c->kbuf, c->page)) {
		spht_error_set(&c->err, "CPU %u: a page of the trace buffer makes no sense",
			       c->cpu);
		return -1;
	}
	missed = spht_ring_missed(c->page);
	record = kbuffer_read_event(c->kbuf, &ts);
	if (missed && take_gap(c, missed, record ? ts : spht_get64(c->page)))
		return -1;
	for (; record; record = kbuffer_next_event(c->kbuf, &ts)) {
		c->read_ts = ts;
		if (take_event(c, record, ts))
			return -1;
	}
	/* Where all that follows is of other VMs the gap gets a block of its own, in its place. */
	if (!c->pending)
		return 0;
	c->pending = false;
	return spht_writer_flush_cpu(c->shared->writer, c->cpu, &c->err);
}

typedef int read_fn(struct spht_capture *c);

/* Full pages only, many at a time and without copying them in the kernel. */
static int read_full(struct spht_capture *c)
{
	return tracefs_cpu_buffered_read(c->source, c->page, true);
}

/* The page that is being filled, too. */
static int read_any(struct spht_capture *c)
{
	return tracefs_cpu_read(c->source, c->page, true);
}

/* What a pipe of libtracefs still holds, then everything. */
static int read_last(struct spht_capture *c)
{
	return tracefs_cpu_flush(c->source, c->page);
}

/* Pages taken, at most @max, so that one who writes faster than we read keeps nobody; or -1. */
static int drain(struct spht_capture *c, read_fn *read_page, int max)
{
	int n, pages = 0;

	while (pages < max) {
		errno = 0;
		n = read_page(c);
		if (n < 0 && errno == EINTR)
			continue;
		/* ENODEV: a CPU that is off line, whose buffer is made when it comes. */
		if (n < 0 && errno != EAGAIN && errno != ENODEV) {
			spht_error_set(&c->err, "per_cpu/cpu%u/trace_pipe_raw: cannot read: %s",
				       c->cpu, strerror(errno));
			return -1;
		}
		if (n <= 0)
			return pages;
		pages++;
		if (take_page(c))
			return -1;
	}
	return pages;
}

/* Somebody has meddled: since the last look, or all along, events may be missing. */
static int tell_holes(struct spht_capture *c)
{
	unsigned int holes = atomic_load(&c->shared->holes);

	if (holes == c->holes)
		return 0;
	c->holes = holes;
	return take_gap(c, SPHT_LOST_UNKNOWN, c->read_ts);
}

/*
 * At most so much is lost when the recorder is killed.  @behind: full pages are
 * left, maybe in a pipe of libtracefs, and what is read past them would be younger.
 */
static int flush_if_due(struct spht_capture *c, bool behind)
{
	uint64_t now = spht_now(CLOCK_MONOTONIC);

	if (now - c->flushed_at < FLUSH_NS)
		return 0;
	if ((!behind && drain(c, read_any, PARTIAL_MAX) < 0) || tell_holes(c))
		return -1;
	c->flushed_at = now;
	return spht_writer_flush_cpu(c->shared->writer, c->cpu, &c->err);
}

/* Until the buffers are switched off and empty. */
static int run(struct spht_capture *c)
{
	const int buffer_pages = (int)(spht_ring_bytes(c->shared->ring) / 4096) + 1;
	struct pollfd stop = {.fd = c->shared->stop, .events = POLLIN};
	int wait = WAIT_MIN_MS, pages;

	for (;;) {
		if (poll(&stop, 1, wait) > 0)
			break;
		pages = drain(c, read_full, buffer_pages);
		if (pages < 0 || flush_if_due(c, pages == buffer_pages))
			return -1;
		if (pages > buffer_pages / FILL_SHARE)
			wait = wait / 2 > WAIT_MIN_MS ? wait / 2 : WAIT_MIN_MS;
		else if (pages < buffer_pages / FILL_SHARE / 4 && wait < WAIT_MAX_MS)
			wait++;
	}
	return drain(c, read_last, INT_MAX) < 0 ? -1 : 0;
}

static void *thread(void *arg)
{
	struct spht_capture *c = arg;
	uint64_t one = 1;

	if (run(c)) {
		c->failed = true;
		if (write(c->shared->wake, &one, sizeof(one)) != sizeof(one))
			c->failed = true; /* the main loop looks once a second anyway */
	}
	return NULL;
}

struct spht_capture *spht_capture_open(const struct spht_capture_shared *shared, unsigned int cpu,
				       struct spht_error *err)
{
	struct spht_capture *c = calloc(1, sizeof(*c));
	int size;

	if (!c)
		goto no_memory;
	c->shared = shared;
	c->cpu = cpu;
	c->read_ts = shared->clock.begin;
	c->flushed_at = spht_now(CLOCK_MONOTONIC);
	errno = 0;
	c->source = tracefs_cpu_open(spht_ring_instance(shared->ring), (int)cpu, true);
	if (!c->source) {
		spht_error_set(err,
			       "per_cpu/cpu%u/trace_pipe_raw of %s: cannot open: %s; too many open "
			       "files are mended by ulimit -n",
			       cpu, spht_ring_name(shared->ring), strerror(errno));
		goto fail;
	}
	size = tracefs_cpu_read_size(c->source);
	/* libtracefs asks the top instance, and ours was left at what kernels start with. */
	if (size != 4096) {
		spht_error_set(err,
			       "the trace buffers of this machine have pages of %d bytes, 4096 are "
			       "expected",
			       size);
		goto fail;
	}
	c->page = malloc((size_t)size);
	c->kbuf = kbuffer_alloc(KBUFFER_LSIZE_SAME_AS_HOST, KBUFFER_ENDIAN_SAME_AS_HOST);
	if (c->page && c->kbuf)
		return c;
no_memory:
	spht_error_set(err, "CPU %u: out of memory", cpu);
fail:
	spht_capture_close(c);
	return NULL;
}

int spht_capture_start(struct spht_capture *c, struct spht_error *err)
{
	int rc = pthread_create(&c->thread, NULL, thread, c);

	if (rc) {
		spht_error_set(err, "CPU %u: cannot start a thread: %s", c->cpu, strerror(rc));
		return -1;
	}
	c->running = true;
	return 0;
}

int spht_capture_join(struct spht_capture *c, struct spht_error *err)
{
	if (c->running)
		pthread_join(c->thread, NULL);
	else if (!c->failed && drain(c, read_last, INT_MAX) < 0)
		c->failed = true;
	c->running = false;
	if (c->failed)
		*err = c->err;
	return c->failed ? -1 : 0;
}

unsigned int spht_capture_cpu(const struct spht_capture *c)
{
	return c->cpu;
}

bool spht_capture_failed(const struct spht_capture *c)
{
	return c->failed;
}

void spht_capture_counts(const struct spht_capture *c, struct spht_capture_counts *to)
{
	const struct counters *n = &c->n;

	to->read = atomic_load_explicit(&n->read, memory_order_relaxed);
	to->stored = atomic_load_explicit(&n->stored, memory_order_relaxed);
	to->filtered = atomic_load_explicit(&n->filtered, memory_order_relaxed);
	to->skipped = atomic_load_explicit(&n->skipped, memory_order_relaxed);
	to->faults = atomic_load_explicit(&n->faults, memory_order_relaxed);
	to->gaps = atomic_load_explicit(&n->gaps, memory_order_relaxed);
	to->unknown_gaps = atomic_load_explicit(&n->unknown_gaps, memory_order_relaxed);
	to->lost = atomic_load_explicit(&n->lost, memory_order_relaxed);
	to->backwards = atomic_load_explicit(&n->backwards, memory_order_relaxed);
}

void spht_capture_let_go(struct spht_capture *c)
{
	if (c->source)
		tracefs_cpu_close(c->source);
	c->source = NULL;
}

void spht_capture_close(struct spht_capture *c)
{
	if (!c)
		return;
	spht_capture_let_go(c);
	if (c->kbuf)
		kbuffer_free(c->kbuf);
	free(c->page);
	free(c);
}
