// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "message.h"

static bool progress_shown;

static void put(const char *before, const char *fmt, va_list ap, const char *after)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
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
