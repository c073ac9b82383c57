#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# tests/run itself: whatever goes wrong in a test program is counted.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

mkdir -p "$T/b/tests/unit"
program()
{
	{
		echo '#!/bin/sh'
		cat
	} >"$T/b/tests/unit/test_$1"
	chmod +x "$T/b/tests/unit/test_$1"
}
# run PROGRAM: its summary is left in $T/out.
run()
{
	env -u UNIT_RUN BUILD="$T/b" "$TOP/tests/run" --timeout 1 "unit/test_$1"
}

program good <<'END'
echo 1..2; echo "ok 1 - a"; echo "ok 2 - b"
END
check "a program whose tests pass passes" run good
has "its tests are counted" "$T/out" '^2 passed, 0 failed$'

program skips <<'END'
echo 1..2; echo "ok 1 - a"; echo "not ok 2 # SKIP b"
END
check "a skipped test is no failure" run skips
has "a skipped test is counted as one" "$T/out" '^1 passed, 0 failed, 1 skipped$'

program bad <<'END'
echo 1..2; echo "ok 1 - a"; echo "not ok 2 - b"; echo "# 1 != 2"; exit 1
END
status 1 "a failed test fails the run" run bad
has "a failed test is counted" "$T/out" '^1 passed, 1 failed$'
has "a failed test is explained" "$T/out" '# 1 != 2'

program crash <<'END'
echo 1..2; echo "ok 1 - a"; kill -SEGV $$
END
status 1 "a program that crashes fails the run" run crash
has "the signal is named" "$T/out" 'died of SIGSEGV'
has "a crash is counted" "$T/out" '^1 passed, 1 failed$'

program hang <<'END'
echo 1..1; sleep 60
END
status 1 "a program that hangs fails the run" run hang
has "a hang is named" "$T/out" 'did not end within 1 s'

program short <<'END'
echo 1..3; echo "ok 1 - a"
END
status 1 "a program that ends early fails the run" run short

program empty <<'END'
exit 0
END
status 1 "a program without tests fails the run" run empty
has "it is named" "$T/out" 'test_empty has no test'

program sanitizer <<'END'
echo 1..1; echo "ok 1 - a"; echo "x.c:1:2: runtime error: shift" >&2
END
status 1 "a sanitizer's report fails the run" run sanitizer

status 1 "a run without any test fails" run nosuch

# tests/valgrind: only what wants libraries that may not be here may be missing, and is counted.
sentence="tests/valgrind misses a program that is not there"
if ! command -v valgrind >/dev/null; then
	skip "$sentence" "valgrind is not installed"
elif [ -n "$SPHT_SANITIZED" ]; then
	skip "$sentence" "a sanitizer is no program for valgrind"
else
	mkdir -p "$T/v/tests"
	ln -s "$SPHT_MKTRACE" "$T/v/tests/mktrace"
	ln -s "$SPHT_REPLAY" "$T/v/spht-replay"
	status 1 "$sentence" env BUILD="$T/v" "$TOP/tests/valgrind" 'info --json' 'heuristic=help' 'import=many'
	has "  by name" "$T/out" '^FAILED: spht-trace info --json one\.spht: exit status 127'
	has "  and counts what may be missing" "$T/out" \
		'^1 passed, 1 failed, 1 skipped under valgrind$'
fi

finish
