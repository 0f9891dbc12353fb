/* SPDX-License-Identifier: MIT */
#include "json-fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "time-parse.h"

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

/* time_parse() has no other word for it than for its very beginning. */
static bool is_before_1970(const char *text, int64_t time)
{
	return !time && strncmp(text, "1970", 4) != 0;
}

int64_t field_time(struct reader *reader, const json_t *object, const char *path)
{
	const char *text = field_text(reader, object, path);
	int64_t time = 0;

	if (*text && (time_parse(text, &time) || time == INT64_MAX || is_before_1970(text, time)))
		reader_fail(reader, -EINVAL, "%s is not a time: \"%.80s\"", path, text);
	return time;
}
