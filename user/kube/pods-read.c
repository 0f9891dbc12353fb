/* SPDX-License-Identifier: MIT */
/*
 * A list of pods may be 500 MB, so it is never held: the outermost object is taken apart here, and
 * each item is loaded alone.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json-fields.h"
#include "json-memory.h"
#include "json-reader.h"
#include "pod-item.h"
#include "pods-store.h"
#include "pods.h"

#define ADVICE "make it with: kubectl get pods -A -o json"

struct list {
	struct reader *reader;
	struct pods *pods;
	struct pod_item item;   /* the one being read */
	uint64_t item_kindless; /* number of the first without a kind; 0: all have one */
	bool items_seen;
	json_t *top; /* the outermost object without its items */
};

static int check_version(struct reader *reader, const json_t *object)
{
	const char *version = field_text(reader, object, "apiVersion");

	if (*version && strcmp(version, "v1") != 0)
		reader_fail(reader, -EINVAL, "has apiVersion %.80s, and pods have v1", version);
	return reader->r;
}

static int take_pod(struct list *list, const json_t *json)
{
	int r = pod_item_read(&list->item, list->reader, json);

	if (r || list->item.completed)
		return r;
	return pods_put(list->pods, &list->item, 0) ? reader_fail_memory(list->reader) : 0;
}

static int read_item(struct list *list)
{
	struct reader *reader = list->reader;
	json_t *json = NULL;
	const char *kind;
	int r;

	reader->item_name[0] = '\0';
	if (reader_peek(reader) != '{')
		return reader_fail_byte(reader, "the object of a Pod");
	r = reader_load(reader, &json);
	if (r)
		return r;
	kind = field_text(reader, json, "kind");
	if (!*kind && !list->item_kindless)
		list->item_kindless = reader->item;
	if (*kind && strcmp(kind, "Pod") != 0)
		reader_fail(reader, -EINVAL, "is a %.80s, not a Pod", kind);
	r = check_version(reader, json);
	if (!r)
		r = take_pod(list, json);
	json_decref(json);
	return r;
}

/* Called before the items, in case the kind is known by then, and at the end, when it must be. */
static int check_kind(struct list *list, bool at_end)
{
	struct reader *reader = list->reader;
	const char *kind = field_text(reader, list->top, "kind");
	bool api = !strcmp(kind, "PodList"); /* whose items have no kind */

	if (reader->r || (!*kind && !at_end))
		return reader->r;
	if (!*kind)
		return reader_fail(reader, -EINVAL, "has no kind, so it is no list of pods");
	if (!strcmp(kind, "Pod") && !list->items_seen)
		return 0;
	if (!api && strcmp(kind, "List") != 0)
		return reader_fail(reader, -EINVAL, "is a %.80s, not a list of pods", kind);
	if (!list->items_seen)
		return reader_fail(reader, -EINVAL, "is a %s without items", kind);
	if (at_end && list->item_kindless && !api)
		return reader_fail(reader, -EINVAL,
				   "item %" PRIu64 " has no kind, so it may be no Pod",
				   list->item_kindless);
	return 0;
}

static int read_items_null(struct reader *reader)
{
	json_t *value = NULL;
	int r;

	if (reader_peek(reader) != 'n')
		return reader_fail_byte(reader, "the array of items");
	r = reader_load(reader, &value); /* no other word begins so */
	json_decref(value);
	return r;
}

static int read_items(struct list *list)
{
	struct reader *reader = list->reader;
	uint64_t n = 0;
	int r;

	if (list->items_seen)
		return reader_fail(reader, -EINVAL, "has items twice");
	list->items_seen = true;
	r = check_kind(list, false);
	if (r)
		return r;
	if (!reader_take(reader, '['))
		return read_items_null(reader);
	if (reader_take(reader, ']'))
		return 0;
	do {
		reader->item = ++n;
		r = read_item(list);
		if (r)
			return r;
		reader->item = 0;
	} while (reader_take(reader, ','));
	if (!reader_take(reader, ']'))
		return reader_fail_byte(reader, "a comma between items or the end of items");
	return 0;
}

/* Keeps what a list or a single Pod has, and drops what neither has. */
static int read_other(struct list *list, const char *key)
{
	static const char *const known[] = {"apiVersion", "kind", "metadata", "spec", "status"};
	json_t *value = NULL;
	int r = reader_load(list->reader, &value);

	for (size_t i = 0; !r && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(key, known[i]) && json_object_set(list->top, key, value))
			r = reader_fail_memory(list->reader);
	json_decref(value);
	return r;
}

static int read_member(struct list *list)
{
	struct reader *reader = list->reader;
	json_t *key = NULL;
	int r;

	if (reader_peek(reader) != '"')
		return reader_fail_byte(reader, "a key");
	r = reader_load(reader, &key);
	if (r)
		return r;
	if (!reader_take(reader, ':'))
		r = reader_fail_byte(reader, "a colon");
	else if (!strcmp(json_string_value(key), "items"))
		r = read_items(list);
	else
		r = read_other(list, json_string_value(key));
	json_decref(key);
	return r;
}

static int read_members(struct list *list)
{
	int r;

	if (reader_take(list->reader, '}'))
		return 0;
	do {
		r = read_member(list);
		if (r)
			return r;
	} while (reader_take(list->reader, ','));
	if (!reader_take(list->reader, '}'))
		return reader_fail_byte(list->reader, "a comma or the closing brace");
	return 0;
}

/* All has been read; now it is known what it was. */
static int finish(struct list *list)
{
	struct reader *reader = list->reader;
	const json_t *metadata;
	int r = check_kind(list, true);

	if (!r)
		r = check_version(reader, list->top);
	if (r)
		return r;
	if (!list->items_seen)
		return take_pod(list, list->top);
	metadata = field_get(reader, list->top, "metadata", JSON_OBJECT);
	/* The pods that are not there would all be taken for something outside the cluster. */
	if (*field_text(reader, metadata, "metadata.continue"))
		reader_fail(reader, -EINVAL,
			    "is only a page of the list of pods (metadata.continue is set)");
	return reader->r;
}

static int read_document(struct list *list)
{
	struct reader *reader = list->reader;
	int r;

	if (reader_at_end(reader))
		return reader_fail(reader, -EINVAL, "is empty");
	if (!reader_take(reader, '{'))
		return reader_fail_byte(reader, "the opening brace of a list of pods");
	r = read_members(list);
	if (r)
		return r;
	if (!reader_at_end(reader))
		return reader_fail_byte(reader, "the end");
	return finish(list);
}

int pods_read(struct pods *pods, FILE *file, const char *name, char *error, size_t error_size)
{
	struct list list = {.pods = pods};
	int r;

	json_memory_watch();
	list.reader = reader_new(file, name, ADVICE, error, error_size);
	list.top = json_object();
	if (list.reader && list.top) {
		r = read_document(&list);
	} else {
		snprintf(error, error_size, "%s: there is no memory to read it", name);
		r = -ENOMEM;
	}
	pod_item_deinit(&list.item);
	json_decref(list.top);
	free(list.reader);
	json_memory_unwatch();
	return r;
}

int pods_read_file(struct pods *pods, const char *path, char *error, size_t error_size)
{
	FILE *file;
	int r;

	if (!strcmp(path, "-"))
		return pods_read(pods, stdin, "standard input", error, error_size);
	file = fopen(path, "re");
	if (!file) {
		r = -errno;
		snprintf(error, error_size, "%s: cannot be opened: %s; " ADVICE " > FILE", path,
			 strerror(-r));
		return r;
	}
	r = pods_read(pods, file, path, error, error_size);
	fclose(file);
	return r;
}
