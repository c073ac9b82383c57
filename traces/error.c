// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdarg.h>
#include <stdio.h>

#include "spht_error.h"

/* Names and text of files stand in messages: no line breaks, nothing that a terminal might obey. */
static void make_plain(char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];

		/* U+0080 to U+009F are control characters of two bytes. */
		if (c < ' ' || c == 127 || (c == 0xc2 && next >= 0x80 && next < 0xa0))
			*text = '?';
	}
}

void spht_error_set(struct spht_error *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	make_plain(err->text);
}
