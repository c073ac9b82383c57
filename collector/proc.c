// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"
#include "sysfile.h"

#define MAX_FDS       4096
#define MAX_ANCESTORS 64

/* Behind the name, which may hold anything, stand the state and from field 4 on numbers. */
static int parse_stat(char *text, struct spht_proc *p)
{
	char *open = strchr(text, '('), *close = strrchr(text, ')');

	if (!open || !close || close < open)
		goto odd;
	*close = '\0';
	snprintf(p->comm, sizeof(p->comm), "%s", open + 1);
	if (sscanf(close + 1,
		   " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%" SCNu64,
		   &p->ppid, &p->start) == 2)
		return 0;
odd:
	errno = EBADMSG;
	return -1;
}

static int read_stat(pid_t tid, struct spht_proc *p)
{
	char text[1024];

	memset(p, 0, sizeof(*p));
	if (spht_sysfile_read(text, sizeof(text), "/proc/%d/stat", tid) < 0) {
		if (errno == ESRCH)
			errno = ENOENT;
		return -1;
	}
	return parse_stat(text, p);
}

int spht_proc_get(pid_t tid, struct spht_proc *p)
{
	char text[4096], *line;

	if (read_stat(tid, p))
		return -1;
	if (spht_sysfile_read(text, sizeof(text), "/proc/%d/status", tid) < 0)
		return -1;
	line = strstr(text, "\nTgid:");
	if (line && sscanf(line, " Tgid: %d", &p->tgid) == 1 && p->tgid > 0)
		return 0;
	errno = EBADMSG;
	return -1;
}

uint64_t spht_proc_start(pid_t tid)
{
	struct spht_proc p;

	return read_stat(tid, &p) ? 0 : p.start;
}

bool spht_proc_belongs(pid_t tid, pid_t ancestor)
{
	struct spht_proc p;

	/* Only a made-up /proc goes in circles. */
	for (int i = 0; tid > 0 && i < MAX_ANCESTORS; i++) {
		if (tid == ancestor)
			return true;
		if (spht_proc_get(tid, &p))
			return false;
		if (p.tgid == ancestor)
			return true;
		tid = p.ppid;
	}
	return false;
}

bool spht_proc_is_initial(void)
{
	char comm[64];

	return spht_sysfile_read(comm, sizeof(comm), "/proc/2/comm") > 0 &&
	       !strcmp(comm, "kthreadd");
}

static int read_fd_link(const char *path, char *text, size_t size)
{
	ssize_t n = readlink(path, text, size - 1);

	if (n < 0)
		return -1;
	text[n] = '\0';
	return 0;
}

/* "anon_inode:kvm-vcpu:3"; before Linux 4.15 without the number. */
static bool is_vcpu(const char *link)
{
	static const char name[] = "anon_inode:kvm-vcpu";

	return !strncmp(link, name, sizeof(name) - 1) &&
	       (!link[sizeof(name) - 1] || link[sizeof(name) - 1] == ':');
}

int spht_proc_kvm(pid_t tid, struct spht_proc_kvm *kvm)
{
	struct spht_proc_kvm seen = {0, 0};
	const struct dirent *e;
	char path[PATH_MAX], link[64];
	int nr = 0;
	DIR *dir;

	if (spht_sysfile_path(path, sizeof(path), "/proc/%d/fd", tid))
		return -1;
	dir = opendir(path);
	if (!dir)
		return -1;
	errno = 0;
	while (nr < MAX_FDS && (e = readdir(dir))) {
		ssize_t n;

		if (e->d_name[0] == '.')
			continue;
		nr++;
		n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		seen.vms += !strcmp(link, "anon_inode:kvm-vm");
		seen.vcpus += is_vcpu(link);
		if (!kvm && (seen.vms || seen.vcpus))
			break;
	}
	/* A folder that can be opened and not read is another user's. */
	if (!nr && errno) {
		int saved = errno;

		closedir(dir);
		errno = saved;
		return -1;
	}
	closedir(dir);
	if (kvm)
		*kvm = seen;
	return seen.vms || seen.vcpus;
}

int spht_proc_vcpu_fd(pid_t tid, int fd)
{
	char path[PATH_MAX], link[64];
	const char *colon;
	int id = -1;

	if (spht_sysfile_path(path, sizeof(path), "/proc/%d/fd/%d", tid, fd) ||
	    read_fd_link(path, link, sizeof(link)) || !is_vcpu(link))
		return -1;
	colon = strrchr(link, ':');
	return sscanf(colon, ":%d", &id) == 1 && id >= 0 ? id : -1;
}

int spht_proc_each(pid_t process, int (*fn)(pid_t pid, void *arg), void *arg)
{
	const struct dirent *e;
	char path[PATH_MAX];
	int ret = 0;
	DIR *dir;

	if (process ? spht_sysfile_path(path, sizeof(path), "/proc/%d/task", process)
		    : spht_sysfile_path(path, sizeof(path), "/proc"))
		return -1;
	dir = opendir(path);
	if (!dir)
		return -1;
	while (!ret && (e = readdir(dir))) {
		char *end;
		long pid = strtol(e->d_name, &end, 10);

		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && !*end && pid <= INT_MAX)
			ret = fn((pid_t)pid, arg);
	}
	closedir(dir);
	return ret;
}
