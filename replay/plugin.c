// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/heuristic_spec.h"
#include "replay/plugin.h"
#include "sha256.h"

#define HOW_TO "expected a shared object made by cc -shared -fPIC"

/* The hash of what @fd holds. */
static int hash_file(int fd, char hex[65], struct spht_error *err)
{
	static unsigned char block[1 << 16];
	struct spht_sha256 sha;
	ssize_t n;

	spht_sha256_init(&sha);
	for (off_t at = 0; (n = pread(fd, block, sizeof(block), at)); at += n) {
		if (n < 0 && errno == EINTR) {
			n = 0;
			continue;
		}
		if (n < 0) {
			spht_error_set(err, "cannot be read: %s", strerror(errno));
			return -1;
		}
		spht_sha256_update(&sha, block, (size_t)n);
	}
	spht_sha256_final(&sha, hex);
	return 0;
}

/* The header of this program, which the linker names. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static int check_header(const ElfW(Ehdr) * e, ssize_t read, struct spht_error *err)
{
	const char *what = NULL;

	if (read != sizeof(*e) || memcmp(e->e_ident, ELFMAG, SELFMAG))
		what = "no ELF file";
	else if (memcmp(e->e_ident, __ehdr_start.e_ident, EI_DATA + 1) ||
		 e->e_machine != __ehdr_start.e_machine)
		what = "made for another machine";
	else if (e->e_type == ET_REL)
		what = "an object file that is not linked";
	else if (e->e_type != ET_DYN || e->e_phentsize != sizeof(ElfW(Phdr)))
		what = "an ELF file, but no shared object";
	if (what)
		spht_error_set(err, "%s; " HOW_TO, what);
	return what ? -1 : 0;
}

/*
 * What the loader would say in words of its own, or die of: of a file that is cut
 * short it maps pages that are not there.
 */
static int check_elf(int fd, uint64_t size, struct spht_error *err)
{
	ElfW(Ehdr) e;
	ElfW(Phdr) p;

	if (check_header(&e, pread(fd, &e, sizeof(e), 0), err))
		return -1;
	for (unsigned int i = 0; i < e.e_phnum; i++) {
		off_t at = (off_t)(e.e_phoff + i * sizeof(p));
		uint64_t end;

		if (pread(fd, &p, sizeof(p), at) == sizeof(p) &&
		    (p.p_type != PT_LOAD ||
		     (!__builtin_add_overflow(p.p_offset, p.p_filesz, &end) && end <= size)))
			continue;
		spht_error_set(err, "cut short at %llu bytes; copy or build it anew",
			       (unsigned long long)size);
		return -1;
	}
	return 0;
}

/* The table that the object itself exports; what it is linked with does not count. */
static const struct spht_heuristic *find_table(void *handle, struct spht_error *err)
{
	const struct spht_heuristic *const *symbol = dlsym(handle, "spht_plugin");
	const struct link_map *map, *own;
	const ElfW(Sym) * sym;
	Dl_info info;

	if (!symbol || dlinfo(handle, RTLD_DI_LINKMAP, &own) ||
	    !dladdr1(symbol, &info, (void **)&map, RTLD_DL_LINKMAP) || map != own) {
		spht_error_set(err, "exports no symbol spht_plugin: end the source with "
				    "SPHT_PLUGIN(NAME) of heuristic.h");
		return NULL;
	}
	if (!dladdr1(symbol, &info, (void **)&sym, RTLD_DL_SYMENT) || !sym ||
	    sym->st_size != sizeof(*symbol) || info.dli_saddr != (const void *)symbol) {
		spht_error_set(err, "its symbol spht_plugin is no pointer: define it by "
				    "SPHT_PLUGIN(NAME) of heuristic.h");
		return NULL;
	}
	if (!*symbol || !dladdr1(*symbol, &info, (void **)&map, RTLD_DL_LINKMAP) || map != own) {
		spht_error_set(err, "its spht_plugin points to nothing in the file: it must be a "
				    "constant struct spht_heuristic");
		return NULL;
	}
	return *symbol;
}

/* Rows are told apart by the name. */
static int check_name(const struct spht_plugins *ps, const struct spht_heuristic *h,
		      struct spht_error *err)
{
	const char *other = NULL;

	for (unsigned int i = 0; i < spht_nr_heuristics; i++)
		if (!strcmp(h->name, spht_heuristics[i]->name))
			other = "the built-in one";
	for (size_t i = 0; i < ps->nr; i++)
		if (!strcmp(h->name, ps->v[i]->h->name))
			other = ps->v[i]->path;
	if (!other)
		return 0;
	spht_error_set(err,
		       "its heuristic is named %s, as that of %.200s: give it a name of its own",
		       h->name, other);
	return -1;
}

static int load(const struct spht_plugins *ps, struct spht_plugin *p, const struct stat *seen,
		struct spht_error *err)
{
	struct stat now;

	p->handle = dlopen(p->path, RTLD_NOW | RTLD_LOCAL);
	if (!p->handle) {
		spht_error_set(err, "cannot be loaded: %.400s", dlerror());
		return -1;
	}
	if (stat(p->path, &now) || now.st_dev != seen->st_dev || now.st_ino != seen->st_ino ||
	    now.st_size != seen->st_size || now.st_mtim.tv_sec != seen->st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != seen->st_mtim.tv_nsec) {
		spht_error_set(err, "changed while it was read; try again");
		return -1;
	}
	p->h = find_table(p->handle, err);
	if (!p->h || spht_spec_validate(p->h, err))
		return -1;
	return check_name(ps, p->h, err);
}

static void plugin_free(struct spht_plugin *p)
{
	if (!p)
		return;
	if (p->handle)
		dlclose(p->handle);
	free(p->path);
	free(p);
}

static struct spht_plugin *plugin_new(struct spht_plugins *ps, const char *path,
				      struct spht_error *err)
{
	struct spht_plugin **v = realloc(ps->v, (ps->nr + 1) * sizeof(*v)), *p;

	if (v)
		ps->v = v;
	p = v ? calloc(1, sizeof(*p)) : NULL;
	if (p)
		p->path = strdup(path);
	if (!p || !p->path) {
		plugin_free(p);
		spht_error_set(err, "out of memory");
		return NULL;
	}
	p->file = strrchr(p->path, '/') + 1;
	return p;
}

/* Opens @path if it is a file that can be a plugin. */
static int open_file(const char *path, struct stat *st, struct spht_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		spht_error_set(err, "cannot be opened: %s; " HOW_TO, strerror(errno));
		return -1;
	}
	if (!fstat(fd, st) && S_ISREG(st->st_mode) && !check_elf(fd, (uint64_t)st->st_size, err))
		return fd;
	if (!S_ISREG(st->st_mode))
		spht_error_set(err, "no regular file; " HOW_TO);
	close(fd);
	return -1;
}

const struct spht_plugin *spht_plugins_load(struct spht_plugins *ps, const char *path,
					    struct spht_error *err)
{
	struct spht_plugin *p = NULL;
	struct stat st = {0};
	int fd = open_file(path, &st, err);

	if (fd < 0)
		return NULL;
	p = plugin_new(ps, path, err);
	if (!p || hash_file(fd, p->sha256, err))
		goto fail;
	for (size_t i = 0; i < ps->nr; i++) {
		if (strcmp(ps->v[i]->sha256, p->sha256))
			continue;
		plugin_free(p);
		close(fd);
		return ps->v[i];
	}
	if (load(ps, p, &st, err))
		goto fail;
	close(fd);
	ps->v[ps->nr++] = p;
	return p;
fail:
	plugin_free(p);
	close(fd);
	return NULL;
}

void spht_plugins_close(struct spht_plugins *ps)
{
	while (ps->nr)
		plugin_free(ps->v[--ps->nr]);
	free(ps->v);
	ps->v = NULL;
}
