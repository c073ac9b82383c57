#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The manual pages, docs/metrics.md and the README say what the programs do: the same
# options as --help, the columns of the table, and commands that exist.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$TOP" || exit 1

none()
{
	cat "$1" >&2
	[ ! -s "$1" ]
}

# options: the options in the text on stdin, one a line, without their arguments.
options()
{
	tr -s "[](){}<>,|=\`'\"" ' ' | tr -s '[:blank:]' '[\n*]' | sed 's/[.:;]*$//' |
		grep -E '^(--[a-z][a-z0-9-]*|-[A-Za-z])$' | sort -u
}

# rendered PAGE: as a reader sees it, without the overstrikes that make it bold.
rendered()
{
	bs=$(printf '\b')
	mandoc -Tascii -O width=200 "$1" | sed "s/.$bs//g"
}

# heads: of the rendered page on stdin, the lines that introduce an option,
# without what follows on the same line.
heads()
{
	sed -nE '/^ +-/{s/^ +//;s/   *[^- ].*//;p;}'
}

# help_of PROGRAM: its --help and, for spht-trace, that of its commands.
help_of()
{
	"$1" --help || return 1
	case $1 in
	*/spht-trace)
		for command in info dump verify cut repack; do
			"$1" "$command" --help || return 1
		done
		;;
	esac
}

# held NAME: docs/NAME.1 against $T/NAME.help, both ways.
held()
{
	options <"$T/$1.help" >"$T/help"
	check "$1 --help names options" test -s "$T/help"
	if ! command -v mandoc >/dev/null; then
		skip "$1.1 has the options of $1 --help" "mandoc is not installed"
		return
	fi
	check "$1.1 can be rendered" rendered "docs/$1.1" || return
	cp "$T/out" "$T/page"
	options <"$T/page" >"$T/named"
	heads <"$T/page" | options >"$T/described"
	comm -23 "$T/help" "$T/named" >"$T/bad"
	check "every option of $1 --help stands in $1.1" none "$T/bad"
	comm -13 "$T/help" "$T/described" >"$T/bad"
	check "every option that $1.1 describes stands in --help" none "$T/bad"
}

for prog in "$SPHT_TRACE" "$SPHT_REPLAY" "$SPHT_RECORD" "$SPHT_CALIBRATE"; do
	name=$(basename "$prog")
	if [ ! -x "$prog" ] && [ "$name" != spht-replay ] && [ "$name" != spht-trace ]; then
		skip "$name.1 has the options of $name --help" "$name is not built here"
		continue
	fi
	check "$name --help succeeds" help_of "$prog" || continue
	cp "$T/out" "$T/$name.help"
	held "$name"
done

# words: of the help on stdin, commands and figures: what stands two blanks from the left.
words()
{
	sed -nE 's/^  ([a-z]+)  +[^ ].*/\1/p'
}

# The scripts, by the names that make install gives them.
for script in sweep stats tables windows plot report; do
	name=spht-$script
	case $script in
	stats | windows)
		if ! /usr/bin/python3 -c 'import scipy.stats' 2>/dev/null; then
			skip "$name.1 has the options of $name --help" "python3-scipy is not installed"
			continue
		fi
		;;
	esac
	check "$name --help succeeds" /usr/bin/python3 "scripts/$script" --help || continue
	cp "$T/out" "$T/$name.help"
	held "$name"
	words <"$T/$name.help" >"$T/words"
	while read -r word; do
		grep -qx "\.It Cm $word" "docs/$name.1" || echo "$word"
	done <"$T/words" >"$T/bad"
	sed -n 's/^\.It Cm \([a-z]*\)$/\1/p' "docs/$name.1" | grep -vxFf "$T/words" >>"$T/bad"
	check "$name.1 has the commands of $name --help and no others" none "$T/bad"
done

for page in docs/*.[1-9]; do
	if command -v mandoc >/dev/null; then
		check "mandoc finds no fault with $page" mandoc -Tlint -Wwarning "$page"
	else
		skip "mandoc finds no fault with $page" "mandoc is not installed"
	fi
done

# The golden table's first line is what spht-replay prints (tests/cli/replay-golden.sh).
head -n 1 tests/data/replay-golden.csv | tr , '\n' >"$T/columns"
while read -r column; do
	grep -qF "\`$column\`" docs/metrics.md || echo "$column"
done <"$T/columns" >"$T/bad"
check "every column of spht-replay's table stands in docs/metrics.md" none "$T/bad"

# Members of the JSON and columns of intervals and histograms, from a recording that has all of them.
members()
{
	"$SPHT_MKTRACE" -o "$T/all.spht" tests/data/replay-golden.txt &&
		"$SPHT_REPLAY" --heuristic=window --json="$T/all.json" --intervals="$T/all.csv" \
			--histograms="$T/bins.csv" --quiet "$T/all.spht" || return 1
	head -qn 1 "$T/all.csv" "$T/bins.csv" | tr , '\n'
	python3 -c '
import json, sys
def names(value, outer=""):
    for item in value if isinstance(value, list) else []:
        names(item)
    for name, inner in value.items() if isinstance(value, dict) else []:
        print("CLASS_pP_BELIEF" if outer == "p_bit" else name)
        names(inner, name)
names(json.load(open(sys.argv[1])))' "$T/all.json"
}
check "members of the JSON and columns of intervals and histograms are found" members
sort -u "$T/out" >"$T/members"
has "  inner ones too" "$T/members" '^beside_guest$'
while read -r member; do
	grep -qw "$member" docs/metrics.md || echo "$member"
done <"$T/members" >"$T/bad"
check "every one of them stands in docs/metrics.md" none "$T/bad"

# The table of traps: the rows, and tests that exist.
awk '/^## The traps/ { on = 1; next } /^## / { on = 0 } on && /^\| [0-9]/' docs/model.md >"$T/traps"
seq 1 42 >"$T/numbers"
cut -d' ' -f2 "$T/traps" >"$T/have"
check "docs/model.md tells of all 42 traps" cmp "$T/have" "$T/numbers"
awk -F'|' '{ gsub(/ /, "", $4) } $4 !~ /^(done|partly|no)$/ || ($4 != "no" && $6 !~ /[a-z]/)' \
	"$T/traps" >"$T/bad"
check "each is done, partly done or not, and has a test unless it is not" none "$T/bad"
# A file, then names in it; or a script by itself.
awk -F'|' '{
	n = split($6, word, /[ ;]+/)
	for (i = 1; i <= n; i++)
		if (word[i] ~ /:$/)
			file = "unit/" substr(word[i], 1, length(word[i]) - 1)
		else if (word[i] != "")
			print (word[i] ~ "/" ? word[i] : file " " word[i])
}' "$T/traps" >"$T/tests"
while read -r file name; do
	if [ -n "$name" ]; then
		grep -qs "^static void $name(void" "tests/$file"
	else
		test -x "tests/$file"
	fi || echo "$file $name"
done <"$T/tests" >"$T/bad"
check "the tests that it names exist" none "$T/bad"

# The commands in the README's ```sh blocks, one a line, continued lines joined.  That
# they work is what readme.sh shows; make -C is not of our Makefile.
awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on' README.md |
	sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' -e 's/^[[:space:]]*//' -e 's/^\$ //' -e 's/\$([^)]*)/WORD/g' |
	grep -E '^(make [^-]|spht-|(\./)?build/spht-)' >"$T/commands"
check "the README shows commands" test -s "$T/commands"

# readme_command LINE: the program is one of ours and knows these options; the target exists.
readme_command()
{
	# shellcheck disable=SC2086 # words are what is wanted
	set -f -- ${1%%[#|>&]*}
	set +f
	name=${1##*/}
	shift
	if [ "$name" = make ]; then
		for word; do
			case $word in
			-* | *=*) continue ;;
			esac
			grep -qE "^([a-z-]+ )*$word( [a-z-]+)*:" Makefile install.mk || {
				echo "the Makefile has no target $word" >&2
				return 1
			}
		done
		return 0
	fi
	case $name in
	spht-trace | spht-replay | spht-record | spht-calibrate) ;;
	*)
		echo "there is no program $name" >&2
		return 1
		;;
	esac
	# Not built here: nothing to hold it against.
	[ -r "$T/$name.help" ] || return 0
	for word; do
		# What follows is the command that spht-record starts.
		[ "$word" != -- ] || break
		case $word in
		--?* | -[A-Za-z]*) ;;
		*) continue ;;
		esac
		case $word in
		--*) option=${word%%=*} ;;
		*) option=$(printf '%.2s' "$word") ;;
		esac
		options <"$T/$name.help" | grep -qxe "$option" || {
			echo "$name --help does not know $option" >&2
			return 1
		}
	done
}

while read -r line <&3; do
	check "README: $line" readme_command "$line"
done 3<"$T/commands"

finish
