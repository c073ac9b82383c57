// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * No helper at all.  Its what-if is the observed MMU, event by event, so a run
 * with it is the baseline and the check of the model.
 */
#include "heuristic.h"

SPHT_HEURISTIC(none, .name = "none",
	       .summary = "asks for nothing: the recording as it was, the baseline",
	       .cite = "KVM without a helper (docs/metrics.md, f_base)");
