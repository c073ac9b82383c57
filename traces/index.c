// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "crc32c.h"
#include "format.h"
#include "index.h"
#include "le.h"

#define HEADER_MIN (SPHT_FRAME_PREFIX + SPHT_HEADER_FIXED)
#define BLOCK_MIN  (SPHT_FRAME_PREFIX + SPHT_BLOCK_HEADER)
#define FOOTER_MIN (SPHT_FRAME_PREFIX + SPHT_FOOTER_FIXED + SPHT_TRAILER)

/* Blocks seen so far, to check the next one against. */
struct order {
	uint64_t offset, seq;
	bool started; /* a block that is not preamble came */
	uint64_t *last_ts; /* by CPU */
};

void spht_index_free(struct spht_index *x)
{
	json_decref(x->header);
	json_decref(x->footer);
	spht_schema_free(x->schema);
	free(x->blocks);
	free(x->payload_crcs);
	memset(x, 0, sizeof(*x));
}

/* What people pass by mistake. */
static const struct {
	const char *bytes;
	size_t len;
	const char *what;
} foreign[] = {
	{"\x1f\x8b", 2, "is a gzip file; unpack it first (gzip -d)"},
	{"\xfd"
	 "7zXZ",
	 5, "is an xz file; unpack it first (xz -d)"},
	{"\x28\xb5\x2f\xfd", 4, "is a plain zstd file; unpack it first (zstd -d)"},
	{"BZh", 3, "is a bzip2 file; unpack it first (bzip2 -d)"},
	{"\x17\x08\x44tracing", 10, "is a trace.dat file; import it with spht-record --import"},
	{"PERFILE2", 8, "is a perf.data file; import it with spht-record --import"},
};

static int read_header(struct spht_index *x, const struct spht_source *src, uint64_t *end,
		       struct spht_error *err)
{
	uint8_t fixed[HEADER_MIN] = {0}, *buf;
	size_t have = src->size < sizeof(fixed) ? (size_t)src->size : sizeof(fixed);
	uint32_t version, len, size;
	json_error_t jerr;

	if (!have) {
		spht_error_set(err, "%s: is empty, not a .spht trace; record it again", src->name);
		return -1;
	}
	if (spht_source_read(src, 0, fixed, have, err))
		return -1;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (have >= foreign[i].len && !memcmp(fixed, foreign[i].bytes, foreign[i].len)) {
			spht_error_set(err, "%s: %s", src->name, foreign[i].what);
			return -1;
		}
	}
	if (have < sizeof(fixed) && have > 4 && spht_get32(fixed) == SPHT_FRAME_HEADER) {
		spht_error_set(err,
			       "%s: offset 0x%zx: the file ends inside its header; copy or "
			       "record it again",
			       src->name, have);
		return -1;
	}
	if (spht_get32(fixed) != SPHT_FRAME_HEADER || memcmp(fixed + 8, SPHT_MAGIC, 8)) {
		spht_error_set(err,
			       "%s: offset 0x0: expected the start of a .spht trace, found "
			       "something else",
			       src->name);
		return -1;
	}
	size = spht_get32(fixed + 4);
	version = spht_get32(fixed + 16);
	len = spht_get32(fixed + 20);
	if (version != SPHT_FORMAT_VERSION) {
		spht_error_set(err,
			       "%s: offset 0x10: format version %u, this program reads "
			       "version %u; use a newer spht",
			       src->name, version, SPHT_FORMAT_VERSION);
		return -1;
	}
	if (len > SPHT_MAX_HEADER || size > SPHT_MAX_HEADER + SPHT_HEADER_FIXED) {
		spht_error_set(err,
			       "%s: offset 0x4: the header claims %u bytes, the limit is %u; "
			       "the file is damaged",
			       src->name, len > size ? len : size, SPHT_MAX_HEADER);
		return -1;
	}
	if (size != SPHT_HEADER_FIXED + len) {
		spht_error_set(err,
			       "%s: offset 0x4: the header's two sizes, %u and %u, do not "
			       "agree; the file is damaged",
			       src->name, size, len);
		return -1;
	}
	*end = HEADER_MIN + (uint64_t)len;
	if (*end > src->size) {
		spht_error_set(err,
			       "%s: offset 0x%llx: the file ends inside its header; copy or "
			       "record it again",
			       src->name, (unsigned long long)src->size);
		return -1;
	}
	buf = malloc(len + 1u);
	if (!buf) {
		spht_error_set(err, "%s: out of memory for a header of %u bytes", src->name, len);
		return -1;
	}
	if (spht_source_read(src, HEADER_MIN, buf, len, err)) {
		free(buf);
		return -1;
	}
	if (spht_crc32c(spht_crc32c(0, fixed, 24), buf, len) != spht_get32(fixed + 24)) {
		spht_error_set(err,
			       "%s: offset 0x0: the header's checksum is wrong; the file is "
			       "damaged",
			       src->name);
		free(buf);
		return -1;
	}
	x->header = json_loadb((const char *)buf, len, JSON_REJECT_DUPLICATES, &jerr);
	free(buf);
	if (!json_is_object(x->header)) {
		spht_error_set(err, "%s: offset 0x1c: the header is no JSON object: %s", src->name,
			       x->header ? "it has another type" : jerr.text);
		return -1;
	}
	x->schema = spht_schema_from_json(json_object_get(x->header, "types"), src->name, err);
	return x->schema ? 0 : -1;
}

static int blocks_reserve(struct spht_index *x, size_t nr)
{
	struct spht_block_info *blocks = realloc(x->blocks, (nr + 1) * sizeof(*blocks));
	uint32_t *crcs;

	if (!blocks)
		return -1;
	x->blocks = blocks;
	crcs = realloc(x->payload_crcs, (nr + 1) * sizeof(*crcs));
	if (!crcs)
		return -1;
	x->payload_crcs = crcs;
	return 0;
}

/* NULL and the block added (there is room), or what is wrong with it where it stands. */
static const char *add_block(struct spht_index *x, struct order *o, uint64_t offset, uint64_t end,
			     const uint8_t *bytes)
{
	struct spht_block_header h;
	const char *wrong = spht_block_header_unpack(&h, bytes);
	const struct spht_block_info *b = &h.info;

	if (wrong)
		return wrong;
	if (offset != o->offset)
		return "a block elsewhere than at the end of the one before";
	if (b->seq != o->seq)
		return "a block out of sequence";
	if (b->preamble && o->started)
		return "a preamble block after the first other block";
	if (b->first_ts < o->last_ts[b->cpu])
		return "a block whose time is before that of its CPU's last block";
	if (offset + BLOCK_MIN + b->comp_size > end)
		return "a block that reaches past the end";
	h.info.offset = offset;
	x->blocks[x->nr_blocks] = h.info;
	x->payload_crcs[x->nr_blocks++] = h.payload_crc;
	o->offset = offset + BLOCK_MIN + b->comp_size;
	o->seq++;
	o->started |= !b->preamble;
	o->last_ts[b->cpu] = b->last_ts;
	return NULL;
}

/* Takes footer bytes apart, whose checksum is right. */
static int parse_footer(struct spht_index *x, const struct spht_source *src, struct order *o,
			const uint8_t *footer, uint64_t offset, uint32_t size,
			struct spht_error *err)
{
	uint32_t len = spht_get32(footer + 8);
	uint64_t nr = spht_get64(footer + 16);
	const uint8_t *entry = footer + SPHT_FRAME_PREFIX + SPHT_FOOTER_FIXED + len;
	const char *wrong = NULL;
	json_error_t jerr;

	if (len > SPHT_MAX_HEADER || len > size - FOOTER_MIN || spht_get32(footer + 12) ||
	    nr != (size - FOOTER_MIN - len) / SPHT_INDEX_ENTRY ||
	    (size - FOOTER_MIN - len) % SPHT_INDEX_ENTRY) {
		spht_error_set(err, "%s: offset 0x%llx: the footer's sizes do not add up",
			       src->name, (unsigned long long)offset);
		return -1;
	}
	x->footer = json_loadb((const char *)footer + SPHT_FRAME_PREFIX + SPHT_FOOTER_FIXED, len,
			       JSON_REJECT_DUPLICATES, &jerr);
	if (!json_is_object(x->footer)) {
		spht_error_set(err, "%s: offset 0x%llx: the footer is no JSON object: %s",
			       src->name, (unsigned long long)offset,
			       x->footer ? "it has another type" : jerr.text);
		return -1;
	}
	if (blocks_reserve(x, nr)) {
		spht_error_set(err, "%s: out of memory for %llu blocks", src->name,
			       (unsigned long long)nr);
		return -1;
	}
	for (uint64_t i = 0; i < nr; i++, entry += SPHT_INDEX_ENTRY) {
		wrong = add_block(x, o, spht_get64(entry), offset, entry + 8);
		if (wrong) {
			spht_error_set(err, "%s: offset 0x%llx: the index lists %s", src->name,
				       (unsigned long long)(offset + (uint64_t)(entry - footer)),
				       wrong);
			return -1;
		}
	}
	if (o->offset != offset) {
		spht_error_set(err,
			       "%s: offset 0x%llx: expected a block that the index lists, "
			       "found none",
			       src->name, (unsigned long long)o->offset);
		return -1;
	}
	return 0;
}

static int read_footer(struct spht_index *x, const struct spht_source *src, struct order *o,
		       struct spht_error *err)
{
	static const char remedy[] = "read what is whole with --partial";
	uint8_t trailer[SPHT_TRAILER], *footer;
	uint64_t offset;
	uint32_t size;
	int ret;

	if (src->size < o->offset + FOOTER_MIN) {
		spht_error_set(err,
			       "%s: offset 0x%llx: the file ends without a footer: it was cut "
			       "off or is being written; %s",
			       src->name, (unsigned long long)src->size, remedy);
		return -1;
	}
	if (spht_source_read(src, src->size - SPHT_TRAILER, trailer, sizeof(trailer), err))
		return -1;
	if (memcmp(trailer + 16, SPHT_END_MAGIC, 8)) {
		spht_error_set(err,
			       "%s: offset 0x%llx: expected the end of a trace: it was cut "
			       "off, is being written, or has more behind it; %s",
			       src->name, (unsigned long long)src->size, remedy);
		return -1;
	}
	offset = spht_get64(trailer);
	size = spht_get32(trailer + 8);
	if (size < FOOTER_MIN || offset < o->offset || offset > src->size ||
	    size != src->size - offset) {
		spht_error_set(err,
			       "%s: offset 0x%llx: the end of the trace points to a footer "
			       "that is not there; %s",
			       src->name, (unsigned long long)(src->size - SPHT_TRAILER), remedy);
		return -1;
	}
	footer = malloc(size);
	if (!footer) {
		spht_error_set(err, "%s: out of memory for a footer of %u bytes", src->name, size);
		return -1;
	}
	ret = spht_source_read(src, offset, footer, size, err);
	if (!ret && (spht_get32(footer) != SPHT_FRAME_FOOTER ||
		     spht_get32(footer + 4) != size - SPHT_FRAME_PREFIX ||
		     spht_crc32c(0, footer, size - 12) != spht_get32(footer + size - 12))) {
		spht_error_set(err,
			       "%s: offset 0x%llx: the footer's checksum is wrong: the file "
			       "is damaged; %s",
			       src->name, (unsigned long long)offset, remedy);
		ret = -1;
	}
	if (!ret)
		ret = parse_footer(x, src, o, footer, offset, size, err);
	free(footer);
	return ret;
}

/* Finds blocks one behind the other, up to the first that is not whole. */
static int scan(struct spht_index *x, const struct spht_source *src, struct order *o,
		struct spht_error *err)
{
	uint8_t bytes[BLOCK_MIN];

	while (src->size - o->offset >= sizeof(bytes)) {
		if (spht_source_read(src, o->offset, bytes, sizeof(bytes), err))
			return -1;
		/* Growing by halves would need the capacity kept; this is the rare way. */
		if (!(x->nr_blocks & (x->nr_blocks + 1)) &&
		    blocks_reserve(x, 2 * x->nr_blocks + 2)) {
			spht_error_set(err, "%s: out of memory for %zu blocks", src->name,
				       2 * x->nr_blocks);
			return -1;
		}
		if (spht_get32(bytes) != SPHT_FRAME_BLOCK ||
		    spht_get32(bytes + 4) != SPHT_BLOCK_HEADER ||
		    add_block(x, o, o->offset, src->size, bytes + SPHT_FRAME_PREFIX))
			break;
	}
	return 0;
}

int spht_index_read(struct spht_index *x, const struct spht_source *src, bool partial,
		    struct spht_error *err)
{
	struct order o = {0};
	uint64_t start;
	int ret;

	memset(x, 0, sizeof(*x));
	if (read_header(x, src, &start, err))
		return -1;
	o.last_ts = calloc(SPHT_MAX_CPUS, sizeof(*o.last_ts));
	if (!o.last_ts) {
		spht_error_set(err, "%s: out of memory", src->name);
		return -1;
	}
	o.offset = start;
	ret = read_footer(x, src, &o, err);
	x->complete = !ret;
	if (ret && partial) {
		json_decref(x->footer);
		x->footer = NULL;
		x->nr_blocks = 0;
		memset(o.last_ts, 0, SPHT_MAX_CPUS * sizeof(*o.last_ts));
		o = (struct order){.offset = start, .last_ts = o.last_ts};
		ret = scan(x, src, &o, err);
	}
	free(o.last_ts);
	return ret;
}
