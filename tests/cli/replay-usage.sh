#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# spht-replay's command line: what it refuses, with which words and status, and
# what it tells about itself.
# shellcheck disable=SC2016 # words for another shell, and for awk
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

check "mktrace builds a recording" "$SPHT_MKTRACE" -o ok.spht "$TOP/tests/data/replay-golden.txt"

# alone: err1 has one line, out1 none, and there is no table.
alone()
{
	[ "$(wc -l <err1)" = 1 ] && [ ! -s out1 ] && unwritten u.csv
}

# usage WHAT REGEX ARG...: exit status 2, and one line on stderr that says REGEX.
usage()
{
	usage_what=$1
	usage_regex=$2
	shift 2
	rm -f u.csv*
	status 2 "$usage_what is refused" "$SPHT_REPLAY" --csv=u.csv "$@" || return 1
	cp out out1
	cp err err1
	has "  it says: $usage_regex" err1 "^spht-replay: .*$usage_regex"
	check "  in one line, and nothing else is written" alone
}

# What is in the folder is built in.
all=$(cd "$TOP/heuristics" && printf '%s\n' *.c | sed 's/\.c$//' | sort)
names=$(echo $all | sed 's/ /, /g')
window='--heuristic=window:size=16'

usage "no heuristic" '--heuristic=NAME is missing \(try --heuristic=help\); see spht-replay --help' \
	ok.spht
usage "no file" 'which FILE\.spht\?; see' $window
usage "an unknown heuristic" "there is no heuristic 'strid'; did you mean 'stride'\\? valid: $names\$" \
	--heuristic=strid ok.spht
usage "a heuristic unlike any" "there is no heuristic 'xyzzy'; valid: $names\$" \
	--heuristic=xyzzy ok.spht
usage "an empty heuristic" "the name of the heuristic is missing; valid: $names\$" --heuristic= ok.spht
usage "help of an unknown heuristic" "there is no heuristic 'strid'.* valid: $names\$" \
	--heuristic=strid:help
usage "an unknown parameter" \
	"window has no parameter 'sise'; did you mean 'size'\\? valid: size, align, on\$" \
	--heuristic=window:sise=16 ok.spht
usage "a parameter of a heuristic that has none" "none has no parameters, but 'x=1' was given" \
	--heuristic=none:x=1 ok.spht
usage "a value out of range" "window: size='1024' is out of range; valid: 2\\.\\.512 pages, a power of two\$" \
	--heuristic=window:size=1024 ok.spht
usage "a value that is too long a number" "size='99999999999999999999' is out of range; valid: 2\\.\\.512" \
	--heuristic=window:size=99999999999999999999 ok.spht
usage "a negative value" "size='-2' is out of range; valid: 2\\.\\.512" --heuristic=window:size=-2 ok.spht
usage "a value that is no power of two" "size='12' is not a power of two; valid: 2\\.\\.512" \
	--heuristic=window:size=12 ok.spht
usage "a value that is no number" "size='16k' is not a whole number; valid: 2\\.\\.512" \
	--heuristic=window:size=16k ok.spht
usage "a parameter without a value" "window: size has no value; write size=2\\.\\.512" \
	--heuristic=window:size ok.spht
usage "an unknown choice" "window: on='host' is no choice.* valid: hidden, guest, both\$" \
	--heuristic=window:on=host ok.spht
usage "a parameter given twice" "window: size is given twice" --heuristic=window:size=2,size=4 ok.spht
usage "a bad one among several heuristics" "there is no heuristic 'x'" $window --heuristic=x ok.spht

usage "an unknown clock" '--clock=wall: expected virtual or real' $window --clock=wall ok.spht

usage "an unknown world" '--knowledge=all: expected strict, inferred or optimistic' \
	$window --knowledge=all ok.spht
usage "an unknown legality" '--legality=any: expected accessed or present' $window --legality=any ok.spht
usage "--helper-prefetch=2" '--helper-prefetch=2: expected 0 or 1' $window --helper-prefetch=2 ok.spht
usage "--prefetch-window=12" '--prefetch-window=12: expected auto, 1, 8, 16, 32 or 64' \
	$window --prefetch-window=12 ok.spht
for mib in '' -1 64M 0x10 1048577 99999999999999999999; do
	usage "--memory=$mib" "--memory=$mib: expected MiB, 0 to 1048576" $window --memory="$mib" ok.spht
done
for n in '' 0 -1 65 2x all vcpus; do
	usage "--helpers=$n" "--helpers=$n: expected vcpu or 1\\.\\.64" $window "--helpers=$n" ok.spht
done
for kvm in '' 6.2 6.1.0 2.6 newest; do
	usage "--kvm=$kvm" "--kvm=$kvm: expected auto, 2\\.6\\.32, 5\\.10, 6\\.1 or 6\\.12" \
		$window "--kvm=$kvm" ok.spht
done
usage "a KVM without prefetch that is to prefetch" \
	'--kvm=2\.6\.32 did not prefetch: not with --prefetch-window=8' \
	$window --kvm=2.6.32 --prefetch-window=8 ok.spht
usage "--bypass-guest-pf=2" '--bypass-guest-pf=2: expected 0 or 1' $window --bypass-guest-pf=2 ok.spht
usage "another curve" '--curve=queue: expected latency' $window --curve=queue ok.spht
usage "an unknown set of rules" '--rules=most: expected naive, validity, lifetime, prefetch or all' \
	$window --rules=most ok.spht
for list in '' ',' '1,' ',1' 0 -1 nan 1x 1e7 '1,,2' '1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17'; do
	usage "--guest-time-scale=$list" "--guest-time-scale=$list: expected up to 16 factors > 0" \
		$window "--guest-time-scale=$list" ok.spht
done
for list in '' ',' 0 -1 '1,' '1,x' 99999999999; do
	usage "--vm=$list" "--vm=$list: expected thread ids" $window "--vm=$list" ok.spht
done
for n in '' 0 -1 1025 2x; do
	usage "-j '$n'" "-j $n: expected 1\\.\\.1024" $window -j "$n" ok.spht
done

status 1 "a thread that runs no vCPU is refused by --vm" "$SPHT_REPLAY" $window --vm=70,71 ok.spht
has "  it says which ones do" err \
	'^spht-replay: ok\.spht: --vm: thread 71 runs no vCPU in this recording; those that do: 70$'

# getopt's own words come first.
for option in --nonsense -x --partial=yes --heuristic; do
	status 2 "$option is refused" "$SPHT_REPLAY" "$option"
	has "  --help is pointed out" err '^spht-replay: see spht-replay --help$'
done
status 2 "a table and JSON both on stdout are refused" "$SPHT_REPLAY" $window --csv=- --json=- ok.spht
has "  it says why" err 'cannot both be stdout'
echo old >one.csv
for other in ./one.csv "$T/one.csv"; do
	status 1 "one file by two names, $other, is refused" "$SPHT_REPLAY" $window --csv=one.csv \
		--json="$other" ok.spht
	has "  it says why" err "^spht-replay: one\\.csv and $other are one file; expected one for each output\$"
	check "  it is as it was, and alone" test "$(cat one.csv*)" = old
done
ln -s linked.csv toone.csv
status 1 "a file and a link to it are refused" "$SPHT_REPLAY" $window --csv=toone.csv --json=linked.csv ok.spht
has "  it says why" err '^spht-replay: toone\.csv and linked\.csv are one file; expected one for each output$'
mkdir other
check "one name in two folders is two files" "$SPHT_REPLAY" $window --csv=same --json=other/same ok.spht
check "  both of which are there" test -s same -a -s other/same
status 1 "stdout by two names is refused" sh -c '"$@" >both' - "$SPHT_REPLAY" $window --csv=- \
	--json=/dev/stdout ok.spht
check "  and has nothing" test ! -s both
check "/dev/null takes everything" "$SPHT_REPLAY" $window --csv=/dev/null --json=/dev/../dev/null ok.spht

# Help.
check "--help succeeds" "$SPHT_REPLAY" --help
cp out help
cp err err1
check "  without a word on stderr" test ! -s err1
has "--help begins with the usage" help '^usage: spht-replay --heuristic=NAME'
for option in --heuristic= --csv= --json= --jobs= --knowledge= --legality= --helper-prefetch= \
	--prefetch-window= --costs= --guest-time-scale= --clock= --pace= --repetitions= --warmup-runs= --cpus= --smt --helpers= --curve= --kvm= \
	--bypass-guest-pf= --rules= --vm= --roi= --warmup= --interval= --intervals= --timeline= --timeline-window= --partial --explain --explain= --list-misses \
	--timing --quiet --help --version; do
	has "--help tells of $option" help "^ .*$option"
done
check "--version succeeds" "$SPHT_REPLAY" --version
has "--version is one line with version and commit" out '^spht-replay [0-9]+\.[0-9]+\.[0-9]+ \([0-9a-f]+(-dirty)?|unknown\)$'
status 1 "--help to a full disk fails" sh -c '"$1" --help >/dev/full' - "$SPHT_REPLAY"

check "--heuristic=help succeeds, without a recording" "$SPHT_REPLAY" --heuristic=help
cp out list
sed 's/^\(  [a-z]* *\).*$/\1/' list | sed 's/ *$//' >got
cat >want <<END
Heuristics, for --heuristic=NAME[:KEY=VALUE,...]:

$(printf '  %s\n' $all)

--heuristic=NAME:help tells the parameters of one.
END
same "it lists the heuristics by name" want got
check "each with one line that says what it does" awk -v all="$(echo "$all" | wc -l)" '
	/^  [a-z]/ { n++; bad = bad || NF < 4 || length > 100 } END { exit(bad || n != all) }' list

check "--heuristic=window:help succeeds" "$SPHT_REPLAY" --heuristic=window:help
cp out got
cat >want <<'END'
window: the pages around a fault, inside its 2 MiB region

Follows: Linux do_fault_around() (mm/memory.c) and KVM FNAME(pte_prefetch) (arch/x86/kvm/mmu/paging_tmpl.h)

  size=16
      int: 2..512 pages, a power of two
      default 16: Linux fault_around_bytes, 64 KiB (8 is KVM's PTE_PREFETCH_NUM)
  align=1
      bool: 0 or 1
      1: the aligned window around the fault, as both kernels do (default); 0: the size-1 pages after it
  on=hidden
      choice: hidden|guest|both
      faults that train and trigger: hidden (with huge and ad), guest or both; default hidden: the shadow table's own misses
END
same "it tells each parameter with default, type, range and meaning" want got
for name in $all; do
	[ "$name" != none ] || continue
	check "--heuristic=$name:help succeeds" "$SPHT_REPLAY" --heuristic=$name:help
	cp out help
	check "it has the same shape" awk -v name=$name '
		NR == 1 && index($0, name ": ") != 1 { bad = 1 }
		NR == 3 && !/^Follows: ./ { bad = 1 }
		NR < 5 { next }
		NR % 3 == 2 && !/^  [a-z_]+=[a-z0-9]+$/ { bad = 1 }
		NR % 3 == 0 && !/^      (int: -?[0-9]+\.\.[0-9]+|bool: 0 or 1$|choice: [a-z|]+$)/ { bad = 1 }
		NR % 3 == 1 && (!/^      [^ ]/ || !/default/) { bad = 1 }
		END { exit(bad || NR < 7 || NR % 3 != 1) }' help
done
check "--heuristic=none:help succeeds" "$SPHT_REPLAY" --heuristic=none:help
has "none has no parameters" out '^No parameters\.$'

# What is printed as parameters can be given again.
check "a heuristic with its defaults replays" "$SPHT_REPLAY" --heuristic=stride --csv=a.csv ok.spht
params=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "params") at = i } NR == 2 { print $at }' a.csv)
check "the params of its row replay" "$SPHT_REPLAY" --heuristic="stride:$params" --csv=b.csv ok.spht
same "to the same row" a.csv b.csv

# Cost profiles: a bad one is bad input, not bad usage.
default=$TOP/replay/costs/default.json
check "the default profile can be given as a file" "$SPHT_REPLAY" $window --costs="$default" \
	--csv=b.csv ok.spht
check "the default profile can be given by its name" "$SPHT_REPLAY" $window --costs=default \
	--csv=a.csv ok.spht
same "to the same row" a.csv b.csv

# costs WHAT REGEX FILE
costs()
{
	rm -f c.csv
	status 1 "$1 is refused" "$SPHT_REPLAY" $window --costs="$3" --csv=c.csv ok.spht || return 1
	cp err err1
	has "  it says: $2" err1 "^spht-replay: $3: .*$2"
	check "  in one line" test "$(wc -l <err1)" = 1
	check "  and no table is written" test ! -e c.csv
}

# change PYTHON: bad.json is the default profile, changed.
change()
{
	python3 -c "
import json, sys
d = json.load(open(sys.argv[1]))
$1
json.dump(d, open('bad.json', 'w'))" "$default"
}
costs "a profile that is not there" 'cannot be opened: No such file or directory; expected a cost profile' \
	no.json
: >bad.json
costs "an empty profile" 'line 1' bad.json
echo '{"name": "x", ' >bad.json
costs "a profile that is no JSON" 'line [12]' bad.json
echo '{"name": "a", "name": "b"}' >bad.json
costs "a profile with a key twice" 'line 1' bad.json
costs "a folder for a profile" '' .
change 'del d["exit_hidden_ns"]'
costs "a profile without a number" 'exit_hidden_ns must be' bad.json
change 'del d["exit_hidden_ns"]["source"]'
costs "a number without a source" 'exit_hidden_ns must be \{"value": NUMBER, "source": TEXT\}' bad.json
change 'd["helper_build_ns"]["source"] = ""'
costs "a number with an empty source" 'helper_build_ns must be' bad.json
change 'd["helper_read_ns"] = 200'
costs "a bare number" 'helper_read_ns must be' bad.json
change 'd["helper_wake_ns"]["value"] = "5000"'
costs "a number as text" 'helper_wake_ns must be' bad.json
change 'd["exit_guest_ns"]["value"] = -1'
costs "a negative cost" 'exit_guest_ns = -1 is outside of 0\.\.' bad.json
change 'd["touch_probability"]["value"] = 1.5'
costs "a probability above 1" 'touch_probability = 1\.5 is outside of 0\.\.1' bad.json
change 'd["queue_limit"]["value"] = 1e9'
costs "a queue without a bound" 'queue_limit = 1e\+09 is outside of 0\.\.' bad.json
change 'd["lead_ns"]["quantiles"] = [300, 200]'
costs "a lead time below the one before" 'lead_ns quantile 1 is no number from 300 to' bad.json
change 'd["lead_ns"]["quantiles"] = [300]'
costs "a single lead time" 'lead_ns must be .*\[2 to 128 ascending NUMBERS' bad.json
change 'd["helper_lock_ns"]["value"] = d["helper_build_ns"]["value"] + 1'
costs "a lock held longer than a build takes" 'helper_lock_ns is part of helper_build_ns and larger' \
	bad.json
change 'd["helper_wait_ns"] = d["helper_wake_ns"]'
costs "a number that no profile has" '"helper_wait_ns" is no number of a cost profile' bad.json
change 'd["name"] = "a,b"'
costs "a name with a comma" '"name" must be' bad.json
change 'del d["name"]'
costs "a profile without a name" '"name" must be' bad.json
change 'd["name"] = "mine"; d["queue_limit"]["value"] = 0'
check "a profile of one's own is taken" "$SPHT_REPLAY" $window --costs=bad.json --csv=c.csv ok.spht
check "its name stands in the row, and its queue of 0 takes nothing" awk -F, '
	NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
	NR == 2 { exit !($at["costs"] == "mine" && $at["issued"] == 0 && $at["queue_full"] > 0) }' c.csv

cp "$TOP/traces/samples/kbuild-cc-1vcpu.spht" own.spht
status 2 "a recording is not replaced by its own table" "$SPHT_REPLAY" --heuristic=none \
	--csv=own.spht own.spht
same "and stays as it was" own.spht "$TOP/traces/samples/kbuild-cc-1vcpu.spht"
status 2 "nor by its own JSON" "$SPHT_REPLAY" --heuristic=none --json=own.spht own.spht
status 2 "the table and the JSON are not one file" "$SPHT_REPLAY" --heuristic=none \
	--csv=x --json=x own.spht
# It is what is behind a link that appears whole or not at all.
mkdir -p there
echo old >there/behind.csv
ln -s there/behind.csv link1.csv
ln -s "$T/link1.csv" link.csv
head -c 3000 ok.spht >cut.spht
status 1 "a run that fails leaves what is behind a link" "$SPHT_REPLAY" --quiet $window --csv=link.csv ok.spht cut.spht
check "  as it was" test "$(cat there/behind.csv)" = old
check "  and nothing beside it" test "$(ls there)" = behind.csv
check "a table goes through a link" "$SPHT_REPLAY" $window --csv=link.csv ok.spht
check "  which stays one" test "$(readlink link.csv) $(readlink link1.csv)" = "$T/link1.csv there/behind.csv"
"$SPHT_REPLAY" --quiet $window --csv=- ok.spht >plain.csv
same "  with the table behind it" there/behind.csv plain.csv
ln -s there/new.csv to-new.csv
check "a link to nothing leads to the table" "$SPHT_REPLAY" --quiet $window --csv=to-new.csv ok.spht
same "  which is where it says" there/new.csv plain.csv
check "  and alone there" test "$(ls there | tr '\n' ' ')" = "behind.csv new.csv "
ln -s round2.csv round1.csv
ln -s round1.csv round2.csv
status 1 "links that lead round are refused" "$SPHT_REPLAY" --quiet $window --csv=round1.csv ok.spht
has "  it says so" err '^spht-replay: round1\.csv: cannot be created: Too many levels of symbolic links$'
# Whatever stdout is: it is written, and not replaced.
for name in /dev/stdout /proc/self/fd/1 /dev/fd/1; do
	: >open.csv
	inode=$(stat -c %i open.csv)
	check "a table goes to $name" sh -c 'exec "$1" --quiet "$2" --csv="$3" ok.spht >open.csv' - \
		"$SPHT_REPLAY" "$window" "$name"
	same "  where that leads" open.csv plain.csv
	check "  which is the file that it was" test "$(stat -c %i open.csv)" = "$inode"
done
status 2 "an output has a name" "$SPHT_REPLAY" --heuristic=none --csv= own.spht
finish
