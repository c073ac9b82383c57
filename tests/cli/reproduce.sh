#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# docs/reproduce.md: its commands run, and what the claims' commands find is what the tables
# of docs/results.md say. Those of make are looked up alone: .ci/run runs make artifact and
# make check, and that goes on from what make demo builds.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

if [ -n "$SPHT_SANITIZED" ]; then
	skip "commands of docs/reproduce.md" "tried by make check"
	finish
fi

page=$TOP/docs/reproduce.md
for name in traces scripts docs examples; do
	ln -s "$TOP/$name" .
done
PATH=$BUILD:$PATH
export PATH

# The lines of the page's sh blocks, one a command.
awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$page" >commands
check "the page has commands" test "$(wc -l <commands)" -ge 12

drawn=yes
command -v gnuplot >/dev/null && /usr/bin/python3 -c 'import scipy.stats' 2>/dev/null || drawn=
while read -r line <&3; do
	case $line in
	make\ *)
		check "there is: $line" make -n -C "$TOP" BUILD="$BUILD" MAKE=true ${line#make }
		;;
	'scripts/deps --check')
		# What is missing is no matter of this page, but it must say so.
		"$TOP/scripts/deps" --check >out 2>err
		check "$line" test $? -le 1
		;;
	scripts/results* | scripts/plot*)
		if [ -z "$drawn" ]; then
			skip "$line" "gnuplot or python3-scipy is not installed"
			continue
		fi
		check "$line" sh -c "$line"
		;;
	spht-* | scripts/* | \(cd\ traces*)
		check "$line" sh -c "$line"
		;;
	*)
		check "this test knows: $line" false
		;;
	esac
done 3<commands

# ---- What the commands found is what the tables say.
# group NAME: the table of results of a group, as heuristic, parameters and three worlds.
group()
{
	awk -F ' *[|] *' -v name="$1" '
		/^In the reading: / { on = $0 == "In the reading: `" name "`." ; next }
		/^### / { on = 0 }
		on && NF > 12 && $5 ~ /^[0-9,-]+$/ {
			gsub(/,/, "", $4); gsub(/,/, "", $5); gsub(/,/, "", $6)
			print $2, ($3 == "" ? "default" : $3), $4, $5, $6
		}' "$TOP/docs/results.md"
}
for name in w1-1 w8-1; do
	group $name >table-$name
	check "the table of $name is found" test "$(wc -l <table-$name)" -gt 20
done
claims=0
for file in c[0-9]-*.csv; do
	name=${file#c?-}
	# What a table has no row for, a size for instance, is in "What was tried", in per cent.
	cells "$file" heuristic avoided_lo avoided avoided_hi params guest_time_scale |
		awk '$6 == 1 && $5 !~ /size=(8|64);/ { printf "%s default %.0f %.0f %.0f\n", $1, $2, $3, $4 }' |
		sort >found
	check "$file has rows" test -s found
	sort "table-${name%.csv}" | comm -23 found - >other
	same "  which are those of docs/results.md" /dev/null other
	claims=$((claims + 1))
done
check "as many tables of claims as the page has commands for" test "$claims" -eq \
	"$(grep -c -- '--csv=c[0-9]-' commands)"
for n in 1 2 3 4 5 6; do
	has "claim C$n is there" "$page" "^\*\*C$n\. "
done
# Figures and sections that the page names are there.
grep -oE '`(avoided|plane|slack|classes|time|window-size|latency|speedup)[a-z0-9-]*`' "$page" | tr -d '`' | sort -u |
	while read -r name; do
		[ -r "$TOP/docs/figures/$name.svg" ] || echo "$name"
	done >missing
same "the figures that it names are there" /dev/null missing
for package in pkg-config libzstd-dev libjansson-dev libck-dev git python3 python3-scipy gnuplot-nox; do
	"$TOP/scripts/deps" --list | grep -q "^$package " || echo "$package"
done >missing
same "the packages that it names are those of scripts/deps" /dev/null missing
finish
