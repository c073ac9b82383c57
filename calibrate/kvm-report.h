/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_KVM_REPORT_H
#define SPHT_KVM_REPORT_H

#include <stdio.h>

#include "calibrate/machine.h"
#include "calibrate/profile.h"

/* Dies, with the reason, where KVM is not there or does not shadow.  Returns its module. */
const char *kvm_check(void);

/*
 * Measures what faults and helpers cost under this KVM, @runs times, prints each figure
 * with its spread to @report and puts it into @p.  What cannot be measured stays copied.
 */
void kvm_report(const struct machine *m, unsigned int runs, FILE *report, struct profile *p);

#endif
