// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "kvm-facts.h"
#include "kvm-role.h"
#include "sysfile.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Who can be below kvm.  Only one of them is ever active (x86.c:kvm_x86_vendor_init). */
static const struct vendor {
	const char *name, *tdp_param;
	const char *cpus[3]; /* vendor_id of processors it runs on; none: any */
} vendors[] = {
	{"kvm_intel", "ept", {"GenuineIntel", "CentaurHauls", "  Shanghai  "}},
	{"kvm_amd", "npt", {"AuthenticAMD", "HygonGenuine"}},
	{"kvm_pvm", NULL, {NULL}},
};

static bool has_module(const char *name)
{
	char path[PATH_MAX];

	return !spht_sysfile_path(path, sizeof(path), "/sys/module/%s", name) &&
	       !access(path, F_OK);
}

/* A built-in module has no such file, even if it found nothing to do. */
static bool is_loaded(const char *name)
{
	char text[16];

	return spht_sysfile_read(text, sizeof(text), "/sys/module/%s/initstate", name) > 0 &&
	       !strcmp(text, "live");
}

static bool runs_here(const struct vendor *v, const char *cpu)
{
	for (size_t i = 0; i < ARRAY_SIZE(v->cpus) && v->cpus[i]; i++)
		if (!strcmp(v->cpus[i], cpu))
			return true;
	return !v->cpus[0];
}

/* The active one; NULL where there is none or more than one might be it. */
static const struct vendor *find_vendor(void)
{
	const struct vendor *present = NULL, *loaded = NULL, *fitting = NULL;
	unsigned int nr_present = 0, nr_loaded = 0, nr_fitting = 0;
	char cpu[64];

	spht_host_cpuinfo("vendor_id", cpu, sizeof(cpu));
	for (size_t i = 0; i < ARRAY_SIZE(vendors); i++) {
		const struct vendor *v = &vendors[i];

		if (!has_module(v->name))
			continue;
		present = v;
		nr_present++;
		if (is_loaded(v->name)) {
			loaded = v;
			nr_loaded++;
		}
		if (runs_here(v, cpu)) {
			fitting = v;
			nr_fitting++;
		}
	}
	if (nr_present == 1)
		return present;
	/* Built in beside it are those whose processor was not found. */
	if (nr_loaded == 1)
		return loaded;
	return nr_fitting == 1 ? fitting : NULL;
}

static int read_tdp(const struct vendor *v)
{
	char text[16];

	if (!v->tdp_param)
		return 0;
	if (spht_sysfile_read(text, sizeof(text), "/sys/module/%s/parameters/%s", v->name,
			      v->tdp_param) < 0)
		return -1;
	if (!strcmp(text, "Y") || !strcmp(text, "1"))
		return 1;
	return !strcmp(text, "N") || !strcmp(text, "0") ? 0 : -1;
}

void spht_kvm_module(struct spht_kvm_module *m)
{
	const struct vendor *v = find_vendor();

	memset(m, 0, sizeof(*m));
	m->kvm = has_module("kvm");
	m->tdp = -1;
	if (!v)
		return;
	snprintf(m->name, sizeof(m->name), "%s", v->name);
	m->built_in = !is_loaded(v->name);
	m->tdp_param = v->tdp_param;
	m->tdp = read_tdp(v);
}

/* Every readable parameter of the module; an empty object where there is none. */
static json_t *read_params(const char *module)
{
	json_t *params = json_object();
	char path[PATH_MAX], text[4096];
	const struct dirent *e;
	DIR *dir;

	if (spht_sysfile_path(path, sizeof(path), "/sys/module/%s/parameters", module))
		return params;
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		json_t *value;

		if (e->d_name[0] == '.' ||
		    spht_sysfile_read_at(dirfd(dir), e->d_name, text, sizeof(text)) < 0)
			continue;
		/* What is no UTF-8 is no parameter of KVM. */
		value = json_string(text);
		if (value)
			json_object_set_new(params, e->d_name, value);
	}
	if (dir)
		closedir(dir);
	return params;
}

static json_t *all_params(void)
{
	static const char *const modules[] = {"kvm", "kvm_amd", "kvm_intel", "kvm_pvm"};
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		json_t *params = has_module(modules[i]) ? read_params(modules[i]) : NULL;

		if (json_object_size(params))
			json_object_set(all, modules[i], params);
		json_decref(params);
	}
	return all;
}

json_t *spht_kvm_json(json_t *missing)
{
	struct spht_kvm_module m;
	json_t *kvm = json_object(), *params, *role;
	const char *source = NULL;
	struct spht_error err;

	if (!kvm)
		return NULL;
	spht_kvm_module(&m);
	if (m.name[0])
		json_object_set_new(kvm, "module", json_string(m.name));
	else
		json_array_append_new(missing, json_string("kvm vendor module"));
	json_object_set_new(kvm, "tdp", m.tdp < 0 ? json_null() : json_boolean(m.tdp));
	params = all_params();
	if (json_object_size(params))
		json_object_set(kvm, "params", params);
	else
		json_array_append_new(missing, json_string("kvm module parameters"));
	json_decref(params);
	role = spht_kvm_role(&source, &err);
	if (role) {
		json_object_set_new(kvm, "role", role);
		json_object_set_new(kvm, "role_source", json_string(source));
	} else {
		json_array_append_new(missing, json_sprintf("role layout: %s", err.text));
	}
	return kvm;
}
