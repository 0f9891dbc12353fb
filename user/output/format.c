/* SPDX-License-Identifier: MIT */
#include "format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)
#define MINUTE UINT64_C(60)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

const char *format_clock(uint64_t ns, char buf[FORMAT_TEXT])
{
	uint64_t s = ns / SECOND;
	unsigned int m = s % HOUR / MINUTE, h = s % DAY / HOUR, rest = s % MINUTE;

	if (s < HOUR)
		snprintf(buf, FORMAT_TEXT, "%u:%02u", m, rest);
	else if (s < DAY)
		snprintf(buf, FORMAT_TEXT, "%u:%02u:%02u", h, m, rest);
	else
		snprintf(buf, FORMAT_TEXT, "%" PRIu64 "d %u:%02u:%02u", s / DAY, h, m, rest);
	return buf;
}

const char *format_age(uint64_t ns, char buf[FORMAT_TEXT])
{
	uint64_t s = ns / SECOND;

	if (s < MINUTE)
		snprintf(buf, FORMAT_TEXT, "%" PRIu64 "s", s);
	else if (s < HOUR)
		snprintf(buf, FORMAT_TEXT, "%" PRIu64 "m%02" PRIu64 "s", s / MINUTE, s % MINUTE);
	else if (s < DAY)
		snprintf(buf, FORMAT_TEXT, "%" PRIu64 "h%02" PRIu64 "m", s / HOUR,
			 s % HOUR / MINUTE);
	else
		snprintf(buf, FORMAT_TEXT, "%" PRIu64 "d%02" PRIu64 "h", s / DAY, s % DAY / HOUR);
	return buf;
}

/* Two digits of precision below 10, none above. Returns false if it would round to `limit`. */
static bool format_scaled(double value, double limit, const char *unit, char buf[FORMAT_TEXT])
{
	if (value < 9.95)
		snprintf(buf, FORMAT_TEXT, "%.1f%s", value, unit);
	else
		snprintf(buf, FORMAT_TEXT, "%.0f%s", value, unit);
	return value < limit - 0.5;
}

const char *format_span(uint64_t ns, char buf[FORMAT_TEXT])
{
	if (ns < 1000)
		snprintf(buf, FORMAT_TEXT, "%" PRIu64 "ns", ns);
	else if (ns >= 10 * SECOND || (!format_scaled(ns / 1e3, 1000, "us", buf) &&
				       !format_scaled(ns / 1e6, 1000, "ms", buf) &&
				       !format_scaled(ns / 1e9, 10.5, "s", buf)))
		format_age(ns, buf);
	return buf;
}

const char *format_bytes(uint64_t bytes, char buf[FORMAT_TEXT])
{
	static const char *const units[] = {" KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
	double value = bytes;
	size_t i;

	if (bytes < 1024) {
		snprintf(buf, FORMAT_TEXT, "%" PRIu64 " B", bytes);
		return buf;
	}
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		value /= 1024;
		if (format_scaled(value, 1024, units[i], buf))
			break;
	}
	return buf;
}

const char *format_rate(uint64_t count, uint64_t ns, char buf[FORMAT_TEXT])
{
	double rate = ns ? count * 1e9 / ns : 0;

	if (!count || !ns)
		snprintf(buf, FORMAT_TEXT, "0");
	else if (rate < 0.01)
		snprintf(buf, FORMAT_TEXT, "<0.01/s");
	else if (rate < 0.995)
		snprintf(buf, FORMAT_TEXT, "%.2f/s", rate);
	else if (rate < 99.95)
		snprintf(buf, FORMAT_TEXT, "%.1f/s", rate);
	else
		snprintf(buf, FORMAT_TEXT, "%.0f/s", rate);
	return buf;
}

/* Rounds down, also before 1970. */
static time_t seconds_of(int64_t ns, int64_t *rest)
{
	time_t s = ns / (int64_t)SECOND;

	*rest = ns % (int64_t)SECOND;
	if (*rest < 0) {
		*rest += SECOND;
		s--;
	}
	return s;
}

const char *format_time(int64_t ns, char buf[FORMAT_TEXT])
{
	int64_t rest;
	time_t s = seconds_of(ns, &rest);
	struct tm tm = {};
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(buf, FORMAT_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, FORMAT_TEXT - n, ".%09" PRId64 "Z", rest);
	return buf;
}

const char *format_time_of_day(int64_t ns, char buf[FORMAT_TEXT])
{
	int64_t rest;
	time_t s = seconds_of(ns, &rest);
	struct tm tm = {};

	localtime_r(&s, &tm);
	strftime(buf, FORMAT_TEXT, "%H:%M:%S", &tm);
	return buf;
}

const char *format_append(char *buf, size_t size, const char *format, ...)
{
	size_t n = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + n, size - n, format, args);
	va_end(args);
	return buf;
}

const char *format_append_safe(char *buf, size_t size, const char *text, size_t max)
{
	size_t n = strlen(buf), i;

	for (i = 0; text && i < max && text[i]; i++) {
		unsigned char c = text[i];
		char piece[8];
		size_t length;

		if (c == '\\')
			length = snprintf(piece, sizeof(piece), "\\\\");
		else if (c < ' ' || c > '~')
			length = snprintf(piece, sizeof(piece), "\\x%02x", c);
		else
			length = snprintf(piece, sizeof(piece), "%c", c);
		if (n + length >= size)
			break;
		memcpy(buf + n, piece, length + 1);
		n += length;
	}
	return buf;
}
