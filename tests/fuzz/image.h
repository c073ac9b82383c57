/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_FUZZ_IMAGE_H
#define SPHT_FUZZ_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/format.h"

/*
 * A .spht file taken apart, so that its parts can be changed and put together again with
 * sizes, checksums and index that are right: what is behind the checksums is to be met.
 */
#define IMAGE_BLOCKS 64
#define IMAGE_TEXT   (256u << 10) /* bytes of JSON */
#define IMAGE_RAW    (256u << 10) /* bytes of a block's content */

struct image_block {
	struct spht_block_header head;
	uint8_t *raw; /* content; room for IMAGE_RAW */
	size_t raw_size;
};

struct image {
	uint8_t *header, *footer; /* JSON; room for IMAGE_TEXT */
	size_t header_size, footer_size;
	bool has_footer;
	struct image_block blocks[IMAGE_BLOCKS];
	unsigned int nr;
};

/* Takes @data apart, checksums unseen; false where there is no header.  NULL-safe image_free(). */
struct image *image_parse(const uint8_t *data, size_t size);
void image_free(struct image *m);
/* Puts it together; the size, or 0 where @max is not enough. */
size_t image_write(const struct image *m, uint8_t *out, size_t max);

#endif
