/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_LIVE_COUNTERS_H
#define SPHT_LIVE_COUNTERS_H

#include <stdint.h>

/* What KVM itself counts of one vCPU (KVM_GET_STATS_FD); no tracing is needed. */
enum counter {
	COUNTER_TAKEN,
	COUNTER_FIXED,
	COUNTER_GUEST,
	COUNTER_EMULATE,
	COUNTER_SPURIOUS,
	COUNTER_EXITS,
	COUNTER_NR
};

/* As KVM calls them. */
extern const char *const counter_names[COUNTER_NR];

/* Counters of the vCPU @vcpu_fd into @v; dies where KVM has them not. */
void counters_read(int vcpu_fd, uint64_t v[COUNTER_NR]);
/* One counter of a VM. */
uint64_t counter_of_vm(int vm_fd, const char *name);

#endif
