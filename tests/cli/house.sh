#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The build itself: sources are laid out alike, scripts are clean, and the
# programs that need no trace-cmd library are built and installed without one.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$TOP" || exit 1

# scripts INTERPRETER: the files whose first line names it.
scripts()
{
	find scripts tests .ci -type f ! -name '*.[chd]' -exec awk -v want="$1" \
		'FNR == 1 && /^#!/ && $0 ~ want { print FILENAME } { nextfile }' {} +
}

if command -v shellcheck >/dev/null; then
	# It cannot follow lib.sh by a computed name, nor see what `check` calls.
	# shellcheck disable=SC2046 # no blanks in the names
	check "shellcheck has nothing to say" \
		shellcheck -S warning -x -e SC1090,SC1091,SC2317 tests/cli/lib.sh $(scripts 'sh$')
else
	skip "shellcheck has nothing to say" "shellcheck is not installed"
fi

# shellcheck disable=SC2046
check "every Python script compiles" env PYTHONPYCACHEPREFIX="$T/pyc" \
	python3 -m py_compile $(scripts 'python3')

if clang-format --version 2>/dev/null | grep -q 'version 14\.' ||
	command -v clang-format-14 >/dev/null; then
	check "every C file is laid out as .clang-format says" scripts/format-check
else
	skip "every C file is laid out as .clang-format says" "no clang-format 14 here"
fi

# Lists are explicit, but for tests of heuristics: a file that none names is neither built nor run.
for file in traces/*.c replay/*.c collector/*.c calibrate/*.c tests/unit/test_*.c; do
	case $file in tests/unit/test_heuristic_*) continue ;; esac
	[ ! -e "$file" ] || grep -qE "(^|[ 	])$file( |\$)" Makefile || echo "$file"
done >"$T/unlisted"
check "the Makefile lists every C file" diff /dev/null "$T/unlisted"

# A machine that has none of the libraries that only spht-record needs.
cat >"$T/pkg-config" <<END
#!/bin/sh
case " \$* " in
*libtrace*) exit 1 ;;
esac
exec ${PKG_CONFIG:-pkg-config} "\$@"
END
chmod +x "$T/pkg-config"

# Without optimization: it is the rules that are tested.
without()
{
	make PKG_CONFIG="$T/pkg-config" BUILD="$T/b" CFLAGS=-O0 LDFLAGS= prefix=/usr "$@"
}

if [ -n "$SPHT_SANITIZED" ]; then
	skip "make succeeds without libtracecmd" "tried by make check"
elif check "make succeeds without libtracecmd" without; then
	has "make says that spht-record is left out and why" "$T/out" \
		'spht-record is not built.*libtracecmd'
	check "spht-trace is built without libtracecmd" test -x "$T/b/spht-trace"
	check "spht-replay is built without libtracecmd" test -x "$T/b/spht-replay"
	check "spht-record is not built without libtracecmd" test ! -e "$T/b/spht-record"
	check "a second make succeeds" without
	lacks "a second make compiles nothing" "$T/out" '  (CC|AR|LD|GEN) '

	check "make install succeeds" without install DESTDIR="$T/root"
	check "make install brings spht-replay" test -x "$T/root/usr/bin/spht-replay"
	check "make install brings the manual of spht-trace" \
		test -r "$T/root/usr/share/man/man1/spht-trace.1"
	check "make install brings the interface of heuristics" \
		test -r "$T/root/usr/include/spht/heuristic.h"
	check "make uninstall succeeds" without uninstall DESTDIR="$T/root"
	find "$T/root" -type f >"$T/left"
	check "make uninstall leaves no file" test ! -s "$T/left"

	check "make clean succeeds" without clean
	check "make clean leaves no build folder" test ! -e "$T/b"
fi
status 2 "make refuses a build folder that holds the sources" make BUILD="$TOP" clean

# scripts/gen-costs: what is embedded is the file, byte for byte.
cat >"$T/costs.json" <<'END'
{
	"quote": "a \" and a \\ and \\n, 100 %d ??=", "empty": ""
}
END
cat >"$T/main.c" <<'END'
#include <stdio.h>
extern const char spht_costs_default[];
int main(void) { return fputs(spht_costs_default, stdout) < 0; }
END
scripts/gen-costs "$T/costs.json" >"$T/costs.c"
check "what gen-costs prints compiles" "${CC:-gcc}" -Wall -Werror -o "$T/costs" "$T/main.c" "$T/costs.c"
"$T/costs" >"$T/costs.out"
same "gen-costs embeds a file byte for byte" "$T/costs.json" "$T/costs.out"

finish
