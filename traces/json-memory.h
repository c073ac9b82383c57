/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_JSON_MEMORY_H
#define SPHT_JSON_MEMORY_H

/*
 * jansson does not survive a lack of memory: it loses keys, calls a sound text damaged, or
 * crashes.  After this call, in a program's main(), JSON that gets no memory ends the process
 * by _exit(@status), with "@program: out of memory" on stderr unless @program is NULL, and
 * with @leave called before (may be NULL): it removes outputs that are not complete and may
 * do nothing that allocates.  The later call counts.
 */
void spht_json_memory(const char *program, int status, void (*leave)(void));

#endif
