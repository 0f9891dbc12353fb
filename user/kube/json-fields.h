/* SPDX-License-Identifier: MIT */
/*
 * The fields of an object that was read, each with its type. `path` is what errors call the field
 * ("status.podIP"); its last part is the key. A field that is missing or null is no error, unless
 * said so; one of another type fails the reader (reader->r), and is then as if missing.
 */
#ifndef KUBE_JSON_FIELDS_H
#define KUBE_JSON_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "json-reader.h"

/* Fails the reader if the value, an element of the array at `path`, is not of that type. */
bool field_check(struct reader *reader, const json_t *value, const char *path, json_type type);

/* A borrowed reference, or NULL. `object` may be NULL. */
json_t *field_get(struct reader *reader, const json_t *object, const char *path, json_type type);

/* Never NULL: "" if it is missing. The string is the object's. All that is read as text are names,
 * addresses and times: a byte that none of these has (not printable ASCII, or a space) is damage,
 * would come to a terminal, and fails the reader. */
const char *field_text(struct reader *reader, const json_t *object, const char *path);

/* The same; that it is missing or empty fails the reader. */
const char *field_required(struct reader *reader, const json_t *object, const char *path);

/* False if it is missing. */
bool field_bool(struct reader *reader, const json_t *object, const char *path);

/* RFC 3339 as the API writes it (UTC, whole seconds), as ns since 1970; 0 if it is missing. */
int64_t field_time(struct reader *reader, const json_t *object, const char *path);

#endif
