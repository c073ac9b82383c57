/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SHA256_H
#define SPHT_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SHA-256 (FIPS 180-4) of a byte stream, to name a trace, not to keep secrets. */
struct spht_sha256 {
	uint32_t state[8];
	uint64_t bytes;
	uint8_t pending[64]; /* the bytes % 64 last ones */
	bool portable; /* do without special instructions; for the tests */
};

void spht_sha256_init(struct spht_sha256 *s);
void spht_sha256_update(struct spht_sha256 *s, const void *data, size_t len);
/* 64 hex digits and a NUL; @s must be initialised again before further use. */
void spht_sha256_final(struct spht_sha256 *s, char hex[65]);

#endif
