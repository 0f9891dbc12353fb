/* SPDX-License-Identifier: MIT */
/*
 * Reads JSON that is too large to be held: whoever reads takes the outermost levels apart byte by
 * byte, and has the values in them loaded by jansson, one at a time.
 *
 * The first error stays: `r` is then a negative errno, and `error` one printable sentence
 * "NAME: [item N (ITEM_NAME): ]what was found; what to do". Later ones are ignored, so that a
 * caller may read on and look at `r` at the end. All that return int return 0 or that errno.
 */
#ifndef KUBE_JSON_READER_H
#define KUBE_JSON_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Where the reader stands, for its errors, is told by whoever reads. */
struct reader {
	int r;
	uint64_t item;       /* number of the item being read, from 1; 0: outside the items */
	char item_name[160]; /* " (namespace/name)"; "" while not known */
	/* private: */
	const char *name;
	const char *advice;
	char *error;
	size_t error_size;
	FILE *file;
	uint64_t offset; /* in the file, of buffer[0] */
	size_t next;
	size_t length;
	bool eof;
	int read_error;    /* -errno */
	int value_end;     /* the byte that the value being loaded must end with */
	size_t value_left; /* bytes that it may still have */
	char buffer[64 << 10];
};

/*
 * `name` is what the file is called in errors, `advice` what to do when it isn't what it should be:
 * "make it with: …". Both, the file and `error` stay the caller's, and must outlive the reader.
 * Watch jansson's memory (json-memory.h) while reading. NULL: no memory. Free with free().
 */
struct reader *reader_new(FILE *file, const char *name, const char *advice, char *error,
			  size_t error_size);

/* The next byte that is not white space, which is not taken; EOF at the end, and when reading
 * failed. */
int reader_peek(struct reader *reader);

/* Nothing but white space is left, and all could be read. */
bool reader_at_end(struct reader *reader);

/* Takes the next byte that is not white space if it is this one. */
bool reader_take(struct reader *reader, char c);

/* Loads the value that comes next. *out: a new reference, NULL after an error. -E2BIG: the value
 * has more than 8 MiB. */
int reader_load(struct reader *reader, json_t **out);

/* What was found, as a clause: "has no metadata.name". Returns reader->r. */
int reader_fail(struct reader *reader, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* There is something else than `wanted` ("a comma") where the reader stands, or nothing any more,
 * or it could not be read. */
int reader_fail_byte(struct reader *reader, const char *wanted);

int reader_fail_memory(struct reader *reader);

#endif
