// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Command lines.  The first byte chooses the program, the rest are its arguments, each
 * ended by a newline.  There are no files but a cost profile and what the kernel says of
 * CPUs, and nothing can be written, loaded or started: the linker puts the functions
 * below in the place of those of the C library.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector/options.h"
#include "fuzz.h"
#include "replay/costs.h"
#include "replay/specs.h"

#define MAX_ARGS 60

int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__real_fopen(const char *path, const char *mode);
void *__wrap_dlopen(const char *path, int flags);
void *__real_dlopen(const char *path, int flags);
int __wrap_unlink(const char *path);
int __real_unlink(const char *path);
int __wrap_rename(const char *from, const char *to);
int __real_rename(const char *from, const char *to);
int __wrap_execl(const char *path, const char *arg, ...);
void __wrap_exit(int status);
void __real_exit(int status);
int __wrap_mkostemp(char *template, int flags);
int __real_mkostemp(char *template, int flags);
enum spht_specs_status __wrap_spht_specs_add(struct spht_specs *specs, const char *text,
					     size_t *again, struct spht_error *err);
enum spht_specs_status __real_spht_specs_add(struct spht_specs *specs, const char *text,
					     size_t *again, struct spht_error *err);
void __wrap_spht_specs_close(struct spht_specs *specs);
void __real_spht_specs_close(struct spht_specs *specs);

void __wrap_exit(int status)
{
	if (fuzz_running)
		fuzz_end(status);
	__real_exit(status);
}

/* Those of a program that ended before it closed them. */
static struct spht_specs *left;

enum spht_specs_status __wrap_spht_specs_add(struct spht_specs *specs, const char *text,
					     size_t *again, struct spht_error *err)
{
	left = specs;
	return __real_spht_specs_add(specs, text, again, err);
}

void __wrap_spht_specs_close(struct spht_specs *specs)
{
	left = NULL;
	__real_spht_specs_close(specs);
}

static bool is_there(const char *path)
{
	return !strncmp(path, "/sys/devices/system/cpu/", 24) && !strstr(path, "..");
}

static int refuse(void)
{
	errno = EACCES;
	return -1;
}

static int missing(void)
{
	errno = ENOENT;
	return -1;
}

/* The fuzzer itself, which is linked in, has all that there is. */
int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (!fuzz_running)
		return __real_open(path, flags, mode);
	if (flags & (O_CREAT | O_WRONLY | O_RDWR | O_TRUNC))
		return refuse();
	return is_there(path) ? __real_open(path, flags) : missing();
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	if (!fuzz_running)
		return __real_fopen(path, mode);
	if (*mode == 'r' && !strcmp(path, "costs.json"))
		return fmemopen((void *)spht_costs_default, strlen(spht_costs_default), "r");
	if (*mode == 'r' && is_there(path))
		return __real_fopen(path, mode);
	if (*mode == 'r')
		missing();
	else
		refuse();
	return NULL;
}

void *__wrap_dlopen(const char *path, int flags)
{
	return fuzz_running ? NULL : __real_dlopen(path, flags);
}

int __wrap_unlink(const char *path)
{
	return fuzz_running ? refuse() : __real_unlink(path);
}

int __wrap_rename(const char *from, const char *to)
{
	return fuzz_running ? refuse() : __real_rename(from, to);
}

int __wrap_execl(const char *path, const char *arg, ...)
{
	(void)path;
	(void)arg;
	return missing();
}

int __wrap_mkostemp(char *template, int flags)
{
	return fuzz_running ? refuse() : __real_mkostemp(template, flags);
}

/* With files of more than 4 GiB the programs ask for these names. */
int __wrap_open64(const char *path, int flags, ...) __attribute__((alias("__wrap_open")));
FILE *__wrap_fopen64(const char *path, const char *mode) __attribute__((alias("__wrap_fopen")));
int __wrap_mkostemp64(char *template, int flags) __attribute__((alias("__wrap_mkostemp")));

/* Of spht-record what the options say; what is then done would be done. */
static int record(int argc, char **argv)
{
	static const volatile sig_atomic_t stop;
	struct spht_options o;
	int status = spht_options_parse(&o, argc, argv, &stop);

	if (!status && o.mode == SPHT_MODE_LIVE && !o.live.command && !o.live.vm && !o.live.all)
		fuzz_broken("nothing is to be recorded");
	if (!status && (o.mode == SPHT_MODE_LIVE || o.mode == SPHT_MODE_IMPORT) &&
	    !(o.mode == SPHT_MODE_LIVE ? o.live.out : o.import.out))
		fuzz_broken("there is no output");
	spht_options_close(&o);
	return status;
}

static void run(int (*program)(int, char **), const char *name, char *text)
{
	const char *argv[MAX_ARGS + 2] = {name};
	int argc = 1, status;

	for (char *end; *text && argc < MAX_ARGS; text = end) {
		end = text + strcspn(text, "\n");
		if (*end)
			*end++ = '\0';
		argv[argc++] = text;
	}
	status = fuzz_run(program, argv);
	if (left)
		__wrap_spht_specs_close(left);
	if (status < 0 || status > 5)
		fuzz_broken("exit status %d", status);
	if (status && !*fuzz_heard())
		fuzz_broken("exit status %d without a word", status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	switch (*data) {
	case 't':
		run(spht_trace_main, "spht-trace", text);
		break;
	case 'c':
		run(record, "spht-record", text);
		break;
	default:
		run(spht_replay_main, "spht-replay", text);
	}
	free(text);
	return 0;
}
