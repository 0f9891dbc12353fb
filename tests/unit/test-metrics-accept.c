/* SPDX-License-Identifier: MIT */
/* Which format a scraper gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../user/output/metrics.h"

static void formats(void **state)
{
	static const struct {
		const char *accept;
		enum metrics_format format;
	} cases[] = {
		{NULL, METRICS_TEXT},
		{"", METRICS_TEXT},
		{"*/*", METRICS_TEXT},
		{"text/html,application/xhtml+xml,*/*;q=0.8", METRICS_TEXT},
		{"text/plain", METRICS_TEXT},
		{"application/json", METRICS_TEXT},
		{"application/openmetrics-text", METRICS_OPENMETRICS},
		{"APPLICATION/OpenMetrics-Text", METRICS_OPENMETRICS},
		{"application/openmetrics-text; version=1.0.0", METRICS_OPENMETRICS},
		{"application/openmetrics-text; version=\"1.0.0\"", METRICS_OPENMETRICS},
		{"application/openmetrics-text; version=0.0.1", METRICS_TEXT},
		{"application/openmetrics-text; version=2.0.0", METRICS_TEXT},
		/* what it can be had for, and what not */
		{"application/openmetrics-text;q=0", METRICS_TEXT},
		{"application/openmetrics-text;q=0.0,*/*", METRICS_TEXT},
		{"application/openmetrics-text;q=0.5,text/plain;q=0.5", METRICS_OPENMETRICS},
		{"application/openmetrics-text;q=0.5,text/plain;q=0.501", METRICS_TEXT},
		{"application/openmetrics-text;q=0.5,text/plain", METRICS_TEXT},
		{"text/plain;q=0.2 , application/openmetrics-text ; q=0.3", METRICS_OPENMETRICS},
		/* the most exact range counts */
		{"application/openmetrics-text;q=0.5,text/plain;q=0.1,*/*", METRICS_OPENMETRICS},
		{"application/openmetrics-text;q=0.5,text/*;q=0.6,*/*;q=0.1", METRICS_TEXT},
		{"application/openmetrics-text;q=0.5,*/*;q=0.9", METRICS_TEXT},
		/* Prometheus 2.5, 2.42 and 3.0 */
		{"application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,"
		 "*/*;q=0.1",
		 METRICS_TEXT},
		{"application/openmetrics-text;version=1.0.0,"
		 "application/openmetrics-text;version=0.0.1;q=0.75,"
		 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 METRICS_OPENMETRICS},
		{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
		 "application/openmetrics-text;version=0.0.1;q=0.5,"
		 "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
		 "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
		 METRICS_OPENMETRICS},
		/* what nobody should send */
		{",,;;,", METRICS_TEXT},
		{"application/openmetrics-text;q=", METRICS_TEXT},
		{"application/openmetrics-text;q=x", METRICS_TEXT},
		{"application/openmetrics-text;q=-1", METRICS_TEXT},
		{"application/openmetrics-text;version=11111111111111111111.0.0", METRICS_TEXT},
		{"xapplication/openmetrics-text", METRICS_TEXT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (metrics_format_of(cases[i].accept) != cases[i].format)
			fail_msg("%s", cases[i].accept ? cases[i].accept : "(none)");
	}
}

static void content_types(void **state)
{
	(void)state;
	assert_string_equal(metrics_content_type(METRICS_TEXT),
			    "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(metrics_content_type(METRICS_OPENMETRICS),
			    "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(content_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
