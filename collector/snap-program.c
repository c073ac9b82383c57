// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_SNAP
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#endif

#include "snap-program.h"
#include "sysfile.h"

#ifdef HAVE_SNAP

#define MAX_LINKS 8

/* The object file that clang made of snap.bpf.c. */
__asm__(".section .rodata\n"
	".balign 8\n"
	"spht_snap_object:\n"
	".incbin \"" SNAP_OBJECT "\"\n"
	"spht_snap_object_end:\n"
	".previous\n");
extern const char spht_snap_object[], spht_snap_object_end[];

struct spht_snap_program {
	struct bpf_object *object;
	struct bpf_link *links[MAX_LINKS];
	unsigned int nr_links;
	int ring, dropped; /* file descriptors of maps */
};

/* The first that libbpf had to say against it: mostly the reason. */
static char complaint[200];

static int note(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN && !complaint[0]) {
		vsnprintf(complaint, sizeof(complaint), fmt, ap);
		complaint[strcspn(complaint, "\n")] = '\0';
	}
	return 0;
}

static void refuse(struct spht_error *err, const char *what, int why)
{
	if (why == EPERM || why == EACCES)
		spht_error_set(err,
			       "--snap: %s: not allowed: root, or CAP_BPF and CAP_PERFMON, is "
			       "needed, and a kernel that is not locked down",
			       what);
	else if (why == ESRCH || why == ENOENT)
		spht_error_set(err,
			       "--snap: %s: this kernel's BTF does not know KVM's events: it has "
			       "no BTF for modules, or KVM is not loaded (%s)",
			       what, complaint[0] ? complaint : strerror(why));
	else
		spht_error_set(err, "--snap: %s: %s; kernels since 6.1 are known (%s)", what,
			       strerror(why), complaint[0] ? complaint : "no more is known");
}

/* Both need it, and libbpf's complaints are long. */
static int check_btf(struct spht_error *err)
{
	char path[PATH_MAX], text[8];

	if (!spht_sysfile_path(path, sizeof(path), "/sys/kernel/btf/vmlinux") &&
	    spht_sysfile_read(text, sizeof(text), "/sys/kernel/btf/vmlinux") >= 0)
		return 0;
	spht_error_set(err,
		       "--snap: /sys/kernel/btf/vmlinux: %s: a kernel with "
		       "CONFIG_DEBUG_INFO_BTF is needed",
		       strerror(errno));
	return -1;
}

static int find_map(struct spht_snap_program *p, const char *name)
{
	return bpf_object__find_map_fd_by_name(p->object, name);
}

static int prepare(struct spht_snap_program *p, uint64_t size, bool walks)
{
	struct bpf_map *ring = bpf_object__find_map_by_name(p->object, "ring");
	struct bpf_program *element =
		bpf_object__find_program_by_name(p->object, "snap_paging_element");

	if (!ring || !element)
		return -EINVAL;
	if (bpf_map__set_max_entries(ring, (uint32_t)size))
		return -errno;
	return bpf_program__set_autoload(element, walks);
}

struct spht_snap_program *spht_snap_program_open(uint64_t size, bool walks, struct spht_error *err)
{
	struct spht_snap_program *p;
	int rc;

	if (check_btf(err))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p) {
		spht_error_set(err, "out of memory");
		return NULL;
	}
	complaint[0] = '\0';
	libbpf_set_print(note);
	p->object = bpf_object__open_mem(spht_snap_object,
					 (size_t)(spht_snap_object_end - spht_snap_object), NULL);
	if (!p->object) {
		refuse(err, "cannot open the program", errno);
		goto fail;
	}
	rc = prepare(p, size, walks);
	if (!rc)
		rc = bpf_object__load(p->object);
	if (rc) {
		refuse(err, "cannot load the program", -rc);
		goto fail;
	}
	p->ring = find_map(p, "ring");
	p->dropped = find_map(p, "dropped");
	return p;
fail:
	spht_snap_program_close(p);
	return NULL;
}

int spht_snap_program_attach(struct spht_snap_program *p, struct spht_error *err)
{
	struct bpf_program *one;

	bpf_object__for_each_program(one, p->object)
	{
		struct bpf_link *link;

		if (!bpf_program__autoload(one) || p->nr_links == MAX_LINKS)
			continue;
		link = bpf_program__attach(one);
		if (!link) {
			refuse(err, bpf_program__name(one), errno);
			return -1;
		}
		p->links[p->nr_links++] = link;
	}
	return 0;
}

void spht_snap_program_detach(struct spht_snap_program *p)
{
	while (p->nr_links)
		bpf_link__destroy(p->links[--p->nr_links]);
}

int spht_snap_program_ring(const struct spht_snap_program *p)
{
	return p->ring;
}

uint64_t spht_snap_program_dropped(const struct spht_snap_program *p)
{
	uint32_t zero = 0;
	uint64_t n = 0;

	if (bpf_map_lookup_elem(p->dropped, &zero, &n))
		return 0;
	return n;
}

void spht_snap_program_close(struct spht_snap_program *p)
{
	if (!p)
		return;
	spht_snap_program_detach(p);
	bpf_object__close(p->object);
	free(p);
}

#else

struct spht_snap_program *spht_snap_program_open(uint64_t size, bool walks, struct spht_error *err)
{
	(void)size;
	(void)walks;
	spht_error_set(err, "--snap: this spht-record was built without libbpf or clang; "
			    "scripts/deps installs them");
	return NULL;
}

/* Nobody has one. */
int spht_snap_program_attach(struct spht_snap_program *p, struct spht_error *err)
{
	(void)p;
	(void)err;
	return -1;
}

void spht_snap_program_detach(struct spht_snap_program *p)
{
	(void)p;
}

int spht_snap_program_ring(const struct spht_snap_program *p)
{
	(void)p;
	return -1;
}

uint64_t spht_snap_program_dropped(const struct spht_snap_program *p)
{
	(void)p;
	return 0;
}

void spht_snap_program_close(struct spht_snap_program *p)
{
	(void)p;
}

#endif
