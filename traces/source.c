// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"
#include "spht_trace.h"

#define COPY_CHUNK (256u << 10)

/* An open file without a name in $TMPDIR. */
static int temp_file(void)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	int fd;

	if (!dir || !*dir)
		dir = "/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	if (snprintf(path, sizeof(path), "%s/spht-XXXXXX", dir) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Replaces s->fd, which cannot seek, by a copy of what it holds. */
static int spool(struct spht_source *s, struct spht_error *err)
{
	char *buf = malloc(COPY_CHUNK);
	int copy = temp_file(), ret = -1;

	if (!buf || copy < 0) {
		spht_error_set(err, "%s: cannot make a temporary copy: %s; set TMPDIR", s->name,
			       buf ? strerror(errno) : "out of memory");
		goto out;
	}
	for (;;) {
		ssize_t n = read(s->fd, buf, COPY_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			spht_error_set(err, "%s: offset 0x%llx: cannot read: %s", s->name,
				       (unsigned long long)s->size, strerror(errno));
			goto out;
		}
		if (!n)
			break;
		if (write_all(copy, buf, (size_t)n)) {
			spht_error_set(err, "%s: cannot write the temporary copy: %s; set TMPDIR",
				       s->name, strerror(errno));
			goto out;
		}
		s->size += (uint64_t)n;
	}
	close(s->fd);
	s->fd = copy;
	copy = -1;
	ret = 0;
out:
	if (copy >= 0)
		close(copy);
	free(buf);
	return ret;
}

bool spht_trace_once(const char *path)
{
	struct stat st;

	return !strcmp(path, "-") || (!stat(path, &st) && !S_ISREG(st.st_mode) &&
				      !S_ISDIR(st.st_mode) && !S_ISBLK(st.st_mode));
}

int spht_source_open(struct spht_source *s, const char *path, struct spht_error *err)
{
	bool is_stdin = !strcmp(path, "-");
	struct stat st;

	s->size = 0;
	s->fd = -1;
	s->name = strdup(is_stdin ? "stdin" : path);
	if (!s->name) {
		spht_error_set(err, "%s: out of memory", path);
		return -1;
	}
	s->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
			 : open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st)) {
		spht_error_set(err, "%s: cannot open: %s", s->name, strerror(errno));
		return -1;
	}
	if (S_ISDIR(st.st_mode)) {
		spht_error_set(err, "%s: is a directory, not a trace; name a .spht file", s->name);
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		return spool(s, err);
	s->size = (uint64_t)st.st_size;
	return 0;
}

int spht_source_read(const struct spht_source *s, uint64_t offset, void *buf, size_t len,
		     struct spht_error *err)
{
	char *p = buf;

	while (len) {
		ssize_t n = pread(s->fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			spht_error_set(err, "%s: offset 0x%llx: cannot read: %s", s->name,
				       (unsigned long long)offset,
				       n ? strerror(errno) : "the file became shorter");
			return -1;
		}
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

void spht_source_close(struct spht_source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->name);
	s->fd = -1;
	s->name = NULL;
}
