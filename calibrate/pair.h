/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PAIR_H
#define SPHT_PAIR_H

#include "calibrate/cost.h"
#include "calibrate/machine.h"

/* What a second vCPU, on the other CPU, pays for hidden faults with 7 neighbours. */
enum pair {
	PAIR_HELPER, /* the first vCPU of the VM runs and has no exits */
	PAIR_SHARED, /* the first vCPU takes such faults too, on other pages */
	PAIR_APART, /* a vCPU of another VM does */
	PAIR_NR
};

extern const char *const pair_names[PAIR_NR];

/*
 * Adds one run: the median to @median, and the mean of what is not an outlier (three
 * medians and more) to @mean.
 */
void pair_measure(const struct machine *m, enum pair pair, struct cost *median, struct cost *mean);

#endif
