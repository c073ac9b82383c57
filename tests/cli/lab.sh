#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the lab decides and refuses before it builds or boots anything; that it
# records is what make check-lab shows.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1
LAB=$TOP/scripts/lab

if [ "$(uname -m)" != x86_64 ]; then
	skip "the lab decides where a guest runs" "it is for x86-64"
	finish
fi

# decide MODULE/PARAMETER=VALUE OPTION...: where a guest would be recorded.
decide()
{
	rm -rf sys
	mkdir -p "sys/module/${1%%/*}/parameters"
	case $1 in
	*=*) echo "${1#*=}" >"sys/module/${1%%/*}/parameters/$(basename "${1%%=*}")" ;;
	esac
	shift
	SPHT_LAB_SYSFS=$T/sys SPHT_LAB_DECIDE=only "$LAB/record" -o x.spht "$@"
}

if [ "$(id -u)" = 0 ]; then
	for host in kvm_intel/ept=N kvm_amd/npt=N kvm_amd/npt=0; do
		check "$host: KVM shadows" decide $host
		has "  and the guest runs on the machine" out '^host$'
	done
	check "one may want the emulated lab all the same" decide kvm_amd/npt=N --where=lab
	has "  and gets it" out '^lab$'
	check "another prefetch window needs other modules" decide kvm_amd/npt=N --prefetch-window=1
	has "  so it is recorded in the emulated lab" out '^lab$'
else
	skip "where KVM shadows the guest runs on the machine" "recording it needs root"
fi
for host in kvm_intel/ept=Y kvm_amd/npt=1 kvm_pvm none; do
	check "$host: KVM does not, or no ordinary guest" decide $host
	has "  so the lab is emulated" out '^lab$'
	status 1 "$host: the machine itself is refused" decide $host --where=host
	has "  with the reason" err 'needs kvm_intel with ept=0 or kvm_amd with npt=0'
done

refused()
{
	what=$1
	why=$2
	shift 2
	status 2 "$what is wrong usage" "$LAB/record" "$@"
	has "  with the reason" err "$why"
}
refused "no output" '-o FILE is missing'
refused "an output of no kind" 'ends in \.spht or \.dat' -o x.txt
refused "three CPUs" 'vcpus' -o x.spht --vcpus=3
refused "snapshots by trace-cmd" 'only spht-record can do that' --snap -o x.dat
refused "a window that KVM cannot have" 'prefetch-window=7' -o x.spht --prefetch-window=7
refused "a folder outside of the tree" 'a folder such as lib/' -o x.spht --workload=../lib/
refused "nested paging" 'npt=0' -o x.spht --kvm-arg=kvm_amd.npt=1
for kind in window window:0 window:12 window:64 stride on; do
	refused "a helper thread of the kind '$kind'" 'off or window:N is expected' -o x.spht --kvm-helper=$kind
done
refused "a helper thread beside two CPUs of the guest" 'vcpus=1 is expected' \
	-o x.spht --vcpus=2 --kvm-helper=window:16
refused "a helper thread by its parameters" 'kvm-helper sets it' -o x.spht --kvm-arg=kvm.spht_helper=1
for kind in off window:16; do
	check "KVM with a helper thread ($kind) needs other modules" decide none --kvm-helper=$kind
	has "  so it is recorded in the emulated lab" out '^lab$'
	status 1 "  and not on the machine itself" decide kvm_amd/npt=N --where=host --kvm-helper=$kind
	has "  with the reason" err 'has no helper thread|needs root'
done
refused "an unknown option" 'not known' -o x.spht --fast
: >there.spht
status 1 "a file that is there is not replaced" "$LAB/record" -o there.spht
has "  and -f is named" err 'there\.spht exists; -f replaces it'

check "a batch tells what it would record" "$LAB/batch" -n dir
cp out plan
check "twelve recordings" test "$(wc -l <plan)" = 12
for kind in 'w8-1vcpu-j1-run5.spht --prefetch-window=8 --vcpus=1 --jobs=1' \
	'w1-1vcpu-j1-run5.spht --prefetch-window=1 --vcpus=1 --jobs=1' \
	'w8-2vcpu-j2-run2.spht --prefetch-window=8 --vcpus=2 --jobs=2'; do
	has "  $kind" plan "^record -o dir/$kind\$"
done
check "one of each kind comes before the second of any" \
	test "$(sed -n 3p plan)" = 'record -o dir/w8-2vcpu-j2-run1.spht --prefetch-window=8 --vcpus=2 --jobs=2'
check "nothing was made" test ! -e dir
printf '16 1 1 2 --objects=3 # few\n' >p
check "a plan is read" "$LAB/batch" -n dir p
has "  with its options" out 'w16-1vcpu-j1-run2\.spht --prefetch-window=16 --vcpus=1 --jobs=1 --objects=3$'
echo '8 one 1 1' >p
status 1 "a plan that makes no sense is refused" "$LAB/batch" -n dir p
has "  with its line" err 'plan, line 1: WINDOW VCPUS JOBS RUNS'
printf '8 1 1 1\n8 1 1 2\n' >p
status 1 "a recording that would be made twice is refused" "$LAB/batch" -n dir p
has "  by name" err 'w8-1vcpu-j1-run1\.spht would be recorded twice'

# The comparison with a helper thread, as far as it goes without recordings.
check "the comparison tells what it does" "$LAB/kvm-helper" --help
has "  with its options" out '^  --policy=SIZE'
kvm_helper()
{
	what=$1
	why=$2
	shift 2
	status 2 "the comparison: $what is wrong usage" "$LAB/kvm-helper" "$@"
	has "  with the reason" err "$why"
}
kvm_helper "no folder" 'a folder for the recordings is missing'
kvm_helper "a window that the thread cannot have" 'expected some of 2,4,8,16,32' --policy=12 dir
kvm_helper "a window that stands twice" 'stands twice' --policy=16,16 dir
kvm_helper "no runs" 'from 1 to 99' --runs=0 dir
kvm_helper "an unknown option" 'not expected' --fast dir
status 1 "a comparison of nothing fails" "$LAB/kvm-helper" --no-record --csv=t.csv dir
has "  with the folder" err 'dir/off: No such file'
mkdir -p dir/off
status 1 "a folder without recordings fails" "$LAB/kvm-helper" --no-record --csv=t.csv dir
has "  and says so" err 'dir/off: no recording with prefetch window 1'
check "no table is written" test ! -e t.csv
finish
