/* SPDX-License-Identifier: MIT */
#include "metrics-text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define NUMBER_SIZE 40

/* The unlocked ones: nobody else writes to the file meanwhile, and there are many. */
static void put(struct metrics_text *text, const char *bytes, size_t n)
{
	if (!text->r && fwrite_unlocked(bytes, 1, n, text->file) != n)
		text->r = errno ? -errno : -EIO;
}

static void put_string(struct metrics_text *text, const char *string)
{
	put(text, string, strlen(string));
}

/* Writes to the left of `end`, and returns where it begins. */
static char *digits(uint64_t value, char *end)
{
	do {
		*--end = '0' + value % 10;
		value /= 10;
	} while (value);
	return end;
}

static void put_number(struct metrics_text *text, uint64_t value)
{
	char buf[NUMBER_SIZE], *end = buf + sizeof(buf), *begin = digits(value, end);

	put(text, begin, end - begin);
}

/* All of its digits: a double has too few for the nanoseconds of a time of day. */
static void put_seconds(struct metrics_text *text, int64_t ns)
{
	uint64_t whole = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, rest = whole % SECOND;
	char buf[NUMBER_SIZE], *end = buf + sizeof(buf), *begin;

	/* the 1 keeps the zeros behind the point, and makes room for it */
	begin = digits(rest + SECOND, end);
	*begin = '.';
	while (end[-1] == '0')
		end--;
	if (end[-1] == '.')
		end--;
	begin = digits(whole / SECOND, begin);
	if (ns < 0)
		*--begin = '-';
	put(text, begin, end - begin);
}

static const char *type_name(const struct metrics_text *text)
{
	switch (text->family->type) {
	case FAMILY_COUNTER:
		return "counter";
	case FAMILY_HISTOGRAM:
		return "histogram";
	case FAMILY_INFO:
		return text->format == METRICS_OPENMETRICS ? "info" : "gauge";
	default:
		return "gauge";
	}
}

/* What samples have behind the family's name. */
static const char *sample_suffix(const struct family *family)
{
	return family->type == FAMILY_COUNTER ? "_total"
	       : family->type == FAMILY_INFO  ? "_info"
					      : "";
}

static void put_comment(struct metrics_text *text, const char *keyword, const char *value)
{
	put_string(text, "# ");
	put_string(text, keyword);
	put_string(text, " ");
	put_string(text, text->family->name);
	/* text's family has the name of its samples, OpenMetrics' has not */
	if (text->format == METRICS_TEXT)
		put_string(text, sample_suffix(text->family));
	put_string(text, " ");
	put_string(text, value);
	put_string(text, "\n");
}

static void begin_family(struct metrics_text *text)
{
	if (text->begun)
		return;
	text->begun = true;
	put_comment(text, "HELP", text->family->help);
	put_comment(text, "TYPE", type_name(text));
	if (text->format == METRICS_OPENMETRICS && text->family->unit)
		put_comment(text, "UNIT", text->family->unit);
}

void text_family(struct metrics_text *text, const struct family *family)
{
	text->family = family;
	text->begun = false;
}

/* All of a sample but its value. */
static void begin_sample(struct metrics_text *text, const char *suffix, const char *labels,
			 const char *more)
{
	bool some = labels && *labels, further = more && *more;

	begin_family(text);
	put_string(text, text->family->name);
	put_string(text, suffix);
	if (some || further) {
		put(text, "{", 1);
		if (some)
			put_string(text, labels);
		if (some && further)
			put(text, ",", 1);
		if (further)
			put_string(text, more);
		put(text, "}", 1);
	}
	put(text, " ", 1);
}

void text_number(struct metrics_text *text, const char *labels, const char *more, uint64_t value)
{
	begin_sample(text, sample_suffix(text->family), labels, more);
	put_number(text, value);
	put(text, "\n", 1);
}

void text_seconds(struct metrics_text *text, const char *labels, const char *more, int64_t ns)
{
	begin_sample(text, sample_suffix(text->family), labels, more);
	put_seconds(text, ns);
	put(text, "\n", 1);
}

void text_histogram(struct metrics_text *text, const char *labels, const char *const *bounds,
		    const uint64_t *cells, size_t n, uint64_t sum_ns)
{
	uint64_t count = 0;

	for (size_t i = 0; i < n; i++) {
		count += cells[i];
		begin_sample(text, "_bucket", labels, bounds[i]);
		put_number(text, count);
		put(text, "\n", 1);
	}
	begin_sample(text, "_sum", labels, NULL);
	put_seconds(text, (int64_t)sum_ns);
	put(text, "\n", 1);
	begin_sample(text, "_count", labels, NULL);
	put_number(text, count);
	put(text, "\n", 1);
}

int text_end(struct metrics_text *text)
{
	if (text->format == METRICS_OPENMETRICS)
		put_string(text, "# EOF\n");
	if (!text->r && fflush(text->file))
		text->r = errno ? -errno : -EIO;
	return text->r;
}
