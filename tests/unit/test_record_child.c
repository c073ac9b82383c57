// SPDX-License-Identifier: LGPL-2.1-or-later
/* A child process that may do anything: what reaches its parent, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/child.h"

#define MIB ((size_t)1 << 20)

static volatile sig_atomic_t stop;
static const struct spht_child_limits limits = {
	.heap = 64 * MIB, .mapped = 64 * MIB, .silence_ms = 600};

static struct spht_child *start(int (*fn)(struct spht_pipe *, void *), void *arg, int keep)
{
	struct spht_error err = {""};
	struct spht_child *c;

	stop = 0;
	c = spht_child_start(fn, arg, keep, &limits, &stop, &err);
	if (!c)
		fail_msg("%s", err.text);
	return c;
}

/* Reads all messages and ends the child; what went wrong, or "". */
static const char *outcome(struct spht_child *c, unsigned int *nr_messages)
{
	static struct spht_error err;
	struct spht_error end = {""};
	struct spht_message m;
	int rc, nr = 0;

	err.text[0] = '\0';
	while ((rc = spht_child_read(c, &m, NULL, NULL, &err)) > 0)
		nr++;
	if (nr_messages)
		*nr_messages = (unsigned int)nr;
	if (spht_child_end(c, &end) && !rc)
		err = end;
	/* Nothing is left of it, not even a zombie. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return err.text;
}

static int talk(struct spht_pipe *p, void *arg)
{
	const char *text = arg;

	for (uint32_t i = 1; i <= 5; i++)
		if (spht_pipe_send(p, i, i * 100, text, strlen(text) * (i % 2)))
			return -1;
	return 0;
}

static void messages_arrive(void **state)
{
	struct spht_child *c = start(talk, "hello", 0);
	struct spht_error err = {""};
	struct spht_message m;

	(void)state;
	for (uint32_t i = 1; i <= 5; i++) {
		assert_int_equal(spht_child_read(c, &m, NULL, NULL, &err), 1);
		assert_int_equal(m.type, i);
		assert_int_equal(m.done, i * 100);
		assert_int_equal(m.len, i % 2 ? 5 : 0);
		assert_memory_equal(m.data, "hello", m.len);
	}
	assert_int_equal(spht_child_read(c, &m, NULL, NULL, &err), 0);
	assert_int_equal(spht_child_end(c, &err), 0);
	assert_string_equal(err.text, "");
}

static int large(struct spht_pipe *p, void *arg)
{
	char *data = calloc(1, 8 * MIB);

	(void)arg;
	if (!data)
		return -1;
	data[8 * MIB - 1] = 'x';
	return spht_pipe_send(p, 1, 0, data, 8 * MIB);
}

static void large_messages_arrive(void **state)
{
	struct spht_child *c = start(large, NULL, 0);
	struct spht_error err = {""};
	struct spht_message m;

	(void)state;
	assert_int_equal(spht_child_read(c, &m, NULL, NULL, &err), 1);
	assert_int_equal(m.len, 8 * MIB);
	assert_int_equal(((const char *)m.data)[m.len - 1], 'x');
	assert_string_equal(outcome(c, NULL), "");
}

static int crash(struct spht_pipe *p, void *arg)
{
	(void)arg;
	spht_pipe_send(p, 1, 0, NULL, 0);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	return 0;
}

static int give_up(struct spht_pipe *p, void *arg)
{
	(void)p;
	(void)arg;
	return -1;
}

static int leave(struct spht_pipe *p, void *arg)
{
	(void)p;
	(void)arg;
	_exit(0x2a);
}

static int hang(struct spht_pipe *p, void *arg)
{
	(void)arg;
	spht_pipe_send(p, 1, 0, NULL, 0);
	for (;;)
		pause();
	return 0;
}

static int babble(struct spht_pipe *p, void *arg)
{
	(void)p;
	(void)arg;
	/* Not through spht_pipe_send(), which would refuse. */
	if (write(3, "\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377", 16) != 16)
		return -1;
	return 0;
}

static int stammer(struct spht_pipe *p, void *arg)
{
	(void)p;
	(void)arg;
	return write(3, "\1\0\0\0\10\0\0\0\0\0\0\0\0\0\0\0abc", 19) != 19;
}

static void deaths_are_told(void **state)
{
	unsigned int nr;

	(void)state;
	assert_string_equal(outcome(start(crash, NULL, 0), &nr), "Segmentation fault");
	assert_int_equal(nr, 1);
	assert_string_equal(outcome(start(give_up, NULL, 0), NULL), "exit status 1");
	assert_string_equal(outcome(start(leave, NULL, 0), NULL), "exit status 42");
	assert_string_equal(outcome(start(babble, NULL, 0), NULL),
			    "sent a message that makes no sense");
	assert_string_equal(outcome(start(stammer, NULL, 0), NULL),
			    "ended in the middle of a message");
}

static void silence_ends_it(void **state)
{
	struct timespec before, after;
	unsigned int nr;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_string_equal(outcome(start(hang, NULL, 0), &nr), "no progress for 0 s");
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_int_equal(nr, 1);
	assert_true(after.tv_sec - before.tv_sec < 20);
}

static void set_stop(void *arg)
{
	(void)arg;
	stop = SIGINT;
}

static void stop_ends_it(void **state)
{
	struct spht_child *c = start(hang, NULL, 0);
	struct spht_error err = {""};
	struct spht_message m;

	(void)state;
	assert_int_equal(spht_child_read(c, &m, set_stop, NULL, &err), 1);
	assert_int_equal(spht_child_read(c, &m, set_stop, NULL, &err), -1);
	assert_string_equal(err.text, "interrupted");
	assert_int_equal(spht_child_end(c, &err), -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* Takes all the memory that it gets and says how much that was. */
static int gorge(struct spht_pipe *p, void *arg)
{
	uint64_t got = 0;

	(void)arg;
	for (; got < 1024; got++) {
		char *block =
			mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (block == MAP_FAILED)
			break;
		block[0] = 1;
	}
	return spht_pipe_send(p, 1, got, NULL, 0);
}

static void memory_is_limited(void **state)
{
	struct spht_child *c = start(gorge, NULL, 0);
	struct spht_error err = {""};
	struct spht_message m;

	(void)state;
	assert_int_equal(spht_child_read(c, &m, NULL, NULL, &err), 1);
	assert_string_equal(outcome(c, NULL), "");
#ifdef __SANITIZE_ADDRESS__
	skip(); /* its shadow memory knows no limits */
#endif
	assert_in_range(m.done, 56, 64);
}

/* Looks at what it has been given: two files, null streams, no core dump. */
static int look_around(struct spht_pipe *p, void *arg)
{
	struct rlimit core;
	uint64_t open_files = 0;
	char text[8] = "";

	(void)arg;
	for (int fd = 0; fd < 1000; fd++)
		open_files += fcntl(fd, F_GETFD) >= 0;
	if (getrlimit(RLIMIT_CORE, &core) || core.rlim_cur || isatty(0) || isatty(1) || isatty(2))
		return -1;
	if (pread(SPHT_CHILD_FD, text, 4, 0) != 4)
		return -1;
	return spht_pipe_send(p, 1, open_files, text, 4);
}

static void it_has_its_files_only(void **state)
{
	FILE *f = tmpfile(), *other = tmpfile();
	struct spht_child *c;
	struct spht_error err = {""};
	struct spht_message m;

	(void)state;
	assert_non_null(f);
	assert_non_null(other);
	assert_int_equal(fwrite("data", 1, 4, f), 4);
	assert_int_equal(fflush(f), 0);
	c = start(look_around, NULL, fileno(f));
	assert_int_equal(spht_child_read(c, &m, NULL, NULL, &err), 1);
	assert_int_equal(m.done, 5);
	assert_int_equal(m.len, 4);
	assert_memory_equal(m.data, "data", 4);
	assert_string_equal(outcome(c, NULL), "");
	fclose(f);
	fclose(other);
}

/* A parent that is killed takes its child along. */
static void it_dies_with_its_parent(void **state)
{
	struct spht_error err = {""};
	struct spht_child *c;
	int ends[2];
	pid_t parent;
	char byte;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	parent = fork();
	if (!parent) {
		struct spht_message m;

		/* The child keeps the writing end: it is closed when both are gone. */
		c = spht_child_start(hang, NULL, ends[1], &limits, &stop, &err);
		if (c && spht_child_read(c, &m, NULL, NULL, &err) == 1)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive),       cmocka_unit_test(large_messages_arrive),
		cmocka_unit_test(deaths_are_told),       cmocka_unit_test(silence_ends_it),
		cmocka_unit_test(stop_ends_it),          cmocka_unit_test(memory_is_limited),
		cmocka_unit_test(it_has_its_files_only), cmocka_unit_test(it_dies_with_its_parent),
	};

	/* A test that waits for ever is a failed one. */
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
