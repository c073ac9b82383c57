#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/artifact: what is committed is reproduced by itself, and whatever was changed in a
# recording, a table, the text or a figure is noticed and named. tests/cli/results.sh makes
# the page; make artifact does both.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

artifact()
{
	"$TOP/scripts/artifact" "$@"
}

# made: a folder that is as what is committed.
made()
{
	rm -rf made
	mkdir made && cp "$TOP/docs/results.md" made && cp -r "$TOP/docs/figures" made/figures
}

# differs SENTENCE REGEX: the folder is not what is committed, and a line says why.
differs()
{
	status 1 "$1 is noticed" artifact --compare=made
	cp out said
	has "  it says: $2" said "$2"
	has "  and how many differ" said '^[0-9]+ reproduced, 1 differ$'
	has "  and in the end that it is not reproduced" said '^made: NOT reproduced'
}

status 0 "--help says what there is" artifact --help
for option in output samples against compare; do
	has "  --$option" out "^  --$option"
done

made
check "what is committed is reproduced by itself" artifact --compare=made
cp out said
tables=$(grep -c '^reproduced  table' said)
figures=$(grep -c '^reproduced  figure' said)
check "  every table of the page is compared" test "$tables" -eq \
	"$(grep -cE '^\|[-:|]+\|$' "$TOP/docs/results.md")"
check "  and every figure that it shows" test "$figures" -gt 0 -a "$figures" -eq \
	"$(grep -c '^!\[' "$TOP/docs/results.md")"
sed -n 's/^!\[.*](\(.*\))$/\1/p' "$TOP/docs/results.md" | while read -r name; do
	[ -r "$TOP/docs/$name" ] || echo "$name"
done >missing
check "  which are there" test ! -s missing
lacks "  and nothing differs" said '^differs'

mkdir made/data
echo x >made/data/x.csv
(cd made && python3 -c 'import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1] + "/scripts")
from statlib import reproduced
sys.stdout.write(reproduced.manifest("."))' "$TOP") >sums
(cd made && sha256sum --check --quiet ../sums) 2>bad
check "MANIFEST is what sha256sum takes" test ! -s bad
sed 's/^[^ ]*  //' sums >listed
(cd made && find . -type f | sed 's,^\./,,' | LC_ALL=C sort) >have
same "  and lists all there is" have listed

made
sed -i '/^| window | default |/s/[0-9]/&1/' made/results.md

status 1 "another value of a heuristic is noticed" artifact --compare=made
has "  with its table" out '^differs +table +Prefetch window 1, 1 vCPU'
has "  the line that was expected" out '^ +-\| window \| default \|'
has "  and the line that came" out '^ +\+\| window \| default \|'

made
sed -i '/^| stride | default | [0-9]/d' made/results.md
status 1 "a heuristic that is not there is noticed" artifact --compare=made
has "  with its table" out '^ +-\| stride \| default \|'

made
sed -i '0,/% of F_base/s//% of all/' made/results.md
differs "another sentence" '^differs +text '

made
sed -i '/^### What was tried/,$d' made/results.md
status 1 "a page that was cut off is noticed" artifact --compare=made
has "  with what is missing" out 'is committed, and was not made'

made
sed -i '0,/<text>/s//<text >/' made/figures/classes.svg
differs "another figure" '^differs +figure +classes.svg'
has "  figures alone may be gnuplot's" said '^Only figures differ, and no table'
made
rm made/figures/time.svg
differs "a figure that was not made" '^ +is committed, and was not made$'
made
cp made/figures/time.svg made/figures/more.svg
differs "a figure more" '^differs +figure +more.svg'

made
rm made/results.md
status 1 "a folder without a page is no comparison" artifact --compare=made
has "  it says so" err '^artifact: made/results.md: No such file'
made
mkdir -p against/figures
echo nothing >against/results.md
status 1 "nor is a page without tables to hold it against" artifact --compare=made --against=against
has "  it says so" err 'has no tables'
cp "$TOP/docs/results.md" against
status 1 "nor are no figures" artifact --compare=made --against=against
has "  it says so" err 'against/figures: has no figures'

# ---- Recordings. Nothing is built or run before they are found to be right.
mkdir samples
for file in SHA256SUMS kbuild-cc-1vcpu.spht kbuild-w1-1vcpu.spht kbuild-w8-1vcpu.spht kbuild-w8-2vcpu.spht; do
	ln -s "$TOP/traces/samples/$file" samples/
done
(cd "$TOP/traces/samples" && ls ./*.spht | sed 's,^\./,,') >have
sed 's/^[^ ]*  //' samples/SHA256SUMS >listed
same "all recordings are listed" have listed
(cd samples && sha256sum --check --quiet SHA256SUMS) 2>bad
check "and are what the list says" test ! -s bad
rm samples/kbuild-w8-2vcpu.spht
cp "$TOP/traces/samples/kbuild-w8-2vcpu.spht" samples/
printf x | dd of=samples/kbuild-w8-2vcpu.spht bs=1 seek=100000 conv=notrunc 2>dd.err
status 1 "one byte of a recording that is another ends it" artifact --samples=samples --output=none
has "  it says which" err 'samples/kbuild-w8-2vcpu.spht: is not the recording that SHA256SUMS lists'
check "  and makes nothing" test ! -e none
rm samples/kbuild-w8-2vcpu.spht
status 1 "a recording that is not there ends it" artifact --samples=samples --output=none
has "  it says which" err 'samples/kbuild-w8-2vcpu.spht: No such file'
rm samples/SHA256SUMS
echo 'abc  x' >samples/SHA256SUMS
status 1 "a list that is none ends it" artifact --samples=samples --output=none
has "  it says where" err 'SHA256SUMS:1: expected a sha256'
: >samples/SHA256SUMS
status 1 "an empty list ends it" artifact --samples=samples --output=none
has "  it says so" err 'lists no recording'

status 2 "an option that there is none of is refused" artifact --all
status 2 "an option without a value is refused" artifact --output
status 2 "a number of jobs that is none is refused" artifact -j x
status 2 "--compare makes nothing" artifact --compare=made --output=none
made
status 2 "what is compared with is not replaced" artifact --output=made/. --against=made
has "  it says so" err 'is what is compared with'
check "  and is all there" test -e made/results.md -a -e made/figures/time.svg
mkdir -p mine/data
echo precious >mine/data/own
status 2 "a folder of somebody else's is refused" artifact --output=mine
has "  it says why" err '^artifact: mine/data: is not of an earlier run'
check "  and is left alone" test "$(cat mine/data/own)" = precious
finish
