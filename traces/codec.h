/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CODEC_H
#define SPHT_CODEC_H

#include "column.h"
#include "schema.h"

/* One block's content, before compression and after it (docs/trace-format.md, "Block content"). */

/*
 * Fills blocks of one CPU.  Predictions start anew with every block, so that
 * each block can be read alone.
 */
struct spht_encoder;

struct spht_encoder *spht_encoder_new(const struct spht_schema *s);
void spht_encoder_free(struct spht_encoder *e);
/*
 * Appends an event whose type and time the caller has checked.  0; 1 when the
 * block is as large as it should get; -1 without memory: then the block is lost.
 */
int spht_encoder_add(struct spht_encoder *e, const struct spht_event *ev);
uint32_t spht_encoder_count(const struct spht_encoder *e);
uint64_t spht_encoder_first_ts(const struct spht_encoder *e);
uint64_t spht_encoder_last_ts(const struct spht_encoder *e);
/*
 * Replaces the content of @raw by the block, and @cuts by offsets (uint32_t in
 * host order) at which a compressor should start over, because what follows
 * has other statistics.  Then starts the next block.  0, or -1 without memory.
 */
int spht_encoder_finish(struct spht_encoder *e, struct spht_bytes *raw, struct spht_bytes *cuts);

/* Takes blocks apart.  Safe on any bytes. */
struct spht_decoder;

struct spht_block {
	const uint8_t *raw; /* followed by SPHT_RAW_SLACK readable bytes */
	uint32_t size, nr_events, cpu;
	uint64_t first_ts, last_ts;
	bool preamble;
};

#define SPHT_RAW_SLACK 16

struct spht_decoder *spht_decoder_new(const struct spht_schema *s);
void spht_decoder_free(struct spht_decoder *d);
/* What spht_decoder_open() returns where nothing is wrong with the block. */
extern const char spht_decoder_no_memory[];
/* Starts on @b, whose bytes must stay until its end.  NULL, or what is wrong. */
const char *spht_decoder_open(struct spht_decoder *d, const struct spht_block *b);
/* The next events, at most @max, into @rows.  0 at the end; -1 when times do not add up. */
int spht_decoder_next(struct spht_decoder *d, struct spht_event *rows, unsigned int max);

#endif
