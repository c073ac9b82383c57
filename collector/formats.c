// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <string.h>

#include "formats.h"

int spht_formats_take(struct span *s,
		      int (*each)(void *arg, const char *system, const uint8_t *text, size_t len),
		      void *arg)
{
	uint32_t systems, events;
	const char *system;
	const uint8_t *text;
	uint64_t len;

	if (span_take32(s, &systems))
		return -1;
	for (uint32_t i = 0; i < systems; i++) {
		if (span_take_string(s, &system) || span_take32(s, &events))
			return -1;
		for (uint32_t k = 0; k < events; k++)
			if (span_take64(s, &len) || span_take(s, len, &text) ||
			    each(arg, system, text, len))
				return -1;
	}
	return 0;
}

/* "name: kvm_exit\n..." */
int spht_formats_keep(json_t *formats, const char *system, const uint8_t *text, size_t len)
{
	static const char name_chars[] = "abcdefghijklmnopqrstuvwxyz"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	static const char key[] = "name: ";
	const uint8_t *end = len ? memchr(text, '\n', len) : NULL;
	char name[160];
	json_t *j;
	size_t n;

	if (strcmp(system, "kvm") && strcmp(system, "kvmmmu"))
		return 0;
	if (!end || (size_t)(end - text) < strlen(key) || memcmp(text, key, strlen(key)))
		return 0;
	n = (size_t)(end - text) - strlen(key);
	if (!n || n > 100 || strspn((const char *)text + strlen(key), name_chars) != n)
		return 0;
	snprintf(name, sizeof(name), "%s/%.*s", system, (int)n, (const char *)text + strlen(key));
	/* What is not UTF-8, or what JSON cannot read back, is not kept. */
	j = memchr(text, 0, len) ? NULL : json_stringn((const char *)text, len);
	return j ? json_object_set_new(formats, name, j) : 0;
}
