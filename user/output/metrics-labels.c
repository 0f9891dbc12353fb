/* SPDX-License-Identifier: MIT */
/* Labels: names of processes and workloads come from outside, and may be any bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metrics-text.h"

#define ESCAPED 5 /* the longest that a byte can become: \\xNN */

/* Of the UTF-8 character that begins here, within `n` bytes; 0: there is none. RFC 3629, section 4:
 * no longer form than needed, no surrogates, nothing above U+10FFFF. */
static size_t character_length(const unsigned char *text, size_t n)
{
	unsigned char least = 0x80, most = 0xbf;
	size_t length;

	if (text[0] < 0x80)
		return 1;
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	if (text[0] == 0xe0)
		least = 0xa0;
	else if (text[0] == 0xed)
		most = 0x9f;
	else if (text[0] == 0xf0)
		least = 0x90;
	else if (text[0] == 0xf4)
		most = 0x8f;
	if (length > n || text[1] < least || text[1] > most)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
	}
	return length;
}

/* What both formats have an escape for, and control characters. Returns where it ends. */
static char *escape_ascii(char *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	if (c == '\\' || c == '"' || c == '\n') {
		*to++ = '\\';
		*to++ = c == '\n' ? 'n' : (char)c;
	} else if (c < ' ' || c >= 0x7f) {
		/* the formats have no such escape: to them it is a backslash and text */
		*to++ = '\\';
		*to++ = '\\';
		*to++ = 'x';
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
	} else {
		*to++ = (char)c;
	}
	return to;
}

static char *escape(char *to, const char *value, size_t n)
{
	const unsigned char *from = (const unsigned char *)value, *end = from + n;

	while (from < end) {
		size_t length = character_length(from, end - from);

		if (length > 1) {
			memcpy(to, from, length);
			to += length;
			from += length;
		} else {
			to = escape_ascii(to, *from++);
		}
	}
	return to;
}

static int reserve(struct labels *labels, size_t more)
{
	size_t size = labels->size ? labels->size : 256;
	char *text;

	while (size < labels->length + more)
		size *= 2;
	if (size == labels->size)
		return 0;
	text = realloc(labels->text, size);
	if (!text)
		return -ENOMEM;
	labels->text = text;
	labels->size = size;
	return 0;
}

int labels_add(struct labels *labels, const char *name, const char *value, size_t max)
{
	size_t n = value ? strnlen(value, max) : 0, name_length = strlen(name);
	char *at;
	int r;

	r = reserve(labels, name_length + ESCAPED * n + sizeof(",=\"\""));
	if (r)
		return r;
	at = labels->text + labels->length;
	if (labels->length)
		*at++ = ',';
	memcpy(at, name, name_length);
	at += name_length;
	*at++ = '=';
	*at++ = '"';
	at = escape(at, value, n);
	*at++ = '"';
	*at = '\0';
	labels->length = at - labels->text;
	return 0;
}

void labels_clear(struct labels *labels)
{
	labels->length = 0;
	if (labels->text)
		labels->text[0] = '\0';
}

void labels_deinit(struct labels *labels)
{
	free(labels->text);
	*labels = (struct labels){};
}
