/* SPDX-License-Identifier: MIT */
#define HASH_NONFATAL_OOM 1
#include "service-store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service-store-parts.h"
#include "service.h"
#include "slice-copy.h"

struct service_store *service_store_new(bool annotated, const struct kube_services_ops *ops,
					void *arg, const struct kube_services_pods *pods,
					size_t limit)
{
	struct service_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->annotated = annotated;
	store->limit = limit;
	store->told.ops = *ops;
	store->told.arg = arg;
	if (pods)
		store->told.pods = *pods;
	return store;
}

static size_t entry_size(const struct entry *entry)
{
	return sizeof(*entry) + strlen(entry->key) + 1;
}

size_t store_slice_size(const struct slice *slice)
{
	return sizeof(*slice) + strlen(slice->key) + 1 + slice_copy_size(slice->copy);
}

void store_slice_free(struct service_store *store, struct slice *slice)
{
	HASH_DELETE(hh, store->slices, slice);
	DL_DELETE(slice->entry->slices, slice);
	store->size -= store_slice_size(slice);
	slice_copy_free(slice->copy);
	free(slice);
}

static void entry_free(struct service_store *store, struct entry *entry)
{
	HASH_DELETE(hh, store->entries, entry);
	store->size -= entry_size(entry);
	free(entry);
}

void service_store_free(struct service_store *store)
{
	struct entry *entry, *next;
	struct slice *slice, *next_slice;

	if (!store)
		return;
	HASH_ITER (hh, store->slices, slice, next_slice)
		store_slice_free(store, slice);
	HASH_ITER (hh, store->entries, entry, next) {
		service_watched_free(entry->watched);
		entry_free(store, entry);
	}
	free(store);
}

/* --- keys --- */

bool store_key(const json_t *object, const char *name, char key[KEY_SIZE])
{
	const char *namespace = service_text(json_object_get(object, "metadata"), "namespace");
	int n = snprintf(key, KEY_SIZE, "%s/%s", namespace, name);

	return *namespace && *name && n < KEY_SIZE;
}

const char *store_metadata(const json_t *object, const char *field)
{
	return service_text(json_object_get(object, "metadata"), field);
}

static struct entry *find_entry(const struct service_store *store, const char *key)
{
	struct entry *entry;

	HASH_FIND_STR(store->entries, key, entry);
	return entry;
}

struct entry *store_get_entry(struct service_store *store, const char *key)
{
	struct entry *entry = find_entry(store, key);
	size_t length = strlen(key);

	if (entry)
		return entry;
	if (store->size + sizeof(*entry) + length + 1 > store->limit)
		return NULL;
	entry = calloc(1, sizeof(*entry) + length + 1);
	if (!entry)
		return NULL;
	memcpy(entry->key, key, length + 1);
	HASH_ADD_KEYPTR(hh, store->entries, entry->key, length, entry);
	if (!entry->hh.tbl) {
		free(entry);
		return NULL;
	}
	store->size += entry_size(entry);
	return entry;
}

void store_drop_if_empty(struct service_store *store, struct entry *entry)
{
	if (!entry->watched && !entry->slices)
		entry_free(store, entry);
}

/* --- what is told of a Service --- */

void store_note(struct service_store *store, struct entry *entry)
{
	struct not_watched all = {};
	const struct slice *slice;
	size_t before;

	if (!entry->watched)
		return;
	service_watched_note(entry->watched, &all);
	for (slice = entry->slices; slice; slice = slice->next)
		slice_copy_note(slice->copy, &all);
	if (store->slices_left_out || store->too_large)
		not_watched_add(&all, NOT_WATCHED_TOO_LARGE,
				"An EndpointSlice was too large, or found no room, and may be of "
				"this Service");
	before = service_watched_size(entry->watched);
	service_watched_not_watched(entry->watched, &all);
	store->size += service_watched_size(entry->watched) - before;
}

void store_note_all(struct service_store *store)
{
	struct entry *entry, *next;

	HASH_ITER (hh, store->entries, entry, next)
		store_note(store, entry);
}

void store_give(struct service_store *store, struct entry *entry, const char *key,
		const struct slice_copy *copy)
{
	if (entry->watched)
		store->check |= service_watched_give(entry->watched, key, copy);
}

static void give_all(struct service_store *store, struct entry *entry)
{
	const struct slice *slice;

	for (slice = entry->slices; slice; slice = slice->next)
		store_give(store, entry, slice->key, slice->copy);
}

/* --- Services --- */

static bool is_wanted(const struct service_store *store, const json_t *object)
{
	const json_t *annotations =
		json_object_get(json_object_get(object, "metadata"), "annotations");

	return !store->annotated ||
	       !strcmp(service_text(annotations, KUBE_SERVICES_ANNOTATION), "true");
}

static void unwatch(struct service_store *store, struct entry *entry)
{
	store->size -= service_watched_size(entry->watched);
	store->refused -= service_watched_is_refused(entry->watched);
	service_watched_end(entry->watched);
	entry->watched = NULL;
}

static void leave_out_service(struct service_store *store)
{
	store->services_left_out = true;
	store->services_left_out_now = true;
}

/* False: no room. */
static bool watch(struct service_store *store, const char *key, const json_t *object)
{
	struct entry *entry = store_get_entry(store, key);
	struct service_watched *watched;
	size_t size;

	if (!entry)
		return false;
	watched =
		service_watched_new(&store->told, store_metadata(object, "namespace"),
				    store_metadata(object, "name"), store_metadata(object, "uid"));
	size = watched ? service_watched_size(watched) : 0;
	if (!watched || store->size + size > store->limit) {
		service_watched_free(watched);
		store_drop_if_empty(store, entry);
		return false;
	}
	store->size += size;
	entry->watched = watched;
	service_watched_begin(watched);
	store->refused += service_watched_is_refused(watched);
	return true;
}

void service_store_service(struct service_store *store, enum kube_event event, const json_t *object)
{
	bool wanted = event != KUBE_DELETED && is_wanted(store, object), is_new = false;
	struct entry *entry;
	char key[KEY_SIZE];

	if (!store_key(object, store_metadata(object, "name"), key) ||
	    !*store_metadata(object, "uid")) {
		leave_out_service(store);
		return;
	}
	entry = find_entry(store, key);
	if (entry && entry->watched &&
	    (!wanted || !service_watched_is(entry->watched, store_metadata(object, "uid")))) {
		unwatch(store, entry);
		store_drop_if_empty(store, entry);
		entry = find_entry(store, key);
	}
	if (!wanted)
		return;
	if (!entry || !entry->watched) {
		if (!watch(store, key, object)) {
			leave_out_service(store);
			return;
		}
		entry = find_entry(store, key);
		is_new = true;
	}
	entry->list = store->services_list;
	store->size -= service_watched_size(entry->watched);
	/* that slices count, or don't any more, makes all of them news */
	if (service_watched_read(entry->watched, object) || is_new)
		give_all(store, entry);
	store->size += service_watched_size(entry->watched);
	store_note(store, entry);
}

void service_store_services_begin(struct service_store *store)
{
	store->services_list++;
	store->services_left_out_now = false;
}

void service_store_services_end(struct service_store *store)
{
	struct entry *entry, *next;

	store->services_left_out = store->services_left_out_now;
	HASH_ITER (hh, store->entries, entry, next) {
		if (!entry->watched || entry->list == store->services_list)
			continue;
		unwatch(store, entry);
		store_drop_if_empty(store, entry);
	}
}

/* --- the rest --- */

void service_store_check(struct service_store *store)
{
	struct entry *entry, *next;

	if (!store->check)
		return;
	store->check = false;
	HASH_ITER (hh, store->entries, entry, next)
		if (entry->watched)
			store->check |= service_watched_check(entry->watched);
}

const char *service_store_trouble(struct service_store *store, size_t i)
{
	char(*text)[256] = store->trouble;

	if (i == 0 && store->refused) {
		snprintf(text[0], sizeof(text[0]),
			 "%zu Services can't be watched besides all others: there is no more room; "
			 "watch fewer",
			 store->refused);
		return text[0];
	}
	if (i == 1 && (store->slices_left_out || store->services_left_out)) {
		snprintf(text[1], sizeof(text[1]),
			 "some Services or EndpointSlices of the API found no room in %zu MiB, or "
			 "make no sense; watch those of one namespace",
			 store->limit >> 20);
		return text[1];
	}
	return NULL;
}

size_t service_store_size(const struct service_store *store)
{
	return store->size;
}
