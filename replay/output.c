// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "part.h"
#include "replay/output.h"

bool spht_output_is(const char *output, const char *input)
{
	struct stat o, i;

	return output && !stat(output, &o) && !stat(input, &i) && S_ISREG(o.st_mode) &&
	       o.st_dev == i.st_dev && o.st_ino == i.st_ino;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The folder that @path names a file of; 0 or -1. */
static int stat_folder(const char *path, struct stat *st)
{
	char *folder = strndup(path, (size_t)(base_of(path) - path));
	int ret = folder ? stat(*folder ? folder : ".", st) : -1;

	free(folder);
	return ret;
}

/* What is to be renamed has no inode in common yet: folder and name tell. */
static bool one_file(const struct spht_output *a, const struct spht_output *b)
{
	struct stat x, y;

	if (a->temp && b->temp) {
		if (strcmp(base_of(a->path), base_of(b->path)) || stat_folder(a->path, &x) ||
		    stat_folder(b->path, &y))
			return false;
	} else if ((a->temp ? stat(a->path, &x) : fstat(fileno(a->f), &x)) ||
		   (b->temp ? stat(b->path, &y) : fstat(fileno(b->f), &y))) {
		return false;
	}
	/* /dev/null takes everything. */
	return !S_ISCHR(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int spht_output_apart(const struct spht_output *a, const struct spht_output *b)
{
	if (!a->f || !b->f || !one_file(a, b))
		return 0;
	fprintf(stderr, "spht-replay: %s and %s are one file; expected one for each output\n",
		a->path, b->path);
	return -1;
}

int spht_output_open(struct spht_output *o, const char *path)
{
	struct stat st;

	o->path = path;
	o->temp = NULL;
	o->failed = 0;
	if (!strcmp(path, "-")) {
		o->f = stdout;
		return 0;
	}
	/* Links are written through: /dev/stdout is one, and must not become a file. */
	if (!lstat(path, &st) && !S_ISREG(st.st_mode)) {
		o->f = fopen(path, "w");
	} else {
		o->f = spht_part_open(path, &o->temp);
	}
	if (o->f)
		return 0;
	fprintf(stderr, "spht-replay: %s: cannot be created: %s\n", path, strerror(errno));
	return -1;
}

void spht_output_leave(const struct spht_output *o)
{
	if (o->f && o->temp)
		unlink(o->temp);
}

void spht_output_note(struct spht_output *o)
{
	if (o->f && ferror(o->f) && !o->failed)
		o->failed = errno;
}

/* What went wrong is still to be told. */
static void drop(const struct spht_output *o)
{
	int saved = errno;

	unlink(o->temp);
	errno = saved;
}

int spht_output_close(struct spht_output *o, bool keep)
{
	int saved;
	bool bad;

	if (!o->f)
		return 0;
	errno = 0;
	bad = fflush(o->f) || ferror(o->f);
	saved = o->failed ? o->failed : errno;
	if (o->f != stdout && fclose(o->f)) {
		bad = true;
		saved = saved ? saved : errno;
	}
	errno = saved;
	o->f = NULL;
	if (o->temp && (bad || !keep))
		drop(o);
	else if (o->temp && rename(o->temp, o->path)) {
		drop(o);
		bad = true;
	}
	free(o->temp);
	o->temp = NULL;
	if (bad && keep)
		fprintf(stderr, "spht-replay: %s: cannot be written: %s\n", o->path,
			strerror(errno));
	return bad ? -1 : 0;
}
