/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_FUZZ_H
#define SPHT_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spht_error.h"

/*
 * What the fuzz targets share.  A target is one file with LLVMFuzzerTestOneInput(),
 * linked with libFuzzer (make fuzz) or with driver.c, which reads files.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t max, unsigned int seed);
/* libFuzzer's own mutations. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* A promise that the program has broken: says so and dies, which the fuzzer takes for a finding. */
__attribute__((format(printf, 1, 2), noreturn)) void fuzz_broken(const char *fmt, ...);
/* @text is a message as a user may see it: one line, nothing that a terminal would obey. */
void fuzz_message(const char *text);

/* A name under which a file with @size bytes of @data can be opened, until the next call. */
const char *fuzz_file(const void *data, size_t size);
/* A name for an output, empty at first; it is a file in memory. */
const char *fuzz_output(void);
/* How long what was written to it is. */
size_t fuzz_output_size(void);

/*
 * Runs @program as if started with @argv, which ends with NULL and is copied.
 * What it writes to stdout is dropped, what it says on stderr is kept.  Returns the exit status.
 */
int fuzz_run(int (*program)(int argc, char **argv), const char *const *argv);
/* What the last fuzz_run() has said, "" for nothing. */
const char *fuzz_heard(void);

/* A program is being run by fuzz_run(); it may then end by fuzz_end(), wherever it is. */
extern bool fuzz_running;
_Noreturn void fuzz_end(int status);

/* The programs whose main() has been given another name. */
int spht_replay_main(int argc, char **argv);
int spht_trace_main(int argc, char **argv);

#endif
