/* SPDX-License-Identifier: MIT */
/* Requests, and how long they took. */
#include "json-parts.h"

int json_add_requests(json_t *json, const struct report *report, uint64_t requests,
		      uint64_t overlaps)
{
	bool known = report_requests_known(report);
	json_t *are = known ? json_string(overlaps ? "turns" : "requests") : json_null();
	int r = json_object_set_new(json, "requests", json_counted(known, requests));

	/* takes `are` in any case */
	if (json_object_set_new(json, "requests_are", are))
		r = -1;
	return r ? r : json_object_set_new(json, "overlaps", json_counted(known, overlaps));
}

static json_t *json_times(const struct caller *caller, enum duration of)
{
	struct times times;

	if (!caller_times(caller, of, &times))
		return json_null();
	return json_pack("{s:I, s:o, s:o, s:o, s:o}", "count", (json_int_t)times.samples, "p50",
			 json_seconds(times.p50), "p90", json_seconds(times.p90), "p99",
			 json_seconds(times.p99), "max", json_seconds(times.max));
}

int json_add_times(json_t *json, const struct caller *caller)
{
	static const char *const names[DURATIONS] = {
		[SERVICE_TIME] = "service_time",
		[RESPONSE_TIME] = "response_time",
		[OPEN_TIME] = "open_time",
	};
	int r = 0;

	for (size_t i = 0; i < DURATIONS && !r; i++)
		r = json_object_set_new(json, names[i], json_times(caller, (enum duration)i));
	return r;
}
