// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "crc32c.h"
#include "writer-local.h"

int spht_writer_no_memory(const struct spht_writer *w, struct spht_error *err)
{
	spht_error_set(err, "%s: out of memory while writing", w->path);
	return -1;
}

int spht_writer_put(struct spht_writer *w, const void *data, size_t len, struct spht_error *err)
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

/* The first frame of the file, of *@size bytes; NULL with @err set. */
static uint8_t *header_frame(const struct spht_writer *w, const json_t *header, size_t *size,
			     struct spht_error *err)
{
	json_t *all = header ? json_copy((json_t *)header) : json_object();
	char *text = NULL;
	uint8_t *frame = NULL;
	size_t len;

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
		spht_writer_no_memory(w, err);
		goto fail;
	}
	if (len > SPHT_MAX_HEADER) {
		spht_error_set(err, "%s: the header would have %zu bytes of JSON, the limit is %u",
			       w->path, len, SPHT_MAX_HEADER);
		goto fail;
	}
	spht_put32(frame, SPHT_FRAME_HEADER);
	spht_put32(frame + 4, (uint32_t)(SPHT_HEADER_FIXED + len));
	memcpy(frame + 8, SPHT_MAGIC, 8);
	spht_put32(frame + 16, SPHT_FORMAT_VERSION);
	spht_put32(frame + 20, (uint32_t)len);
	spht_put32(frame + 24, spht_crc32c(spht_crc32c(0, frame, 24), text, len));
	memcpy(frame + 28, text, len);
	*size = 28 + len;
	goto out;
fail:
	free(frame);
	frame = NULL;
out:
	json_decref(all);
	free(text);
	return frame;
}

struct spht_writer *spht_writer_open(const char *path, unsigned int flags, const json_t *header,
				     const struct spht_event_type *types, unsigned int nr_types,
				     int zstd_level, struct spht_error *err)
{
	int how = flags & SPHT_WRITE_OVERWRITE ? O_TRUNC : O_EXCL;
	struct spht_writer *w = calloc(1, sizeof(*w));
	uint8_t *frame = NULL;
	size_t size;

	if (w) {
		w->fd = -1;
		w->level = zstd_level;
		w->path = strdup(path);
		pthread_mutex_init(&w->lock, NULL);
	}
	if (!w || !w->path) {
		spht_error_set(err, "%s: out of memory", path);
		goto fail;
	}
	if (zstd_level < ZSTD_minCLevel() || zstd_level > ZSTD_maxCLevel()) {
		spht_error_set(err, "%s: compression level %d is outside %d to %d", path,
			       zstd_level, ZSTD_minCLevel(), ZSTD_maxCLevel());
		goto fail;
	}
	w->schema = spht_schema_new(types, nr_types, err);
	if (!w->schema)
		goto fail;
	/* Before there is a file that would have to be removed again. */
	frame = header_frame(w, header, &size, err);
	if (!frame)
		goto fail;
	w->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0666);
	if (w->fd < 0) {
		spht_error_set(err, "%s: cannot create: %s%s", path, strerror(errno),
			       errno == EEXIST ? "; remove it or ask to overwrite it" : "");
		goto fail;
	}
	w->created = true;
	if (spht_writer_put(w, frame, size, err))
		goto fail;
	free(frame);
	return w;
fail:
	free(frame);
	spht_writer_abort(w);
	return NULL;
}

static void free_cpu(struct cpu *c)
{
	if (!c)
		return;
	spht_encoder_free(c->encoder);
	free(c->nr_by_type);
	free(c);
}

static __attribute__((noinline)) struct cpu *new_cpu(struct spht_writer *w, unsigned int cpu,
						     struct spht_error *err)
{
	struct cpu *c = calloc(1, sizeof(*c));

	if (c) {
		c->encoder = spht_encoder_new(w->schema);
		c->nr_by_type = calloc(w->schema->nr_types + 1, sizeof(*c->nr_by_type));
	}
	if (!c || !c->encoder || !c->nr_by_type) {
		free_cpu(c);
		spht_writer_no_memory(w, err);
		return NULL;
	}
	pthread_mutex_lock(&w->lock);
	w->cpus[cpu] = c;
	if (cpu >= w->nr_cpus)
		w->nr_cpus = cpu + 1;
	pthread_mutex_unlock(&w->lock);
	return c;
}

static inline struct cpu *get_cpu(struct spht_writer *w, unsigned int cpu, struct spht_error *err)
{
	struct cpu *c;

	if (cpu >= SPHT_MAX_CPUS) {
		spht_error_set(err, "%s: CPU %u: a trace holds CPUs 0 to %u", w->path, cpu,
			       SPHT_MAX_CPUS - 1);
		return NULL;
	}
	c = w->cpus[cpu];
	return c ? c : new_cpu(w, cpu, err);
}

static void free_workshop(struct workshop *s)
{
	ZSTD_freeCCtx(s->cctx);
	free(s->raw.buf);
	free(s->cuts.buf);
	free(s->comp.buf);
	free(s);
}

static struct workshop *take_workshop(struct spht_writer *w, struct spht_error *err)
{
	struct workshop *s;

	pthread_mutex_lock(&w->lock);
	s = w->idle;
	if (s)
		w->idle = s->next;
	pthread_mutex_unlock(&w->lock);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (s)
		s->cctx = ZSTD_createCCtx();
	if (!s || !s->cctx) {
		free(s);
		spht_writer_no_memory(w, err);
		return NULL;
	}
	if (ZSTD_isError(ZSTD_CCtx_setParameter(s->cctx, ZSTD_c_compressionLevel, w->level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(s->cctx, ZSTD_c_checksumFlag, 1)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(s->cctx, ZSTD_c_contentSizeFlag, 1))) {
		spht_error_set(err, "%s: this libzstd refuses level %d with checksums", w->path,
			       w->level);
		free_workshop(s);
		return NULL;
	}
	return s;
}

static void return_workshop(struct spht_writer *w, struct workshop *s)
{
	pthread_mutex_lock(&w->lock);
	s->next = w->idle;
	w->idle = s;
	pthread_mutex_unlock(&w->lock);
}

/*
 * One zstd frame of s->raw in s->comp behind @room bytes.  Columns start new
 * zstd blocks, because an entropy table shared by two columns fits neither.
 */
static int compress_raw(struct spht_writer *w, struct workshop *s, size_t room,
			struct spht_error *err)
{
	size_t bound = ZSTD_compressBound(s->raw.len) + 16 * (s->cuts.len / 4 + 1), ret;
	ZSTD_inBuffer in = {s->raw.buf, 0, 0};
	ZSTD_outBuffer out;

	s->comp.len = 0;
	if (spht_bytes_reserve(&s->comp, room + bound))
		return spht_writer_no_memory(w, err);
	out = (ZSTD_outBuffer){s->comp.buf + room, bound, 0};
	ret = ZSTD_CCtx_reset(s->cctx, ZSTD_reset_session_only);
	if (!ZSTD_isError(ret))
		ret = ZSTD_CCtx_setPledgedSrcSize(s->cctx, s->raw.len);
	for (size_t i = 0; !ZSTD_isError(ret) && i <= s->cuts.len; i += sizeof(uint32_t)) {
		bool last = i == s->cuts.len;
		uint32_t cut = (uint32_t)s->raw.len;

		if (!last)
			memcpy(&cut, s->cuts.buf + i, sizeof(cut));
		if (!last && cut <= in.size)
			continue;
		in.size = cut;
		do {
			ret = ZSTD_compressStream2(s->cctx, &out, &in,
						   last ? ZSTD_e_end : ZSTD_e_flush);
		} while (!ZSTD_isError(ret) && ret);
	}
	if (ZSTD_isError(ret)) {
		spht_error_set(err, "%s: zstd: %s", w->path, ZSTD_getErrorName(ret));
		return -1;
	}
	s->comp.len = room + out.pos;
	return 0;
}

/*
 * Half a block must not stay behind: what a recorder that meets a full disk
 * has written so far is to be read by --partial without a damaged end.
 */
static void take_back(struct spht_writer *w, uint64_t offset, const struct spht_error *err)
{
	w->failed = true;
	w->why = *err;
	if (!ftruncate(w->fd, (off_t)offset))
		w->offset = offset;
}

/* Gives the packed block its place in the file; the lock is held. */
static int write_block(struct spht_writer *w, struct workshop *s, struct spht_block_header *h,
		       struct spht_error *err)
{
	uint8_t *header = s->comp.buf + SPHT_FRAME_PREFIX;
	uint64_t offset = w->offset;

	/* The first reason is the one that helps, whichever thread is asked. */
	if (w->failed) {
		*err = w->why;
		return -1;
	}
	h->info.offset = offset;
	h->info.seq = w->nr_blocks;
	spht_put32(s->comp.buf, SPHT_FRAME_BLOCK);
	spht_put32(s->comp.buf + 4, SPHT_BLOCK_HEADER);
	spht_block_header_pack(h, header);
	if (spht_bytes_reserve(&w->index, SPHT_INDEX_ENTRY))
		return spht_writer_no_memory(w, err);
	if (spht_writer_put(w, s->comp.buf, s->comp.len, err)) {
		take_back(w, offset, err);
		return -1;
	}
	spht_put64(w->index.buf + w->index.len, offset);
	memcpy(w->index.buf + w->index.len + 8, header, SPHT_BLOCK_HEADER);
	w->index.len += SPHT_INDEX_ENTRY;
	w->nr_blocks++;
	return 0;
}

static int pack_block(struct spht_writer *w, struct cpu *c, struct workshop *s,
		      struct spht_block_header *h, struct spht_error *err)
{
	const size_t room = SPHT_FRAME_PREFIX + SPHT_BLOCK_HEADER;

	if (spht_encoder_finish(c->encoder, &s->raw, &s->cuts))
		return spht_writer_no_memory(w, err);
	if (compress_raw(w, s, room, err))
		return -1;
	if (s->raw.len > SPHT_MAX_BLOCK || s->comp.len - room > SPHT_MAX_BLOCK) {
		spht_error_set(err, "%s: a block of %zu bytes is above the limit of %u", w->path,
			       s->raw.len, SPHT_MAX_BLOCK);
		return -1;
	}
	h->info.raw_size = (uint32_t)s->raw.len;
	h->info.comp_size = (uint32_t)(s->comp.len - room);
	h->payload_crc = spht_crc32c(0, s->comp.buf + room, s->comp.len - room);
	return 0;
}

/* Writes the CPU's open block: its events, or only that some were lost. */
static int flush_cpu(struct spht_writer *w, unsigned int cpu, bool preamble, struct spht_error *err)
{
	struct cpu *c = w->cpus[cpu];
	struct spht_block_header h = {0};
	struct workshop *s = take_workshop(w, err);
	int rc;

	if (!s)
		return -1;
	h.info.cpu = cpu;
	h.info.preamble = preamble;
	h.info.lost_before = c->lost;
	h.info.nr_events = spht_encoder_count(c->encoder);
	h.info.first_ts = h.info.nr_events ? spht_encoder_first_ts(c->encoder) : c->last_ts;
	h.info.last_ts = c->last_ts;
	rc = pack_block(w, c, s, &h, err);
	if (!rc) {
		pthread_mutex_lock(&w->lock);
		rc = write_block(w, s, &h, err);
		pthread_mutex_unlock(&w->lock);
	}
	if (!rc)
		c->lost = 0;
	return_workshop(w, s);
	return rc;
}

static bool has_events(const struct cpu *c)
{
	return c && spht_encoder_count(c->encoder);
}

int spht_writer_flush_cpu(struct spht_writer *w, unsigned int cpu, struct spht_error *err)
{
	const struct cpu *c = cpu < SPHT_MAX_CPUS ? w->cpus[cpu] : NULL;

	if (!has_events(c) && !(c && c->lost))
		return 0;
	return flush_cpu(w, cpu, has_events(c) && !w->started, err);
}

int spht_writer_flush(struct spht_writer *w, struct spht_error *err)
{
	for (unsigned int cpu = 0; cpu < w->nr_cpus; cpu++)
		if (has_events(w->cpus[cpu]) && flush_cpu(w, cpu, !w->started, err))
			return -1;
	return 0;
}

int spht_writer_append(struct spht_writer *w, const struct spht_event *ev, struct spht_error *err)
{
	struct cpu *c = get_cpu(w, ev->cpu, err);
	int full;

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
		if (w->preamble && spht_writer_flush(w, err))
			return -1;
		w->started = true;
	}
	full = spht_encoder_add(c->encoder, ev);
	if (full < 0)
		return spht_writer_no_memory(w, err);
	c->seen = true;
	c->last_ts = ev->ts;
	c->events++;
	c->nr_by_type[ev->type]++;
	if (ev->preamble) {
		c->nr_preamble++;
		w->preamble = true;
	}
	return full ? flush_cpu(w, ev->cpu, ev->preamble, err) : 0;
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

int spht_writer_lost_at(struct spht_writer *w, unsigned int cpu, uint64_t count, uint64_t ts,
			struct spht_error *err)
{
	struct cpu *c = get_cpu(w, cpu, err);

	if (!c || spht_writer_lost(w, cpu, count, err))
		return -1;
	/* No block is open now, so the next one may begin later than the last one ended. */
	if (count && ts > c->last_ts)
		c->last_ts = ts;
	return 0;
}

static void writer_free(struct spht_writer *w)
{
	for (unsigned int i = 0; i < w->nr_cpus; i++)
		free_cpu(w->cpus[i]);
	while (w->idle) {
		struct workshop *s = w->idle;

		w->idle = s->next;
		free_workshop(s);
	}
	spht_schema_free(w->schema);
	pthread_mutex_destroy(&w->lock);
	free(w->index.buf);
	free(w->path);
	free(w);
}

/* Losses at the end of the recording, which no event follows. */
static int flush_losses(struct spht_writer *w, struct spht_error *err)
{
	for (unsigned int cpu = 0; cpu < w->nr_cpus; cpu++)
		if (w->cpus[cpu] && w->cpus[cpu]->lost && flush_cpu(w, cpu, false, err))
			return -1;
	return 0;
}

int spht_writer_close(struct spht_writer *w, const struct spht_ledger *ledger, unsigned int nr_cpus,
		      const json_t *extra, struct spht_error *err)
{
	int fd;

	if (w->failed) {
		spht_error_set(err, "%s: blocks are missing, it gets no end", w->path);
		return -1;
	}
	if (spht_writer_flush(w, err) || flush_losses(w, err) ||
	    spht_writer_footer(w, ledger, nr_cpus, extra, err))
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

void spht_writer_abandon(struct spht_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0) {
		fdatasync(w->fd);
		close(w->fd);
	}
	writer_free(w);
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
