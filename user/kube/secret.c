/* SPDX-License-Identifier: MIT */
#include "secret.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void secret_deinit(struct secret *secret)
{
	if (secret->data)
		explicit_bzero(secret->data, secret->size);
	free(secret->data);
	*secret = (struct secret){0};
}

int secret_copy(struct secret *secret, const char *data, size_t size)
{
	char *copy = malloc(size + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, size);
	copy[size] = '\0';
	secret_deinit(secret);
	secret->data = copy;
	secret->size = size;
	return 0;
}

void secret_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void secret_release(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

void *secret_resize(void *memory, size_t size)
{
	size_t kept = memory ? malloc_usable_size(memory) : 0;
	void *other = malloc(size);

	if (!other)
		return NULL;
	if (kept)
		memcpy(other, memory, kept < size ? kept : size);
	secret_release(memory);
	return other;
}

/* As deep as the parsers allow: yaml.h, and jansson's own limit. */
static void overwrite(json_t *json) // NOLINT(misc-no-recursion)
{
	const char *key;
	json_t *value;
	size_t i;

	switch (json_typeof(json)) {
	case JSON_STRING:
		explicit_bzero((char *)json_string_value(json), json_string_length(json));
		break;
	case JSON_ARRAY:
		json_array_foreach (json, i, value) {
			overwrite(value);
		}
		break;
	case JSON_OBJECT:
		json_object_foreach (json, key, value) {
			overwrite(value);
		}
		break;
	default:
		break;
	}
}

void secret_json_decref(json_t *json)
{
	if (json)
		overwrite(json);
	json_decref(json);
}
