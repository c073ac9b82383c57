// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A shared object for LD_PRELOAD that lets one call of a program fail, or hands
 * it a signal at that call; tests/faults drives it.
 *
 *	FAULT_FILE=FILE   shared with the driver: struct fault_page, which says all else
 *
 * Allocations and threads are met at the functions of the C library, all else at
 * the system call, so that what stdio and libraries write is met too: seccomp
 * sends these calls to a handler of SIGSYS, which counts them and does them.  What
 * goes to stderr is left alone, or no message could be told.  Children that are
 * forked count on.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#define MAGIC      0x7466756c
#define MAX_FRAMES 24

enum what { WHAT_ALLOC, WHAT_THREAD, WHAT_WRITE, WHAT_READ, WHAT_NR };
enum how { HOW_ERROR, HOW_SHORT, HOW_SIGNAL };

/* tests/faults writes the first half and reads the second. */
struct fault_page {
	uint32_t magic;
	uint32_t what;
	uint32_t how;
	uint32_t value; /* errno or signal */
	uint64_t nth; /* from 1 on; 0: none */
	uint32_t lasting; /* all from the nth on */
	uint32_t max_sites; /* room behind this page; 0: do not look */
	_Atomic uint64_t count;
	_Atomic uint32_t hit;
	int32_t pid;
	char call[32]; /* which one it was */
	uint32_t nr_frames;
	uint32_t unused;
	char frame[MAX_FRAMES][96]; /* and who called: file and offset */
	uint32_t sites[]; /* what led to each call, as a hash */
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nr, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
int posix_memalign(void **p, size_t alignment, size_t size);

static struct fault_page *page;
/* Set while a call is looked at: what that needs itself is not counted. */
static __thread bool inside __attribute__((tls_model("initial-exec")));

struct walk {
	uintptr_t pc[MAX_FRAMES];
	unsigned int nr;
};

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;

	if (w->nr == MAX_FRAMES)
		return _URC_END_OF_STACK;
	w->pc[w->nr++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static uint32_t hash(const struct walk *w)
{
	uint64_t h = 0xcbf29ce484222325;

	for (unsigned int i = 0; i < w->nr; i++)
		h = (h ^ w->pc[i]) * 0x100000001b3;
	return (uint32_t)(h ^ h >> 32);
}

static void tell(const char *call)
{
	struct walk w = {.nr = 0};
	Dl_info info;

	strncpy(page->call, call, sizeof(page->call) - 1);
	_Unwind_Backtrace(step, &w);
	for (unsigned int i = 0; i < w.nr; i++) {
		if (!dladdr((void *)w.pc[i], &info) || !info.dli_fname)
			continue;
		snprintf(page->frame[page->nr_frames++], sizeof(page->frame[0]), "%.70s 0x%zx",
			 info.dli_fname, (size_t)(w.pc[i] - 1 - (uintptr_t)info.dli_fbase));
	}
}

/* Counts a call of @what.  True when it is the one. */
static bool is_it(enum what what, const char *call)
{
	uint64_t nr;
	bool hit;

	if (!page || page->what != what || inside)
		return false;
	inside = true;
	nr = atomic_fetch_add(&page->count, 1) + 1;
	if (nr <= page->max_sites) {
		struct walk w = {.nr = 0};

		_Unwind_Backtrace(step, &w);
		page->sites[nr - 1] = hash(&w);
	}
	hit = page->nth && (nr == page->nth || (page->lasting && nr > page->nth));
	if (hit && !atomic_exchange(&page->hit, 1))
		tell(call);
	inside = false;
	if (hit && page->how == HOW_SIGNAL) {
		kill(page->pid, (int)page->value);
		return false;
	}
	return hit;
}

static bool no_memory(const char *call)
{
	if (!is_it(WHAT_ALLOC, call))
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return no_memory("malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t nr, size_t size)
{
	return no_memory("calloc") ? NULL : __libc_calloc(nr, size);
}

void *realloc(void *p, size_t size)
{
	return no_memory("realloc") ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return no_memory("aligned_alloc") ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
	void *got = no_memory("posix_memalign") ? NULL : __libc_memalign(alignment, size);

	if (got)
		*p = got;
	return got ? 0 : ENOMEM;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (no_memory("mmap"))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (is_it(WHAT_THREAD, "pthread_create"))
		return EAGAIN;
	*(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
	return create(thread, attr, fn, arg);
}

/* A system call from a place that the filter lets through. */
long fault_syscall(long nr, long a, long b, long c, long d, long e, long f);
extern const char fault_syscall_end[];
__asm__(".text\n"
	".globl fault_syscall\n"
	".hidden fault_syscall, fault_syscall_end\n"
	".type fault_syscall, @function\n"
	"fault_syscall:\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	mov %rcx, %rdx\n"
	"	mov %r8, %r10\n"
	"	mov %r9, %r8\n"
	"	mov 8(%rsp), %r9\n"
	"	syscall\n"
	".globl fault_syscall_end\n"
	"fault_syscall_end:\n"
	"	ret\n"
	".size fault_syscall, . - fault_syscall\n");

static const struct call {
	int nr;
	enum what what;
	bool has_size; /* the third argument: may be done in part */
	bool takes_room; /* may fail again and again on a full disk */
	const char *name;
} calls[] = {
	{SYS_write, WHAT_WRITE, true, true, "write"},
	{SYS_pwrite64, WHAT_WRITE, true, true, "pwrite"},
	{SYS_writev, WHAT_WRITE, false, true, "writev"},
	{SYS_ftruncate, WHAT_WRITE, false, false, "ftruncate"},
	{SYS_fsync, WHAT_WRITE, false, true, "fsync"},
	{SYS_fdatasync, WHAT_WRITE, false, true, "fdatasync"},
	{SYS_close, WHAT_WRITE, false, false, "close"},
	{SYS_rename, WHAT_WRITE, false, true, "rename"},
	{SYS_renameat2, WHAT_WRITE, false, true, "renameat2"},
	{SYS_link, WHAT_WRITE, false, true, "link"},
	{SYS_unlink, WHAT_WRITE, false, false, "unlink"},
	{SYS_read, WHAT_READ, true, false, "read"},
	{SYS_pread64, WHAT_READ, true, false, "pread"},
	{SYS_lseek, WHAT_READ, false, false, "lseek"},
	{SYS_newfstatat, WHAT_READ, false, false, "stat"},
	{SYS_openat, WHAT_READ, false, true, "open to read"},
};
#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))

static const struct call *find(const greg_t *r, enum what *what, const char **name)
{
	static const int writing = O_WRONLY | O_RDWR | O_CREAT;

	for (size_t i = 0; i < NR_CALLS; i++) {
		if (calls[i].nr != r[REG_RAX])
			continue;
		*what = calls[i].what;
		*name = calls[i].name;
		if (calls[i].nr == SYS_openat && (r[REG_RDX] & writing)) {
			*what = WHAT_WRITE;
			*name = "open to write";
		}
		return &calls[i];
	}
	return NULL;
}

/*
 * What cannot happen: pipes have no disk and take a message whole, and a full one lets files
 * be closed and removed.  And what would say nothing: stderr.
 */
static bool spared(const greg_t *r, const struct call *c, enum what what)
{
	struct stat st;

	if (what != WHAT_WRITE || page->how == HOW_SIGNAL)
		return false;
	if (page->lasting && !c->takes_room)
		return true;
	if (c->nr == SYS_openat || c->nr == SYS_rename || c->nr == SYS_renameat2 ||
	    c->nr == SYS_link || c->nr == SYS_unlink)
		return false;
	if (r[REG_RDI] == STDERR_FILENO)
		return true;
	if (fault_syscall(SYS_fstat, r[REG_RDI], (long)&st, 0, 0, 0, 0))
		return false;
	return S_ISFIFO(st.st_mode) && page->value != EINTR;
}

/* A close that fails has closed all the same. */
static long refuse(const greg_t *r)
{
	if (r[REG_RAX] == SYS_close)
		fault_syscall(SYS_close, r[REG_RDI], 0, 0, 0, 0, 0);
	return -(long)page->value;
}

static void on_call(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	int before = errno;
	const struct call *c;
	const char *name;
	enum what what;
	bool hit;

	(void)sig;
	(void)info;
	c = find(r, &what, &name);
	hit = c && !spared(r, c, what) && is_it(what, name);
	if (hit && page->how == HOW_SHORT && c->has_size)
		r[REG_RDX] = (r[REG_RDX] + 1) / 2;
	if (hit && page->how == HOW_ERROR)
		r[REG_RAX] = refuse(r);
	else
		r[REG_RAX] = fault_syscall(r[REG_RAX], r[REG_RDI], r[REG_RSI], r[REG_RDX],
					   r[REG_R10], r[REG_R8], r[REG_R9]);
	errno = before;
}

/* All calls of the table to on_call(), except those that it does itself. */
static int filter(void)
{
	const uintptr_t end = (uintptr_t)fault_syscall_end;
	struct sock_filter code[NR_CALLS + 16];
	struct sock_fprog prog = {.filter = code};
	unsigned short n = 0;

#define LOAD(member) \
	(struct sock_filter) \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
	code[n++] = LOAD(arch);
	code[n++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] = LOAD(instruction_pointer);
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)end, 0, 3);
	code[n] = LOAD(instruction_pointer);
	code[n++].k += 4;
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(end >> 32),
						 0, 1);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] = LOAD(nr);
	for (size_t i = 0; i < NR_CALLS; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].nr,
							 (uint8_t)(NR_CALLS - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	prog.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static void give_up(const char *why)
{
	fprintf(stderr, "fault.so: %s: %s\n", why, strerror(errno));
	_exit(125);
}

__attribute__((constructor)) static void start(void)
{
	struct sigaction sa = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER};
	const char *name = getenv("FAULT_FILE");
	struct walk w = {.nr = 0};
	struct fault_page *p;
	off_t size;
	int fd;

	if (!name)
		return;
	fd = open(name, O_RDWR | O_CLOEXEC);
	size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (size < (off_t)sizeof(*p))
		give_up(name);
	p = (void *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED || p->magic != MAGIC)
		give_up(name);
	/* What the first walk of a stack has to set up. */
	_Unwind_Backtrace(step, &w);
	p->pid = getpid();
	if (p->what >= WHAT_WRITE && (sigaction(SIGSYS, &sa, NULL) || filter()))
		give_up("seccomp");
	page = p;
}
