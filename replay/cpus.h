/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CPUS_H
#define SPHT_CPUS_H

#include <sched.h>
#include <stdbool.h>

#include "spht_error.h"

/*
 * Which two CPUs the real clock uses: one for the vCPU, one for the helper, and
 * not two threads of one core, which would slow each other down.
 */
struct spht_cpus {
	int vcpu, helper;
	bool siblings; /* threads of one core, as asked for */
};

#define SPHT_CPUS_SYSFS "/sys/devices/system/cpu"

/*
 * Chooses two of @allowed by what @sysfs says of cores (its cpuN/topology).  @asked:
 * the two that the user wants, NULL: any.  @smt: threads of one core will do.  Returns
 * 0, or -1 with @err set: not two such, or cores that cannot be told apart.
 */
int spht_cpus_choose(struct spht_cpus *cpus, const char *sysfs, const cpu_set_t *allowed,
		     const int *asked, bool smt, struct spht_error *err);
/* The CPUs that this process may use. */
int spht_cpus_allowed(cpu_set_t *set, struct spht_error *err);
/* "A,B": two different numbers.  -1: it is none. */
int spht_cpus_parse(const char *text, int asked[2]);

#endif
