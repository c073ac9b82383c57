// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "calibrate/die.h"
#include "tests/live/counters.h"

const char *const counter_names[COUNTER_NR] = {
	[COUNTER_TAKEN] = "pf_taken",       [COUNTER_FIXED] = "pf_fixed",
	[COUNTER_GUEST] = "pf_guest",       [COUNTER_EMULATE] = "pf_emulate",
	[COUNTER_SPURIOUS] = "pf_spurious", [COUNTER_EXITS] = "exits",
};

static void read_at(int fd, void *buf, size_t len, off_t at)
{
	if (pread(fd, buf, len, at) != (ssize_t)len)
		die_errno("KVM's counters");
}

/* @nr counters of a VM or vCPU, by name. */
static void read_all(int kvm_fd, const char *const *names, size_t nr, uint64_t *v)
{
	int fd = ioctl(kvm_fd, KVM_GET_STATS_FD, NULL);
	struct kvm_stats_header h;
	size_t size, found = 0;
	char *desc;

	if (fd < 0)
		die_errno("KVM_GET_STATS_FD, Linux 5.14 and later");
	read_at(fd, &h, sizeof(h), 0);
	size = sizeof(struct kvm_stats_desc) + h.name_size;
	desc = malloc(size);
	if (!desc)
		die("no memory for KVM's counters");
	for (uint32_t i = 0; i < h.num_desc; i++) {
		const struct kvm_stats_desc *d = (const void *)desc;

		read_at(fd, desc, size, h.desc_offset + (off_t)(i * size));
		for (size_t n = 0; n < nr; n++)
			if (!strncmp(d->name, names[n], h.name_size)) {
				read_at(fd, &v[n], sizeof(v[n]), h.data_offset + (off_t)d->offset);
				found++;
			}
	}
	free(desc);
	close(fd);
	if (found != nr)
		die("KVM has %zu of %zu counters (%s, ...)", found, nr, names[0]);
}

void counters_read(int vcpu_fd, uint64_t v[COUNTER_NR])
{
	read_all(vcpu_fd, counter_names, COUNTER_NR, v);
}

uint64_t counter_of_vm(int vm_fd, const char *name)
{
	uint64_t v;

	read_all(vm_fd, &name, 1, &v);
	return v;
}
