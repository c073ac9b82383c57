#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What tests/package/run runs in namespaces of its own: builds the packages, makes $ROOT a
# clean Debian, and tries in it, as a user, what is installed.
# shellcheck disable=SC2153 # ROOT and CACHE are told by run
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
cd "$T" || exit 1
# shellcheck source=tests/package/root.sh
. "$TOP/tests/package/root.sh"

DEBS=$BUILD/packages
SAMPLE=/usr/share/spht/samples/kbuild-w8-1vcpu.spht

none()
{
	cat "$1" >&2
	[ ! -s "$1" ]
}

# --- The packages themselves.

git -C "$TOP" status --porcelain --ignored >before 2>/dev/null
# Its unit tests are those of make check.
check "dpkg-buildpackage builds the packages" "$TOP/scripts/package" ${FULL:---no-tests} || finish
git -C "$TOP" status --porcelain --ignored >after 2>/dev/null
same "  and leaves the tree alone" before after
check "it builds them again, elsewhere" "$TOP/scripts/package" --no-tests -o "$T/again"
(cd "$DEBS" && sha256sum spht*.deb) >first
(cd "$T/again" && sha256sum spht*.deb) >second
same "  to the same bytes" first second
for package in spht spht-record spht-dev; do
	check "there is a package $package" test -e "$DEBS/$package"_*.deb
done
dpkg-deb -f "$DEBS"/spht_*.deb Depends | tr ',' '\n' | sed 's/^ *//; s/ .*//' >depends
printf '%s\n' libc6 libjansson4 libzstd1 >want
same "spht depends on libc, jansson and zstd only" want depends
dpkg-deb -f "$DEBS"/spht_*.deb Version >got
sed -n 's/^VERSION := //p' "$TOP/Makefile" >want
same "its version is that of the Makefile" want got
if command -v lintian >/dev/null; then
	# The project has no address that mail could be sent to.
	check "lintian finds no errors" lintian --allow-root --fail-on error \
		--suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog "$DEBS"/spht_*.changes
else
	skip "lintian finds no errors" "lintian is not installed"
fi

# --- In a clean root, what the packages depend on and nothing else.

check "debootstrap makes a clean root" make_root || finish
check "  with a user who is not root" inside useradd -m -s /bin/bash user
packages >clean
files >tree_clean
check "apt-get installs spht without what it recommends" install_debs "$DEBS"/spht_*.deb
packages >now
comm -13 clean now >got
grep -vxE 'libjansson4|libzstd1|spht' got >bad
check "  and nothing but what it depends on" none bad
has "  and itself" got '^spht$'
check "a user replays the installed sample" as_user spht-replay --heuristic=stride --csv=r.csv "$SAMPLE"
has "  and gets a report" out '^ +avoided exits +-?[0-9.]+ +\(strict '
check "  with the row of the spht-replay that was built here" row_of_build
check "a user looks into it with spht-trace info" as_user spht-trace info "$SAMPLE"
has "  which tells of its events" out '^events +3,467,528$'
check "  and verifies it" as_user spht-trace verify "$SAMPLE"
status 1 "a recording that is not there is refused" as_user spht-replay --heuristic=none no.spht
has "  in the program's own words" err '^spht-replay: no.spht: '
as_user rm r.csv
check "apt-get purges it" inside apt-get -qy purge spht
check "  with what came for it" inside apt-get -qy autoremove --purge
files >tree_after
same "  and leaves every name as it was before" tree_clean tree_after

# --- Beside a compiler, python3, man and bash-completion.

check "apt-get installs a compiler and other tools" install_debs gcc libc6-dev make pkg-config \
	python3 bash-completion man-db
packages >tools
files >tree_before
check "apt-get installs all three" install_debs "$DEBS"/spht_*.deb "$DEBS"/spht-record_*.deb \
	"$DEBS"/spht-dev_*.deb
for page in spht-replay spht-trace spht-record spht-calibrate spht-sweep spht-stats spht-tables \
	spht-windows spht-plot spht-report; do
	check "man $page is rendered" as_user sh -c "MANPAGER=cat man 1 $page"
	has "  and is that page" out '^N.?NA.?AM.?ME.?E|^NAME'
done
status 1 "spht-record --check says that a user cannot record here" as_user spht-record --check
has "  and why" out '^FAIL '
check "spht-record imports a trace.dat" import_one
check "  which spht-trace verifies" as_user spht-trace verify /home/user/i.spht
check "bash-completion loads the completion of spht-replay" as_user bash -c '
	. /usr/share/bash-completion/bash_completion
	_completion_loader spht-replay
	COMP_WORDS=(spht-replay --heuristic = strid) COMP_CWORD=3
	_spht spht-replay
	complete -p spht-replay && echo "${COMPREPLY[*]}"'
has "  which knows the heuristics" out '^stride$'
check "a plugin is built with pkg-config" as_user sh -c '
	cp -r /usr/share/doc/spht-dev/examples/lastdelta . && make -C lastdelta &&
	cc -O2 -shared -fPIC $(pkg-config --cflags spht) -o mine.so lastdelta/lastdelta.c'
for plugin in lastdelta/lastdelta.so mine.so; do
	check "  and $plugin runs" as_user spht-replay --heuristic="./$plugin" --quiet --csv=- "$SAMPLE"
	has "  with a row of its own" out '(^|,)lastdelta,'
done
check "a user runs a sweep" as_user sh -c "
	echo '{\"traces\": [\"$SAMPLE\"], \"heuristics\": [\"none\", \"stride\"]}' >plan.json
	spht-sweep run plan.json && spht-sweep merge --csv=merged.csv plan.json && wc -l <merged.csv"
has "  with a row for each heuristic" out '^3$'
check "a user makes a table" as_user spht-tables fidelity "$SAMPLE"

# --- And away again.

check "apt-get purges them" inside apt-get -qy purge spht spht-record spht-dev
check "  with what came for them" inside apt-get -qy autoremove --purge
packages | grep spht >bad
check "dpkg knows nothing of them" none bad
files >tree_after
same "  and every name is as it was before" tree_before tree_after

[ -z "$FULL" ] || . "$TOP/tests/package/full.sh"
finish
