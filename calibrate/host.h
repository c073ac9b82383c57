/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_HOST_H
#define SPHT_HOST_H

#include "calibrate/cost.h"
#include "calibrate/machine.h"

/* What a helper thread pays on the host, without KVM.  Each adds one run. */

/* From a futex wake-up on one CPU until the sleeper runs on the other. */
void host_wake(const struct machine *m, struct cost *c);
/* A chain of @lines dependent reads, 1 to 4, of lines that the other CPU has just written. */
void host_read_written(const struct machine *m, unsigned int lines, struct cost *c);
/* A chain of 4 dependent reads of lines that no cache has. */
void host_read_memory(const struct machine *m, struct cost *c);

#endif
