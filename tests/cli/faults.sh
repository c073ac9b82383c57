#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Allocations, writes and reads of the programs that fail, a part of `make check-faults`; and
# that tests/faults would notice a program that takes no notice of them.
# shellcheck disable=SC2016 # words for another shell
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

if [ -n "$SPHT_SANITIZED" ]; then
	skip "calls of the programs may fail" "a sanitizer has its own allocator"
	finish
fi
if [ ! -e "$BUILD/tests/fault.so" ]; then
	skip "calls of the programs may fail" "fault.so is built on x86-64 only"
	finish
fi
cd "$TOP" || exit 1
# A sandbox may forbid what fault.so is made of.
if tests/faults --what=write-short trace-verify-damaged >"$T/out" 2>&1; then
	:
elif grep -q 'fault.so: seccomp' "$T/out"; then
	skip "calls of the programs may fail" "seccomp cannot be used here"
	finish
fi

check "every call that fails is told, or does not matter (a selection)" tests/faults --sample=2
has "... of several hundred" "$T/out" '^[0-9]{3,} runs, [0-9]{2,} of them failed as they should, 0 wrong$'

# What the driver is for: programs that are wrong in each of the ways that it knows.
mkdir "$T/fake"
ln -s "$BUILD/tests" "$T/fake/tests"
ln -s "$BUILD/spht-replay" "$T/fake/spht-replay"

cat >"$T/careless.c" <<'END'
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "repack --level=1 IN -o OUT" by someone who has $CARELESS ways with a write that fails. */
int main(int argc, char **argv)
{
	const char *how = getenv("CARELESS");
	static char buf[1 << 20];
	int in = argc == 6 ? open(argv[3], O_RDONLY) : -1;
	int out = argc == 6 ? open(argv[5], O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
	ssize_t n = read(in, buf, sizeof(buf));

	if (in < 0 || out < 0 || n < 0)
		return 2;
	if (write(out, buf, n) == n || !strcmp(how, "hides"))
		return 0;
	if (strcmp(how, "silent"))
		fprintf(stderr, "spht-trace: %s\n", strcmp(how, "vague") ? strerror(errno) : "no");
	if (!strcmp(how, "chatty"))
		fputs("and more\n", stderr);
	if (!strcmp(how, "dies"))
		abort();
	if (!strcmp(how, "hangs"))
		pause();
	if (strcmp(how, "keeps"))
		unlink(argv[5]);
	else if (write(out, buf, read(open("tiny.spht", O_RDONLY), buf, sizeof(buf))) < 0)
		return 2;
	return strcmp(how, "status") ? 1 : 3;
}
END
check "a careless program can be built" "${CC:-gcc}" -o "$T/fake/spht-trace" "$T/careless.c"

# notices HOW REGEX: with a program that is careless in this way the driver says so.
notices()
{
	status 1 "a program that $1 is noticed" env BUILD="$T/fake" CARELESS="$1" tests/faults \
		--what=write-error --nth=2 --timeout=2 --exact trace-repack || return
	has "... by what is wrong" "$T/out" "^WRONG: trace-repack: write-error 2 \(write\): $2"
}
notices hides 'exit status 0, but its output is another one'
notices silent '0 lines on stderr instead of one'
notices chatty '2 lines on stderr instead of one'
notices vague 'its message does not say Input/output error'
notices dies 'it ended with -6'
notices hangs 'it did not end within 2 s'
notices status 'it ended with 3'
# A whole trace, and no result of this command.
notices keeps 'it leaves out\.spht, which looks whole and is not'

finish
