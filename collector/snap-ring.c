// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snap-ring.h"

/* In front of each record: its length with two flags, and where its page is. */
#define HEAD    8u
#define BUSY    (1u << 31)
#define DISCARD (1u << 30)

int spht_snap_ring_open(struct spht_snap_ring *r, int fd, uint64_t size, struct spht_error *err)
{
	void *p;

	*r = (struct spht_snap_ring){.size = size, .page = (size_t)sysconf(_SC_PAGESIZE)};
	p = mmap(NULL, r->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED) {
		r->consumer = p;
		p = mmap(NULL, r->page + 2 * size, PROT_READ, MAP_SHARED, fd, (off_t)r->page);
	}
	if (p == MAP_FAILED) {
		spht_error_set(err, "--snap: cannot map the ring buffer: %s", strerror(errno));
		spht_snap_ring_close(r);
		return -1;
	}
	r->producer = p;
	r->data = (const uint8_t *)p + r->page;
	return 0;
}

void spht_snap_ring_close(struct spht_snap_ring *r)
{
	if (r->producer)
		munmap((void *)r->producer, r->page + 2 * r->size);
	if (r->consumer)
		munmap(r->consumer, r->page);
	r->producer = r->consumer = NULL;
}

uint64_t spht_snap_ring_end(const struct spht_snap_ring *r)
{
	return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
}

static uint32_t head(const struct spht_snap_ring *r, uint64_t at)
{
	const uint32_t *p = (const uint32_t *)(r->data + (at & (r->size - 1)));

	/* The flag goes when the record is finished. */
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

void spht_snap_ring_pass(struct spht_snap_ring *r)
{
	uint64_t at = *r->consumer;
	uint32_t len = head(r, at) & ~(BUSY | DISCARD);

	__atomic_store_n(r->consumer, at + ((len + HEAD + 7u) & ~7ull), __ATOMIC_RELEASE);
}

const void *spht_snap_ring_next(struct spht_snap_ring *r, uint64_t end, size_t *len, bool *whole)
{
	uint32_t h;

	*whole = false;
	while (*r->consumer < end) {
		h = head(r, *r->consumer);
		if (h & BUSY)
			return NULL;
		*len = h & ~DISCARD;
		if (!(h & DISCARD))
			return r->data + (*r->consumer & (r->size - 1)) + HEAD;
		spht_snap_ring_pass(r);
	}
	*whole = true;
	return NULL;
}
