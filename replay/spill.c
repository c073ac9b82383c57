// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/bigmem.h"
#include "replay/spill.h"

#define BLOCK SPHT_BIGMEM_PAGE

struct spht_spill {
	uint8_t **block; /* of what is in memory, made as it is reached */
	size_t nr_blocks;
	uint64_t limit; /* whole blocks; the file holds what is above it */
	uint64_t end;
	int fd; /* -1: not needed yet */
};

struct spht_spill *spht_spill_open(size_t limit)
{
	struct spht_spill *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = -1;
	s->nr_blocks = limit / BLOCK + (limit % BLOCK != 0);
	s->limit = (uint64_t)s->nr_blocks * BLOCK;
	s->block = calloc(s->nr_blocks + 1, sizeof(*s->block));
	if (s->block)
		return s;
	free(s);
	return NULL;
}

void spht_spill_close(struct spht_spill *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nr_blocks; i++)
		free(s->block[i]);
	free(s->block);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

static const char *folder(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/tmp";
}

/* What failed with errno, and what can be done. */
static int file_error(const struct spht_spill *s, const char *what, struct spht_error *err)
{
	spht_error_set(err,
		       "%.200s: the temporary file that holds what memory has no room for %s: %s "
		       "(%" PRIu64 " MiB so far); set TMPDIR to a folder with room, or "
		       "--memory=MIB to keep more in memory",
		       folder(), what, strerror(errno), spht_spill_written(s) >> 20);
	return -1;
}

static int file_open(struct spht_spill *s, struct spht_error *err)
{
	char name[4096];

	s->fd = open(folder(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	if (s->fd >= 0)
		return 0;
	/* Not every file system has files without a name. */
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) {
		if (snprintf(name, sizeof(name), "%s/spht-replay.XXXXXX", folder()) <
		    (int)sizeof(name))
			s->fd = mkostemp(name, O_CLOEXEC);
		if (s->fd >= 0)
			unlink(name);
	}
	return s->fd >= 0 ? 0 : file_error(s, "cannot be made", err);
}

static int file_write(struct spht_spill *s, const uint8_t *data, size_t n, struct spht_error *err)
{
	if (s->fd < 0 && file_open(s, err))
		return -1;
	while (n) {
		ssize_t done = pwrite(s->fd, data, n, (off_t)(s->end - s->limit));

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return file_error(s, "cannot be written", err);
		data += done;
		n -= (size_t)done;
		s->end += (uint64_t)done;
	}
	return 0;
}

static int file_read(const struct spht_spill *s, uint64_t at, uint8_t *data, size_t n,
		     struct spht_error *err)
{
	while (n) {
		ssize_t done = pread(s->fd, data, n, (off_t)(at - s->limit));

		if (done < 0 && errno == EINTR)
			continue;
		if (!done)
			errno = EIO; /* somebody has cut it */
		if (done <= 0)
			return file_error(s, "cannot be read", err);
		data += done;
		n -= (size_t)done;
		at += (uint64_t)done;
	}
	return 0;
}

/* Where @at is in memory, with at most *@n bytes from there on. */
static uint8_t *place(const struct spht_spill *s, uint64_t at, size_t *n)
{
	size_t in_block = BLOCK - at % BLOCK;

	if (*n > in_block)
		*n = in_block;
	return s->block[at / BLOCK] + at % BLOCK;
}

static int block_make(struct spht_spill *s, uint64_t at, struct spht_error *err)
{
	uint8_t **b = &s->block[at / BLOCK];

	if (*b)
		return 0;
	*b = aligned_alloc(BLOCK, BLOCK);
	if (!*b) {
		spht_error_set(err, "out of memory; --memory=MIB keeps less in it");
		return -1;
	}
	spht_bigmem_hint(*b, BLOCK);
	return 0;
}

int spht_spill_append(struct spht_spill *s, const void *data, size_t n, uint64_t *at,
		      struct spht_error *err)
{
	const uint8_t *from = data;

	*at = s->end;
	while (n && s->end < s->limit) {
		size_t part = n;
		uint8_t *to;

		if (block_make(s, s->end, err))
			return -1;
		to = place(s, s->end, &part);
		memcpy(to, from, part);
		from += part;
		n -= part;
		s->end += part;
	}
	return n ? file_write(s, from, n, err) : 0;
}

int spht_spill_read(const struct spht_spill *s, uint64_t at, void *data, size_t n,
		    struct spht_error *err)
{
	uint8_t *to = data;

	while (n && at < s->limit) {
		size_t part = n;
		const uint8_t *from = place(s, at, &part);

		memcpy(to, from, part);
		to += part;
		n -= part;
		at += part;
	}
	return n ? file_read(s, at, to, n, err) : 0;
}

size_t spht_spill_held(const struct spht_spill *s)
{
	return (size_t)(s->end < s->limit ? s->end : s->limit);
}

uint64_t spht_spill_written(const struct spht_spill *s)
{
	return s->end > s->limit ? s->end - s->limit : 0;
}
