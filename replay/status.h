/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_STATUS_H
#define SPHT_STATUS_H

/* Exit statuses of spht-replay, METRICS section 9. */
enum { EXIT_OK = 0, EXIT_INPUT = 1, EXIT_USAGE = 2, EXIT_IDENTITY = 3, EXIT_PARTIAL = 4 };

#endif
