// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>

#include "json.h"

json_t *spht_json_hex(uint64_t v)
{
	return json_sprintf("0x%" PRIx64, v);
}

json_t *spht_json_string(const char *text)
{
	json_t *j = json_string(text);

	return j ? j : json_string("(not UTF-8)");
}

void spht_json_text(json_t *object, const char *key, const char *text, size_t len)
{
	json_t *j = len ? json_stringn(text, len) : NULL;

	if (j)
		json_object_set_new(object, key, j);
}
