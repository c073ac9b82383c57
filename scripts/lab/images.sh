# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Sourced by the scripts of the lab: makes what the lab boots from Debian packages.  A
# part is a folder $CACHE/NAME-STAMP; STAMP stands for all that it was made from, and the
# folder gets this name only when it is whole.  Packages are unpacked, not installed:
# no maintainer script runs and nothing is mounted.  Only `guest` and `kvm` need root, for
# chroot, because they are made with the guest's own compiler.

# What the machine that runs the lab needs: package and a program or file of it.
LAB_HOST_PACKAGES='qemu-system-x86 cpio kmod e2fsprogs xz-utils'
L1_PACKAGES='qemu-system-x86 trace-cmd kmod busybox-static libtracefs1 libtraceevent1
	libtracecmd1 libzstd1 libjansson4 libbpf1 strace'
GUEST_PACKAGES='gcc make flex bison bc libelf-dev libc6-dev perl-base bash dash coreutils sed
	grep mawk findutils diffutils tar gzip xz-utils cpio kmod busybox-static'
# Beyond that, what builds modules; dwarves gives them BTF, which the recorder reads.
MODULE_PACKAGES=dwarves

install_host_packages()
{
	lab_missing=
	for lab_p in $LAB_HOST_PACKAGES; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$lab_p" 2>/dev/null)" = installed ] ||
			lab_missing="$lab_missing $lab_p"
	done
	[ -n "$lab_missing" ] || return 0
	command -v apt-get >/dev/null || die "this is no Debian system; the lab needs$lab_missing"
	if [ "$(id -u)" = 0 ]; then
		lab_as=
	elif command -v sudo >/dev/null; then
		lab_as=sudo
	else
		die "installing needs root: apt-get install --no-install-recommends$lab_missing"
	fi
	say "installing$lab_missing"
	# Lists of words.
	# shellcheck disable=SC2086
	$lab_as apt-get -q update >/dev/null 2>&1 || say "apt-get update failed; trying with the old lists"
	# shellcheck disable=SC2086
	$lab_as env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install \
		$lab_missing >"$CACHE/apt.log" 2>&1 </dev/null ||
		die "could not install$lab_missing: $(tail -n 1 "$CACHE/apt.log")"
}

# apt as if nothing were installed: what it names is the whole closure.
lab_apt()
{
	mkdir -p "$1/partial"
	: >"$CACHE/status"
	# A word list; tabs and newlines in it are blanks.
	# shellcheck disable=SC2086
	apt-get -q -y -o Dir::State::status="$CACHE/status" -o Dir::Cache::archives="$1" \
		-o Debug::NoLocking=1 -o APT::Sandbox::User=root -o APT::Install-Recommends=0 \
		"$2" install $3
}

# closure PACKAGES: URI, file name, size and checksum of them and all they depend on.
closure()
{
	# Resolving takes seconds; the answer is good as long as the package lists are.
	lab_key=$({
		echo "$1"
		ls -l --time-style=+%s /var/lib/apt/lists /etc/apt /etc/apt/sources.list.d 2>/dev/null
	} | sha256sum | cut -c 1-16)
	lab_list=$CACHE/lists/$lab_key
	if [ ! -s "$lab_list" ]; then
		mkdir -p "$CACHE/lists"
		lab_apt "$CACHE/none" --print-uris "$1" 2>"$CACHE/apt.log" | grep "^'" |
			sort >"$lab_list.tmp" || :
		[ -s "$lab_list.tmp" ] ||
			die "apt cannot resolve $1: $(tail -n 1 "$CACHE/apt.log") (apt-get update may help)"
		mv "$lab_list.tmp" "$lab_list"
	fi
	cat "$lab_list"
}

# fetch PACKAGES: the .deb files of their closure, by name.
fetch()
{
	closure "$1" >"$CACHE/fetch.list"
	lab_todo=
	while read -r _ lab_deb lab_size _; do
		[ "$(stat -c %s "$CACHE/debs/$lab_deb" 2>/dev/null)" = "$lab_size" ] || lab_todo=1
	done <"$CACHE/fetch.list"
	if [ -n "$lab_todo" ]; then
		lab_apt "$CACHE/debs" --download-only "$1" >"$CACHE/apt.log" 2>&1 ||
			die "fetching packages failed: $(grep -m 1 '^E' "$CACHE/apt.log") (apt-get update may help)"
	fi
	awk -v d="$CACHE/debs/" '{print d $2}' "$CACHE/fetch.list"
}

# unpack PACKAGES DIR: a root with their files, merged /usr, without documentation.
unpack()
{
	fetch "$1" >"$CACHE/unpack.list"
	for lab_d in bin sbin lib lib64; do
		mkdir -p "$2/usr/$lab_d"
		ln -s "usr/$lab_d" "$2/$lab_d"
	done
	mkdir -p "$2/dev" "$2/proc" "$2/sys" "$2/tmp" "$2/run" "$2/root" "$2/etc"
	while read -r lab_deb; do
		dpkg-deb --fsys-tarfile "$lab_deb" | tar -C "$2" --keep-directory-symlink -xf - \
			--exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
			--exclude='./usr/share/locale/*' --exclude='./usr/share/i18n/*' \
			--exclude='./usr/share/info/*' --exclude='./usr/share/iso-codes/*' ||
			die "unpacking $lab_deb failed"
	done <"$CACHE/unpack.list"
}

# image DIR FILE EXTRA: an ext4 image of a folder with EXTRA MiB to spare.
image()
{
	lab_mib=$(($(du -sm --apparent-size "$1" | cut -f 1) * 5 / 4 + $3))
	mke2fs -q -F -t ext4 -O ^has_journal -i 8192 -E lazy_itable_init=0 -d "$1" "$2" "${lab_mib}M" >/dev/null ||
		die "mke2fs failed"
}

# recipe FUNCTION...: their text, which is part of what a part is made from.
recipe()
{
	for lab_f; do
		sed -n "/^$lab_f()/,/^}/p" "$LAB/images.sh"
	done
}

stamp()
{
	sha256sum | cut -c 1-16
}

# part NAME STAMP WHAT: sets PART to the folder, after calling make_NAME FOLDER if it is
# not there yet.  Dashes in NAME and what follows them are not part of the function's name.
part()
{
	PART=$CACHE/$1-$2
	[ ! -d "$PART" ] || return 0
	lab_name=$1
	lab_final=$PART
	say "building $3"
	PART_TMP=$CACHE/tmp.$1.$$
	rm -rf "$PART_TMP"
	mkdir -p "$PART_TMP"
	"make_${1%%-*}" "$PART_TMP"
	mv "$PART_TMP" "$lab_final"
	PART_TMP=
	for lab_old in "$CACHE/$lab_name"-????????????????; do
		if [ -d "$lab_old" ] && [ "$lab_old" != "$lab_final" ]; then
			rm -rf "$lab_old"
		fi
	done
	PART=$lab_final
}

need_root()
{
	[ "$(id -u)" = 0 ] || die "building $1 needs root (chroot); once it is built, nobody needs root"
}

# --- the kernel of both levels: vmlinuz and modules

make_kernel()
{
	fetch "$KERNEL_PACKAGE" | grep "/${KERNEL_PACKAGE}_" >"$CACHE/kernel.list" || :
	[ -s "$CACHE/kernel.list" ] || die "$KERNEL_PACKAGE: no such file was fetched"
	read -r lab_deb <"$CACHE/kernel.list"
	dpkg-deb -x "$lab_deb" "$1"
	depmod -b "$1" "$KERNEL"
}

# modules FOLDER NAME...: the named modules and what they need as FOLDER/NN-name.ko,
# to be loaded in this order.
modules()
{
	lab_to=$1
	shift
	mkdir -p "$lab_to"
	for lab_m; do
		modprobe -d "$KERNEL_PART" -S "$KERNEL" -D "$lab_m" || die "$KERNEL has no module $lab_m"
	done | awk '$1 == "insmod" && !seen[$2]++ { printf "%02d %s\n", ++n, $2 }' |
		while read -r lab_n lab_ko; do
			cp "$lab_ko" "$lab_to/$lab_n-${lab_ko##*/}"
		done
	[ -n "$(ls "$lab_to")" ] || die "modules $*: none found"
}

# --- the initramfs of both levels: up to the root on the first disk

make_initramfs()
{
	mkdir -p "$1/root/bin" "$1/root/dev" "$1/root/proc" "$1/root/sys" "$1/root/new" "$1/root/lab"
	cp "$L1_PART/busybox" "$1/root/bin/busybox"
	cp "$LAB/initramfs-init" "$1/root/init"
	chmod 755 "$1/root/init"
	modules "$1/root/modules" virtio_pci virtio_blk ext4
	(cd "$1/root" && find . | sort | cpio -o -H newc -R 0:0 --quiet | gzip -n -1) >"$1/initrd"
	# What follows must begin at a multiple of 4.
	truncate -s %4 "$1/initrd"
	rm -rf "$1/root"
}

# --- L1: the disk of the recording machine

make_l1()
{
	unpack "$L1_PACKAGES" "$1/root"
	modules "$1/root/modules" 9pnet_virtio 9p
	cp "$1/root/bin/busybox" "$1/busybox"
	for lab_c in sh mount insmod cat ls sleep ps dmesg sync mkdir cp mv rm kill sed grep awk; do
		[ -e "$1/root/bin/$lab_c" ] || ln -s busybox "$1/root/bin/$lab_c"
	done
	mkdir -p "$1/root/share"
	image "$1/root" "$1/disk" 64
	rm -rf "$1/root"
}

# --- L2: the disk of the guest: compiler and prepared kernel tree

make_tools()
{
	unpack "$GUEST_PACKAGES $MODULE_PACKAGES $HEADERS_PACKAGE" "$1/root"
	ln -sf dash "$1/root/bin/sh"
	ln -sf mawk "$1/root/usr/bin/awk"
	echo root:x:0:0:root:/root:/bin/sh >"$1/root/etc/passwd"
	echo root:x:0: >"$1/root/etc/group"
	rm -f "$1/root/dev/null"
	# Not mknod -m, which wants a /proc.
	{ mknod "$1/root/dev/null" c 1 3 && chmod 666 "$1/root/dev/null"; } ||
		die "cannot make a device node"
}

in_root()
{
	lab_root=$1
	shift
	chroot "$lab_root" /usr/bin/env -i PATH=/lab/bin:/usr/sbin:/usr/bin HOME=/root LC_ALL=C \
		KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab KBUILD_BUILD_TIMESTAMP=2024-01-01 "$@"
}

# source_tree DIR PATTERN...: the members of the kernel source that match, into DIR/linux.
source_tree()
{
	lab_dir=$1
	shift
	fetch "$SOURCE_PACKAGE" | grep "/${SOURCE_PACKAGE}_" >"$CACHE/source.list" || :
	read -r lab_deb <"$CACHE/source.list" || die "$SOURCE_PACKAGE: no such file was fetched"
	mkdir -p "$lab_dir/linux"
	dpkg-deb --fsys-tarfile "$lab_deb" | tar -xOf - "./usr/src/$SOURCE_PACKAGE.tar.xz" |
		xz -dc -T 0 | tar -C "$lab_dir/linux" --strip-components=1 --no-same-owner -xf - "$@" ||
		die "unpacking the kernel source failed"
}

make_guest()
{
	lab_guest=$1
	lab_log=$CACHE/guest.log
	cp -a "$TOOLS_PART/root" "$lab_guest/root"
	mkdir -p "$lab_guest/root/lab/bin"
	cp "$LAB/lab-mark.c" "$lab_guest/root/lab/"
	in_root "$lab_guest/root" /usr/bin/gcc -static -O2 -Wall -Wextra -Werror -o /lab/bin/gcc \
		/lab/lab-mark.c >"$lab_log" 2>&1 || die "lab-mark.c does not compile: see $lab_log"
	ln -s gcc "$lab_guest/root/lab/bin/lab-mark"
	mkdir "$lab_guest/root/lab/ko"
	cp "$LAB/lab-mark-ko.c" "$lab_guest/root/lab/ko/lab-mark.c"
	echo 'obj-m := lab-mark.o' >"$lab_guest/root/lab/ko/Makefile"
	in_root "$lab_guest/root" make -C "/usr/src/linux-headers-$KERNEL" M=/lab/ko modules \
		 >"$lab_log" 2>&1 </dev/null || die "lab-mark-ko.c does not build: see $lab_log"
	mv "$lab_guest/root/lab/ko/lab-mark.ko" "$lab_guest/root/lab/"
	rm -rf "$lab_guest/root/lab/ko" "$lab_guest"/root/usr/src/linux-headers-* \
		"$lab_guest"/root/usr/lib/linux-kbuild-*
	# The drivers' and other machines' sources are most of the tree; Kconfig files must stay.
	source_tree "$lab_guest/root" --exclude='*/drivers/*.[chS]' --exclude='*/sound/*.[chS]' \
		--exclude='*/Documentation/*.rst' --exclude='*/Documentation/*.txt' \
		--exclude='*/Documentation/*.yaml' --exclude='*/tools/testing/*' \
		--exclude='*/tools/perf/*' --exclude='*.dts' --exclude='*.dtsi'
	in_root "$lab_guest/root" make -C /linux -j"$(nproc)" tinyconfig prepare scripts \
		>"$lab_log" 2>&1 </dev/null || die "preparing the kernel tree failed: see $lab_log"
	# Which objects there are only a build knows.
	in_root "$lab_guest/root" make -C /linux -j"$(nproc)" "$WORKLOAD" >"$lab_log" 2>&1 </dev/null ||
		die "$WORKLOAD does not build: see $lab_log"
	(
		cd "$lab_guest/root/linux" || exit 1
		find "$WORKLOAD" -name '*.o' | sort | while read -r lab_o; do
			if [ -e "${lab_o%.o}.c" ] || [ -e "${lab_o%.o}.S" ]; then
				echo "$lab_o"
			fi
		done >"$lab_guest/objects"
		find "$WORKLOAD" \( -name '*.o' -o -name '*.a' -o -name '.*.o.cmd' -o -name '.*.a.cmd' \) \
			-delete
	)
	[ -s "$lab_guest/objects" ] || die "$WORKLOAD builds no objects with tinyconfig"
	# What the compiling make is given: see lab-capture.
	cp "$LAB/lab-capture" "$lab_guest/root/lab/bin/"
	in_root "$lab_guest/root" LAB_CAPTURE=/lab/make.env LAB_FOLDER="${WORKLOAD%/}" \
		make -s -C /linux MAKE=/lab/bin/lab-capture "$(head -n 1 "$lab_guest/objects")" \
		>"$lab_log" 2>&1 </dev/null || die "capturing the make failed: see $lab_log"
	[ -s "$lab_guest/root/lab/make.env" ] ||
		die "no make is called for $WORKLOAD by the top Makefile: see $lab_log"
	echo "${WORKLOAD%/}" >"$lab_guest/root/lab/make.folder"
	image "$lab_guest/root" "$lab_guest/disk" 512
	rm -rf "$lab_guest/root"
}

# --- kvm.ko with another prefetch window, with a helper thread

# The calls of kvm-helper.c.  It does nothing unless kvm.spht_helper is set.
add_helper()
{
	cp "$LAB/kvm-helper.c" "$1/spht.c"
	insert_once "$1/mmu.c" '^#define PTTYPE_EPT 18 /\* arbitrary \*/$' '#include "spht.c"'
	insert_once "$1/mmu.c" '^[[:blank:]]node->track_write = kvm_mmu_pte_write;$' 'spht_start(kvm);'
	insert_once "$1/mmu.c" '^[[:blank:]]kvm_mmu_uninit_tdp_mmu\(kvm\);$' 'spht_stop(kvm);'
	insert_once "$1/mmu.c" '^[[:blank:]]if \(kvm->arch\.nx_lpage_recovery_thread\)$' 'spht_stop(kvm);'
	insert_once "$1/paging_tmpl.h" '^[[:blank:]]ret = mmu_set_spte\(vcpu, fault->slot, it\.sptep, gw->pte_access,$' \
		'spht_before(vcpu);'
	change_once "$1/paging_tmpl.h" '^[[:blank:]]FNAME\(pte_prefetch\)\(vcpu, gw, it\.sptep\);$' \
		'FNAME(pte_prefetch)(vcpu, gw, it.sptep); if (PTTYPE == 64) spht_fault(vcpu, it.sptep, ret);'
}

make_kvm()
{
	lab_kvm=$1
	lab_log=$CACHE/kvm.log
	cp -a "$TOOLS_PART/root" "$lab_kvm/root"
	source_tree "$lab_kvm/root" --wildcards '*/arch/x86/kvm/*' '*/virt/kvm/*' '*/virt/lib/*' \
		'*/scripts/extract-vmlinux'
	lab_dir=$lab_kvm/root/linux
	change_once "$lab_dir/arch/x86/kvm/mmu/mmu.c" '^#define PTE_PREFETCH_NUM[[:blank:]]+8$' \
		"#define PTE_PREFETCH_NUM $WINDOW"
	change_once "$lab_dir/arch/x86/kvm/Makefile" '^ccflags-y \+= -I ?\$\(srctree\)/arch/x86/kvm$' \
		'ccflags-y += -I $(src) -I $(src)/../../../virt/kvm'
	change_once "$lab_dir/arch/x86/kvm/Makefile" '^include \$\(srctree\)/virt/kvm/Makefile\.kvm$' \
		'include $(src)/../../../virt/kvm/Makefile.kvm'
	[ -z "$KVM_HELPER" ] || add_helper "$lab_dir/arch/x86/kvm/mmu"
	# Without a vmlinux, modules get no BTF; the image of the kernel has one inside.
	cp "$KERNEL_PART/boot/vmlinuz-$KERNEL" "$lab_kvm/root/vmlinuz"
	in_root "$lab_kvm/root" sh /linux/scripts/extract-vmlinux /vmlinuz \
		>"$lab_kvm/root/usr/src/linux-headers-$KERNEL/vmlinux" 2>"$lab_log" ||
		die "no vmlinux in vmlinuz-$KERNEL: see $lab_log"
	# No package has resolve_btfids, and nothing in KVM needs it (no .BTF_ids, checked below).
	mkdir -p "$lab_kvm/root/usr/src/linux-headers-$KERNEL/tools/bpf/resolve_btfids"
	ln -s /usr/bin/true "$lab_kvm/root/usr/src/linux-headers-$KERNEL/tools/bpf/resolve_btfids/resolve_btfids"
	in_root "$lab_kvm/root" make -C "/usr/src/linux-headers-$KERNEL" M=/linux/arch/x86/kvm \
		-j"$(nproc)" modules CONFIG_KVM_INTEL= >"$lab_log" 2>&1 </dev/null ||
		die "building kvm failed: see $lab_log"
	for lab_ko in kvm kvm-amd; do
		in_root "$lab_kvm/root" strip --strip-debug "/linux/arch/x86/kvm/$lab_ko.ko" ||
			die "building kvm made no $lab_ko.ko: see $lab_log"
		in_root "$lab_kvm/root" readelf -S -W "/linux/arch/x86/kvm/$lab_ko.ko" >"$lab_log.sections"
		grep -q ' \.BTF ' "$lab_log.sections" || die "$lab_ko.ko has no BTF: see $lab_log"
		! grep -q ' \.BTF_ids ' "$lab_log.sections" || die "$lab_ko.ko needs resolve_btfids"
		cp "$lab_dir/arch/x86/kvm/$lab_ko.ko" "$lab_kvm/"
	done
	rm -rf "$lab_kvm/root"
}

matches_once()
{
	lab_count=$(grep -cE "$2" "$1") || :
	[ "$lab_count" = 1 ] ||
		die "${1##*/linux/} of $SOURCE_PACKAGE: '$2' matches $lab_count lines, not 1; this kernel needs another way"
}

# insert_once FILE PATTERN LINE: before the one line that matches.
insert_once()
{
	matches_once "$1" "$2"
	# The pattern holds no |, the line no backslash.
	sed -i -E "\\|$2|i\\
$3" "$1"
}

# change_once FILE PATTERN TEXT: the one line that matches becomes TEXT.
change_once()
{
	matches_once "$1" "$2"
	# The pattern and the text hold no |, the text no \ or &.
	sed -i -E "s|$2|$3|" "$1"
	[ "$(grep -cF "$3" "$1")" -ge 1 ] || die "${1##*/linux/}: the change did not take effect"
}

# --- all of them

# Sets KERNEL*, L1_PART, INITRD_PART, GUEST_PART and KVM_PART (empty for Debian's own).
make_images()
{
	command -v apt-cache >/dev/null || die "the lab is made of Debian packages, and there is no apt here"
	mkdir -p "$CACHE" || exit 1
	exec 9>"$CACHE/lock"
	if ! flock -n 9; then
		say "waiting for another run that builds images"
		flock -w 1800 9 || die "$CACHE/lock is held by another run since 30 minutes"
	fi
	# Left behind by runs that were killed: we hold the lock.
	rm -rf "$CACHE"/tmp.*
	install_host_packages

	KERNEL=$(apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n 's/.*Depends: linux-image-\([0-9][^ ]*\)$/\1/p' | head -n 1)
	[ -n "$KERNEL" ] || die "apt knows no linux-image-amd64; apt-get update may help"
	KERNEL_PACKAGE=linux-image-$KERNEL-unsigned
	HEADERS_PACKAGE=linux-headers-$KERNEL
	SOURCE_PACKAGE=linux-source-$(echo "$KERNEL" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')

	# In a pipe below, a failure would pass unnoticed; what is listed once is there.
	for lab_p in "$KERNEL_PACKAGE" "$SOURCE_PACKAGE" "$HEADERS_PACKAGE" "$L1_PACKAGES" \
		"$GUEST_PACKAGES $MODULE_PACKAGES $HEADERS_PACKAGE"; do
		closure "$lab_p" >/dev/null
	done
	lab_kernel=$(closure "$KERNEL_PACKAGE" | grep " ${KERNEL_PACKAGE}_") || die "no $KERNEL_PACKAGE"
	lab_source=$(closure "$SOURCE_PACKAGE" | grep " ${SOURCE_PACKAGE}_") || die "no $SOURCE_PACKAGE"
	KERNEL_VERSION=$(echo "$lab_kernel" | sed 's/.* [^ _]*_\([^_]*\)_.*/\1/')
	lab_version=$(echo "$lab_source" | sed 's/.* [^ _]*_\([^_]*\)_.*/\1/')
	[ "$KERNEL_VERSION" = "$lab_version" ] ||
		die "$KERNEL_PACKAGE is $KERNEL_VERSION, $SOURCE_PACKAGE is $lab_version; apt-get update may help"
	part kernel "$({ recipe make_kernel; echo "$lab_kernel"; } | stamp)" "kernel $KERNEL ($KERNEL_VERSION)"
	KERNEL_PART=$PART
	part l1 "$({ recipe make_l1 unpack image modules; closure "$L1_PACKAGES"; echo "$KERNEL_PART"; } | stamp)" \
		"the disk of L1"
	L1_PART=$PART
	part initramfs "$({ recipe make_initramfs modules; cat "$LAB/initramfs-init"; echo "$L1_PART"; } | stamp)" \
		"the initramfs"
	INITRD_PART=$PART
	QEMU_VERSION=$(closure "$L1_PACKAGES" | sed -n 's/.* qemu-system-x86_\([^_]*\)_.*/\1/p' | sed 's/%3a/:/')

	lab_tools=$({ recipe make_tools unpack; closure "$GUEST_PACKAGES $MODULE_PACKAGES $HEADERS_PACKAGE"; } | stamp)
	lab_guest=$({
		recipe make_guest source_tree in_root image
		cat "$LAB/lab-mark.c" "$LAB/lab-mark-ko.c" "$LAB/lab-capture"
		echo "$lab_tools $lab_source $WORKLOAD"
	} | stamp)
	lab_kvm_id=kvm-$WINDOW${KVM_HELPER:+-helper}
	lab_kvm=$({
		recipe make_kvm source_tree in_root change_once matches_once
		if [ -n "$KVM_HELPER" ]; then
			recipe add_helper insert_once
			cat "$LAB/kvm-helper.c"
		fi
		echo "$lab_tools $lab_source $WINDOW"
	} | stamp)
	lab_id=guest-$(echo "$WORKLOAD" | tr -c 'a-z0-9\n' _)
	GUEST_PART=$CACHE/$lab_id-$lab_guest
	KVM_PART=
	[ "$WINDOW$KVM_HELPER" = 8 ] || KVM_PART=$CACHE/$lab_kvm_id-$lab_kvm
	if [ ! -d "$GUEST_PART" ] || { [ -n "$KVM_PART" ] && [ ! -d "$KVM_PART" ]; }; then
		need_root "the guest and kvm.ko"
		part tools "$lab_tools" "the guest's compiler"
		TOOLS_PART=$PART
		part "$lab_id" "$lab_guest" "the guest with a kernel tree (some minutes)"
		[ -z "$KVM_PART" ] || part "$lab_kvm_id" "$lab_kvm" \
			"kvm.ko with prefetch window $WINDOW${KVM_HELPER:+ and a helper thread} (some minutes)"
	fi
	exec 9>&-
}
