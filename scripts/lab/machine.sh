# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Sourced by the scripts of the lab: puts a run together, boots L1, follows it.

# spread FILE N: N lines of FILE, evenly spread over it, so that a short list has of
# everything; all where it has no more.
spread()
{
	awk -v n="$2" '{ line[NR] = $0 }
		END {
			if (n > NR)
				n = NR
			for (i = 0; i < n; i++)
				print line[int(i * NR / n) + 1]
		}' "$1"
}

build_programs()
{
	[ -z "${SPHT_RECORD-}" ] || return 0
	say "building the recorder"
	(cd "$TOP" && ${DEPS:-scripts/deps} && make BUILD="$BUILD" "$BUILD/spht-record") >"$RUN/make.log" 2>&1 ||
		die "building spht-record failed: $(tail -n 3 "$RUN/make.log" | tr '\n' ' ')"
	SPHT_RECORD=$BUILD/spht-record
	[ -x "$SPHT_RECORD" ] || die "make did not build spht-record"
}

# The part of the initramfs that differs from run to run: lab_initrd OUT DIR
lab_initrd()
{
	{
		cat "$INITRD_PART/initrd"
		(cd "$2" && find lab | sort | cpio -o -H newc -R 0:0 --quiet)
	} >"$1"
}

# Files for both levels, from the options: VCPUS JOBS SECONDS_CAP OBJECTS WORKLOAD WINDOW
# MEMORY KVM_ARGS SNAP KVM_HELPER RECORDER, and JOB, the script for L1.
prepare_run()
{
	lab_in=$RUN/share/in
	mkdir -p "$RUN/l1/lab" "$RUN/l2/lab"

	spread "$GUEST_PART/objects" "$OBJECTS" >"$RUN/l2/lab/objects"
	OBJECTS=$(wc -l <"$RUN/l2/lab/objects")
	cp "$LAB/l2-init" "$RUN/l2/lab/init"
	echo "jobs=$JOBS" >"$RUN/l2/lab/env"
	lab_initrd "$lab_in/l2-initrd" "$RUN/l2"

	cp "$LAB/l1-init" "$RUN/l1/lab/init"
	cp "$LAB/$JOB" "$RUN/l1/lab/job"
	lab_initrd "$RUN/l1-initrd" "$RUN/l1"

	cp "$KERNEL_PART/boot/vmlinuz-$KERNEL" "$lab_in/vmlinuz"
	modules "$lab_in/kvm" kvm_amd
	if [ -n "$KVM_PART" ]; then
		for lab_ko in kvm kvm-amd; do
			lab_old=$(echo "$lab_in"/kvm/??-$lab_ko.ko)
			[ -e "$lab_old" ] || die "$KERNEL has no $lab_ko.ko"
			cp "$KVM_PART/$lab_ko.ko" "$lab_old"
		done
	fi
	[ ! -x "${SPHT_RECORD-}" ] || cp "$SPHT_RECORD" "$lab_in/spht-record"
	settings >"$lab_in/settings"
	cat >"$lab_in/env" <<-END
	vcpus=$VCPUS
	seconds=$SECONDS_CAP
	memory=$MEMORY
	recorder=$RECORDER
	snap=$SNAP
	kvm_args='kvm_amd.npt=0 $KVM_ARGS'
	kvm_helper=$KVM_HELPER
	append='$L2_APPEND'
	END
}

L2_APPEND='console=ttyS0 quiet mitigations=off panic=-1'
L1_APPEND='console=ttyS0 quiet mitigations=off panic=-1'

# Header entries of the recording, one KEY=VALUE a line.
settings()
{
	cat <<-END
	clock_real=$CLOCK_REAL
	guest.kernel=$KERNEL
	guest.vcpus=$VCPUS
	guest.jobs=$JOBS
	guest.workload=make -j$JOBS, $OBJECTS objects of $WORKLOAD, tinyconfig
	guest.memory_mib=$MEMORY
	guest.objects=$OBJECTS
	kvm.prefetch_window=$WINDOW
	lab.machine=$MACHINE
	lab.debian_kernel=$KERNEL_VERSION
	lab.qemu_version=$QEMU_VERSION
	lab.prefetch_window=$WINDOW
	lab.kvm_helper=${KVM_HELPER:-none}
	marks.names.0x1=boot
	marks.names.0x2=make
	marks.names.0x3=end
	END
	lab_i=256
	while read -r lab_o; do
		printf 'marks.names.0x%x=%s\n' $lab_i "$lab_o"
		lab_i=$((lab_i + 1))
	done <"$RUN/l2/lab/objects"
}

boot_l1()
{
	: >"$RUN/console.log"
	# With snapshot=on the images stay as they are; what is written goes to unnamed files.
	with_us env TMPDIR="$RUN" qemu-system-x86_64 -accel tcg,thread=multi -cpu EPYC,+svm -smp 2 \
		-m 4096 -nodefaults -no-user-config -display none -no-reboot \
		-name lab,debug-threads=on \
		-kernel "$KERNEL_PART/boot/vmlinuz-$KERNEL" -initrd "$RUN/l1-initrd" \
		-append "$L1_APPEND" \
		-drive file="$L1_PART/disk",format=raw,if=virtio,snapshot=on \
		-drive file="$GUEST_PART/disk",format=raw,if=virtio,snapshot=on \
		-fsdev local,id=share,path="$RUN/share",security_model=none \
		-device virtio-9p-pci,fsdev=share,mount_tag=share \
		"$@" 2>"$RUN/qemu.err" &
	QEMU_PID=$!
}

# The helper thread stands for one that has a core.  L1's second CPU, where it runs, sleeps
# most of the time; on a busy machine it would go on only after others' time slices, which
# are longer than what it has to do.
prompt_second_cpu()
{
	for lab_task in /proc/"$QEMU_PID"/task/*; do
		case $(cat "$lab_task/comm" 2>/dev/null) in
		'CPU 1/TCG')
			chrt --rr --pid 1 "${lab_task##*/}" 2>/dev/null && return 0
			;;
		esac
	done
	say "the second CPU's thread has no priority (that needs root): the helper comes later on a busy machine"
}

# The last words of a run that went wrong.
complain()
{
	lab_fail=$(tr -d '\r' <"$RUN/console.log" | sed -n 's/^.*LAB fail //p' | head -n 1)
	[ -z "$lab_fail" ] || die "L1: $lab_fail"
	lab_fail=$(tr -d '\r' <"$RUN/console.log" | grep -m 1 -i -E 'kernel panic|Out of memory' | head -n 1) || :
	[ -s "$RUN/console.log" ] || lab_fail=$(grep -v 'warning: TCG' "$RUN/qemu.err" 2>/dev/null | tail -n 1) || :
	die "$1${lab_fail:+ ($lab_fail)}"
}

# wait_for TEXT SECONDS WHAT: until L1 or L2 has said the line.
wait_for()
{
	lab_until=$(($(date +%s) + $2))
	until grep -q "LAB $1" "$RUN/console.log"; do
		if grep -q 'LAB fail' "$RUN/console.log"; then
			complain "$3"
		fi
		if ! kill -0 "$QEMU_PID" 2>/dev/null; then
			# Its last line may have come after we looked.
			grep -q "LAB $1" "$RUN/console.log" || complain "L1 ended before: $3"
			break
		fi
		[ "$(date +%s)" -lt $lab_until ] || complain "not within $2 s: $3"
		sleep 0.5
	done
	say "$3"
}

wait_off()
{
	lab_until=$(($(date +%s) + 60))
	while kill -0 "$QEMU_PID" 2>/dev/null; do
		[ "$(date +%s)" -lt $lab_until ] || break
		sleep 0.2
	done
	end_qemu
}

# said PREFIX: what follows it in the console's line, empty if it was not said.
said()
{
	tr -d '\r' <"$RUN/console.log" | sed -n "s/^.*LAB $1 *//p" | tail -n 1
}

# Checks what came out and gives it its name; exits with the recorder's status.
bring_out()
{
	lab_out=$RUN/share/out
	lab_status=$(cat "$lab_out/status" 2>/dev/null) || die "the run left no status"
	case $lab_status in
	0 | 4) ;;
	*) die "$RECORDER failed with status $lab_status: $(tail -n 1 "$lab_out/recorder.err" 2>/dev/null)" ;;
	esac
	lab_file=$lab_out/trace.${OUT##*.}
	[ -s "$lab_file" ] || die "$RECORDER wrote nothing"
	lab_end=$(said 'l2 end')
	case $lab_end in
	0) ;;
	'') say "the guest was not done after $SECONDS_CAP s; the recording ends there" ;;
	*) die "make in the guest failed with status $lab_end" ;;
	esac
	lab_helper=${OUT%.*}.helper
	if [ -n "$KVM_HELPER" ]; then
		[ -s "$lab_out/helper" ] || die "L1 handed out no counters of the helper"
		grep -qx 'threads [01]' "$lab_out/helper" || die "the counters of the helper make no sense"
		[ "$KVM_HELPER" = off ] || grep -qx 'threads 1' "$lab_out/helper" ||
			die "KVM had no helper thread: see dmesg in L1 (--shell)"
		cp "$lab_out/helper" "$lab_helper" || die "cannot write $lab_helper"
	fi
	# In two steps: what has the final name is whole.
	lab_part=$(mktemp "$OUT.XXXXXXXX.part") || die "cannot write $OUT"
	if ! cp "$lab_file" "$lab_part" || ! chmod 0644 "$lab_part"; then
		rm -f "$lab_part"
		die "cannot write $OUT"
	fi
	mv "$lab_part" "$OUT"
	cat "$lab_out/recorder.err" >&2
	say "$OUT: $(stat -c %s "$OUT") bytes"
	exit "$lab_status"
}

boot_shell()
{
	TMPDIR="$RUN" qemu-system-x86_64 -accel tcg,thread=multi -cpu EPYC,+svm -smp 2 -m 4096 \
		-nodefaults -no-user-config -nographic -no-reboot -serial mon:stdio \
		-kernel "$KERNEL_PART/boot/vmlinuz-$KERNEL" -initrd "$RUN/l1-initrd" \
		-append "$L1_APPEND" \
		-drive file="$L1_PART/disk",format=raw,if=virtio,snapshot=on \
		-drive file="$GUEST_PART/disk",format=raw,if=virtio,snapshot=on \
		-fsdev local,id=share,path="$RUN/share",security_model=none \
		-device virtio-9p-pci,fsdev=share,mount_tag=share
}
