// SPDX-License-Identifier: LGPL-2.1-or-later
/* The records of a perf.data, plain and packed, and what is made of sizes that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <cmocka.h>

#include "collector/perfdata-stream.h"
#include "le.h"

#define NR    3000u
#define START 24u /* the data do not start where the file does */
#define PIECE 65519u

/* A file in memory that grows at its end. */
struct rig {
	int fd;
	uint64_t size;
	struct span_file f;
	struct spht_error err;
};

static void put(struct rig *r, const void *data, size_t len)
{
	assert_int_equal(pwrite(r->fd, data, len, (off_t)r->size), (ssize_t)len);
	r->size += len;
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	char nothing[START] = "";

	assert_non_null(r);
	r->fd = memfd_create("perf.data", MFD_CLOEXEC);
	assert_true(r->fd >= 0);
	put(r, nothing, sizeof(nothing));
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	close(r->fd);
	free(r);
	return 0;
}

static void head(uint8_t *p, uint32_t type, size_t size)
{
	spht_put32(p, type);
	spht_put16(p + 4, 0);
	spht_put16(p + 6, (uint16_t)size);
}

/* Record @i of a series: type and content follow from the number, sizes vary. */
static size_t make(uint8_t *p, unsigned int i)
{
	size_t size = 16 + i * 7 % 400 / 8 * 8;

	head(p, i % 3 ? PERFDATA_SAMPLE : 3, size);
	memset(p + 8, (int)i, size - 8);
	spht_put32(p + 8, i);
	return size;
}

static uint8_t *series(unsigned int nr, size_t *len)
{
	uint8_t *all = malloc(nr * 512);

	assert_non_null(all);
	*len = 0;
	for (unsigned int i = 0; i < nr; i++)
		*len += make(all + *len, i);
	return all;
}

static struct perfdata_stream *begin(struct rig *r)
{
	struct perfdata_stream *s;

	r->f = (struct span_file){
		.fd = r->fd, .name = "x", .kind = "perf.data", .size = r->size, .err = &r->err};
	s = perfdata_stream_new(&r->f, START, r->size - START);
	assert_non_null(s);
	return s;
}

/* The whole series comes out, and other records of type 68 in between are passed over. */
static void expect_series(struct rig *r, unsigned int nr)
{
	struct perfdata_stream *s = begin(r);
	struct perfdata_record rec;
	uint8_t want[512];
	unsigned int i = 0;
	int rc;

	while ((rc = perfdata_stream_next(s, &rec)) > 0) {
		if (rec.type == PERFDATA_FINISHED_ROUND)
			continue;
		assert_true(i < nr);
		assert_int_equal(rec.size, make(want, i));
		assert_memory_equal(rec.p, want, rec.size);
		assert_true(rec.offset >= START && rec.offset < r->size);
		i++;
	}
	if (rc)
		fail_msg("%s", r->err.text);
	assert_int_equal(i, nr);
	assert_false(perfdata_stream_is_cut(s));
	assert_int_equal(perfdata_stream_done(s), r->size - START);
	perfdata_stream_free(s);
}

/* What is said of a file that is refused. */
static void expect_refusal(struct rig *r, const char *why)
{
	struct perfdata_stream *s = begin(r);
	struct perfdata_record rec;
	int rc;

	while ((rc = perfdata_stream_next(s, &rec)) > 0)
		;
	assert_int_equal(rc, -1);
	if (!strstr(r->err.text, why))
		fail_msg("not \"%s\" but \"%s\"", why, r->err.text);
	perfdata_stream_free(s);
}

static void put_round(struct rig *r)
{
	uint8_t p[8];

	head(p, PERFDATA_FINISHED_ROUND, sizeof(p));
	put(r, p, sizeof(p));
}

static void put_packed(struct rig *r, uint32_t type, const uint8_t *data, size_t len)
{
	uint8_t h[16] = "", zeros[8] = "";
	size_t padding = type == PERFDATA_COMPRESSED2 ? -len % 8 : 0;
	size_t fixed = type == PERFDATA_COMPRESSED2 ? 16 : 8;

	head(h, type, fixed + len + padding);
	spht_put64(h + 8, len);
	put(r, h, fixed);
	put(r, data, len);
	put(r, zeros, padding);
}

/* As perf does it: pieces of its buffer, each flushed, in as many records as are needed. */
static void pack_series(struct rig *r, uint32_t type, unsigned int nr, size_t each, size_t most)
{
	size_t len, at = 0;
	uint8_t *all = series(nr, &len), *out = malloc(ZSTD_compressBound(each) + 64);
	ZSTD_CStream *z = ZSTD_createCStream();

	assert_non_null(out);
	assert_non_null(z);
	ZSTD_initCStream(z, 1);
	while (at < len) {
		size_t n = len - at < each ? len - at : each;
		ZSTD_outBuffer o = {out, ZSTD_compressBound(each) + 64, 0};
		ZSTD_inBuffer i = {all + at, n, 0};

		assert_false(ZSTD_isError(ZSTD_compressStream(z, &o, &i)));
		assert_int_equal(i.pos, n);
		assert_int_equal(ZSTD_flushStream(z, &o), 0);
		for (size_t k = 0; k < o.pos; k += most)
			put_packed(r, type, out + k, o.pos - k < most ? o.pos - k : most);
		put_round(r);
		at += n;
	}
	ZSTD_freeCStream(z);
	free(out);
	free(all);
}

static void plain_records_come_one_by_one(void **state)
{
	struct rig *r = *state;
	size_t len;
	uint8_t *all = series(NR, &len);

	put(r, all, len);
	put_round(r);
	free(all);
	expect_series(r, NR);
}

static void records_packed_by_81_may_straddle(void **state)
{
	pack_series(*state, PERFDATA_COMPRESSED, NR, 5003, 997);
	expect_series(*state, NR);
}

static void single_bytes_are_enough(void **state)
{
	pack_series(*state, PERFDATA_COMPRESSED, 100, 3000, 1);
	expect_series(*state, 100);
}

static void records_packed_by_83_are_padded(void **state)
{
	pack_series(*state, PERFDATA_COMPRESSED2, NR, 5003, 997);
	expect_series(*state, NR);
}

static void one_piece_may_unpack_to_more_than_the_buffer(void **state)
{
	pack_series(*state, PERFDATA_COMPRESSED, NR, NR * 512, 60000);
	expect_series(*state, NR);
}

/* One zstd stream of stored blocks. */
static uint8_t *stored(const uint8_t *all, size_t len, size_t *packed)
{
	uint8_t *out = malloc(len + len / 1000 * 3 + 64);
	size_t at = 6;

	assert_non_null(out);
	spht_put32(out, 0xfd2fb528);
	out[4] = 0;
	out[5] = 0x48;
	for (size_t i = 0; i < len; i += 1000) {
		size_t n = len - i < 1000 ? len - i : 1000;
		uint8_t block[4];

		spht_put32(block, (uint32_t)(n << 3));
		memcpy(out + at, block, 3);
		memcpy(out + at + 3, all + i, n);
		at += 3 + n;
	}
	*packed = at;
	return out;
}

/* @len bytes of a stream, written as perf 6.16 does when their size needs more than 16 bits. */
static void put_overflowed(struct rig *r, const uint8_t *data, size_t len)
{
	size_t pieces = (len + PIECE - 1) / PIECE, whole = len + 16 * pieces;
	uint8_t h[16] = "";

	for (size_t i = 0; i < pieces; i++) {
		size_t n = len - i * PIECE < PIECE ? len - i * PIECE : PIECE;

		head(h, PERFDATA_COMPRESSED2, i ? 16 + n : (whole + 7) / 8 * 8);
		spht_put64(h + 8, i ? 0x123456789abcdefull : whole - 16);
		put(r, h, 16);
		put(r, data + i * PIECE, n);
	}
}

static void sizes_that_overflow_16_bits_are_understood(void **state)
{
	struct rig *r = *state;
	size_t len, packed;
	uint8_t *all = series(NR, &len), *z = stored(all, len, &packed);

	/* One that is rounded up to 0, then one in many pieces. */
	put_overflowed(r, z, PIECE - 2);
	put_round(r);
	put_overflowed(r, z + PIECE - 2, packed - PIECE + 2);
	put_round(r);
	free(all);
	free(z);
	expect_series(r, NR);
}

static void a_chain_that_breaks_off_is_refused(void **state)
{
	struct rig *r = *state;
	size_t len, packed;
	uint8_t *all = series(NR, &len), *z = stored(all, len, &packed), zero[8] = "";

	put_overflowed(r, z, packed);
	assert_int_equal(pwrite(r->fd, zero, 4, START + 16 + PIECE), 4);
	free(all);
	free(z);
	expect_refusal(r, "a record of type 0");
}

static void a_record_that_is_cut_inside_of_the_packed_stream_is_told(void **state)
{
	struct rig *r = *state;
	struct perfdata_stream *s;
	struct perfdata_record rec;
	size_t len, packed;
	uint8_t *all = series(10, &len), *z = stored(all, len - 5, &packed);
	unsigned int nr = 0;

	put_packed(r, PERFDATA_COMPRESSED, z, packed);
	free(all);
	free(z);
	s = begin(r);
	while (perfdata_stream_next(s, &rec) > 0)
		nr++;
	assert_int_equal(nr, 9);
	assert_true(perfdata_stream_is_cut(s));
	perfdata_stream_free(s);
}

static void sizes_that_cannot_be_are_refused(void **state)
{
	struct rig *r = *state;
	uint8_t p[24] = "";

	head(p, PERFDATA_SAMPLE, 4);
	put(r, p, sizeof(p));
	expect_refusal(r, "offset 0x18: a record of type 9 has 4 bytes");
	head(p, PERFDATA_SAMPLE, 32);
	pwrite(r->fd, p, sizeof(p), START);
	expect_refusal(r, "a record ends behind the end of the data (0x30)");
	head(p, PERFDATA_COMPRESSED, 7);
	pwrite(r->fd, p, sizeof(p), START);
	expect_refusal(r, "a record of type 81 has 7 bytes");
	head(p, PERFDATA_COMPRESSED2, 24);
	spht_put64(p + 8, UINT64_MAX);
	pwrite(r->fd, p, sizeof(p), START);
	expect_refusal(r, "ends beyond the end");
	head(p, PERFDATA_COMPRESSED, 24);
	pwrite(r->fd, p, sizeof(p), START);
	expect_refusal(r, "cannot be unpacked");
}

static void packed_records_inside_of_packed_ones_are_refused(void **state)
{
	struct rig *r = *state;
	uint8_t p[16] = "", *z;
	size_t packed;

	head(p, PERFDATA_COMPRESSED, sizeof(p));
	z = stored(p, sizeof(p), &packed);
	put_packed(r, PERFDATA_COMPRESSED, z, packed);
	free(z);
	expect_refusal(r, "a record of type 81 has 16 bytes");
}

/* A few kilobytes that unpack to a gigabyte of records that nobody needs. */
static void what_unpacks_to_thousands_of_times_its_size_is_refused(void **state)
{
	struct rig *r = *state;
	const size_t blocks = 3 << 13;
	uint8_t *z = malloc(6 + 4 * blocks), block[4];
	size_t len = 6;

	assert_non_null(z);
	spht_put32(z, 0xfd2fb528);
	z[4] = 0;
	z[5] = 0x48;
	/* Blocks of 128 KiB of the byte 8: records of type 0x08080808 and 0x0808 bytes. */
	spht_put32(block, (128u << 10) << 3 | 1 << 1);
	block[3] = 8;
	for (size_t i = 0; i < blocks; i++, len += 4)
		memcpy(z + len, block, 4);
	for (size_t i = 0; i < len; i += 50000)
		put_packed(r, PERFDATA_COMPRESSED, z + i, len - i < 50000 ? len - i : 50000);
	free(z);
	expect_refusal(r, "unpack to more than 4096 times their size");
}

/* Empty records hold nobody up. */
static void packed_records_may_be_empty(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 5; i++) {
		put_packed(r, PERFDATA_COMPRESSED, NULL, 0);
		put_packed(r, PERFDATA_COMPRESSED2, NULL, 0);
	}
	pack_series(r, PERFDATA_COMPRESSED, 5, 100, 10);
	expect_series(r, 5);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(plain_records_come_one_by_one),
		T(records_packed_by_81_may_straddle),
		T(single_bytes_are_enough),
		T(records_packed_by_83_are_padded),
		T(one_piece_may_unpack_to_more_than_the_buffer),
		T(sizes_that_overflow_16_bits_are_understood),
		T(a_chain_that_breaks_off_is_refused),
		T(a_record_that_is_cut_inside_of_the_packed_stream_is_told),
		T(sizes_that_cannot_be_are_refused),
		T(packed_records_inside_of_packed_ones_are_refused),
		T(what_unpacks_to_thousands_of_times_its_size_is_refused),
		T(packed_records_may_be_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
