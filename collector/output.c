// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

#define CHUNK   (1u << 20)
#define TICK_MS 200

/* What is being written, for spht_output_leave(). */
static const struct spht_output *open_output;

static int open_stdout(struct spht_output *out, struct spht_error *err)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	if (!dir || !*dir)
		dir = "/tmp";
	if (asprintf(&out->part, "%s/spht-record.XXXXXX", dir) < 0) {
		out->part = NULL;
		spht_error_set(err, "out of memory");
		return -1;
	}
	fd = mkstemp(out->part);
	if (fd < 0) {
		spht_error_set(err, "%s: cannot create a temporary file: %s; set TMPDIR", dir,
			       strerror(errno));
		free(out->part);
		out->part = NULL;
		return -1;
	}
	close(fd);
	out->to_stdout = true;
	return 0;
}

int spht_output_open(struct spht_output *out, const char *path, bool force,
		     const struct spht_input *in, struct spht_error *err)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	out->path = path;
	out->force = force;
	if (!strcmp(path, "-")) {
		if (open_stdout(out, err))
			return -1;
		open_output = out;
		return 0;
	}
	/* A link to nothing is no file and has the name all the same. */
	if (!force && stat(path, &st) && !lstat(path, &st)) {
		spht_error_set(err, "%s: is a link to what is not there; --force replaces it",
			       path);
		return -1;
	}
	if (!stat(path, &st)) {
		if (in && st.st_dev == in->st.st_dev && st.st_ino == in->st.st_ino) {
			spht_error_set(err, "%s: is the file to be imported; name another one",
				       path);
			return -1;
		}
		if (!S_ISREG(st.st_mode)) {
			spht_error_set(err,
				       "%s: is not a plain file; name another one, or - for "
				       "stdout",
				       path);
			return -1;
		}
		if (!force) {
			spht_error_set(err, "%s: exists; --force replaces it", path);
			return -1;
		}
	}
	if (asprintf(&out->part, "%s.part", path) < 0) {
		out->part = NULL;
		spht_error_set(err, "%s: out of memory", path);
		return -1;
	}
	/* Never through a link that someone has put there: the writer makes it anew. */
	if (force)
		unlink(out->part);
	if (!lstat(out->part, &st)) {
		spht_error_set(err,
			       "%s: exists: another spht-record writes it, or one was killed; see "
			       "spht-trace verify, remove it, or use --force",
			       out->part);
		free(out->part);
		out->part = NULL;
		return -1;
	}
	open_output = out;
	return 0;
}

void spht_output_leave(void)
{
	if (open_output && !open_output->keep)
		unlink(open_output->part);
}

/*
 * Pieces that a pipe takes whole once it takes anything: a write that blocks
 * would not notice @stop.
 */
static int write_stdout(const char *p, size_t len, const volatile sig_atomic_t *stop)
{
	while (len) {
		struct pollfd pfd = {.fd = STDOUT_FILENO, .events = POLLOUT};
		ssize_t n;

		if (stop && *stop) {
			errno = EINTR;
			return -1;
		}
		if (poll(&pfd, 1, TICK_MS) <= 0)
			continue;
		n = write(STDOUT_FILENO, p, len < PIPE_BUF ? len : PIPE_BUF);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int copy_to_stdout(const char *path, const volatile sig_atomic_t *stop,
			  struct spht_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1;
	char *buf = malloc(CHUNK);
	ssize_t n = -1;

	if (fd < 0 || !buf)
		goto out;
	while ((n = read(fd, buf, CHUNK)) > 0)
		if (write_stdout(buf, (size_t)n, stop))
			break;
	rc = n ? -1 : 0;
out:
	if (rc)
		spht_error_set(err, "cannot write to stdout: %s", strerror(errno));
	free(buf);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Without --force a file that came meanwhile is not replaced either. */
static int give_name(const struct spht_output *out)
{
	if (out->force)
		return rename(out->part, out->path);
	if (!renameat2(AT_FDCWD, out->part, AT_FDCWD, out->path, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system that cannot do that; link() refuses an existing name as well. */
	if (link(out->part, out->path))
		return -1;
	return unlink(out->part);
}

int spht_output_commit(struct spht_output *out, const volatile sig_atomic_t *stop,
		       struct spht_error *err)
{
	int rc = 0;

	if (out->to_stdout) {
		rc = copy_to_stdout(out->part, stop, err);
		unlink(out->part);
		return rc;
	}
	if (give_name(out)) {
		spht_error_set(err, "%s: cannot give %s this name: %s%s", out->path, out->part,
			       strerror(errno), out->keep ? "; it is whole and stays" : "");
		if (!out->keep)
			unlink(out->part);
		rc = -1;
	}
	return rc;
}

void spht_output_close(struct spht_output *out)
{
	open_output = NULL;
	/* This one was there before the writer. */
	if (out->to_stdout && out->part)
		unlink(out->part);
	free(out->part);
	out->part = NULL;
}
