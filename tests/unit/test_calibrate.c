// SPDX-License-Identifier: LGPL-2.1-or-later
/* spht-calibrate's statistics and its profiles. */
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "events.h"
#include "calibrate/profile.h"
#include "calibrate/stats.h"
#include "replay/costs.h"

#define NR   20000u
#define LOOK 300.0 /* ns from one look of the poller to the next */
#define TAIL 900.0

/* 0..1, the same on every machine. */
static double uniform(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (double)(x >> 11) / 9007199254740992.0;
}

/* What a poller with a look every LOOK ns would know of @value. */
static struct interval seen(double value)
{
	double before = uniform() * LOOK;

	return (struct interval){value > before ? value - before : 0, value - before + LOOK};
}

static void quantiles_of_a_few_values_lie_between_them(void **unused)
{
	double v[] = {40, 10, 30, 20};

	(void)unused;
	assert_float_equal(stats_quantile(v, 4, 0), 10, 1e-9);
	assert_float_equal(stats_quantile(v, 4, 0.5), 25, 1e-9);
	assert_float_equal(stats_quantile(v, 4, 1), 40, 1e-9);
}

static void one_value_seen_by_slow_looks_is_found_again(void **unused)
{
	static struct interval v[NR];
	static struct density d;

	(void)unused;
	for (unsigned int i = 0; i < NR; i++)
		v[i] = seen(400);
	stats_censored(&d, v, NR);
	assert_float_equal(density_quantile(&d, 0.05), 400, 2 * STATS_BIN);
	assert_float_equal(density_quantile(&d, 0.95), 400, 2 * STATS_BIN);
}

static void two_groups_closer_than_a_look_are_told_apart(void **unused)
{
	static struct interval v[NR];
	static struct density d;

	(void)unused;
	for (unsigned int i = 0; i < NR; i++)
		v[i] = seen(i % 4 ? 200 : 400);
	stats_censored(&d, v, NR);
	assert_float_equal(density_quantile(&d, 0.3), 200, 25);
	assert_float_equal(density_quantile(&d, 0.7), 200, 25);
	assert_float_equal(density_quantile(&d, 0.9), 400, 25);
}

static void a_tail_keeps_its_share(void **unused)
{
	static struct interval v[NR];
	static struct density d;
	double far = 0;

	(void)unused;
	for (unsigned int i = 0; i < NR; i++)
		v[i] = seen(i % 20 ? 200 + 100 * uniform() : 1000 + TAIL * uniform());
	stats_censored(&d, v, NR);
	for (unsigned int i = (unsigned int)(650 / STATS_BIN); i < STATS_BINS; i++)
		far += d.p[i];
	assert_float_equal(far, 0.05, 0.005);
	assert_float_equal(density_quantile(&d, 0.5), 250, 30);
	/* Beyond the last bin is in the last bin. */
	v[0] = (struct interval){STATS_BIN * STATS_BINS * 2, STATS_BIN * STATS_BINS * 3};
	stats_censored(&d, v, 1);
	assert_float_equal(d.p[STATS_BINS - 1], 1, 1e-9);
}

static const char *source_of(const json_t *root, const char *key)
{
	return json_string_value(json_object_get(json_object_get(root, key), "source"));
}

static void a_profile_says_what_is_measured_and_what_is_copied(void **unused)
{
	const double leads[] = {1, 20.4, 300};
	const char *dir = getenv("TMPDIR");
	char path[256];
	struct profile *p = profile_new("mine", "a test");
	struct spht_costs costs, built_in;
	struct spht_error err;
	json_error_t je;
	json_t *root;
	int fd;

	(void)unused;
	snprintf(path, sizeof(path), "%s/spht-profile-XXXXXX", dir ? dir : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	profile_set(p, "exit_ad_ns", 1234.4, "measured: %d times", 7);
	profile_set_leads(p, leads, 3, "measured: leads");
	profile_write(p, path);
	profile_free(p);
	assert_int_equal(spht_costs_load(&costs, path, &err), 0);
	assert_int_equal(spht_costs_load(&built_in, "default", &err), 0);
	assert_string_equal(costs.name, "mine");
	assert_int_equal(costs.exit_ns[SPHT_CLASS_AD], 1234);
	assert_int_equal(costs.exit_ns[SPHT_CLASS_GUEST], built_in.exit_ns[SPHT_CLASS_GUEST]);
	assert_int_equal(costs.nr_leads, 3);
	assert_int_equal(costs.lead_ns[1], 20);
	root = json_load_file(path, 0, &je);
	unlink(path);
	assert_non_null(root);
	assert_string_equal(source_of(root, "exit_ad_ns"), "measured: 7 times");
	assert_string_equal(source_of(root, "lead_ns"), "measured: leads");
	assert_non_null(strstr(source_of(root, "exit_guest_ns"), "copied from default"));
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_of_a_few_values_lie_between_them),
		cmocka_unit_test(one_value_seen_by_slow_looks_is_found_again),
		cmocka_unit_test(two_groups_closer_than_a_look_are_told_apart),
		cmocka_unit_test(a_tail_keeps_its_share),
		cmocka_unit_test(a_profile_says_what_is_measured_and_what_is_copied),
	};

	return cmocka_run_group_tests_name("calibrate", tests, NULL, NULL);
}
