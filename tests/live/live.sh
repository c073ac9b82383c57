# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Sourced by the tests of this folder as their first command.  Says why nothing
# can be recorded here, if so, and records what vmm does.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

SPHT_VMM=${SPHT_VMM:-$BUILD/tests/vmm}

# nested_paging: a KVM module that does not shadow, with its parameter.
nested_paging()
{
	for param in kvm_intel/parameters/ept kvm_amd/parameters/npt; do
		case $(cat "/sys/module/$param" 2>/dev/null) in
		[Y1])
			echo "$param" | sed 's|/parameters/| |; s|$|=1|'
			return
			;;
		esac
	done
}

# live_missing: one line that says what is missing; nothing where all is there.
live_missing()
{
	if [ -n "$SPHT_SANITIZED" ]; then
		echo "tried by make check"
	elif [ ! -x "$SPHT_RECORD" ]; then
		echo "spht-record is not built"
	elif [ ! -x "$SPHT_VMM" ]; then
		echo "the VMM is not built"
	elif [ ! -e /dev/kvm ]; then
		echo "no /dev/kvm here"
	elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		echo "/dev/kvm may not be opened"
	elif [ -n "$(nested_paging)" ]; then
		echo "KVM does not shadow here: $(nested_paging)"
	elif ! grep -qE '^[^ ]+ [^ ]+ tracefs ' /proc/mounts; then
		echo "tracefs is not mounted: mount -t tracefs none /sys/kernel/tracing, as root"
	elif ! "$SPHT_VMM" mmio 1 >/dev/null 2>"$T/.vmm"; then
		echo "the guest does not run here: $(head -n 1 "$T/.vmm")"
	elif ! "$SPHT_RECORD" --check >"$T/.check" 2>&1; then
		echo "spht-record cannot record here: $(grep -m 1 -E '^(FAIL|warn)' "$T/.check")"
	fi
}

# live_or_skip SENTENCE: ends the script with a skipped test where nothing can be recorded.
live_or_skip()
{
	missing=$(live_missing)
	[ -n "$missing" ] || return 0
	skip "$1" "$missing"
	finish
}

# record NAME PATTERN...: the guest into $T/NAME.spht, what it did into $T/NAME.json.
record()
{
	name=$1
	shift
	rm -f "$T/$name.spht"
	"$SPHT_RECORD" -o "$T/$name.spht" --profile=shadow -- \
		"$SPHT_VMM" -o "$T/$name.json" "$@"
}
