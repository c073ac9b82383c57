// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"

void cmd_message(const char *fmt, ...)
{
	va_list ap;

	fputs("spht-trace: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int cmd_usage(const struct cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "spht-trace %s: ", cmd->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; see 'spht-trace %s --help'\n", cmd->name);
	return CMD_USAGE;
}

int cmd_bad_option(const struct cmd *cmd)
{
	fprintf(stderr, "see 'spht-trace %s --help'\n", cmd->name);
	return CMD_USAGE;
}

int cmd_help(const struct cmd *cmd)
{
	struct cmd_out out;

	if (cmd_out_open(&out, 1 << 16))
		return CMD_FAILED;
	cmd_out_printf(&out, "%s", cmd->help);
	return cmd_out_close(&out, CMD_OK);
}

const char *cmd_operand(const struct cmd *cmd, int argc, char **argv)
{
	if (optind == argc)
		cmd_usage(cmd, "which FILE?");
	else if (optind + 1 < argc)
		cmd_usage(cmd, "one FILE at a time, '%s' is too many", argv[optind + 1]);
	else
		return argv[optind];
	return NULL;
}

int cmd_number(const struct cmd *cmd, const char *what, const char *text, uint64_t min,
	       uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	/* strtoull() takes signs and leading blanks. */
	if (*text < '0' || *text > '9' || *end || errno || *value < min || *value > max)
		return cmd_usage(cmd, "%s is a number from %" PRIu64 " to %" PRIu64 ", not '%s'",
				 what, min, max, text);
	return 0;
}

/* Decimal digits at *@p into *@v, at most @max.  Returns how many, -1 when it is too large. */
static int parse_digits(const char **p, uint64_t max, uint64_t *v)
{
	int n = 0;

	for (*v = 0; **p >= '0' && **p <= '9'; (*p)++, n++) {
		uint64_t digit = (uint64_t)(**p - '0');

		if (*v > (max - digit) / 10)
			return -1;
		*v = *v * 10 + digit;
	}
	return n;
}

/* Exact: a double would not hold every nanosecond. */
static bool parse_seconds(const char *p, uint64_t *ns)
{
	uint64_t s, frac = 0, unit = 100000000;
	int digits = parse_digits(&p, UINT64_MAX / 1000000000 - 1, &s);

	if (digits < 0)
		return false;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, digits++, unit /= 10)
			frac += (uint64_t)(*p - '0') * unit;
	*ns = s * 1000000000 + frac;
	return digits && !*p;
}

int cmd_time(const struct cmd *cmd, const char *what, const char *text, struct cmd_time *t)
{
	const char *p = text + 1;
	bool ok;

	t->given = true;
	t->absolute = *text == '@';
	if (t->absolute)
		ok = parse_digits(&p, UINT64_MAX, &t->ns) > 0 && !*p;
	else
		ok = parse_seconds(text, &t->ns);
	if (ok)
		return 0;
	return cmd_usage(cmd,
			 "%s is seconds since the first event (12.5) or a time stamp as dump "
			 "prints it (@123456789), not '%s'",
			 what, text);
}

void cmd_span(const struct spht_reader *r, struct cmd_span *span)
{
	const struct spht_block_info *b = spht_reader_blocks(r, &span->blocks);
	size_t i;

	span->first_ts = UINT64_MAX;
	span->last_ts = 0;
	span->events = span->preamble = 0;
	for (i = 0; i < span->blocks; i++) {
		if (b[i].preamble) {
			span->preamble += b[i].nr_events;
			continue;
		}
		if (!b[i].nr_events)
			continue;
		span->events += b[i].nr_events;
		if (b[i].first_ts < span->first_ts)
			span->first_ts = b[i].first_ts;
		if (b[i].last_ts > span->last_ts)
			span->last_ts = b[i].last_ts;
	}
	if (!span->events)
		span->first_ts = 0;
}

uint64_t cmd_time_ns(const struct cmd_time *t, const struct cmd_span *span, uint64_t otherwise)
{
	if (!t->given)
		return otherwise;
	if (t->absolute)
		return t->ns;
	return span->first_ts > UINT64_MAX - t->ns ? UINT64_MAX : span->first_ts + t->ns;
}

int cmd_out_open(struct cmd_out *out, size_t size)
{
	out->buf = malloc(size);
	out->len = 0;
	out->size = size;
	out->failed = false;
	if (out->buf)
		return 0;
	cmd_message("no memory for an output buffer of %zu bytes", size);
	return -1;
}

bool cmd_out_flush(struct cmd_out *out)
{
	size_t done = 0;

	while (!out->failed && done < out->len) {
		ssize_t n = write(STDOUT_FILENO, out->buf + done, out->len - done);

		if (n >= 0) {
			done += (size_t)n;
		} else if (errno != EINTR) {
			/* A reader that has seen enough is no news, where SIGPIPE is ignored. */
			if (errno != EPIPE)
				cmd_message("stdout: %s; the output is not complete",
					    strerror(errno));
			out->failed = true;
		}
	}
	out->len = 0;
	return !out->failed;
}

static void no_memory(struct cmd_out *out)
{
	if (!out->failed)
		cmd_message("no memory for a line of output");
	out->failed = true;
}

void cmd_out_printf(struct cmd_out *out, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		no_memory(out);
		return;
	}
	for (size_t done = 0; done < (size_t)n;) {
		size_t part = (size_t)n - done;

		if (out->len == out->size)
			cmd_out_flush(out);
		if (part > out->size - out->len)
			part = out->size - out->len;
		memcpy(out->buf + out->len, text + done, part);
		out->len += part;
		done += part;
	}
	free(text);
}

void cmd_out_text(struct cmd_out *out, const char *text)
{
	char *copy = strdup(text), *p;

	if (!copy) {
		no_memory(out);
		return;
	}
	for (p = copy; *p; p++) {
		unsigned char c = (unsigned char)*p, next = (unsigned char)p[1];

		/* U+0080 to U+009F are control characters of two bytes. */
		if (c < ' ' || c == 127 || (c == 0xc2 && next >= 0x80 && next < 0xa0))
			*p = '?';
	}
	cmd_out_printf(out, "%s", copy);
	free(copy);
}

int cmd_out_close(struct cmd_out *out, int status)
{
	cmd_out_flush(out);
	free(out->buf);
	out->buf = NULL;
	/* NFS and quotas report a full disk only here. */
	if (close(STDOUT_FILENO) && errno != EBADF && !out->failed) {
		cmd_message("stdout: %s; the output is not complete", strerror(errno));
		out->failed = true;
	}
	return out->failed ? CMD_FAILED : status;
}

const char *cmd_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

json_t *cmd_json_hex(uint64_t v)
{
	return json_sprintf("0x%" PRIx64, v);
}

json_t *cmd_origin(struct spht_reader *r, const struct cmd *cmd, const char *in, const char *out,
		   const char *options, struct spht_error *err)
{
	const char *file = cmd_basename(in);
	char sha256[65];
	json_t *o;

	if (spht_reader_sha256(r, sha256, err))
		return NULL;
	/* Names that are not UTF-8 have no place in JSON. */
	o = json_pack("{s:o?, s:s, s:o?}", "file", json_string(file), "sha256", sha256, "command",
		      json_sprintf("spht-trace %s %s -o %s%s", cmd->name, file, cmd_basename(out),
				   options));
	if (!o)
		spht_error_set(err, "%s: no memory for the header of a copy", in);
	return o;
}

int cmd_check_out(const struct cmd *cmd, const char *in, const char *out)
{
	struct stat a, b;

	if (!out)
		return cmd_usage(cmd, "-o OUT is missing");
	/* --force would empty the file before it is read. */
	if (strcmp(in, "-") && !stat(in, &a) && !stat(out, &b) && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino)
		return cmd_usage(cmd, "'%s' is the file that is read", out);
	return 0;
}

static const char *being_written;

void cmd_leave(void)
{
	struct stat st;

	if (being_written && !lstat(being_written, &st) && S_ISREG(st.st_mode))
		unlink(being_written);
}

struct spht_writer *cmd_writer_open(const char *out, bool force, const json_t *header,
				    const struct spht_reader *r, int level, struct spht_error *err)
{
	const struct spht_event_type *types;
	struct spht_writer *w;
	unsigned int nr;

	types = spht_reader_types(r, &nr);
	if (!strcmp(out, "-")) {
		out = "/dev/stdout";
		force = true;
	}
	w = spht_writer_open(out, force ? SPHT_WRITE_OVERWRITE : 0, header, types, nr, level, err);
	if (w)
		being_written = out;
	return w;
}

static uint64_t json_count(const json_t *object, const char *key, bool *known)
{
	const char *text = json_string_value(json_object_get(object, key));

	*known &= text != NULL;
	return text ? strtoull(text, NULL, 16) : 0;
}

bool cmd_ledger(const json_t *footer, unsigned int cpu, struct spht_ledger *l)
{
	/* The writer lists CPUs from 0 on without gaps. */
	const json_t *entry = json_array_get(json_object_get(footer, "cpus"), cpu);

	memset(l, 0, sizeof(*l));
	if (!entry)
		return false;
	l->known = true;
	l->written = json_count(entry, "written", &l->known);
	l->overrun = json_count(entry, "overrun", &l->known);
	l->dropped = json_count(entry, "dropped", &l->known);
	l->commit_overrun = json_count(entry, "commit_overrun", &l->known);
	l->read = json_count(entry, "read", &l->known);
	return true;
}

bool cmd_ledger_closed(const struct spht_ledger *l)
{
	uint64_t unread = l->written - l->read;

	/* Whether dropped events were counted as written differs between sources. */
	return l->written >= l->read && unread >= l->overrun &&
	       unread - l->overrun <= l->dropped + l->commit_overrun;
}

int cmd_vcpu_slot(const struct spht_event_type *type)
{
	int slot;

	/* Only these come from the thread that runs the vCPU they name. */
	if (type->id != SPHT_EV_ENTRY && type->id != SPHT_EV_EXIT &&
	    type->id != SPHT_EV_PAGE_FAULT && type->id != SPHT_EV_FAST_PAGE_FAULT)
		return -1;
	slot = spht_event_slot(type->id, "vcpu_id");
	return slot >= 0 && (type->have & (1u << slot)) ? slot : -1;
}
