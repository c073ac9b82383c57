# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Sourced by check.sh: a clean Debian in $ROOT.  All mounts are in the namespace that run made.

# What this machine is, from where it fetches.
# shellcheck source=/dev/null
SUITE=$(. /etc/os-release && echo "$VERSION_CODENAME")
# mirrors: "URI SUITE" of each of Debian's archives that apt knows.
mirrors()
{
	apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Origin: Debian' 'Created-By: Packages' \
		'Component: main' 2>/dev/null | sort -u | grep " $SUITE" ||
		echo "http://deb.debian.org/debian $SUITE"
}

# A root as debootstrap leaves it, from the archive that an earlier run kept.
make_root()
{
	archive=$CACHE/root-$SUITE-$(dpkg --print-architecture).tar.gz
	mirrors >"$T/mirrors"
	if [ ! -e "$archive" ]; then
		mirror=$(sed -n "s/ $SUITE\$//p" "$T/mirrors" | head -n 1)
		debootstrap --variant=minbase "$SUITE" "$ROOT" "$mirror" || return 1
		inside apt-get clean
		part=$(mktemp "$archive.XXXXXXXX.part") || return 1
		tar -C "$ROOT" --one-file-system --exclude=./proc/* --exclude=./sys/* -czf "$part" . &&
			mv "$part" "$archive" || return 1
	else
		tar -C "$ROOT" -xpf "$archive" || return 1
	fi
	# Whatever our umask is: it is a user's / now.
	chmod 0755 "$ROOT"
	# Slurm wants control groups; those of the machine, as where make check is run by hand.
	mount -t proc proc "$ROOT/proc" && mount -t sysfs -o ro sysfs "$ROOT/sys" &&
		mount --rbind /sys/fs/cgroup "$ROOT/sys/fs/cgroup" &&
		mount -t tmpfs tmpfs "$ROOT/dev/shm" &&
		mount -t devpts -o newinstance,ptmxmode=0666 devpts "$ROOT/dev/pts" || return 1
	sed 's/^/deb /; s/$/ main/' "$T/mirrors" >"$ROOT/etc/apt/sources.list"
	apt-config dump | grep -E '^Acquire::(http|https)::Proxy' >"$ROOT/etc/apt/apt.conf.d/80proxy"
	cp -L /etc/resolv.conf "$ROOT/etc/resolv.conf"
	# No service is started.
	printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
	chmod +x "$ROOT/usr/sbin/policy-rc.d"
	mkdir -p "$CACHE/debs" "$ROOT/debs"
	cp -n "$CACHE"/debs/*.deb "$ROOT/var/cache/apt/archives/" 2>/dev/null
	inside apt-get -q update
}

# inside COMMAND...: as root in the root, with nothing of our environment.
inside()
{
	chroot "$ROOT" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
		DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} "$@" </dev/null
}

# as_user COMMAND...: the same as user, in the home folder.
as_user()
{
	chroot --userspec=user:user "$ROOT" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/home/user LC_ALL=C \
		USER=user sh -c 'cd && exec "$@"' sh "$@" </dev/null
}

# install_debs FILE-OR-PACKAGE...: packages of ours are files, with a slash.
install_debs()
{
	for word; do
		shift
		case $word in
		*/*)
			cp "$word" "$ROOT/debs/" || return 1
			word=/debs/${word##*/}
			;;
		esac
		set -- "$@" "$word"
	done
	inside apt-get -qy install --no-install-recommends "$@" || return 1
	cp -n "$ROOT"/var/cache/apt/archives/*.deb "$CACHE/debs/" 2>/dev/null
	return 0
}

packages()
{
	inside dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p' | sort -u
}

# files: all names but those that package tools, homes and logs change by themselves.
files()
{
	(cd "$ROOT" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./home -o -path ./debs -o \
		-path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o \
		-path ./tmp \) -prune -o -print) | LC_ALL=C sort
}

# The row of r.csv that the user made, but for file name and commit, is what was built here makes.
row_of_build()
{
	"$SPHT_REPLAY" --heuristic=stride --quiet --csv="$T/built.csv" \
		"$TOP/traces/samples/kbuild-w8-1vcpu.spht" || return 1
	python3 - "$T/built.csv" "$ROOT/home/user/r.csv" <<'END'
import csv, sys
rows = [list(csv.DictReader(open(name))) for name in sys.argv[1:]]
assert len(rows[0]) == len(rows[1]) == 1
for row in (rows[0][0], rows[1][0]):
    for volatile in ("trace", "git_commit"):
        row.pop(volatile)
differ = {k: (v, rows[1][0].get(k)) for k, v in rows[0][0].items() if rows[1][0].get(k) != v}
assert rows[0][0].keys() == rows[1][0].keys() and not differ, differ
END
}

import_one()
{
	xz -dc "$TOP/tests/data/kbuild-v7.dat.xz" >"$ROOT/home/user/t.dat" && chmod 644 "$ROOT/home/user/t.dat" &&
		as_user spht-record --import=t.dat -o i.spht
}
