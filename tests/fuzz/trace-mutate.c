// SPDX-License-Identifier: LGPL-2.1-or-later
/* Mutations of .spht files that leave their checksums right. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "image.h"
#include "mutate.h"

static void number_blocks(struct image *m)
{
	for (unsigned int i = 0; i < m->nr; i++)
		m->blocks[i].head.info.seq = i;
}

static void change_head(struct dice *d, struct spht_block_info *b)
{
	switch (dice_roll(d, 8)) {
	case 0:
		b->cpu = (uint32_t)(dice_roll(d, 4) ? dice_roll(d, 4) : dice_roll(d, 4096));
		break;
	case 1:
		b->nr_events = (uint32_t)dice_change(d, b->nr_events) % (SPHT_BLOCK_EVENTS + 1);
		break;
	case 2:
		b->first_ts = dice_change(d, b->first_ts);
		break;
	case 3:
		b->last_ts = dice_change(d, b->last_ts);
		break;
	case 4:
		b->preamble = !b->preamble;
		break;
	case 5:
		b->lost_before = dice_edge(d);
		break;
	case 6:
		b->last_ts = b->first_ts;
		break;
	default:
		b->lost_before = 0;
	}
}

/* The numbers of a block's content are mostly varints: one is made longer, shorter, larger. */
static void change_raw(struct dice *d, struct image_block *b)
{
	size_t at;

	if (dice_roll(d, 3) || !b->raw_size) {
		b->raw_size = LLVMFuzzerMutate(b->raw, b->raw_size, IMAGE_RAW / 2);
		return;
	}
	at = dice_roll(d, b->raw_size < 64 || !dice_roll(d, 4) ? b->raw_size : 64);
	switch (dice_roll(d, 4)) {
	case 0:
		b->raw[at] ^= 0x80;
		break;
	case 1:
		b->raw[at] = (uint8_t)dice_edge(d);
		break;
	case 2:
		memmove(b->raw + at + 1, b->raw + at, b->raw_size - at);
		b->raw_size += b->raw_size < IMAGE_RAW / 2;
		break;
	default:
		b->raw[at] = (uint8_t)dice_change(d, b->raw[at]);
	}
}

static void change_order(struct dice *d, struct image *m)
{
	unsigned int a = (unsigned int)dice_roll(d, m->nr), b = (unsigned int)dice_roll(d, m->nr);
	struct image_block swap = m->blocks[a];

	m->blocks[a] = m->blocks[b];
	m->blocks[b] = swap;
	if (!dice_roll(d, 3))
		free(m->blocks[--m->nr].raw);
}

static void change(struct dice *d, struct image *m)
{
	struct image_block *b = m->nr ? &m->blocks[dice_roll(d, m->nr)] : NULL;

	switch (b ? dice_roll(d, 16) : dice_roll(d, 5)) {
	case 0:
	case 1:
	case 2:
		m->header_size = mutate_json(d, m->header, m->header_size, IMAGE_TEXT);
		break;
	case 3:
		m->footer_size = mutate_json(d, m->footer, m->footer_size, IMAGE_TEXT);
		break;
	case 4:
		m->has_footer = !m->has_footer;
		break;
	case 5:
	case 6:
		change_head(d, &b->head.info);
		break;
	case 7:
		change_order(d, m);
		break;
	default:
		change_raw(d, b);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct dice d = dice_of(seed);
	struct image *m = dice_roll(&d, 16) ? image_parse(data, size) : NULL;
	size_t written = 0;

	if (m) {
		for (uint64_t again = 1 + dice_roll(&d, 3); again; again--)
			change(&d, m);
		if (dice_roll(&d, 16))
			number_blocks(m);
		written = image_write(m, data, max);
	}
	image_free(m);
	return written ? written : LLVMFuzzerMutate(data, size, max);
}

/* Blocks of one file under the header of another. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t max, unsigned int seed)
{
	struct image *x = image_parse(a, a_size), *y = image_parse(b, b_size);
	struct dice d = dice_of(seed);
	size_t written = 0;

	if (x && y && y->nr) {
		struct image_block *from = &y->blocks[dice_roll(&d, y->nr)], swap = *from;
		unsigned int at = (unsigned int)dice_roll(&d, x->nr + 1);

		if (at == IMAGE_BLOCKS)
			at--;
		/* In the place of another one, or behind all; either way each has an owner. */
		if (at < x->nr) {
			*from = x->blocks[at];
		} else {
			x->nr++;
			memset(from, 0, sizeof(*from));
		}
		x->blocks[at] = swap;
		number_blocks(x);
		written = image_write(x, out, max);
	}
	image_free(x);
	image_free(y);
	if (written)
		return written;
	written = a_size < max ? a_size : max;
	memcpy(out, a, written);
	return written;
}
