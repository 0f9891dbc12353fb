/* SPDX-License-Identifier: MIT */
/*
 * The watches of many Services, against an API server in this very process, which answers for any
 * collection what it has a history of.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/kube/clock.h"
#include "../../user/kube/kube.h"

#define MS UINT64_C(1000000)
#define LIMIT (20000 * MS)
#define MAX 64
#define FIRST 1000

struct change {
	const char *path; /* of its collection */
	int version;
	const char *type;
	const char *name;
	char *object;
};

struct visitor {
	int fd; /* -1: free */
	char in[4096];
	size_t length;
	char path[256]; /* of the collection that it watches; "": none */
	int told;
};

struct world {
	int listener;
	struct visitor at[MAX];
	struct change log[MAX];
	int n;
	int version;
	int oldest;            /* watches from before are 410 */
	const char *forbidden; /* collections that are 403, ... */
	const char *missing;   /* ... or 404: what their path has */
	char asked[MAX][512];  /* the queries of lists, in their order */
	int n_asked;
	bool bookmarks; /* each watch begins with one */
	int watches;
	/* what was told */
	char lines[MAX][160];
	int n_lines;
	char endpoints[MAX][96];
	uint32_t n_endpoints;
	struct kube *kube;
};

/* --- the server --- */

#define SERVICES "/api/v1/services"
#define SLICES "/apis/discovery.k8s.io/v1/endpointslices"
#define PODS "/api/v1/pods"

__attribute__((format(printf, 5, 6))) static void happens(struct world *world, const char *path,
							  const char *type, const char *name,
							  const char *format, ...)
{
	struct change *change = &world->log[world->n++];
	char *rest;
	va_list args;

	assert_true(world->n < MAX);
	*change = (struct change){path, ++world->version, type, name, NULL};
	va_start(args, format);
	assert_true(vasprintf(&rest, format, args) > 0);
	va_end(args);
	assert_true(asprintf(&change->object,
			     "{\"metadata\":{\"namespace\":\"core\",\"name\":\"%s\","
			     "\"resourceVersion\":\"%d\",%s}",
			     name, world->version, rest) > 0);
	free(rest);
}

static void answer(const struct visitor *c, const char *status, const char *body)
{
	dprintf(c->fd,
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		status, strlen(body), body);
}

static bool is_last(const struct world *world, int i)
{
	for (int j = i + 1; j < world->n; j++)
		if (!strcmp(world->log[j].path, world->log[i].path) &&
		    !strcmp(world->log[j].name, world->log[i].name))
			return false;
	return strcmp(world->log[i].type, "DELETED") != 0;
}

static void answer_list(struct world *world, const struct visitor *c, const char *path)
{
	char *body = NULL;
	const char *comma = "";
	size_t size;
	FILE *out = open_memstream(&body, &size);

	assert_non_null(out);
	fprintf(out, "{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"%d\"},\"items\":[",
		world->version);
	for (int i = 0; i < world->n; i++) {
		if (strcmp(world->log[i].path, path) != 0 || !is_last(world, i))
			continue;
		fprintf(out, "%s%s", comma, world->log[i].object);
		comma = ",";
	}
	fprintf(out, "]}");
	fclose(out);
	answer(c, "200 OK", body);
	free(body);
}

static void send_line(const struct visitor *c, const char *type, const char *object)
{
	char *text;
	int n = asprintf(&text, "{\"type\":\"%s\",\"object\":%s}\n", type, object);

	assert_true(n > 0);
	dprintf(c->fd, "%x\r\n%s\r\n", (unsigned int)n, text);
	free(text);
}

static void begin_watch(struct world *world, struct visitor *c, const char *path, const char *query)
{
	const char *from = strstr(query, "resourceVersion=");
	char bookmark[64];

	assert_non_null(from);
	c->told = atoi(from + strlen("resourceVersion="));
	if (c->told < world->oldest) {
		answer(c, "410 Gone", "{\"kind\":\"Status\",\"code\":410,\"message\":\"too old\"}");
		return;
	}
	world->watches++;
	dprintf(c->fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		       "Transfer-Encoding: chunked\r\n\r\n");
	snprintf(c->path, sizeof(c->path), "%s", path);
	if (!world->bookmarks)
		return;
	snprintf(bookmark, sizeof(bookmark), "{\"metadata\":{\"resourceVersion\":\"%d\"}}",
		 world->version);
	send_line(c, "BOOKMARK", bookmark);
}

static bool has(const char *path, const char *part)
{
	return part && strstr(path, part);
}

static void request(struct world *world, struct visitor *c, char *path)
{
	char *query = strchr(path, '?');

	assert_non_null(query);
	*query++ = '\0';
	c->path[0] = '\0';
	if (!has(query, "watch=1") && !has(path, "/nodes"))
		snprintf(world->asked[world->n_asked++ % MAX], sizeof(world->asked[0]), "%s?%s",
			 path, query);
	if (has(path, world->forbidden))
		answer(c, "403 No", "{\"kind\":\"Status\",\"message\":\"no\"}");
	else if (has(path, world->missing))
		answer(c, "404 No", "{\"kind\":\"Status\"}");
	else if (has(query, "watch=1"))
		begin_watch(world, c, path, query);
	else
		answer_list(world, c, path);
}

static void drop(struct visitor *c)
{
	close(c->fd);
	*c = (struct visitor){.fd = -1};
}

static void take(struct world *world, struct visitor *c)
{
	ssize_t n = recv(c->fd, c->in + c->length, sizeof(c->in) - 1 - c->length, MSG_DONTWAIT);
	char *space;

	if (n <= 0) {
		drop(c);
		return;
	}
	c->length += (size_t)n;
	c->in[c->length] = '\0';
	if (!strstr(c->in, "\r\n\r\n"))
		return;
	assert_memory_equal(c->in, "GET ", 4);
	space = strchr(c->in + 4, ' ');
	assert_non_null(space);
	*space = '\0';
	c->length = 0;
	request(world, c, c->in + 4);
}

static void tell(const struct world *world, struct visitor *c)
{
	for (int i = 0; i < world->n && c->path[0]; i++) {
		const struct change *change = &world->log[i];

		if (change->version <= c->told || strcmp(change->path, c->path) != 0)
			continue;
		c->told = change->version;
		send_line(c, change->type, change->object);
	}
}

/* All watches end, and what was told until now can't be gone on from. */
static void forget(struct world *world)
{
	world->oldest = ++world->version;
	for (int i = 0; i < MAX; i++)
		if (world->at[i].path[0])
			drop(&world->at[i]);
}

static void accept_one(struct world *world)
{
	for (int i = 0; i < MAX; i++) {
		if (world->at[i].fd >= 0)
			continue;
		world->at[i] =
			(struct visitor){.fd = accept4(world->listener, NULL, NULL, SOCK_CLOEXEC)};
		return;
	}
}

/* Both sides, for some milliseconds at most. */
static void turn(struct world *world)
{
	struct pollfd fds[MAX + 2];

	fds[0] = (struct pollfd){.fd = world->listener, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = kube_fd(world->kube), .events = POLLIN};
	for (int i = 0; i < MAX; i++)
		fds[i + 2] = (struct pollfd){.fd = world->at[i].fd, .events = POLLIN};
	poll(fds, MAX + 2, 5);
	if (fds[0].revents)
		accept_one(world);
	for (int i = 0; i < MAX; i++)
		if (fds[i + 2].revents && fds[i + 2].fd == world->at[i].fd)
			take(world, &world->at[i]);
	for (int i = 0; i < MAX; i++)
		tell(world, &world->at[i]);
	kube_run(world->kube);
	kube_tick(world->kube, monotonic_ns());
}

/* --- what is told --- */

__attribute__((format(printf, 2, 3))) static void say(struct world *world, const char *format, ...)
{
	va_list args;

	assert_true(world->n_lines < MAX);
	va_start(args, format);
	vsnprintf(world->lines[world->n_lines++], sizeof(world->lines[0]), format, args);
	va_end(args);
}

static void *watch(void *arg, const struct kube_service_name *name)
{
	say(arg, "watch %s/%s %s", name->namespace, name->name, name->uid);
	return arg;
}

static void unwatch(void *arg, void *service)
{
	assert_ptr_equal(arg, service);
	say(arg, "unwatch");
}

static void dialled(void *arg, void *service, const uint16_t *ports, size_t n)
{
	assert_ptr_equal(arg, service);
	say(arg, "dialled %u of %zu", n ? ports[0] : 0, n);
}

static uint32_t up(void *arg, void *service, const struct kube_endpoint *endpoint)
{
	struct world *world = arg;
	char address[ADDRESS_TEXT];
	char *text = world->endpoints[world->n_endpoints];

	assert_ptr_equal(arg, service);
	snprintf(text, sizeof(world->endpoints[0]), "%s:%u on %s",
		 address_format(&endpoint->address, address), endpoint->port, endpoint->node);
	say(world, "up %s%s", text, endpoint->started ? " started" : "");
	return world->n_endpoints++;
}

static void down(void *arg, void *service, uint32_t id)
{
	struct world *world = arg;

	assert_ptr_equal(arg, service);
	say(world, "down %s", world->endpoints[id]);
}

static void not_watched(void *arg, void *service, const struct not_watched *what)
{
	assert_ptr_equal(arg, service);
	say(arg, "not watched %u", what->codes);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* These lines are told since it was looked at last, and no others. Two watches tell them, so that
 * they stand here in the order of the alphabet. */
static void told(struct world *world, int n, const char *const *lines)
{
	uint64_t end = monotonic_ns() + LIMIT;

	while (world->n_lines < n && monotonic_ns() < end)
		turn(world);
	qsort(world->lines, (size_t)world->n_lines, sizeof(world->lines[0]), by_text);
	for (int i = 0; i < world->n_lines && i < n; i++)
		assert_string_equal(world->lines[i], lines[i]);
	assert_int_equal(world->n_lines, n);
	world->n_lines = 0;
}
#define TOLD(world, ...)                                                                           \
	told(world, sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *),                  \
	     (const char *[]){__VA_ARGS__})

/* Until so many watches have begun. */
static void watching(struct world *world, int watches)
{
	uint64_t end = monotonic_ns() + LIMIT;

	while (world->watches < watches && monotonic_ns() < end)
		turn(world);
	assert_int_equal(world->watches, watches);
}

/* --- begin and end --- */

static void begin(struct world *world, const struct kube_services_wish *wish)
{
	static const struct kube_services_ops ops = {watch, unwatch, dialled,
						     up,    down,    not_watched};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);
	struct kube_config *config = calloc(1, sizeof(*config));
	char error[256] = "";

	world->version = FIRST;
	for (int i = 0; i < MAX; i++)
		world->at[i].fd = -1;
	world->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(world->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(world->listener, MAX), 0);
	assert_int_equal(getsockname(world->listener, (struct sockaddr *)&at, &length), 0);
	assert_non_null(config);
	config->source = strdup("test");
	assert_true(asprintf(&config->server, "http://127.0.0.1:%u", ntohs(at.sin_port)) > 0);
	config->namespace = strdup("core");
	assert_int_equal(kube_open(&world->kube, config, "n", true, error, sizeof(error)), 0);
	assert_int_equal(kube_watch_services(world->kube, wish, &ops, world, error, sizeof(error)),
			 0);
	assert_false(kube_services_synced(world->kube));
}

static void end(struct world *world)
{
	assert_int_equal(world->n_lines, 0);
	kube_close(world->kube);
	for (int i = 0; i < MAX; i++)
		if (world->at[i].fd >= 0)
			close(world->at[i].fd);
	for (int i = 0; i < world->n; i++)
		free(world->log[i].object);
	close(world->listener);
}

#define ANNOTATED ",\"annotations\":{\"whocalls.dev/watch\":\"true\"}"

static void web(struct world *world, const char *type, const char *uid, const char *more)
{
	happens(world, SERVICES, type, "web",
		"\"uid\":\"%s\"%s},\"spec\":{\"ports\":[{\"port\":80}]}", uid, more);
}

#define OF_WEB "\"labels\":{\"kubernetes.io/service-name\":\"web\"}},\"ports\":[{\"port\":8080}]"
#define POD(ip, uid)                                                                               \
	"{\"addresses\":[\"" ip "\"],\"nodeName\":\"n\",\"targetRef\":{\"kind\":\"Pod\","          \
	"\"namespace\":\"core\",\"name\":\"p-" uid "\",\"uid\":\"" uid "\"}}"

static void slice(struct world *world, const char *type, const char *name, const char *endpoints)
{
	happens(world, SLICES, type, name, OF_WEB ",\"endpoints\":[%s]", endpoints);
}

static void pod(struct world *world, const char *type, const char *name, const char *ip)
{
	happens(world, PODS, type, name,
		"\"uid\":\"%s\"},\"spec\":{\"nodeName\":\"n\",\"containers\":[]},\"status\":{"
		"\"phase\":\"Running\",\"startTime\":\"2026-11-22T07:48:24Z\",\"podIP\":\"%s\"}",
		name, ip);
}

/* Whether this was asked for, from the start, so many times. */
static int asked(const struct world *world, const char *what)
{
	int n = 0;

	for (int i = 0; i < world->n_asked; i++)
		n += !strcmp(world->asked[i], what);
	return n;
}

/* Until there is a trouble that begins so. */
static void trouble(struct world *world, const char *expected)
{
	uint64_t limit = monotonic_ns() + LIMIT;
	struct kube_trouble troubles[8];
	size_t n = 0;

	while (monotonic_ns() < limit) {
		n = kube_troubles(world->kube, troubles, 8);
		for (size_t i = 0; i < n; i++)
			if (!strcmp(troubles[i].text, expected))
				return;
		turn(world);
	}
	fail_msg("no trouble \"%s\", but \"%s\"", expected, n ? troubles[0].text : "");
}

/* --- tests --- */

static void test_live(void **state)
{
	const struct kube_services_wish wish = {};
	struct world world = {};
	const char *why;

	(void)state;
	begin(&world, &wish);
	pod(&world, "ADDED", "a", "10.0.0.1");
	slice(&world, "ADDED", "web-1", POD("10.0.0.1", "a") "," POD("10.0.0.2", "b"));
	web(&world, "ADDED", "u1", "");
	watching(&world, 3);
	assert_true(kube_services_synced(world.kube));
	assert_int_equal(kube_troubles(world.kube, NULL, 0), 0);
	assert_int_equal(asked(&world, SERVICES "?limit=500"), 1);
	assert_int_equal(
		asked(&world, SLICES "?labelSelector=kubernetes.io%2Fservice-name&limit=500"), 1);
	web(&world, "MODIFIED", "u1", ANNOTATED);
	TOLD(&world, "dialled 80 of 1", "up 10.0.0.1:8080 on n started", "up 10.0.0.2:8080 on n",
	     "watch core/web u1");
	/* what the Service drops is kept, as long as its pod is alive; of b nothing is known */
	slice(&world, "MODIFIED", "web-1", POD("10.0.0.3", "c"));
	TOLD(&world, "down 10.0.0.2:8080 on n", "up 10.0.0.3:8080 on n");
	pod(&world, "DELETED", "a", "10.0.0.1");
	TOLD(&world, "down 10.0.0.1:8080 on n");
	web(&world, "DELETED", "u1", ANNOTATED);
	TOLD(&world, "down 10.0.0.3:8080 on n", "unwatch");
	assert_int_equal(kube_confirmed(world.kube, &why), KUBE_CONFIRM_NONE);
	end(&world);
}

static void test_selector(void **state)
{
	const struct kube_services_wish wish = {.selector = "team=core,tier in (a)"};
	struct world world = {};

	(void)state;
	begin(&world, &wish);
	web(&world, "ADDED", "u1", "");
	TOLD(&world, "dialled 80 of 1", "watch core/web u1");
	assert_int_equal(asked(&world, SERVICES
			       "?labelSelector=team%3Dcore%2Ctier%20in%20%28a%29&limit=500"),
			 1);
	end(&world);
}

static void test_namespace(void **state)
{
	const struct kube_services_wish wish = {.all = true, .namespace = "core"};
	struct world world = {};

	(void)state;
	begin(&world, &wish);
	happens(&world, "/api/v1/namespaces/core/services", "ADDED", "web",
		"\"uid\":\"u1\"},\"spec\":{\"ports\":[{\"port\":80}]}");
	happens(&world, "/apis/discovery.k8s.io/v1/namespaces/core/endpointslices", "ADDED",
		"web-1", OF_WEB ",\"endpoints\":[%s]", POD("10.0.0.1", "a"));
	TOLD(&world, "dialled 80 of 1", "up 10.0.0.1:8080 on n", "watch core/web u1");
	end(&world);
}

/* What came and went while nothing stood, and can't be told one by one any more. */
static void test_listed_again(void **state)
{
	const struct kube_services_wish wish = {.all = true};
	struct world world = {};
	struct kube_blind blind[MAX];
	size_t n, lost = 0;
	uint64_t now;

	(void)state;
	begin(&world, &wish);
	web(&world, "ADDED", "u1", "");
	slice(&world, "ADDED", "web-1", POD("10.0.0.1", "a"));
	slice(&world, "ADDED", "web-2", POD("10.0.0.2", "b"));
	TOLD(&world, "dialled 80 of 1", "up 10.0.0.1:8080 on n", "up 10.0.0.2:8080 on n",
	     "watch core/web u1");
	watching(&world, 3);
	now = monotonic_ns();
	slice(&world, "DELETED", "web-1", "");
	slice(&world, "ADDED", "web-3", POD("10.0.0.3", "c"));
	forget(&world);
	TOLD(&world, "down 10.0.0.1:8080 on n", "up 10.0.0.3:8080 on n");
	web(&world, "DELETED", "u1", "");
	web(&world, "ADDED", "u2", "");
	forget(&world);
	TOLD(&world, "dialled 80 of 1", "down 10.0.0.2:8080 on n", "down 10.0.0.3:8080 on n",
	     "unwatch", "up 10.0.0.2:8080 on n", "up 10.0.0.3:8080 on n", "watch core/web u2");
	/* of both watches it is known that they were blind then */
	n = kube_blind(world.kube, blind, MAX);
	for (size_t i = 0; i < n; i++)
		lost += blind[i].lost && !blind[i].ends &&
			(!blind[i].until || blind[i].until > now);
	assert_true(lost >= 2);
	end(&world);
}

static void test_forbidden(void **state)
{
	const struct kube_services_wish wish = {};
	struct world world = {.forbidden = "services"};

	(void)state;
	begin(&world, &wish);
	trouble(&world, "the API does not let us list services of all namespaces (HTTP 403: no); "
			"add to a ClusterRole that is bound to this user: {apiGroups: [\"\"], "
			"resources: [\"services\"], verbs: [\"list\"]}");
	assert_false(kube_services_synced(world.kube));
	world.forbidden = NULL;
	web(&world, "ADDED", "u1", ANNOTATED);
	TOLD(&world, "dialled 80 of 1", "watch core/web u1");
	end(&world);
	world = (struct world){.forbidden = "endpointslices"};
	begin(&world, &wish);
	trouble(&world,
		"the API does not let us list endpointslices of all namespaces (HTTP 403: no); add "
		"to a ClusterRole that is bound to this user: {apiGroups: "
		"[\"discovery.k8s.io\"], resources: [\"endpointslices\"], verbs: [\"list\"]}");
	assert_false(kube_services_synced(world.kube));
	end(&world);
}

static void test_older_sources(void **state)
{
	const struct kube_services_wish wish = {.all = true};
	struct world world = {.missing = "/discovery.k8s.io/v1/"};

	(void)state;
	begin(&world, &wish);
	web(&world, "ADDED", "u1", "");
	happens(&world, "/apis/discovery.k8s.io/v1beta1/endpointslices", "ADDED", "web-1",
		OF_WEB ",\"endpoints\":[{\"addresses\":[\"10.0.0.1\"],\"topology\":{"
		       "\"kubernetes.io/hostname\":\"n2\"}}]");
	TOLD(&world, "dialled 80 of 1", "up 10.0.0.1:8080 on n2", "watch core/web u1");
	watching(&world, 3);
	assert_true(kube_services_synced(world.kube));
	end(&world);
	world = (struct world){.missing = "/endpointslices"};
	begin(&world, &wish);
	web(&world, "ADDED", "u1", "");
	happens(&world, "/api/v1/endpoints", "ADDED", "web",
		"\"uid\":\"e\"},\"subsets\":[{\"addresses\":[{\"ip\":\"10.0.0.1\",\"nodeName\":"
		"\"n3\"}],\"ports\":[{\"port\":8080}]}]");
	TOLD(&world, "dialled 80 of 1", "up 10.0.0.1:8080 on n3", "watch core/web u1");
	end(&world);
	world = (struct world){.missing = "/endpoint"};
	begin(&world, &wish);
	trouble(&world, "the API has neither EndpointSlices nor Endpoints, so that it is not known "
			"what is behind Services; trace a workload, with deploy/NAME");
	assert_false(kube_services_synced(world.kube));
	end(&world);
}

static void confirm(struct world *world, enum kube_confirmed expected, const char *expected_why)
{
	uint64_t limit = monotonic_ns() + LIMIT;
	const char *why;

	kube_confirm(world->kube);
	while (kube_confirmed(world->kube, &why) == KUBE_CONFIRM_PENDING && monotonic_ns() < limit)
		turn(world);
	assert_int_equal(kube_confirmed(world->kube, &why), expected);
	assert_string_equal(why, expected_why);
}

/* That all was told is proven of both watches. */
static void test_confirmed(void **state)
{
	const struct kube_services_wish wish = {.all = true};
	struct world world = {.bookmarks = true};

	(void)state;
	begin(&world, &wish);
	confirm(&world, KUBE_CONFIRM_FAILED, "the API has not told all there is");
	web(&world, "ADDED", "u1", "");
	watching(&world, 3);
	slice(&world, "ADDED", "web-1", POD("10.0.0.1", "a"));
	confirm(&world, KUBE_CONFIRM_DONE, "");
	TOLD(&world, "dialled 80 of 1", "up 10.0.0.1:8080 on n", "watch core/web u1");
	end(&world);
	world = (struct world){.missing = "/endpoint"};
	begin(&world, &wish);
	trouble(&world, "the API has neither EndpointSlices nor Endpoints, so that it is not known "
			"what is behind Services; trace a workload, with deploy/NAME");
	confirm(&world, KUBE_CONFIRM_FAILED, "it is not known what is behind Services");
	end(&world);
}

static void test_contradiction(void **state)
{
	const struct kube_services_wish wish = {.all = true, .selector = "a=b"};
	struct kube_services *services;
	char error[256];

	(void)state;
	assert_int_equal(
		kube_services_new(&services, NULL, &wish, NULL, NULL, NULL, error, sizeof(error)),
		-EINVAL);
	assert_string_equal(error,
			    "all Services, and those with labels a=b: choose one of the two");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_live),      cmocka_unit_test(test_selector),
		cmocka_unit_test(test_namespace), cmocka_unit_test(test_listed_again),
		cmocka_unit_test(test_forbidden), cmocka_unit_test(test_older_sources),
		cmocka_unit_test(test_confirmed), cmocka_unit_test(test_contradiction),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
