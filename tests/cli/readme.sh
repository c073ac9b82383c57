#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# README.md and docs/report-text.md are followed from top to bottom, as a stranger would, in a
# copy of the tree: a rule below tries each command of their ```sh blocks, and every line of
# their examples is what was printed.  A command that no rule knows fails.  Not run are modprobe,
# which is skipped, the recording by trace-cmd and perf, whose options are looked up, what builds
# the lab, and `make check` and `make artifact`, which .ci/run runs.
# shellcheck source=tests/live/live.sh
. "$(dirname "$0")/../live/live.sh"
cd "$TOP" || exit 1

pages=tests/tools/pages.py
if [ -n "$SPHT_SANITIZED" ]; then
	skip "what the README shows" "tried by make check"
	finish
fi

# --- Links, and options by name.

docs=
for page in docs/*.md; do
	case $page in
	*-reading.md) ;; # a part of another page
	*) docs="$docs $page" ;;
	esac
done
# shellcheck disable=SC2086 # no blanks in the names
check "every link of README and docs leads somewhere, to a heading if it says so" \
	$pages links "$TOP" README.md $docs docs/validation/*.md scripts/lab/README.md \
	tests/fuzz/README.md traces/samples/README.md

# helps: all that our programs and scripts say of their options.
helps()
{
	for help_of in "$SPHT_TRACE" "$SPHT_REPLAY" "$SPHT_RECORD" "$SPHT_CALIBRATE" scripts/lab/record \
		scripts/plot scripts/stats scripts/sweep scripts/report; do
		[ ! -x "$help_of" ] || "$help_of" --help || return 1
	done
	for help_of in info dump verify cut repack; do
		"$SPHT_TRACE" $help_of --help || return 1
	done
	sed -n 's/^# deps //p' scripts/deps
}
check "all programs and scripts print a help" helps
cp "$T/out" "$T/helps"
if [ -x "$SPHT_RECORD" ]; then
	grep -oE -e '--[a-z][a-z-]+' README.md docs/report-text.md | sed 's/^[^:]*://' | sort -u >"$T/options"
	check "the README names options" test "$(wc -l <"$T/options")" -gt 20
	while read -r option; do
		grep -qE -e "(^|[^a-z-])$option([^a-z-]|\$)" "$T/helps" || echo "$option"
	done <"$T/options" >"$T/bad"
	check "every one of them stands in a --help" diff /dev/null "$T/bad"

	# Messages are at the beginning of a row.
	sed -n '/^### When it does not work/,/^## /s/^| `\([^`]*\)`.*/\1/p' README.md >"$T/messages"
	check "the README names messages" test "$(wc -l <"$T/messages")" -gt 4
	while read -r message; do
		grep -qaF -e "$message" "$SPHT_RECORD" "$SPHT_REPLAY" || echo "$message"
	done <"$T/messages" >"$T/bad"
	check "every one of them is a message of a program" diff /dev/null "$T/bad"
else
	skip "options and messages in the README exist" "spht-record is not built"
fi

# --- A copy of the tree, with the programs as if they were built in it.

copy=$T/tree
mkdir -p "$copy/build" "$T/home" "$T/bin" "$T/sys/module"
for entry in README.md LICENSE Makefile install.mk docs examples heuristics replay scripts traces debian; do
	cp -R "$entry" "$copy" || exit 1
done
for program in "$SPHT_TRACE" "$SPHT_REPLAY" "$SPHT_RECORD" "$SPHT_CALIBRATE"; do
	[ ! -x "$program" ] || cp "$program" "$copy/build"
done
cp "$BUILD/version.h" "$copy/build"
cd "$copy" || exit 1
unrecordable=$(live_missing)
# What the programs of this copy find: nothing of who runs the test.
unset BUILD SPHT_TRACE SPHT_RECORD SPHT_CALIBRATE
export HOME="$T/home"

# Stand-ins: for the VMM, a guest of ours; for pgrep, which might find another one's VM.
printf '#!/bin/sh\nexec "%s" loop 2 >/dev/null\n' "$SPHT_VMM" >"$T/bin/qemu-system-x86_64"
printf '#!/bin/sh\ncat "%s/vm.pid"\n' "$T" >"$T/bin/pgrep"
chmod +x "$T/bin/qemu-system-x86_64" "$T/bin/pgrep"

# --- Rules.

# run SENTENCE COMMAND: as a shell does it; $T/out is what was printed.
run()
{
	check "$1" sh -c "$2"
}

# made FILE...: these files are there, and not empty.
made()
{
	for file; do
		check "  and made $file" test -s "$file"
	done
}

# outputs COMMAND: the files that its options name.
outputs()
{
	echo "$1" | tr ' ' '\n' | sed -nE 's/^--(csv|intervals|histograms|timeline)=//p'
	echo "$1" | sed -nE 's/.* (-o|>) ?([^ ]+).*/\2/p'
}

# made_outputs COMMAND: so are those that its options name.
made_outputs()
{
	for output in $(outputs "$1"); do
		made "$output"
	done
}

# live COMMAND: records where that can be done; where not, fails for that reason and no other.
live()
{
	if [ -z "$unrecordable" ]; then
		run "$1" "$1"
		has "  and says what it recorded" "$T/err" 'events'
		made_outputs "$1"
		return
	fi
	status 1 "$1 (not here: $unrecordable)" timeout 60 sh -c "$1"
	has "  is understood, and says why it cannot be done" "$T/err" \
		'^spht-record: .*(modprobe|tracefs|root|/dev/kvm|no event came|locked)'
}

# foreign COMMAND PROGRAM: not run, as it would not end; PROGRAM knows its options.
foreign()
{
	if ! command -v "$2" >/dev/null; then
		skip "$1" "$2 is not installed"
		return
	fi
	"$2" record -h >"$T/foreign" 2>&1
	for option in $(echo "$1" | tr ' ' '\n' | grep -xE -e '-[a-zA-Z]' | sort -u); do
		has "$1: $2 record has $option" "$T/foreign" "^ +${option}[, ]"
	done
}

rule()
{
	case $1 in
	"make demo")
		# The rest of it is what has made the programs.
		run "$1" "make -o all demo-run"
		made demo.csv
		;;
	"make check" | "make artifact")
		# Minutes; this is a part of the one.
		has "$1 is run by the project's own tests" "$TOP/.ci/run" "make .*${1#make }( |\$)"
		;;
	"make install "* | "make uninstall "* | "make install-headers "*)
		run "$1" "make -o all ${1#make }"
		case $1 in
		*uninstall*) check "  and leaves nothing" test ! -e "$HOME/.local/bin/spht-replay" ;;
		*headers*) made "$HOME/.local/include/spht/heuristic.h" ;;
		*) made "$HOME/.local/bin/spht-replay" "$HOME/.local/bin/spht-plot" ;;
		esac
		;;
	"PATH=\$PWD/build:\$PATH")
		eval "$1"
		PATH=$T/bin:$PATH
		export PATH
		check "$1 finds the programs" test "$(command -v spht-replay)" = "$PWD/build/spht-replay"
		;;
	"modprobe -r kvm_intel" | "modprobe kvm_intel ept=0" | "modprobe -r kvm_amd" | "modprobe kvm_amd npt=0")
		skip "$1" "not run: changes the host, and ends who uses KVM there"
		;;
	"spht-record --check")
		spht-record --check >"$T/verdict"
		verdict=$?
		case $verdict in
		0) want='^recordable: yes$' ;;
		5) want='^recordable: yes, but not shadow paging$' ;;
		*) want='^recordable: no$' ;;
		esac
		has "$1 ends with its verdict, $verdict here" "$T/verdict" "$want"
		;;
	"spht-record -o guest.spht "*" -- qemu-system-x86_64 "*)
		live "$1"
		# What else to go on with.
		[ -z "$unrecordable" ] || cp traces/samples/kbuild-cc-1vcpu.spht guest.spht
		;;
	"spht-record -o running.spht --vm=\$(pgrep -n qemu) --duration=60")
		echo $$ >"$T/vm.pid"
		vm=
		if [ -z "$unrecordable" ]; then
			"$SPHT_VMM" loop 60 >/dev/null &
			vm=$!
			echo $vm >"$T/vm.pid"
		fi
		# A minute is long.
		live "${1%60}1"
		[ -z "$vm" ] || kill $vm
		;;
	"spht-record --import=trace.dat "*)
		check "a trace.dat is there to import" sh -c 'xz -dc "$1" >trace.dat' sh \
			"$TOP/tests/data/kbuild-v7.dat.xz"
		run "$1" "$1"
		made imported.spht
		;;
	"trace-cmd record "*) foreign "$1" trace-cmd ;;
	"perf record "*) foreign "$1" perf ;;
	"scripts/lab/record "*)
		run "$1 (until it would build)" "SPHT_LAB_SYSFS='$T/sys' SPHT_LAB_DECIDE=only $1"
		has "  would be recorded in the lab" "$T/out" '^lab$'
		;;
	"scripts/plot "* | "scripts/report "*)
		if ! command -v gnuplot >/dev/null; then
			skip "$1" "gnuplot is not installed"
			return
		fi
		run "$1" "$1"
		case $1 in
		*--dir=figures*) made figures/avoided.svg figures/classes.svg figures/time.svg ;;
		*) made_outputs "$1" ;;
		esac
		;;
	"scripts/stats "*)
		if ! /usr/bin/python3 -c 'import scipy.stats' 2>/dev/null; then
			skip "$1" "python3-scipy is not installed"
			return
		fi
		run "$1" "$1"
		has "  and holds one against the other" "$T/out" '^\| 1 \| stride .*\| window'
		;;
	"scripts/sweep "* | "echo "* | "cp -r "* | "make -C "*)
		run "$1" "$1"
		made_outputs "$1"
		;;
	"spht-replay "* | "spht-trace "*)
		case $1 in
		*" run1.spht")
			cp traces/samples/kbuild-w8-1vcpu.spht run1.spht
			run "run2.spht is a part of it" "spht-trace cut --last=40 run1.spht -o run2.spht"
			;;
		esac
		run "$1" "$1"
		made_outputs "$1"
		;;
	*)
		check "this test has a rule for: $1" false
		;;
	esac
}

# --- From top to bottom.

for page in README.md docs/report-text.md; do
	mkdir -p "$T/printed/$page"
	check "$page has commands" "$TOP/$pages" commands "$page"
	cp "$T/out" "$T/commands"
	nr=0
	while read -r command <&3; do
		nr=$((nr + 1))
		: >"$T/out"
		case $command in
		spht-record*)
			if [ ! -x build/spht-record ]; then
				skip "$command" "spht-record is not built"
				continue
			fi
			;;
		esac
		rule "$command"
		cp "$T/out" "$T/printed/$page/$nr.out"
	done 3<"$T/commands"
	check "$page shows commands" test "$nr" -gt 5
	check "every line of its examples, and every large number, is what is printed today" \
		"$TOP/$pages" examples "$page" "$T/printed/$page"
	# For whoever has changed what is printed: writes the pages anew.
	[ -z "${RENEW-}" ] || "$TOP/$pages" renew "$TOP/$page" "$T/printed/$page"
done
finish
