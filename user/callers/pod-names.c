/* SPDX-License-Identifier: MIT */
#include "pod-names.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#define STRINGS 6

struct pod_names {
	struct pod_name name;
	size_t length;
	UT_hash_handle hh;
	char strings[]; /* one after the other, each with its end: the key */
};

static struct pod_names *copy(const struct pod_name *name)
{
	const char *const from[STRINGS] = {name->namespace, name->pod,      name->uid,
					   name->kind,      name->workload, name->node};
	const char *to[STRINGS];
	struct pod_names *entry;
	size_t length = 0;

	for (size_t i = 0; i < STRINGS; i++)
		length += strlen(from[i] ? from[i] : "") + 1;
	entry = calloc(1, sizeof(*entry) + length);
	if (!entry)
		return NULL;
	entry->length = length;
	length = 0;
	for (size_t i = 0; i < STRINGS; i++) {
		size_t size = strlen(from[i] ? from[i] : "") + 1;

		to[i] = memcpy(entry->strings + length, from[i] ? from[i] : "", size);
		length += size;
	}
	entry->name = (struct pod_name){to[0], to[1], to[2], to[3], to[4], to[5]};
	return entry;
}

const struct pod_name *pod_names_add(struct pod_names **names, const struct pod_name *name)
{
	struct pod_names *entry = name ? copy(name) : NULL, *known;

	if (!entry)
		return NULL;
	HASH_FIND(hh, *names, entry->strings, entry->length, known);
	if (known) {
		free(entry);
		return &known->name;
	}
	HASH_ADD_KEYPTR(hh, *names, entry->strings, entry->length, entry);
	return &entry->name;
}

void pod_names_free(struct pod_names **names)
{
	struct pod_names *entry = *names, *next;

	HASH_CLEAR(hh, *names);
	for (; entry; entry = next) {
		next = entry->hh.next;
		free(entry);
	}
}
