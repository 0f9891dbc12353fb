/* SPDX-License-Identifier: MIT */
#include "json-reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "json-memory.h"

/* etcd refuses objects above 1.5 MiB (and the API server requests above 3 MiB): nothing is this
 * large, indented or not. It bounds what damaged input can make us hold. */
#define VALUE_MAX ((size_t)8 << 20)

struct reader *reader_new(FILE *file, const char *name, const char *advice, char *error,
			  size_t error_size)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->file = file;
	reader->name = name;
	reader->advice = advice;
	reader->error = error;
	reader->error_size = error_size;
	return reader;
}

/* --- errors --- */

/* What a file says goes to a terminal: nothing in it may steer that. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static int fail(struct reader *reader, int r, char *what, const char *advice)
{
	char where[200] = "";

	if (reader->r)
		return reader->r;
	if (reader->item)
		snprintf(where, sizeof(where), "item %" PRIu64 "%s: ", reader->item,
			 reader->item_name);
	make_printable(what);
	snprintf(reader->error, reader->error_size, "%s: %s%s; %s", reader->name, where, what,
		 advice);
	reader->r = r;
	return r;
}

int reader_fail(struct reader *reader, int r, const char *format, ...)
{
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return fail(reader, r, what, reader->advice);
}

int reader_fail_memory(struct reader *reader)
{
	char what[] = "there is no memory for it";

	return fail(reader, -ENOMEM, what, "stop something else, or allow more");
}

static uint64_t reader_offset(const struct reader *reader)
{
	return reader->offset + reader->next;
}

/* The input ended, or could not be read, where something was still to come. */
static int fail_end(struct reader *reader)
{
	if (reader->read_error)
		return reader_fail(reader, reader->read_error, "cannot be read: %s",
				   strerror(-reader->read_error));
	return reader_fail(reader, -EINVAL, "the input ends in the middle, after %" PRIu64 " bytes",
			   reader_offset(reader));
}

int reader_fail_byte(struct reader *reader, const char *wanted)
{
	int c = reader_peek(reader);
	char what[8];

	if (c == EOF)
		return fail_end(reader);
	snprintf(what, sizeof(what), c > ' ' && c <= '~' ? "'%c'" : "0x%02x", c);
	return reader_fail(reader, -EINVAL, "byte %" PRIu64 " is %s where %s should be",
			   reader_offset(reader), what, wanted);
}

/* --- bytes --- */

static bool reader_fill(struct reader *reader)
{
	if (reader->next < reader->length)
		return true;
	if (reader->eof || reader->read_error)
		return false;
	reader->offset += reader->length;
	reader->next = 0;
	errno = 0;
	reader->length = fread(reader->buffer, 1, sizeof(reader->buffer), reader->file);
	if (reader->length)
		return true;
	if (ferror(reader->file))
		reader->read_error = errno ? -errno : -EIO;
	else
		reader->eof = true;
	return false;
}

int reader_peek(struct reader *reader)
{
	while (reader_fill(reader)) {
		char c = reader->buffer[reader->next];

		if (!c || !strchr(" \t\r\n", c))
			return (unsigned char)c;
		reader->next++;
	}
	return EOF;
}

bool reader_at_end(struct reader *reader)
{
	return reader_peek(reader) == EOF && !reader->read_error;
}

bool reader_take(struct reader *reader, char c)
{
	if (reader_peek(reader) != (unsigned char)c)
		return false;
	reader->next++;
	return true;
}

/* --- values --- */

/*
 * Gives jansson bytes up to the next one that may end the value, which it opened with the matching
 * one. So it never takes a byte beyond the value, and still most of them come many at a time.
 */
static size_t value_bytes(void *buffer, size_t size, void *data)
{
	struct reader *reader = data;
	const char *from;
	const char *end;

	if (!reader->value_left || !reader_fill(reader))
		return 0;
	from = reader->buffer + reader->next;
	if (size > reader->length - reader->next)
		size = reader->length - reader->next;
	if (size > reader->value_left)
		size = reader->value_left;
	end = memchr(from, reader->value_end, size);
	if (end)
		size = end - from + 1;
	memcpy(buffer, from, size);
	reader->next += size;
	reader->value_left -= size;
	return size;
}

static int check_value(struct reader *reader, uint64_t start, const json_error_t *error,
		       json_t **value)
{
	if (*value && !json_memory_failed())
		return 0;
	json_decref(*value);
	*value = NULL;
	if (json_memory_failed())
		return reader_fail_memory(reader);
	if (reader->eof || reader->read_error)
		return fail_end(reader);
	if (!reader->value_left)
		return reader_fail(reader, -E2BIG,
				   "is larger than %zu MiB, which nothing in Kubernetes is",
				   VALUE_MAX >> 20);
	return reader_fail(reader, -EINVAL, "is not JSON near byte %" PRIu64 ": %s",
			   start + error->position, error->text);
}

/* null, true, false or a number: these have no end of their own, so jansson can't find it either
 * without taking a byte too many. */
static int load_word(struct reader *reader, json_t **out)
{
	static const char of_words[] =
		"+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint64_t start = reader_offset(reader);
	json_error_t error;
	char word[64];
	size_t n = 0;

	while (n < sizeof(word) && reader_fill(reader)) {
		char c = reader->buffer[reader->next];

		if (!c || !strchr(of_words, c))
			break;
		word[n++] = c;
		reader->next++;
	}
	if (!n)
		return reader_fail_byte(reader, "a value");
	*out = json_loadb(word, n, JSON_DECODE_ANY, &error);
	return check_value(reader, start, &error, out);
}

int reader_load(struct reader *reader, json_t **out)
{
	int c = reader_peek(reader);
	uint64_t start = reader_offset(reader);
	json_error_t error;

	*out = NULL;
	reader->value_left = VALUE_MAX;
	switch (c) {
	case '{':
		reader->value_end = '}';
		break;
	case '[':
		reader->value_end = ']';
		break;
	case '"':
		reader->value_end = '"';
		break;
	default:
		return load_word(reader, out);
	}
	*out = json_load_callback(value_bytes, reader, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY,
				  &error);
	return check_value(reader, start, &error, out);
}
