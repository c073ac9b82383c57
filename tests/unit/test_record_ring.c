// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a page of the kernel's trace buffer says about events lost before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <kbuffer.h>

#include "collector/ring.h"
#include "traces/le.h"
#include "traces/spht_trace.h"

#define HEAD    16
#define MISSED  (1ull << 31)
#define COUNTED (1ull << 30)

static uint8_t page[4096];

/* A page whose data is @len bytes, with @lost behind them. */
static void make_page(uint64_t flags, size_t len, uint64_t lost)
{
	spht_put64(page, 1000000);
	spht_put64(page + 8, flags | len);
	if (HEAD + len + 8 <= sizeof(page))
		spht_put64(page + HEAD + len, lost);
}

/* An event of 12 bytes. */
static size_t put_event(size_t at)
{
	spht_put32(page + HEAD + at, 3 | 5 << 5);
	return at + 4 + 12;
}

static void a_page_tells_how_many_were_lost(void **state)
{
	(void)state;
	make_page(0, put_event(0), 77);
	assert_int_equal(spht_ring_missed(page), 0);
	make_page(MISSED | COUNTED, put_event(0), 77);
	assert_int_equal(spht_ring_missed(page), 77);
	make_page(MISSED | COUNTED, put_event(0), (uint64_t)5 << 32);
	assert_int_equal(spht_ring_missed(page), (uint64_t)5 << 32);
}

static void a_page_without_room_tells_only_that(void **state)
{
	(void)state;
	make_page(MISSED, put_event(0), 77);
	assert_int_equal(spht_ring_missed(page), SPHT_LOST_UNKNOWN);
	make_page(MISSED | COUNTED, sizeof(page) - HEAD - 4, 0);
	assert_int_equal(spht_ring_missed(page), SPHT_LOST_UNKNOWN);
	make_page(MISSED | COUNTED, 0xffff, 0);
	assert_int_equal(spht_ring_missed(page), SPHT_LOST_UNKNOWN);
}

/* A step of time (type 30), an event that was discarded (29): kbuffer forgets the loss there. */
static void losses_before_what_is_no_event_are_told(void **state)
{
	static const struct {
		uint32_t type, word;
		size_t len;
	} rows[] = {{30, 1, 8}, {29, 12, 16}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kbuffer *k = kbuffer_alloc(KBUFFER_LSIZE_8, KBUFFER_ENDIAN_LITTLE);
		unsigned long long ts;

		memset(page, 0, sizeof(page));
		spht_put32(page + HEAD, rows[i].type | 1 << 5);
		spht_put32(page + HEAD + 4, rows[i].word);
		make_page(MISSED | COUNTED, put_event(rows[i].len), 77);
		assert_int_equal(kbuffer_load_subbuffer(k, page), 0);
		assert_non_null(kbuffer_read_event(k, &ts));
		assert_int_equal(kbuffer_event_size(k), 12);
		assert_int_equal(spht_ring_missed(page), 77);
		kbuffer_free(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_tells_how_many_were_lost),
		cmocka_unit_test(a_page_without_room_tells_only_that),
		cmocka_unit_test(losses_before_what_is_no_event_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
