// SPDX-License-Identifier: LGPL-2.1-or-later
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "replay/pool.h"

struct spht_pool {
	pthread_mutex_t lock;
	pthread_cond_t begun, done;
	pthread_t *threads;
	unsigned int nr_threads; /* beside the caller's */
	/* Under the lock: */
	unsigned long round;
	unsigned int busy; /* threads that are at it */
	bool closing;
	/* Of the round: */
	void (*work)(void *arg, size_t i);
	void *arg;
	size_t nr;
	atomic_size_t next;
};

static void take_part(struct spht_pool *p)
{
	size_t i;

	while ((i = atomic_fetch_add(&p->next, 1)) < p->nr)
		p->work(p->arg, i);
}

static void *worker(void *arg)
{
	struct spht_pool *p = arg;
	unsigned long round = 0;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->round == round && !p->closing)
			pthread_cond_wait(&p->begun, &p->lock);
		if (p->closing)
			break;
		round = p->round;
		pthread_mutex_unlock(&p->lock);
		take_part(p);
		pthread_mutex_lock(&p->lock);
		if (!--p->busy)
			pthread_cond_signal(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct spht_pool *spht_pool_open(unsigned int threads)
{
	struct spht_pool *p = calloc(1, sizeof(*p));

	if (p)
		p->threads = calloc(threads + 1u, sizeof(*p->threads));
	if (!p || !p->threads) {
		free(p);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->begun, NULL);
	pthread_cond_init(&p->done, NULL);
	while (p->nr_threads + 1 < threads &&
	       !pthread_create(&p->threads[p->nr_threads], NULL, worker, p))
		p->nr_threads++;
	return p;
}

void spht_pool_close(struct spht_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->begun);
	pthread_mutex_unlock(&p->lock);
	while (p->nr_threads)
		pthread_join(p->threads[--p->nr_threads], NULL);
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->begun);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p);
}

void spht_pool_round(struct spht_pool *p, size_t nr, void (*work)(void *arg, size_t i), void *arg)
{
	pthread_mutex_lock(&p->lock);
	p->work = work;
	p->arg = arg;
	p->nr = nr;
	atomic_store(&p->next, 0);
	p->busy = p->nr_threads;
	p->round++;
	pthread_cond_broadcast(&p->begun);
	pthread_mutex_unlock(&p->lock);
	take_part(p);
	pthread_mutex_lock(&p->lock);
	while (p->busy)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
}
