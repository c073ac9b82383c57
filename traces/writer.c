// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "codec.h"
#include "crc32c.h"
#include "format.h"

struct cpu {
	struct spht_encoder *encoder; /* NULL until the CPU's first event */
	uint64_t last_ts;
	uint64_t lost; /* before the block being filled */
	uint64_t lost_total;
	uint64_t events;
	bool seen;
};

struct spht_writer {
	char *path;
	int fd;
	bool created; /* remove on abort */
	uint64_t offset;
	struct spht_schema *schema;
	struct cpu *cpus; /* up to the highest CPU seen */
	unsigned int nr_cpus;
	bool started; /* an event that is not preamble was written */
	uint64_t nr_preamble, *nr_by_type;
	ZSTD_CCtx *cctx;
	struct spht_bytes raw, cuts, comp;
	struct spht_bytes index;
	uint64_t nr_blocks;
};

static int no_memory(const struct spht_writer *w, struct spht_error *err)
{
	spht_error_set(err, "%s: out of memory while writing", w->path);
	return -1;
}

static int write_all(struct spht_writer *w, const void *data, size_t len, struct spht_error *err)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = write(w->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			spht_error_set(err, "%s: offset 0x%llx: cannot write: %s", w->path,
				       (unsigned long long)w->offset,
				       n < 0 ? strerror(errno) : "the device takes no more");
			return -1;
		}
		p += n;
		len -= (size_t)n;
		w->offset += (uint64_t)n;
	}
	return 0;
}

/* "0x..." strings: JSON integers are signed, and doubles to many readers. */
static json_t *json_hex(uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v);
	return json_string(text);
}

static int write_header(struct spht_writer *w, const json_t *header, struct spht_error *err)
{
	json_t *all = header ? json_copy((json_t *)header) : json_object();
	char *text = NULL;
	uint8_t *frame = NULL;
	size_t len;
	int ret = -1;

	if (!all || json_object_set_new(all, "format_version", json_integer(SPHT_FORMAT_VERSION)) ||
	    json_object_set_new(all, "types", spht_schema_to_json(w->schema))) {
		spht_error_set(err, "%s: the header is no JSON object, or memory is short",
			       w->path);
		goto out;
	}
	text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
	len = text ? strlen(text) : 0;
	frame = malloc(SPHT_FRAME_PREFIX + SPHT_HEADER_FIXED + len);
	if (!text || !frame) {
		no_memory(w, err);
		goto out;
	}
	if (len > SPHT_MAX_HEADER) {
		spht_error_set(err, "%s: the header would have %zu bytes of JSON, the limit is %u",
			       w->path, len, SPHT_MAX_HEADER);
		goto out;
	}
	spht_put32(frame, SPHT_FRAME_HEADER);
	spht_put32(frame + 4, (uint32_t)(SPHT_HEADER_FIXED + len));
	memcpy(frame + 8, SPHT_MAGIC, 8);
	spht_put32(frame + 16, SPHT_FORMAT_VERSION);
	spht_put32(frame + 20, (uint32_t)len);
	spht_put32(frame + 24, spht_crc32c(spht_crc32c(0, frame, 24), text, len));
	memcpy(frame + 28, text, len);
	ret = write_all(w, frame, 28 + len, err);
out:
	json_decref(all);
	free(text);
	free(frame);
	return ret;
}

struct spht_writer *spht_writer_open(const char *path, unsigned int flags, const json_t *header,
				     const struct spht_event_type *types, unsigned int nr_types,
				     int zstd_level, struct spht_error *err)
{
	int how = flags & SPHT_WRITE_OVERWRITE ? O_TRUNC : O_EXCL;
	struct spht_writer *w = calloc(1, sizeof(*w));

	if (w) {
		w->fd = -1;
		w->path = strdup(path);
		w->nr_by_type = calloc(nr_types + 1, sizeof(*w->nr_by_type));
		w->cctx = ZSTD_createCCtx();
	}
	if (!w || !w->path || !w->nr_by_type || !w->cctx) {
		spht_error_set(err, "%s: out of memory", path);
		goto fail;
	}
	if (zstd_level < ZSTD_minCLevel() || zstd_level > ZSTD_maxCLevel()) {
		spht_error_set(err, "%s: compression level %d is outside %d to %d", path,
			       zstd_level, ZSTD_minCLevel(), ZSTD_maxCLevel());
		goto fail;
	}
	if (ZSTD_isError(ZSTD_CCtx_setParameter(w->cctx, ZSTD_c_compressionLevel, zstd_level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(w->cctx, ZSTD_c_checksumFlag, 1)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(w->cctx, ZSTD_c_contentSizeFlag, 1))) {
		spht_error_set(err, "%s: this libzstd refuses level %d with checksums", path,
			       zstd_level);
		goto fail;
	}
	w->schema = spht_schema_new(types, nr_types, err);
	if (!w->schema)
		goto fail;
	w->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0666);
	if (w->fd < 0) {
		spht_error_set(err, "%s: cannot create: %s%s", path, strerror(errno),
			       errno == EEXIST ? "; remove it or ask to overwrite it" : "");
		goto fail;
	}
	w->created = true;
	if (write_header(w, header, err))
		goto fail;
	return w;
fail:
	spht_writer_abort(w);
	return NULL;
}

static struct cpu *get_cpu(struct spht_writer *w, unsigned int cpu, struct spht_error *err)
{
	if (cpu >= SPHT_MAX_CPUS) {
		spht_error_set(err, "%s: CPU %u: a trace holds CPUs 0 to %u", w->path, cpu,
			       SPHT_MAX_CPUS - 1);
		return NULL;
	}
	if (cpu >= w->nr_cpus) {
		struct cpu *cpus = realloc(w->cpus, (cpu + 1) * sizeof(*cpus));

		if (!cpus) {
			no_memory(w, err);
			return NULL;
		}
		memset(cpus + w->nr_cpus, 0, (cpu + 1 - w->nr_cpus) * sizeof(*cpus));
		w->cpus = cpus;
		w->nr_cpus = cpu + 1;
	}
	return &w->cpus[cpu];
}

/*
 * One zstd frame of w->raw in w->comp behind @room bytes.  Columns start new
 * zstd blocks, because an entropy table shared by two columns fits neither.
 */
static int compress_raw(struct spht_writer *w, size_t room, struct spht_error *err)
{
	size_t bound = ZSTD_compressBound(w->raw.len) + 16 * (w->cuts.len / 4 + 1), ret;
	ZSTD_inBuffer in = {w->raw.buf, 0, 0};
	ZSTD_outBuffer out;

	w->comp.len = 0;
	if (spht_bytes_reserve(&w->comp, room + bound))
		return no_memory(w, err);
	out = (ZSTD_outBuffer){w->comp.buf + room, bound, 0};
	ret = ZSTD_CCtx_reset(w->cctx, ZSTD_reset_session_only);
	if (!ZSTD_isError(ret))
		ret = ZSTD_CCtx_setPledgedSrcSize(w->cctx, w->raw.len);
	for (size_t i = 0; !ZSTD_isError(ret) && i <= w->cuts.len; i += sizeof(uint32_t)) {
		bool last = i == w->cuts.len;
		uint32_t cut = (uint32_t)w->raw.len;

		if (!last)
			memcpy(&cut, w->cuts.buf + i, sizeof(cut));
		if (!last && cut <= in.size)
			continue;
		in.size = cut;
		do {
			ret = ZSTD_compressStream2(w->cctx, &out, &in,
						   last ? ZSTD_e_end : ZSTD_e_flush);
		} while (!ZSTD_isError(ret) && ret);
	}
	if (ZSTD_isError(ret)) {
		spht_error_set(err, "%s: zstd: %s", w->path, ZSTD_getErrorName(ret));
		return -1;
	}
	w->comp.len = room + out.pos;
	return 0;
}

/* Writes the CPU's open block: its events, or only that some were lost. */
static int flush_cpu(struct spht_writer *w, unsigned int cpu, bool preamble, struct spht_error *err)
{
	const size_t room = SPHT_FRAME_PREFIX + SPHT_BLOCK_HEADER;
	struct cpu *c = &w->cpus[cpu];
	struct spht_block_header h = {0};
	uint8_t *header;

	if (!c->encoder)
		c->encoder = spht_encoder_new(w->schema);
	if (!c->encoder)
		return no_memory(w, err);
	h.info.offset = w->offset;
	h.info.seq = w->nr_blocks;
	h.info.cpu = cpu;
	h.info.preamble = preamble;
	h.info.lost_before = c->lost;
	h.info.nr_events = spht_encoder_count(c->encoder);
	h.info.first_ts = h.info.nr_events ? spht_encoder_first_ts(c->encoder) : c->last_ts;
	h.info.last_ts = c->last_ts;
	if (spht_encoder_finish(c->encoder, &w->raw, &w->cuts))
		return no_memory(w, err);
	if (compress_raw(w, room, err))
		return -1;
	if (w->raw.len > SPHT_MAX_BLOCK || w->comp.len - room > SPHT_MAX_BLOCK) {
		spht_error_set(err, "%s: a block of %zu bytes is above the limit of %u", w->path,
			       w->raw.len, SPHT_MAX_BLOCK);
		return -1;
	}
	h.info.raw_size = (uint32_t)w->raw.len;
	h.info.comp_size = (uint32_t)(w->comp.len - room);
	h.payload_crc = spht_crc32c(0, w->comp.buf + room, w->comp.len - room);
	spht_put32(w->comp.buf, SPHT_FRAME_BLOCK);
	spht_put32(w->comp.buf + 4, SPHT_BLOCK_HEADER);
	header = w->comp.buf + SPHT_FRAME_PREFIX;
	spht_block_header_pack(&h, header);
	if (spht_bytes_reserve(&w->index, SPHT_INDEX_ENTRY))
		return no_memory(w, err);
	spht_put64(w->index.buf + w->index.len, w->offset);
	memcpy(w->index.buf + w->index.len + 8, header, SPHT_BLOCK_HEADER);
	w->index.len += SPHT_INDEX_ENTRY;
	w->nr_blocks++;
	c->lost = 0;
	return write_all(w, w->comp.buf, w->comp.len, err);
}

static bool has_events(const struct cpu *c)
{
	return c->encoder && spht_encoder_count(c->encoder);
}

int spht_writer_flush(struct spht_writer *w, struct spht_error *err)
{
	for (unsigned int cpu = 0; cpu < w->nr_cpus; cpu++)
		if (has_events(&w->cpus[cpu]) && flush_cpu(w, cpu, !w->started, err))
			return -1;
	return 0;
}

int spht_writer_append(struct spht_writer *w, const struct spht_event *ev, struct spht_error *err)
{
	struct cpu *c = ev->cpu < w->nr_cpus ? &w->cpus[ev->cpu] : get_cpu(w, ev->cpu, err);

	if (!c)
		return -1;
	if (ev->type >= w->schema->nr_types) {
		spht_error_set(err, "%s: event type %u of %u", w->path, ev->type,
			       w->schema->nr_types);
		return -1;
	}
	if (c->seen && ev->ts < c->last_ts) {
		spht_error_set(err,
			       "%s: CPU %u: time runs backwards from %llu to %llu ns; events of a "
			       "CPU must be sorted",
			       w->path, ev->cpu, (unsigned long long)c->last_ts,
			       (unsigned long long)ev->ts);
		return -1;
	}
	if (ev->preamble && w->started) {
		spht_error_set(err, "%s: a preamble event after the first event of the trace",
			       w->path);
		return -1;
	}
	if (!ev->preamble && !w->started) {
		if (spht_writer_flush(w, err))
			return -1;
		w->started = true;
	}
	if (!c->encoder) {
		c->encoder = spht_encoder_new(w->schema);
		if (!c->encoder)
			return no_memory(w, err);
	}
	if (spht_encoder_add(c->encoder, ev))
		return no_memory(w, err);
	c->seen = true;
	c->last_ts = ev->ts;
	c->events++;
	w->nr_by_type[ev->type]++;
	w->nr_preamble += ev->preamble;
	if (spht_encoder_count(c->encoder) >= SPHT_BLOCK_EVENTS ||
	    spht_encoder_bytes(c->encoder) > SPHT_MAX_BLOCK / 2)
		return flush_cpu(w, ev->cpu, ev->preamble, err);
	return 0;
}

static uint64_t lost_add(uint64_t a, uint64_t b)
{
	if (a == SPHT_LOST_UNKNOWN || b == SPHT_LOST_UNKNOWN)
		return SPHT_LOST_UNKNOWN;
	return a + b < a ? SPHT_LOST_UNKNOWN : a + b;
}

int spht_writer_lost(struct spht_writer *w, unsigned int cpu, uint64_t count,
		     struct spht_error *err)
{
	struct cpu *c = get_cpu(w, cpu, err);

	if (!c)
		return -1;
	if (!count)
		return 0;
	if (has_events(c) && flush_cpu(w, cpu, !w->started, err))
		return -1;
	c->lost = lost_add(c->lost, count);
	c->lost_total = lost_add(c->lost_total, count);
	return 0;
}

static json_t *footer_json(const struct spht_writer *w, const struct spht_ledger *ledger,
			   unsigned int nr_cpus, const json_t *extra)
{
	json_t *all = extra ? json_copy((json_t *)extra) : json_object();
	json_t *cpus = json_array(), *types = json_array();
	unsigned int nr = nr_cpus > w->nr_cpus ? nr_cpus : w->nr_cpus;
	int bad = !all || !cpus || !types;

	for (unsigned int i = 0; !bad && i < nr; i++) {
		const struct cpu *c = i < w->nr_cpus ? &w->cpus[i] : &(const struct cpu){0};
		const struct spht_ledger *l = ledger && i < nr_cpus ? &ledger[i] : NULL;
		json_t *cpu = json_pack("{s:i, s:o, s:o}", "cpu", (int)i, "events",
					json_hex(c->events), "lost", json_hex(c->lost_total));

		bad |= !cpu;
		if (cpu && l && l->known) {
			bad |= json_object_set_new(cpu, "written", json_hex(l->written));
			bad |= json_object_set_new(cpu, "overrun", json_hex(l->overrun));
			bad |= json_object_set_new(cpu, "dropped", json_hex(l->dropped));
			bad |= json_object_set_new(cpu, "commit_overrun",
						   json_hex(l->commit_overrun));
			bad |= json_object_set_new(cpu, "read", json_hex(l->read));
		}
		bad |= json_array_append_new(cpus, cpu);
	}
	for (unsigned int i = 0; !bad && i < w->schema->nr_types; i++)
		bad |= json_array_append_new(types, json_hex(w->nr_by_type[i]));
	if (!bad) {
		bad |= json_object_set(all, "cpus", cpus);
		bad |= json_object_set(all, "events_by_type", types);
		bad |= json_object_set_new(all, "preamble", json_hex(w->nr_preamble));
	}
	json_decref(cpus);
	json_decref(types);
	if (bad) {
		json_decref(all);
		return NULL;
	}
	return all;
}

static int write_footer(struct spht_writer *w, const struct spht_ledger *ledger,
			unsigned int nr_cpus, const json_t *extra, struct spht_error *err)
{
	json_t *all = footer_json(w, ledger, nr_cpus, extra);
	char *text = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	size_t len = text ? strlen(text) : 0;
	uint64_t size = SPHT_FOOTER_FIXED + (uint64_t)len + w->index.len + SPHT_TRAILER;
	uint64_t offset = w->offset;
	uint8_t *frame = NULL, *p;
	int ret = -1;

	if (len > SPHT_MAX_HEADER || size > UINT32_MAX) {
		spht_error_set(err,
			       "%s: a footer of %llu bytes is above the limit; write fewer "
			       "and larger blocks",
			       w->path, (unsigned long long)size);
		goto out;
	}
	if (text)
		frame = malloc(SPHT_FRAME_PREFIX + size);
	if (!frame) {
		no_memory(w, err);
		goto out;
	}
	spht_put32(frame, SPHT_FRAME_FOOTER);
	spht_put32(frame + 4, (uint32_t)size);
	spht_put32(frame + 8, (uint32_t)len);
	spht_put32(frame + 12, 0);
	spht_put64(frame + 16, w->nr_blocks);
	p = frame + SPHT_FRAME_PREFIX + SPHT_FOOTER_FIXED;
	memcpy(p, text, len);
	p += len;
	if (w->index.len)
		memcpy(p, w->index.buf, w->index.len);
	p += w->index.len;
	spht_put64(p, offset);
	spht_put32(p + 8, (uint32_t)(SPHT_FRAME_PREFIX + size));
	spht_put32(p + 12, spht_crc32c(0, frame, (size_t)(p + 12 - frame)));
	memcpy(p + 16, SPHT_END_MAGIC, 8);
	ret = write_all(w, frame, SPHT_FRAME_PREFIX + size, err);
out:
	json_decref(all);
	free(text);
	free(frame);
	return ret;
}

static void writer_free(struct spht_writer *w)
{
	for (unsigned int i = 0; i < w->nr_cpus; i++)
		spht_encoder_free(w->cpus[i].encoder);
	free(w->cpus);
	spht_schema_free(w->schema);
	ZSTD_freeCCtx(w->cctx);
	free(w->raw.buf);
	free(w->cuts.buf);
	free(w->comp.buf);
	free(w->index.buf);
	free(w->nr_by_type);
	free(w->path);
	free(w);
}

/* Losses at the end of the recording, which no event follows. */
static int flush_losses(struct spht_writer *w, struct spht_error *err)
{
	for (unsigned int cpu = 0; cpu < w->nr_cpus; cpu++)
		if (w->cpus[cpu].lost && flush_cpu(w, cpu, false, err))
			return -1;
	return 0;
}

int spht_writer_close(struct spht_writer *w, const struct spht_ledger *ledger, unsigned int nr_cpus,
		      const json_t *extra, struct spht_error *err)
{
	int fd;

	if (spht_writer_flush(w, err) || flush_losses(w, err) ||
	    write_footer(w, ledger, nr_cpus, extra, err))
		return -1;
	/* Pipes and devices cannot sync, and have nothing to lose. */
	if (fdatasync(w->fd) && errno != EINVAL && errno != EROFS) {
		spht_error_set(err, "%s: cannot sync: %s", w->path, strerror(errno));
		return -1;
	}
	fd = w->fd;
	w->fd = -1;
	if (close(fd)) {
		spht_error_set(err, "%s: cannot close: %s", w->path, strerror(errno));
		return -1;
	}
	writer_free(w);
	return 0;
}

void spht_writer_abort(struct spht_writer *w)
{
	struct stat st;

	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	/* Never remove what was not ours to make: /dev/null, a pipe. */
	if (w->created && !lstat(w->path, &st) && S_ISREG(st.st_mode))
		unlink(w->path);
	writer_free(w);
}
