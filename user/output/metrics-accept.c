/* SPDX-License-Identifier: MIT */
/* Which format a scraper wants: RFC 9110, section 12.5.1 (Accept). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "metrics.h"

#define OPENMETRICS "application/openmetrics-text"

/* What is wanted of each kind, 0 to 1; below 0: not mentioned. */
struct wanted {
	double openmetrics;
	double text;
	double any_text; /* text / * */
	double any;
};

/* One media range of the header, taken apart. */
struct range {
	char type[64];
	char version[16]; /* "": none */
	double q;
};

const char *metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS ? OPENMETRICS "; version=1.0.0; charset=utf-8"
					     : "text/plain; version=0.0.4; charset=utf-8";
}

/* Copies without the blanks and quotes around it; what is too long is cut, and matches nothing. */
static void copy_trimmed(char *to, size_t size, const char *from, size_t n)
{
	while (n && strchr(" \t\"", *from)) {
		from++;
		n--;
	}
	while (n && strchr(" \t\"", from[n - 1]))
		n--;
	if (n >= size)
		n = size - 1;
	memcpy(to, from, n);
	to[n] = '\0';
}

/* A weight has at most three decimals, and always a point: no need for the locale's strtod(). */
static double weight(const char *text)
{
	double value = 0, digit = 1;
	bool point = false;

	for (; *text; text++) {
		if (*text == '.' && !point) {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9')
			return 0;
		if (point)
			digit /= 10;
		value = point ? value + (*text - '0') * digit : value * 10 + (*text - '0');
	}
	return value > 1 ? 1 : value;
}

static void take_parameter(struct range *range, const char *text, size_t n)
{
	const char *equals = memchr(text, '=', n);
	char name[16], value[16];

	if (!equals)
		return;
	copy_trimmed(name, sizeof(name), text, equals - text);
	copy_trimmed(value, sizeof(value), equals + 1, text + n - equals - 1);
	if (!strcasecmp(name, "q"))
		range->q = weight(value);
	else if (!strcasecmp(name, "version"))
		memcpy(range->version, value, sizeof(value));
}

static struct range range_of(const char *text, size_t n)
{
	struct range range = {.q = 1};
	size_t part = strcspn(text, ";,");

	copy_trimmed(range.type, sizeof(range.type), text, part);
	while (part < n) {
		const char *next = text + part + 1;
		size_t length = strcspn(next, ";,");

		take_parameter(&range, next, length);
		part += 1 + length;
	}
	return range;
}

static void want(double *most, double q)
{
	if (q > *most)
		*most = q;
}

static void take_range(struct wanted *wanted, const struct range *range)
{
	if (!strcasecmp(range->type, OPENMETRICS)) {
		if (!*range->version || !strcmp(range->version, "1.0.0"))
			want(&wanted->openmetrics, range->q);
	} else if (!strcasecmp(range->type, "text/plain")) {
		want(&wanted->text, range->q);
	} else if (!strcmp(range->type, "text/*")) {
		want(&wanted->any_text, range->q);
	} else if (!strcmp(range->type, "*/*")) {
		want(&wanted->any, range->q);
	}
}

enum metrics_format metrics_format_of(const char *accept)
{
	struct wanted wanted = {-1, -1, -1, -1};
	double text;

	while (accept && *accept) {
		size_t n = strcspn(accept, ",");
		struct range range = range_of(accept, n);

		take_range(&wanted, &range);
		accept += n + (accept[n] == ',');
	}
	/* the most exact one counts */
	text = wanted.text >= 0 ? wanted.text : wanted.any_text >= 0 ? wanted.any_text : wanted.any;
	return wanted.openmetrics > 0 && wanted.openmetrics >= text ? METRICS_OPENMETRICS
								    : METRICS_TEXT;
}
