/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PART_H
#define SPHT_PART_H

#include <stdio.h>

/*
 * Opens what is to be renamed to @path once it is whole: a new file beside it, under a name
 * that nobody could foresee and that ends in ".part", never one that is there nor through a
 * link.  It has the mode that @path would get.  *@name is the caller's to remove or rename,
 * and to free; NULL with errno set, and *@name NULL, where it cannot be.
 */
FILE *spht_part_open(const char *path, char **name);

#endif
