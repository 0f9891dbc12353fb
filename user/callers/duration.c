/* SPDX-License-Identifier: MIT */
#include "duration.h"

#include <inttypes.h>
#include <stdio.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

static void two_units(int64_t n, const char *unit, int64_t rest, const char *smaller,
		      char buf[DURATION_TEXT])
{
	if (rest)
		snprintf(buf, DURATION_TEXT, "%" PRId64 "%s%" PRId64 "%s", n, unit, rest, smaller);
	else
		snprintf(buf, DURATION_TEXT, "%" PRId64 "%s", n, unit);
}

const char *duration_format(int64_t ns, char buf[DURATION_TEXT])
{
	int64_t s = ns / SECOND;

	if (s >= 86400)
		two_units(s / 86400, "d", s % 86400 / 3600, "h", buf);
	else if (s >= 3600)
		two_units(s / 3600, "h", s % 3600 / 60, "m", buf);
	else if (s >= 60)
		two_units(s / 60, "m", s % 60, "s", buf);
	else if (s > 0 || ns < MS)
		two_units(s > 0 ? s : 0, "s", 0, "", buf);
	else
		two_units(ns / MS, "ms", 0, "", buf);
	return buf;
}
