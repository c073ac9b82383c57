/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TRACE_H
#define SPHT_TRACE_H

#include <jansson.h>
#include <stddef.h>

#include "spht_error.h"
#include "spht_event.h"

/*
 * The .spht trace file (docs/trace-format.md, spht-trace(5)).  Append-only:
 * a header, blocks of at most SPHT_BLOCK_EVENTS events of one CPU, a footer
 * with index and ledger.  Every size read from a file is checked against a
 * limit below before anything is allocated from it.
 */
#define SPHT_FORMAT_VERSION 1
#define SPHT_BLOCK_EVENTS   65536u
#define SPHT_MAX_HEADER     (16u << 20) /* bytes of header or footer JSON */
#define SPHT_MAX_BLOCK      (16u << 20) /* bytes of one block, uncompressed */
#define SPHT_MAX_CPUS       4096u
#define SPHT_MAX_TYPES      250u
#define SPHT_LOST_UNKNOWN   UINT64_MAX

struct spht_reader;
struct spht_writer;

/* One block as its plain header describes it. */
struct spht_block_info {
	uint64_t offset; /* of the block's first byte in the file */
	uint64_t seq;
	uint64_t first_ts, last_ts; /* ns */
	uint64_t lost_before; /* events lost on this CPU before the block; SPHT_LOST_UNKNOWN */
	uint32_t cpu;
	uint32_t nr_events;
	uint32_t comp_size, raw_size;
	bool preamble;
};

enum spht_read_flags {
	/* Read what is whole of a file that has no valid end; see spht_reader_complete(). */
	SPHT_READ_PARTIAL = 1 << 0,
};

/*
 * Opens a trace; "-" is stdin.  Returns NULL with @err set when the file is
 * not a whole .spht trace.  The events come merged over CPUs in the order of
 * (time, cpu, position); preamble events come first.
 */
struct spht_reader *spht_reader_open(const char *path, unsigned int flags, struct spht_error *err);
/* Can @path be opened only once: stdin ("-"), a pipe?  False for what is not there. */
bool spht_trace_once(const char *path);
/*
 * The next event, valid until the next call.  Returns 1, 0 at the end, -1 on
 * damage with @err set: what was returned before is whole, the file is not.
 * Lost events show as one SPHT_EV_LOST event ahead of the block that follows them.
 */
int spht_reader_next(struct spht_reader *r, const struct spht_event **ev, struct spht_error *err);
/*
 * The same for all events that are at hand, at least one, valid until the next call: for who
 * looks at every event and does little with it.
 */
int spht_reader_rows(struct spht_reader *r, const struct spht_event **rows, size_t *nr,
		     struct spht_error *err);
void spht_reader_close(struct spht_reader *r);

/* Borrowed; the header is never NULL, the footer is NULL where it was missing (PARTIAL). */
const json_t *spht_reader_header(const struct spht_reader *r);
const json_t *spht_reader_footer(const struct spht_reader *r);
const struct spht_event_type *spht_reader_types(const struct spht_reader *r, unsigned int *nr);
const struct spht_block_info *spht_reader_blocks(const struct spht_reader *r, size_t *nr);
/* False when PARTIAL had to rebuild the index or met damage. */
bool spht_reader_complete(const struct spht_reader *r);
/* SHA-256 of the whole file as 64 hex digits. */
int spht_reader_sha256(struct spht_reader *r, char hex[65], struct spht_error *err);

/* Per-CPU ledger of a recording: every event written by the kernel is read or counted lost. */
struct spht_ledger {
	uint64_t written, overrun, dropped, commit_overrun, read;
	bool known; /* false: the source did not say (older trace.dat) */
};

/*
 * Creates @path (which must not exist unless @flags say so).  @header is
 * borrowed: host, guest, clock...; the writer adds format version and event
 * types.  @types are copied.  On any failure the caller must spht_writer_abort().
 */
enum spht_write_flags {
	SPHT_WRITE_OVERWRITE = 1 << 0,
};
struct spht_writer *spht_writer_open(const char *path, unsigned int flags, const json_t *header,
				     const struct spht_event_type *types, unsigned int nr_types,
				     int zstd_level, struct spht_error *err);
/*
 * Appends one event; ev->type, cpu, ts, pid, flags, preempt, preamble and v[]
 * are stored.  Time must not run backwards on a CPU.  Preamble events must
 * come before all others.  Returns 0 or -1.
 */
int spht_writer_append(struct spht_writer *w, const struct spht_event *ev, struct spht_error *err);
/* @count events (or SPHT_LOST_UNKNOWN) are missing on @cpu at this point. */
int spht_writer_lost(struct spht_writer *w, unsigned int cpu, uint64_t count,
		     struct spht_error *err);
/*
 * The same, where events follow that are not in the trace: they were lost
 * before @ts, ns, which no event of the CPU has reached yet.
 */
int spht_writer_lost_at(struct spht_writer *w, unsigned int cpu, uint64_t count, uint64_t ts,
			struct spht_error *err);
/*
 * Writes the events so far as blocks that a reader finds even if the program
 * is killed after this; of all CPUs, or of one, then also losses that no event
 * has followed yet.  For live recordings, about once a second: every block learns
 * its predictions anew.  Returns 0 or -1.
 */
int spht_writer_flush(struct spht_writer *w, struct spht_error *err);
int spht_writer_flush_cpu(struct spht_writer *w, unsigned int cpu, struct spht_error *err);
/*
 * Once there is no more preamble to come, several threads may append, report
 * losses and flush at the same time, if each CPU is one thread's business.
 * Open, close, abort, abandon and spht_writer_flush() want all others at rest.
 */
/*
 * Writes what is pending and the footer with @ledger (per CPU, @nr_cpus of
 * them, may be NULL) and @extra (JSON object merged into the footer, may be
 * NULL), syncs and closes.  The file is whole only if this returns 0.
 */
int spht_writer_close(struct spht_writer *w, const struct spht_ledger *ledger, unsigned int nr_cpus,
		      const json_t *extra, struct spht_error *err);
/* Closes and removes the file.  NULL is allowed. */
void spht_writer_abort(struct spht_writer *w);
/*
 * Closes and keeps the blocks that were written: a trace without an end, which
 * readers refuse unless they are asked for what is there.  NULL is allowed.
 */
void spht_writer_abandon(struct spht_writer *w);

#endif
