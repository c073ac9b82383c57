// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
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

#define MAX_LINKS 40

/* What the link @at says, as a name that is good here.  NULL with errno set, 0 where it is /proc's. */
static char *read_link(const char *at)
{
	int folder = (int)(base_of(at) - at);
	char says[PATH_MAX], *name = NULL;
	struct statfs fs;
	ssize_t n;

	if (asprintf(&name, "%.*s.", folder, at) < 0)
		return NULL;
	n = statfs(name, &fs);
	free(name);
	name = NULL;
	if (n)
		return NULL;
	errno = 0;
	/* Its links are files that are open, whatever their text is. */
	if (fs.f_type == PROC_SUPER_MAGIC)
		return NULL;
	n = readlink(at, says, sizeof(says) - 1);
	if (n < 0)
		return NULL;
	says[n] = '\0';
	if (asprintf(&name, "%.*s%s", *says == '/' ? 0 : folder, at, says) < 0)
		return NULL;
	return name;
}

/*
 * 0 with the name of the file that @path is to become in *@target, NULL for @path itself; 1: it is
 * written as it is.  -1 with errno set.
 */
static int find_target(const char *path, char **target)
{
	struct stat st;
	char *next;

	*target = NULL;
	for (unsigned int i = 0; i < MAX_LINKS; i++) {
		const char *at = *target ? *target : path;

		/* What is not there is made; why it cannot be is told then. */
		if (lstat(at, &st) || S_ISREG(st.st_mode))
			return 0;
		next = S_ISLNK(st.st_mode) ? read_link(at) : NULL;
		if (!next) {
			int saved = S_ISLNK(st.st_mode) ? errno : 0;

			free(*target);
			*target = NULL;
			errno = saved;
			return saved ? -1 : 1;
		}
		free(*target);
		*target = next;
	}
	free(*target);
	*target = NULL;
	errno = ELOOP;
	return -1;
}

static const char *name_of(const struct spht_output *o)
{
	return o->target ? o->target : o->path;
}

/* What is to be renamed has no inode in common yet: folder and name tell. */
static bool one_file(const struct spht_output *a, const struct spht_output *b)
{
	struct stat x, y;

	if (a->temp && b->temp) {
		if (strcmp(base_of(name_of(a)), base_of(name_of(b))) ||
		    stat_folder(name_of(a), &x) || stat_folder(name_of(b), &y))
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
	int how;

	o->path = path;
	o->target = NULL;
	o->temp = NULL;
	o->failed = 0;
	if (!strcmp(path, "-")) {
		o->f = stdout;
		return 0;
	}
	how = find_target(path, &o->target);
	if (how >= 0)
		o->f = how ? fopen(path, "w") : spht_part_open(name_of(o), &o->temp);
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
	else if (o->temp && rename(o->temp, name_of(o))) {
		drop(o);
		bad = true;
	}
	free(o->temp);
	free(o->target);
	o->temp = o->target = NULL;
	if (bad && keep)
		fprintf(stderr, "spht-replay: %s: cannot be written: %s\n", o->path,
			strerror(errno));
	return bad ? -1 : 0;
}
