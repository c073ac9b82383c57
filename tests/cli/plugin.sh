#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Heuristics from shared objects: the example is built with the installed headers
# alone and runs, a built-in heuristic does the same as a plugin, and what is no
# plugin is refused in one line.
# shellcheck disable=SC2086 # flags are words
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

CC=${CC:-gcc}
sample=$TOP/traces/samples/kbuild-cc-1vcpu.spht
headers=$T/root/usr/include

check "mktrace builds a recording" "$SPHT_MKTRACE" -o r.spht "$TOP/tests/data/replay-golden.txt"
check "make install-headers succeeds" make -C "$TOP" install-headers \
	BUILD="$T/b" DESTDIR="$T/root" prefix=/usr

# Headers by themselves, as whoever writes a plugin has them.
for header in "$headers"/spht/*.h; do
	name=$(basename "$header")
	printf '#include <spht/%s>\n#include <spht/%s>\n' "$name" "$name" >alone.c
	for lang in c11 gnu17 c++17; do
		case $lang in
		c++*) compiler="${CXX:-g++} -x c++" ;;
		*) compiler="$CC -x c" ;;
		esac
		# shellcheck disable=SC2086
		if ! command -v ${compiler%% *} >/dev/null; then
			skip "$name compiles alone, and twice, as $lang" "no ${compiler%% *} here"
			continue
		fi
		check "$name compiles alone, and twice, as $lang" $compiler -std=$lang -Wall -Wextra \
			-pedantic -Werror -I"$headers" -fsyntax-only alone.c
	done
done
check "all public headers were tried" test -e "$headers/spht/heuristic.h" -a -e "$headers/spht/lru.h" -a \
	-e "$headers/spht/asked.h"

# The example.
cp -r "$TOP/examples/lastdelta" .
rm -f lastdelta/*.so
check "the example is built with the installed headers" \
	make -C lastdelta CC="$CC" CFLAGS="-O2 -Werror" includedir="$headers"
mv lastdelta/lastdelta.so .
sha=$(sha256sum lastdelta.so | cut -d' ' -f1)
check "it replays a real recording, beside a built-in heuristic" "$SPHT_REPLAY" \
	--heuristic='./lastdelta.so:depth=1|8' --heuristic=stride --csv=one.csv "$sample"
cp out report
has "  the report tells file and hash" report "^  plugin            lastdelta\\.so, sha256 $sha\$"
cells one.csv heuristic params plugin plugin_sha256 >got
cat >want <<END
lastdelta depth=1;spaces=16;on=hidden lastdelta.so $sha
lastdelta depth=8;spaces=16;on=hidden lastdelta.so $sha
stride $(cells one.csv params | tail -n 1) - -
END
same "  the table tells them too, and nothing of what is built in" want got
check "  it asks for entries, gets some, and avoids faults" awk '
	$1 == "lastdelta" && !($2 > 0 && $3 > 0 && $4 > 0) { bad = 1 } END { exit(bad || NR != 3) }' <<END
$(cells one.csv heuristic generated built avoided_direct)
END
check "the same replays with two threads" "$SPHT_REPLAY" -j 2 --quiet \
	--heuristic='./lastdelta.so:depth=1|8' --heuristic=stride --csv=two.csv "$sample"
same "  to the same table" one.csv two.csv

cp "$sample" s.spht
mkdir -p 'a:b/c'
cp lastdelta.so a:b/c/copy.so
check "a copy in a folder with a colon is found, and is the same plugin" "$SPHT_REPLAY" \
	--heuristic=./lastdelta.so --heuristic="$T/a:b/c/copy.so:depth=4|5" --list-configurations
cp out out1
cp err err1
printf './lastdelta.so:depth=%s;spaces=16;on=hidden\n' 4 5 >want
same "  it is listed by its first name" want out1
has "  and once" err1 'copy\.so:depth=4\|5: 1 of its configurations asked for before'

check "without parameters it is found too" "$SPHT_REPLAY" --heuristic="$T/a:b/c/copy.so" \
	--list-configurations
echo "$T/a:b/c/copy.so:depth=4;spaces=16;on=hidden" >want
same "  and listed as it can be given back" want out

check "its help succeeds" "$SPHT_REPLAY" --heuristic=./lastdelta.so:help
cp out help
has "  with the parameters" help '^  depth=4$'
has "  and the file" help "^Plugin: \\./lastdelta\\.so, sha256 $sha\$"
check "the list of heuristics succeeds" "$SPHT_REPLAY" --heuristic=./lastdelta.so --heuristic=help
has "  and has the plugins that were named before" out '^  lastdelta   the pages .* \(\./lastdelta\.so\)$'
check "the list without a plugin succeeds" "$SPHT_REPLAY" --heuristic=help
lacks "  and tells of none" out 'Plugins'

# plugin NAME FLAG...: NAME.so from NAME.c; what FLAGs include comes first.
plugin()
{
	plugin_name=$1
	shift
	check "$plugin_name.so is compiled" "$CC" -shared -fPIC -O2 "$@" \
		-I"$headers" -o "$plugin_name.so" "$plugin_name.c"
}

# Every built-in heuristic under another name.
: >args
for file in "$TOP"/heuristics/*.c; do
	name=$(basename "$file" .c)
	{
		sed "s/\\.name = \"$name\"/.name = \"my_$name\"/" "$file"
		echo "SPHT_PLUGIN($name);"
	} >"my_$name.c"
	has "my_$name is another name" "my_$name.c" "name = \"my_$name\""
	plugin "my_$name" -I"$TOP/heuristics"
	echo "--heuristic=$name --heuristic=./my_$name.so" >>args
done
# shellcheck disable=SC2046
check "the built-in heuristics replay beside themselves as plugins" "$SPHT_REPLAY" -j 2 --quiet \
	$(cat args) --csv=twins.csv "$sample"
check "to the same rows, but for name and file" python3 - twins.csv "$(wc -l <args)" <<'END'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
assert len(rows) == 2 * int(sys.argv[2]) > 0
for built_in, plugin in zip(rows[::2], rows[1::2]):
    assert plugin.pop("heuristic") == "my_" + built_in.pop("heuristic")
    assert plugin.pop("plugin").startswith("my_") and built_in.pop("plugin") == ""
    assert plugin.pop("plugin_sha256") and built_in.pop("plugin_sha256") == ""
    assert plugin == built_in, [(k, built_in[k], plugin[k]) for k in plugin if plugin[k] != built_in[k]]
END

# refused STATUS WHAT REGEX SPEC: one line, no table, the old one untouched.
refused()
{
	echo old >u.csv
	status "$1" "$2 is refused" "$SPHT_REPLAY" --heuristic="$4" --csv=u.csv r.spht || return 1
	cp err err1
	cp out out1
	has "  it says: $3" err1 "^spht-replay: --heuristic=.*: $3"
	check "  in one line, and nothing else is written" test \
		"$(wc -l <err1)-$(wc -c <out1)-$(cat u.csv)" = 1-0-old
}
how='expected a shared object made by cc -shared -fPIC$'
refused 1 "a file that is not there" "cannot be opened: No such file or directory; $how" ./no.so
refused 1 "a folder" "no regular file; $how" ./lastdelta
mkfifo pipe.so
refused 1 "a pipe" "no regular file; $how" ./pipe.so
: >empty.so
refused 1 "an empty file" "no ELF file; $how" ./empty.so
refused 1 "a text file" "no ELF file; $how" "$TOP/README.md"
check "an object file is compiled" "$CC" -c -fPIC -I"$headers" -o object.o lastdelta/lastdelta.c
refused 1 "an object file" "an object file that is not linked; $how" ./object.o
refused 1 "a program" "cannot be loaded: .*" "$SPHT_TRACE"
for n in 60 64 300 4096 12000; do
	head -c $n lastdelta.so >short.so
	refused 1 "a plugin cut at $n bytes" "(no ELF file; $how|cut short at $n bytes; copy or build it anew\$)" \
		./short.so
done
{
	head -c 18 lastdelta.so
	printf '\377\377'
	tail -c +21 lastdelta.so
} >other.so
refused 1 "a plugin for another machine" "made for another machine; $how" ./other.so
echo 'int spht_missing(void); int here(void) { return spht_missing(); }' >undefined.c
plugin undefined
refused 1 "a plugin that lacks a function" 'cannot be loaded: .*undefined symbol: spht_missing' ./undefined.so
sed '/^SPHT_PLUGIN/d' lastdelta/lastdelta.c >nosymbol.c
plugin nosymbol
refused 1 "a shared object that is no plugin" \
	'exports no symbol spht_plugin: end the source with SPHT_PLUGIN\(NAME\)' ./nosymbol.so
# Linked with a plugin is not one.
plugin nosymbol -Wl,--no-as-needed ./lastdelta.so
refused 1 "one that is linked with a plugin" 'exports no symbol spht_plugin' ./nosymbol.so
echo 'int spht_plugin(void) { return 0; }' >function.c
plugin function
refused 1 "a symbol that is no pointer" 'its symbol spht_plugin is no pointer: define it by SPHT_PLUGIN' \
	./function.so
echo 'const void *const spht_plugin;' >null.c
plugin null
refused 1 "a pointer to nothing" 'its spht_plugin points to nothing in the file' ./null.so
echo '#include <stdio.h>
const void *const spht_plugin = &stdout;' >elsewhere.c
plugin elsewhere
refused 1 "a pointer to another's memory" 'its spht_plugin points to nothing in the file' ./elsewhere.so

# bad NAME SCRIPT WHAT REGEX: the example, changed.
bad()
{
	sed "$2" lastdelta/lastdelta.c >"$1.c"
	plugin "$1"
	refused 1 "$3" "$4" "./$1.so"
}
abi=$(sed -n 's/^#define SPHT_HEURISTIC_ABI \([0-9]*\)$/\1/p' "$headers/spht/heuristic.h")
check "the version of the interface is found" test "$abi" -gt 0
mkdir -p newer/spht
sed "s/^#define SPHT_HEURISTIC_ABI $abi/#define SPHT_HEURISTIC_ABI $((abi + 1))/" \
	"$headers/spht/heuristic.h" >newer/spht/heuristic.h
cp lastdelta/lastdelta.c abi.c
plugin abi -Inewer
refused 1 "a plugin for another interface" \
	"heuristic made for interface $((abi + 1)) of [0-9]+ bytes, this program has interface $abi of [0-9]+: compile it anew" \
	./abi.so
sed 's/^	bool (\*foresee)/	void *later;\n&/' "$headers/spht/heuristic.h" >newer/spht/heuristic.h
cp lastdelta/lastdelta.c size.c
plugin size -Inewer
refused 1 "a plugin for a larger struct" \
	"heuristic made for interface $abi of [0-9]+ bytes, this program has interface $abi of [0-9]+: compile it anew" \
	./size.so
bad name 's/\.name = "lastdelta"/.name = "Last Delta"/' "a name that is none" \
	'\(no valid name\): the name must be a-z'
bad builtin 's/\.name = "lastdelta"/.name = "window"/' "the name of a built-in heuristic" \
	'its heuristic is named window, as that of the built-in one: give it a name of its own$'
bad range 's/, 4, 1, 64, /, 65, 1, 64, /' "a default outside its range" \
	'lastdelta: parameter 1 \(depth\) has a default outside its range$'
bad nohelp 's/^		   "pages asked for.*/NULL},/' "a parameter without help" \
	'lastdelta: parameter 1 \(depth\) needs one line of help$'
bad notable 's/\.params = lastdelta_params/.params = 0/' "a table that is not there" \
	'lastdelta: too many parameters, or no table of them$'
bad nosize 's/\.state_size = lastdelta_size,//' "init() without state_size()" \
	'lastdelta: init\(\) without state_size\(\)$'

sed 's/pages at the/page at the/' lastdelta/lastdelta.c >second.c
plugin second
status 1 "two plugins of one name are refused" "$SPHT_REPLAY" --heuristic=./lastdelta.so \
	--heuristic=./second.so r.spht
has "  it says which" err 'second\.so: its heuristic is named lastdelta, as that of \./lastdelta\.so'
refused 2 "a parameter that the plugin has not" \
	"lastdelta has no parameter 'dept'; did you mean 'depth'\\? valid: depth, spaces, on\$" \
	./lastdelta.so:dept=1
refused 2 "a value out of its range" "lastdelta: depth='65' is out of range; valid: 1\\.\\.64 pages\$" \
	'./lastdelta.so:depth=1|65'
refused 2 "a plugin without its folder" "there is no heuristic 'lastdelta.so'; a file is named with its folder, as \\./mine\\.so" \
	lastdelta.so

# A plugin that asks for anything: pages that cannot be, spaces that are not there.
cat >wild.c <<'END'
#include <spht/heuristic.h>
static void wild(void *state, const int64_t *params, const struct spht_fault *f, struct spht_host *host)
{
	static const uint64_t odd[] = {0, 1, 0xfffffffff, 0x1000000000, UINT64_MAX};
	(void)state;
	(void)params;
	for (int i = 0; i < 5; i++)
		for (int k = 0; k < 5; k++) {
			spht_request(host, odd[i], odd[k]);
			spht_watch(host, f->space, odd[k]);
			spht_request(host, odd[i], f->vpn);
			spht_look(host, odd[i], odd[k]);
		}
}
SPHT_HEURISTIC(wild, .name = "wild", .summary = "anything", .cite = "none", .fault = wild);
SPHT_PLUGIN(wild);
END
plugin wild
check "a plugin that asks for what cannot be does no harm" "$SPHT_REPLAY" --heuristic=./wild.so \
	--verify --quiet --csv=wild.csv "$sample"
check "  and its books close" awk '{ exit !($1 > 0 && $2 > 0) }' <<END
$(cells wild.csv generated unknown)
END

# As many parameters as there may be, with the longest names.
python3 - >wide.c <<'END'
print("#include <spht/heuristic.h>\nstatic const struct spht_param wide_params[] = {")
for i in range(32):
    print('{"%s%02d", SPHT_PARAM_INT, %d, INT64_MIN, INT64_MAX, false, "", 0, "default: any"},'
          % ("x" * 38, i, -2**63 + 1 + i))
print("""};
SPHT_HEURISTIC(wide, .name = "wide", .summary = "nothing", .cite = "none", .params = wide_params,
	       .nr_params = 32);
SPHT_PLUGIN(wide);""")
END
plugin wide
check "a plugin with many long parameters replays" "$SPHT_REPLAY" --heuristic=./wide.so --csv=wide.csv r.spht
cp out report
params=$(cells wide.csv params)
has "  whose names are all in the report" report "^wide .*x01=-9223372036854775806;.*x31=-9223372036854775776 "
check "  and all in the row" test ${#params} = $((32 * 62 - 1))
check "  as they are listed" "$SPHT_REPLAY" --heuristic="./wide.so:$params" --list-configurations
echo "./wide.so:$params" >want
same "  when they are given again" want out

many=$(echo "$params" | sed 's/=[^;]*/=1|2|3|4|5|6|7|8/g')
refused 2 "a product that no counter holds" \
	'at least 18446744073709551615 configurations, more than the 100000 of one run' "./wide.so:$many"

# One whose state cannot be had.
sed 's/return spht_lru_size.*/(void)params; return SIZE_MAX;/' lastdelta/lastdelta.c >hungry.c
plugin hungry
rm -f u.csv
if [ -n "$SPHT_SANITIZED" ]; then
	skip "a plugin whose state cannot be had is an error" "a sanitizer ends there by itself"
else
	status 1 "a plugin whose state cannot be had is an error" "$SPHT_REPLAY" \
		--heuristic=./hungry.so --csv=u.csv r.spht
	has "  of memory" err '^spht-replay: r\.spht: out of memory'
fi
check "  and no table is written" test ! -e u.csv

# Large states count in what runs together: 24 of 32 MiB do not.
sed -e 's/return spht_lru_size.*/(void)params; return 32 << 20;/' \
	-e 's/spht_lru_init(state, .*/(void)params; __builtin_memset(state, 1, 32 << 20);/' \
	-e 's/if (!spht_is_on(.*/if (params)/' lastdelta/lastdelta.c >large.c
plugin large
check "states that are large replay" "$SPHT_REPLAY" --heuristic='./large.so:depth=1|2|3|4|5|6|7|8' --timing --quiet r.spht
rss=$(sed -n 's/^timing:.* maxrss_kb=//p' err)
if [ -n "$SPHT_SANITIZED" ]; then
	skip "  and not all at once" "a sanitizer's memory is counted too"
else
	check "  and not all at once ($rss KiB)" test "$rss" -gt 65536 -a "$rss" -lt 400000
fi

# A C++ compiler fills the table in by position.
cat >plus.cc <<'END'
#include <spht/heuristic.h>
static void fault(void *, const int64_t *, const spht_fault *f, spht_host *host)
{
	spht_request(host, f->space, f->vpn ^ 1);
}
static const struct spht_heuristic spht_heuristic_plus = {
	SPHT_HEURISTIC_ABI, sizeof(struct spht_heuristic), "plus", "the page beside", "none", nullptr, 0,
	nullptr, nullptr, fault, nullptr, nullptr, nullptr};
SPHT_PLUGIN(plus);
END
if command -v "${CXX:-g++}" >/dev/null; then
	check "a plugin in C++ is compiled" "${CXX:-g++}" -std=c++17 -Wall -Wextra -pedantic -Werror \
		-shared -fPIC -I"$headers" -o plus.so plus.cc
	check "  and replays" "$SPHT_REPLAY" --heuristic=./plus.so --quiet --csv=plus.csv "$sample"
	check "  and avoids faults" test "$(cells plus.csv avoided_direct)" -gt 0
else
	skip "a plugin in C++ is compiled, replays and avoids faults" "no ${CXX:-g++} here"
fi

# The tutorial: its pieces of code, and its commands.
awk '/^## Tutorial/ { on = 1; next } /^## / { on = 0 }
	on && /^```c$/ { code = 1; if (n++) print ""; next } /^```/ { code = 0 } code' \
	"$TOP/docs/heuristics.md" >tutorial.c
same "the tutorial's pieces, put together, are the example" "$TOP/examples/lastdelta/lastdelta.c" tutorial.c
awk '/^## Tutorial/ { on = 1; next } /^## / { on = 0 }
	on && /^```sh$/ { code = 1; next } /^```/ { code = 0 } code' "$TOP/docs/heuristics.md" >tutorial.sh
mkdir -p tree/scripts home
cp -r "$TOP/Makefile" "$TOP/install.mk" "$TOP/heuristics" "$TOP/examples" tree
cp "$TOP/scripts/install-files" tree/scripts
rm -f tree/examples/*/*.so
ln -s "$TOP/traces" tree/traces
tutorial()
{
	(cd tree && HOME=$T/home PATH=$(dirname "$SPHT_REPLAY"):$PATH sh -eu ../tutorial.sh)
}
check "the tutorial's commands succeed" tutorial
cp out tutorial.out
check "  with as many results as it says" test \
	"$(grep -c '^lastdelta depth=' tutorial.out)-$(grep -c '^stride ' tutorial.out)" = 3-1
finish
