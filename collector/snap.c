// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "now.h"
#include "snap-local.h"

/*
 * A record is younger than the moment its room was taken, so all that are older than the
 * beginning of a look that saw every record are there after it.  The kernel's fast clock may
 * be a little off.
 */
#define CLOCK_SLACK_NS 1000000ull
#define FLUSH_NS       500000000ull
#define WAIT_MIN_MS    1
#define WAIT_MAX_MS    50
#define LAST_LOOKS     1000 /* of 1 ms, for programs that still run when they are detached */

static int write_snap(struct spht_snap *s, const struct snap_record *r, uint64_t flags,
		      unsigned int entries)
{
	struct spht_event ev = {
		.ts = s->last_ts,
		.pid = (int32_t)r->tid,
		.cpu = (uint16_t)s->target.cpu,
		.id = SPHT_EV_SNAP,
		.type = (uint8_t)s->target.type,
	};

	ev.v[SPHT_SNAP_GFN] = r->gfn;
	ev.v[SPHT_SNAP_ROLE] = r->role;
	ev.v[SPHT_SNAP_KIND] = r->kind;
	ev.v[SPHT_SNAP_FLAGS] = flags;
	ev.v[SPHT_SNAP_ENTRIES] = entries;
	return spht_writer_append(s->target.writer, &ev, &s->err);
}

static int write_entries(struct spht_snap *s, const struct snap_record *r,
			 const struct spht_snap_diff *d)
{
	struct spht_event ev = {
		.ts = s->last_ts,
		.pid = (int32_t)r->tid,
		.cpu = (uint16_t)s->target.cpu,
		.id = SPHT_EV_SNAP_ENTRY,
		.type = (uint8_t)(s->target.type + 1),
	};

	ev.v[SPHT_SNAP_ENTRY_GFN] = r->gfn;
	for (unsigned int i = 0; i < d->nr; i++) {
		ev.v[SPHT_SNAP_ENTRY_INDEX] = d->index[i];
		ev.v[SPHT_SNAP_ENTRY_VALUE] = r->page[d->index[i]];
		if (spht_writer_append(s->target.writer, &ev, &s->err))
			return -1;
	}
	return 0;
}

static int store_page(struct spht_snap *s, const struct snap_record *r)
{
	struct spht_snap_diff d;

	if (spht_snap_tables_diff(s->tables, r->gfn, r->page, &d)) {
		spht_error_set(&s->err, "out of memory for the guest's page tables");
		return -1;
	}
	s->n.taken++;
	s->n.entries += d.nr;
	s->n.full += d.full;
	s->kinds[r->kind]++;
	return write_snap(s, r, d.full ? SPHT_SNAP_FULL : 0, d.nr) || write_entries(s, r, &d) ? -1
											      : 0;
}

static bool is_wanted(struct spht_snap *s, const struct snap_record *r)
{
	if (!s->target.vms)
		return true;
	if (s->owner != r->tid || s->asked != s->flushed_at) {
		s->owner = r->tid;
		s->asked = s->flushed_at;
		s->keep = spht_vm_of(s->target.vms, (pid_t)r->tid) != SPHT_VM_OTHER;
	}
	return s->keep;
}

/* Those that found no room before this one. */
static int store_loss(struct spht_snap *s, uint64_t dropped, uint64_t ts)
{
	uint64_t lost = dropped > s->told ? dropped - s->told : 0;

	if (!lost)
		return 0;
	s->told = dropped;
	return spht_writer_lost_at(s->target.writer, s->target.cpu, lost, ts, &s->err);
}

static void keep_slots(struct spht_snap *s, const struct snap_record *r)
{
	s->nr_slots = r->role < SNAP_SLOTS ? r->role : SNAP_SLOTS;
	memcpy(s->slots, r->page, s->nr_slots * sizeof(s->slots[0]));
	s->slot_changes++;
}

static int store(struct spht_snap *s, const struct snap_record *r)
{
	if (r->kind != SNAP_KIND_SLOTS && r->kind >= SPHT_SNAP_KINDS)
		return 0;
	if (!is_wanted(s, r)) {
		s->n.filtered++;
		return 0;
	}
	s->n.late += r->ts < s->last_ts;
	if (r->ts > s->last_ts)
		s->last_ts = r->ts;
	if (store_loss(s, r->dropped, s->last_ts))
		return -1;
	if (r->vm && r->vm != s->vm) {
		spht_snap_tables_clear(s->tables);
		s->vm = r->vm;
		s->vms++;
	}
	if (r->kind == SNAP_KIND_SLOTS) {
		keep_slots(s, r);
		return 0;
	}
	if (r->status == SNAP_OK)
		return store_page(s, r);
	s->n.unreadable++;
	s->why[r->status < SNAP_STATUSES ? r->status : 0]++;
	return spht_snap_tables_forget(s->tables, r->gfn)
		       ? write_snap(s, r, SPHT_SNAP_UNREADABLE, 0)
		       : 0;
}

/* Stores what is older than @limit. */
static int store_until(struct spht_snap *s, uint64_t limit)
{
	const struct snap_record *r;

	while ((r = spht_snap_order_take(s->order, limit)))
		if (store(s, r))
			return -1;
	return 0;
}

/* Takes what is in the ring: 1 when nothing that was begun is missing, 0, or -1. */
static int look(struct spht_snap *s)
{
	uint64_t since = spht_now(CLOCK_MONOTONIC), end = spht_snap_ring_end(&s->ring);
	const struct snap_record *r;
	size_t len, head = offsetof(struct snap_record, page);
	bool whole;

	while ((r = spht_snap_ring_next(&s->ring, end, &len, &whole))) {
		bool page = len >= sizeof(*r) && r->status == SNAP_OK;

		if (len >= head && spht_snap_order_add(s->order, r, page ? sizeof(*r) : head)) {
			spht_error_set(&s->err, "out of memory for snapshots of page tables");
			return -1;
		}
		spht_snap_ring_pass(&s->ring);
		s->seen++;
	}
	if (whole && store_until(s, since - CLOCK_SLACK_NS))
		return -1;
	return whole;
}

/* What others look at while the thread works. */
static void publish(struct spht_snap *s)
{
	pthread_mutex_lock(&s->lock);
	s->published = s->n;
	pthread_mutex_unlock(&s->lock);
}

static int flush_if_due(struct spht_snap *s)
{
	uint64_t now = spht_now(CLOCK_MONOTONIC);

	if (now - s->flushed_at < FLUSH_NS)
		return 0;
	s->flushed_at = now;
	publish(s);
	return spht_writer_flush_cpu(s->target.writer, s->target.cpu, &s->err);
}

static int run(struct spht_snap *s)
{
	struct pollfd stop = {.fd = s->stop, .events = POLLIN};
	int wait = WAIT_MIN_MS, rc = 0;

	while (poll(&stop, 1, wait) <= 0) {
		uint64_t before = s->seen;

		if (look(s) < 0 || flush_if_due(s))
			return -1;
		wait = s->seen != before ? WAIT_MIN_MS : wait < WAIT_MAX_MS ? wait + 1 : wait;
	}
	spht_snap_program_detach(s->program);
	/* The slack must have passed, too. */
	for (int i = 0; i < LAST_LOOKS && !rc; i++) {
		usleep(2 * CLOCK_SLACK_NS / 1000);
		rc = look(s);
	}
	if (rc < 0 || store_until(s, UINT64_MAX))
		return -1;
	s->n.dropped = spht_snap_program_dropped(s->program);
	if (store_loss(s, s->n.dropped, s->last_ts))
		return -1;
	return spht_writer_flush_cpu(s->target.writer, s->target.cpu, &s->err);
}

static void *thread(void *arg)
{
	struct spht_snap *s = arg;
	uint64_t one = 1;

	if (run(s)) {
		s->failed = true;
		if (write(s->target.wake, &one, sizeof(one)) != sizeof(one))
			s->failed = true; /* the main loop looks once a second anyway */
	}
	publish(s);
	return NULL;
}

int spht_snap_start(struct spht_snap *s, const struct spht_snap_target *target,
		    struct spht_error *err)
{
	sigset_t all, before;
	int rc;

	s->target = *target;
	s->flushed_at = spht_now(CLOCK_MONOTONIC);
	if (spht_snap_program_attach(s->program, err))
		return -1;
	/* Signals are the main thread's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&s->thread, NULL, thread, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		spht_error_set(err, "--snap: cannot start a thread: %s", strerror(rc));
		return -1;
	}
	s->running = true;
	return 0;
}

int spht_snap_stop(struct spht_snap *s, struct spht_error *err)
{
	uint64_t one = 1;

	if (s->running) {
		if (write(s->stop, &one, sizeof(one)) != sizeof(one))
			return -1;
		pthread_join(s->thread, NULL);
	}
	s->running = false;
	if (s->failed)
		*err = s->err;
	return s->failed ? -1 : 0;
}

bool spht_snap_failed(const struct spht_snap *s)
{
	return s->failed;
}

void spht_snap_counts(const struct spht_snap *s, struct spht_snap_counts *c)
{
	struct spht_snap *unlocked = (struct spht_snap *)s;

	pthread_mutex_lock(&unlocked->lock);
	*c = s->published;
	pthread_mutex_unlock(&unlocked->lock);
	c->dropped = spht_snap_program_dropped(s->program);
}
