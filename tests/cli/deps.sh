#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/deps on machines that lack this and that, played by stand-ins for
# dpkg-query, apt-get, id and sudo; nothing is installed.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

deps=$TOP/scripts/deps

# A machine with these tools and no others.
mkdir "$T/bin"
for tool in cat sed printf env sh; do
	ln -s "$(command -v "$tool")" "$T/bin/$tool"
done
stand_in()
{
	{
		echo '#!/bin/sh'
		cat
	} >"$T/bin/$1"
	chmod +x "$T/bin/$1"
}

stand_in dpkg-query <<END
for last; do :; done
grep -qx "\$last" "$T/installed" && echo installed
END
ln -s "$(command -v grep)" "$T/bin/grep"
stand_in apt-get <<END
echo "apt-get \$*" >>"$T/log"
case "\$*" in
*update*) [ ! -e "$T/offline" ] ;;
*install*)
	[ ! -e "$T/offline" ] || exit 100
	for word; do echo "\$word"; done >>"$T/installed"
	;;
esac
END
stand_in id <<'END'
echo 0
END

run()
{
	env PATH="$T/bin" sh "$deps" "$@"
}
all_installed()
{
	"$deps" --list | sed 's/ .*//' >"$T/installed"
	: >"$T/log"
}

all_installed
check "deps does nothing where all is installed" run
check "deps calls no apt-get where all is installed" test ! -s "$T/log"
check "deps prints nothing where all is installed" test ! -s "$T/out" -a ! -s "$T/err"
check "deps --check succeeds where all is installed" run --check

sed -i -e '/^mandoc$/d' -e '/^zstd$/d' "$T/installed"
status 1 "deps --check fails where something is missing" run --check
has "deps --check names it" "$T/err" '^ *mandoc '
check "deps --check installs nothing" test ! -s "$T/log"
check "deps installs what is missing" run
has "deps says why" "$T/err" '^ *mandoc +[a-z]'
has "deps updates the package lists first" "$T/log" '^apt-get .*update'
has "deps installs only what is missing" "$T/log" 'install -y --no-install-recommends zstd mandoc$'

all_installed
sed -i '/^mandoc$/d' "$T/installed"
: >"$T/offline"
status 1 "deps fails where nothing can be fetched" run
has "deps says what could not be installed" "$T/err" 'could not install: mandoc'
has "deps says how to go on without" "$T/err" 'DEPS=:'
rm "$T/offline"

stand_in id <<'END'
echo 1000
END
status 1 "deps fails without root and sudo" run
has "deps gives the command for root" "$T/err" 'apt-get install mandoc'
stand_in sudo <<END
echo "sudo \$*" >>"$T/log"
exec "\$@"
END
check "deps installs through sudo" run
has "deps asks sudo for apt-get" "$T/log" '^sudo .*apt-get .*install'

rm "$T/bin/apt-get"
check "deps leaves a system that is not Debian alone" run
has "deps says so" "$T/err" 'no Debian system'
status 2 "deps refuses an unknown option" run --frobnicate

finish
