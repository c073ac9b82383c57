/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SYSFILE_H
#define SPHT_SYSFILE_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Files of sysfs, procfs, debugfs, tracefs and /dev.  All paths of the modules that
 * ask the host go through here, so that tests can put a made-up host under
 * a folder of theirs.
 */

/* For tests alone: @root is put before every path; "" ends that.  Is copied. */
void spht_sysfile_root(const char *root);

/*
 * Writes the path into @path of @size bytes.  0, or -1 with errno ENAMETOOLONG.
 */
__attribute__((format(printf, 3, 4))) int spht_sysfile_path(char *path, size_t size,
							    const char *fmt, ...);

/*
 * Reads the beginning of a file, at most @size - 1 bytes, into @buf as a string
 * without white space at its end.  Its length, or -1 with errno set and @buf
 * empty.
 */
__attribute__((format(printf, 3, 4))) ssize_t spht_sysfile_read(char *buf, size_t size,
								const char *fmt, ...);
/* The same for the file @name in the open folder @dir. */
ssize_t spht_sysfile_read_at(int dir, const char *name, char *buf, size_t size);

#endif
