/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SPAN_H
#define SPHT_SPAN_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>

#include "spht_error.h"

/* A foreign file as bytes: every access is checked against its size first. */
struct span_file {
	int fd;
	const char *name, *kind; /* "trace.dat", both for messages */
	uint64_t size;
	struct spht_error *err;
};

/* A run of bytes that is taken apart from its beginning. */
struct span {
	const struct span_file *file;
	const uint8_t *start; /* where messages count from; NULL when it was unpacked */
	const uint8_t *p;
	size_t left;
	uint64_t offset; /* of the whole run in the file */
	const char *what;
};

/* Fills the file's error with what is wrong at @offset and the remedy. */
__attribute__((format(printf, 3, 4))) void span_complain(const struct span_file *f, uint64_t offset,
							 const char *fmt, ...);
/* The same as an expression of value -1. */
#define span_damaged(...) \
	({ \
		span_complain(__VA_ARGS__); \
		-1; \
	})
#define span_truncated(f, offset, what) \
	span_damaged(f, offset, "%s ends beyond the end of the file (0x%" PRIx64 ")", what, \
		     (f)->size)
int span_no_memory(const struct span_file *f);

/* Exactly @len bytes at @offset; 0 or -1. */
int span_pread(const struct span_file *f, uint64_t offset, void *buf, size_t len, const char *what);
/* The same, malloc()ed and never more than @max bytes; NULL on failure. */
uint8_t *span_load(const struct span_file *f, uint64_t offset, uint64_t len, uint64_t max,
		   const char *what);

/* The offset in the file that a message about the next byte names. */
static inline uint64_t span_where(const struct span *s)
{
	return s->offset + (s->start ? (uint64_t)(s->p - s->start) : 0);
}

/* Each takes from the front; -1 with the file's error set when the span is too short. */
int span_take(struct span *s, size_t len, const uint8_t **p);
int span_take16(struct span *s, uint16_t *v);
int span_take32(struct span *s, uint32_t *v);
int span_take64(struct span *s, uint64_t *v);
/* A NUL-terminated string inside the span. */
int span_take_string(struct span *s, const char **text);

/* The bytes of a text as a fresh string: up to its end or the first NUL. */
char *span_string(const uint8_t *p, size_t len);

#endif
