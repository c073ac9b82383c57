/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CRC32C_H
#define SPHT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32C (Castagnoli, reflected, as in iSCSI and ext4) of @len bytes.
 * @crc is 0 to start, or the result of the bytes before these.
 */
uint32_t spht_crc32c(uint32_t crc, const void *data, size_t len);
/* The same without special instructions; for machines that have none, and for the tests. */
uint32_t spht_crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
