/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_FUZZ_IMPORT_H
#define SPHT_FUZZ_IMPORT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Imports @data as spht-record --import does, child process and all.  Whatever they
 * are: a message and no file, or a file that is whole.  The child may die of what
 * libtraceevent and libtracecmd do, but not of what the project's own code does.
 * The coverage of the child is counted like that of the parent.
 */
void fuzz_import(const uint8_t *data, size_t size);

#endif
