// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/phase.h"
#include "replay/reading.h"
#include "replay/roi.h"

#define MAX_INTERVAL_S 1e9

int spht_reading_roi(struct spht_reading *r, const char *arg, struct spht_error *err)
{
	r->roi = arg;
	if (spht_roi_valid(arg))
		return 0;
	spht_error_set(err, "--roi=%.160s: expected MARK..MARK, MARK.. or ..MARK", arg);
	return -1;
}

int spht_reading_warmup(struct spht_reading *r, const char *arg, struct spht_error *err)
{
	r->warmup = arg;
	if (spht_warmup_valid(arg))
		return 0;
	spht_error_set(err, "--warmup=%.160s: expected SECONDS, N%% below 100, or a mark", arg);
	return -1;
}

int spht_reading_interval(struct spht_reading *r, const char *arg, struct spht_error *err)
{
	double seconds = 0;
	char *end = NULL;

	/* Neither a sign, nor hexadecimal figures, nor the names of what is no number. */
	if (*arg >= '0' && *arg <= '9' && !arg[strspn(arg, "0123456789.eE+-")])
		seconds = strtod(arg, &end);
	/* Not below a nanosecond, the clock's own unit. */
	if (!end || *end || !(seconds >= 1e-9) || seconds > MAX_INTERVAL_S) {
		spht_error_set(err, "--interval=%.160s: expected seconds, from 1e-9 to 1e9", arg);
		return -1;
	}
	r->interval_ns = (uint64_t)(seconds * 1e9 + 0.5);
	return 0;
}

int spht_reading_explain(struct spht_reading *r, const char *arg, struct spht_error *err)
{
	if (arg)
		return spht_target_parse(&r->target, arg, err);
	r->explain = true;
	return 0;
}

int spht_reading_check(const struct spht_reading *r, bool json, bool report, char **files, int nr,
		       struct spht_error *err)
{
	if ((r->target.kind || r->list_misses) && !report) {
		spht_error_set(err, "%s is a part of the report, and there is none",
			       r->list_misses ? "--list-misses" : "--explain=EXIT");
		return -1;
	}
	/* It is found in one pass, and told in another. */
	if (r->target.kind && (nr != 1 || spht_trace_once(files[0]))) {
		spht_error_set(err, "--explain=%.80s takes one file, which is read twice: not %s",
			       r->target.text, nr == 1 ? "stdin or a pipe" : "several");
		return -1;
	}
	if (r->interval_ns && !r->intervals && !r->explain && !json) {
		spht_error_set(err, "--interval needs --explain, --intervals=FILE or --json=FILE");
		return -1;
	}
	return 0;
}

uint64_t spht_reading_length(const struct spht_reading *r)
{
	if (r->interval_ns)
		return r->interval_ns;
	return r->explain || r->intervals ? SPHT_PHASE_NS : 0;
}
