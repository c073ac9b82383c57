/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_JSON_H
#define SPHT_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Values of headers and footers.  New references, NULL without memory. */

/* "0x1f": jansson's integers are signed. */
json_t *spht_json_hex(uint64_t v);
/* @text, or that it is no UTF-8, which arguments need not be. */
json_t *spht_json_string(const char *text);
/* Sets @key of @object to the @len bytes of @text, unless they are none or no UTF-8. */
void spht_json_text(json_t *object, const char *key, const char *text, size_t len);

#endif
