#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fuzzing: every input that is kept goes through its target once, without a fuzzer, so that
# what was found once stays found.  The fuzzers themselves are run by tests/fuzz/run.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$TOP" || exit 1

# count TARGET: how many inputs are kept of it.
count()
{
	find "tests/fuzz/corpus/$1" "tests/fuzz/findings/$1" -type f 2>/dev/null | wc -l
}

for folder in tests/fuzz/corpus/*; do
	target=$(basename "$folder")
	program=$BUILD/tests/fuzz/$target
	if [ ! -x "$program" ]; then
		case $target in
		perfdata | tracedat | cmdline)
			skip "every kept input of the fuzz target $target goes through" \
				"it needs the libraries of spht-record"
			continue
			;;
		esac
	fi
	set -- "$folder"
	[ ! -d "tests/fuzz/findings/$target" ] || set -- "$@" "tests/fuzz/findings/$target"
	check "every kept input of the fuzz target $target goes through" "$program" "$@"
	printf '%d files\n' "$(count "$target")" >"$T/want"
	cp "$T/out" "$T/ran"
	check "  none is left out" diff "$T/want" "$T/ran"
done

status 1 "a file that is not there is no success" "$BUILD/tests/fuzz/costs" "$T/nothing"

for file in $(find tests/fuzz/findings -type f | sort); do
	name=${file#tests/fuzz/findings/}
	grep -qF "\`$name\`" tests/fuzz/README.md || echo "$name"
done >"$T/untold"
check "tests/fuzz/README.md says of every finding what it was" diff /dev/null "$T/untold"

find tests/fuzz/corpus tests/fuzz/findings -type f -size +16k >"$T/large"
check "no kept input has more than 16 KiB" diff /dev/null "$T/large"

check "the sums of the sittings can be had" tests/fuzz/run --sums
cp "$T/out" "$T/sums"
sed -n '/^| target | sittings/,/^$/p' docs/hardening.md | sed '/^$/d' >"$T/told"
check "  docs/hardening.md has them" diff "$T/sums" "$T/told"
check "  and they are some" test -s "$T/sums"
status 2 "an unknown fuzz target is refused" tests/fuzz/run nosuch
status 2 "a sitting of no length at all is refused" tests/fuzz/run costs --seconds=-1

cd "$T" || exit 1
if [ -x "$BUILD/tests/fuzz/cmdline" ]; then
	mkdir closed
	"$SPHT_MKTRACE" -o closed/ok.spht "$TOP/tests/data/replay-golden.txt"
	printf 'r--heuristic=none\n--csv=x.csv\n--json=x.json\nok.spht\n' >command1
	printf 'tcut\n--last=1\nok.spht\n-o\nx.spht\n' >command2
	check "command lines that are fuzzed go through" sh -c 'cd closed &&
		"$1" ../command1 && "$1" ../command2' - "$BUILD/tests/fuzz/cmdline"
	check "  and write nothing" test "$(ls closed)" = ok.spht
fi

# What the driver itself takes for a finding, in a tree of its own, with a program that only says that it fuzzes.
mkdir -p tree/tests/fuzz/corpus/costs tree/build/fuzz/tests/fuzz
cp "$TOP/tests/fuzz/run" tree/tests/fuzz/run
echo date,commit,target,cpu_seconds,executions,edges,features,findings >tree/tests/fuzz/log.csv
cat >tree/build/fuzz/tests/fuzz/costs <<'END2'
#!/bin/sh
for word; do
	case $word in
	-artifact_prefix=*)
		[ -z "$LEAVES" ] || : >"${word#*=}$LEAVES"
		echo "#$RUNS DONE cov: 5 ft: 7"
		exit
		;;
	esac
done
exit "$AGAIN"
END2
chmod +x tree/build/fuzz/tests/fuzz/costs
# fuzzed LEAVES AGAIN RUNS: a sitting that leaves such an input, which alone ends with that status.
fuzzed()
{
	env -u BUILD LEAVES="$1" AGAIN="$2" RUNS="$3" tree/tests/fuzz/run costs --seconds=1
}
found=tree/build/fuzz/findings/costs
status 1 "an input that hangs without using the CPU is a finding" fuzzed timeout-a 70 10
check "  and is kept" test -e "$found/timeout-a"
check "one that is only slow now and then is none" fuzzed timeout-b 0 10
check "  and is thrown away" test ! -e "$found/timeout-b"
status 1 "a sitting that executes nothing is none" fuzzed "" 0 0
check "  and is not written down" test "$(wc -l <tree/tests/fuzz/log.csv)" = 3

finish
