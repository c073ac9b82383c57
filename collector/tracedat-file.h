/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TRACEDAT_FILE_H
#define SPHT_TRACEDAT_FILE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spht_error.h"

/* A trace.dat as bytes: every access is checked against its size first. */
struct tracedat_file {
	int fd;
	const char *name;
	uint64_t size;
	struct spht_error *err;
};

/* A run of bytes that is taken apart from its beginning. */
struct tracedat_span {
	const struct tracedat_file *file;
	const uint8_t *start; /* where messages count from; NULL when it was unpacked */
	const uint8_t *p;
	size_t left;
	uint64_t offset; /* of the whole run in the file */
	const char *what;
};

/* Fills the file's error with what is wrong at @offset and the remedy. */
__attribute__((format(printf, 3, 4))) void tracedat_complain(const struct tracedat_file *f,
							     uint64_t offset, const char *fmt, ...);
/* The same as an expression of value -1. */
#define tracedat_damaged(...) \
	({ \
		tracedat_complain(__VA_ARGS__); \
		-1; \
	})
#define tracedat_truncated(f, offset, what) \
	tracedat_damaged(f, offset, "%s ends beyond the end of the file (0x%" PRIx64 ")", what, \
			 (f)->size)

int tracedat_pread(const struct tracedat_file *f, uint64_t offset, void *buf, size_t len,
		   const char *what);

/* The offset in the file that a message about the next byte names. */
static inline uint64_t tracedat_where(const struct tracedat_span *s)
{
	return s->offset + (s->start ? (uint64_t)(s->p - s->start) : 0);
}

/* Each takes from the front; -1 with the file's error set when the span is too short. */
int tracedat_take(struct tracedat_span *s, size_t len, const uint8_t **p);
int tracedat_take16(struct tracedat_span *s, uint16_t *v);
int tracedat_take32(struct tracedat_span *s, uint32_t *v);
int tracedat_take64(struct tracedat_span *s, uint64_t *v);
/* A NUL-terminated string inside the span. */
int tracedat_take_string(struct tracedat_span *s, const char **text);

/* The bytes of an option as a fresh string: up to its end or the first NUL. */
char *tracedat_string(const uint8_t *p, size_t len);

/*
 * The content of a section of version 7 whose header is at @offset, uncompressed;
 * malloc()ed.  NULL when it is not section @id, is damaged or unreasonably large.
 */
uint8_t *tracedat_section(const struct tracedat_file *f, uint64_t offset, unsigned int id,
			  const char *what, size_t *len);
/* The flags of a section of version 7. */
int tracedat_section_flags(const struct tracedat_file *f, uint64_t offset, unsigned int id,
			   const char *what, unsigned int *flags);
/* Walks the compressed chunks of @size bytes at @offset; how much they unpack to. */
int tracedat_chunks(const struct tracedat_file *f, uint64_t offset, uint64_t size,
		    uint32_t page_size, uint64_t *unpacked);

#define TRACEDAT_SECTION_COMPRESSED 1u

#endif
