// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which two CPUs the real clock takes, by a sysfs that the test writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "replay/cpus.h"

static char sysfs[] = "/tmp/spht-cpus.XXXXXX";

static void write_file(int cpu, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cpu%d/topology/%s", sysfs, cpu, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void write_cpu(int cpu, const char *package, const char *core, const char *siblings)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cpu%d", sysfs, cpu);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/cpu%d/topology", sysfs, cpu);
	mkdir(path, 0700);
	write_file(cpu, "physical_package_id", package);
	write_file(cpu, "core_id", core);
	write_file(cpu, "thread_siblings_list", siblings);
}

static cpu_set_t allow(unsigned int from, unsigned int to)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (; from <= to; from++)
		CPU_SET(from, &set);
	return set;
}

static struct spht_error err;

/* "vcpu,helper", with + where they are siblings; the message if there are none. */
static const char *chosen(cpu_set_t set, const int *asked, bool smt)
{
	static char text[64];
	struct spht_cpus c;

	if (spht_cpus_choose(&c, sysfs, &set, asked, smt, &err))
		return err.text;
	snprintf(text, sizeof(text), "%d,%d%s", c.vcpu, c.helper, c.siblings ? "+" : "");
	return text;
}

/* Two cores of two threads each in one package, and one of another. */
static int machine(void **unused)
{
	(void)unused;
	if (!mkdtemp(sysfs))
		return -1;
	write_cpu(0, "0\n", "0\n", "0,2\n");
	write_cpu(1, "0\n", "1\n", "1,3\n");
	write_cpu(2, "0\n", "0\n", "0,2\n");
	write_cpu(3, "0\n", "1\n", "1,3\n");
	write_cpu(4, "1\n", "0\n", "4\n");
	return 0;
}

static int remove_machine(void **unused)
{
	char command[64];

	(void)unused;
	snprintf(command, sizeof(command), "rm -r %s", sysfs);
	return system(command);
}

static void two_cores_of_one_package_are_taken_the_last_ones_first(void **unused)
{
	(void)unused;
	assert_string_equal(chosen(allow(0, 4), NULL, false), "3,2");
	assert_string_equal(chosen(allow(0, 1), NULL, false), "1,0");
}

static void two_packages_are_better_than_one_core(void **unused)
{
	cpu_set_t set = allow(4, 4);

	(void)unused;
	CPU_SET(1, &set);
	CPU_SET(3, &set);
	assert_string_equal(chosen(set, NULL, true), "4,3");
}

static void threads_of_one_core_are_refused_unless_asked_for(void **unused)
{
	cpu_set_t set = allow(1, 1);

	(void)unused;
	CPU_SET(3, &set);
	assert_non_null(strstr(chosen(set, NULL, false), "2 CPUs that this process may use are "
							 "threads of one; --smt"));
	assert_string_equal(chosen(set, NULL, true), "3,1+");
	assert_non_null(strstr(chosen(set, (int[]){1, 3}, false), "--cpus=1,3 are threads of one"));
	assert_string_equal(chosen(set, (int[]){1, 3}, true), "1,3+");
}

static void one_cpu_is_not_enough(void **unused)
{
	(void)unused;
	assert_non_null(strstr(chosen(allow(2, 2), NULL, true), "only one CPU"));
}

static void cpus_that_are_asked_for_must_be_allowed(void **unused)
{
	(void)unused;
	assert_string_equal(chosen(allow(0, 4), (int[]){0, 1}, false), "0,1");
	assert_non_null(strstr(chosen(allow(0, 3), (int[]){0, 4}, false), "CPU 4 is not there"));
}

static void cores_that_only_one_of_the_two_files_tells_apart_are_siblings(void **unused)
{
	cpu_set_t set = allow(0, 0);

	(void)unused;
	CPU_SET(5, &set);
	write_cpu(5, "0\n", "0\n", "5\n"); /* the list lost its sibling */
	assert_string_equal(chosen(set, NULL, true), "5,0+");
	write_cpu(5, "0\n", "9\n", "0-2,5\n"); /* the number does not say it */
	assert_string_equal(chosen(set, NULL, true), "5,0+");
}

static void topology_that_cannot_be_read_is_an_error(void **unused)
{
	static const char *const bad[] = {"",     "x\n",  "0-\n",  "3-1\n",
					  "0,\n", "-1\n", "0;1\n", "99999\n"};

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_cpu(6, "0\n", "6\n", bad[i]);
		assert_non_null(strstr(chosen(allow(5, 6), NULL, false), "cannot be read"));
	}
	write_cpu(6, "0\n", "x\n", "6\n");
	assert_non_null(strstr(chosen(allow(5, 6), NULL, false), "cannot be read"));
	assert_non_null(strstr(chosen(allow(6, 7), NULL, false), "cpu7/topology"));
}

static void pair_is_two_different_numbers(void **unused)
{
	static const char *const bad[] = {"",      "1",   "1,",   ",1",   "1,1",
					  "1,2,3", "a,b", "-1,2", "1, 2", "1,99999"};
	int pair[2];

	(void)unused;
	assert_int_equal(spht_cpus_parse("12,3", pair), 0);
	assert_int_equal(pair[0], 12);
	assert_int_equal(pair[1], 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(spht_cpus_parse(bad[i], pair), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_cores_of_one_package_are_taken_the_last_ones_first),
		cmocka_unit_test(two_packages_are_better_than_one_core),
		cmocka_unit_test(threads_of_one_core_are_refused_unless_asked_for),
		cmocka_unit_test(one_cpu_is_not_enough),
		cmocka_unit_test(cpus_that_are_asked_for_must_be_allowed),
		cmocka_unit_test(cores_that_only_one_of_the_two_files_tells_apart_are_siblings),
		cmocka_unit_test(topology_that_cannot_be_read_is_an_error),
		cmocka_unit_test(pair_is_two_different_numbers),
	};

	return cmocka_run_group_tests_name("cpus", tests, machine, remove_machine);
}
