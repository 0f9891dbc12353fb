/* SPDX-License-Identifier: MIT */
/*
 * Lines of a watch, of pods and of EndpointSlices or Endpoints alike: the endpoints that are up and
 * not down are those of the objects that there are, and a pod that was deleted has ended.
 *
 * Lines of type LIST and END stand for a list of all objects, between them.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/kube/json-stream.h"
#include "../../user/kube/members.h"
#include "../../user/kube/pod-watch.h"
#include "../../user/kube/pods.h"
#include "../../user/kube/service.h"

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define MAX_UP 65536
#define PORT 3000

struct told {
	bool up[MAX_UP];
	uint32_t ids;
	size_t n; /* that are up */
};

struct watch {
	struct pods *pods;
	struct pod_reader *reader;
	struct service service;
	struct told told;
	struct members *members;
	json_t *objects; /* by name: as they were last */
	json_t *listed;  /* names since LIST; NULL: no list is read */
};

static uint32_t up(void *arg, const struct kube_endpoint *endpoint)
{
	struct told *told = arg;

	REQUIRE(endpoint->port && told->ids < MAX_UP);
	if (endpoint->pod)
		REQUIRE(*endpoint->pod->uid && *endpoint->pod->pod && endpoint->pod->node);
	told->up[told->ids] = true;
	told->n++;
	return told->ids++;
}

static void down(void *arg, uint32_t id)
{
	struct told *told = arg;

	REQUIRE(id < told->ids && told->up[id]);
	told->up[id] = false;
	told->n--;
}

static const struct kube_follow_ops ops = {up, down, NULL};

static const char *name_of(const json_t *object)
{
	return service_text(json_object_get(object, "metadata"), "name");
}

static void put(struct members *members, struct service *service, const char *name,
		const json_t *object)
{
	members_begin(members, name);
	if (object)
		service_take(service, object, service->portless ? PORT : 0, members);
	members_end(members);
}

/* As many as if nothing had ever been there but what there is now. */
static void compare(struct watch *watch)
{
	static struct told told;
	struct members *members;
	const char *name;
	json_t *object;

	told = (struct told){};
	members = members_new(&ops, &told);
	REQUIRE(members);
	json_object_foreach (watch->objects, name, object)
		put(members, &watch->service, name, object);
	REQUIRE(told.n == watch->told.n && told.n == told.ids);
	members_free(members);
}

static void take_pod(struct watch *watch, const json_t *object, bool deleted)
{
	const char *uid;

	if (pod_reader_put(watch->reader, watch->pods, object, deleted, &uid)) {
		REQUIRE(*pod_reader_error(watch->reader));
		return;
	}
	REQUIRE(pods_find(watch->pods, uid));
	REQUIRE(!deleted || pods_find(watch->pods, uid)->ended);
}

static void list_end(struct watch *watch)
{
	const char *name;
	json_t *object;
	void *next;

	if (!watch->listed)
		return;
	members_list_end(watch->members);
	json_object_foreach_safe(watch->objects, next, name,
				 object) if (!json_object_get(watch->listed, name))
		json_object_del(watch->objects, name);
	json_decref(watch->listed);
	watch->listed = NULL;
}

static int take(void *arg, const char *text, size_t length)
{
	struct watch *watch = arg;
	json_t *line = json_loadb(text, length, 0, NULL);
	const char *type = json_string_value(json_object_get(line, "type"));
	json_t *object = json_object_get(line, "object");
	const char *name = name_of(object);
	bool deleted = type && !strcmp(type, "DELETED");

	REQUIRE(!memchr(text, '\n', length));
	if (type && !strcmp(type, "LIST") && !watch->listed) {
		watch->listed = json_object();
		members_list_begin(watch->members);
	} else if (type && !strcmp(type, "END")) {
		list_end(watch);
	} else if (json_is_object(object)) {
		take_pod(watch, object, deleted);
		put(watch->members, &watch->service, name, deleted ? NULL : object);
		if (deleted)
			json_object_del(watch->objects, name);
		else
			json_object_set(watch->objects, name, object);
		if (watch->listed)
			json_object_set_new(watch->listed, name, json_true());
	}
	compare(watch);
	json_decref(line);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct watch watch;
	struct json_stream stream;
	size_t piece = 1 + size % 61;
	const char *name;
	json_t *object;

	watch = (struct watch){
		.pods = pods_new(), .reader = pod_reader_new(), .objects = json_object()};
	watch.members = members_new(&ops, &watch.told);
	watch.service.portless = size % 2;
	REQUIRE(watch.pods && watch.reader && watch.objects && watch.members);
	json_stream_init_lines(&stream, take, &watch);
	for (size_t at = 0; at < size; at += piece)
		REQUIRE(!json_stream_feed(&stream, (const char *)data + at,
					  size - at < piece ? size - at : piece));
	list_end(&watch);
	compare(&watch);
	members_check(watch.members);
	compare(&watch);
	/* all that there is goes */
	json_object_foreach (watch.objects, name, object)
		put(watch.members, &watch.service, name, NULL);
	REQUIRE(!watch.told.n);
	json_stream_deinit(&stream);
	members_free(watch.members);
	service_deinit(&watch.service);
	json_decref(watch.objects);
	pods_free(watch.pods);
	pod_reader_free(watch.reader);
	return 0;
}
