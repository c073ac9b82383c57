// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <string.h>

#include "replay/report.h"

/* Lines about the page, rather than the entry, that are shown: the last ones. */
#define PAGE_LINES 100

static void put_bits(FILE *out, uint64_t pte)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} bits[] = {{SPHT_PTE_P, "P"}, {SPHT_PTE_W, "W"},   {SPHT_PTE_U, "U"},  {SPHT_PTE_A, "A"},
		    {SPHT_PTE_D, "D"}, {SPHT_PTE_PS, "PS"}, {SPHT_PTE_NX, "NX"}};
	bool any = false;

	for (unsigned int i = 0; i < sizeof(bits) / sizeof(*bits); i++) {
		if (!(pte & bits[i].bit))
			continue;
		fprintf(out, "%s%s", any ? " " : "", bits[i].name);
		any = true;
	}
	if (!any)
		fputs("none", out);
}

static double seconds(const struct spht_story *s, uint64_t ns)
{
	return (double)(ns - s->start) / 1e9;
}

static void put_code(FILE *out, uint32_t code)
{
	fprintf(out, "0x%" PRIx32 ": P=%d, a %s from %s mode%s", code, !!(code & SPHT_PF_P),
		code & SPHT_PF_FETCH ? "fetch"
		: code & SPHT_PF_W   ? "write"
				     : "read",
		code & SPHT_PF_U ? "user" : "kernel",
		code & SPHT_PF_RSVD ? ", reserved bits set" : "");
}

static void text_exit(FILE *out, const struct spht_story *s)
{
	const struct spht_exit *x = &s->x;

	fprintf(out,
		"\nexit %-12" PRIu64 " %s%s, at %.6f s, vCPU %u (thread %" PRId32 "), %" PRIu64
		" ns\n",
		x->number,
		x->cls == SPHT_CLASS_NONE ? x->is_pf ? "#PF under another paging mode" : "no #PF"
					  : spht_class_name(x->cls),
		x->refault ? " (refault)" : "", seconds(s, x->t_exit), x->vcpu, x->tid,
		x->t_entry - x->t_exit);
	if (x->is_pf) {
		fprintf(out, "  address         %#" PRIx64 "\n  error code      ", x->gva);
		put_code(out, x->pfec);
	} else {
		fprintf(out, "  exit reason     0x%" PRIx32 "%s%s", x->reason,
			x->cr3_load ? ": the guest loads CR3" : "",
			x->invlpg ? ": the guest invalidates a translation" : "");
	}
	fprintf(out, "\n  rip             %#" PRIx64 "\n", x->rip);
	if (x->store_known)
		fprintf(out, "  emulated store  to guest physical address %#" PRIx64 "\n",
			x->store_gpa);
	if (x->raced)
		fprintf(out,
			"  other threads worked on shadow tables between the fault and its work\n");
}

static void text_walk(FILE *out, const struct spht_walk *k)
{
	if (!k->nr && !k->failed) {
		fprintf(out, "walk              none\n");
		return;
	}
	fprintf(out, "walk\n");
	for (unsigned int i = 0; i < k->nr; i++) {
		fprintf(out, "  level %u         0x%016" PRIx64 "  gfn 0x%-10" PRIx64 " ",
			k->level[i], k->pte[i], spht_pte_gfn(k->pte[i]));
		put_bits(out, k->pte[i]);
		fputc('\n', out);
	}
	if (k->failed) {
		fprintf(out, "  it fails; for the guest: error code ");
		put_code(out, k->error);
		fputc('\n', out);
	} else {
		fprintf(out, "  it succeeds%s%s\n", k->set_a ? ", setting A" : "",
			k->set_d ? ", setting D" : "");
	}
}

static void put_role(FILE *out, const struct spht_role_layout *l, uint32_t role)
{
	unsigned int access = spht_role_access(l, role);

	fprintf(out, "role 0x%05" PRIx32 " (%s%u, access %s%s%s)", role,
		spht_role_direct(l, role) ? "direct, level " : "level ", spht_role_level(l, role),
		access & l->acc_u ? "U" : "-", access & l->acc_w ? "W" : "-",
		access & l->acc_x ? "X" : "-");
}

static void text_page(FILE *out, const struct spht_story *s, unsigned int level,
		      const struct spht_story_page *p, const struct spht_role_layout *l)
{
	fprintf(out, "  level %u         ", level);
	if (!p->known) {
		fprintf(out, level == 4 ? "not told\n" : "not met before this exit\n");
		return;
	}
	fprintf(out, "gfn 0x%-9" PRIx64 " ", p->gfn);
	put_role(out, l, p->role);
	fprintf(out, ": %s%s%s\n", p->exists ? "there" : "not there",
		p->exists && p->unsync ? ", unsync" : "",
		level == 4 || !p->exists    ? ""
		: p->linked                 ? ", linked"
		: !s->path[level + 1].known ? ", linked or not"
					    : ", not linked");
}

static const char *const places[] = {"", "page ", "", "all pages "};

static const char *origin(unsigned int kind)
{
	switch (kind) {
	case SPHT_DO_SET:
		return "set for a fault on it";
	case SPHT_DO_PREFETCH:
		return "prefetched by KVM beside a fault";
	case SPHT_DO_REFRESH:
		return "made again after an invalidation";
	case SPHT_DO_PROVE:
		return "known by proof: the hardware or a prefetch group met it";
	default:
		return "?";
	}
}

static const char *why(unsigned int w)
{
	static const char *const words[] = {
		[SPHT_STORY_WHY_NONE] = "",
		[SPHT_STORY_WHY_WALK] = "a guest fault with P=0: the hardware had none",
		[SPHT_STORY_WHY_INJECTED] = "a guest fault injected with P=1 invalidates it",
		[SPHT_STORY_WHY_INVLPG] = "invalidated by the guest",
		[SPHT_STORY_WHY_STORE] = "an emulated store to its guest entry",
		[SPHT_STORY_WHY_REPLACED] = "KVM makes it anew, so it was gone",
		[SPHT_STORY_WHY_REUSED] = "with the whole page: the guest's table was used again",
		[SPHT_STORY_WHY_RULE] = "by a rule of the model",
		[SPHT_STORY_WHY_SILENT + SPHT_DROP_CHANGED] =
			"silently, the walk shows another mapping",
		[SPHT_STORY_WHY_SILENT + SPHT_DROP_SYNCED] = "silently, a sync came in between",
		[SPHT_STORY_WHY_SILENT + SPHT_DROP_FLUSHED] = "silently, a flush came in between",
		[SPHT_STORY_WHY_SILENT + SPHT_DROP_UNEXPLAINED] = "silently, unexplained",
	};

	return w < sizeof(words) / sizeof(*words) && words[w] ? words[w] : "silently";
}

static const char *page_verb(unsigned int kind)
{
	switch (kind) {
	case SPHT_DO_CREATE:
		return "created, empty and synced";
	case SPHT_DO_ASSUME:
		return "there, and older than what is known of it";
	case SPHT_DO_ZAP:
	case SPHT_DO_ZAP_ALL:
		return "zapped";
	case SPHT_DO_SYNC:
		return "synced";
	case SPHT_DO_UNSYNC:
		return "unsync from here on";
	case SPHT_STORY_FOUND_UNSYNC:
		return "found unsync, and synced in place";
	default:
		return "?";
	}
}

static void put_event(FILE *out, const struct spht_story_event *e)
{
	switch (e->kind) {
	case SPHT_DO_SET:
	case SPHT_DO_PREFETCH:
	case SPHT_DO_REFRESH:
	case SPHT_DO_PROVE:
		fprintf(out, "entry %s", origin(e->kind));
		if (e->kind == SPHT_DO_PREFETCH && e->has_gva)
			fprintf(out, " on %#" PRIx64, e->gva);
		fprintf(out, "%s", e->writable ? ", writable" : "");
		break;
	case SPHT_DO_DROP:
		fprintf(out, "entry dropped: %s", why(e->why));
		break;
	case SPHT_STORY_DATED_DROP:
		fprintf(out, "entry dropped as of the last sync: %s", why(e->why));
		break;
	case SPHT_DO_WPROTECT:
		fprintf(out, "entry loses its W");
		break;
	default:
		if (e->place == SPHT_STORY_ABOVE)
			fprintf(out, "level-%u page 0x%" PRIx64 " ", e->level, e->gfn);
		fprintf(out, "%s%s", places[e->place], page_verb(e->kind));
		break;
	}
}

static void text_event(FILE *out, const struct spht_story *s, const struct spht_story_event *e)
{
	static const char *const names[SPHT_CLASS_NR] = {
		[SPHT_CLASS_PTWRITE_EMUL] = "ptw_emul", [SPHT_CLASS_PTWRITE_UNSYNC] = "ptw_uns"};
	const char *cls = names[e->cls] ? names[e->cls] : spht_class_name(e->cls);

	if (e->number)
		fprintf(out, "  %9" PRIu64, e->number);
	else
		fprintf(out, "  %9s", "-");
	fprintf(out, " %11.6f %-8s ", seconds(s, e->ns), e->cls == SPHT_CLASS_NONE ? "-" : cls);
	put_event(out, e);
	fputc('\n', out);
}

static void text_history(FILE *out, const struct spht_story *s)
{
	size_t others = 0, left = 0;

	for (size_t i = 0; i < s->nr; i++)
		others += s->v[i].place != SPHT_STORY_ENTRY;
	fprintf(out, "history of the entry, its page and the path to it\n");
	if (others > PAGE_LINES) {
		left = others - PAGE_LINES;
		fprintf(out, "  (%zu earlier lines about page and path left out)\n", left);
	}
	fprintf(out, "  %9s %11s %s\n", "exit", "time s", "class");
	for (size_t i = 0; i < s->nr; i++) {
		if (s->v[i].place != SPHT_STORY_ENTRY && left) {
			left--;
			continue;
		}
		text_event(out, s, &s->v[i]);
	}
	if (!s->nr)
		fprintf(out, "  nothing\n");
}

static void text_before(FILE *out, const struct spht_story *s)
{
	const struct spht_story_event *own = s->own < s->nr ? &s->v[s->own] : NULL;

	fprintf(out, "entry before      %u of that page%s: ", s->found.index,
		s->found.other ? ", which is not the fault's own" : "");
	if (s->unknown)
		fprintf(out, "not known");
	else if (!s->present)
		fprintf(out, "absent");
	else
		fprintf(out, "present, %s", s->writable ? "writable" : "read-only");
	fputc('\n', out);
	if (!s->present)
		return;
	if (own)
		fprintf(out, "  since           exit %" PRIu64 " at %.6f s: %s\n", own->number,
			seconds(s, own->ns), origin(own->kind));
	if (own && own->kind == SPHT_DO_PREFETCH && own->has_gva)
		fprintf(out, "                  on %#" PRIx64 "\n", own->gva);
	if (s->proven || !s->spte)
		return;
	fprintf(out, "  SPTE            0x%016" PRIx64 "  ", s->spte);
	put_bits(out, s->spte);
	fputc('\n', out);
}

static void text_op(FILE *out, const struct spht_op *op, const struct spht_role_layout *l)
{
	static const char *const page_ops[] = {[SPHT_OP_SYNC] = "sync_page",
					       [SPHT_OP_UNSYNC] = "unsync_page",
					       [SPHT_OP_ZAP] = "zap_page"};

	switch (op->kind) {
	case SPHT_OP_REQUESTED:
		fprintf(out, "requested       gfn 0x%" PRIx64 " level %u\n", op->gfn, op->level);
		break;
	case SPHT_OP_SET:
		fprintf(out, "set_spte        level %u entry %-3u 0x%016" PRIx64 "  ", op->level,
			SPHT_PT_INDEX(op->sptep >> 3), op->spte);
		put_bits(out, op->spte);
		fputc('\n', out);
		break;
	case SPHT_OP_ZAP_ALL:
		fprintf(out, "zap_all_fast    all pages\n");
		break;
	default:
		fprintf(out, "%-15s gfn 0x%-9" PRIx64 " ",
			op->kind == SPHT_OP_GET ? "get_page" : page_ops[op->kind], op->gfn);
		put_role(out, l, op->role);
		if (op->kind == SPHT_OP_GET)
			fprintf(out, ": %s%s", op->created ? "created" : "found",
				op->unsync ? ", unsync" : "");
		fputc('\n', out);
		break;
	}
}

static void text_ops(FILE *out, const struct spht_story *s, const struct spht_role_layout *l)
{
	fprintf(out, "what KVM did, in order\n");
	for (size_t i = 0; i < s->x.nr_ops; i++) {
		fprintf(out, "  ");
		text_op(out, &s->x.ops[i], l);
	}
	if (!s->x.nr_ops)
		fprintf(out, "  nothing to shadow tables\n");
	if (s->other_ops)
		fprintf(out, "  and %zu operations of this exit while others worked too\n",
			s->other_ops);
}

/* What checks the exit was put to, and how they ended. */
static void text_verdict(FILE *out, const struct spht_story *s)
{
	static const char *const beliefs[] = {"absent", "present, too weak for this access",
					      "present, strong enough for this access"};
	char text[120];

	fprintf(out, "the model\n");
	if (s->x.is_pf && s->found.has_entry && !s->found.other)
		fprintf(out, "  held            %s\n  the hardware    P=%d: %s\n",
			s->belief < 0 ? "it could not know" : beliefs[s->belief],
			!!(s->x.pfec & SPHT_PF_P),
			s->x.pfec & SPHT_PF_P ? "an entry that refuses" : "no entry");
	for (size_t i = 0; i < s->missed.nr; i++) {
		spht_miss_text(text, sizeof(text), &s->missed.v[i]);
		fprintf(out, "  MISS            %s\n", text);
	}
	if (!s->missed.nr)
		fprintf(out, "  agrees in every check that this exit makes\n");
	for (unsigned int c = 0; c < SPHT_DROP_NR; c++)
		if (s->after.drops[c] != s->before.drops[c])
			fprintf(out, "  dropped         %s\n", why(SPHT_STORY_WHY_SILENT + c));
}

/* What the model made of it: its own operations. */
static void text_dos(FILE *out, const struct spht_story *s, struct spht_shadow *shadow)
{
	for (uint32_t i = 0; i < s->nr_do; i++) {
		const struct spht_do *d = &s->dos[i];
		struct spht_story_event e = {.kind = d->kind,
					     .place = SPHT_STORY_ENTRY,
					     .why = SPHT_STORY_WHY_RULE,
					     .writable = d->writable};
		bool entry = d->kind >= SPHT_DO_SET && d->kind <= SPHT_DO_PROVE;

		if (i == 0)
			fprintf(out, "  does then\n");
		if (!entry)
			e.place = d->kind == SPHT_DO_ZAP_ALL ? SPHT_STORY_ALL : SPHT_STORY_PAGE;
		fprintf(out, "    ");
		if (d->kind != SPHT_DO_ZAP_ALL)
			fprintf(out, "page 0x%" PRIx64 " level %u%s",
				spht_shadow_gfn(shadow, d->page),
				spht_role_level(shadow->layout, spht_shadow_role(shadow, d->page)),
				entry ? "" : ": ");
		if (entry)
			fprintf(out, " %u: ", d->index);
		if (d->kind == SPHT_DO_DROP)
			fprintf(out, "entry dropped\n");
		else if (entry) {
			put_event(out, &e);
			fputc('\n', out);
		} else {
			fprintf(out, "%s\n", page_verb(d->kind));
		}
	}
}

static void text_guest(FILE *out, const struct spht_result *res)
{
	const struct spht_look *l = res->look;

	if (!l || !l[0].guest_known)
		return;
	fprintf(out, "guest entry, just before\n");
	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++) {
		fprintf(out, "  %-15s ", spht_world_name(w));
		if (!(l[w].guest & SPHT_GPTE_DECIDED))
			fprintf(out, "not decided by any evidence\n");
		else if (!(l[w].guest & SPHT_GPTE_PRESENT))
			fprintf(out, "absent\n");
		else
			fprintf(out, "present, A=%d, %s\n", !!(l[w].guest & SPHT_GPTE_A),
				l[w].guest & SPHT_GPTE_WRITABLE ? "writable and dirty"
								: "read-only or clean");
	}
}

void spht_text_story(FILE *out, const struct spht_recording *rec, const struct spht_story *s,
		     const struct spht_run_options *opt, const struct spht_result *res)
{
	struct spht_shadow *shadow = spht_observed_shadow(rec->observed);

	text_exit(out, s);
	if (s->x.is_pf)
		text_walk(out, &s->x.walk);
	if (s->found.path != SPHT_NO_ID && s->found.has_page) {
		fprintf(out, "shadow pages, just before\n");
		for (unsigned int level = 4; level >= s->found.leaf_level; level--)
			text_page(out, s, level, &s->path[level], shadow->layout);
	} else if (s->found.has_page) {
		fprintf(out, "shadow page       gfn 0x%" PRIx64 " ",
			spht_shadow_gfn(shadow, s->found.page));
		put_role(out, shadow->layout, spht_shadow_role(shadow, s->found.page));
		fputc('\n', out);
	} else if (s->x.is_pf) {
		fprintf(out, "shadow pages      none that the model could tell\n");
	}
	if (s->found.has_entry)
		text_before(out, s);
	if (s->found.has_page)
		text_history(out, s);
	text_ops(out, s, shadow->layout);
	text_verdict(out, s);
	text_dos(out, s, shadow);
	text_guest(out, res);
	spht_text_looks(out, rec, opt, res, s->found.other);
}
