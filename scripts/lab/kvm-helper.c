// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread of KVM's own that builds shadow page-table entries ahead of the guest.
 *
 * For Linux 6.1.  scripts/lab/images.sh puts this file beside mmu.c, which includes it
 * before its page-table templates, and adds the calls of spht_before(), spht_fault(),
 * spht_start() and spht_stop().  One policy: after a fault that the shadow tables alone
 * caused, the guest entries of the aligned window around it are built as KVM's own
 * prefetch builds them: present and accessed ones, writable if dirty.
 *
 * Parameters of kvm.ko: spht_helper, spht_window, spht_cpu.  What it did is in the others,
 * which are counters.  They are written under the mmu_lock of one VM: with several VMs at
 * once they are about right.
 */

#include <linux/list.h>
#include <linux/log2.h>
#include <linux/rcupdate.h>
#include <linux/sched/clock.h>
#include <linux/sched/mm.h>
#include <linux/wait.h>

#define SPHT_QUEUE      256
/* The spare reverse-map entries of a struct kvm_vcpu, 40, are enough for so many. */
#define SPHT_WINDOW_MAX 32
#define SPHT_BUCKETS    32

static bool spht_helper;
module_param(spht_helper, bool, 0444);
MODULE_PARM_DESC(spht_helper, "a thread for each VM builds entries ahead (default: no)");

static unsigned int spht_window = 16;

static int spht_window_set(const char *value, const struct kernel_param *kp)
{
	unsigned int n;
	int r = kstrtouint(value, 0, &n);

	if (r)
		return r;
	if (n < 2 || n > SPHT_WINDOW_MAX || !is_power_of_2(n))
		return -EINVAL;
	return param_set_uint(value, kp);
}

static const struct kernel_param_ops spht_window_ops = {
	.set = spht_window_set,
	.get = param_get_uint,
};
module_param_cb(spht_window, &spht_window_ops, &spht_window, 0444);
MODULE_PARM_DESC(spht_window, "entries of the aligned window: 2, 4, 8, 16 or 32 (default: 16)");

static int spht_cpu = -1;
module_param(spht_cpu, int, 0444);
MODULE_PARM_DESC(spht_cpu, "CPU that the thread is bound to (default: any)");

#define SPHT_COUNTER(name, what) \
	static unsigned long spht_##name; \
	module_param(spht_##name, ulong, 0444); \
	MODULE_PARM_DESC(spht_##name, what)

SPHT_COUNTER(threads, "threads started");
SPHT_COUNTER(faults, "faults of level 1 that the policy goes by");
SPHT_COUNTER(dropped, "of these: the queue was full");
SPHT_COUNTER(served, "of these: the thread held the lock for it");
SPHT_COUNTER(gone, "of these: shadow page zapped or process ended meanwhile");
SPHT_COUNTER(retried, "of these: host pages were being invalidated, nothing was done");
SPHT_COUNTER(refused_role,
	     "of these: the vCPU pages in another way than the copy of its state says");
SPHT_COUNTER(built, "entries built");
SPHT_COUNTER(duplicate, "entries that were there");
SPHT_COUNTER(illegal, "entries whose guest entry is absent or not accessed");
SPHT_COUNTER(refused, "entries whose guest page is not resident, or the guest entry invalid");
SPHT_COUNTER(wakes, "times that the thread woke up to work");
SPHT_COUNTER(queue_ns, "sum over served: from the fault to the lock");
SPHT_COUNTER(lock_ns, "sum over served: waiting for the lock");
SPHT_COUNTER(hold_ns, "sum over served: holding the lock");

/* Powers of two of nanoseconds: entry i counts from 2^(i-1) up, below 2^i. */
static unsigned long spht_queue_hist[SPHT_BUCKETS];
module_param_array(spht_queue_hist, ulong, NULL, 0444);
static unsigned long spht_hold_hist[SPHT_BUCKETS];
module_param_array(spht_hold_hist, ulong, NULL, 0444);

struct spht_request {
	gfn_t gfn;
	u32 role;
	u32 index;
	u64 ns;
};

/*
 * @head is moved under mmu_lock, held for writing, so there is one producer at a time;
 * @tail by the thread.  @vcpu is nobody's vCPU: it has what building an entry looks at, a
 * copy of the MMU's state, written under mmu_lock, and spare memory.
 */
struct spht {
	struct list_head link;
	struct rcu_head rcu;
	struct kvm *kvm;
	struct kvm_vcpu *vcpu;
	struct task_struct *task;
	wait_queue_head_t wait;
	u64 unsync_before;
	unsigned int head;
	unsigned int tail;
	struct spht_request queue[SPHT_QUEUE];
};

static LIST_HEAD(spht_list);
static DEFINE_SPINLOCK(spht_list_lock);

/* Defined by the template for 64-bit entries. */
static bool paging64_prefetch_gpte(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp, u64 *spte,
				   u64 gpte, bool no_dirty_log);

/* The caller holds the RCU read lock, or is the only one that ends this VM. */
static struct spht *spht_of(struct kvm *kvm)
{
	struct spht *h;

	list_for_each_entry_rcu(h, &spht_list, link, true)
	{
		if (h->kvm == kvm)
			return h;
	}
	return NULL;
}

static void spht_count_ns(unsigned long *hist, unsigned long *sum, u64 ns)
{
	hist[min_t(unsigned int, fls64(ns), SPHT_BUCKETS - 1)]++;
	*sum += ns;
}

/* --- the vCPU's side, under mmu_lock */

/* Before the entry of a fault is set: whether that unsyncs a table is known only after. */
static void spht_before(struct kvm_vcpu *vcpu)
{
	struct spht *h;

	if (!spht_helper)
		return;
	rcu_read_lock();
	h = spht_of(vcpu->kvm);
	if (h)
		h->unsync_before = vcpu->kvm->stat.mmu_unsync;
	rcu_read_unlock();
}

/* The copy changes when the guest's way of paging does, which is hardly ever. */
static void spht_copy_mmu(struct spht *h, struct kvm_mmu *from)
{
	struct kvm_mmu *to = h->vcpu->arch.mmu;

	if (to->cpu_role.as_u64 != from->cpu_role.as_u64 ||
	    to->root_role.word != from->root_role.word)
		*to = *from;
}

static void spht_queue_fault(struct spht *h, struct kvm_mmu_page *sp, u64 *sptep)
{
	unsigned int head = h->head;
	struct spht_request *r = &h->queue[head % SPHT_QUEUE];

	if (head - smp_load_acquire(&h->tail) == SPHT_QUEUE) {
		spht_dropped++;
		return;
	}
	r->gfn = sp->gfn;
	r->role = sp->role.word;
	r->index = spte_index(sptep);
	r->ns = local_clock();
	/* The thread must see the request before it sees that there is one. */
	smp_store_release(&h->head, head + 1);
	wake_up(&h->wait);
}

/* After the entry of a fault is set, and what KVM prefetches with it. */
static void spht_fault(struct kvm_vcpu *vcpu, u64 *sptep, int ret)
{
	struct kvm_mmu_page *sp = sptep_to_sp(sptep);
	struct spht *h;

	if (!spht_helper || ret != RET_PF_FIXED || sp->role.level != PG_LEVEL_4K)
		return;
	rcu_read_lock();
	h = spht_of(vcpu->kvm);
	/* A store into a page table is a fault of another kind. */
	if (h && h->unsync_before == vcpu->kvm->stat.mmu_unsync) {
		spht_faults++;
		spht_copy_mmu(h, vcpu->arch.mmu);
		spht_queue_fault(h, sp, sptep);
	}
	rcu_read_unlock();
}

/* --- the thread's side */

static struct kvm_mmu_page *spht_page(struct kvm *kvm, const struct spht_request *r)
{
	struct hlist_head *list = &kvm->arch.mmu_page_hash[kvm_page_table_hashfn(r->gfn)];
	struct kvm_mmu_page *sp;

	for_each_valid_sp(kvm, sp, list)
	{
		if (sp->gfn == r->gfn && sp->role.word == r->role)
			return sp;
	}
	return NULL;
}

/* Level, access and place differ between the pages of one MMU, nothing else may. */
static bool spht_role_fits(const struct kvm_vcpu *vcpu, const struct kvm_mmu_page *sp)
{
	const union kvm_mmu_page_role ignored = {
		.level = 0xf,
		.access = 0x7,
		.quadrant = 0x3,
		.passthrough = 1,
		.direct = 1,
	};

	return !((sp->role.word ^ vcpu->arch.mmu->root_role.word) & ~ignored.word);
}

/* An entry of a page that stands for a large page of the guest. */
static bool spht_build_direct(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp, u64 *spte)
{
	gfn_t gfn = kvm_mmu_page_get_gfn(sp, spte_index(spte));
	struct kvm_memory_slot *slot;
	kvm_pfn_t pfn;

	slot = gfn_to_memslot_dirty_bitmap(vcpu, gfn, sp->role.access & ACC_WRITE_MASK);
	if (!slot)
		return false;
	pfn = gfn_to_pfn_memslot_atomic(slot, gfn);
	if (is_error_pfn(pfn))
		return false;
	mmu_set_spte(vcpu, slot, spte, sp->role.access, gfn, pfn, NULL);
	kvm_release_pfn_clean(pfn);
	return true;
}

static void spht_build(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp, u64 *spte, u64 gpte)
{
	bool direct = sp->role.direct;

	if (is_shadow_present_pte(*spte)) {
		spht_duplicate++;
	} else if (!direct && (~gpte & (PT_PRESENT_MASK | PT_ACCESSED_MASK))) {
		spht_illegal++;
	} else if (rmap_can_add(vcpu) &&
		   (direct ? spht_build_direct(vcpu, sp, spte)
			   : paging64_prefetch_gpte(vcpu, sp, spte, gpte, true))) {
		spht_built++;
	} else {
		spht_refused++;
	}
}

/* Under mmu_lock, held for writing, and kvm->srcu. */
static void spht_serve(struct spht *h, const struct spht_request *r)
{
	u64 gptes[SPHT_WINDOW_MAX] = {};
	struct kvm_vcpu *vcpu = h->vcpu;
	u32 first = r->index & ~(spht_window - 1);
	struct kvm_mmu_page *sp;
	u32 i;

	/* As KVM's own prefetch: a page that is being unmapped must not come back. */
	if (h->kvm->mmu_invalidate_in_progress) {
		spht_retried++;
		return;
	}
	sp = spht_page(h->kvm, r);
	if (!sp) {
		spht_gone++;
		return;
	}
	if (!spht_role_fits(vcpu, sp)) {
		spht_refused_role++;
		return;
	}
	if (!sp->role.direct &&
	    kvm_vcpu_read_guest_atomic(vcpu, gfn_to_gpa(sp->gfn) + first * sizeof(u64), gptes,
				       spht_window * sizeof(u64))) {
		spht_refused++;
		return;
	}
	for (i = 0; i < spht_window; i++) {
		if (first + i != r->index)
			spht_build(vcpu, sp, sp->spt + first + i, gptes[i]);
	}
}

static void spht_one(struct spht *h, const struct spht_request *r)
{
	u64 asked, locked;
	int idx;

	/* For the reverse map: what is built under the lock cannot allocate. */
	if (kvm_mmu_topup_memory_cache(&h->vcpu->arch.mmu_pte_list_desc_cache, SPHT_WINDOW_MAX)) {
		spht_refused++;
		return;
	}
	idx = srcu_read_lock(&h->kvm->srcu);
	asked = local_clock();
	write_lock(&h->kvm->mmu_lock);
	locked = local_clock();
	spht_count_ns(spht_queue_hist, &spht_queue_ns, locked > r->ns ? locked - r->ns : 0);
	spht_lock_ns += locked - asked;
	spht_served++;
	spht_serve(h, r);
	spht_count_ns(spht_hold_hist, &spht_hold_ns, local_clock() - locked);
	write_unlock(&h->kvm->mmu_lock);
	srcu_read_unlock(&h->kvm->srcu, idx);
	cond_resched();
}

static bool spht_pending(struct spht *h)
{
	return smp_load_acquire(&h->head) != h->tail;
}

/*
 * The guest's memory is its process's.  That is not held while the thread sleeps, or the
 * VM would never end: its files are mapped there.
 */
static void spht_work(struct spht *h)
{
	struct mm_struct *mm = h->kvm->mm;
	bool alive = mmget_not_zero(mm);

	spht_wakes++;
	if (alive)
		kthread_use_mm(mm);
	while (spht_pending(h)) {
		if (alive)
			spht_one(h, &h->queue[h->tail % SPHT_QUEUE]);
		else
			spht_gone++;
		smp_store_release(&h->tail, h->tail + 1);
	}
	if (alive) {
		kthread_unuse_mm(mm);
		mmput(mm);
	}
}

static int spht_thread(void *data)
{
	struct spht *h = data;

	while (!kthread_should_stop()) {
		wait_event_idle(h->wait, spht_pending(h) || kthread_should_stop());
		if (!kthread_should_stop())
			spht_work(h);
	}
	return 0;
}

/* --- one for each VM */

static void spht_free(struct spht *h)
{
	if (h->vcpu)
		kvm_mmu_free_memory_cache(&h->vcpu->arch.mmu_pte_list_desc_cache);
	kvfree(h->vcpu);
	kfree(h);
}

static struct spht *spht_new(struct kvm *kvm)
{
	struct spht *h = kzalloc(sizeof(*h), GFP_KERNEL);

	if (!h)
		return NULL;
	h->kvm = kvm;
	init_waitqueue_head(&h->wait);
	h->vcpu = kvzalloc(sizeof(*h->vcpu), GFP_KERNEL);
	if (!h->vcpu)
		goto fail;
	h->vcpu->kvm = kvm;
	h->vcpu->arch.mmu = &h->vcpu->arch.root_mmu;
	h->vcpu->arch.walk_mmu = &h->vcpu->arch.root_mmu;
	h->vcpu->arch.mmu_pte_list_desc_cache.kmem_cache = pte_list_desc_cache;
	h->vcpu->arch.mmu_pte_list_desc_cache.gfp_zero = __GFP_ZERO;
	h->task = kthread_create(spht_thread, h, "spht-%d", task_pid_nr(current));
	if (IS_ERR(h->task))
		goto fail;
	return h;
fail:
	spht_free(h);
	return NULL;
}

static void spht_start(struct kvm *kvm)
{
	struct spht *h;

	if (!spht_helper)
		return;
	h = spht_new(kvm);
	if (!h) {
		pr_warn("kvm: no memory for a helper thread; the VM runs without\n");
		return;
	}
	if (spht_cpu >= 0 && spht_cpu < nr_cpu_ids && cpu_online(spht_cpu))
		kthread_bind(h->task, spht_cpu);
	/* A core of its own is what it stands for; what else runs there must not delay it. */
	sched_set_fifo_low(h->task);
	spin_lock(&spht_list_lock);
	list_add_rcu(&h->link, &spht_list);
	spin_unlock(&spht_list_lock);
	spht_threads++;
	wake_up_process(h->task);
}

/* Before the MMU of the VM goes; a second call does nothing. */
static void spht_stop(struct kvm *kvm)
{
	struct spht *h = spht_of(kvm);

	if (!h)
		return;
	spin_lock(&spht_list_lock);
	list_del_rcu(&h->link);
	spin_unlock(&spht_list_lock);
	synchronize_rcu();
	kthread_stop(h->task);
	spht_free(h);
}
