// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/report.h"

static void put_text(FILE *out, const char *s)
{
	if (!strpbrk(s, ",\"\r\n")) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

void spht_csv_header(FILE *out, const struct spht_row *row)
{
	for (unsigned int i = 0; i < row->nr; i++)
		fprintf(out, "%s%s", i ? "," : "", row->f[i].name);
	fputc('\n', out);
}

void spht_csv_row(FILE *out, const struct spht_row *row)
{
	for (unsigned int i = 0; i < row->nr; i++) {
		const struct spht_field *f = &row->f[i];

		if (i)
			fputc(',', out);
		if (f->kind == SPHT_FIELD_TEXT)
			put_text(out, f->text);
		else if (f->kind == SPHT_FIELD_COUNT)
			fprintf(out, "%" PRIu64, f->count);
		else if (f->kind == SPHT_FIELD_REAL)
			fprintf(out, "%.9g", f->real);
	}
	fputc('\n', out);
}

static json_t *field_value(const struct spht_field *f)
{
	switch (f->kind) {
	case SPHT_FIELD_TEXT:
		return json_string(f->text);
	case SPHT_FIELD_COUNT:
		return json_integer((json_int_t)f->count);
	case SPHT_FIELD_REAL:
		return json_real(f->real);
	default:
		return json_null();
	}
}

/* Zaps by cause: derived by KVM's rules against recorded. */
static json_t *zaps_json(const struct spht_fidelity *f)
{
	static const char *const name[SPHT_ZAP_NR] = {"exogenous", NULL,           "recycled",
						      "flooded",   "unsync_upper", "unsync_below"};
	json_t *o = json_object();

	for (unsigned int c = 0; c < SPHT_ZAP_NR; c++)
		if (name[c])
			json_object_set_new(o, name[c],
					    json_pack("{s:I,s:I,s:I}", "derived_recorded",
						      (json_int_t)f->zaps[c][1][1], "derived_only",
						      (json_int_t)f->zaps[c][1][0], "recorded_only",
						      (json_int_t)f->zaps[c][0][1]));
	return o;
}

static json_t *fidelity_json(const struct spht_fidelity *f)
{
	static const char *const beliefs[] = {"absent", "weak", "strong"};
	static const char *const derived[SPHT_DERIVED_NR] = {
		[SPHT_DERIVED_FROZEN] = "frozen",
		[SPHT_DERIVED_SYNCED] = "synced",
		[SPHT_DERIVED_FLUSHED] = "flushed",
		[SPHT_DERIVED_BESIDE_WALK] = "beside_walk",
		[SPHT_DERIVED_BESIDE_GUEST] = "beside_guest",
		[SPHT_DERIVED_SNAPSHOT] = "snapshot",
	};
	json_t *o = json_object(), *p = json_object(), *drops = json_object();
	char key[64];

	for (unsigned int c = 0; c < SPHT_CLASS_NR; c++) {
		for (unsigned int hw = 0; hw < 2; hw++) {
			for (unsigned int b = 0; b < SPHT_BELIEF_NR; b++) {
				if (c != SPHT_CLASS_HIDDEN && c != SPHT_CLASS_HUGE &&
				    c != SPHT_CLASS_AD)
					continue;
				snprintf(key, sizeof(key), "%s_p%u_%s", spht_class_name(c), hw,
					 beliefs[b]);
				json_object_set_new(p, key,
						    json_integer((json_int_t)f->pbit[c][hw][b]));
			}
		}
	}
	json_object_set_new(o, "p_bit", p);
	json_object_set_new(o, "kept",
			    json_pack("[I,I]", (json_int_t)f->kept[0], (json_int_t)f->kept[1]));
	json_object_set_new(
		o, "spurious",
		json_pack("[I,I]", (json_int_t)f->spurious[0], (json_int_t)f->spurious[1]));
	json_object_set_new(
		o, "prefetched",
		json_pack("[I,I]", (json_int_t)f->prefetched[0], (json_int_t)f->prefetched[1]));
	json_object_set_new(o, "get_page",
			    json_pack("{s:I,s:I,s:I,s:I}", "absent_found",
				      (json_int_t)f->get_page[0][0], "absent_created",
				      (json_int_t)f->get_page[0][1], "exists_found",
				      (json_int_t)f->get_page[1][0], "exists_created",
				      (json_int_t)f->get_page[1][1]));
	json_object_set_new(o, "zaps", zaps_json(f));
	json_object_set_new(o, "drops",
			    json_pack("{s:I,s:I,s:I,s:I}", "changed",
				      (json_int_t)f->drops[SPHT_DROP_CHANGED], "synced",
				      (json_int_t)f->drops[SPHT_DROP_SYNCED], "flushed",
				      (json_int_t)f->drops[SPHT_DROP_FLUSHED], "unexplained",
				      (json_int_t)f->drops[SPHT_DROP_UNEXPLAINED]));
	for (unsigned int d = 0; d < SPHT_DERIVED_NR; d++)
		if (derived[d])
			json_object_set_new(drops, derived[d],
					    json_pack("{s:I,s:I}", "right",
						      (json_int_t)f->derived[d][0], "refuted",
						      (json_int_t)f->derived[d][1]));
	json_object_set_new(o, "foreseen", drops);
	return o;
}

/* KVM's own count against the recording's; null where it was not read. */
static json_t *counters_json(const struct spht_recording *r)
{
	json_t *o;

	if (!r->has_pf_taken)
		return json_null();
	o = json_pack("{s:I, s:I, s:I, s:I}", "pf_taken", (json_int_t)r->pf_taken, "recorded",
		      (json_int_t)r->pf_counted, "cached_mmio", (json_int_t)r->pf_mmio,
		      "difference", (json_int_t)(r->pf_taken - r->pf_counted));
	if (r->zaps.known) {
		json_object_set_new(o, "mmu_shadow_zapped",
				    json_integer((json_int_t)r->zaps.zapped));
		json_object_set_new(o, "zaps_recorded", json_integer((json_int_t)r->zaps.recorded));
		json_object_set_new(o, "mmu_flooded", json_integer((json_int_t)r->zaps.flooded));
		json_object_set_new(o, "mmu_recycled", json_integer((json_int_t)r->zaps.recycled));
	}
	return o;
}

static json_t *remaining_json(const struct spht_account *a)
{
	uint64_t hidden = a->remaining - a->remaining_huge - a->remaining_ad;

	return json_pack("{s:I,s:I,s:I,s:I}", "hidden", (json_int_t)hidden, "huge",
			 (json_int_t)a->remaining_huge, "ad", (json_int_t)a->remaining_ad,
			 "refault", (json_int_t)a->remaining_refault);
}

/* The intervals' rows, without what they have in common; NULL: memory. */
static json_t *phases_json(const struct spht_recording *rec, const struct spht_run_options *opt,
			   const struct spht_result *res)
{
	struct spht_row *row = malloc(sizeof(*row));
	json_t *all = row ? json_array() : NULL;

	for (uint32_t i = 0; all && i < rec->phases.nr; i++) {
		json_t *o = json_object();

		spht_row_fill_phase(row, rec, opt, res, i);
		for (unsigned int k = row->whose; k < row->nr; k++)
			json_object_set_new(o, row->f[k].name, field_value(&row->f[k]));
		if (json_array_append_new(all, o)) {
			json_decref(all);
			all = NULL;
		}
	}
	free(row);
	return all;
}

json_t *spht_json_row(const struct spht_row *row, const struct spht_recording *rec,
		      const struct spht_run_options *opt, const struct spht_result *res)
{
	enum spht_world knowledge = opt->knowledge;
	json_t *o = json_object(), *slack = json_array();
	unsigned int last = 0;

	for (unsigned int i = 0; i < row->nr; i++)
		json_object_set_new(o, row->f[i].name, field_value(&row->f[i]));
	for (unsigned int b = 0; rec->stats.has_exits && b < SPHT_SLACK_BINS; b++)
		if (res->world[knowledge].slack[b])
			last = b + 1;
	for (unsigned int b = 0; b < last; b++)
		json_array_append_new(slack,
				      json_integer((json_int_t)res->world[knowledge].slack[b]));
	/* Bin b counts uses that came [2^b, 2^(b+1)) ns after the entry was ready. */
	json_object_set_new(o, "slack_log2_ns", slack);
	json_object_set_new(o, "remaining_by_class", remaining_json(&res->world[knowledge]));
	json_object_set_new(o, "kvm_counters", counters_json(rec));
	/* 0: none known. */
	json_object_set_new(o, "mmu_pages_limit", json_integer(rec->mmu_pages));
	json_object_set_new(o, "mmu_pages_most",
			    json_integer((json_int_t)spht_observed_mmu(rec->observed)->nr_most));
	json_object_set_new(o, "fidelity", fidelity_json(spht_observed_fidelity(rec->observed)));
	if (rec->phases.nr && json_object_set_new(o, "intervals", phases_json(rec, opt, res))) {
		json_decref(o);
		return NULL;
	}
	return o;
}
