// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "le.h"
#include "ring.h"
#include "spht_trace.h"
#include "spht_trace.h"

#define PREFIX          "spht-"

/* A page of the buffer: kernel/trace/ring_buffer.c:struct buffer_data_page. */
#define PAGE_BYTES      4096u
#define PAGE_COMMIT     8u /* after the time stamp; its low bits are the size of the data */
#define PAGE_DATA       16u
#define SIZE_MASK       0xffffu
#define MISSED          (1ull << 31) /* RB_MISSED_EVENTS */
#define COUNTED         (1ull << 30) /* RB_MISSED_STORED: how many stands behind the data */

#define STATS_SIZE      1024
#define OVERHEAD_CALLS  2000
#define OVERHEAD_ROUNDS 9
#define REMEDY \
	"; recording needs root and a mounted tracefs (mount -t tracefs none " \
	"/sys/kernel/tracing)," \
	" see spht-record --check"

struct enabled {
	char *system, *event;
};

struct spht_ring {
	char name[32];
	struct tracefs_instance *instance;
	int dir; /* the folder of instances: found again even when tracefs is unmounted */
	int lock; /* of the instance's directory, for as long as we live */
	uint64_t bytes;
	unsigned int *cpus, nr_cpus;
	int *stats; /* by position in @cpus; open, because tracefs may be unmounted meanwhile */
	int tracing_on;
	struct enabled *enabled;
	size_t nr_enabled;
};

static int no_memory(struct spht_error *err)
{
	spht_error_set(err, "out of memory while setting up tracing");
	return -1;
}

static int failed(const struct spht_ring *r, const char *file, const char *what,
		  struct spht_error *err)
{
	int saved = errno;

	spht_error_set(err, "%s/instances/%s/%s: cannot %s: %s%s",
		       tracefs_tracing_dir() ? tracefs_tracing_dir() : "tracefs", r->name, file,
		       what, saved ? strerror(saved) : "it does not accept this",
		       saved == ENOMEM ? "; try a smaller --buffer" : "");
	return -1;
}

/* A directory that nobody has locked is one whose recorder is dead. */
static bool remove_if_stale(int instances, const char *name)
{
	int fd = openat(instances, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), on;
	bool gone = false;

	if (fd < 0)
		return false;
	if (!flock(fd, LOCK_EX | LOCK_NB)) {
		on = openat(fd, "tracing_on", O_WRONLY | O_CLOEXEC);
		if (on >= 0) {
			/* What counts is whether the directory goes away. */
			if (write(on, "0", 1) != 1)
				errno = 0;
			close(on);
		}
		gone = !unlinkat(instances, name, AT_REMOVEDIR);
	}
	close(fd);
	return gone;
}

static unsigned int remove_stale(int instances)
{
	int fd = dup(instances);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	unsigned int nr = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((d = readdir(dir)))
		if (!strncmp(d->d_name, PREFIX, strlen(PREFIX)) &&
		    strspn(d->d_name + strlen(PREFIX), "0123456789") ==
			    strlen(d->d_name + strlen(PREFIX)))
			nr += remove_if_stale(instances, d->d_name);
	closedir(dir);
	return nr;
}

/* With the folder of instances locked, so that no other start takes ours for a stale one. */
static int make_instance(struct spht_ring *r, unsigned int *removed, struct spht_error *err)
{
	char *path = tracefs_get_tracing_file("instances");
	int rc = -1;

	r->dir = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (r->dir < 0) {
		spht_error_set(err, "%s: cannot open: %s" REMEDY, path ? path : "tracefs",
			       path ? strerror(errno) : "not mounted");
		goto out;
	}
	if (flock(r->dir, LOCK_EX)) {
		spht_error_set(err, "%s: cannot lock: %s", path, strerror(errno));
		goto out;
	}
	*removed = remove_stale(r->dir);
	snprintf(r->name, sizeof(r->name), PREFIX "%d", (int)getpid());
	errno = 0;
	r->instance = tracefs_instance_create(r->name);
	if (!r->instance) {
		spht_error_set(err, "%s/%s: cannot create a trace instance: %s" REMEDY, path,
			       r->name, strerror(errno));
		goto out;
	}
	r->lock = openat(r->dir, r->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->lock < 0 || flock(r->lock, LOCK_EX | LOCK_NB)) {
		spht_error_set(err, "%s/%s: cannot lock: %s", path, r->name, strerror(errno));
		goto out;
	}
	rc = 0;
out:
	if (r->dir >= 0)
		flock(r->dir, LOCK_UN);
	tracefs_put_tracing_file(path);
	return rc;
}

static int compare_cpus(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

static int find_cpus(struct spht_ring *r, struct spht_error *err)
{
	char *path = tracefs_instance_get_file(r->instance, "per_cpu");
	DIR *dir = path ? opendir(path) : NULL;
	struct dirent *d;
	unsigned int cpu;
	char after;

	tracefs_put_tracing_file(path);
	if (!dir)
		return failed(r, "per_cpu", "open", err);
	while ((d = readdir(dir))) {
		if (sscanf(d->d_name, "cpu%u%c", &cpu, &after) != 1 || cpu >= SPHT_MAX_CPUS ||
		    r->nr_cpus == SPHT_MAX_CPUS)
			continue;
		r->cpus[r->nr_cpus++] = cpu;
	}
	closedir(dir);
	qsort(r->cpus, r->nr_cpus, sizeof(*r->cpus), compare_cpus);
	return 0;
}

static int open_stats(struct spht_ring *r, struct spht_error *err)
{
	char file[48];

	for (unsigned int i = 0; i < r->nr_cpus; i++) {
		snprintf(file, sizeof(file), "per_cpu/cpu%u/stats", r->cpus[i]);
		r->stats[i] = tracefs_instance_file_open(r->instance, file, O_RDONLY | O_CLOEXEC);
		if (r->stats[i] < 0)
			return failed(r, file, "open", err);
	}
	r->tracing_on = tracefs_instance_file_open(r->instance, "tracing_on", O_RDWR | O_CLOEXEC);
	return r->tracing_on < 0 ? failed(r, "tracing_on", "open", err) : 0;
}

static int set_up(struct spht_ring *r, const char *clock, uint64_t bytes, struct spht_error *err)
{
	long long size = 0;
	char kib[24];

	if (find_cpus(r, err) || open_stats(r, err) || spht_ring_switch(r, false, err))
		return -1;
	errno = 0;
	if (tracefs_instance_file_write(r->instance, "trace_clock", clock) < 0)
		return failed(r, "trace_clock", "set this clock", err);
	/* Inherited from the top: without it losses would leave no mark in the buffer. */
	errno = 0;
	if (tracefs_instance_file_write(r->instance, "options/overwrite", "1") < 0)
		return failed(r, "options/overwrite", "write", err);
	snprintf(kib, sizeof(kib), "%" PRIu64, (bytes + 1023) / 1024);
	errno = 0;
	if (tracefs_instance_file_write(r->instance, "buffer_size_kb", kib) < 0)
		return failed(r, "buffer_size_kb", "get buffers of this size", err);
	if (!tracefs_instance_file_read_number(r->instance, "buffer_size_kb", &size) && size > 0)
		r->bytes = (uint64_t)size * 1024;
	return 0;
}

struct spht_ring *spht_ring_open(const char *clock, uint64_t bytes, unsigned int *removed,
				 struct spht_error *err)
{
	struct spht_ring *r = calloc(1, sizeof(*r));
	struct spht_error ignored;

	*removed = 0;
	if (!r) {
		no_memory(err);
		return NULL;
	}
	r->dir = r->lock = r->tracing_on = -1;
	r->bytes = bytes;
	r->cpus = calloc(SPHT_MAX_CPUS, sizeof(*r->cpus));
	r->stats = malloc(SPHT_MAX_CPUS * sizeof(*r->stats));
	if (!r->cpus || !r->stats) {
		no_memory(err);
		goto fail;
	}
	memset(r->stats, 0xff, SPHT_MAX_CPUS * sizeof(*r->stats));
	if (make_instance(r, removed, err) || set_up(r, clock, bytes, err))
		goto fail;
	return r;

fail:
	spht_ring_close(r, &ignored);
	return NULL;
}

const char *spht_ring_name(const struct spht_ring *r)
{
	return r->name;
}

struct tracefs_instance *spht_ring_instance(struct spht_ring *r)
{
	return r->instance;
}

uint64_t spht_ring_bytes(const struct spht_ring *r)
{
	return r->bytes;
}

const unsigned int *spht_ring_cpus(const struct spht_ring *r, unsigned int *nr)
{
	*nr = r->nr_cpus;
	return r->cpus;
}

static char *event_file(const char *system, const char *event, const char *file)
{
	char *name = NULL;

	return asprintf(&name, "events/%s/%s/%s", system, event, file) < 0 ? NULL : name;
}

bool spht_ring_has_event(const struct spht_ring *r, const char *system, const char *event)
{
	char *name = event_file(system, event, "enable");
	bool there = name && tracefs_file_exists(r->instance, name);

	free(name);
	return there;
}

static int remember(struct spht_ring *r, const char *system, const char *event)
{
	struct enabled *e = realloc(r->enabled, (r->nr_enabled + 1) * sizeof(*e));

	if (!e)
		return -1;
	r->enabled = e;
	e += r->nr_enabled;
	e->system = strdup(system);
	e->event = strdup(event);
	if (!e->system || !e->event) {
		free(e->system);
		free(e->event);
		return -1;
	}
	r->nr_enabled++;
	return 0;
}

int spht_ring_enable(struct spht_ring *r, const char *system, const char *event, const char *filter,
		     struct spht_error *err)
{
	char *enable = event_file(system, event, "enable");
	char *where = event_file(system, event, "filter");
	int rc = -1;

	if (!enable || !where || remember(r, system, event)) {
		no_memory(err);
		goto out;
	}
	errno = 0;
	if (filter && tracefs_instance_file_write(r->instance, where, filter) < 0) {
		failed(r, where, "set this filter", err);
		goto out;
	}
	errno = 0;
	if (tracefs_instance_file_write(r->instance, enable, "1") < 0) {
		failed(r, enable, "switch this event on", err);
		goto out;
	}
	rc = 0;
out:
	free(enable);
	free(where);
	return rc;
}

int spht_ring_switch(struct spht_ring *r, bool on, struct spht_error *err)
{
	if (pwrite(r->tracing_on, on ? "1" : "0", 1, 0) != 1)
		return failed(r, "tracing_on", "write", err);
	return 0;
}

bool spht_ring_untouched(struct spht_ring *r)
{
	char on = 0;

	if (pread(r->tracing_on, &on, 1, 0) == 1 && on != '1')
		return false;
	for (size_t i = 0; i < r->nr_enabled; i++) {
		char *name = event_file(r->enabled[i].system, r->enabled[i].event, "enable");
		char *text = name ? tracefs_instance_file_read(r->instance, name, NULL) : NULL;
		bool off = text && *text == '0';

		free(name);
		free(text);
		if (off)
			return false;
	}
	return true;
}

int spht_ring_stats(struct spht_ring *r, unsigned int cpu, struct spht_ring_stats *stats,
		    struct spht_error *err)
{
	struct {
		const char *key;
		uint64_t *value;
		bool found;
	} lines[] = {
		{"entries: ", &stats->entries, false},
		{"overrun: ", &stats->overrun, false},
		{"commit overrun: ", &stats->commit_overrun, false},
		{"bytes: ", &stats->bytes, false},
		{"dropped events: ", &stats->dropped, false},
		{"read events: ", &stats->read, false},
	};
	char text[STATS_SIZE], file[48], *save, *line;
	unsigned int i = 0, found = 0;
	ssize_t len;

	memset(stats, 0, sizeof(*stats));
	snprintf(file, sizeof(file), "per_cpu/cpu%u/stats", cpu);
	while (i < r->nr_cpus && r->cpus[i] != cpu)
		i++;
	len = i < r->nr_cpus ? pread(r->stats[i], text, sizeof(text) - 1, 0) : -1;
	if (len <= 0)
		return failed(r, file, "read", err);
	text[len] = '\0';
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
			if (!lines[i].found && !strncmp(line, lines[i].key, strlen(lines[i].key))) {
				*lines[i].value = strtoull(line + strlen(lines[i].key), NULL, 10);
				lines[i].found = true;
				found++;
			}
	if (found != sizeof(lines) / sizeof(lines[0])) {
		errno = EPROTO;
		return failed(r, file, "understand", err);
	}
	return 0;
}

uint64_t spht_ring_missed(const void *page)
{
	const uint8_t *p = page;
	uint64_t commit = spht_get64(p + PAGE_COMMIT), lost = 0;
	uint32_t end = PAGE_DATA + (uint32_t)(commit & SIZE_MASK);

	if (!(commit & MISSED))
		return 0;
	if ((commit & COUNTED) && end + sizeof(lost) <= PAGE_BYTES)
		lost = spht_get64(p + end);
	return lost ? lost : SPHT_LOST_UNKNOWN;
}

static double rename_ns(void)
{
	char name[16] = "spht-record";
	struct timespec a, b;

	prctl(PR_GET_NAME, name);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < OVERHEAD_CALLS; i++)
		prctl(PR_SET_NAME, name);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) /
	       OVERHEAD_CALLS;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The median, because somebody else may have had the CPU in between. */
double spht_ring_overhead(struct spht_ring *r)
{
	static const char enable[] = "events/task/task_rename/enable";
	double extra[OVERHEAD_ROUNDS];
	struct spht_error err;
	bool ok = true;

	if (tracefs_instance_file_write(r->instance, enable, "1") < 0)
		return -1;
	for (int i = 0; ok && i < OVERHEAD_ROUNDS; i++) {
		double without = rename_ns();

		ok = !spht_ring_switch(r, true, &err);
		extra[i] = rename_ns() - without;
		ok &= !spht_ring_switch(r, false, &err);
	}
	ok &= tracefs_instance_file_write(r->instance, enable, "0") >= 0;
	ok &= tracefs_instance_file_clear(r->instance, "trace") >= 0;
	if (!ok)
		return -1;
	qsort(extra, OVERHEAD_ROUNDS, sizeof(extra[0]), compare_doubles);
	return extra[OVERHEAD_ROUNDS / 2] > 0 ? extra[OVERHEAD_ROUNDS / 2] : 0;
}

int spht_ring_close(struct spht_ring *r, struct spht_error *err)
{
	int rc = 0;

	if (!r)
		return 0;
	if (r->tracing_on >= 0) {
		rc = spht_ring_switch(r, false, err);
		close(r->tracing_on);
	}
	for (unsigned int i = 0; r->stats && i < r->nr_cpus; i++)
		if (r->stats[i] >= 0)
			close(r->stats[i]);
	if (r->instance) {
		/* Which switches its events off. */
		rc = unlinkat(r->dir, r->name, AT_REMOVEDIR);
		if (rc)
			failed(r, ".", "remove this instance", err);
		tracefs_instance_free(r->instance);
	}
	if (r->lock >= 0)
		close(r->lock);
	if (r->dir >= 0)
		close(r->dir);
	for (size_t i = 0; i < r->nr_enabled; i++) {
		free(r->enabled[i].system);
		free(r->enabled[i].event);
	}
	free(r->enabled);
	free(r->cpus);
	free(r->stats);
	free(r);
	return rc;
}
