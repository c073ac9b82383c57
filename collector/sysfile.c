// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sysfile.h"

static char root[PATH_MAX / 2];

void spht_sysfile_root(const char *path)
{
	snprintf(root, sizeof(root), "%s", path);
}

__attribute__((format(printf, 3, 0))) static int put_path(char *path, size_t size, const char *fmt,
							  va_list ap)
{
	int n = snprintf(path, size, "%s", root), m;

	if (n >= 0 && (size_t)n < size) {
		m = vsnprintf(path + n, size - (size_t)n, fmt, ap);
		if (m >= 0 && (size_t)m < size - (size_t)n)
			return 0;
	}
	errno = ENAMETOOLONG;
	return -1;
}

int spht_sysfile_path(char *path, size_t size, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = put_path(path, size, fmt, ap);
	va_end(ap);
	return ret;
}

ssize_t spht_sysfile_read_at(int dir, const char *name, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n = 0;
	int fd, saved;

	buf[0] = '\0';
	/* A FIFO in the way must not stop the recorder. */
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	saved = errno;
	close(fd);
	errno = saved;
	if (n < 0) {
		buf[0] = '\0';
		return -1;
	}
	while (len && isspace((unsigned char)buf[len - 1]))
		len--;
	buf[len] = '\0';
	return (ssize_t)len;
}

ssize_t spht_sysfile_read(char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int ret;

	buf[0] = '\0';
	va_start(ap, fmt);
	ret = put_path(path, sizeof(path), fmt, ap);
	va_end(ap);
	return ret ? -1 : spht_sysfile_read_at(AT_FDCWD, path, buf, size);
}
