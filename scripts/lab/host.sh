# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Sourced by scripts/lab/record: whether this machine shadows by itself, and the recording
# on it if so.

# kvm_mode: hardware (shadow paging on a real CPU), nested-paging, pvm or none.
kvm_mode()
{
	lab_params=$SYSFS/module
	for lab_m in kvm_intel/parameters/ept kvm_amd/parameters/npt; do
		[ -r "$lab_params/$lab_m" ] || continue
		case $(cat "$lab_params/$lab_m") in
		N | 0) echo hardware ;;
		*) echo nested-paging ;;
		esac
		return
	done
	if [ -d "$lab_params/kvm_pvm" ]; then
		echo pvm
	else
		echo none
	fi
}

# Sets WHERE unless it was given, MACHINE and CLOCK_REAL.
decide_where()
{
	lab_mode=$(kvm_mode)
	if [ -z "$WHERE" ]; then
		WHERE=lab
		case $lab_mode in
		hardware)
			if [ "$WINDOW" != 8 ]; then
				say "KVM shadows here, but its prefetch window is 8: using the emulated lab"
			elif [ -n "$KVM_HELPER" ]; then
				say "KVM shadows here, but without a helper thread: using the emulated lab"
			elif [ -n "$KVM_ARGS" ]; then
				say "KVM shadows here, but its modules are loaded already (--kvm-arg): using the emulated lab"
			elif [ "$(id -u)" != 0 ]; then
				say "KVM shadows here, but recording it needs root: using the emulated lab"
			else
				WHERE=host
				say "KVM shadows here: the guest runs on this machine"
			fi
			;;
		nested-paging) say "KVM uses nested paging here (ept or npt is on): using the emulated lab" ;;
		pvm) say "kvm_pvm cannot run an ordinary guest kernel: using the emulated lab" ;;
		none) say "no KVM here: using the emulated lab" ;;
		esac
	elif [ "$WHERE" = host ]; then
		[ "$lab_mode" = hardware ] ||
			die "--where=host needs kvm_intel with ept=0 or kvm_amd with npt=0; here: $lab_mode"
		[ "$WINDOW" = 8 ] || die "--where=host: the KVM of this machine has prefetch window 8"
		[ -z "$KVM_HELPER" ] || die "--where=host: the KVM of this machine has no helper thread"
		[ "$(id -u)" = 0 ] || die "--where=host: recording needs root"
	fi
	if [ "$WHERE" = host ]; then
		MACHINE=host
		CLOCK_REAL=true
		[ -z "$KVM_ARGS" ] || die "--kvm-arg: the modules of this machine are loaded already"
	else
		MACHINE='qemu tcg, EPYC with SVM'
		CLOCK_REAL=false
	fi
	[ "${SPHT_LAB_DECIDE-}" != only ] || {
		echo "$WHERE"
		exit 0
	}
}

# The guest of the lab, run by this machine's KVM under the recorder.
record_on_host()
{
	[ $RECORDER = spht-record ] || die "on the host only .spht files are recorded"
	JOB=job-record
	prepare_run
	set -- -- qemu-system-x86_64 -accel kvm -cpu host,-svm,-vmx -smp "$VCPUS" -m "$MEMORY" \
		-nodefaults -no-user-config -display none -no-reboot -serial file:"$RUN/console.log" \
		-kernel "$RUN/share/in/vmlinuz" -initrd "$RUN/share/in/l2-initrd" \
		-append "$L2_APPEND" \
		-drive file="$GUEST_PART/disk",format=raw,if=virtio,snapshot=on
	while read -r lab_s; do
		set -- --set "$lab_s" "$@"
	done <"$RUN/share/in/settings"
	with_us env TMPDIR="$RUN" "$SPHT_RECORD" -o "$RUN/share/out/trace.spht" --profile=shadow --mark-port=0x5f0 \
		--duration="$SECONDS_CAP" ${SNAP:+"$SNAP"} "$@" 2>"$RUN/share/out/recorder.err" </dev/null &
	# What ends us ends the recorder, and that its guest.
	QEMU_PID=$!
	wait_for 'l2 make' 120 "the guest is up: make -j$JOBS of $OBJECTS objects of $WORKLOAD"
	lab_status=0
	wait "$QEMU_PID" || lab_status=$?
	QEMU_PID=
	echo "$lab_status" >"$RUN/share/out/status"
	say "recorded"
}
