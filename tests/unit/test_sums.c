// SPDX-License-Identifier: LGPL-2.1-or-later
/* Checksums against published vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace_util.h"
#include "traces/crc32c.h"
#include "traces/sha256.h"

static void crc32c_gives_the_values_of_rfc_3720(void **state)
{
	uint8_t buf[32];

	(void)state;
	memset(buf, 0, sizeof(buf));
	assert_int_equal(spht_crc32c(0, buf, 32), 0x8a9136aa);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(spht_crc32c(0, buf, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		buf[i] = (uint8_t)i;
	assert_int_equal(spht_crc32c(0, buf, 32), 0x46dd794e);
	for (int i = 0; i < 32; i++)
		buf[i] = (uint8_t)(31 - i);
	assert_int_equal(spht_crc32c(0, buf, 32), 0x113fdb5c);
	assert_int_equal(spht_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(spht_crc32c(0, "", 0), 0);
}

static void crc32c_is_the_same_in_pieces_and_without_instructions(void **state)
{
	struct rng rng = {1};
	uint8_t buf[300];

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)rng_next(&rng);
	for (size_t len = 0; len <= sizeof(buf); len++) {
		uint32_t whole = spht_crc32c(0, buf, len);
		size_t cut = len / 3;

		assert_int_equal(spht_crc32c_portable(0, buf, len), whole);
		assert_int_equal(spht_crc32c(spht_crc32c(0, buf, cut), buf + cut, len - cut),
				 whole);
	}
}

static void check_sha(const char *text, size_t times, const char *want)
{
	struct spht_sha256 s;
	char hex[65];

	spht_sha256_init(&s);
	for (size_t i = 0; i < times; i++)
		spht_sha256_update(&s, text, strlen(text));
	spht_sha256_final(&s, hex);
	assert_string_equal(hex, want);
}

static void sha256_gives_the_values_of_fips_180(void **state)
{
	(void)state;
	check_sha("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check_sha("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check_sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	check_sha("a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	check_sha("0123456789012345678901234567890123456789012345678901234567890123", 10000,
		  "c2df120eff05df43cbfbac7bdf078b6a000084629b1350604f1f617383b2ad03");
}

static void sha256_pads_every_length_like_its_portable_form(void **state)
{
	struct rng rng = {2};
	uint8_t buf[200];

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)rng_next(&rng);
	for (size_t len = 0; len <= sizeof(buf); len++) {
		struct spht_sha256 s;
		char whole[65], pieces[65];

		spht_sha256_init(&s);
		spht_sha256_update(&s, buf, len);
		spht_sha256_final(&s, whole);
		spht_sha256_init(&s);
		s.portable = true;
		for (size_t i = 0; i < len; i += 7)
			spht_sha256_update(&s, buf + i, len - i < 7 ? len - i : 7);
		spht_sha256_final(&s, pieces);
		assert_string_equal(whole, pieces);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_gives_the_values_of_rfc_3720),
		cmocka_unit_test(crc32c_is_the_same_in_pieces_and_without_instructions),
		cmocka_unit_test(sha256_gives_the_values_of_fips_180),
		cmocka_unit_test(sha256_pads_every_length_like_its_portable_form),
	};

	return cmocka_run_group_tests_name("sums", tests, NULL, NULL);
}
