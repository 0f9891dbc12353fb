/* SPDX-License-Identifier: MIT */
#include "not-watched.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void not_watched_add(struct not_watched *not_watched, enum not_watched_code code,
		     const char *format, ...)
{
	char *text = not_watched->text[ffs(code) - 1];
	va_list args;

	if (not_watched->codes & code)
		return;
	not_watched->codes |= code;
	va_start(args, format);
	vsnprintf(text, sizeof(not_watched->text[0]), format, args);
	va_end(args);
}

void not_watched_merge(struct not_watched *not_watched, const struct not_watched *more)
{
	for (size_t i = 0; i < NOT_WATCHED_CODES; i++)
		if (more->codes & 1u << i)
			not_watched_add(not_watched, 1u << i, "%s", more->text[i]);
}

bool not_watched_equal(const struct not_watched *a, const struct not_watched *b)
{
	if (a->codes != b->codes)
		return false;
	for (size_t i = 0; i < NOT_WATCHED_CODES; i++)
		if (a->codes & 1u << i && strcmp(a->text[i], b->text[i]))
			return false;
	return true;
}

const char *not_watched_text(const struct not_watched *not_watched, enum not_watched_code code)
{
	return not_watched->codes & code ? not_watched->text[ffs(code) - 1] : "";
}

const char *not_watched_name(enum not_watched_code code)
{
	switch (code) {
	case NOT_WATCHED_PROTOCOL:
		return "protocol";
	case NOT_WATCHED_NO_PORT:
		return "no-port";
	case NOT_WATCHED_NAME:
		return "name";
	case NOT_WATCHED_TOO_LARGE:
		return "too-large";
	case NOT_WATCHED_UNREADABLE:
		return "unreadable";
	case NOT_WATCHED_TRUNCATED:
		return "truncated";
	case NOT_WATCHED_PENDING:
		return "pending";
	case NOT_WATCHED_NOTHING:
		break;
	}
	return NULL;
}
