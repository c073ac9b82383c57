// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "json-memory.h"
#include "must-malloc.h"

#define TICK_MS      200
#define PIPE_SIZE    (1 << 20)
#define FIRST_BUFFER (64u << 10)

/* Where the child finds its files after it has closed all others. */
#define PIPE_FD      3
#define KEEP_FD      SPHT_CHILD_FD

#define NO_MEMORY    3 /* exit status of a child that got none */

/*
 * AddressSanitizer maps terabytes.  What it finds in the child is lost with
 * stderr; ASAN_OPTIONS=log_path=FILE keeps it.
 */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

struct header {
	uint32_t type;
	uint32_t len;
	uint64_t done;
};

struct spht_pipe {
	int fd;
};

struct spht_child {
	pid_t pid;
	int fd;
	unsigned int silence_ms;
	const volatile sig_atomic_t *stop;
	char *buf;
	size_t size;
};

/* Bytes of address space and of private writable memory that this process has already. */
static int memory_in_use(uint64_t *mapped, uint64_t *data)
{
	unsigned long long size, resident, shared, text, lib, rw;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/proc/self/statm", "re");
	int n;

	if (!f)
		return -1;
	n = fscanf(f, "%llu %llu %llu %llu %llu %llu", &size, &resident, &shared, &text, &lib, &rw);
	fclose(f);
	if (n != 6)
		return -1;
	*mapped = size * page;
	*data = rw * page;
	return 0;
}

static int limit(int resource, uint64_t value)
{
	struct rlimit r;

	if (getrlimit(resource, &r))
		return -1;
	if (r.rlim_max != RLIM_INFINITY && value > r.rlim_max)
		value = r.rlim_max;
	r.rlim_cur = value;
	r.rlim_max = value;
	return setrlimit(resource, &r);
}

/*
 * The limits are counted from what was inherited: a recorder that holds the
 * blocks of many CPUs must not starve its child.  RLIMIT_DATA is the one that
 * bounds real memory; RLIMIT_AS also counts files that are only mapped.
 */
static int confine(const struct spht_child_limits *l)
{
	uint64_t mapped, data;

	if (limit(RLIMIT_CORE, 0))
		return -1;
	if (SANITIZED)
		return 0;
	if (memory_in_use(&mapped, &data))
		return -1;
	if (limit(RLIMIT_DATA, data + l->heap))
		return -1;
	return limit(RLIMIT_AS, mapped + l->heap + l->mapped);
}

/* Moves both files out of each other's way, then to where they belong; closes the rest. */
static int settle_files(int *pipe_fd, int *keep_fd)
{
	int null = open("/dev/null", O_RDWR);
	int p, k;

	if (null < 0)
		return -1;
	p = fcntl(*pipe_fd, F_DUPFD, KEEP_FD + 1);
	k = fcntl(*keep_fd, F_DUPFD, KEEP_FD + 1);
	if (p < 0 || k < 0 || dup2(p, PIPE_FD) < 0 || dup2(k, KEEP_FD) < 0)
		return -1;
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		return -1;
	close_range(KEEP_FD + 1, ~0u, 0);
	*pipe_fd = PIPE_FD;
	*keep_fd = KEEP_FD;
	return 0;
}

/* The terminal sends ^C to both; it is the parent that decides. */
static void settle_signals(void)
{
	static const int defaults[] = {SIGTERM, SIGPIPE, SIGCHLD, SIGALRM};
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		sigaction(defaults[i], &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGQUIT, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_main(int (*fn)(struct spht_pipe *, void *), void *arg, int pipe_fd,
				 int keep_fd, pid_t parent, const struct spht_child_limits *limits)
{
	struct spht_pipe p;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	settle_signals();
	if (settle_files(&pipe_fd, &keep_fd) || confine(limits))
		_exit(1);
	spht_json_memory(NULL, NO_MEMORY, NULL);
	spht_malloc_must(NO_MEMORY);
	p.fd = pipe_fd;
	/* No exit(): buffers and handlers belong to the parent. */
	_exit(fn(&p, arg) ? 1 : 0);
}

struct spht_child *spht_child_start(int (*fn)(struct spht_pipe *pipe, void *arg), void *arg,
				    int keep_fd, const struct spht_child_limits *limits,
				    const volatile sig_atomic_t *stop, struct spht_error *err)
{
	struct spht_child *c = calloc(1, sizeof(*c));
	pid_t parent = getpid();
	int fds[2];

	if (!c)
		goto no_memory;
	c->size = FIRST_BUFFER;
	c->buf = malloc(c->size);
	if (!c->buf)
		goto no_memory;
	if (pipe2(fds, O_CLOEXEC)) {
		spht_error_set(err, "cannot make a pipe: %s", strerror(errno));
		goto free;
	}
	/* Fewer switches between the two; a refusal costs only speed. */
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
	fflush(NULL);
	c->pid = fork();
	if (c->pid < 0) {
		spht_error_set(err, "cannot start a process: %s", strerror(errno));
		close(fds[0]);
		close(fds[1]);
		goto free;
	}
	if (!c->pid)
		child_main(fn, arg, fds[1], keep_fd, parent, limits);
	close(fds[1]);
	c->fd = fds[0];
	c->silence_ms = limits->silence_ms;
	c->stop = stop;
	return c;

no_memory:
	spht_error_set(err, "out of memory");
free:
	if (c)
		free(c->buf);
	free(c);
	return NULL;
}

/* Fills @buf; 1, 0 at an end before the first byte, -1. */
static int read_all(struct spht_child *c, void *buf, size_t len, void (*idle)(void *),
		    void *idle_arg, struct spht_error *err)
{
	/* Ticks and not the clock, or a suspended machine would look like a silent child. */
	unsigned int waited_ms = 0;
	size_t got = 0;

	while (got < len) {
		struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
		ssize_t n;

		if (*c->stop) {
			spht_error_set(err, "interrupted");
			return -1;
		}
		n = poll(&pfd, 1, TICK_MS);
		if (!n) {
			waited_ms += TICK_MS;
			if (idle)
				idle(idle_arg);
			if (waited_ms < c->silence_ms)
				continue;
			spht_error_set(err, "no progress for %u s", c->silence_ms / 1000);
			return -1;
		}
		if (n > 0)
			n = read(c->fd, (char *)buf + got, len - got);
		if (n < 0 && errno != EINTR) {
			spht_error_set(err, "cannot read from the child process: %s",
				       strerror(errno));
			return -1;
		}
		if (!n && !got)
			return 0;
		if (!n) {
			spht_error_set(err, "ended in the middle of a message");
			return -1;
		}
		if (n > 0)
			got += (size_t)n;
	}
	return 1;
}

int spht_child_read(struct spht_child *c, struct spht_message *m, void (*idle)(void *),
		    void *idle_arg, struct spht_error *err)
{
	struct header h;
	char *larger;
	int rc;

	rc = read_all(c, &h, sizeof(h), idle, idle_arg, err);
	if (rc <= 0)
		return rc;
	if (!h.type || h.len > SPHT_CHILD_MAX_MESSAGE) {
		spht_error_set(err, "sent a message that makes no sense");
		return -1;
	}
	if (h.len > c->size) {
		larger = realloc(c->buf, h.len);
		if (!larger) {
			spht_error_set(err, "out of memory");
			return -1;
		}
		c->buf = larger;
		c->size = h.len;
	}
	if (h.len && read_all(c, c->buf, h.len, idle, idle_arg, err) != 1) {
		if (!*c->stop)
			spht_error_set(err, "ended in the middle of a message");
		return -1;
	}
	m->type = h.type;
	m->done = h.done;
	m->data = c->buf;
	m->len = h.len;
	return 1;
}

int spht_child_end(struct spht_child *c, struct spht_error *err)
{
	int status = 0;
	bool ended = false;
	pid_t got;

	if (!c)
		return 0;
	/* The end of the pipe comes just before the end of the process. */
	for (int i = 0; i < 500 && !*c->stop; i++) {
		struct pollfd pfd = {.fd = c->fd, .events = POLLIN};

		if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
			ended = true;
			break;
		}
		if (poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLIN))
			break; /* it has more to say: nobody wants to hear it */
		poll(NULL, 0, 1);
	}
	if (!ended) {
		kill(c->pid, SIGKILL);
		do
			got = waitpid(c->pid, &status, 0);
		while (got < 0 && errno == EINTR);
	}
	close(c->fd);
	free(c->buf);
	free(c);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFSIGNALED(status))
		spht_error_set(err, "%s", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == NO_MEMORY)
		spht_error_set(err, "out of memory");
	else
		spht_error_set(err, "exit status %d", WEXITSTATUS(status));
	return -1;
}

int spht_pipe_send(struct spht_pipe *p, uint32_t type, uint64_t done, const void *data, size_t len)
{
	struct header h = {.type = type, .len = (uint32_t)len, .done = done};
	const char *at = data;
	size_t left = len;
	ssize_t n;

	if (len > SPHT_CHILD_MAX_MESSAGE)
		return -1;
	do
		n = write(p->fd, &h, sizeof(h));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(h))
		return -1;
	while (left) {
		n = write(p->fd, at, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		at += n;
		left -= (size_t)n;
	}
	return 0;
}
