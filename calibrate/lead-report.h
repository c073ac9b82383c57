/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_LEAD_REPORT_H
#define SPHT_LEAD_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "calibrate/lead.h"
#include "calibrate/profile.h"

/*
 * Measures the lead times of all kinds, @runs times @samples touches of each, prints
 * their quantiles to @report and puts the mixture that a Kernel Build has into @p.
 * @pagemap: watch through pagemap even where the hardware can be asked.
 */
void lead_report(const struct machine *m, unsigned int runs, size_t samples, bool pagemap,
		 FILE *report, struct profile *p);

#endif
