// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/report.h"
#include "replay/spread.h"

static json_t *histogram_json(const struct spht_histogram *h)
{
	json_t *bins = json_array();
	unsigned int last = 0;

	for (unsigned int b = 0; b < SPHT_REAL_BINS; b++)
		if (h->bin[b])
			last = b + 1;
	for (unsigned int b = 0; b < last; b++)
		json_array_append_new(bins, json_integer((json_int_t)h->bin[b]));
	return bins;
}

/* All repetitions together, and what the virtual clock predicts. */
static json_t *measures_json(const struct spht_recording *rec, const struct spht_run_options *opt,
			     const struct spht_result *res)
{
	json_t *o = json_object();

	for (enum spht_measure m = 0; m < SPHT_MEASURE_NR; m++) {
		struct spht_spread s = spht_measure_spread(res, m, rec, opt);

		json_object_set_new(o, spht_measure_name(m),
				    json_pack("{s:f,s:f,s:f,s:f,s:f,s:f}", "median", s.median,
					      "least", s.min, "most", s.max, "quartile1", s.q1,
					      "quartile3", s.q3, "virtual",
					      spht_measure(res, m, rec, opt)));
	}
	return o;
}

int spht_json_real(json_t *row, const struct spht_recording *rec,
		   const struct spht_run_options *opt, const struct spht_result *res,
		   unsigned int i)
{
	const struct spht_real_run *r = &res->reps[i].run;
	json_t *o = json_object();

	json_object_set_new(o, "lag_log2_ns", histogram_json(&r->lag));
	json_object_set_new(o, "lock_wait_log2_ns", histogram_json(&r->vcpu_wait));
	json_object_set_new(o, "helper_lock_wait_log2_ns", histogram_json(&r->helper_wait));
	json_object_set_new(o, "queue_delay_log2_ns", histogram_json(&r->queue));
	json_object_set_new(o, "repetitions", measures_json(rec, opt, res));
	return json_object_set_new(row, "real", o);
}
