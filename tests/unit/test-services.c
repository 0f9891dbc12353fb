/* SPDX-License-Identifier: MIT */
/* Many Services: objects go in, and what is told of them is compared, line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/kube/members.h"
#include "../../user/kube/service-store.h"
#include "../../user/kube/slice-copy.h"

#define MAX 64

/* What was told since it was looked at last. */
struct world {
	struct service_store *store;
	char log[8192];
	size_t length;
	struct told_service {
		char name[64];
		bool watched;
	} services[MAX];
	size_t n_services;
	char endpoints[MAX][96];
	uint32_t n_endpoints;
	const char *refuse; /* "core/web": not watched */
	const char *alive;  /* UID of the pod that runs on */
	bool quiet;
	size_t watches, unwatches, ups, downs;
};

__attribute__((format(printf, 2, 3))) static void say(struct world *world, const char *format, ...)
{
	va_list args;

	if (world->quiet)
		return;
	va_start(args, format);
	world->length += (size_t)vsnprintf(world->log + world->length,
					   sizeof(world->log) - world->length, format, args);
	va_end(args);
	assert_true(world->length < sizeof(world->log));
}

static void *watch(void *arg, const struct kube_service_name *name)
{
	struct world *world = arg;
	struct told_service *service = &world->services[world->n_services % MAX];

	world->watches++;
	snprintf(service->name, sizeof(service->name), "%s/%s", name->namespace, name->name);
	say(world, "watch %s %s\n", service->name, name->uid);
	if (world->refuse && !strcmp(world->refuse, service->name))
		return NULL;
	world->n_services++;
	service->watched = true;
	return service;
}

static void unwatch(void *arg, void *service)
{
	struct told_service *told = service;
	struct world *world = arg;

	world->unwatches++;
	assert_true(told->watched || world->quiet);
	told->watched = false;
	say(world, "unwatch %s\n", told->name);
}

static void dialled(void *arg, void *service, const uint16_t *ports, size_t n)
{
	struct told_service *told = service;
	struct world *world = arg;

	say(world, "dialled %s", told->name);
	for (size_t i = 0; i < n; i++)
		say(world, " %u", ports[i]);
	say(world, "\n");
}

static uint32_t up(void *arg, void *service, const struct kube_endpoint *endpoint)
{
	struct told_service *told = service;
	struct world *world = arg;
	char address[ADDRESS_TEXT];
	char *text = world->endpoints[world->n_endpoints % MAX];

	world->ups++;
	assert_true(told->watched || world->quiet);
	snprintf(text, sizeof(world->endpoints[0]), "%s %s:%u", told->name,
		 address_format(&endpoint->address, address), endpoint->port);
	say(world, "up %s", text);
	if (endpoint->pod) {
		assert_string_equal(endpoint->pod->node, endpoint->node);
		assert_string_equal(endpoint->pod->kind, "Pod");
		assert_string_equal(endpoint->pod->workload, endpoint->pod->pod);
		say(world, " %s/%s %s", endpoint->pod->namespace, endpoint->pod->pod,
		    endpoint->pod->uid);
	}
	say(world, " on %s", endpoint->node);
	if (endpoint->started)
		say(world, " since %d", (int)endpoint->started);
	say(world, "\n");
	return world->n_endpoints++;
}

static void down(void *arg, void *service, uint32_t id)
{
	struct told_service *told = service;
	struct world *world = arg;

	world->downs++;
	assert_true(id < world->n_endpoints && (told->watched || world->quiet));
	say(world, "down %s\n", world->endpoints[id % MAX]);
}

static void not_watched(void *arg, void *service, const struct not_watched *what)
{
	struct told_service *told = service;
	struct world *world = arg;

	say(world, "not watched %s:", told->name);
	for (int i = 0; i < NOT_WATCHED_CODES; i++)
		if (what->codes & 1u << i)
			say(world, " [%s] %s", not_watched_name(1u << i),
			    not_watched_text(what, 1u << i));
	say(world, "\n");
}

static bool alive(void *arg, const char *uid, const struct address *address)
{
	struct world *world = arg;

	assert_false(address_is_any(address));
	return world->alive && !strcmp(world->alive, uid);
}

static int64_t started(void *arg, const char *uid)
{
	struct world *world = arg;

	return world->alive && !strcmp(world->alive, uid) ? 7 : 0;
}

static const struct kube_services_ops ops = {watch, unwatch, dialled, up, down, not_watched};

static void begin_limited(struct world *world, bool annotated, size_t limit)
{
	const struct kube_services_pods pods = {alive, started, world};

	*world = (struct world){};
	world->store = service_store_new(annotated, &ops, world, &pods, limit);
	assert_non_null(world->store);
}

static void begin(struct world *world, bool annotated)
{
	begin_limited(world, annotated, SERVICE_STORE_MAX);
}

static void end(struct world *world)
{
	service_store_free(world->store);
}

/* Line by line, and nothing else. */
static void told(struct world *world, const char *expected)
{
	assert_string_equal(world->log, expected);
	world->log[0] = '\0';
	world->length = 0;
}

static json_t *parse(const char *text)
{
	json_t *object = json_loads(text, 0, NULL);

	assert_non_null(object);
	return object;
}

static void service(struct world *world, enum kube_event event, const char *text)
{
	json_t *object = parse(text);

	service_store_service(world->store, event, object);
	json_decref(object);
}

static void slice(struct world *world, enum kube_event event, const char *text)
{
	json_t *object = parse(text);

	service_store_slice(world->store, event, object, false);
	json_decref(object);
}

#define ANNOTATED "\"annotations\":{\"whocalls.dev/watch\":\"true\"},"
#define SERVICE_OF(name, uid, more, spec)                                                          \
	"{\"metadata\":{" more "\"namespace\":\"core\",\"name\":\"" name "\",\"uid\":\"" uid       \
	"\"},\"spec\":{" spec "}}"
#define PORT_80 "\"ports\":[{\"port\":80,\"targetPort\":8080}]"
#define WEB SERVICE_OF("web", "u1", ANNOTATED, PORT_80)
#define WEB_PLAIN SERVICE_OF("web", "u1", "", PORT_80)
#define API SERVICE_OF("api", "u2", ANNOTATED, "\"ports\":[{\"port\":81}]")

#define SLICE_OF(name, service, ports, endpoints)                                                  \
	"{\"metadata\":{\"namespace\":\"core\",\"name\":\"" name "\",\"labels\":{"                 \
	"\"kubernetes.io/service-name\":\"" service                                                \
	"\"}},\"addressType\":\"IPv4\",\"ports\":[" ports "],\"endpoints\":[" endpoints "]}"
#define SLICE(name, endpoints) SLICE_OF(name, "web", "{\"name\":\"http\",\"port\":8080}", endpoints)
#define POD(ip, uid)                                                                               \
	"{\"addresses\":[\"" ip "\"],\"nodeName\":\"n1\",\"targetRef\":{\"kind\":\"Pod\","         \
	"\"namespace\":\"core\",\"name\":\"p-" uid "\",\"uid\":\"" uid "\"}}"
#define UP(ip, uid) "up core/web " ip ":8080 core/p-" uid " " uid " on n1\n"
#define DOWN(ip) "down core/web " ip ":8080\n"

static void test_service_first(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	service(&world, KUBE_LISTED, WEB);
	told(&world, "watch core/web u1\ndialled core/web 80\n");
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a") "," POD("10.0.0.2", "b")));
	told(&world, UP("10.0.0.1", "a") UP("10.0.0.2", "b"));
	/* the same again is no news */
	service(&world, KUBE_MODIFIED, WEB);
	slice(&world, KUBE_MODIFIED, SLICE("web-1", POD("10.0.0.1", "a") "," POD("10.0.0.2", "b")));
	told(&world, "");
	slice(&world, KUBE_MODIFIED, SLICE("web-1", POD("10.0.0.2", "b") "," POD("10.0.0.3", "c")));
	told(&world, UP("10.0.0.3", "c") DOWN("10.0.0.1"));
	service(&world, KUBE_DELETED, WEB);
	told(&world, DOWN("10.0.0.2") DOWN("10.0.0.3") "unwatch core/web\n");
	slice(&world, KUBE_DELETED, SLICE("web-1", ""));
	told(&world, "");
	assert_int_equal(service_store_size(world.store), 0);
	end(&world);
}

static void test_slices_first(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a")));
	slice(&world, KUBE_LISTED, SLICE("web-2", POD("10.0.0.2", "b")));
	/* another's, and one in another namespace */
	slice(&world, KUBE_LISTED, SLICE_OF("x", "api", "{\"port\":1}", POD("10.0.0.3", "c")));
	slice(&world, KUBE_LISTED,
	      "{\"metadata\":{\"namespace\":\"other\",\"name\":\"web-1\",\"labels\":{"
	      "\"kubernetes.io/service-name\":\"web\"}},\"ports\":[{\"port\":8080}],"
	      "\"endpoints\":[" POD("10.0.0.4", "d") "]}");
	told(&world, "");
	service(&world, KUBE_LISTED, WEB);
	told(&world,
	     "watch core/web u1\ndialled core/web 80\n" UP("10.0.0.1", "a") UP("10.0.0.2", "b"));
	end(&world);
}

static void test_annotation(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a")));
	service(&world, KUBE_LISTED, WEB_PLAIN);
	told(&world, "");
	service(&world, KUBE_MODIFIED, WEB);
	told(&world, "watch core/web u1\ndialled core/web 80\n" UP("10.0.0.1", "a"));
	/* what is alive is called, but not watched: it was not asked for any more */
	world.alive = "a";
	service(&world, KUBE_MODIFIED,
		SERVICE_OF("web", "u1", "\"annotations\":{\"whocalls.dev/watch\":\"false\"},",
			   PORT_80));
	told(&world, DOWN("10.0.0.1") "unwatch core/web\n");
	service(&world, KUBE_MODIFIED, WEB_PLAIN);
	told(&world, "");
	service(&world, KUBE_MODIFIED, WEB);
	told(&world, "watch core/web u1\ndialled core/web 80\n"
		     "up core/web 10.0.0.1:8080 core/p-a a on n1 since 7\n");
	end(&world);
}

/* Without annotations all that is told is watched: all, or what a selector has. */
static void test_all(void **state)
{
	struct world world;

	(void)state;
	begin(&world, false);
	service(&world, KUBE_ADDED, WEB_PLAIN);
	told(&world, "watch core/web u1\ndialled core/web 80\n");
	service(&world, KUBE_DELETED, WEB_PLAIN);
	told(&world, "unwatch core/web\n");
	service(&world, KUBE_DELETED, WEB_PLAIN);
	told(&world, "");
	end(&world);
}

static void test_another_uid(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	service(&world, KUBE_LISTED, WEB);
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a")));
	told(&world, "watch core/web u1\ndialled core/web 80\n" UP("10.0.0.1", "a"));
	service(&world, KUBE_LISTED, SERVICE_OF("web", "u9", ANNOTATED, PORT_80));
	told(&world, DOWN("10.0.0.1") "unwatch core/web\nwatch core/web u9\n"
				      "dialled core/web 80\n" UP("10.0.0.1", "a"));
	end(&world);
}

static void test_ports(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	service(&world, KUBE_LISTED,
		SERVICE_OF("web", "u1", ANNOTATED,
			   "\"type\":\"NodePort\",\"ports\":[{\"name\":\"http\",\"port\":80,"
			   "\"nodePort\":30080},{\"name\":\"admin\",\"port\":81}]"));
	told(&world, "watch core/web u1\ndialled core/web 80 30080 81\n");
	/* named, and resolved by the slice; two ports of one pod */
	slice(&world, KUBE_LISTED,
	      SLICE_OF("web-1", "web",
		       "{\"name\":\"http\",\"port\":8080},{\"name\":\"admin\",\"port\":9090}",
		       POD("10.0.0.1", "a")));
	told(&world, UP("10.0.0.1", "a") "up core/web 10.0.0.1:9090 core/p-a a on n1\n");
	/* another targetPort */
	slice(&world, KUBE_MODIFIED,
	      SLICE_OF("web-1", "web",
		       "{\"name\":\"http\",\"port\":8081},{\"name\":\"admin\",\"port\":9090}",
		       POD("10.0.0.1", "a")));
	told(&world, "up core/web 10.0.0.1:8081 core/p-a a on n1\n" DOWN("10.0.0.1"));
	/* other ports of its own, then none */
	service(&world, KUBE_MODIFIED, WEB);
	told(&world, "dialled core/web 80\n");
	service(&world, KUBE_MODIFIED,
		SERVICE_OF("web", "u1", ANNOTATED, "\"clusterIP\":\"None\""));
	told(&world, "dialled core/web\n"
		     "not watched core/web: [no-port] svc/web has no TCP port\n");
	service(&world, KUBE_MODIFIED, WEB);
	told(&world, "dialled core/web 80\nnot watched core/web:\n");
	end(&world);
}

/* A pod in two slices for a while, and a slice that goes over to another Service. */
static void test_several_slices(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	service(&world, KUBE_LISTED, WEB);
	service(&world, KUBE_LISTED, API);
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a")));
	told(&world, "watch core/web u1\ndialled core/web 80\nwatch core/api u2\n"
		     "dialled core/api 81\n" UP("10.0.0.1", "a"));
	slice(&world, KUBE_ADDED, SLICE("web-2", POD("10.0.0.1", "a") "," POD("10.0.0.2", "b")));
	slice(&world, KUBE_DELETED, SLICE("web-1", POD("10.0.0.1", "a")));
	told(&world, UP("10.0.0.2", "b"));
	slice(&world, KUBE_MODIFIED,
	      SLICE_OF("web-2", "api", "{\"port\":8080}", POD("10.0.0.2", "b")));
	told(&world,
	     DOWN("10.0.0.1") DOWN("10.0.0.2") "up core/api 10.0.0.2:8080 core/p-b b on n1\n");
	/* and to none */
	slice(&world, KUBE_MODIFIED, "{\"metadata\":{\"namespace\":\"core\",\"name\":\"web-2\"}}");
	told(&world, "down core/api 10.0.0.2:8080\n");
	end(&world);
}

static void test_two_services_over_the_same_pods(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	service(&world, KUBE_LISTED, WEB);
	service(&world, KUBE_LISTED, API);
	told(&world, "watch core/web u1\ndialled core/web 80\nwatch core/api u2\n"
		     "dialled core/api 81\n");
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a")));
	slice(&world, KUBE_LISTED,
	      SLICE_OF("api-1", "api", "{\"port\":8080}", POD("10.0.0.1", "a")));
	told(&world, UP("10.0.0.1", "a") "up core/api 10.0.0.1:8080 core/p-a a on n1\n");
	service(&world, KUBE_DELETED, API);
	told(&world, "down core/api 10.0.0.1:8080\nunwatch core/api\n");
	end(&world);
}

/* What a list does not have any more is gone at its end; what is listed twice is there once. */
static void test_relist(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	service_store_services_begin(world.store);
	service(&world, KUBE_LISTED, WEB);
	service(&world, KUBE_LISTED, API);
	service_store_services_end(world.store);
	service_store_slices_begin(world.store);
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a")));
	slice(&world, KUBE_LISTED, SLICE("web-2", POD("10.0.0.2", "b")));
	service_store_slices_end(world.store);
	told(&world, "watch core/web u1\ndialled core/web 80\nwatch core/api u2\n"
		     "dialled core/api 81\n" UP("10.0.0.1", "a") UP("10.0.0.2", "b"));
	/* a list that is broken off ends nothing */
	service_store_slices_begin(world.store);
	service_store_slices_begin(world.store);
	slice(&world, KUBE_LISTED, SLICE("web-2", POD("10.0.0.2", "b")));
	told(&world, "");
	service_store_slices_end(world.store);
	told(&world, DOWN("10.0.0.1"));
	service_store_services_begin(world.store);
	service(&world, KUBE_LISTED, API);
	told(&world, "");
	service_store_services_end(world.store);
	told(&world, DOWN("10.0.0.2") "unwatch core/web\n");
	/* its slice is still known */
	service(&world, KUBE_ADDED, WEB);
	told(&world, "watch core/web u1\ndialled core/web 80\n" UP("10.0.0.2", "b"));
	end(&world);
}

/* A Service drops a pod that terminates, but it can still be called. */
static void test_alive(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	service(&world, KUBE_LISTED, WEB);
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a") "," POD("10.0.0.2", "b")));
	told(&world,
	     "watch core/web u1\ndialled core/web 80\n" UP("10.0.0.1", "a") UP("10.0.0.2", "b"));
	world.alive = "a";
	slice(&world, KUBE_DELETED, SLICE("web-1", ""));
	told(&world, DOWN("10.0.0.2"));
	service_store_check(world.store);
	/* back, and still the same */
	slice(&world, KUBE_ADDED, SLICE("web-3", POD("10.0.0.1", "a")));
	slice(&world, KUBE_DELETED, SLICE("web-3", ""));
	service_store_check(world.store);
	told(&world, "");
	world.alive = NULL;
	service_store_check(world.store);
	told(&world, DOWN("10.0.0.1"));
	service_store_check(world.store);
	told(&world, "");
	end(&world);
}

static void test_what_is_not_watched(void **state)
{
	struct world world;

	(void)state;
	begin(&world, false);
	service(&world, KUBE_LISTED,
		SERVICE_OF("dns", "u1", "",
			   "\"ports\":[{\"port\":53},{\"port\":53,\"protocol\":\"UDP\"}]"));
	told(&world, "watch core/dns u1\ndialled core/dns 53\nnot watched core/dns: [protocol] "
		     "Not watched, since not TCP: port 53/UDP\n");
	slice(&world, KUBE_LISTED,
	      SLICE_OF("dns-1", "dns", "{\"port\":53,\"protocol\":\"UDP\"},{\"port\":53}",
		       POD("10.0.0.1", "a")));
	told(&world, "up core/dns 10.0.0.1:53 core/p-a a on n1\n");
	service(&world, KUBE_MODIFIED,
		SERVICE_OF("dns", "u1", "", "\"ports\":[{\"port\":53,\"protocol\":\"UDP\"}]"));
	told(&world, "dialled core/dns\nnot watched core/dns: [protocol] svc/dns has no TCP port, "
		     "and only TCP can be watched\n");
	service(&world, KUBE_MODIFIED, SERVICE_OF("dns", "u1", "", "\"ports\":[{\"port\":53}]"));
	told(&world, "dialled core/dns 53\nnot watched core/dns:\n");
	/* names in place of addresses, and no ports; and that both go away again */
	slice(&world, KUBE_ADDED,
	      "{\"metadata\":{\"namespace\":\"core\",\"name\":\"dns-2\",\"labels\":{"
	      "\"kubernetes.io/service-name\":\"dns\"}},\"addressType\":\"FQDN\","
	      "\"endpoints\":[{\"addresses\":[\"db.example.com\"]}]}");
	told(&world, "not watched core/dns: [name] Not watched: EndpointSlice dns-2 has names in "
		     "place of addresses\n");
	slice(&world, KUBE_ADDED, SLICE_OF("dns-3", "dns", "", POD("10.0.0.2", "b")));
	told(&world, "not watched core/dns: [no-port] EndpointSlice dns-3 does not tell on which "
		     "port its endpoints listen, and they are not watched [name] Not watched: "
		     "EndpointSlice dns-2 has names in place of addresses\n");
	slice(&world, KUBE_DELETED, SLICE_OF("dns-2", "dns", "", ""));
	told(&world, "not watched core/dns: [no-port] EndpointSlice dns-3 does not tell on which "
		     "port its endpoints listen, and they are not watched\n");
	slice(&world, KUBE_MODIFIED,
	      SLICE_OF("dns-3", "dns", "{\"port\":53}", "{\"addresses\":[\"nonsense\"]}"));
	told(&world, "not watched core/dns: [unreadable] Not watched: an endpoint whose address "
		     "can't be read\n");
	slice(&world, KUBE_DELETED, SLICE_OF("dns-3", "dns", "", ""));
	told(&world, "not watched core/dns:\n");
	end(&world);
}

static void test_external_name(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a")));
	service(&world, KUBE_LISTED,
		SERVICE_OF("web", "u1", ANNOTATED,
			   "\"type\":\"ExternalName\",\"externalName\":\"db.example.com\""));
	told(&world, "watch core/web u1\nnot watched core/web: [name] svc/web is of type "
		     "ExternalName: a name for db.example.com, outside of this cluster's pods, so "
		     "there is nothing here to watch\n");
	service(&world, KUBE_MODIFIED, WEB);
	told(&world, "dialled core/web 80\n" UP("10.0.0.1", "a") "not watched core/web:\n");
	service(&world, KUBE_MODIFIED,
		SERVICE_OF("web", "u1", ANNOTATED,
			   "\"type\":\"ExternalName\",\"externalName\":\"d\""));
	told(&world,
	     "dialled core/web\n" DOWN(
		     "10.0.0.1") "not watched core/web: [name] svc/web is "
				 "of type ExternalName: a name for d, outside of this cluster's pods, so "
				 "there is nothing here to watch\n");
	end(&world);
}

/* Headless, and without a selector: slices are written by hand, addresses are nobody's pods. */
static void test_headless_without_a_selector(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	service(&world, KUBE_LISTED,
		SERVICE_OF("web", "u1", ANNOTATED,
			   "\"clusterIP\":\"None\",\"ports\":[{\"port\":5432}]"));
	slice(&world, KUBE_LISTED,
	      SLICE_OF("mine", "web", "{\"port\":5432}",
		       "{\"addresses\":[\"192.0.2.7\",\"192.0.2.7\"]},"
		       "{\"addresses\":[\"2001:db8::1\"],\"nodeName\":\"n2\"}"));
	told(&world, "watch core/web u1\ndialled core/web 5432\nup core/web 192.0.2.7:5432 on \n"
		     "up core/web 2001:db8::1:5432 on n2\n");
	end(&world);
}

/* Before EndpointSlices an Endpoints object has the Service's name. */
static void test_endpoints(void **state)
{
	struct world world;
	json_t *object = parse(
		"{\"metadata\":{\"namespace\":\"core\",\"name\":\"web\"},\"subsets\":[{"
		"\"addresses\":[{\"ip\":\"10.0.0.1\",\"nodeName\":\"n1\",\"targetRef\":{\"kind\":"
		"\"Pod\",\"namespace\":\"core\",\"name\":\"p-a\",\"uid\":\"a\"}}],"
		"\"notReadyAddresses\":[{\"ip\":\"10.0.0.2\"}],\"ports\":[{\"port\":8080}]}]}");

	(void)state;
	begin(&world, true);
	service_store_slice(world.store, KUBE_LISTED, object, true);
	service(&world, KUBE_LISTED, WEB);
	told(&world, "watch core/web u1\ndialled core/web 80\n" UP(
			     "10.0.0.1", "a") "up core/web 10.0.0.2:8080 on \n");
	service_store_slice(world.store, KUBE_DELETED, object, true);
	told(&world, DOWN("10.0.0.1") DOWN("10.0.0.2"));
	json_decref(object);
	end(&world);
}

static void test_refused(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	world.refuse = "core/web";
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a")));
	service(&world, KUBE_LISTED, WEB);
	told(&world, "watch core/web u1\n");
	assert_string_equal(service_store_trouble(world.store, 0),
			    "1 Services can't be watched besides all others: there is no more "
			    "room; watch fewer");
	/* it is not tried again, and nothing is told of it */
	service(&world, KUBE_MODIFIED, WEB);
	slice(&world, KUBE_MODIFIED, SLICE("web-1", POD("10.0.0.2", "b")));
	service(&world, KUBE_DELETED, WEB);
	told(&world, "");
	assert_null(service_store_trouble(world.store, 0));
	end(&world);
}

static void test_no_room(void **state)
{
	struct world world;
	size_t size;

	(void)state;
	begin(&world, true);
	service(&world, KUBE_LISTED, WEB);
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a")));
	size = service_store_size(world.store);
	end(&world);

	begin_limited(&world, true, size);
	service(&world, KUBE_LISTED, WEB);
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a")));
	told(&world, "watch core/web u1\ndialled core/web 80\n" UP("10.0.0.1", "a"));
	assert_null(service_store_trouble(world.store, 1));
	slice(&world, KUBE_ADDED, SLICE("web-2", POD("10.0.0.2", "b")));
	told(&world, "not watched core/web: [too-large] An EndpointSlice was too large, or found "
		     "no room, and may be of this Service\n");
	assert_non_null(service_store_trouble(world.store, 1));
	/* a list in which all find room */
	service_store_slices_begin(world.store);
	slice(&world, KUBE_LISTED, SLICE("web-1", POD("10.0.0.1", "a")));
	told(&world, "");
	service_store_slices_end(world.store);
	told(&world, "not watched core/web:\n");
	assert_null(service_store_trouble(world.store, 1));
	/* of a Service */
	service(&world, KUBE_ADDED, API);
	told(&world, "");
	assert_non_null(service_store_trouble(world.store, 1));
	end(&world);
}

static void test_too_large(void **state)
{
	struct world world;

	(void)state;
	begin(&world, true);
	service(&world, KUBE_LISTED, WEB);
	service_store_too_large(world.store, true);
	service_store_too_large(world.store, true);
	told(&world, "watch core/web u1\ndialled core/web 80\nnot watched core/web: [too-large] An "
		     "EndpointSlice was too large, or found no room, and may be of this "
		     "Service\n");
	service_store_too_large(world.store, false);
	told(&world, "not watched core/web:\n");
	end(&world);
}

static void test_nonsense(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"metadata\":[]}",
		"{\"metadata\":{\"name\":7,\"namespace\":\"core\"}}",
		"{\"metadata\":{\"name\":\"web\"},\"spec\":{}}",
		"{\"metadata\":{\"name\":\"web\",\"namespace\":\"core\",\"labels\":[]}}",
		("{\"metadata\":{\"name\":\"web\",\"namespace\":\"core\",\"labels\":{"
		 "\"kubernetes.io/service-name\":7}},\"endpoints\":7}"),
	};
	struct world world;

	(void)state;
	begin(&world, true);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		service(&world, KUBE_ADDED, texts[i]);
		slice(&world, KUBE_ADDED, texts[i]);
	}
	told(&world, "");
	assert_non_null(service_store_trouble(world.store, 1));
	assert_int_equal(service_store_size(world.store), 0);
	end(&world);
}

/* A string that entries share is there once. */
static void test_copy(void **state)
{
	json_t *one = parse(SLICE_OF("s", "web", "{\"port\":1}", POD("10.0.0.1", "a")));
	json_t *ports =
		parse(SLICE_OF("s", "web", "{\"port\":1},{\"port\":2}", POD("10.0.0.1", "a")));
	json_t *two = parse(SLICE_OF("s", "web", "{\"port\":1}",
				     POD("10.0.0.1", "a") "," POD("10.0.0.2", "b")));
	struct slice_copy *a = slice_copy_new(one), *b = slice_copy_new(ports),
			  *c = slice_copy_new(two), *again = slice_copy_new(two);

	(void)state;
	assert_int_equal(slice_copy_size(b) - slice_copy_size(a), 36);
	assert_int_equal(slice_copy_size(c) - slice_copy_size(a), 36 + sizeof("p-b") + sizeof("b"));
	assert_true(slice_copy_equal(c, again));
	assert_false(slice_copy_equal(a, c));
	slice_copy_free(a);
	slice_copy_free(b);
	slice_copy_free(c);
	slice_copy_free(again);
	json_decref(one);
	json_decref(ports);
	json_decref(two);
}

#define MANY 10000

static void many(struct world *world, enum kube_event event)
{
	char text[1024];

	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), SERVICE_OF("web-%d", "u%d", ANNOTATED, PORT_80), i, i);
		service(world, event, text);
	}
}

static void test_ten_thousand(void **state)
{
	struct world world;
	char text[1024];
	size_t size;

	(void)state;
	begin(&world, true);
	world.quiet = true;
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text),
			 SLICE_OF("web-%d-x", "web-%d", "{\"port\":8080}",
				  POD("10.1.%d.%d", "a") "," POD("10.2.%d.%d", "b")),
			 i, i, i / 250, i % 250, i / 250, i % 250);
		slice(&world, KUBE_LISTED, text);
	}
	size = service_store_size(world.store);
	many(&world, KUBE_LISTED);
	assert_int_equal(world.watches, MANY);
	assert_int_equal(world.ups, 2 * MANY);
	assert_int_equal(world.downs, 0);
	many(&world, KUBE_DELETED);
	assert_int_equal(world.unwatches, MANY);
	assert_int_equal(world.downs, 2 * MANY);
	/* what was counted is given back exactly */
	assert_int_equal(service_store_size(world.store), size);
	service_store_slices_begin(world.store);
	service_store_slices_end(world.store);
	assert_int_equal(service_store_size(world.store), 0);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service_first),
		cmocka_unit_test(test_slices_first),
		cmocka_unit_test(test_annotation),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_another_uid),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_several_slices),
		cmocka_unit_test(test_two_services_over_the_same_pods),
		cmocka_unit_test(test_relist),
		cmocka_unit_test(test_alive),
		cmocka_unit_test(test_what_is_not_watched),
		cmocka_unit_test(test_external_name),
		cmocka_unit_test(test_headless_without_a_selector),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_ten_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
