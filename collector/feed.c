// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "feed.h"

#define BATCH       (256u << 10) /* bytes of events in one message */
#define ALIVE_TICKS 65536u

static const struct spht_feed *const feeds[] = {&spht_feed_tracedat, &spht_feed_perfdata};

const struct spht_feed *spht_feed_find(const void *head, size_t len)
{
	for (size_t i = 0; i < sizeof(feeds) / sizeof(feeds[0]); i++)
		if (len >= feeds[i]->magic_len &&
		    !memcmp(head, feeds[i]->magic, feeds[i]->magic_len))
			return feeds[i];
	return NULL;
}

static int no_memory(struct spht_feed_out *o)
{
	spht_error_set(o->err, "%s: out of memory", o->name);
	return -1;
}

int spht_feed_open(struct spht_feed_out *o)
{
	o->batch = malloc(BATCH);
	return o->batch ? 0 : no_memory(o);
}

int spht_feed_send(struct spht_feed_out *o, uint32_t type, const void *data, size_t len)
{
	o->quiet = 0;
	if (!spht_pipe_send(o->pipe, type, o->done, data, len))
		return 0;
	/* The pipe is broken only when the parent is gone or has lost interest. */
	spht_error_set(o->err, "%s: interrupted", o->name);
	return -1;
}

int spht_feed_send_json(struct spht_feed_out *o, uint32_t type, json_t *j)
{
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	int rc;

	json_decref(j);
	if (!text)
		return no_memory(o);
	rc = spht_feed_send(o, type, text, strlen(text));
	free(text);
	return rc;
}

int spht_feed_flush(struct spht_feed_out *o)
{
	size_t len = o->len;

	o->len = 0;
	return spht_feed_send(o, len ? SPHT_FEED_EVENTS : SPHT_FEED_ALIVE, o->batch, len);
}

int spht_feed_put(struct spht_feed_out *o, const void *event, size_t len)
{
	if (len > BATCH - o->len && spht_feed_flush(o))
		return -1;
	memcpy(o->batch + o->len, event, len);
	o->len += len;
	return 0;
}

int spht_feed_tick(struct spht_feed_out *o)
{
	return ++o->quiet > ALIVE_TICKS ? spht_feed_flush(o) : 0;
}

size_t spht_feed_encode(struct spht_feed_event *out, const struct spht_event *ev,
			unsigned int nwords)
{
	memset(out, 0, offsetof(struct spht_feed_event, v));
	out->ts = ev->ts;
	out->pid = ev->pid;
	out->cpu = ev->cpu;
	out->type = ev->type;
	out->flags = ev->flags;
	out->preempt = ev->preempt;
	out->nwords = (uint8_t)nwords;
	memcpy(out->v, ev->v, nwords * sizeof(ev->v[0]));
	return offsetof(struct spht_feed_event, v) + nwords * sizeof(ev->v[0]);
}

size_t spht_feed_encode_lost(struct spht_feed_event *out, uint64_t ts, unsigned int cpu,
			     uint64_t lost)
{
	struct spht_event ev = {.ts = ts, .cpu = (uint16_t)cpu, .type = SPHT_FEED_LOST};

	ev.v[0] = lost;
	return spht_feed_encode(out, &ev, 1);
}
