// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>

#include "crc32c.h"
#include "writer-local.h"

/* "0x..." strings: JSON integers are signed, and doubles to many readers. */
static json_t *json_hex(uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v);
	return json_string(text);
}

static json_t *footer_json(const struct spht_writer *w, const struct spht_ledger *ledger,
			   unsigned int nr_cpus, const json_t *extra)
{
	json_t *all = extra ? json_copy((json_t *)extra) : json_object();
	json_t *cpus = json_array(), *types = json_array();
	unsigned int nr = nr_cpus > w->nr_cpus ? nr_cpus : w->nr_cpus;
	const struct cpu none = {0};
	uint64_t nr_preamble = 0;
	int bad = !all || !cpus || !types;

	for (unsigned int i = 0; !bad && i < nr; i++) {
		const struct cpu *c = i < SPHT_MAX_CPUS && w->cpus[i] ? w->cpus[i] : &none;
		const struct spht_ledger *l = ledger && i < nr_cpus ? &ledger[i] : NULL;
		json_t *cpu = json_pack("{s:i, s:o, s:o}", "cpu", (int)i, "events",
					json_hex(c->events), "lost", json_hex(c->lost_total));

		bad |= !cpu;
		if (cpu && l && l->known) {
			bad |= json_object_set_new(cpu, "written", json_hex(l->written));
			bad |= json_object_set_new(cpu, "overrun", json_hex(l->overrun));
			bad |= json_object_set_new(cpu, "dropped", json_hex(l->dropped));
			bad |= json_object_set_new(cpu, "commit_overrun",
						   json_hex(l->commit_overrun));
			bad |= json_object_set_new(cpu, "read", json_hex(l->read));
		}
		bad |= json_array_append_new(cpus, cpu);
	}
	for (unsigned int i = 0; !bad && i < w->schema->nr_types; i++) {
		uint64_t events = 0;

		for (unsigned int cpu = 0; cpu < w->nr_cpus; cpu++)
			if (w->cpus[cpu])
				events += w->cpus[cpu]->nr_by_type[i];
		bad |= json_array_append_new(types, json_hex(events));
	}
	for (unsigned int cpu = 0; cpu < w->nr_cpus; cpu++)
		if (w->cpus[cpu])
			nr_preamble += w->cpus[cpu]->nr_preamble;
	if (!bad) {
		bad |= json_object_set(all, "cpus", cpus);
		bad |= json_object_set(all, "events_by_type", types);
		bad |= json_object_set_new(all, "preamble", json_hex(nr_preamble));
	}
	json_decref(cpus);
	json_decref(types);
	if (bad) {
		json_decref(all);
		return NULL;
	}
	return all;
}

int spht_writer_footer(struct spht_writer *w, const struct spht_ledger *ledger,
		       unsigned int nr_cpus, const json_t *extra, struct spht_error *err)
{
	json_t *all = footer_json(w, ledger, nr_cpus, extra);
	char *text = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	size_t len = text ? strlen(text) : 0;
	uint64_t size = SPHT_FOOTER_FIXED + (uint64_t)len + w->index.len + SPHT_TRAILER;
	uint64_t offset = w->offset;
	uint8_t *frame = NULL, *p;
	int ret = -1;

	if (len > SPHT_MAX_HEADER || size > UINT32_MAX) {
		spht_error_set(err,
			       "%s: a footer of %llu bytes is above the limit; write fewer "
			       "and larger blocks",
			       w->path, (unsigned long long)size);
		goto out;
	}
	if (text)
		frame = malloc(SPHT_FRAME_PREFIX + size);
	if (!frame) {
		spht_writer_no_memory(w, err);
		goto out;
	}
	spht_put32(frame, SPHT_FRAME_FOOTER);
	spht_put32(frame + 4, (uint32_t)size);
	spht_put32(frame + 8, (uint32_t)len);
	spht_put32(frame + 12, 0);
	spht_put64(frame + 16, w->nr_blocks);
	p = frame + SPHT_FRAME_PREFIX + SPHT_FOOTER_FIXED;
	memcpy(p, text, len);
	p += len;
	if (w->index.len)
		memcpy(p, w->index.buf, w->index.len);
	p += w->index.len;
	spht_put64(p, offset);
	spht_put32(p + 8, (uint32_t)(SPHT_FRAME_PREFIX + size));
	spht_put32(p + 12, spht_crc32c(0, frame, (size_t)(p + 12 - frame)));
	memcpy(p + 16, SPHT_END_MAGIC, 8);
	ret = spht_writer_put(w, frame, SPHT_FRAME_PREFIX + size, err);
out:
	json_decref(all);
	free(text);
	free(frame);
	return ret;
}
