/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TRACEDAT_FILE_H
#define SPHT_TRACEDAT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "span.h"

/*
 * The content of a section of version 7 whose header is at @offset, uncompressed;
 * malloc()ed.  NULL when it is not section @id, is damaged or unreasonably large.
 */
uint8_t *tracedat_section(const struct span_file *f, uint64_t offset, unsigned int id,
			  const char *what, size_t *len);
/* The flags of a section of version 7. */
int tracedat_section_flags(const struct span_file *f, uint64_t offset, unsigned int id,
			   const char *what, unsigned int *flags);
/* Walks the compressed chunks of @size bytes at @offset; how much they unpack to. */
int tracedat_chunks(const struct span_file *f, uint64_t offset, uint64_t size, uint32_t page_size,
		    uint64_t *unpacked);

#define TRACEDAT_SECTION_COMPRESSED 1u

#endif
