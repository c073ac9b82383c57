/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_HEURISTIC_H
#define SPHT_HEURISTIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A heuristic is one file that fills in one struct spht_heuristic with
 * SPHT_HEURISTIC().  It sees the exits that the helper thread would see and
 * asks for entries; the host owns the queue, legality, latency, duplicates and
 * all counting, so that a heuristic cannot get these wrong.  State lives in
 * memory that the host allocates and zeroes: no globals, any number of copies
 * run at once.
 */
#define SPHT_HEURISTIC_ABI 2

/* Pages of a 2 MiB region: what one level-1 page table maps. */
#define SPHT_REGION_SHIFT  9
#define SPHT_REGION_PAGES  (1u << SPHT_REGION_SHIFT)
/* Bits of a page number: the highest one parts the two canonical halves. */
#define SPHT_VPN_BITS      36

enum spht_fault_class {
	SPHT_FAULT_GUEST, /* reflected into the guest: its own page table had no answer */
	SPHT_FAULT_HIDDEN, /* the guest's table had the answer, the shadow table had not */
	SPHT_FAULT_HUGE, /* as hidden, under a guest large page */
	SPHT_FAULT_AD, /* as hidden, and the walk had to set an accessed or dirty bit */
	SPHT_FAULT_PTWRITE, /* a store into a guest page table */
	SPHT_FAULT_OTHER, /* MMIO, spurious, retry */
};

/* One #PF exit, as the helper learns of it. */
struct spht_fault {
	uint64_t time_ns; /* virtual time of the exit */
	uint64_t space; /* address space: equal values share their page tables */
	uint64_t vpn; /* guest virtual page number: gva >> 12, 36 bits */
	uint64_t rip; /* guest instruction pointer, 0 where not recorded */
	uint32_t error_code; /* hardware's: bit 0 P, 1 W, 2 U, 4 fetch */
	uint16_t vcpu;
	uint8_t cls; /* enum spht_fault_class */
};

/* How a request of this heuristic ended (METRICS: books). */
enum spht_outcome_kind {
	SPHT_OUTCOME_BUILT, /* the entry is in the shadow table now */
	SPHT_OUTCOME_REFUSED, /* illegal, unknown or failed; not: duplicate, queue full */
	SPHT_OUTCOME_LATE, /* the demand fault came first, or during the build */
};

struct spht_outcome {
	uint64_t time_ns; /* when it ended; it may be told of later, at an exit */
	uint64_t space, vpn;
	uint8_t kind; /* enum spht_outcome_kind */
};

/*
 * What only the oracle is told: a recorded avoidable fault is about to happen.
 * @buildable: in this world the guest's entry was present and legal before the access.
 * @loss: new exits that avoiding it would be charged with (neighbours that the
 * fault's own prefetch brought and that nobody could have built).
 */
struct spht_prospect {
	uint64_t time_ns; /* virtual time of the fault */
	uint64_t space, vpn;
	/* For how long it has been buildable; only for parameters that are not the defaults. */
	uint64_t legal_for_ns;
	bool buildable;
	double loss;
};

/*
 * An entry of the shadow table was taken away: its page was zapped, or KVM dropped it
 * as it emulated a store or INVLPG.  What a sync drops in silence is not told: a
 * recording shows it only once it is missed, and telling it then would tell the future.
 */
struct spht_zap {
	uint64_t time_ns; /* end of the exit in which it happened */
	uint64_t space, vpn;
};

/* What the helper finds in the shadow table. */
enum spht_entry_state {
	SPHT_ENTRY_ABSENT, /* no entry, or no table that the helper knows of */
	SPHT_ENTRY_PRESENT, /* there; the guest is not known to have used it */
	SPHT_ENTRY_USED, /* a helper built it and the guest used it: its accessed bit is set */
};

struct spht_host {
	/*
	 * Asks for the entry of (@space, @vpn).  May be called only from a
	 * hook, any number of times; order is kept.
	 */
	void (*request)(struct spht_host *host, uint64_t space, uint64_t vpn);
	/*
	 * The same; if the guest's entry is not there yet the helper looks again and
	 * again until it is, for as long as the cost profile allows.
	 */
	void (*watch)(struct spht_host *host, uint64_t space, uint64_t vpn);
	/*
	 * Looks at the entry itself: enum spht_entry_state.  This is how a helper learns
	 * that what it built was worth building: nobody tells it of exits that do not happen.
	 */
	uint8_t (*look)(struct spht_host *host, uint64_t space, uint64_t vpn);
};

static inline void spht_request(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	host->request(host, space, vpn);
}

static inline void spht_watch(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	host->watch(host, space, vpn);
}

static inline uint8_t spht_look(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	return host->look(host, space, vpn);
}

/*
 * @vpn + @delta, if it is a page that may be asked for after a fault on @vpn: another
 * one, in its canonical half, and in its 2 MiB region unless @cross.
 */
static inline bool spht_vpn_add(uint64_t vpn, int64_t delta, bool cross, uint64_t *out)
{
	uint64_t to = vpn + (uint64_t)delta;

	*out = to;
	return delta && !((to ^ vpn) >> (cross ? SPHT_VPN_BITS - 1 : SPHT_REGION_SHIFT));
}

enum spht_param_type { SPHT_PARAM_INT, SPHT_PARAM_BOOL, SPHT_PARAM_CHOICE };

/* One parameter.  Parsing, range checks, help and the printed values come from this table. */
struct spht_param {
	const char *name; /* lower case, its unit in the name where it has one */
	enum spht_param_type type;
	int64_t def, min, max; /* CHOICE: indices into choices */
	bool pow2; /* INT: only powers of two */
	const char *unit; /* "pages", "entries", "faults", ... or "" */
	const char *const *choices; /* CHOICE: NULL-terminated names */
	const char *help; /* one line; where the default comes from */
};

/*
 * The parameter that most have: which classes of faults train and trigger.  A row of
 * the table, with the index of its value: [ON] = SPHT_PARAM_ON.
 */
enum spht_on { SPHT_ON_HIDDEN, SPHT_ON_GUEST, SPHT_ON_BOTH };

static const char *const spht_on_choices[]
	__attribute__((unused)) = {"hidden", "guest", "both", NULL};

#define SPHT_PARAM_ON \
	{ \
		"on", SPHT_PARAM_CHOICE, SPHT_ON_HIDDEN, SPHT_ON_HIDDEN, SPHT_ON_BOTH, false, "", \
			spht_on_choices, \
			"faults that train and trigger: hidden (with huge and ad), guest or " \
			"both; default " \
			"hidden: the shadow table's own misses" \
	}

static inline bool spht_is_on(const struct spht_fault *fault, int64_t on)
{
	switch (fault->cls) {
	case SPHT_FAULT_GUEST:
		return on != SPHT_ON_HIDDEN;
	case SPHT_FAULT_HIDDEN:
	case SPHT_FAULT_HUGE:
	case SPHT_FAULT_AD:
		return on != SPHT_ON_GUEST;
	default:
		return false;
	}
}

/*
 * @params in every hook: one value per row of the parameter table, same order,
 * already checked.  Hooks other than fault may be NULL.
 */
struct spht_heuristic {
	uint32_t abi; /* SPHT_HEURISTIC_ABI */
	uint32_t struct_size; /* sizeof(struct spht_heuristic) */
	const char *name;
	const char *summary; /* one line */
	const char *cite; /* the publication or kernel function that it follows */
	const struct spht_param *params;
	unsigned int nr_params;
	/* Bytes of state for these parameters; NULL: none. */
	size_t (*state_size)(const int64_t *params);
	/* State is zeroed before. */
	void (*init)(void *state, const int64_t *params);
	/* A #PF exit happened.  NULL: this heuristic asks for nothing. */
	void (*fault)(void *state, const int64_t *params, const struct spht_fault *fault,
		      struct spht_host *host);
	void (*outcome)(void *state, const int64_t *params, const struct spht_outcome *outcome,
			struct spht_host *host);
	/* An entry is gone. */
	void (*zapped)(void *state, const int64_t *params, const struct spht_zap *zap,
		       struct spht_host *host);
	/* Oracle only: return true to have the entry built at once, at no cost. */
	bool (*foresee)(void *state, const int64_t *params, const struct spht_prospect *prospect);
};

#define SPHT_HEURISTIC(ident, ...) \
	const struct spht_heuristic spht_heuristic_##ident = { \
		.abi = SPHT_HEURISTIC_ABI, \
		.struct_size = sizeof(struct spht_heuristic), \
		__VA_ARGS__}

#ifdef __cplusplus
#define SPHT_EXTERN_C extern "C"
#else
#define SPHT_EXTERN_C extern
#endif

/*
 * Behind SPHT_HEURISTIC(ident, ...): this shared object is a plugin, and that is its
 * heuristic.  One for each shared object; no built-in heuristic has it.
 */
#define SPHT_PLUGIN(ident) \
	SPHT_EXTERN_C __attribute__((visibility("default"))) \
	const struct spht_heuristic *const spht_plugin; \
	const struct spht_heuristic *const spht_plugin = &spht_heuristic_##ident

#endif
