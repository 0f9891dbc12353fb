/* SPDX-License-Identifier: MIT */
/* Services and their endpoints, as real API servers tell them (1.20 and 1.36). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/kube/members.h"
#include "../../user/kube/service.h"

#ifndef TEST_DATA
#define TEST_DATA "tests/unit/data"
#endif

#define MAX 32

/* What is up, as members.c tells it. */
struct world {
	struct kube_endpoint up[MAX];
	bool is_up[MAX];
	uint32_t n;
	const char *alive; /* UID of the pod that runs on */
};

static uint32_t up(void *arg, const struct kube_endpoint *endpoint)
{
	struct world *world = arg;

	assert_true(world->n < MAX);
	world->up[world->n] = *endpoint;
	world->is_up[world->n] = true;
	return world->n++;
}

static void down(void *arg, uint32_t id)
{
	struct world *world = arg;

	assert_true(id < world->n && world->is_up[id]);
	world->is_up[id] = false;
}

static bool alive(void *arg, const char *uid, const struct address *address)
{
	struct world *world = arg;

	assert_false(address_is_any(address));

	return world->alive && !strcmp(world->alive, uid);
}

static const struct kube_follow_ops ops = {up, down, alive};

static int count(const struct world *world)
{
	int n = 0;

	for (uint32_t i = 0; i < world->n; i++)
		n += world->is_up[i];
	return n;
}

/* The id of what is up there, or -1. */
static int at(const struct world *world, const char *text, uint16_t port)
{
	struct address address;

	assert_int_equal(address_parse(text, &address), 0);
	for (uint32_t i = 0; i < world->n; i++)
		if (world->is_up[i] && world->up[i].port == port &&
		    address_equal(&world->up[i].address, &address))
			return (int)i;
	return -1;
}

static json_t *load(const char *name)
{
	char path[256];
	json_t *json;

	snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
	json = json_load_file(path, 0, NULL);
	assert_non_null(json);
	return json;
}

static void take(struct members *members, struct service *service, const char *name,
		 const json_t *object, uint16_t port)
{
	members_begin(members, name);
	if (object)
		service_take(service, object, port, members);
	members_end(members);
}

static void take_items(struct members *members, const char *file)
{
	json_t *list = load(file), *item;
	struct service service = {};
	size_t i;

	json_array_foreach (json_object_get(list, "items"), i, item)
		take(members, &service, "slice", item, 0);
	json_decref(list);
}

static void test_slices_of_1_20(void **state)
{
	struct world world = {};
	struct members *members = members_new(&ops, &world);
	int id;

	(void)state;
	take_items(members, "endpointslices-v1beta1.json");
	/* they are not ready, and count */
	assert_int_equal(count(&world), 3);
	id = at(&world, "10.244.0.15", 8080);
	assert_true(id >= 0);
	assert_string_equal(world.up[id].pod->namespace, "core");
	assert_string_equal(world.up[id].pod->pod, "web-666f5d665c-89zrv");
	assert_string_equal(world.up[id].pod->uid, "67627047-db12-4174-a4b3-b9e063bbb72d");
	assert_string_equal(world.up[id].pod->node, "node-a");
	members_free(members);
}

static void test_slices_of_1_36(void **state)
{
	struct world world = {};
	struct members *members = members_new(&ops, &world);
	int id;

	(void)state;
	take_items(members, "endpointslices-v1.json");
	assert_int_equal(count(&world), 2);
	id = at(&world, "10.244.0.2", 8080);
	assert_true(id >= 0);
	assert_string_equal(world.up[id].pod->node, "node1");
	members_free(members);
}

static void test_endpoints(void **state)
{
	struct world world = {};
	struct members *members = members_new(&ops, &world);
	json_t *object = load("endpoints-web.json");
	struct service service = {};

	(void)state;
	take(members, &service, "web", object, 0);
	assert_int_equal(count(&world), 3);
	assert_true(at(&world, "10.244.0.13", 8080) >= 0);
	/* another port was asked for */
	take(members, &service, "web", object, 9090);
	assert_int_equal(count(&world), 0);
	json_decref(object);
	members_free(members);
}

#define SLICE(endpoints)                                                                           \
	"{\"ports\":[{\"name\":\"http\",\"port\":80},{\"name\":\"dns\",\"port\":53,"               \
	"\"protocol\":\"UDP\"}],\"endpoints\":[" endpoints "]}"
#define POD(ip, uid)                                                                               \
	"{\"addresses\":[\"" ip "\"],\"nodeName\":\"n\",\"targetRef\":{\"kind\":\"Pod\","          \
	"\"namespace\":\"x\",\"name\":\"p-" uid "\",\"uid\":\"" uid "\"}}"

static void take_text(struct members *members, const char *name, const char *text)
{
	struct service service = {};
	json_t *object = json_loads(text, 0, NULL);

	assert_non_null(object);
	take(members, &service, name, object, 0);
	json_decref(object);
}

static void test_come_and_go(void **state)
{
	struct world world = {};
	struct members *members = members_new(&ops, &world);
	int id;

	(void)state;
	take_text(members, "one", SLICE(POD("10.0.0.1", "a") "," POD("10.0.0.2", "b")));
	assert_int_equal(count(&world), 2);
	id = at(&world, "10.0.0.1", 80);
	/* the same again is no news, nor that another slice has it for a while */
	take_text(members, "one", SLICE(POD("10.0.0.1", "a") "," POD("10.0.0.2", "b")));
	take_text(members, "two", SLICE(POD("10.0.0.1", "a")));
	take_text(members, "one", SLICE(POD("10.0.0.2", "b")));
	assert_int_equal(world.n, 2);
	assert_int_equal(at(&world, "10.0.0.1", 80), id);
	/* the address goes to another pod: another endpoint */
	take_text(members, "two", SLICE(POD("10.0.0.1", "c")));
	assert_int_equal(world.n, 3);
	assert_int_equal(count(&world), 2);
	assert_string_equal(world.up[at(&world, "10.0.0.1", 80)].pod->uid, "c");
	take(members, NULL, "two", NULL, 0);
	take(members, NULL, "one", NULL, 0);
	assert_int_equal(count(&world), 0);
	members_free(members);
}

/* A Service drops a pod that terminates, but it can still be called. */
static void test_alive(void **state)
{
	struct world world = {.alive = "a"};
	struct members *members = members_new(&ops, &world);

	(void)state;
	take_text(members, "one", SLICE(POD("10.0.0.1", "a") "," POD("10.0.0.2", "b")));
	take_text(members, "one", SLICE(""));
	assert_int_equal(count(&world), 1);
	/* it is back: still the same one */
	take_text(members, "one", SLICE(POD("10.0.0.1", "a")));
	assert_int_equal(world.n, 2);
	take_text(members, "one", SLICE(""));
	members_check(members);
	assert_int_equal(count(&world), 1);
	world.alive = NULL;
	members_check(members);
	assert_int_equal(count(&world), 0);
	members_free(members);
}

/* What a list does not have any more is gone at its end. */
static void test_list(void **state)
{
	struct world world = {};
	struct members *members = members_new(&ops, &world);

	(void)state;
	members_list_begin(members);
	take_text(members, "one", SLICE(POD("10.0.0.1", "a")));
	take_text(members, "two", SLICE(POD("10.0.0.2", "b")));
	members_list_end(members);
	assert_int_equal(count(&world), 2);
	members_list_begin(members);
	take_text(members, "two", SLICE(POD("10.0.0.2", "b")));
	assert_int_equal(count(&world), 2);
	members_list_end(members);
	assert_int_equal(count(&world), 1);
	assert_int_equal(world.n, 2);
	members_free(members);
}

static int read_text(struct service *service, const char *spec, uint16_t port, char error[256])
{
	char text[1024];
	json_t *json;
	int r;

	snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"web\"},\"spec\":{%s}}", spec);
	json = json_loads(text, 0, NULL);
	assert_non_null(json);
	*service = (struct service){};
	error[0] = '\0';
	r = service_read(service, json, port, error, 256);
	json_decref(json);
	return r;
}

#define PORTS                                                                                      \
	"\"ports\":[{\"name\":\"http\",\"port\":80,\"targetPort\":8080},"                          \
	"{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"}]"

static void test_services(void **state)
{
	struct service service;
	char error[256];

	(void)state;
	assert_int_equal(read_text(&service, PORTS, 0, error), 0);
	assert_string_equal(not_watched_text(&service.not_watched, NOT_WATCHED_PROTOCOL),
			    "Not watched, since not TCP: port 53/UDP");
	assert_int_equal(read_text(&service, PORTS, 80, error), 0);
	assert_true(service.only_port);
	assert_string_equal(service.port_name, "http");
	service_deinit(&service);
	/* a port behind it */
	assert_int_equal(read_text(&service, PORTS, 8080, error), 0);
	assert_false(service.only_port);
	assert_int_equal(read_text(&service,
				   "\"type\":\"ExternalName\",\"externalName\":\"db.example.com\"",
				   0, error),
			 -EINVAL);
	assert_non_null(strstr(error, "a name for db.example.com"));
	assert_int_equal(
		read_text(&service, "\"ports\":[{\"port\":53,\"protocol\":\"UDP\"}]", 0, error),
		-EINVAL);
	assert_non_null(strstr(error, "svc/web has no TCP port, and only TCP can be watched"));
	/* headless, without ports */
	assert_int_equal(read_text(&service, "\"clusterIP\":\"None\"", 0, error), -EINVAL);
	assert_non_null(strstr(error, "say which it is, with --port N"));
	assert_int_equal(read_text(&service, "\"clusterIP\":\"None\"", 3000, error), 0);
	assert_true(service.portless);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slices_of_1_20), cmocka_unit_test(test_slices_of_1_36),
		cmocka_unit_test(test_endpoints),      cmocka_unit_test(test_come_and_go),
		cmocka_unit_test(test_alive),          cmocka_unit_test(test_list),
		cmocka_unit_test(test_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
