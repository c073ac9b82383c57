// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crc32c.h"
#include "format.h"
#include "le.h"

void spht_block_header_pack(const struct spht_block_header *h, uint8_t bytes[SPHT_BLOCK_HEADER])
{
	const struct spht_block_info *b = &h->info;

	spht_put32(bytes, SPHT_BLOCK_MAGIC);
	spht_put16(bytes + 4, SPHT_BLOCK_VERSION);
	spht_put16(bytes + 6, b->preamble ? SPHT_BLOCK_PREAMBLE : 0);
	spht_put32(bytes + 8, b->cpu);
	spht_put32(bytes + 12, b->nr_events);
	spht_put64(bytes + 16, b->seq);
	spht_put64(bytes + 24, b->first_ts);
	spht_put64(bytes + 32, b->last_ts);
	spht_put64(bytes + 40, b->lost_before);
	spht_put32(bytes + 48, b->comp_size);
	spht_put32(bytes + 52, b->raw_size);
	spht_put32(bytes + 56, h->payload_crc);
	spht_put32(bytes + 60, spht_crc32c(0, bytes, 60));
}

const char *spht_block_header_unpack(struct spht_block_header *h,
				     const uint8_t bytes[SPHT_BLOCK_HEADER])
{
	struct spht_block_info *b = &h->info;
	uint16_t flags = spht_get16(bytes + 6);

	if (spht_get32(bytes) != SPHT_BLOCK_MAGIC)
		return "no block header";
	if (spht_crc32c(0, bytes, 60) != spht_get32(bytes + 60))
		return "a block header with a wrong checksum";
	if (spht_get16(bytes + 4) != SPHT_BLOCK_VERSION || (flags & ~SPHT_BLOCK_PREAMBLE))
		return "a block of a newer version";
	b->preamble = flags & SPHT_BLOCK_PREAMBLE;
	b->cpu = spht_get32(bytes + 8);
	b->nr_events = spht_get32(bytes + 12);
	b->seq = spht_get64(bytes + 16);
	b->first_ts = spht_get64(bytes + 24);
	b->last_ts = spht_get64(bytes + 32);
	b->lost_before = spht_get64(bytes + 40);
	b->comp_size = spht_get32(bytes + 48);
	b->raw_size = spht_get32(bytes + 52);
	h->payload_crc = spht_get32(bytes + 56);
	if (b->cpu >= SPHT_MAX_CPUS)
		return "a block of a CPU above the limit";
	if (b->nr_events > SPHT_BLOCK_EVENTS)
		return "a block that claims more events than the limit";
	if (b->raw_size > SPHT_MAX_BLOCK)
		return "a block that claims more raw bytes than the limit";
	if (b->comp_size > SPHT_MAX_BLOCK)
		return "a block that claims more compressed bytes than the limit";
	if (b->last_ts < b->first_ts)
		return "a block that ends before it starts";
	return NULL;
}
