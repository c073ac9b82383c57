// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "profile.h"
#include "sysfile.h"

#define MAX_NAMES 400

/* A list of names for a message, cut where it gets too long. */
struct names {
	char text[MAX_NAMES];
	unsigned int nr;
};

static void add_name(struct names *n, const char *name)
{
	size_t len = strlen(n->text);

	n->nr++;
	if (len + strlen(name) + 8 < sizeof(n->text))
		snprintf(n->text + len, sizeof(n->text) - len, "%s%s", len ? ", " : "", name);
	else if (len < 3 || strcmp(n->text + len - 3, "..."))
		snprintf(n->text + len, sizeof(n->text) - len, ", ...");
}

/* Where tracefs is mounted, without the root of the tests; "" where it is not. */
static void find_tracefs(char *where, size_t size)
{
	char path[PATH_MAX], line[2048], dir[1024], type[64];
	FILE *f = NULL;

	where[0] = '\0';
	if (!spht_sysfile_path(path, sizeof(path), "/proc/self/mounts"))
		f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %1023s %63s", dir, type) != 2 || strcmp(type, "tracefs"))
			continue;
		/* It may be mounted twice; the usual place is the better name. */
		if (!*where || !strcmp(dir, "/sys/kernel/tracing"))
			snprintf(where, size, "%s", dir);
	}
	if (f)
		fclose(f);
}

static const char *permission_remedy(int error)
{
	return error == EACCES || error == EPERM || error == EROFS
		       ? "needs root, a tracefs that is mounted rw, and a kernel that is not "
			 "locked "
			 "down"
		       : NULL;
}

static bool has_event(const char *tracefs, const char *system, const char *event)
{
	char path[PATH_MAX];

	return !spht_sysfile_path(path, sizeof(path), "%s/events/%s/%s/enable", tracefs, system,
				  event) &&
	       !access(path, F_OK);
}

/* "*" is no event of its own. */
static bool check_events(FILE *out, const char *tracefs)
{
	struct names needed = {"", 0}, others = {"", 0};
	const struct spht_profile_event *list;
	unsigned int there = 0;
	size_t nr;

	list = spht_profile_events(&nr);
	for (size_t i = 0; i < nr; i++) {
		if (!strcmp(list[i].event, "*"))
			continue;
		if (has_event(tracefs, list[i].system, list[i].event))
			there++;
		else
			add_name(list[i].needed ? &needed : &others, list[i].event);
	}
	if (!there) {
		spht_check_line(out, SPHT_CHECK_FAIL, "events",
				"load the kvm module; the kernel needs CONFIG_KVM and "
				"CONFIG_TRACEPOINTS",
				"no kvm and kvmmmu events in %s/events", tracefs);
		return false;
	}
	if (needed.nr) {
		spht_check_line(out, SPHT_CHECK_FAIL, "events", "another kernel has them",
				"%u of %u that are needed are missing: %s", needed.nr,
				needed.nr + others.nr + there, needed.text);
		return false;
	}
	/* No kernel has all of the others. */
	spht_check_line(out, SPHT_CHECK_OK, "events", NULL, "%u there%s%s", there,
			others.nr ? "; this kernel has no " : "", others.text);
	return true;
}

/* Writes @text into a file of the instance; 0 or errno. */
static int write_file(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	int fd, error = 0;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

/* Whether events can be switched on, and off again. */
static bool try_enable(FILE *out, const char *dir)
{
	static const char file[] = "events/kvmmmu/kvm_mmu_get_page/enable";
	char path[PATH_MAX], state[16] = "";
	int error = write_file(dir, file, "1");

	if (!error && snprintf(path, sizeof(path), "%s/%s", dir, file) < (int)sizeof(path))
		spht_sysfile_read_at(AT_FDCWD, path, state, sizeof(state));
	if (!error)
		error = write_file(dir, file, "0");
	if (error || state[0] != '1') {
		spht_check_line(out, SPHT_CHECK_FAIL, "switching on events",
				permission_remedy(error), "%s: %s", file,
				error ? strerror(error) : "it stays off");
		return false;
	}
	spht_check_line(out, SPHT_CHECK_OK, "switching on events", NULL, "works");
	return true;
}

static bool try_clock(FILE *out, const char *dir)
{
	int mono = write_file(dir, "trace_clock", "mono");
	int tsc = write_file(dir, "trace_clock", "x86-tsc");

	if (mono) {
		spht_check_line(out, SPHT_CHECK_FAIL, "clocks", permission_remedy(mono),
				"trace_clock does not take mono: %s", strerror(mono));
		return false;
	}
	spht_check_line(out, SPHT_CHECK_OK, "clocks", NULL, "mono%s", tsc ? "" : ", x86-tsc");
	return true;
}

static bool can_open(const char *dir, const char *cpu, const char *file, int *error)
{
	char path[PATH_MAX], text[16];
	int fd = -1;

	if (snprintf(path, sizeof(path), "%s/per_cpu/%s/%s", dir, cpu, file) < (int)sizeof(path))
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	else
		errno = ENAMETOOLONG;
	/* An empty buffer has nothing to read yet, and says so; any other answer is a fault. */
	if (fd < 0 || (read(fd, text, sizeof(text)) < 0 && errno != EAGAIN)) {
		*error = errno;
		if (fd >= 0)
			close(fd);
		return false;
	}
	close(fd);
	return true;
}

/* The buffers of all CPUs, and what the kernel counts about them. */
static bool try_buffers(FILE *out, const char *dir)
{
	static const char *const files[] = {"trace_pipe_raw", "stats"};
	const struct dirent *e;
	char path[PATH_MAX];
	unsigned int nr = 0;
	int error = 0;
	DIR *cpus = NULL;

	if (snprintf(path, sizeof(path), "%s/per_cpu", dir) < (int)sizeof(path))
		cpus = opendir(path);
	if (!cpus) {
		spht_check_line(out, SPHT_CHECK_FAIL, "buffers", permission_remedy(errno),
				"per_cpu: %s", strerror(errno));
		return false;
	}
	while ((e = readdir(cpus))) {
		if (strncmp(e->d_name, "cpu", 3))
			continue;
		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
			if (can_open(dir, e->d_name, files[i], &error))
				continue;
			spht_check_line(out, SPHT_CHECK_FAIL, "buffers", permission_remedy(error),
					"per_cpu/%s/%s: %s", e->d_name, files[i], strerror(error));
			closedir(cpus);
			return false;
		}
		nr++;
	}
	closedir(cpus);
	if (!nr) {
		spht_check_line(out, SPHT_CHECK_FAIL, "buffers", NULL, "per_cpu has no CPU in it");
		return false;
	}
	spht_check_line(out, SPHT_CHECK_OK, "buffers", NULL,
			"trace_pipe_raw and stats of %u CPUs can be read", nr);
	return true;
}

static bool try_instance(FILE *out, const char *tracefs)
{
	char dir[PATH_MAX];
	sigset_t all, old;
	bool ok;

	/* Named like a recorder's, which removes what one that was killed left. */
	if (spht_sysfile_path(dir, sizeof(dir), "%s/instances/spht-%d", tracefs, (int)getpid()))
		return false;
	/* ^C or a closed pipe must not leave it behind. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	if (mkdir(dir, 0700)) {
		int error = errno;

		pthread_sigmask(SIG_SETMASK, &old, NULL);
		spht_check_line(out, SPHT_CHECK_FAIL, "instance", permission_remedy(error),
				"%s/instances/spht-%d cannot be made: %s", tracefs, (int)getpid(),
				strerror(error));
		return false;
	}
	ok = try_enable(out, dir);
	ok &= try_clock(out, dir);
	ok &= try_buffers(out, dir);
	if (rmdir(dir)) {
		spht_check_line(out, SPHT_CHECK_FAIL, "instance", "remove it with rmdir",
				"%s/instances/spht-%d stays behind: %s", tracefs, (int)getpid(),
				strerror(errno));
		ok = false;
	} else {
		spht_check_line(out, SPHT_CHECK_OK, "instance", NULL,
				"one was made in %s/instances, and removed", tracefs);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ok;
}

/* Somebody's kvm events, which make every fault dearer. */
static bool is_recording(const char *tracefs, const char *instance)
{
	static const char *const systems[] = {"kvm", "kvmmmu"};
	char text[16];

	for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++)
		if (spht_sysfile_read(text, sizeof(text), "%s%s/events/%s/enable", tracefs,
				      instance, systems[i]) > 0 &&
		    text[0] != '0')
			return true;
	return false;
}

static void check_others(FILE *out, const char *tracefs)
{
	struct names all = {"", 0}, busy = {"", 0};
	char path[PATH_MAX], name[300];
	const struct dirent *e;
	DIR *dir = NULL;

	if (is_recording(tracefs, ""))
		add_name(&busy, "the top buffer");
	if (!spht_sysfile_path(path, sizeof(path), "%s/instances", tracefs))
		dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		add_name(&all, e->d_name);
		snprintf(name, sizeof(name), "/instances/%s", e->d_name);
		if (is_recording(tracefs, name))
			add_name(&busy, e->d_name);
	}
	if (dir)
		closedir(dir);
	if (busy.nr)
		spht_check_line(out, SPHT_CHECK_WARN, "other tracing",
				"it does no harm but to the times; end it",
				"kvm events are on in %s", busy.text);
	else
		spht_check_line(out, SPHT_CHECK_OK, "other tracing", NULL, "%s%s",
				all.nr ? "no kvm events on in instances " : "none", all.text);
}

enum spht_check_word spht_check_tracing(FILE *out)
{
	char tracefs[1024], path[PATH_MAX];
	bool ok;

	find_tracefs(tracefs, sizeof(tracefs));
	if (!*tracefs) {
		spht_check_line(out, SPHT_CHECK_FAIL, "tracefs",
				"mount -t tracefs none /sys/kernel/tracing", "not mounted");
		return SPHT_CHECK_FAIL;
	}
	if (spht_sysfile_path(path, sizeof(path), "%s/events", tracefs) ||
	    access(path, R_OK | X_OK)) {
		spht_check_line(out, SPHT_CHECK_FAIL, "tracefs", permission_remedy(errno),
				"%s/events: %s", tracefs, strerror(errno));
		return SPHT_CHECK_FAIL;
	}
	spht_check_line(out, SPHT_CHECK_OK, "tracefs", NULL, "mounted at %s", tracefs);
	ok = check_events(out, tracefs);
	/* Before ours is there. */
	check_others(out, tracefs);
	ok &= try_instance(out, tracefs);
	return ok ? SPHT_CHECK_OK : SPHT_CHECK_FAIL;
}
