/* SPDX-License-Identifier: MIT */
/*
 * Services and EndpointSlices that a test puts into a folder, one object in each file, at any time:
 * FOLDER/services/ANY.json and FOLDER/endpointslices/ANY.json. A file that comes, changes or goes
 * is an event. What is half written is not taken, so that it may be written in place.
 */
#include <dirent.h>
#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <jansson.h>

#include "api.h"

static const struct {
	const char *name;
	const char *path; /* before "/NAME", or before "/namespaces/…/NAME" */
} collections[] = {
	{"services", "/api/v1"},
	{"endpointslices", "/apis/discovery.k8s.io/v1"},
};
#define COLLECTIONS (sizeof(collections) / sizeof(collections[0]))

struct object {
	size_t collection;
	char *file;
	struct stat stat;
	bool seen; /* in this scan */
	json_t *json;
	struct object *next;
};

/* What became of an object; NULL: it was not, or is not. */
struct change {
	size_t collection;
	json_t *before, *after;
};

static const char *folder;
static int inotify = -1;
static struct object *objects;
static struct change *changes; /* number i has version FIRST_VERSION + i + 1 */
static uint64_t n_changes;

/* --- the folder --- */

static void changed(size_t collection, json_t *before, json_t *after)
{
	json_t *newest = after ? after : before, *metadata = json_object_get(newest, "metadata");
	struct change *grown = reallocarray(changes, n_changes + 1, sizeof(*changes));
	char version[32];

	if (!grown)
		err(EX_OSERR, "out of memory");
	changes = grown;
	/* what was told keeps its version, also after it is gone */
	if (!after) {
		newest = json_deep_copy(before);
		metadata = json_object_get(newest, "metadata");
		before = newest;
	} else {
		json_incref(before);
		json_incref(after);
	}
	changes[n_changes++] = (struct change){collection, before, after};
	snprintf(version, sizeof(version), "%" PRIu64, FIRST_VERSION + n_changes);
	json_object_set_new(metadata, "resourceVersion", json_string(version));
	api.told.object_events++;
}

static struct object *find(size_t collection, const char *file)
{
	struct object *object;

	for (object = objects; object; object = object->next)
		if (object->collection == collection && !strcmp(object->file, file))
			return object;
	object = calloc(1, sizeof(*object));
	if (!object)
		err(EX_OSERR, "out of memory");
	object->collection = collection;
	object->file = strdup(file);
	object->next = objects;
	objects = object;
	return object;
}

static void scan_file(size_t collection, const char *path, const char *file)
{
	struct object *object = find(collection, file);
	struct stat now;
	json_t *json;

	if (stat(path, &now))
		return;
	object->seen = true;
	if (object->json && now.st_ino == object->stat.st_ino &&
	    now.st_size == object->stat.st_size &&
	    !memcmp(&now.st_mtim, &object->stat.st_mtim, sizeof(now.st_mtim)))
		return;
	json = json_load_file(path, 0, NULL);
	if (!json_is_object(json_object_get(json, "metadata"))) {
		json_decref(json);
		return;
	}
	object->stat = now;
	changed(collection, object->json, json);
	json_decref(object->json);
	object->json = json;
}

static void scan_collection(size_t collection)
{
	const char *name = collections[collection].name;
	char path[4096];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	directory = opendir(path);
	if (!directory)
		err(EX_NOINPUT, "%s", path);
	while ((entry = readdir(directory)))
		if (strstr(entry->d_name, ".json") &&
		    snprintf(path, sizeof(path), "%s/%s/%s", folder, name, entry->d_name) <
			    (int)sizeof(path))
			scan_file(collection, path, entry->d_name);
	closedir(directory);
}

static void scan(void)
{
	for (struct object *object = objects; object; object = object->next)
		object->seen = false;
	for (size_t i = 0; i < COLLECTIONS; i++)
		scan_collection(i);
	for (struct object *object = objects; object; object = object->next) {
		if (object->seen || !object->json)
			continue;
		changed(object->collection, object->json, NULL);
		json_decref(object->json);
		object->json = NULL;
	}
}

void folder_open(const char *path)
{
	char inside[4096];

	folder = path;
	inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	for (size_t i = 0; i < COLLECTIONS; i++) {
		snprintf(inside, sizeof(inside), "%s/%s", path, collections[i].name);
		if (inotify_add_watch(inotify, inside,
				      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE) < 0)
			err(EX_NOINPUT, "%s", inside);
	}
	scan();
}

void folder_tick(void)
{
	char events[4096] __attribute__((aligned(8)));
	bool news = false;

	if (!folder)
		return;
	while (read(inotify, events, sizeof(events)) > 0)
		news = true;
	if (news)
		scan();
}

/* --- what is asked --- */

/* "a%3Db": as it is, up to the next parameter. */
static void unescape(const char *from, char *to, size_t size)
{
	size_t n = 0;

	for (; *from && *from != '&' && n + 1 < size; from++) {
		unsigned int byte = (unsigned char)*from;

		if (*from == '%' && sscanf(from + 1, "%2x", &byte) == 1)
			from += 2;
		to[n++] = (char)byte;
	}
	to[n] = '\0';
}

bool folder_query(const char *path, size_t length, const char *query, struct folder_query *out)
{
	const char *selector = strstr(query, "labelSelector=");
	char text[512], expected[512];

	*out = (struct folder_query){};
	if (!folder || length >= sizeof(text))
		return false;
	memcpy(text, path, length);
	text[length] = '\0';
	if (selector)
		unescape(selector + strlen("labelSelector="), out->selector, sizeof(out->selector));
	for (; out->collection < COLLECTIONS; out->collection++) {
		const char *within = strstr(text, "/namespaces/");

		if (within)
			sscanf(within, "/namespaces/%63[^/]", out->namespace);
		snprintf(expected, sizeof(expected), "%s%s%s/%s", collections[out->collection].path,
			 within ? "/namespaces/" : "", out->namespace,
			 collections[out->collection].name);
		if (!strcmp(text, expected))
			return true;
	}
	return false;
}

/* One part of a selector: "key" or "key=value". */
static bool has_label(const json_t *labels, char *part)
{
	char *equals = strchr(part, '=');
	const char *value;

	if (equals)
		*equals = '\0';
	value = json_string_value(json_object_get(labels, part));
	return value && (!equals || !strcmp(value, equals + 1));
}

static bool is_asked(const struct folder_query *query, const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata");
	const char *namespace = json_string_value(json_object_get(metadata, "namespace"));
	char selector[sizeof(query->selector)], *at = selector, *part;

	if (!object || (*query->namespace && (!namespace || strcmp(namespace, query->namespace))))
		return false;
	memcpy(selector, query->selector, sizeof(selector));
	while ((part = strsep(&at, ",")))
		if (*part && !has_label(json_object_get(metadata, "labels"), part))
			return false;
	return true;
}

static void add(const json_t *object, struct buffer *out)
{
	char *text = json_dumps(object, JSON_COMPACT);

	if (!text)
		err(EX_OSERR, "out of memory");
	buffer_add(out, text, strlen(text));
	free(text);
}

uint64_t folder_version(void)
{
	return FIRST_VERSION + n_changes;
}

void folder_list(const struct folder_query *query, struct buffer *out)
{
	const char *comma = "";

	buffer_print(
		out,
		"{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"%" PRIu64
		"\"},\"items\":[",
		folder_version());
	for (const struct object *object = objects; object; object = object->next) {
		if (object->collection != query->collection || !is_asked(query, object->json))
			continue;
		buffer_print(out, "%s", comma);
		add(object->json, out);
		comma = ",";
	}
	buffer_print(out, "]}\n");
}

void folder_event(const struct folder_query *query, uint64_t version, struct buffer *out)
{
	const struct change *change = &changes[version - FIRST_VERSION - 1];
	bool was = is_asked(query, change->before), is = is_asked(query, change->after);

	if (change->collection != query->collection || (!was && !is))
		return;
	buffer_print(out, "{\"type\":\"%s\",\"object\":",
		     !was  ? "ADDED"
		     : !is ? "DELETED"
			   : "MODIFIED");
	add(change->after ? change->after : change->before, out);
	buffer_print(out, "}\n");
}
