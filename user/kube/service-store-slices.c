/* SPDX-License-Identifier: MIT */
/* What is behind Services: slices, whether theirs are watched or not. */
#define HASH_NONFATAL_OOM 1
#include <stdlib.h>
#include <string.h>

#include "service-store-parts.h"
#include "service.h"
#include "slice-copy.h"

static void remove_slice(struct service_store *store, struct slice *slice)
{
	struct entry *entry = slice->entry;

	store_give(store, entry, slice->key, NULL);
	store_slice_free(store, slice);
	store_note(store, entry);
	store_drop_if_empty(store, entry);
}

static void leave_out_slice(struct service_store *store)
{
	bool known = store->slices_left_out;

	store->slices_left_out = true;
	store->slices_left_out_now = true;
	if (!known)
		store_note_all(store);
}

/* Takes the copy over. False: no room. */
static bool add_slice(struct service_store *store, const char *key, const char *of,
		      struct slice_copy *copy)
{
	struct entry *entry = store_get_entry(store, of);
	size_t length = strlen(key);
	struct slice *slice = entry ? calloc(1, sizeof(*slice) + length + 1) : NULL;

	if (!slice)
		goto no_room;
	memcpy(slice->key, key, length + 1);
	slice->entry = entry;
	slice->copy = copy;
	slice->list = store->slices_list;
	if (store->size + store_slice_size(slice) > store->limit)
		goto no_room;
	HASH_ADD_KEYPTR(hh, store->slices, slice->key, length, slice);
	if (!slice->hh.tbl)
		goto no_room;
	DL_APPEND(entry->slices, slice);
	store->size += store_slice_size(slice);
	store_give(store, entry, slice->key, copy);
	store_note(store, entry);
	return true;
no_room:
	slice_copy_free(copy);
	free(slice);
	if (entry)
		store_drop_if_empty(store, entry);
	return false;
}

/* Takes the copy over. False: no room. */
static bool replace_copy(struct service_store *store, struct slice *slice, struct slice_copy *copy)
{
	size_t before = slice_copy_size(slice->copy), after = slice_copy_size(copy);

	slice->list = store->slices_list;
	if (slice_copy_equal(slice->copy, copy)) {
		slice_copy_free(copy);
		return true;
	}
	if (store->size - before + after > store->limit) {
		slice_copy_free(copy);
		remove_slice(store, slice);
		return false;
	}
	store->size += after - before;
	slice_copy_free(slice->copy);
	slice->copy = copy;
	store_give(store, slice->entry, slice->key, copy);
	store_note(store, slice->entry);
	return true;
}

static const char *service_of(const json_t *object, bool named)
{
	const json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");

	return named ? store_metadata(object, "name")
		     : service_text(labels, "kubernetes.io/service-name");
}

void service_store_slice(struct service_store *store, enum kube_event event, const json_t *object,
			 bool named)
{
	char key[KEY_SIZE], of[KEY_SIZE];
	struct slice *slice;
	struct slice_copy *copy;
	bool has_service = store_key(object, service_of(object, named), of);

	if (!store_key(object, store_metadata(object, "name"), key)) {
		leave_out_slice(store);
		return;
	}
	HASH_FIND_STR(store->slices, key, slice);
	/* one that is given to another Service is another */
	if (slice &&
	    (event == KUBE_DELETED || !has_service || strcmp(slice->entry->key, of) != 0)) {
		remove_slice(store, slice);
		slice = NULL;
	}
	if (event == KUBE_DELETED || !has_service)
		return;
	copy = slice_copy_new(object);
	if (!copy || !(slice ? replace_copy(store, slice, copy) : add_slice(store, key, of, copy)))
		leave_out_slice(store);
}

void service_store_slices_begin(struct service_store *store)
{
	store->slices_list++;
	store->slices_left_out_now = false;
}

void service_store_slices_end(struct service_store *store)
{
	bool before = store->slices_left_out;
	struct slice *slice, *next;

	HASH_ITER (hh, store->slices, slice, next)
		if (slice->list != store->slices_list)
			remove_slice(store, slice);
	store->slices_left_out = store->slices_left_out_now;
	if (before != store->slices_left_out)
		store_note_all(store);
}

void service_store_too_large(struct service_store *store, bool too_large)
{
	if (store->too_large == too_large)
		return;
	store->too_large = too_large;
	store_note_all(store);
}
