/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_FORMAT_H
#define SPHT_FORMAT_H

#include "spht_trace.h"

/*
 * Fixed parts of the file (docs/trace-format.md, "File").  All integers are
 * little-endian.  A file is a sequence of zstd frames: header, blocks and
 * footer are skippable frames, each block is followed by one data frame.
 */
#define SPHT_FRAME_HEADER   0x184d2a53u
#define SPHT_FRAME_BLOCK    0x184d2a54u
#define SPHT_FRAME_FOOTER   0x184d2a55u
#define SPHT_FRAME_PREFIX   8u /* magic and size of a skippable frame */

#define SPHT_MAGIC          "SPHTRACE" /* at offset 8 of the file */
#define SPHT_END_MAGIC      "SPHT-END" /* its last 8 bytes */
#define SPHT_BLOCK_MAGIC    0x42485053u /* "SPHB" */
#define SPHT_HEADER_FIXED   20u /* magic, version, JSON size, CRC */
#define SPHT_BLOCK_HEADER   64u
#define SPHT_BLOCK_VERSION  1u
#define SPHT_BLOCK_PREAMBLE 1u /* flag */
#define SPHT_FOOTER_FIXED   16u /* JSON size, 0, number of blocks */
#define SPHT_INDEX_ENTRY    (8u + SPHT_BLOCK_HEADER) /* offset, the block's header */
#define SPHT_TRAILER        24u /* footer offset, footer size, CRC, magic */

/* A block's header, and what else it takes to check the block. */
struct spht_block_header {
	struct spht_block_info info; /* offset is not part of the bytes */
	uint32_t payload_crc;
};

void spht_block_header_pack(const struct spht_block_header *h, uint8_t bytes[SPHT_BLOCK_HEADER]);
/* NULL, or what is wrong with the bytes: damage, or numbers above the limits. */
const char *spht_block_header_unpack(struct spht_block_header *h,
				     const uint8_t bytes[SPHT_BLOCK_HEADER]);

#endif
