/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/sysfile.h"

/*
 * A host made of files in a temporary folder: what the recorder would read in /sys, /proc
 * and /dev.
 */
static char fake_root[64];

static inline void fake_path(char *path, const char *name)
{
	if (snprintf(path, PATH_MAX, "%s%s", fake_root, name) >= PATH_MAX)
		fail_msg("%s", name);
}

/* Makes the folders above @path. */
static inline void fake_folders(char *path)
{
	for (char *p = strchr(path + strlen(fake_root) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
}

static inline void fake_dir(const char *name)
{
	char path[PATH_MAX];

	fake_path(path, name);
	fake_folders(path);
	mkdir(path, 0755);
}

static inline void fake_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	fake_path(path, name);
	fake_folders(path);
	f = fopen(path, "w");
	if (!f)
		fail_msg("%s", path);
	fputs(text, f);
	fclose(f);
}

static inline void fake_link(const char *name, const char *target)
{
	char path[PATH_MAX];

	fake_path(path, name);
	fake_folders(path);
	unlink(path);
	if (symlink(target, path))
		fail_msg("%s", path);
}

static inline int fake_remove_one(const char *path, const struct stat *st, int type,
				  struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void fake_remove(const char *name)
{
	char path[PATH_MAX];

	fake_path(path, name);
	nftw(path, fake_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The set-up and tear-down of a test: an empty host. */
static inline int fake_host(void **state)
{
	(void)state;
	snprintf(fake_root, sizeof(fake_root), "/tmp/spht-host.XXXXXX");
	if (!mkdtemp(fake_root))
		return -1;
	spht_sysfile_root(fake_root);
	fake_dir("/proc");
	return 0;
}

static inline int fake_host_end(void **state)
{
	(void)state;
	spht_sysfile_root("");
	fake_remove("");
	return 0;
}

/* What /proc has about a thread in @dir. */
static inline void fake_thread_in(const char *dir, int tgid, int tid, int ppid, const char *comm,
				  unsigned long start)
{
	char name[64], text[512];

	snprintf(name, sizeof(name), "%s/stat", dir);
	snprintf(text, sizeof(text),
		 "%d (%s) S %d 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 %lu 1000 10\n", tid, comm,
		 ppid, start);
	fake_file(name, text);
	snprintf(name, sizeof(name), "%s/status", dir);
	snprintf(text, sizeof(text), "Name:\t%s\nUmask:\t0022\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n",
		 comm, tgid, tid, ppid);
	fake_file(name, text);
	snprintf(name, sizeof(name), "%s/comm", dir);
	fake_file(name, comm);
	snprintf(name, sizeof(name), "%s/fd", dir);
	fake_dir(name);
}

/* A thread @tid of the process @tgid, a child of @ppid. */
static inline void fake_thread(int tgid, int tid, int ppid, const char *comm, unsigned long start)
{
	char dir[48];

	snprintf(dir, sizeof(dir), "/proc/%d", tid);
	fake_thread_in(dir, tgid, tid, ppid, comm, start);
	snprintf(dir, sizeof(dir), "/proc/%d/task/%d", tgid, tid);
	fake_thread_in(dir, tgid, tid, ppid, comm, start);
}

/* An open file, as the process and its thread @tid show it. */
static inline void fake_fd(int tid, int fd, const char *target)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", tid, fd);
	fake_link(name, target);
}

#endif
