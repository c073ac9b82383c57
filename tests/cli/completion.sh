#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Completion for bash knows the options of every program's --help and no others, and the
# function that bash calls gives what can stand at the cursor.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

completion=$TOP/scripts/completion.bash
if ! command -v bash >/dev/null; then
	skip "completion of the programs" "bash is not installed"
	finish
fi
if command -v shellcheck >/dev/null; then
	check "shellcheck has nothing to say" shellcheck -S warning "$completion"
fi
check "bash reads it" bash -u "$completion"

# The options of a --help on stdin: those of the synopsis, and those that a line describes;
# one that needs a value with =, one that may have one with =?.
cat >options.py <<'END'
import re, sys
found = {}
for line in sys.stdin:
    # Further to the right is prose.
    line = line.split("] ", 1)[-1] if line.startswith("usage") else line
    head = re.match(r" {0,4}(-.*?)(?: {2,}|$)", line)
    for word in re.findall(r"(?<![\w-])(-[A-Za-z](?![\w-])|--[a-z][a-z-]*(?:\[?=)?)", head[1] if head else ""):
        name = re.sub(r"\[?=$", "", word)
        found.setdefault(name, set()).add(word[len(name):])
for name, kinds in found.items():
    print(name + (kinds.pop() if len(kinds) == 1 else "=?").replace("[=", "=?"))
END
# known WORD: the options that completion has for it, in the same form.
known()
{
	# shellcheck disable=SC2016
	bash -c 'program=$3; . "$1"; _spht_options "$2" | tr " " "\n"' - "$completion" "$1" "$2" |
		sed 's/^\(-[A-Za-z]\)=$/\1/' | LC_ALL=C sort
}
# compared WORD COMMAND...: against what COMMAND --help says.
compared()
{
	word=$1
	shift
	"$@" --help >help || return 1
	python3 options.py <help | LC_ALL=C sort >says
	known "$word" "$1" >knows
	test -s says && diff says knows
}
for name in replay trace calibrate record; do
	if [ ! -x "$BUILD/spht-$name" ]; then
		skip "it has the options of spht-$name --help" "spht-$name is not built here"
		continue
	fi
	check "it has the options of spht-$name --help, and no others" \
		compared "$name" "$BUILD/spht-$name"
done
for name in info dump verify cut repack; do
	check "it has the options of spht-trace $name --help, and no others" \
		compared "trace-$name" "$SPHT_TRACE" "$name"
done

# The scripts say in sentences what they take: every option has to be there.
for name in sweep stats tables windows; do
	/usr/bin/python3 - "$TOP/scripts/$name" >help <<'END'
import ast, sys
print(ast.get_docstring(ast.parse(open(sys.argv[1]).read())))
END
	# Options of other programs that are mentioned.
	grep -oE -e '(^|[^a-z-])--[a-z][a-z-]*' help | grep -oE -e '--.*' |
		grep -vxE -e '--(sshlogin|wait|prefetch-window|kvm|csv|memory)' | sort -u >says
	for word in "$name" "$name-plan" "$name-run" "$name-merge" "$name-shard"; do
		known "$word" false
	done | sed 's/=.*//' | grep -E -e '^--' | sort -u >knows
	comm -23 says knows >bad
	check "it has the options that scripts/$name names" diff /dev/null bad
	grep -vx -e --help knows | while read -r option; do
		grep -qF -e "$option" help || echo "$option"
	done >bad
	check "  and no others" diff /dev/null bad
done

# complete WORD...: what is offered for the last of them, broken at = and : as readline does.
cat >complete.sh <<'END'
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_spht "$1"
printf '%s\n' "${COMPREPLY[@]}" | sort -u
END
# offers SENTENCE WANTED WORD...
offers()
{
	sentence=$1
	wanted=$2
	shift 2
	printf '%s\n' $wanted | sort >want
	bash complete.sh "$completion" "$@" >got 2>err
	cat err >>got
	same "$sentence" want got
}
replay=$SPHT_REPLAY
cp "$TOP/traces/samples/README.md" notes.md
: >guest.spht
: >result.csv
: >costs.json
: >mine.so
mkdir folder
offers "options are completed" "--helper-prefetch= --helpers= --help" "$replay" --help
offers "an option with few values offers them" "strict inferred optimistic" "$replay" --knowledge = ''
offers "  and the one that is meant" optimistic "$replay" --knowledge = o
offers "  after a blank, too" optimistic "$replay" --knowledge o
offers "  where bash does not break words" --knowledge=optimistic "$replay" --knowledge=o
offers "names of heuristics are those of spht-replay" "$("$replay" --heuristic=help |
	sed -n 's/^  \([a-z0-9_]*\) .*/\1/p') help" "$replay" --heuristic = ''
offers "  by their first letters" "stream stride" "$replay" --heuristic = st
offers "parameters are those of the heuristic" "degree=" "$replay" --heuristic = stride : de
offers "  after a comma, too" 4,distance= "$replay" --heuristic = stride : degree = 4,dis
offers "  and their values" "both guest hidden" "$replay" --heuristic = window : on = ''
offers "a plugin is a shared object" "./folder ./mine.so" "$replay" --heuristic = ./
cat >runs.c <<'END'
#include <fcntl.h>
__attribute__((constructor)) static void runs(void) { creat("it-ran", 0666); }
END
if "${CC:-gcc}" -shared -fPIC -o mine.so runs.c; then
	"$replay" --heuristic=./mine.so:help >out 2>&1
	check "a plugin's code runs where it is loaded" test -e it-ran
	rm -f it-ran
	offers "  its parameters are not offered" "" "$replay" --heuristic = ./mine.so : d
	check "  because pressing a key does not load it" test ! -e it-ran
fi
offers "recordings and folders are offered" "folder guest.spht" "$replay" ''
offers "tables where one is written" "folder result.csv" "$replay" --csv = ''
offers "cost profiles where one is read" "folder costs.json" "$replay" --costs = ''
offers "commands of spht-trace are offered" "info" spht-trace i
offers "  then their own options" "--no-header" spht-trace dump --no
offers "  which others have not" "" spht-trace verify --no
offers "  and recordings" "folder guest.spht" spht-trace info ''
offers "profiles of spht-record are offered" "shadow" spht-record --profile = s
offers "  and what --snap takes" "tables walks" spht-record --snap = ''
offers "any file can be imported" "notes.md" spht-record --import = no
offers "behind -- a command follows" "sha256sum" spht-record -o x -- sha256s
offers "spht-sweep has commands" "shard status" spht-sweep s
offers "  with options of their own" "--slurm=" spht-sweep run --s
offers "spht-stats takes a table of its own, then tables" "paired parts pooled" spht-stats p
offers "  and the values of its options" "tuning" spht-stats best --part = t
cat >spht-toy <<'END'
#!/bin/sh
echo 'usage: scripts/toy KIND [OPTION]... FILE

  round    wheels
  square   none at all

  --colour=NAME      of it
  -o FILE, --output=FILE
  --help'
END
chmod +x spht-toy
offers "another script is asked for what it takes" "round" ./spht-toy r
offers "  and its options" "--output=" ./spht-toy round --o
offers "  then any file" "notes.md" ./spht-toy round no
offers "a name that nobody knows is offered nothing" "" "$replay" --no-such-option = ''

finish
