// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A fuzz target without a fuzzer: TARGET FILE|DIRECTORY... gives it each file once.
 * Dies where the target does, after the name of the file; says how many there were.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

static unsigned int nr_files;

static void run_file(const char *path)
{
	FILE *f = fopen(path, "re");
	uint8_t *data = NULL;
	size_t size = 0;
	struct stat st;

	/* Exactly as long as the file: a read beyond the end is to be noticed. */
	if (f && !fstat(fileno(f), &st)) {
		data = malloc((size_t)st.st_size);
		size = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
	}
	if (!f || (!data && st.st_size) || size != (size_t)st.st_size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	fclose(f);
	dprintf(STDERR_FILENO, "%s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	nr_files++;
}

static int is_visible(const struct dirent *d)
{
	return *d->d_name != '.';
}

static void run_path(const char *path)
{
	struct dirent **list;
	char name[4096];
	int nr = scandir(path, &list, is_visible, alphasort);

	if (nr < 0) {
		run_file(path);
		return;
	}
	for (int i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, list[i]->d_name);
		run_path(name);
		free(list[i]);
	}
	free(list);
}

/* Targets that have something to set up bring their own. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* For the mutators of the targets, which nobody calls here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	(void)data;
	(void)max;
	return size;
}

int main(int argc, char **argv)
{
	int out = dup(STDOUT_FILENO);

	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	dprintf(out, "%u files\n", nr_files);
	return nr_files ? 0 : 1;
}
