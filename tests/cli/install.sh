#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make install and uninstall: what is installed runs by itself wherever it lies, plugins are
# built with what pkg-config says, and uninstall leaves the tree as it was.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

CC=${CC:-gcc}
root="$T/a root"
sample=share/spht/samples/kbuild-w8-1vcpu.spht

# What was built is what is installed: nothing is built here.
target()
{
	make -C "$TOP" -o all BUILD="$BUILD" prefix=/opt/spht DESTDIR="$root" "$@"
}

# tree FOLDER: every name in it, with kind, mode and where a link goes to.
tree()
{
	(cd "$1" && find . -printf '%y %m %p %l\n' | LC_ALL=C sort)
}

# A tree that has something in it already, and an empty folder that we use too.
mkdir -p "$root/opt/spht/bin" "$root/opt/spht/share/man/man5" "$root/etc"
echo other >"$root/opt/spht/bin/other"
tree "$root" >before
check "make install succeeds" sh -c 'umask 077 && exec "$@"' - make -C "$TOP" -o all BUILD="$BUILD" \
	prefix=/opt/spht DESTDIR="$root" install
find "$root/opt/spht/lib" "$root/opt/spht/share/spht" "$root/opt/spht/share/doc" ! -type l ! -perm -444 >closed
check "  for all users, whatever the caller's umask is" test ! -s closed
tree "$root" >first
check "a second make install succeeds" target install
tree "$root" >second
same "  and changes no name, mode or link" first second
find "$root" -xtype l >broken
check "no installed link leads nowhere" test ! -s broken
(cd "$root/opt/spht/bin" && ls) | grep -v other >names
for name in spht-replay spht-trace spht-sweep spht-stats spht-tables spht-windows spht-plot spht-report; do
	has "$name is installed" names "^$name\$"
	check "  and bash finds a completion by its name" \
		test -r "$root/opt/spht/share/bash-completion/completions/$name"
done
grep -rlIF -e "$TOP" -e "$BUILD" -e "$root" "$root" >tells
check "no installed text names the sources, the build or DESTDIR" test ! -s tells
pages()
{
	(cd "$root/opt/spht/share" && find . -name '*.md' | LC_ALL=C sort) >pages
	xargs /usr/bin/python3 "$TOP/tests/tools/pages.py" links "$root/opt/spht/share" <pages
}
check "every link of every installed page leads to what is installed" pages
has "  samples' page among them" pages '^\./spht/samples/README\.md$'
has "  a link to a manual page is its name" "$root/opt/spht/share/doc/spht/README.md" 'spht-record\(1\) tells'
has "  and one to the sources says so" "$root/opt/spht/share/doc/spht/docs/hardening.md" \
	'^`tests/fuzz` of the sources has '
status 1 "a page that is not there is none to install" sh -c \
	'cd "$1" && scripts/installed-page docs/no.md README.md' - "$TOP"
for name in "$root"/opt/spht/bin/spht-*; do
	test -r "$root/opt/spht/share/man/man1/${name##*/}.1" || echo "${name##*/}"
done >missing
check "every installed program has a manual page" test ! -s missing

# Those whose name ends in -reading are parts of others.
(cd "$TOP/docs" && ls ./*.md) | grep -v -e '-reading\.md$' >want
(cd "$root/opt/spht/share/doc/spht/docs" && ls ./*.md) >got
same "  and every page of docs/ is installed" want got

# Elsewhere, in an environment that knows nothing of the sources.
cp -a "$root/opt/spht" moved
installed()
{
	(cd "$T" && env -i PATH="$T/moved/bin:/usr/bin:/bin" HOME=/nonexistent TMPDIR="$T" LC_ALL=C "$@")
}
check "the installed spht-replay replays the installed sample" installed spht-replay \
	--heuristic=stride --quiet --csv=one.csv "moved/$sample"
check "the one that was built does too" "$SPHT_REPLAY" --heuristic=stride --quiet \
	--csv=two.csv "$TOP/traces/samples/kbuild-w8-1vcpu.spht"
# The name of a recording is as it was given.
awk -F, 'NR > 1 { sub(/^[^,]*\//, "") } 1' one.csv >one
awk -F, 'NR > 1 { sub(/^[^,]*\//, "") } 1' two.csv >two
same "  to the same row" one two
check "spht-trace looks into it" installed spht-trace info "moved/$sample"
echo '{"traces": ["moved/'$sample'"], "heuristics": ["none", "stride"]}' >plan.json
check "spht-sweep finds the spht-replay beside it" installed spht-sweep run plan.json
check "  and merges what that found" installed spht-sweep merge --csv=merged.csv plan.json
cells merged.csv heuristic >got
printf '%s\n' none stride >want
same "  a row for each" got want
check "spht-tables runs the programs beside it" installed spht-tables fidelity "moved/$sample"
has "  and makes its table" out '^\| kbuild-w8-1vcpu \| 9'
if /usr/bin/python3 -c 'import scipy.stats' 2>/dev/null; then
	check "spht-stats reads the table" installed spht-stats recordings merged.csv
else
	skip "spht-stats reads the table" "python3-scipy is not installed"
fi
for script in sweep stats tables windows plot report; do
	case $script in
	stats | windows) /usr/bin/python3 -c 'import scipy.stats' 2>/dev/null || continue ;;
	esac
	check "spht-$script --help succeeds" installed "spht-$script" --help
	has "  and calls itself so" out "^usage: spht-$script "
	lacks "  and not as it is called in the sources" out "scripts/$script"
done
find moved -name '*.pyc' -o -name __pycache__ >left
check "no script leaves a file where it is installed" test ! -s left

# Plugins.
pc()
{
	PKG_CONFIG_PATH="$T/moved/share/pkgconfig" pkg-config --define-variable=prefix="$T/moved" "$@" spht
}
abi=$(sed -n 's/^#define SPHT_HEURISTIC_ABI \([0-9]*\)$/\1/p' "$TOP/heuristics/heuristic.h")
version=$("$SPHT_REPLAY" --version | awk '{ print $2; exit }')
has "the Debian packages have the same version" "$TOP/debian/changelog" "^spht \\($version\\) "
if command -v pkg-config >/dev/null; then
	check "spht.pc has the version of spht-replay and the interface's" test \
		"$(pc --modversion) $(pc --variable=abi)" = "$version $abi"
	plugins=$(pc --variable=plugindir)
	check "its folder for plugins is there" test -d "$plugins"
	# shellcheck disable=SC2046 # flags are words
	check "the installed example is built as it says" "$CC" -O2 -shared -fPIC $(pc --cflags) \
		-o "$plugins/lastdelta.so" moved/share/doc/spht/examples/lastdelta/lastdelta.c
	check "  and runs" installed spht-replay --heuristic="$plugins/lastdelta.so" --quiet \
		--csv=plugin.csv "moved/$sample"
else
	skip "plugins are built with spht.pc" "pkg-config is not installed"
fi

# A file of somebody else's is no reason to remove its folder.
echo mine >"$root/opt/spht/lib/spht/heuristics/mine.so"
check "make uninstall succeeds" target uninstall
has "  and names a folder that somebody put something into" err 'left, not empty: .*/heuristics$'
rm -r "$root/opt/spht/lib"
tree "$root" >after
same "  and leaves all else as it was before" before after
status 2 "a second make uninstall fails" target uninstall
has "  and says that nothing is there" err 'install.list: not there: nothing is installed'
status 2 "a relative prefix is refused" target install prefix=opt DESTDIR=
has "  with the remedy" err 'expected an absolute name; say prefix='
check "  before anything is put there" test ! -e "$TOP/opt"

check "make install-headers succeeds" target install-headers
check "make uninstall takes them away" target uninstall
tree "$root" >after
same "  and nothing else" before after

# It puts the second folder's files there, and breaks off.
cat >half <<'END'
#!/bin/sh
install "$@"
case $* in */share/spht/scripts) exit 1 ;; esac
END
chmod +x half
status 2 "an installation that breaks off fails" target install INSTALL="$T/half"
check "  with files that are there by then" test -e "$root/opt/spht/share/spht/scripts/plot"
check "make uninstall takes these away, too" target uninstall
tree "$root" >after
same "  and all is as it was before" before after

check "make install without a list succeeds" target install MANIFEST=
check "  and makes none" test ! -e "$root/opt/spht/share/spht/install.list"

# A list that somebody else wrote removes nothing.
for line in 'f /../x' 'f x' 'rm /' 'd /opt/..'; do
	mkdir -p "$root/opt/spht/share/spht"
	echo "$line" >"$root/opt/spht/share/spht/install.list"
	tree "$root" >before
	status 2 "a list with '$line' is refused" target uninstall
	tree "$root" >after
	same "  and nothing is removed" before after
done

finish
