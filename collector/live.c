// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kvm-stats.h"
#include "host.h"
#include "live-local.h"
#include "message.h"
#include "now.h"
#include "proc.h"
#include "proc.h"

#define TICK_MS       1000
#define COMMAND_GRACE 10 /* seconds after SIGTERM */
#define NS            1000000000ull
#define SIZE_TICK_NS  50000000ull /* how often --size is looked at */
#define OUT_ROOM      65536 /* bytes: how near to --size is near enough */

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Four files for each CPU; many machines start programs with a limit of 1024. */
static void raise_file_limit(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int open_vm(struct live *l)
{
	pid_t pid = l->o->vm ? l->o->vm : l->command.pid;

	l->vms = spht_vm_open(pid);
	if (!l->vms) {
		spht_error_set(&l->err, "out of memory");
		return -1;
	}
	/* Threads of one VM would be taken for another one's. */
	l->foreign = !spht_proc_is_initial();
	if (pid && !l->o->all && !l->foreign)
		l->shared.vms = l->vms;
	if (l->foreign && !l->o->all)
		spht_message("this is not the host's pid namespace: threads cannot be told apart, "
			     "so the events of every VM are recorded");
	if (!l->o->vm)
		return 0;
	l->vm_fd = pidfd_open(l->o->vm, 0);
	if (l->vm_fd >= 0 && !spht_proc_kvm(l->o->vm, NULL))
		spht_message("--vm=%d: has no VM open, yet; is it the process that you mean?",
			     (int)l->o->vm);
	if (l->vm_fd >= 0)
		return 0;
	/* Of a thread that is no process kernels say EINVAL, those since 6.15 ENOENT. */
	spht_error_set(&l->err, "--vm=%d: %s", (int)l->o->vm,
		       errno == ESRCH ? "there is no such process"
		       : errno == ENOENT || errno == EINVAL
			       ? "is a thread; its process is expected, Tgid in /proc/PID/status"
			       : strerror(errno));
	return -1;
}

/* A clock that counts cycles becomes ns by the rate that the header tells. */
static int set_clock(struct live *l, const json_t *header)
{
	json_int_t khz =
		json_integer_value(json_object_get(json_object_get(header, "host"), "tsc_khz"));
	const char *tsc = json_string_value(json_object_get(l->clock_start, "tsc"));
	const char *mono = json_string_value(json_object_get(l->clock_start, "mono"));

	l->shared.clock.begin = mono ? strtoull(mono, NULL, 16) : 0;
	if (strcmp(l->o->clock, "x86-tsc"))
		return 0;
	if (khz <= 0 || !tsc || !mono) {
		spht_error_set(&l->err,
			       "--clock=x86-tsc: the rate of this machine's TSC is not known; use "
			       "--clock=mono");
		return -1;
	}
	l->shared.clock.add = l->shared.clock.begin;
	l->shared.clock.base = l->shared.clock.begin = strtoull(tsc, NULL, 16);
	l->shared.clock.num = (uint64_t)((1000000ull << 32) / (uint64_t)khz);
	return 0;
}

/* The tracepoints, and behind them what --snap adds. */
static int list_types(struct live *l)
{
	const struct spht_event_type *types = spht_types_list(l->types, &l->nr_types);
	struct spht_event_type *all = calloc(l->nr_types + SPHT_SNAP_TYPES, sizeof(*all));

	if (!all) {
		spht_error_set(&l->err, "out of memory");
		return -1;
	}
	memcpy(all, types, l->nr_types * sizeof(*all));
	memcpy(all + l->nr_types, spht_snap_types(), SPHT_SNAP_TYPES * sizeof(*all));
	l->stored = all;
	return 0;
}

static int open_writer(struct live *l)
{
	json_t *header;
	int rc = -1;

	if (list_types(l))
		return -1;
	header = live_header(l);
	if (!header)
		return -1;
	if (set_clock(l, header))
		goto out;
	l->writer = spht_writer_open(
		l->out.part, l->out.to_stdout ? SPHT_WRITE_OVERWRITE : 0, header, l->stored,
		l->nr_types + (l->snap ? SPHT_SNAP_TYPES : 0), l->o->level, &l->err);
	rc = l->writer ? 0 : -1;
out:
	json_decref(header);
	return rc;
}

static int open_snap(struct live *l)
{
	unsigned int nr;

	if (!l->o->snap)
		return 0;
	spht_ring_cpus(l->ring, &nr);
	l->snap = spht_snap_open(l->o->snap, spht_ring_bytes(l->ring) * nr, &l->err);
	return l->snap ? 0 : -1;
}

/* After the buffers are on: a snapshot comes behind its event, and none without one. */
static int start_snap(struct live *l)
{
	struct spht_snap_target target = {
		.writer = l->writer,
		.vms = l->shared.vms,
		.cpu = live_snap_cpu(l),
		.type = l->nr_types,
		.wake = l->shared.wake,
	};

	return l->snap ? spht_snap_start(l->snap, &target, &l->err) : 0;
}

static int open_captures(struct live *l)
{
	unsigned int nr;
	const unsigned int *cpus = spht_ring_cpus(l->ring, &nr);

	l->shared.ring = l->ring;
	l->shared.writer = l->writer;
	l->shared.types = l->types;
	l->shared.stop = eventfd(0, EFD_CLOEXEC);
	l->shared.wake = eventfd(0, EFD_CLOEXEC);
	l->cpus = calloc((size_t)nr + 1, sizeof(*l->cpus));
	if (l->shared.stop < 0 || l->shared.wake < 0 || !l->cpus) {
		spht_error_set(&l->err, "cannot start reading: %s", strerror(errno));
		return -1;
	}
	for (unsigned int i = 0; i < nr; i++) {
		l->cpus[i].capture = spht_capture_open(&l->shared, cpus[i], &l->err);
		if (!l->cpus[i].capture)
			return -1;
		l->nr_cpus++;
	}
	return 0;
}

/* Signals are the main thread's business.  A CPU that is off line may come. */
static int start_captures(struct live *l)
{
	sigset_t all, before;
	int rc = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned int i = 0; !rc && i < l->nr_cpus; i++)
		rc = spht_capture_start(l->cpus[i].capture, &l->err);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int set_up(struct live *l)
{
	if (spht_output_open(&l->out, l->o->out, l->o->force, NULL, &l->err))
		return -1;
	l->out.keep = true;
	/* Before there is anything that the command could inherit. */
	if (l->o->command && spht_command_open(&l->command, l->o->command,
					       l->out.to_stdout || l->o->stats_json, &l->err))
		return -1;
	/* Which is none of the command's business. */
	raise_file_limit();
	if (open_vm(l))
		return -1;
	l->ring = spht_ring_open(l->o->clock, l->o->buffer, &l->stale, &l->err);
	if (!l->ring)
		return -1;
	if (l->stale && !l->o->quiet)
		spht_message("removed %u trace instances of recorders that were killed", l->stale);
	l->overhead = spht_ring_overhead(l->ring);
	if (live_events_open(l) || open_snap(l) || open_writer(l) || open_captures(l) ||
	    start_captures(l))
		return -1;
	return 0;
}

static void read_stats(struct live *l)
{
	struct spht_ring_stats s;
	struct spht_error err;
	bool reset;

	for (unsigned int i = 0; i < l->nr_cpus; i++) {
		struct live_cpu *c = &l->cpus[i];

		spht_capture_counts(c->capture, &c->counts);
		if (spht_ring_stats(l->ring, spht_capture_cpu(c->capture), &s, &err))
			continue;
		/* What we have was read before, so the kernel has counted it, or no longer. */
		reset = s.read < c->counts.read || s.overrun < c->stats.overrun;
		if (reset && !c->reset)
			atomic_fetch_add(&l->shared.holes, 1);
		c->reset |= reset;
		c->stats = s;
	}
}

/* Buffers or events that are off: since the last look or up to this one events are missing. */
static bool look_for_hole(struct live *l)
{
	bool was = l->off;

	l->off = !spht_ring_untouched(l->ring);
	l->touched |= l->off;
	return l->off || was;
}

/* A VM's counters go with it, so the last ones seen are kept. */
static void read_vm(struct live *l)
{
	struct spht_error err;
	json_t *j;

	spht_vm_scan(l->vms);
	j = spht_kvm_stats(l->o->vm ? l->o->vm : l->command.pid, 0, &err);
	if (!j)
		return;
	if (json_object_size(json_object_get(j, "vms")) || !l->stats_after) {
		json_decref(l->stats_after);
		l->stats_after = j;
	} else {
		json_decref(j);
	}
}

static bool is_full(const struct live *l)
{
	struct stat st;

	return l->o->size && !stat(l->out.part, &st) &&
	       (uint64_t)st.st_size + OUT_ROOM > l->o->size;
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd >= 0 && poll(&p, 1, 0) > 0;
}

static enum live_end why_end(struct live *l)
{
	if (*l->o->stop)
		return LIVE_END_SIGNAL;
	for (unsigned int i = 0; i < l->nr_cpus; i++)
		if (spht_capture_failed(l->cpus[i].capture))
			return LIVE_END_FAILED;
	if (l->snap && spht_snap_failed(l->snap))
		return LIVE_END_FAILED;
	if (l->o->command && spht_command_ended(&l->command))
		return LIVE_END_COMMAND;
	if (l->vm_fd >= 0 && readable(l->vm_fd))
		return LIVE_END_VM;
	if (l->o->duration_ns && spht_now(CLOCK_MONOTONIC) - l->started_at >= l->o->duration_ns)
		return LIVE_END_DURATION;
	return is_full(l) ? LIVE_END_SIZE : LIVE_END_NOT;
}

/* To the next tick, or to the end if that is nearer. */
static int wait_ms(const struct live *l, uint64_t tick)
{
	uint64_t now = spht_now(CLOCK_MONOTONIC), until = tick;

	if (l->o->size && now + SIZE_TICK_NS < until)
		until = now + SIZE_TICK_NS;
	if (l->o->duration_ns && l->started_at + l->o->duration_ns < until)
		until = l->started_at + l->o->duration_ns;
	return until > now ? (int)((until - now + 999999) / 1000000) : 0;
}

static void watch(struct live *l)
{
	uint64_t tick = l->started_at;

	while (!(l->why = why_end(l))) {
		struct pollfd fds[] = {
			{.fd = l->shared.wake, .events = POLLIN},
			{.fd = l->command.pid ? l->command.pidfd : -1, .events = POLLIN},
			{.fd = l->vm_fd, .events = POLLIN},
		};
		uint64_t now = spht_now(CLOCK_MONOTONIC);

		if (now >= tick) {
			tick = now + TICK_MS * 1000000ull;
			read_stats(l);
			if (look_for_hole(l))
				atomic_fetch_add(&l->shared.holes, 1);
			read_vm(l);
			if (!l->o->quiet)
				live_status(l);
		}
		/* A signal that comes just before this is noticed a second later at worst. */
		poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms(l, tick));
	}
}

/* Threads must end before what they use goes away. */
static int join_all(struct live *l)
{
	uint64_t one = 1;
	int rc = 0;

	if (l->joined)
		return 0;
	l->joined = true;
	if (l->snap && spht_snap_stop(l->snap, &l->err))
		rc = -1;
	if (write(l->shared.stop, &one, sizeof(one)) != sizeof(one))
		rc = -1;
	for (unsigned int i = 0; i < l->nr_cpus; i++)
		if (spht_capture_join(l->cpus[i].capture, &l->err))
			rc = -1;
	return rc;
}

/* Losses that no page of the buffer told of: the last ones, and what never got in. */
static int add_last_gaps(struct live *l, bool hole)
{
	for (unsigned int i = 0; i < l->nr_cpus; i++) {
		struct live_cpu *c = &l->cpus[i];
		uint64_t lost = c->stats.dropped + c->stats.commit_overrun;

		spht_capture_counts(c->capture, &c->counts);
		c->reset |= c->stats.read < c->counts.read;
		if (!c->counts.unknown_gaps && c->stats.overrun > c->counts.lost)
			lost += c->stats.overrun - c->counts.lost;
		if (hole || c->reset || live_cpu_written(c) != c->counts.read + live_cpu_lost(c))
			lost = SPHT_LOST_UNKNOWN;
		if (lost && spht_writer_lost_at(l->writer, spht_capture_cpu(c->capture), lost,
						l->ended_at, &l->err))
			return -1;
	}
	return 0;
}

/* What the kernel keeps for us; the counts stay. */
static void close_buffers(struct live *l)
{
	struct spht_error err;

	for (unsigned int i = 0; i < l->nr_cpus; i++)
		spht_capture_let_go(l->cpus[i].capture);
	if (spht_ring_close(l->ring, &err))
		spht_message("%s; the next spht-record removes it", err.text);
	l->ring = NULL;
}

/* Switches off, takes the rest, and closes the books.  0 or -1. */
static int finish(struct live *l)
{
	struct spht_ledger *ledger;
	struct live_totals t;
	unsigned int nr;
	json_t *footer;
	bool hole;
	int rc;

	l->ended_at = spht_now(CLOCK_MONOTONIC);
	hole = look_for_hole(l);
	if (spht_ring_switch(l->ring, false, &l->err))
		return -1;
	l->clock_end = spht_clock_snapshot();
	if (l->why != LIVE_END_COMMAND && l->why != LIVE_END_VM)
		read_vm(l);
	if (join_all(l))
		return -1;
	read_stats(l);
	l->cpu_seconds = cpu_seconds() - l->cpu_seconds;
	if (add_last_gaps(l, hole))
		return -1;
	live_totals(l, &t);
	if (!t.counts.stored && !t.counts.gaps && !t.overrun) {
		spht_error_set(&l->err,
			       "%s: no event came, nothing was written: was there a VM, and under "
			       "shadow paging? see spht-record --check",
			       l->o->out);
		return -1;
	}
	footer = live_footer(l);
	ledger = live_ledger(l, &nr);
	if (!ledger) {
		json_decref(footer);
		spht_error_set(&l->err, "out of memory");
		return -1;
	}
	rc = spht_writer_close(l->writer, ledger, nr, footer, &l->err);
	free(ledger);
	json_decref(footer);
	if (rc)
		return -1;
	l->writer = NULL;
	live_totals(l, &t);
	l->out_bytes = t.out_bytes;
	/* Whoever reads our stdout may take his time: the kernel's buffers go first. */
	close_buffers(l);
	return spht_output_commit(&l->out, l->o->hurry, &l->err);
}

static void stop_captures(struct live *l)
{
	struct spht_error err, first = l->err;

	if (!l->nr_cpus || !l->ring)
		return;
	/* First, or the readers might never see an empty buffer. */
	spht_ring_switch(l->ring, false, &err);
	if (!join_all(l) || l->why != LIVE_END_FAILED)
		l->err = first;
}

static void release(struct live *l)
{
	if (l->shared.stop >= 0)
		close(l->shared.stop);
	if (l->shared.wake >= 0)
		close(l->shared.wake);
	if (l->vm_fd >= 0)
		close(l->vm_fd);
	for (unsigned int i = 0; i < l->nr_cpus; i++)
		spht_capture_close(l->cpus[i].capture);
	free(l->cpus);
	spht_snap_close(l->snap);
	free(l->stored);
	spht_types_free(l->types);
	if (l->tep)
		tep_free(l->tep);
	spht_vm_close(l->vms);
	spht_output_close(&l->out);
	json_decref(l->formats);
	json_decref(l->asked_missing);
	json_decref(l->missing);
	json_decref(l->clock_start);
	json_decref(l->clock_end);
	json_decref(l->stats_before);
	json_decref(l->stats_after);
}

/* Something went wrong: what is in the file stays there, without an end. */
static void keep_part(struct live *l)
{
	struct live_totals t;

	live_totals(l, &t);
	if (!l->writer || !l->started_at || !t.counts.stored || l->out.to_stdout) {
		spht_writer_abort(l->writer);
		l->writer = NULL;
		return;
	}
	spht_writer_abandon(l->writer);
	l->writer = NULL;
	spht_message("%s: holds what was recorded before; it has no end: spht-trace verify tells "
		     "what is there, --partial reads it",
		     l->out.part);
}

static int record(struct live *l)
{
	if (set_up(l))
		return -1;
	l->cpu_seconds = cpu_seconds();
	l->started_at = spht_now(CLOCK_MONOTONIC);
	if (spht_ring_switch(l->ring, true, &l->err) || start_snap(l))
		return -1;
	if (l->o->command && spht_command_start(&l->command, l->o->command[0], &l->err)) {
		l->started_at = 0;
		return -1;
	}
	watch(l);
	spht_progress_end();
	if (l->why == LIVE_END_FAILED)
		return -1;
	return finish(l);
}

enum spht_status spht_live(const struct spht_live *o)
{
	struct live l = {.o = o, .vm_fd = -1, .shared = {.stop = -1, .wake = -1}};
	enum spht_status status = SPHT_FAILED;

	if (record(&l)) {
		stop_captures(&l);
		spht_message("%s", l.err.text);
		live_report_command(&l);
		keep_part(&l);
	} else {
		status = live_report(&l);
	}
	close_buffers(&l);
	spht_command_close(&l.command, COMMAND_GRACE);
	release(&l);
	return status;
}
