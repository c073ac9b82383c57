/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CMD_H
#define SPHT_CMD_H

#include "spht_trace.h"

/*
 * The commands of spht-trace and what they share.  Data goes to stdout
 * through struct cmd_out, messages to stderr through cmd_message().
 */
enum cmd_status {
	CMD_OK = 0,
	CMD_FAILED = 1, /* the input or the system failed */
	CMD_USAGE = 2,
	CMD_PARTIAL = 4, /* done, but recorded or read (--partial) incompletely */
};

struct cmd {
	const char *name;
	const char *summary; /* its line in `spht-trace --help` */
	const char *help; /* `spht-trace NAME --help`, from "usage:" to the last newline */
	int (*run)(const struct cmd *cmd, int argc, char **argv);
};

#define CMD_MAX_LEVEL 22 /* of zstd */

extern const struct cmd cmd_info, cmd_dump, cmd_verify, cmd_cut, cmd_repack;

/* One line on stderr, "spht-trace: " before it. */
__attribute__((format(printf, 1, 2))) void cmd_message(const char *fmt, ...);
/* The same, then where help is.  Returns CMD_USAGE. */
__attribute__((format(printf, 2, 3))) int cmd_usage(const struct cmd *cmd, const char *fmt, ...);
/* What getopt_long() could not take has been named by it; returns CMD_USAGE. */
int cmd_bad_option(const struct cmd *cmd);
/* Prints the help of @cmd on stdout.  Returns CMD_OK or CMD_FAILED. */
int cmd_help(const struct cmd *cmd);
/* The one operand FILE of a command; NULL, with the usage error printed, when there is none. */
const char *cmd_operand(const struct cmd *cmd, int argc, char **argv);

/* A decimal number of @what between @min and @max; 0 or CMD_USAGE with the error printed. */
int cmd_number(const struct cmd *cmd, const char *what, const char *text, uint64_t min,
	       uint64_t max, uint64_t *value);

/* A point in time as the user gives it: seconds since the first event, or @NS as dump prints. */
struct cmd_time {
	bool given, absolute;
	uint64_t ns;
};
int cmd_time(const struct cmd *cmd, const char *what, const char *text, struct cmd_time *t);

/* What the blocks of a file say before any of them is read; preambles apart. */
struct cmd_span {
	uint64_t first_ts, last_ts; /* 0 when there are no events */
	uint64_t events, preamble;
	size_t blocks;
};
void cmd_span(const struct spht_reader *r, struct cmd_span *span);
/* @t on the recording's clock; @otherwise when it was not given. */
uint64_t cmd_time_ns(const struct cmd_time *t, const struct cmd_span *span, uint64_t otherwise);

/*
 * Buffered output whose every write is checked: the first failure is printed,
 * remembered, and turns the exit status into CMD_FAILED.
 */
struct cmd_out {
	char *buf;
	size_t len, size;
	bool failed;
};
int cmd_out_open(struct cmd_out *out, size_t size);
/* False after a failure: the caller may stop producing. */
bool cmd_out_flush(struct cmd_out *out);
__attribute__((format(printf, 2, 3))) void cmd_out_printf(struct cmd_out *out, const char *fmt,
							  ...);
/* Text from a file: control characters, which a terminal might obey, become '?'. */
void cmd_out_text(struct cmd_out *out, const char *text);
/* Flushes and frees.  Returns @status, or CMD_FAILED if anything was not written. */
int cmd_out_close(struct cmd_out *out, int status);

/* The last component of @path. */
const char *cmd_basename(const char *path);
/* @v as "0x1f", a new JSON string. */
json_t *cmd_json_hex(uint64_t v);

/*
 * What a derived file says of its origin: a new object with the origin's
 * "file" and "sha256", and "command", in which the files stand without their
 * folders.  NULL with @err set.
 */
json_t *cmd_origin(struct spht_reader *r, const struct cmd *cmd, const char *in, const char *out,
		   const char *options, struct spht_error *err);
/* Whether @out may be written, given that @in is read; 0 or CMD_USAGE with the error printed. */
int cmd_check_out(const struct cmd *cmd, const char *in, const char *out);
/* spht_writer_open(), where "-" is stdout. */
struct spht_writer *cmd_writer_open(const char *out, bool force, const json_t *header,
				    const struct spht_reader *r, int level, struct spht_error *err);

/* Removes what cmd_writer_open() has made, for a program that ends at once. */
void cmd_leave(void);

/* The ledger of @cpu in a footer; false where the footer does not know the CPU. */
bool cmd_ledger(const json_t *footer, unsigned int cpu, struct spht_ledger *l);
/* What was written and not read is what was counted lost. */
bool cmd_ledger_closed(const struct spht_ledger *l);
/* Slot of the vcpu_id by which events of @type name their thread's vCPU, -1 when they do not. */
int cmd_vcpu_slot(const struct spht_event_type *type);

/* kvm_exit as the hardware says it: reason, and for VMX exceptions the vector. */
enum { CMD_ISA_VMX = 1, CMD_ISA_SVM = 2 };
struct cmd_exit {
	uint32_t isa, reason;
	int vector; /* of an exception, -1 where there is none */
};
void cmd_exit_decode(const struct spht_event *ev, struct cmd_exit *e);
/* "EXCP_BASE+14 (#PF)", "HLT"; "?" where the number has no name. */
const char *cmd_exit_name(const struct cmd_exit *e, char *buf, size_t size);
bool cmd_exit_is_page_fault(const struct cmd_exit *e);
bool cmd_exit_is_tdp(const struct cmd_exit *e);

#endif
