// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "le.h"
#include "perfdata-stream.h"

#define BUFFER     (1u << 20)
#define UNPACKED   (256u << 10)

/*
 * COMPRESSED2 came with perf 6.16: a length of 8 bytes behind the head, then
 * that many bytes of the stream, then up to 7 more so that records start at
 * multiples of 8 (tools/lib/perf/include/perf/event.h).  perf packs a piece of
 * its buffer into as many records as are needed, each of at most PIECE bytes,
 * and then writes the length of all of them into the first, whose 16-bit size
 * may overflow; then nothing is padded.
 */
#define HEAD2      16u
#define PIECE      65519u

/* KVM's events pack to 1/20, the dullest to 1/100; what claims far more keeps us busy for days. */
#define MOST_RATIO 4096u
#define NOT_BEFORE (1ull << 30)

struct perfdata_stream {
	const struct span_file *f;
	uint64_t start, end; /* of the data, in the file */
	uint64_t at; /* of the next byte to be looked at */
	uint64_t chain_end; /* where records of overflown size end; 0: nowhere */
	uint8_t *buf; /* of the file from `buf_at` on */
	uint64_t buf_at;
	size_t buf_len;
	ZSTD_DStream *zstd;
	uint64_t packed_left, padding; /* of the COMPRESSED record that is being unpacked */
	uint64_t packed_at; /* where it starts */
	bool more; /* there may be more in zstd than it had room for */
	uint64_t unpacked; /* in all */
	uint8_t *out; /* unpacked */
	size_t out_pos, out_len;
};

struct perfdata_stream *perfdata_stream_new(const struct span_file *f, uint64_t offset,
					    uint64_t size)
{
	struct perfdata_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->f = f;
	s->start = offset;
	s->at = offset;
	s->end = offset + size;
	s->buf_at = offset;
	s->buf = malloc(BUFFER);
	s->out = malloc(UNPACKED);
	if (s->buf && s->out)
		return s;
	perfdata_stream_free(s);
	return NULL;
}

void perfdata_stream_free(struct perfdata_stream *s)
{
	if (!s)
		return;
	ZSTD_freeDStream(s->zstd);
	free(s->buf);
	free(s->out);
	free(s);
}

uint64_t perfdata_stream_done(const struct perfdata_stream *s)
{
	return s->at - s->start;
}

bool perfdata_stream_is_cut(const struct perfdata_stream *s)
{
	return s->out_len > s->out_pos;
}

/* The next @len bytes, at most BUFFER, without taking them; NULL with the error set. */
static const uint8_t *look(struct perfdata_stream *s, size_t len, const char *what)
{
	size_t pos = (size_t)(s->at - s->buf_at), keep, want;

	if (len > s->end - s->at) {
		span_complain(s->f, s->at, "%s ends behind the end of the data (0x%" PRIx64 ")",
			      what, s->end);
		return NULL;
	}
	if (pos <= s->buf_len && len <= s->buf_len - pos)
		return s->buf + pos;
	keep = pos < s->buf_len ? s->buf_len - pos : 0;
	memmove(s->buf, s->buf + pos, keep);
	s->buf_at = s->at;
	s->buf_len = keep;
	want = BUFFER - keep;
	if (want > s->end - s->at - keep)
		want = (size_t)(s->end - s->at - keep);
	if (span_pread(s->f, s->at + keep, s->buf + keep, want, what))
		return NULL;
	s->buf_len += want;
	return s->buf;
}

static int zstd_failed(struct perfdata_stream *s, size_t rc)
{
	return span_damaged(s->f, s->packed_at, "a compressed record cannot be unpacked: %s",
			    ZSTD_getErrorName(rc));
}

/* Unpacks what there is room for. */
static int unpack(struct perfdata_stream *s)
{
	ZSTD_outBuffer out = {s->out, UNPACKED, 0};
	ZSTD_inBuffer in = {NULL, 0, 0};
	size_t rc, had;

	memmove(s->out, s->out + s->out_pos, s->out_len - s->out_pos);
	s->out_len -= s->out_pos;
	s->out_pos = 0;
	out.pos = had = s->out_len;
	if (!s->zstd) {
		s->zstd = ZSTD_createDStream();
		if (!s->zstd)
			return span_no_memory(s->f);
	}
	if (s->packed_left) {
		in.size = s->packed_left < BUFFER / 2 ? s->packed_left : BUFFER / 2;
		in.src = look(s, in.size, "a compressed record");
		if (!in.src)
			return -1;
	}
	rc = ZSTD_decompressStream(s->zstd, &out, &in);
	if (ZSTD_isError(rc))
		return zstd_failed(s, rc);
	if (!in.pos && out.pos == had && s->packed_left)
		return span_damaged(s->f, s->packed_at, "a compressed record leads nowhere");
	s->at += in.pos;
	s->packed_left -= in.pos;
	s->out_len = out.pos;
	s->unpacked += out.pos - had;
	if (s->unpacked > NOT_BEFORE && s->unpacked / MOST_RATIO > s->at - s->start)
		return span_damaged(
			s->f, s->packed_at,
			"the compressed records unpack to more than %u times their size",
			MOST_RATIO);
	s->more = out.pos == out.size;
	if (!s->packed_left) {
		s->at += s->padding;
		s->padding = 0;
	}
	return 0;
}

/* How much of a record of type COMPRESSED2 is packed, how much padding. */
static int start_packed2(struct perfdata_stream *s, size_t size)
{
	const uint8_t *p = look(s, HEAD2, "a compressed record");
	uint64_t packed, left = s->end - s->at;

	if (!p)
		return -1;
	packed = spht_get64(p + PERFDATA_HEAD);
	if (s->at < s->chain_end) {
		/* Not the first of a chain: its size is right and its length was never set. */
		if (size < HEAD2 || size > s->chain_end - s->at)
			return span_damaged(s->f, s->at,
					    "a compressed record is longer than perf can say, and "
					    "its parts cannot be told; record with smaller buffers "
					    "(perf record -m)");
		packed = size - HEAD2;
	} else if (size >= HEAD2 && packed <= size - HEAD2 && size <= left) {
		s->padding = size - HEAD2 - packed;
	} else if (packed > left - HEAD2) {
		return span_truncated(s->f, s->at, "a compressed record");
	} else if (packed > PIECE) {
		s->chain_end = s->at + HEAD2 + packed;
		packed = PIECE;
	}
	s->at += HEAD2;
	s->packed_left = packed;
	return 0;
}

static int start_packed(struct perfdata_stream *s, const struct perfdata_record *r)
{
	int rc = 0;

	s->packed_at = s->at;
	if (r->type == PERFDATA_COMPRESSED2) {
		rc = start_packed2(s, r->size);
	} else {
		s->packed_left = r->size - PERFDATA_HEAD;
		s->at += PERFDATA_HEAD;
	}
	if (!s->packed_left) {
		s->at += s->padding;
		s->padding = 0;
	}
	return rc;
}

static void set_record(struct perfdata_record *r, const uint8_t *p, uint64_t offset)
{
	r->p = p;
	r->type = spht_get32(p);
	r->misc = spht_get16(p + 4);
	r->size = spht_get16(p + 6);
	r->offset = offset;
}

static int no_record(const struct perfdata_stream *s, const struct perfdata_record *r)
{
	return span_damaged(s->f, r->offset, "a record of type %u has %zu bytes", r->type, r->size);
}

/* A whole unpacked record: 1, 0 when there is none yet, -1. */
static int next_unpacked(struct perfdata_stream *s, struct perfdata_record *r)
{
	size_t left = s->out_len - s->out_pos;

	if (left < PERFDATA_HEAD)
		return 0;
	set_record(r, s->out + s->out_pos, s->packed_at);
	if (r->size < PERFDATA_HEAD || r->type == PERFDATA_COMPRESSED ||
	    r->type == PERFDATA_COMPRESSED2)
		return no_record(s, r);
	if (r->size > left)
		return 0;
	s->out_pos += r->size;
	return 1;
}

int perfdata_stream_next(struct perfdata_stream *s, struct perfdata_record *r)
{
	for (;;) {
		const uint8_t *p;
		int rc = next_unpacked(s, r);

		if (rc)
			return rc;
		if (s->packed_left || s->more) {
			if (unpack(s))
				return -1;
			continue;
		}
		if (s->at == s->end)
			return 0;
		p = look(s, PERFDATA_HEAD, "a record");
		if (!p)
			return -1;
		set_record(r, p, s->at);
		if (s->at < s->chain_end && r->type != PERFDATA_COMPRESSED2)
			return no_record(s, r);
		if (r->type == PERFDATA_COMPRESSED2 || r->type == PERFDATA_COMPRESSED) {
			if (r->type == PERFDATA_COMPRESSED && r->size < PERFDATA_HEAD)
				return no_record(s, r);
			if (start_packed(s, r))
				return -1;
			continue;
		}
		if (r->size < PERFDATA_HEAD)
			return no_record(s, r);
		r->p = look(s, r->size, "a record");
		if (!r->p)
			return -1;
		s->at += r->size;
		return 1;
	}
}
