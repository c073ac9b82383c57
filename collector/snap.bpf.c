// SPDX-License-Identifier: GPL-2.0-or-later OR LGPL-2.1-or-later
/*
 * Runs in the kernel: copies the guest page table that an event of KVM's shadow MMU is
 * about, at that event, into a ring buffer.  Nothing is attached to but tracepoints and
 * nothing is changed.  Structs are declared with the members that are read and no others;
 * libbpf finds their places in the BTF of the running kernel.
 */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "snap-wire.h"

#define ANON_INODE_FS 0x09041934
#define MAX_FILES     4096 /* of a process: so many are looked through for its VM */
#define MAX_DEPTH     32 /* of the tree of memory slots */
#define SLOT_BUCKETS  128 /* of the table of memory slots, 1 << 7 */
#define MAX_CHAIN     16 /* in one of them */
#define TRUST_NS      1000000000ull /* how long the VM of a process is taken for granted */
#define PTE_PRESENT   0x1ull
#define PTE_LARGE     0x80ull
#define PTE_TABLE     0x000ffffffffff000ull
#define NO_WAKEUP     1 /* the reader looks by itself */

/* "kvm-vm" with its zero byte, as KVM calls the file that is a VM. */
#define VM_NAME       0x006d762d6d766bull
#define VM_NAME_MASK  0x00ffffffffffffffull

#define KERNEL        __attribute__((preserve_access_index))

struct super_block {
	unsigned long s_magic;
} KERNEL;

struct qstr {
	const unsigned char *name;
} KERNEL;

struct dentry {
	struct qstr d_name;
	struct super_block *d_sb;
} KERNEL;

struct path {
	struct dentry *dentry;
} KERNEL;

struct file {
	struct path f_path;
	void *private_data;
} KERNEL;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} KERNEL;

struct files_struct {
	struct fdtable *fdt;
} KERNEL;

struct mm_struct;

struct task_struct {
	struct files_struct *files;
	struct mm_struct *mm;
} KERNEL;

struct rb_node {
	struct rb_node *rb_left, *rb_right;
} KERNEL;

struct rb_root {
	struct rb_node *rb_node;
} KERNEL;

struct hlist_node {
	struct hlist_node *next;
} KERNEL;

struct hlist_head {
	struct hlist_node *first;
} KERNEL;

struct kvm_memory_slot {
	struct hlist_node id_node[2];
	struct rb_node gfn_node[2];
	__u64 base_gfn;
	unsigned long npages;
	unsigned long userspace_addr;
	__u32 flags;
	short id;
} KERNEL;

struct kvm_memslots {
	__u64 generation;
	struct rb_root gfn_tree;
	struct hlist_head id_hash[SLOT_BUCKETS];
	int node_idx;
} KERNEL;

struct kvm {
	struct mm_struct *mm;
	struct kvm_memslots *memslots[1];
} KERNEL;

union kvm_mmu_page_role {
	__u32 word;
	struct {
		unsigned int direct : 1;
	};
} KERNEL;

struct kvm_mmu_page {
	bool unsync;
	union kvm_mmu_page_role role;
	__u64 gfn;
} KERNEL;

char snap_license[] SEC("license") = "GPL";

/* Its size is set before it is made. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

/* Records that found no room. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dropped SEC(".maps");

/* Of a process. */
struct vm {
	struct kvm *kvm;
	__u64 since; /* when it was looked for */
	__u64 generation; /* of the memory slots that were told */
	__u32 fd;
	__u32 nr; /* VMs that it holds: 1, or 2 for more */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct vm);
} vms SEC(".maps");

static __always_inline __u64 *dropped_count(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&dropped, &zero);
}

static __always_inline struct snap_record *reserve(__u64 gfn, __u32 role, __u16 kind)
{
	struct snap_record *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	__u64 *lost = dropped_count();

	if (!r) {
		if (lost)
			__sync_fetch_and_add(lost, 1);
		return NULL;
	}
	r->dropped = lost ? *lost : 0;
	r->gfn = gfn;
	r->role = role;
	r->kind = kind;
	r->tid = (__u32)bpf_get_current_pid_tgid();
	r->unused = 0;
	r->ts = bpf_ktime_get_ns();
	return r;
}

/* The file @i of the process, if it is a VM. */
static __always_inline struct kvm *vm_of_file(struct file **files, __u32 i)
{
	struct dentry *dentry;
	struct file *file = NULL;
	__u64 name = 0;

	bpf_probe_read_kernel(&file, sizeof(file), files + i);
	if (!file)
		return NULL;
	dentry = BPF_CORE_READ(file, f_path.dentry);
	if (BPF_CORE_READ(dentry, d_sb, s_magic) != ANON_INODE_FS)
		return NULL;
	bpf_probe_read_kernel(&name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
	if ((name & VM_NAME_MASK) != VM_NAME)
		return NULL;
	return BPF_CORE_READ(file, private_data);
}

struct search {
	struct file **files;
	__u32 max;
	struct vm vm;
};

static long look(__u32 i, struct search *s)
{
	struct kvm *kvm;

	if (i >= s->max)
		return 1;
	kvm = vm_of_file(s->files, i);
	if (!kvm || kvm == s->vm.kvm)
		return 0;
	s->vm.kvm = kvm;
	s->vm.fd = i;
	s->vm.nr++;
	return s->vm.nr > 1;
}

/* The VM of this process, from memory where that is recent and still true. */
static __always_inline struct vm *find_vm(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	__u32 tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	struct vm *known = bpf_map_lookup_elem(&vms, &tgid);
	struct search s = {0};

	s.files = BPF_CORE_READ(fdt, fd);
	s.max = BPF_CORE_READ(fdt, max_fds);
	s.vm.since = bpf_ktime_get_ns();
	if (known && s.vm.since - known->since < TRUST_NS && known->fd < s.max &&
	    vm_of_file(s.files, known->fd) == known->kvm)
		return known;
	bpf_loop(MAX_FILES, look, &s, 0);
	if (!s.vm.nr)
		return NULL;
	if (known && known->kvm == s.vm.kvm)
		s.vm.generation = known->generation;
	else
		s.vm.generation = ~0ull;
	bpf_map_update_elem(&vms, &tgid, &s.vm, BPF_ANY);
	return bpf_map_lookup_elem(&vms, &tgid);
}

/* Where the process has the page @gfn; 0: nowhere. */
static __always_inline __u64 find_page(struct kvm_memslots *slots, __u64 gfn)
{
	int which = BPF_CORE_READ(slots, node_idx) & 1;
	__u64 offset = bpf_core_field_offset(struct kvm_memory_slot, gfn_node) +
		       (__u64)which * bpf_core_type_size(struct rb_node);
	struct rb_node *node = BPF_CORE_READ(slots, gfn_tree.rb_node);

	for (int i = 0; i < MAX_DEPTH && node; i++) {
		struct kvm_memory_slot *slot = (void *)((__u64)node - offset);
		__u64 first = BPF_CORE_READ(slot, base_gfn);

		if (gfn < first)
			node = BPF_CORE_READ(node, rb_left);
		else if (gfn - first >= BPF_CORE_READ(slot, npages))
			node = BPF_CORE_READ(node, rb_right);
		else
			return BPF_CORE_READ(slot, userspace_addr) + ((gfn - first) << 12);
	}
	return 0;
}

/* A list of memory slots in the making; larger than the stack. */
struct listing {
	__u64 offset; /* of the node in a slot */
	__u32 nr;
	__u32 unused;
	struct snap_slot slot[SNAP_SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct listing);
} listings SEC(".maps");

static __always_inline struct listing *listing(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&listings, &zero);
}

static long list_bucket(__u32 i, __u64 *table)
{
	struct listing *l = listing();
	struct hlist_node *node = NULL;

	if (!l)
		return 1;
	bpf_probe_read_kernel(&node, sizeof(node), (void *)(*table + i * sizeof(void *)));
	for (int k = 0; k < MAX_CHAIN && node && l->nr < SNAP_SLOTS; k++) {
		struct kvm_memory_slot *slot = (void *)((__u64)node - l->offset);
		struct snap_slot *to = &l->slot[l->nr & (SNAP_SLOTS - 1)];

		to->gfn = BPF_CORE_READ(slot, base_gfn);
		to->pages = BPF_CORE_READ(slot, npages);
		to->hva = BPF_CORE_READ(slot, userspace_addr);
		to->id = (__u32)BPF_CORE_READ(slot, id);
		to->flags = BPF_CORE_READ(slot, flags);
		l->nr++;
		node = BPF_CORE_READ(node, next);
	}
	return 0;
}

/* Once for each generation of the memory slots. */
static __always_inline void tell_slots(struct vm *vm, struct kvm_memslots *slots)
{
	__u64 generation = BPF_CORE_READ(slots, generation);
	__u64 table = (__u64)slots + bpf_core_field_offset(struct kvm_memslots, id_hash);
	struct listing *l = listing();
	struct snap_record *r;

	if (vm->generation == generation || !l)
		return;
	l->nr = 0;
	l->offset = bpf_core_field_offset(struct kvm_memory_slot, id_node) +
		    (BPF_CORE_READ(slots, node_idx) & 1) * bpf_core_type_size(struct hlist_node);
	bpf_loop(SLOT_BUCKETS, list_bucket, &table, 0);
	r = reserve(0, l->nr, SNAP_KIND_SLOTS);
	if (!r)
		return;
	vm->generation = generation;
	r->vm = (__u64)vm->kvm;
	r->status = SNAP_OK;
	bpf_probe_read_kernel(r->page, sizeof(r->page), l->slot);
	bpf_ringbuf_submit(r, NO_WAKEUP);
}

static __always_inline __u16 read_page(struct snap_record *r, struct vm *vm,
				       struct kvm_memslots *slots)
{
	__u64 hva;

	if (!vm)
		return SNAP_NO_VM;
	if (vm->nr > 1)
		return SNAP_SEVERAL;
	hva = find_page(slots, r->gfn);
	if (!hva)
		return SNAP_NO_SLOT;
	return bpf_probe_read_user(r->page, sizeof(r->page), (void *)hva) ? SNAP_FAULT : SNAP_OK;
}

/* Inlined, it would be there five times. */
static __noinline int take(__u64 gfn, __u32 role, __u32 kind)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct kvm_memslots *slots = NULL;
	struct vm *vm = find_vm();
	struct kvm *kvm = vm ? vm->kvm : NULL;
	struct snap_record *r;

	/* A process that ends, or that was given the VM's file, has other memory. */
	if (!kvm || BPF_CORE_READ(kvm, mm) != BPF_CORE_READ(task, mm))
		vm = NULL;
	if (vm) {
		slots = BPF_CORE_READ(kvm, memslots[0]);
		tell_slots(vm, slots);
	}
	r = reserve(gfn, role, (__u16)kind);
	if (!r)
		return 0;
	r->vm = vm ? (__u64)kvm : 0;
	r->status = read_page(r, vm, slots);
	bpf_ringbuf_submit(r, NO_WAKEUP);
	return 0;
}

static __always_inline int take_sp(struct kvm_mmu_page *sp, __u32 kind)
{
	/* A direct page has no table of the guest. */
	if (BPF_CORE_READ_BITFIELD_PROBED(sp, role.direct))
		return 0;
	return take(BPF_CORE_READ(sp, gfn), BPF_CORE_READ(sp, role.word), kind);
}

SEC("tp_btf/kvm_mmu_get_page")
int BPF_PROG(snap_get_page, struct kvm_mmu_page *sp, bool created)
{
	if (created)
		return take_sp(sp, SNAP_KIND_CREATED);
	return BPF_CORE_READ(sp, unsync) ? take_sp(sp, SNAP_KIND_FOUND) : 0;
}

SEC("tp_btf/kvm_mmu_sync_page")
int BPF_PROG(snap_sync_page, struct kvm_mmu_page *sp)
{
	return take_sp(sp, SNAP_KIND_SYNC);
}

SEC("tp_btf/kvm_mmu_unsync_page")
int BPF_PROG(snap_unsync_page, struct kvm_mmu_page *sp)
{
	return take_sp(sp, SNAP_KIND_UNSYNC);
}

SEC("tp_btf/kvm_mmu_paging_element")
int BPF_PROG(snap_paging_element, __u64 pte, int level)
{
	if (level != 2 || !(pte & PTE_PRESENT) || (pte & PTE_LARGE))
		return 0;
	return take((pte & PTE_TABLE) >> 12, 0, SNAP_KIND_WALK);
}
