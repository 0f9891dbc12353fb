/* SPDX-License-Identifier: MIT */
#include "json-fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)

static const char *type_name(json_type type)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",  [JSON_INTEGER] = "a whole number",
		[JSON_REAL] = "a number",    [JSON_TRUE] = "true",
		[JSON_FALSE] = "false",      [JSON_NULL] = "null",
	};

	return names[type];
}

bool field_check(struct reader *reader, const json_t *value, const char *path, json_type type)
{
	if (json_typeof(value) == type)
		return true;
	reader_fail(reader, -EINVAL, "%s is %s where %s should be", path,
		    type_name(json_typeof(value)), type_name(type));
	return false;
}

json_t *field_get(struct reader *reader, const json_t *object, const char *path, json_type type)
{
	const char *dot = strrchr(path, '.');
	json_t *value = json_object_get(object, dot ? dot + 1 : path);

	if (!value || json_is_null(value) || !field_check(reader, value, path, type))
		return NULL;
	return value;
}

const char *field_text(struct reader *reader, const json_t *object, const char *path)
{
	const char *text = json_string_value(field_get(reader, object, path, JSON_STRING));

	for (const char *c = text; c && *c; c++) {
		if (*c > ' ' && *c <= '~')
			continue;
		reader_fail(reader, -EINVAL, "%s is not a name: \"%.80s\"", path, text);
		return "";
	}
	return text ? text : "";
}

const char *field_required(struct reader *reader, const json_t *object, const char *path)
{
	const char *text = field_text(reader, object, path);

	if (!*text)
		reader_fail(reader, -EINVAL, "has no %s", path);
	return text;
}

bool field_bool(struct reader *reader, const json_t *object, const char *path)
{
	const char *dot = strrchr(path, '.');

	if (json_is_false(json_object_get(object, dot ? dot + 1 : path)))
		return false;
	return field_get(reader, object, path, JSON_TRUE);
}

static bool is_time(const char *text)
{
	static const char form[] = "0000-00-00T00:00:00Z";
	size_t i;

	for (i = 0; form[i] && text[i]; i++)
		if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	return form[i] == text[i];
}

/* Of text that is all digits there. */
static int number(const char *text, size_t digits)
{
	int n = 0;

	while (digits--)
		n = n * 10 + (*text++ - '0');
	return n;
}

static int parse_time(const char *text, int64_t *out)
{
	struct tm given;
	struct tm tm;
	time_t seconds;

	if (!is_time(text))
		return -EINVAL;
	given = (struct tm){
		.tm_year = number(text, 4) - 1900,
		.tm_mon = number(text + 5, 2) - 1,
		.tm_mday = number(text + 8, 2),
		.tm_hour = number(text + 11, 2),
		.tm_min = number(text + 14, 2),
		.tm_sec = number(text + 17, 2),
	};
	tm = given;
	seconds = timegm(&tm);
	/* The 31st of February became another day. */
	if (tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday || tm.tm_sec != given.tm_sec)
		return -EINVAL;
	if (seconds < 0 || seconds > INT64_MAX / NS_PER_SECOND)
		return -ERANGE;
	*out = seconds * NS_PER_SECOND;
	return 0;
}

int64_t field_time(struct reader *reader, const json_t *object, const char *path)
{
	const char *text = field_text(reader, object, path);
	int64_t time = 0;

	if (*text && parse_time(text, &time) < 0)
		reader_fail(reader, -EINVAL, "%s is not a time: \"%.80s\"", path, text);
	return time;
}
