/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_BIGMEM_H
#define SPHT_BIGMEM_H

#include <stdint.h>
#include <sys/mman.h>

/*
 * Asks for large pages under an array of megabytes: a tenth of a replay is
 * first touches otherwise.  A hint; where it is not taken nothing changes.
 */
#define SPHT_BIGMEM_PAGE (2u << 20)

static inline void spht_bigmem_hint(void *array, size_t bytes)
{
#ifdef MADV_HUGEPAGE
	uintptr_t start = ((uintptr_t)array + SPHT_BIGMEM_PAGE - 1) &
			  ~(uintptr_t)(SPHT_BIGMEM_PAGE - 1);
	uintptr_t end = ((uintptr_t)array + bytes) & ~(uintptr_t)(SPHT_BIGMEM_PAGE - 1);

	if (end > start)
		madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
	(void)array;
	(void)bytes;
#endif
}

#endif
