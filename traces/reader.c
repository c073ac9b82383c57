// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <zstd.h>

#include "codec.h"
#include "crc32c.h"
#include "format.h"
#include "index.h"
#include "sha256.h"

#define BATCH      64u /* events decoded at a time: few enough to stay in the first-level cache */
#define NO_TYPE    UINT8_MAX /* spht_event.type of SPHT_EV_LOST */
#define HASH_CHUNK (256u << 10)

/* Where one CPU's stream stands. */
struct cursor {
	uint64_t ts; /* of the next event, or a lower bound until its block is open */
	uint32_t cpu;
	uint32_t at, nr; /* next row to return, and number of decoded rows */
	size_t next, end; /* its blocks that are still to come, in spht_reader.order */
	bool in_block; /* the decoder holds one */
	bool end_told; /* that the file ends too early for this CPU has been returned */
	bool lost_told; /* block `next`: what was lost before it has been returned */
	struct spht_decoder *decoder;
	uint8_t *raw;
	size_t raw_cap;
	struct spht_block_info block; /* being decoded */
	uint32_t told; /* events of it that were returned or are in rows */
	struct spht_event *rows;
};

struct spht_reader {
	struct spht_source src;
	struct spht_index index;
	bool partial, complete;
	size_t *order; /* block numbers: first preamble, then the rest; by CPU, then in file order */
	size_t order_split; /* first that is not preamble */
	size_t grouped; /* first entry of order that has no cursor yet */
	struct cursor **heap; /* earliest first; heap[0] is the one being read */
	size_t nr_heap;
	struct cursor *cursors; /* of the phase at hand */
	size_t nr_cursors;
	uint64_t bound_ts; /* heap[0] may go on while it is before this */
	uint32_t bound_cpu;
	struct spht_event *row, *rows_end; /* of heap[0], those that are known to come next */
	ZSTD_DCtx *dctx;
	uint8_t *comp;
	size_t comp_cap;
	struct spht_error failed; /* the error that ended it */
	bool has_failed;
};

static bool before(const struct cursor *a, const struct cursor *b)
{
	return a->ts != b->ts ? a->ts < b->ts : a->cpu < b->cpu;
}

static void sift_down(struct spht_reader *r, size_t i)
{
	for (;;) {
		size_t child = 2 * i + 1;
		struct cursor *tmp = r->heap[i];

		if (child >= r->nr_heap)
			return;
		if (child + 1 < r->nr_heap && before(r->heap[child + 1], r->heap[child]))
			child++;
		if (!before(r->heap[child], tmp))
			return;
		r->heap[i] = r->heap[child];
		r->heap[child] = tmp;
		i = child;
	}
}

static void set_bound(struct spht_reader *r)
{
	const struct cursor *next = r->nr_heap > 1 ? r->heap[1] : NULL;

	if (r->nr_heap > 2 && before(r->heap[2], next))
		next = r->heap[2];
	r->bound_ts = next ? next->ts : UINT64_MAX;
	r->bound_cpu = next ? next->cpu : UINT32_MAX;
}

static void cursor_free(struct cursor *c)
{
	spht_decoder_free(c->decoder);
	free(c->raw);
	free(c->rows);
	c->decoder = NULL;
	c->raw = NULL;
	c->rows = NULL;
}

static void cursors_free(struct spht_reader *r)
{
	for (size_t i = 0; i < r->nr_cursors; i++)
		cursor_free(&r->cursors[i]);
	free(r->cursors);
	free(r->heap);
	r->cursors = NULL;
	r->heap = NULL;
	r->nr_cursors = r->nr_heap = 0;
}

void spht_reader_close(struct spht_reader *r)
{
	if (!r)
		return;
	cursors_free(r);
	free(r->order);
	free(r->comp);
	ZSTD_freeDCtx(r->dctx);
	spht_index_free(&r->index);
	spht_source_close(&r->src);
	free(r);
}

/* Blocks by phase and CPU.  Counting sort, which keeps the file's order. */
static int order_blocks(struct spht_reader *r)
{
	size_t nr = r->index.nr_blocks, at = 0;
	size_t *start = calloc(2 * (size_t)SPHT_MAX_CPUS, sizeof(*start));

	r->order = calloc(nr + 1, sizeof(*r->order));
	if (!r->order || !start) {
		free(start);
		return -1;
	}
	for (size_t i = 0; i < nr; i++) {
		const struct spht_block_info *b = &r->index.blocks[i];

		start[b->cpu + (b->preamble ? 0 : SPHT_MAX_CPUS)]++;
		r->order_split += b->preamble;
	}
	for (size_t i = 0; i < 2 * (size_t)SPHT_MAX_CPUS; i++) {
		size_t n = start[i];

		start[i] = at;
		at += n;
	}
	for (size_t i = 0; i < nr; i++) {
		const struct spht_block_info *b = &r->index.blocks[i];

		r->order[start[b->cpu + (b->preamble ? 0 : SPHT_MAX_CPUS)]++] = i;
	}
	free(start);
	return 0;
}

/* Cursors for the blocks of the next phase; 0 when there is none, 1, or -1 without memory. */
static int start_phase(struct spht_reader *r)
{
	size_t from = r->grouped;
	size_t to = from < r->order_split ? r->order_split : r->index.nr_blocks, nr = 0;

	cursors_free(r);
	if (from == to)
		return 0;
	for (size_t i = from; i < to; i++)
		nr += i == from ||
		      r->index.blocks[r->order[i]].cpu != r->index.blocks[r->order[i - 1]].cpu;
	r->cursors = calloc(nr, sizeof(*r->cursors));
	r->heap = calloc(nr, sizeof(*r->heap));
	if (!r->cursors || !r->heap)
		return -1;
	for (size_t i = from; i < to; i++) {
		const struct spht_block_info *b = &r->index.blocks[r->order[i]];

		if (i == from || b->cpu != r->index.blocks[r->order[i - 1]].cpu) {
			struct cursor *c = &r->cursors[r->nr_cursors];

			c->cpu = b->cpu;
			c->ts = b->first_ts;
			c->next = i;
			r->heap[r->nr_cursors++] = c;
		}
		r->cursors[r->nr_cursors - 1].end = i + 1;
	}
	r->grouped = to;
	r->nr_heap = nr;
	for (size_t i = nr; i-- > 0;)
		sift_down(r, i);
	set_bound(r);
	return 1;
}

struct spht_reader *spht_reader_open(const char *path, unsigned int flags, struct spht_error *err)
{
	struct spht_reader *r = calloc(1, sizeof(*r));

	if (!r) {
		spht_error_set(err, "%s: out of memory", path);
		return NULL;
	}
	r->partial = flags & SPHT_READ_PARTIAL;
	if (spht_source_open(&r->src, path, err) ||
	    spht_index_read(&r->index, &r->src, r->partial, err))
		goto fail;
	r->complete = r->index.complete;
	r->dctx = ZSTD_createDCtx();
	if (!r->dctx || order_blocks(r) || start_phase(r) < 0) {
		spht_error_set(err, "%s: out of memory for %zu blocks", path, r->index.nr_blocks);
		goto fail;
	}
	return r;
fail:
	spht_reader_close(r);
	return NULL;
}

static int grow(uint8_t **buf, size_t *cap, size_t need)
{
	uint8_t *p;

	if (need <= *cap)
		return 0;
	p = realloc(*buf, need);
	if (!p)
		return -1;
	*buf = p;
	*cap = need;
	return 0;
}

/* Reads, checks and unpacks block @nr into @c.  -1 with @err set, -2 without memory. */
static int load_block(struct spht_reader *r, struct cursor *c, size_t nr, struct spht_error *err)
{
	const size_t fixed = SPHT_FRAME_PREFIX + SPHT_BLOCK_HEADER;
	const struct spht_block_info *b = &r->index.blocks[nr];
	struct spht_block_header h = {*b, r->index.payload_crcs[nr]};
	uint8_t want[SPHT_FRAME_PREFIX + SPHT_BLOCK_HEADER];
	unsigned long long offset = b->offset;
	const char *name = r->src.name, *wrong;
	const uint8_t *frame;
	size_t got;

	if (!c->decoder)
		c->decoder = spht_decoder_new(r->index.schema);
	if (!c->rows)
		c->rows = calloc(BATCH, sizeof(*c->rows));
	if (!c->decoder || !c->rows || grow(&r->comp, &r->comp_cap, fixed + b->comp_size) ||
	    grow(&c->raw, &c->raw_cap, b->raw_size + (size_t)SPHT_RAW_SLACK)) {
		spht_error_set(err, "%s: offset 0x%llx: out of memory for a block of %u bytes",
			       name, offset, b->raw_size);
		return -2;
	}
	if (spht_source_read(&r->src, b->offset, r->comp, fixed + b->comp_size, err))
		return -1;
	spht_put32(want, SPHT_FRAME_BLOCK);
	spht_put32(want + 4, SPHT_BLOCK_HEADER);
	spht_block_header_pack(&h, want + SPHT_FRAME_PREFIX);
	if (memcmp(r->comp, want, fixed)) {
		spht_error_set(err,
			       "%s: offset 0x%llx: expected the header of block %zu as the "
			       "index has it; the file is damaged",
			       name, offset, nr);
		return -1;
	}
	frame = r->comp + fixed;
	if (spht_crc32c(0, frame, b->comp_size) != h.payload_crc) {
		spht_error_set(err,
			       "%s: offset 0x%llx: the checksum of block %zu is wrong; the "
			       "file is damaged",
			       name, offset + fixed, nr);
		return -1;
	}
	/* One frame of the announced size: nothing may hide behind it. */
	if (ZSTD_findFrameCompressedSize(frame, b->comp_size) != b->comp_size ||
	    ZSTD_getFrameContentSize(frame, b->comp_size) != b->raw_size) {
		spht_error_set(err,
			       "%s: offset 0x%llx: block %zu is not one zstd frame of %u "
			       "bytes",
			       name, offset + fixed, nr, b->raw_size);
		return -1;
	}
	got = ZSTD_decompressDCtx(r->dctx, c->raw, b->raw_size, frame, b->comp_size);
	if (got != b->raw_size) {
		spht_error_set(err, "%s: offset 0x%llx: block %zu cannot be unpacked: %s", name,
			       offset + fixed, nr,
			       ZSTD_isError(got) ? ZSTD_getErrorName(got) : "it is shorter");
		return -1;
	}
	memset(c->raw + b->raw_size, 0, SPHT_RAW_SLACK);
	wrong = spht_decoder_open(c->decoder,
				  &(struct spht_block){c->raw, b->raw_size, b->nr_events, b->cpu,
						       b->first_ts, b->last_ts, b->preamble});
	if (wrong == spht_decoder_no_memory) {
		spht_error_set(err, "%s: offset 0x%llx: out of memory to decode block %zu", name,
			       offset, nr);
		return -2;
	}
	if (wrong) {
		spht_error_set(err, "%s: offset 0x%llx: block %zu has %s; its writer was broken",
			       name, offset + fixed, nr, wrong);
		return -1;
	}
	return 0;
}

static void put_lost(struct cursor *c, uint64_t ts, uint64_t count, bool preamble)
{
	struct spht_event *ev = &c->rows[0];

	memset(ev, 0, sizeof(*ev));
	ev->ts = ts;
	ev->cpu = (uint16_t)c->cpu;
	ev->id = SPHT_EV_LOST;
	ev->type = NO_TYPE;
	ev->preamble = preamble;
	ev->v[0] = count;
	c->at = 0;
	c->nr = 1;
}

/* With SPHT_READ_PARTIAL, events that cannot be read are lost events. */
static int give_up_block(struct spht_reader *r, struct cursor *c, uint64_t ts)
{
	if (!r->partial || !c->rows)
		return -1;
	r->complete = false;
	c->in_block = false;
	put_lost(c, ts, c->block.nr_events - c->told, c->block.preamble);
	return 1;
}

/*
 * A file that was cut off ends at another time on each CPU.  While others go
 * on, this one lacks events, nobody knows how many: a hole, never silence.
 */
static int missing_end(const struct spht_reader *r, struct cursor *c)
{
	if (r->index.complete || c->end_told || r->nr_heap < 2 || !c->rows || c->block.preamble)
		return 0;
	c->end_told = true;
	put_lost(c, c->block.last_ts, SPHT_LOST_UNKNOWN, false);
	return 1;
}

/* Fills the rows of @c.  1, 0 at the end of its blocks, -1 with @err set. */
static int refill(struct spht_reader *r, struct cursor *c, struct spht_error *err)
{
	for (;;) {
		uint64_t reached;
		int n;

		if (!c->in_block) {
			size_t nr;
			int ret;

			if (c->next == c->end)
				return missing_end(r, c);
			nr = r->order[c->next];
			c->block = r->index.blocks[nr];
			if (!c->rows)
				c->rows = calloc(BATCH, sizeof(*c->rows));
			if (c->block.lost_before && !c->lost_told && c->rows) {
				c->lost_told = true;
				put_lost(c, c->block.first_ts, c->block.lost_before,
					 c->block.preamble);
				return 1;
			}
			c->lost_told = false;
			c->next++;
			c->told = 0;
			ret = load_block(r, c, nr, err);
			/* A lack of memory is no damage. */
			if (ret)
				return ret == -2 ? -1 : give_up_block(r, c, c->block.first_ts);
			c->in_block = true;
		}
		/* What cannot be decoded overwrites the rows before it. */
		reached = c->told ? c->rows[c->nr - 1].ts : c->block.first_ts;
		n = spht_decoder_next(c->decoder, c->rows, BATCH);
		if (n < 0) {
			spht_error_set(err,
				       "%s: offset 0x%llx: the times in the block do not end "
				       "at the time its header gives; its writer was broken",
				       r->src.name, (unsigned long long)c->block.offset);
			return give_up_block(r, c, reached);
		}
		c->at = 0;
		c->nr = (uint32_t)n;
		c->told += (uint32_t)n;
		if (n)
			return 1;
		c->in_block = false;
	}
}

/* Offers the rows of heap[0] that come before all others; there is at least one. */
static void offer_rows(struct spht_reader *r)
{
	struct cursor *c = r->heap[0];
	uint32_t from = c->at++;

	if (c->rows[c->nr - 1].ts < r->bound_ts)
		c->at = c->nr;
	while (c->at < c->nr && c->rows[c->at].ts < r->bound_ts)
		c->at++;
	r->row = c->rows + from;
	r->rows_end = c->rows + c->at;
}

/* Brings the earliest event to r->row.  1, 0 at the end, -1 with @err set. */
static int find_next(struct spht_reader *r, struct spht_error *err)
{
	for (;;) {
		struct cursor *c;

		if (!r->nr_heap) {
			int more = start_phase(r);

			if (more < 0)
				spht_error_set(err, "%s: out of memory", r->src.name);
			if (more <= 0)
				return more;
		}
		c = r->heap[0];
		if (c->at == c->nr) {
			int more = refill(r, c, err);

			if (more < 0)
				return -1;
			if (!more) {
				cursor_free(c);
				r->heap[0] = r->heap[--r->nr_heap];
				sift_down(r, 0);
				set_bound(r);
				continue;
			}
		}
		c->ts = c->rows[c->at].ts;
		if (c->ts < r->bound_ts || (c->ts == r->bound_ts && c->cpu <= r->bound_cpu)) {
			offer_rows(r);
			return 1;
		}
		sift_down(r, 0);
		set_bound(r);
	}
}

/* spht_reader_next() where no row is at hand. */
static __attribute__((noinline)) int next_rows(struct spht_reader *r, const struct spht_event **ev,
					       struct spht_error *err)
{
	int ret = r->has_failed ? -1 : find_next(r, &r->failed);

	if (ret > 0) {
		*ev = r->row++;
		return 1;
	}
	r->row = r->rows_end = NULL;
	r->has_failed = ret < 0;
	if (ret < 0)
		spht_error_set(err, "%s", r->failed.text);
	return ret;
}

int spht_reader_next(struct spht_reader *r, const struct spht_event **ev, struct spht_error *err)
{
	struct spht_event *row = r->row;

	if (__builtin_expect(row == r->rows_end, 0))
		return next_rows(r, ev, err);
	r->row = row + 1;
	*ev = row;
	return 1;
}

int spht_reader_rows(struct spht_reader *r, const struct spht_event **rows, size_t *nr,
		     struct spht_error *err)
{
	int ret = spht_reader_next(r, rows, err);

	if (ret <= 0)
		return ret;
	*nr = (size_t)(r->rows_end - *rows);
	r->row = r->rows_end;
	return 1;
}

const json_t *spht_reader_header(const struct spht_reader *r)
{
	return r->index.header;
}

const json_t *spht_reader_footer(const struct spht_reader *r)
{
	return r->index.footer;
}

const struct spht_event_type *spht_reader_types(const struct spht_reader *r, unsigned int *nr)
{
	*nr = r->index.schema->nr_types;
	return r->index.schema->types;
}

const struct spht_block_info *spht_reader_blocks(const struct spht_reader *r, size_t *nr)
{
	*nr = r->index.nr_blocks;
	return r->index.blocks;
}

bool spht_reader_complete(const struct spht_reader *r)
{
	return r->complete;
}

int spht_reader_sha256(struct spht_reader *r, char hex[65], struct spht_error *err)
{
	uint8_t *buf = malloc(HASH_CHUNK);
	struct spht_sha256 sha;

	if (!buf) {
		spht_error_set(err, "%s: out of memory", r->src.name);
		return -1;
	}
	spht_sha256_init(&sha);
	for (uint64_t at = 0; at < r->src.size; at += HASH_CHUNK) {
		size_t n = r->src.size - at < HASH_CHUNK ? (size_t)(r->src.size - at) : HASH_CHUNK;

		if (spht_source_read(&r->src, at, buf, n, err)) {
			free(buf);
			return -1;
		}
		spht_sha256_update(&sha, buf, n);
	}
	spht_sha256_final(&sha, hex);
	free(buf);
	return 0;
}
