#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What spht-replay takes from a recording's header and footer: KVM's prefetch
# window and KVM's own counters.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

# with KVM [FOOTER]: h.spht is the golden recording whose header has this "kvm".
with()
{
	sed "s|\"kvm\":{\"prefetch_window\":8}|\"kvm\":$1|" "$TOP/tests/data/replay-golden.txt" >h.txt
	[ $# = 1 ] || echo "#footer $2" >>h.txt
	rm -f h.spht
	"$SPHT_MKTRACE" -o h.spht h.txt && "$SPHT_REPLAY" --heuristic=none --json=h.json h.spht
}

# A window that KVM cannot have is not believed, and not silently.
for window in 7 0 -8 128 '"8"' null; do
	check "a recording whose header says that the window is $window replays" \
		with "{\"prefetch_window\":$window}"
	has "  the recorded groups decide" out \
		"^baseline +KVM's own prefetch window 8 \\(from the recorded groups\\)"
	if [ "$window" = null ]; then
		check "  which is nothing to speak of" test ! -s err
	else
		has "  it is said" err \
			"^spht-replay: h\\.spht: the header's kvm\\.prefetch_window is $window, not a power of two"
	fi
done
check "a window of 8 is believed" with '{"prefetch_window":8}'
has "  as the header's" out "^baseline +KVM's own prefetch window 8: results"
check "  without a word" test ! -s err

# 22 #PF exits are recorded whole, one of them on cached MMIO, which KVM does not count;
# one is cut off at the end: KVM counted that one too.
check "a recording without KVM's counters replays" with '{}'
lacks "  nothing is said of them" out '^counters'
has "  and the JSON has none" h.json '"kvm_counters": null'
check "one with counters replays" with \
	'{"stats":{"before":{"pf_taken":"0x64","exits":7},"after":{"pf_taken":123,"exits":90}}}'
has "  the difference is told" out \
	"^counters +KVM's pf_taken rose by 23, 21 faults were recorded meanwhile: difference \\+2 \\(and 1 on cached MMIO"
has "  in the JSON too" h.json '"difference": 2'
check "one whose counters end in its footer replays" with \
	'{"stats":{"before":{"global":{"pf_taken":9},"vms":{}}}}' \
	'{"kvm_stats":{"after":{"global":{"pf_taken":90},"vms":{"12-9":{"pf_taken":20,"vcpus":{}}}}}}'
has "  its VM's count" out 'rose by 20, 21 faults were recorded meanwhile: difference -1 '
check "counters with only one end replay" with '{"stats":{"before":{"pf_taken":5}}}'
lacks "  and say nothing" out '^counters'
check "counters that make no sense replay" with '{"stats":{"before":[1],"after":{"pf_taken":"x"}}}'
lacks "  and say nothing" out '^counters'

# Whose events are whose cannot be told by the events.
vms='{"vms":[{"pid":7,"vcpus":{"%s":0}},{"pid":9,"vcpus":{"12":0,"13":1}},{"pid":10,"vcpus":{}}]}'
# shellcheck disable=SC2059
status 1 "a recording of two VMs is refused" with '{}' "$(printf "$vms" 8)"
has "  which can be chosen" err 'h\.spht: 2 VMs are in it, follow one of them: --vm=8 or --vm=12,13$'

# A cut has some of the faults; the counters are of all.
with '{"stats":{"before":{"pf_taken":0},"after":{"pf_taken":23}}}' >/dev/null 2>&1
check "a cut of a recording with counters can be made" "$SPHT_TRACE" cut --from=@2050000 h.spht -o cut.spht
check "it replays" "$SPHT_REPLAY" --heuristic=none cut.spht
lacks "  and compares nothing" out '^counters'
finish
