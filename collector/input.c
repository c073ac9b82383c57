// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "input.h"
#include "message.h"
#include "sha256.h"

#define CHUNK (1u << 20)

/* Files that people have at hand and try; what they start with and what to do. */
static const struct {
	const char *magic;
	size_t len;
	const char *what;
} others[] = {
	{"PERFFILE", 8, "a perf.data file of version 1; record anew with a perf of today"},
	{"2ELIFREP", 8,
	 "a perf.data file of a big-endian machine; KVM's shadow MMU is a matter of x86"},
	{"\x1f\x8b", 2, "compressed with gzip; unpack it first: gzip -dk"},
	{"\xfd"
	 "7zXZ\0",
	 6, "compressed with xz; unpack it first: xz -dk"},
	{"\x28\xb5\x2f\xfd", 4, "compressed with zstd; unpack it first: zstd -dk"},
	{"BZh", 3, "compressed with bzip2; unpack it first: bzip2 -dk"},
	{"PK\x03\x04", 4, "a zip archive; unpack it first"},
	{"\x53\x2a\x4d\x18", 4, "a .spht trace already; spht-trace info shows what it holds"},
};

/* Reads up to @len bytes; fewer only at the end of the file or when asked to stop. */
static ssize_t read_full(int fd, void *buf, size_t len, const volatile sig_atomic_t *stop)
{
	size_t got = 0;

	while (got < len && !*stop) {
		ssize_t n = read(fd, (char *)buf + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (!n)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static int write_full(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static int unnamed_file(struct spht_error *err)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	int fd;

	if (!dir || !*dir)
		dir = "/tmp";
	snprintf(path, sizeof(path), "%s/spht-record.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		spht_error_set(err, "%s: cannot create a temporary file: %s; set TMPDIR", dir,
			       strerror(errno));
	else
		unlink(path);
	return fd;
}

/* Who reads recordings jumps about in them: what cannot be sought is copied. */
static int copy_stream(int from, const char *name, const volatile sig_atomic_t *stop,
		       struct spht_error *err)
{
	char *buf = malloc(CHUNK);
	int to = buf ? unnamed_file(err) : -1;
	ssize_t n;

	if (!buf)
		spht_error_set(err, "%s: out of memory", name);
	if (to < 0)
		goto out;
	while ((n = read_full(from, buf, CHUNK, stop)) > 0) {
		if (write_full(to, buf, (size_t)n)) {
			spht_error_set(err, "%s: cannot copy to a temporary file: %s; set TMPDIR",
				       name, strerror(errno));
			goto fail;
		}
	}
	if (n < 0 || *stop) {
		spht_error_set(err, "%s: cannot read: %s", name,
			       *stop ? "interrupted" : strerror(errno));
		goto fail;
	}
out:
	free(buf);
	return to;
fail:
	close(to);
	free(buf);
	return -1;
}

static int check_magic(struct spht_input *in, struct spht_error *err)
{
	char head[16] = "";
	size_t have = 0;
	ssize_t n;

	do {
		n = pread(in->fd, head + have, sizeof(head) - have, (off_t)have);
		have += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && have < sizeof(head)) || (n < 0 && errno == EINTR));
	if (n < 0) {
		spht_error_set(err, "%s: cannot read: %s", in->path, strerror(errno));
		return -1;
	}
	if (!have) {
		spht_error_set(err, "%s: is empty; it should be a trace.dat or perf.data",
			       in->path);
		return -1;
	}
	in->feed = spht_feed_find(head, have);
	if (in->feed)
		return 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (have < others[i].len || memcmp(head, others[i].magic, others[i].len))
			continue;
		spht_error_set(err, "%s: is %s", in->path, others[i].what);
		return -1;
	}
	spht_error_set(
		err,
		"%s: is not a trace.dat and not a perf.data; trace-cmd record and perf record "
		"make them",
		in->path);
	return -1;
}

static int hash(struct spht_input *in, const volatile sig_atomic_t *stop, struct spht_error *err)
{
	struct spht_sha256 sha;
	uint64_t done = 0;
	char *buf = malloc(CHUNK);
	ssize_t n = 1;
	int rc = -1;

	if (!buf) {
		spht_error_set(err, "%s: out of memory", in->path);
		return -1;
	}
	spht_sha256_init(&sha);
	while (done < in->size) {
		n = pread(in->fd, buf, CHUNK, (off_t)done);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			break;
		if (*stop) {
			spht_error_set(err, "%s: interrupted", in->path);
			goto out;
		}
		spht_sha256_update(&sha, buf, (size_t)n);
		done += (uint64_t)n;
		if (!(done & (64 * CHUNK - 1)))
			spht_progress("hashing %s, %" PRIu64 " %%", in->name,
				      done * 100 / in->size);
	}
	if (done < in->size) {
		spht_error_set(err, "%s: cannot read: %s", in->path,
			       n < 0 ? strerror(errno) : "it became shorter");
		goto out;
	}
	spht_sha256_final(&sha, in->sha256);
	rc = 0;
out:
	free(buf);
	return rc;
}

#define PERF_THREADS ", and this one is of perf record --threads: record without --threads"

/* What perf record --threads leaves behind: data and data.0, data.1, ... */
static bool has_perf_data(int dir)
{
	return !faccessat(dir, "data", F_OK, 0) && !faccessat(dir, "data.0", F_OK, 0);
}

int spht_input_open(struct spht_input *in, const char *path, const volatile sig_atomic_t *stop,
		    struct spht_error *err)
{
	const char *slash = strrchr(path, '/');
	bool is_stdin = !strcmp(path, "-");
	int fd;

	memset(in, 0, sizeof(*in));
	in->path = is_stdin ? "(stdin)" : path;
	in->name = is_stdin ? in->path : slash ? slash + 1 : path;
	in->fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (in->fd < 0 || fstat(in->fd, &in->st)) {
		spht_error_set(err, "%s: cannot open: %s", in->path, strerror(errno));
		goto fail;
	}
	if (S_ISDIR(in->st.st_mode)) {
		spht_error_set(err, "%s: is a directory; a trace.dat or perf.data is expected%s",
			       in->path, has_perf_data(in->fd) ? PERF_THREADS : "");
		goto fail;
	}
	if (!S_ISREG(in->st.st_mode)) {
		fd = copy_stream(in->fd, in->path, stop, err);
		if (fd < 0)
			goto fail;
		close(in->fd);
		in->fd = fd;
		if (fstat(fd, &in->st)) {
			spht_error_set(err, "%s: %s", in->path, strerror(errno));
			goto fail;
		}
	}
	in->size = (uint64_t)in->st.st_size;
	if (check_magic(in, err) || hash(in, stop, err))
		goto fail;
	return 0;

fail:
	spht_input_close(in);
	return -1;
}

int spht_input_unchanged(const struct spht_input *in, struct spht_error *err)
{
	struct stat st;

	if (fstat(in->fd, &st)) {
		spht_error_set(err, "%s: %s", in->path, strerror(errno));
		return -1;
	}
	if (st.st_size == in->st.st_size && st.st_mtim.tv_sec == in->st.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == in->st.st_mtim.tv_nsec)
		return 0;
	spht_error_set(err, "%s: changed while it was read; wait until it is complete", in->path);
	return -1;
}

void spht_input_close(struct spht_input *in)
{
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
}
