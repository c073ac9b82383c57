// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "image.h"
#include "traces/crc32c.h"
#include "traces/le.h"

#define HEADER (SPHT_FRAME_PREFIX + SPHT_HEADER_FIXED)
#define BLOCK  (SPHT_FRAME_PREFIX + SPHT_BLOCK_HEADER)
#define FOOTER (SPHT_FRAME_PREFIX + SPHT_FOOTER_FIXED)

static uint8_t *copy(const uint8_t *from, size_t size, size_t room)
{
	uint8_t *to = calloc(1, room);

	if (to && from)
		memcpy(to, from, size);
	return to;
}

/* The block at @at; its size in the file, or 0 where there is none. */
static size_t parse_block(struct image *m, const uint8_t *at, size_t left)
{
	struct image_block *b = &m->blocks[m->nr];
	uint8_t plain[SPHT_BLOCK_HEADER];
	size_t size, got;

	if (left < BLOCK || m->nr == IMAGE_BLOCKS || spht_get32(at) != SPHT_FRAME_BLOCK)
		return 0;
	memcpy(plain, at + SPHT_FRAME_PREFIX, sizeof(plain));
	spht_put32(plain + 60, spht_crc32c(0, plain, 60));
	if (spht_block_header_unpack(&b->head, plain))
		return 0;
	size = b->head.info.comp_size;
	if (size > left - BLOCK)
		return 0;
	b->raw = copy(NULL, 0, IMAGE_RAW);
	if (!b->raw)
		return 0;
	got = ZSTD_decompress(b->raw, IMAGE_RAW, at + BLOCK, size);
	b->raw_size = ZSTD_isError(got) ? 0 : got;
	m->nr++;
	return BLOCK + size;
}

static void parse_footer(struct image *m, const uint8_t *at, size_t left)
{
	size_t size;

	if (left < FOOTER || spht_get32(at) != SPHT_FRAME_FOOTER)
		return;
	size = spht_get32(at + 8);
	if (size > left - FOOTER || size > IMAGE_TEXT)
		return;
	memcpy(m->footer, at + FOOTER, size);
	m->footer_size = size;
	m->has_footer = true;
}

struct image *image_parse(const uint8_t *data, size_t size)
{
	struct image *m;
	size_t text, at, step;

	if (size < HEADER || spht_get32(data) != SPHT_FRAME_HEADER)
		return NULL;
	text = spht_get32(data + 20);
	if (text > size - HEADER || text > IMAGE_TEXT)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->header = copy(data + HEADER, text, IMAGE_TEXT);
	m->header_size = text;
	m->footer = copy(NULL, 0, IMAGE_TEXT);
	if (!m->header || !m->footer) {
		image_free(m);
		return NULL;
	}
	for (at = HEADER + text; (step = parse_block(m, data + at, size - at)); at += step)
		;
	parse_footer(m, data + at, size - at);
	return m;
}

void image_free(struct image *m)
{
	if (!m)
		return;
	for (unsigned int i = 0; i < m->nr; i++)
		free(m->blocks[i].raw);
	free(m->header);
	free(m->footer);
	free(m);
}

static size_t compress(const struct image_block *b, uint8_t *out, size_t max)
{
	static ZSTD_CCtx *ctx;
	size_t size;

	if (!ctx) {
		ctx = ZSTD_createCCtx();
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, 1);
	}
	size = ZSTD_compress2(ctx, out, max, b->raw, b->raw_size);
	return ZSTD_isError(size) ? 0 : size;
}

static size_t write_header(const struct image *m, uint8_t *out, size_t max)
{
	if (max < HEADER + m->header_size)
		return 0;
	spht_put32(out, SPHT_FRAME_HEADER);
	spht_put32(out + 4, (uint32_t)(SPHT_HEADER_FIXED + m->header_size));
	memcpy(out + 8, SPHT_MAGIC, 8);
	spht_put32(out + 16, SPHT_FORMAT_VERSION);
	spht_put32(out + 20, (uint32_t)m->header_size);
	spht_put32(out + 24, spht_crc32c(spht_crc32c(0, out, 24), m->header, m->header_size));
	memcpy(out + HEADER, m->header, m->header_size);
	return HEADER + m->header_size;
}

static size_t write_block(const struct image_block *b, uint8_t *out, size_t max)
{
	struct spht_block_header h = b->head;
	size_t size = max > BLOCK ? compress(b, out + BLOCK, max - BLOCK) : 0;

	if (!size)
		return 0;
	h.info.comp_size = (uint32_t)size;
	h.info.raw_size = (uint32_t)b->raw_size;
	h.payload_crc = spht_crc32c(0, out + BLOCK, size);
	spht_put32(out, SPHT_FRAME_BLOCK);
	spht_put32(out + 4, SPHT_BLOCK_HEADER);
	spht_block_header_pack(&h, out + SPHT_FRAME_PREFIX);
	return BLOCK + size;
}

/* @offsets: of the blocks in @out, and of the footer. */
static size_t write_footer(const struct image *m, uint8_t *out, const size_t *offsets, size_t max)
{
	size_t at = offsets[m->nr], text = at + FOOTER + m->footer_size;
	size_t index = (size_t)m->nr * SPHT_INDEX_ENTRY, end = text + index + SPHT_TRAILER;

	if (end > max)
		return 0;
	spht_put32(out + at, SPHT_FRAME_FOOTER);
	spht_put32(out + at + 4, (uint32_t)(end - at - SPHT_FRAME_PREFIX));
	spht_put32(out + at + 8, (uint32_t)m->footer_size);
	spht_put32(out + at + 12, 0);
	spht_put64(out + at + 16, m->nr);
	memcpy(out + at + FOOTER, m->footer, m->footer_size);
	for (unsigned int i = 0; i < m->nr; i++, text += SPHT_INDEX_ENTRY) {
		spht_put64(out + text, offsets[i]);
		memcpy(out + text + 8, out + offsets[i] + SPHT_FRAME_PREFIX, SPHT_BLOCK_HEADER);
	}
	spht_put64(out + text, at);
	spht_put32(out + text + 8, (uint32_t)(end - at));
	spht_put32(out + text + 12, spht_crc32c(0, out + at, text + 12 - at));
	memcpy(out + text + 16, SPHT_END_MAGIC, 8);
	return end;
}

size_t image_write(const struct image *m, uint8_t *out, size_t max)
{
	size_t offsets[IMAGE_BLOCKS + 1], size;

	offsets[0] = write_header(m, out, max);
	if (!offsets[0])
		return 0;
	for (unsigned int i = 0; i < m->nr; i++) {
		size = write_block(&m->blocks[i], out + offsets[i], max - offsets[i]);
		if (!size)
			return 0;
		offsets[i + 1] = offsets[i] + size;
	}
	return m->has_footer ? write_footer(m, out, offsets, max) : offsets[m->nr];
}
