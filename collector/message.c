// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "message.h"

static bool progress_shown;

/* Bytes of the printable UTF-8 character at @p; 0 for a control character or no UTF-8. */
static int printable(const unsigned char *p)
{
	unsigned int c = *p, min;
	int n;

	if (c < 0x80)
		return c >= ' ' && c != 0x7f;
	n = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 0;
	if (!n)
		return 0;
	c &= 0x7fu >> n;
	for (int i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	/* The second row of control characters, longer forms than needed, surrogates. */
	min = n == 2 ? 0xa0 : n == 3 ? 0x800 : 0x10000;
	return c < min || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static void put(const char *before, const char *fmt, va_list ap, const char *after)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p;) {
		int n = printable((unsigned char *)p);

		if (!n)
			*p = '?';
		p += n ? n : 1;
	}
	fprintf(stderr, "%sspht-record: %s%s", before, text, after);
	fflush(stderr);
}

void spht_message(const char *fmt, ...)
{
	va_list ap;

	spht_progress_end();
	va_start(ap, fmt);
	put("", fmt, ap, "\n");
	va_end(ap);
}

void spht_progress(const char *fmt, ...)
{
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(ap, fmt);
	put("\r", fmt, ap, "\033[K");
	va_end(ap);
	progress_shown = true;
}

void spht_progress_end(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}
