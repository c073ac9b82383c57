// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "le.h"
#include "tracedat-file.h"

/* All event formats of a kernel have some 2 MB; nothing else is read whole. */
#define MAX_SECTION (64u << 20)

struct section {
	unsigned int flags;
	uint64_t body, size;
};

static int section_header(const struct span_file *f, uint64_t offset, unsigned int id,
			  const char *what, struct section *s)
{
	uint8_t h[16];

	if (span_pread(f, offset, h, sizeof(h), what))
		return -1;
	if (spht_get16(h) != id)
		return span_damaged(f, offset, "section %u is not %s (%u)", spht_get16(h), what,
				    id);
	s->flags = spht_get16(h + 2);
	s->body = offset + sizeof(h);
	s->size = spht_get64(h + 8);
	if (s->size > f->size - s->body)
		return span_truncated(f, offset, what);
	return 0;
}

int tracedat_section_flags(const struct span_file *f, uint64_t offset, unsigned int id,
			   const char *what, unsigned int *flags)
{
	struct section s;

	if (section_header(f, offset, id, what, &s))
		return -1;
	*flags = s.flags;
	return 0;
}

/* Takes over @packed. */
static uint8_t *unpack(const struct span_file *f, uint64_t offset, const char *what,
		       uint8_t *packed, size_t len, size_t *unpacked_len)
{
	uint8_t *unpacked = NULL;
	uint32_t csize, usize;
	size_t got;

	if (len < 8 || spht_get32(packed) > len - 8) {
		span_damaged(f, offset, "%s is shorter than it says", what);
		goto out;
	}
	csize = spht_get32(packed);
	usize = spht_get32(packed + 4);
	if (usize > MAX_SECTION) {
		span_damaged(f, offset, "%s would unpack to %u bytes", what, usize);
		goto out;
	}
	unpacked = malloc(usize ? usize : 1);
	if (!unpacked) {
		spht_error_set(f->err, "%s: out of memory", f->name);
		goto out;
	}
	got = ZSTD_decompress(unpacked, usize, packed + 8, csize);
	if (ZSTD_isError(got) || got != usize) {
		span_damaged(f, offset, "%s cannot be unpacked: %s", what,
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

uint8_t *tracedat_section(const struct span_file *f, uint64_t offset, unsigned int id,
			  const char *what, size_t *len)
{
	struct section s;
	uint8_t *body;

	if (section_header(f, offset, id, what, &s))
		return NULL;
	body = span_load(f, s.body, s.size, MAX_SECTION, what);
	if (!body)
		return NULL;
	*len = s.size;
	if (s.flags & TRACEDAT_SECTION_COMPRESSED)
		return unpack(f, offset, what, body, s.size, len);
	return body;
}

int tracedat_chunks(const struct span_file *f, uint64_t offset, uint64_t size, uint32_t page_size,
		    uint64_t *unpacked)
{
	/* trace-cmd up to 3.1 does not count the 4 bytes of the number of chunks. */
	uint64_t at = offset, end = offset + size + 4;
	uint8_t h[8];
	uint32_t count;

	*unpacked = 0;
	if (span_pread(f, at, h, 4, "the list of compressed chunks"))
		return -1;
	count = spht_get32(h);
	at += 4;
	if (end > f->size)
		end = f->size;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t csize, usize;

		if (end - at < sizeof(h))
			return span_damaged(f, at, "chunk %u of %u is missing", i, count);
		if (span_pread(f, at, h, sizeof(h), "a compressed chunk"))
			return -1;
		csize = spht_get32(h);
		usize = spht_get32(h + 4);
		at += sizeof(h);
		if (csize > end - at)
			return span_damaged(f, at, "chunk %u of %u is cut short", i, count);
		if (!usize || usize % page_size || usize > MAX_SECTION)
			return span_damaged(f, at, "chunk %u of %u would unpack to %u bytes", i,
					    count, usize);
		at += csize;
		*unpacked += usize;
	}
	if (at != offset + size && at != offset + size + 4)
		return span_damaged(f, at, "the chunks do not end where the data ends");
	return 0;
}
