/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_FORMATS_H
#define SPHT_FORMATS_H

#include <jansson.h>

#include "span.h"

/*
 * The event formats of a recording, laid out alike in trace.dat and perf.data:
 * a number of systems; each a name, a number of events; each a size and a text.
 */

/* Calls @each for every one; its -1 ends it.  0, or -1 with the file's error set. */
int spht_formats_take(struct span *s,
		      int (*each)(void *arg, const char *system, const uint8_t *text, size_t len),
		      void *arg);
/*
 * Adds "kvm/kvm_exit": text to @formats if the system is kvm or kvmmmu and the
 * text is one.  0, or -1 without memory.
 */
int spht_formats_keep(json_t *formats, const char *system, const uint8_t *text, size_t len);

#endif
