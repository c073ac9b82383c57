// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_LIBBPF
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#endif

#include "kvm-role.h"
#include "sysfile.h"

#ifdef HAVE_LIBBPF

#define UNION_NAME "kvm_mmu_page_role"
#define ROLE_BITS  32u

/* Bits of the member @i of @t; 0 where that is not plain. */
static unsigned int member_bits(const struct btf *btf, const struct btf_type *t, unsigned int i)
{
	unsigned int bits = btf_member_bitfield_size(t, i);
	long long size;

	if (bits)
		return bits;
	size = btf__resolve_size(btf, btf_members(t)[i].type);
	return size > 0 && size <= ROLE_BITS / 8 ? (unsigned int)size * 8 : 0;
}

/* The fields of the struct that shares the union with the plain word. */
static json_t *read_fields(const struct btf *btf, const struct btf_type *t)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < btf_vlen(t); i++) {
		const char *name = btf__name_by_offset(btf, btf_members(t)[i].name_off);
		unsigned int offset = btf_member_bit_offset(t, i), bits = member_bits(btf, t, i);

		/* Without a name it is padding. */
		if (!name || !*name)
			continue;
		if (!bits || bits > ROLE_BITS || offset > ROLE_BITS - bits) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, json_pack("{s:s, s:i, s:i}", "name", name, "offset",
						      (int)offset, "bits", (int)bits));
	}
	if (json_array_size(list))
		return list;
	json_decref(list);
	return NULL;
}

static json_t *find_fields(const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, UNION_NAME, BTF_KIND_UNION);
	const struct btf_type *u = id > 0 ? btf__type_by_id(btf, (unsigned int)id) : NULL;

	for (unsigned int i = 0; u && i < btf_vlen(u); i++) {
		const struct btf_type *t = btf__type_by_id(btf, btf_members(u)[i].type);

		if (t && btf_is_struct(t))
			return read_fields(btf, t);
	}
	return NULL;
}

static int be_quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

json_t *spht_kvm_role(const char **source, struct spht_error *err)
{
	char vmlinux[PATH_MAX], kvm[PATH_MAX];
	struct btf *base = NULL, *split = NULL;
	json_t *role = NULL;

	libbpf_set_print(be_quiet);
	if (spht_sysfile_path(vmlinux, sizeof(vmlinux), "/sys/kernel/btf/vmlinux") ||
	    spht_sysfile_path(kvm, sizeof(kvm), "/sys/kernel/btf/kvm")) {
		spht_error_set(err, "path too long");
		return NULL;
	}
	base = btf__parse_raw(vmlinux);
	if (!base) {
		spht_error_set(err, "%s: %s", vmlinux, strerror(errno));
		return NULL;
	}
	/* Where kvm is a module, its types are in a BTF of its own on top of vmlinux'. */
	split = btf__parse_raw_split(kvm, base);
	if (!split && errno != ENOENT) {
		spht_error_set(err, "%s: %s", kvm, strerror(errno));
		goto out;
	}
	/* Looks into both. */
	role = find_fields(split ? split : base);
	*source = split ? "BTF of kvm" : "BTF of vmlinux";
	if (!role)
		spht_error_set(err, "no usable union " UNION_NAME " in %s", split ? kvm : vmlinux);
out:
	btf__free(split);
	btf__free(base);
	return role;
}

#else

json_t *spht_kvm_role(const char **source, struct spht_error *err)
{
	(void)source;
	spht_error_set(err, "this spht-record was built without libbpf");
	return NULL;
}

#endif
