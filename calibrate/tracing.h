/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TRACING_H
#define SPHT_TRACING_H

#include <stdbool.h>

/*
 * All events of kvm and kvmmmu, into a trace instance of our own that nobody reads.
 * Returns false where tracefs is not there or may not be written; the instance goes
 * with tracing_off(), or when the program ends.
 */
bool tracing_on(void);
void tracing_off(void);

#endif
