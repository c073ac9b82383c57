/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_NOW_H
#define SPHT_NOW_H

#include <stdint.h>
#include <time.h>

/* @clock now, in ns. */
static inline uint64_t spht_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
