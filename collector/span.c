// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "le.h"
#include "span.h"

int span_no_memory(const struct span_file *f)
{
	spht_error_set(f->err, "%s: out of memory", f->name);
	return -1;
}

void span_complain(const struct span_file *f, uint64_t offset, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	spht_error_set(f->err,
		       "%s: damaged or unsupported %s: offset 0x%" PRIx64
		       ": %s; copy the file again from where it was recorded, or record anew",
		       f->name, f->kind, offset, text);
}

int span_pread(const struct span_file *f, uint64_t offset, void *buf, size_t len, const char *what)
{
	size_t got = 0;

	if (offset > f->size || len > f->size - offset)
		return span_truncated(f, offset, what);
	while (got < len) {
		ssize_t n = pread(f->fd, (char *)buf + got, len - got, (off_t)(offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			spht_error_set(f->err, "%s: cannot read: %s", f->name, strerror(errno));
			return -1;
		}
		if (!n)
			return span_truncated(f, offset, what);
		got += (size_t)n;
	}
	return 0;
}

uint8_t *span_load(const struct span_file *f, uint64_t offset, uint64_t len, uint64_t max,
		   const char *what)
{
	uint8_t *body;

	if (len > max) {
		span_complain(f, offset, "%s has %" PRIu64 " bytes", what, len);
		return NULL;
	}
	if (offset > f->size || len > f->size - offset) {
		span_complain(f, offset, "%s ends beyond the end of the file (0x%" PRIx64 ")", what,
			      f->size);
		return NULL;
	}
	body = malloc(len ? len : 1);
	if (!body) {
		span_no_memory(f);
		return NULL;
	}
	if (span_pread(f, offset, body, len, what)) {
		free(body);
		return NULL;
	}
	return body;
}

int span_take(struct span *s, size_t len, const uint8_t **p)
{
	if (len > s->left)
		return span_damaged(s->file, span_where(s), "%s is shorter than what it holds",
				    s->what);
	*p = s->p;
	s->p += len;
	s->left -= len;
	return 0;
}

int span_take16(struct span *s, uint16_t *v)
{
	const uint8_t *p;

	if (span_take(s, sizeof(*v), &p))
		return -1;
	*v = spht_get16(p);
	return 0;
}

int span_take32(struct span *s, uint32_t *v)
{
	const uint8_t *p;

	if (span_take(s, sizeof(*v), &p))
		return -1;
	*v = spht_get32(p);
	return 0;
}

int span_take64(struct span *s, uint64_t *v)
{
	const uint8_t *p;

	if (span_take(s, sizeof(*v), &p))
		return -1;
	*v = spht_get64(p);
	return 0;
}

int span_take_string(struct span *s, const char **text)
{
	const uint8_t *end = s->left ? memchr(s->p, 0, s->left) : NULL;
	const uint8_t *p;

	if (!end)
		return span_damaged(s->file, span_where(s), "a name in %s has no end", s->what);
	if (span_take(s, (size_t)(end - s->p) + 1, &p))
		return -1;
	*text = (const char *)p;
	return 0;
}

char *span_string(const uint8_t *p, size_t len)
{
	return strndup(len ? (const char *)p : "", len);
}
