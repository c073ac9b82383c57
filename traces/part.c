// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "part.h"

#define ATTEMPTS 100

/* 32 bits in hexadecimal; O_EXCL is what keeps names apart, this only what finds a free one. */
static uint32_t any_number(unsigned int attempt)
{
	struct timespec now;
	uint32_t n;

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) == sizeof(n))
		return n;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)now.tv_nsec * 2654435761u ^ (uint32_t)getpid() << 8 ^ attempt;
}

/* mkostemps() would make it mode 0600, and asking for the umask changes it for all threads. */
static int create(const char *path, char **name)
{
	int fd;

	for (unsigned int i = 0; i < ATTEMPTS; i++) {
		if (asprintf(name, "%s.%08x.part", path, (unsigned int)any_number(i)) < 0) {
			*name = NULL;
			errno = ENOMEM;
			return -1;
		}
		fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (fd >= 0)
			return fd;
		free(*name);
		*name = NULL;
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

FILE *spht_part_open(const char *path, char **name)
{
	int fd = create(path, name), saved;
	FILE *f;

	if (fd < 0)
		return NULL;
	f = fdopen(fd, "w");
	if (f)
		return f;
	saved = errno;
	close(fd);
	unlink(*name);
	free(*name);
	*name = NULL;
	errno = saved;
	return NULL;
}
