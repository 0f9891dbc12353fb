/* SPDX-License-Identifier: MIT */
/* What the two halves of the store share: service-store.c (Services) and service-store-slices.c. */
#ifndef KUBE_SERVICE_STORE_PARTS_H
#define KUBE_SERVICE_STORE_PARTS_H

#include <uthash.h>
#include <utlist.h>

#include "service-store.h"
#include "service-watched.h"

/* "namespace/name"; names have 253 characters at most (RFC 1123). */
#define KEY_SIZE 512

struct slice {
	struct entry *entry; /* of its Service */
	struct slice *prev, *next;
	struct slice_copy *copy;
	uint32_t list; /* the last one that had it */
	UT_hash_handle hh;
	char key[];
};

/* A Service that is watched, or that slices are of. */
struct entry {
	struct slice *slices;
	struct service_watched *watched; /* NULL: it is not */
	uint32_t list;                   /* of Services; the last one that had it */
	UT_hash_handle hh;
	char key[];
};

struct service_store {
	bool annotated;
	struct watched_told told;
	size_t limit, size;
	struct entry *entries;
	struct slice *slices;
	uint32_t services_list, slices_list;
	/* what found no room, or made no sense: at any time since the last list that was complete
	 * began, and since the one that is under way began */
	bool slices_left_out, slices_left_out_now;
	bool services_left_out, services_left_out_now;
	bool too_large;
	size_t refused; /* Services */
	bool check;     /* there may be something for service_store_check() */
	char trouble[2][256];
};

/* How much memory they take. */
size_t store_slice_size(const struct slice *slice);

/* Out of the store: tells nothing. */
void store_slice_free(struct service_store *store, struct slice *slice);

/* The key of what has this name in the object's namespace. False: it makes no sense. */
bool store_key(const json_t *object, const char *name, char key[KEY_SIZE]);

/* A member of the object's metadata, as service_text(). */
const char *store_metadata(const json_t *object, const char *field);

/* The one with this key, or a new one; NULL: no room. */
struct entry *store_get_entry(struct service_store *store, const char *key);

/* Frees it where it is neither watched nor has slices. */
void store_drop_if_empty(struct service_store *store, struct entry *entry);

/* Tells what of the Service is not watched, if that has changed; of all of them. */
void store_note(struct service_store *store, struct entry *entry);
void store_note_all(struct service_store *store);

/* Tells what has come and gone by what a slice has now. `copy` NULL: it has nothing any more. */
void store_give(struct service_store *store, struct entry *entry, const char *key,
		const struct slice_copy *copy);

#endif
