// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "le.h"
#include "tracedat-file.h"

/* All event formats of a kernel have some 2 MB; nothing else is read whole. */
#define MAX_SECTION (64u << 20)

void tracedat_complain(const struct tracedat_file *f, uint64_t offset, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	spht_error_set(f->err,
		       "%s: damaged or unsupported trace.dat: offset 0x%" PRIx64
		       ": %s; copy the file again from where it was recorded, or record anew",
		       f->name, offset, text);
}

int tracedat_pread(const struct tracedat_file *f, uint64_t offset, void *buf, size_t len,
		   const char *what)
{
	size_t got = 0;

	if (offset > f->size || len > f->size - offset)
		return tracedat_truncated(f, offset, what);
	while (got < len) {
		ssize_t n = pread(f->fd, (char *)buf + got, len - got, (off_t)(offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			spht_error_set(f->err, "%s: cannot read: %s", f->name, strerror(errno));
			return -1;
		}
		if (!n)
			return tracedat_truncated(f, offset, what);
		got += (size_t)n;
	}
	return 0;
}

int tracedat_take(struct tracedat_span *s, size_t len, const uint8_t **p)
{
	if (len > s->left)
		return tracedat_damaged(s->file, tracedat_where(s),
					"%s is shorter than what it holds", s->what);
	*p = s->p;
	s->p += len;
	s->left -= len;
	return 0;
}

int tracedat_take16(struct tracedat_span *s, uint16_t *v)
{
	const uint8_t *p;

	if (tracedat_take(s, sizeof(*v), &p))
		return -1;
	*v = spht_get16(p);
	return 0;
}

int tracedat_take32(struct tracedat_span *s, uint32_t *v)
{
	const uint8_t *p;

	if (tracedat_take(s, sizeof(*v), &p))
		return -1;
	*v = spht_get32(p);
	return 0;
}

int tracedat_take64(struct tracedat_span *s, uint64_t *v)
{
	const uint8_t *p;

	if (tracedat_take(s, sizeof(*v), &p))
		return -1;
	*v = spht_get64(p);
	return 0;
}

int tracedat_take_string(struct tracedat_span *s, const char **text)
{
	const uint8_t *end = s->left ? memchr(s->p, 0, s->left) : NULL;
	const uint8_t *p;

	if (!end)
		return tracedat_damaged(s->file, tracedat_where(s), "a name in %s has no end",
					s->what);
	if (tracedat_take(s, (size_t)(end - s->p) + 1, &p))
		return -1;
	*text = (const char *)p;
	return 0;
}

char *tracedat_string(const uint8_t *p, size_t len)
{
	return strndup(len ? (const char *)p : "", len);
}

struct section {
	unsigned int flags;
	uint64_t body, size;
};

static int section_header(const struct tracedat_file *f, uint64_t offset, unsigned int id,
			  const char *what, struct section *s)
{
	uint8_t h[16];

	if (tracedat_pread(f, offset, h, sizeof(h), what))
		return -1;
	if (spht_get16(h) != id)
		return tracedat_damaged(f, offset, "section %u is not %s (%u)", spht_get16(h), what,
					id);
	s->flags = spht_get16(h + 2);
	s->body = offset + sizeof(h);
	s->size = spht_get64(h + 8);
	if (s->size > f->size - s->body)
		return tracedat_truncated(f, offset, what);
	return 0;
}

int tracedat_section_flags(const struct tracedat_file *f, uint64_t offset, unsigned int id,
			   const char *what, unsigned int *flags)
{
	struct section s;

	if (section_header(f, offset, id, what, &s))
		return -1;
	*flags = s.flags;
	return 0;
}

/* Takes over @packed. */
static uint8_t *unpack(const struct tracedat_file *f, uint64_t offset, const char *what,
		       uint8_t *packed, size_t len, size_t *unpacked_len)
{
	uint8_t *unpacked = NULL;
	uint32_t csize, usize;
	size_t got;

	if (len < 8 || spht_get32(packed) > len - 8) {
		tracedat_damaged(f, offset, "%s is shorter than it says", what);
		goto out;
	}
	csize = spht_get32(packed);
	usize = spht_get32(packed + 4);
	if (usize > MAX_SECTION) {
		tracedat_damaged(f, offset, "%s would unpack to %u bytes", what, usize);
		goto out;
	}
	unpacked = malloc(usize ? usize : 1);
	if (!unpacked) {
		spht_error_set(f->err, "%s: out of memory", f->name);
		goto out;
	}
	got = ZSTD_decompress(unpacked, usize, packed + 8, csize);
	if (ZSTD_isError(got) || got != usize) {
		tracedat_damaged(f, offset, "%s cannot be unpacked: %s", what,
				 ZSTD_isError(got) ? ZSTD_getErrorName(got) : "too short");
		free(unpacked);
		unpacked = NULL;
		goto out;
	}
	*unpacked_len = usize;
out:
	free(packed);
	return unpacked;
}

uint8_t *tracedat_section(const struct tracedat_file *f, uint64_t offset, unsigned int id,
			  const char *what, size_t *len)
{
	struct section s;
	uint8_t *body;

	if (section_header(f, offset, id, what, &s))
		return NULL;
	if (s.size > MAX_SECTION) {
		tracedat_damaged(f, offset, "%s has %" PRIu64 " bytes", what, s.size);
		return NULL;
	}
	body = malloc(s.size ? s.size : 1);
	if (!body) {
		spht_error_set(f->err, "%s: out of memory", f->name);
		return NULL;
	}
	if (tracedat_pread(f, s.body, body, s.size, what)) {
		free(body);
		return NULL;
	}
	*len = s.size;
	if (s.flags & TRACEDAT_SECTION_COMPRESSED)
		return unpack(f, offset, what, body, s.size, len);
	return body;
}

int tracedat_chunks(const struct tracedat_file *f, uint64_t offset, uint64_t size,
		    uint32_t page_size, uint64_t *unpacked)
{
	/* trace-cmd up to 3.1 does not count the 4 bytes of the number of chunks. */
	uint64_t at = offset, end = offset + size + 4;
	uint8_t h[8];
	uint32_t count;

	*unpacked = 0;
	if (tracedat_pread(f, at, h, 4, "the list of compressed chunks"))
		return -1;
	count = spht_get32(h);
	at += 4;
	if (end > f->size)
		end = f->size;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t csize, usize;

		if (end - at < sizeof(h))
			return tracedat_damaged(f, at, "chunk %u of %u is missing", i, count);
		if (tracedat_pread(f, at, h, sizeof(h), "a compressed chunk"))
			return -1;
		csize = spht_get32(h);
		usize = spht_get32(h + 4);
		at += sizeof(h);
		if (csize > end - at)
			return tracedat_damaged(f, at, "chunk %u of %u is cut short", i, count);
		if (!usize || usize % page_size || usize > MAX_SECTION)
			return tracedat_damaged(f, at, "chunk %u of %u would unpack to %u bytes", i,
						count, usize);
		at += csize;
		*unpacked += usize;
	}
	if (at != offset + size && at != offset + size + 4)
		return tracedat_damaged(f, at, "the chunks do not end where the data ends");
	return 0;
}
