/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_MUST_MALLOC_H
#define SPHT_MUST_MALLOC_H

/*
 * From now on an allocation that fails ends the process by _exit(@status), whoever asked for
 * it: for a child whose libraries take a lack of memory for an end of their input.
 */
void spht_malloc_must(int status);

#endif
