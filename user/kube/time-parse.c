/* SPDX-License-Identifier: MIT */
#include "time-parse.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)

/* `form`: 0 is a digit, all else itself. Returns what follows, or NULL. */
static const char *match(const char *text, const char *form)
{
	for (; *form; form++, text++)
		if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
			return NULL;
	return text;
}

static int number(const char *text, size_t digits)
{
	int n = 0;

	while (digits--)
		n = n * 10 + (*text++ - '0');
	return n;
}

/* Seconds east; -1 where there is none, which is no offset. */
static int parse_offset(const char *text)
{
	int seconds;

	if (strcmp(text, "Z") == 0)
		return 0;
	if ((*text != '+' && *text != '-') || !match(text + 1, "00:00") || text[6])
		return -1;
	if (number(text + 1, 2) > 23 || number(text + 4, 2) > 59)
		return -1;
	seconds = (number(text + 1, 2) * 60 + number(text + 4, 2)) * 60;
	return *text == '-' ? -seconds : seconds;
}

int time_parse(const char *text, int64_t *out)
{
	const char *rest = match(text, "0000-00-00T00:00:00");
	struct tm given, tm;
	int64_t fraction = 0;
	time_t seconds;
	int offset;

	if (!rest)
		return -EINVAL;
	given = (struct tm){
		.tm_year = number(text, 4) - 1900,
		.tm_mon = number(text + 5, 2) - 1,
		.tm_mday = number(text + 8, 2),
		.tm_hour = number(text + 11, 2),
		.tm_min = number(text + 14, 2),
		.tm_sec = number(text + 17, 2),
	};
	if (*rest == '.') {
		int64_t unit = NS_PER_SECOND / 10;

		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			fraction += (*rest - '0') * unit;
	}
	offset = parse_offset(rest);
	if (offset == -1)
		return -EINVAL;
	tm = given;
	seconds = timegm(&tm);
	/* The 31st of February became another day. */
	if (tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday ||
	    tm.tm_hour != given.tm_hour || tm.tm_min != given.tm_min || tm.tm_sec != given.tm_sec)
		return -EINVAL;
	seconds -= offset;
	/* Who writes year 1 or 9999 means always or never. */
	if (seconds <= 0)
		*out = 0;
	else if (seconds >= INT64_MAX / NS_PER_SECOND)
		*out = INT64_MAX;
	else
		*out = seconds * NS_PER_SECOND + fraction;
	return 0;
}
