// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Mutations of perf.data that know its records: they are changed, doubled, left out,
 * packed and unpacked, and what says where things are stays right.
 */
#include <stdbool.h>
#include <string.h>
#include <zstd.h>

#include "fuzz.h"
#include "mutate.h"
#include "traces/le.h"

#define HEAD        104u /* of the file, flags of features included */
#define DATA_AT     40u /* in it: offset and size of the data */
#define FLAGS_AT    72u
#define RECORD      8u /* head of a record */
#define COMPRESSED  81u
#define MAX_RECORD  0xffffu
#define MAX_GROWN   512 /* bytes of one that is made longer */
#define MAX_RECORDS 4096

/* A file, whose data are records from `from` to `end`. */
struct file {
	uint8_t *data;
	size_t size, max;
	size_t from, end;
};

static bool parse(struct file *f)
{
	uint64_t from, size;

	if (f->size < HEAD || memcmp(f->data, "PERFILE2", 8))
		return false;
	from = spht_get64(f->data + DATA_AT);
	size = spht_get64(f->data + DATA_AT + 8);
	if (from < HEAD || from > f->size || size > f->size - from)
		return false;
	f->from = (size_t)from;
	f->end = (size_t)(from + size);
	return true;
}

/* Puts @len bytes in the place of @old ones at @at of the data; false where there is no room. */
static bool splice(struct file *f, size_t at, size_t old, const uint8_t *bytes, size_t len)
{
	size_t features, where;

	if (f->size - old + len > f->max)
		return false;
	memmove(f->data + at + len, f->data + at + old, f->size - at - old);
	memcpy(f->data + at, bytes, len);
	f->size += len - old;
	f->end += len - old;
	spht_put64(f->data + DATA_AT + 8, f->end - f->from);
	/* Behind the data, for each feature, an offset and a size. */
	features = 0;
	for (unsigned int i = 0; i < 256; i++)
		features += f->data[FLAGS_AT + i / 8] >> i % 8 & 1;
	for (where = f->end; features-- && where + 16 <= f->size; where += 16)
		spht_put64(f->data + where, spht_get64(f->data + where) + len - old);
	return true;
}

/* Length of the record at @at, 0 where there is none. */
static size_t length(const struct file *f, size_t at)
{
	size_t len = f->end - at < RECORD ? 0 : spht_get16(f->data + at + 6);

	return len < RECORD || len > f->end - at ? 0 : len;
}

/* Any record; 0 where there are none. */
static size_t choose(struct dice *d, const struct file *f)
{
	size_t at = f->from, nr = 0, len;
	static size_t records[MAX_RECORDS];

	while (nr < MAX_RECORDS && (len = length(f, at))) {
		records[nr++] = at;
		at += len;
	}
	return nr ? records[dice_roll(d, nr)] : 0;
}

static void replace(struct file *f, size_t at, size_t old, uint8_t *record, size_t len)
{
	if (len > MAX_RECORD || len < RECORD)
		return;
	spht_put16(record + 6, (uint16_t)len);
	splice(f, at, old, record, len);
}

/* A word of 4 or 8 bytes, or the bytes by libFuzzer. */
static size_t change_bytes(struct dice *d, uint8_t *p, size_t len, size_t max)
{
	size_t at = len < 8 ? 0 : 8 * dice_roll(d, len / 8);

	if (len < 8 || !dice_roll(d, 3))
		return LLVMFuzzerMutate(p, len, max);
	if (dice_roll(d, 2))
		spht_put64(p + at, dice_change(d, spht_get64(p + at)));
	else
		spht_put32(p + at, (uint32_t)dice_change(d, spht_get32(p + at)));
	return len;
}

static uint8_t buffer[MAX_RECORD + 1], plain[4 * MAX_RECORD];

static void change_packed(struct dice *d, struct file *f, size_t at, size_t len)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	ZSTD_inBuffer in = {f->data + at + RECORD, len - RECORD, 0};
	ZSTD_outBuffer out = {plain, sizeof(plain) / 2, 0};
	size_t rc = ZSTD_decompressStream(z, &out, &in), size;

	ZSTD_freeDStream(z);
	/* One that goes on with what a record before it has begun cannot be unpacked alone. */
	if (ZSTD_isError(rc) || !out.pos)
		return;
	if (!dice_roll(d, 4) && out.pos <= MAX_RECORD) {
		splice(f, at, len, plain, out.pos);
		return;
	}
	size = change_bytes(d, plain, out.pos, sizeof(plain));
	memcpy(buffer, f->data + at, RECORD);
	size = ZSTD_compress(buffer + RECORD, sizeof(buffer) - RECORD, plain, size, 1);
	if (!ZSTD_isError(size))
		replace(f, at, len, buffer, RECORD + size);
}

/* Some records from @at on become one. */
static void pack(struct dice *d, struct file *f, size_t at)
{
	size_t end = at, len, size;

	for (uint64_t nr = 1 + dice_roll(d, 32); nr && (len = length(f, end)); nr--)
		end += len;
	size = ZSTD_compress(buffer + RECORD, sizeof(buffer) - RECORD, f->data + at, end - at, 1);
	if (ZSTD_isError(size))
		return;
	spht_put32(buffer, COMPRESSED);
	spht_put32(buffer + 4, 0);
	replace(f, at, end - at, buffer, RECORD + size);
}

static void change_record(struct dice *d, struct file *f, size_t at)
{
	size_t len = length(f, at);

	memcpy(buffer, f->data + at, len);
	switch (dice_roll(d, 10)) {
	case 0:
		splice(f, at, 0, buffer, len);
		break;
	case 1:
		splice(f, at, len, buffer, 0);
		break;
	case 2:
		pack(d, f, at);
		break;
	case 3:
		spht_put32(buffer, (uint32_t)dice_roll(d, 96));
		replace(f, at, len, buffer, len);
		break;
	case 4:
		splice(f, choose(d, f), 0, buffer, len);
		break;
	default:
		if (spht_get32(buffer) == COMPRESSED) {
			change_packed(d, f, at, len);
			break;
		}
		len = RECORD + change_bytes(d, buffer + RECORD, len - RECORD,
					    len < MAX_GROWN ? MAX_GROWN : len - RECORD);
		replace(f, at, length(f, at), buffer, len);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct file f = {.data = data, .size = size, .max = max};
	struct dice d = dice_of(seed);
	uint64_t again = 1 + dice_roll(&d, 3);

	if (!dice_roll(&d, 3) || !parse(&f))
		return LLVMFuzzerMutate(data, size, max);
	for (; again; again--) {
		size_t at = choose(&d, &f);

		if (!at)
			return LLVMFuzzerMutate(data, f.size, max);
		change_record(&d, &f, at);
	}
	return f.size;
}
