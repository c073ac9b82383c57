// SPDX-License-Identifier: LGPL-2.1-or-later
/* Whatever the bytes: a message of one line, or the events that were written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "trace_util.h"
#include "traces/codec.h"
#include "traces/crc32c.h"
#include "traces/le.h"

static uint8_t *file; /* a whole trace */
static size_t file_len;
static struct reading whole; /* what it holds */

/* @nr events on @cpus CPUs, a block every @every events. */
static void make_file(size_t nr, unsigned int cpus, unsigned int nr_types, size_t every)
{
	struct rng rng = {99};
	const char *path = temp_path();
	struct spht_writer *w = open_writer(path, nr_types);
	struct spht_error err;
	uint64_t ts = 1000;

	free(file);
	reading_free(&whole);
	for (size_t i = 0; i < nr; i++) {
		struct spht_event ev;

		ts += 1 + rng_below(&rng, 100);
		ev = random_event(&rng, nr_types, (unsigned int)(i % cpus), ts);
		append(w, &ev);
		if (i % every == every - 1)
			assert_int_equal(spht_writer_flush(w, &err), 0);
	}
	close_writer(w);
	file = load_file(path, &file_len);
	whole = read_all(path, 0);
	assert_int_equal(whole.nr, nr);
}

static void check_message(const char *text)
{
	assert_true(text[0]);
	assert_null(strchr(text, '\n'));
}

/* The bytes must not be taken for a whole trace; what is returned of them must be right. */
static struct reading read_damaged(const uint8_t *bytes, size_t len, unsigned int flags)
{
	static const char *path;
	struct reading r;

	if (!path)
		path = temp_path();
	save_file(path, bytes, len);
	r = read_all(path, flags);
	if (r.status < 0)
		check_message(r.err.text);
	return r;
}

/* Reads must stop with a message, after nothing but a true beginning. */
static void must_fail(const uint8_t *bytes, size_t len)
{
	struct reading r = read_damaged(bytes, len, 0);

	assert_true(r.status < 0);
	assert_true(r.nr <= whole.nr);
	for (size_t i = 0; i < r.nr; i++)
		assert_event_equal(&r.events[i], &whole.events[i]);
	reading_free(&r);
}

/* With SPHT_READ_PARTIAL what is returned is of the trace, in its order, or marked lost. */
static void must_be_partial(const uint8_t *bytes, size_t len)
{
	struct reading r = read_damaged(bytes, len, SPHT_READ_PARTIAL);
	size_t at = 0;

	if (r.status != -2)
		assert_false(r.complete);
	for (size_t i = 0; i < r.nr; i++) {
		if (r.events[i].id == SPHT_EV_LOST)
			continue;
		while (at < whole.nr && whole.events[at].ts != r.events[i].ts)
			at++;
		assert_true(at < whole.nr);
		assert_event_equal(&r.events[i], &whole.events[at]);
	}
	reading_free(&r);
}

static void every_flipped_bit_of_a_small_file_is_noticed(void **state)
{
	(void)state;
	make_file(60, 2, 2, 30);
	assert_true(file_len < 8192);
	for (size_t at = 0; at < file_len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			file[at] ^= (uint8_t)(1 << bit);
			must_fail(file, file_len);
			file[at] ^= (uint8_t)(1 << bit);
		}
		file[at] ^= 0xff;
		must_be_partial(file, file_len);
		file[at] ^= 0xff;
	}
}

static void a_flipped_bit_in_each_64_kib_of_a_large_file_is_noticed(void **state)
{
	struct rng rng = {5};

	(void)state;
	make_file(40000, 3, nr_test_types, 9000);
	assert_true(file_len > 512 << 10);
	for (size_t at = 0; at < file_len; at += 64 << 10) {
		size_t left = file_len - at < 64 << 10 ? file_len - at : 64 << 10;
		size_t byte = at + rng_below(&rng, left);
		uint8_t flip = (uint8_t)(1 << rng_below(&rng, 8));

		file[byte] ^= flip;
		must_fail(file, file_len);
		must_be_partial(file, file_len);
		file[byte] ^= flip;
	}
}

static void a_file_cut_anywhere_is_noticed_and_its_whole_blocks_are_read(void **state)
{
	struct rng rng = {6};
	struct parts p;

	(void)state;
	make_file(3000, 1, nr_test_types, 300);
	p = find_parts(file, file_len);
	assert_int_equal(p.nr_blocks, 10);
	for (unsigned int i = 0; i <= p.nr_blocks; i++) {
		size_t at = i < p.nr_blocks ? p.block[i] : p.footer;

		for (size_t len = at - 1; len <= at + 1; len++) {
			struct reading r;

			must_fail(file, len);
			r = read_damaged(file, len, SPHT_READ_PARTIAL);
			if (i || len >= at) {
				assert_int_equal(r.status, 0);
				assert_int_equal(r.nr, 300 * (len < at ? i - 1 : i));
			}
			reading_free(&r);
			must_be_partial(file, len);
		}
	}
	for (int i = 0; i < 100; i++) {
		size_t len = rng_below(&rng, file_len);

		must_fail(file, len);
		must_be_partial(file, len);
	}
	must_fail(file, file_len - 1);
	file = realloc(file, file_len + 1);
	assert_non_null(file);
	file[file_len] = 0;
	must_fail(file, file_len + 1);
}

static char messages[32][512];
static unsigned int nr_messages;

/* @bytes must fail with a message that holds @words and that no other damage gave. */
static void says(const uint8_t *bytes, size_t len, const char *words)
{
	struct reading r = read_damaged(bytes, len, 0);
	const char *text = strstr(r.err.text, ": ");

	assert_true(r.status < 0);
	reading_free(&r);
	if (!strstr(r.err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", r.err.text, words);
	assert_non_null(text);
	for (unsigned int i = 0; i < nr_messages; i++)
		assert_string_not_equal(messages[i], text);
	snprintf(messages[nr_messages++], sizeof(messages[0]), "%s", text);
}

static void patch(size_t at, uint64_t value, int bytes, const char *words)
{
	uint8_t *copy = malloc(file_len);

	assert_non_null(copy);
	memcpy(copy, file, file_len);
	for (int i = 0; i < bytes; i++)
		copy[at + (size_t)i] = (uint8_t)(value >> 8 * i);
	refresh_sums(copy, file_len);
	says(copy, file_len, words);
	free(copy);
}

/* As patch(), in the header of block @nr, which the index repeats. */
static void patch_block(unsigned int nr, size_t at, uint64_t value, int bytes, const char *words)
{
	struct parts p = find_parts(file, file_len);
	uint8_t *copy = malloc(file_len), *h;

	assert_non_null(copy);
	memcpy(copy, file, file_len);
	h = copy + p.block[nr] + 8;
	for (int i = 0; i < bytes; i++)
		h[at + (size_t)i] = (uint8_t)(value >> 8 * i);
	spht_put32(h + 60, spht_crc32c(0, h, 60));
	memcpy(copy + p.index + 72 * nr + 8, h, 64);
	spht_put32(copy + file_len - 12, spht_crc32c(0, copy + p.footer, file_len - 12 - p.footer));
	says(copy, file_len, words);
	free(copy);
}

static void each_kind_of_damage_has_its_own_message(void **state)
{
	uint8_t junk[4096];
	struct rng rng = {8};
	struct spht_error err;
	struct parts p;

	(void)state;
	nr_messages = 0;
	make_file(200, 2, 2, 50);
	p = find_parts(file, file_len);
	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)rng_next(&rng);
	says(file, 0, "is empty");
	says(junk, sizeof(junk), "expected the start of a .spht trace");
	says((const uint8_t *)"\x1f\x8b\x08\0\0\0\0\0\0\3", 10, "gzip");
	says((const uint8_t *)"\x28\xb5\x2f\xfd", 4, "zstd");
	says((const uint8_t *)"\x17\x08\x44tracing6", 11, "trace.dat");
	says((const uint8_t *)"PERFILE2", 8, "perf.data");
	says(file, 20, "ends inside its header");
	says(file, file_len - 1, "expected the end of a trace");
	assert_null(spht_reader_open("/", 0, &err));
	assert_non_null(strstr(err.text, "directory"));
	assert_null(spht_reader_open("/nonexistent", 0, &err));
	assert_non_null(strstr(err.text, "cannot open"));
	patch(16, 2, 4, "format version 2");
	patch(4, 1u << 30, 4, "the header claims 1073741824 bytes");
	patch(4, 100, 4, "two sizes");
	patch(30, '!', 1, "the header's checksum");
	patch(p.footer + 30, '!', 1, "the footer is no JSON object");
	patch(p.footer + 16, 1ull << 60, 8, "the footer's sizes");
	patch_block(1, 8, SPHT_MAX_CPUS, 4, "a block of a CPU above the limit");
	patch_block(1, 12, UINT32_MAX, 4, "more events than the limit");
	patch_block(1, 52, 1u << 31, 4, "more raw bytes than the limit");
	patch_block(1, 48, 1u << 30, 4, "more compressed bytes than the limit");
	patch_block(1, 48, spht_get32(file + p.block[1] + 56) + 1, 4, "a block elsewhere");
	patch_block(1, 16, 7, 8, "out of sequence");
	patch_block(1, 24, UINT64_MAX, 8, "ends before it starts");
	patch_block(2, 24, 0, 8, "time is before that of its CPU's last block");
	patch_block(1, 6, 1, 2, "a preamble block");
	patch_block(1, 4, 2, 2, "newer version");
	patch_block(1, 32, spht_get64(file + p.block[1] + 40) + 1, 8, "do not end at the time");
	patch_block(1, 12, spht_get32(file + p.block[1] + 20) - 1, 4, "its writer was broken");
	patch_block(1, 52, spht_get32(file + p.block[1] + 60) - 1, 4, "is not one zstd frame");
	patch(p.block[1] + 80, 0, 4, "zstd");
}

/* A header with one thing changed in its JSON must be refused by name. */
static void header_says(const char *from, const char *to, const char *words)
{
	uint32_t len = spht_get32(file + 20), grown;
	size_t from_len = strlen(from), to_len = strlen(to), at = 0;
	uint8_t *copy = malloc(file_len + 4096);

	assert_non_null(copy);
	while (at + from_len <= len && memcmp(file + 28 + at, from, from_len))
		at++;
	assert_true(at + from_len <= len);
	grown = (uint32_t)(len - from_len + to_len);
	memcpy(copy, file, 28 + at);
	memcpy(copy + 28 + at, to, to_len);
	memcpy(copy + 28 + at + to_len, file + 28 + at + from_len, file_len - 28 - at - from_len);
	spht_put32(copy + 4, 20 + grown);
	spht_put32(copy + 20, grown);
	spht_put32(copy + 24, spht_crc32c(spht_crc32c(0, copy, 24), copy + 28, grown));
	says(copy, file_len - len + grown, words);
	free(copy);
}

static void a_header_that_makes_no_sense_is_refused(void **state)
{
	(void)state;
	nr_messages = 0;
	make_file(20, 1, 2, 50);
	header_says("\"types\":", "\"typos\":", "no list");
	header_says("\"width\":24", "\"width\":23", "do not make up its fields");
	header_says("\"width\":24", "\"width\":99", "a part without");
	header_says("\"reg\":4", "\"reg\":7", "numbered");
	header_says("\"size\":8", "\"size\":9", "too large");
	header_says("\"name\":\"rip\"", "\"name\":\"a b\"", "plain text");
	header_says("\"name\":\"rip\"", "\"name\":\"vcpu_id\"", "two fields");
	header_says("\"predict\":\"", "\"predict\":\"r999|", "prediction");
	header_says("\"word\":0", "\"word\":1", "lacks");
	header_says("{", "[{", "no JSON");
}

/* Changes bytes of a block's content, which has no checksum of its own, and decodes it. */
static void garbled_block_content_never_harms(void **state)
{
	const unsigned int nr = 400;
	struct rng rng = {11};
	struct spht_event rows[64];
	struct spht_bytes raw = {0}, cuts = {0};
	struct spht_error err;
	struct spht_schema *s = spht_schema_new(test_types, nr_test_types, &err);
	struct spht_encoder *e = spht_encoder_new(s);
	struct spht_decoder *d = spht_decoder_new(s);
	struct spht_block b = {.nr_events = nr, .first_ts = 100};
	uint8_t *bytes;
	int read = 0;

	(void)state;
	assert_true(s && e && d);
	for (unsigned int i = 0; i < nr; i++) {
		struct spht_event ev = random_event(&rng, nr_test_types, 0, 100 + 10 * i);

		assert_int_equal(spht_encoder_add(e, &ev), 0);
	}
	b.last_ts = 100 + 10 * (nr - 1);
	assert_int_equal(spht_encoder_finish(e, &raw, &cuts), 0);
	for (int round = 0; round < 20000; round++) {
		/* Exact allocations, so that the sanitizer sees each byte too many. */
		size_t len = raw.len - (round % 3 ? 0 : rng_below(&rng, raw.len + 1));
		unsigned int changes = (unsigned int)rng_below(&rng, 4);

		bytes = malloc(len + SPHT_RAW_SLACK);
		assert_non_null(bytes);
		memcpy(bytes, raw.buf, len);
		memset(bytes + len, 0, SPHT_RAW_SLACK);
		for (unsigned int i = 0; i < changes && len; i++) {
			/* Most of what steers decoding stands at the beginning. */
			size_t at = rng_below(&rng, i % 2 ? len : len < 900 ? len : 900);

			bytes[at] = (uint8_t)(round % 2 ? rng_next(&rng) : bytes[at] + 1u);
		}
		b.raw = bytes;
		b.size = (uint32_t)len;
		if (!spht_decoder_open(d, &b)) {
			int n;

			while ((n = spht_decoder_next(d, rows, 64)) > 0)
				read += n;
		}
		free(bytes);
	}
	assert_true(read > 100000);
	free(raw.buf);
	free(cuts.buf);
	spht_encoder_free(e);
	spht_decoder_free(d);
	spht_schema_free(s);
}

static void a_damaged_block_counts_as_lost_events_when_partial(void **state)
{
	struct parts p;
	struct reading r;

	(void)state;
	make_file(100, 1, 2, 25);
	p = find_parts(file, file_len);
	file[p.block[1] + 90] ^= 1;
	r = read_damaged(file, file_len, SPHT_READ_PARTIAL);
	assert_int_equal(r.status, 0);
	assert_false(r.complete);
	assert_int_equal(r.nr, 76);
	assert_int_equal(r.events[25].id, SPHT_EV_LOST);
	assert_int_equal(r.events[25].v[0], 25);
	assert_event_equal(&r.events[26], &whole.events[50]);
	reading_free(&r);
}

static int tear_down(void **state)
{
	(void)state;
	free(file);
	reading_free(&whole);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flipped_bit_of_a_small_file_is_noticed),
		cmocka_unit_test(a_flipped_bit_in_each_64_kib_of_a_large_file_is_noticed),
		cmocka_unit_test(a_file_cut_anywhere_is_noticed_and_its_whole_blocks_are_read),
		cmocka_unit_test(each_kind_of_damage_has_its_own_message),
		cmocka_unit_test(a_header_that_makes_no_sense_is_refused),
		cmocka_unit_test(garbled_block_content_never_harms),
		cmocka_unit_test(a_damaged_block_counts_as_lost_events_when_partial),
	};

	return cmocka_run_group_tests_name("damage", tests, NULL, tear_down);
}
