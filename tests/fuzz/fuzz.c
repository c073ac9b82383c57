// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_ARGS 64

bool fuzz_running;

static jmp_buf leave;
static int left_with;
static char *heard;
static size_t heard_len;

void fuzz_broken(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	dprintf(STDERR_FILENO, "BROKEN: ");
	vdprintf(STDERR_FILENO, fmt, ap);
	dprintf(STDERR_FILENO, "\n");
	va_end(ap);
	abort();
}

void fuzz_message(const char *text)
{
	if (!*text)
		fuzz_broken("it failed without a word");
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p < ' ' || *p == 127)
			fuzz_broken("a message with byte 0x%02x in it: %s", *p, text);
}

static int memory_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		fuzz_broken("memfd_create() does not work here");
	return fd;
}

static const char *fd_path(int fd, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return path;
}

const char *fuzz_file(const void *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0)
		fd = memory_file("input");
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		fuzz_broken("no memory for a file of %zu bytes", size);
	return fd_path(fd, path);
}

static int output = -1;

const char *fuzz_output(void)
{
	static char path[32];

	if (output < 0)
		output = memory_file("output");
	if (ftruncate(output, 0))
		fuzz_broken("ftruncate() does not work here");
	return fd_path(output, path);
}

size_t fuzz_output_size(void)
{
	struct stat st;

	return fstat(output, &st) ? 0 : (size_t)st.st_size;
}

/* Programs close stdout to learn whether all was written. */
static void open_streams(void)
{
	static int null = -1;

	if (null < 0)
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDIN_FILENO) < 0)
		fuzz_broken("no /dev/null here");
}

static int call(int (*program)(int argc, char **argv), int argc, char **argv)
{
	if (setjmp(leave))
		return left_with;
	return program(argc, argv);
}

int fuzz_run(int (*program)(int argc, char **argv), const char *const *argv)
{
	FILE *was_err = stderr, *was_out = stdout, *dropped;
	char *args[MAX_ARGS + 1], *copies[MAX_ARGS], *out = NULL;
	size_t out_len;
	int argc = 0, status;

	free(heard);
	heard = NULL;
	for (; argv[argc] && argc < MAX_ARGS; argc++)
		args[argc] = copies[argc] = strdup(argv[argc]);
	args[argc] = NULL;
	open_streams();
	stderr = open_memstream(&heard, &heard_len);
	stdout = dropped = open_memstream(&out, &out_len);
	optind = 0;
	fuzz_running = true;
	status = call(program, argc, args);
	fuzz_running = false;
	fclose(stderr);
	fclose(dropped);
	stderr = was_err;
	stdout = was_out;
	open_streams();
	free(out);
	/* getopt_long() sorts args. */
	while (argc)
		free(copies[--argc]);
	return status;
}

const char *fuzz_heard(void)
{
	return heard ? heard : "";
}

void fuzz_end(int status)
{
	left_with = status;
	longjmp(leave, 1);
}
