/* SPDX-License-Identifier: MIT */
/*
 * What proves that nothing came and went untold, against an API server in this very process: it
 * keeps a history, tells it from any version on, and can be made to lie, to stall, and to forget.
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
#define TURN_MS 5
#define MAX 64
#define FIRST 1000

enum kind {
	PODS,
	SLICES,
	KINDS,
};

struct change {
	enum kind kind;
	int version;
	const char *type;
	char name[16];
	char *object;
	bool untold; /* by watches */
};

struct visitor {
	int fd; /* -1: free */
	char in[4096];
	size_t length;
	bool watch, stalled;
	enum kind kind;
	int told;
	uint64_t bookmark; /* when it is due */
};

struct world {
	int listener;
	struct visitor at[MAX];
	struct change log[MAX];
	int n;
	int version;
	int oldest;              /* watches from before are 410 */
	int bookmark;            /* the version that bookmarks tell; 0: the newest */
	int service;             /* version of the Service; 0: there is none */
	const char *ports;       /* of the Service */
	const char *prefix;      /* of each version */
	bool silent;             /* takes what is asked, and does not answer */
	bool mute;               /* of watches: begins them, and tells nothing */
	bool unavailable[KINDS]; /* watches are 503 */
	bool forbidden;          /* the pods of all namespaces */
	bool error;              /* 410 comes as an event */
	bool slices_missing;
	int watches;
	/* what the follow told */
	struct {
		char address[ADDRESS_TEXT];
		int64_t started;
		bool up;
	} told[MAX];
	uint32_t n_told;
	struct kube *kube;
};

/* --- what there is --- */

static void happens(struct world *world, enum kind kind, const char *type, const char *name,
		    const char *format, ...)
{
	struct change *event = &world->log[world->n++];
	va_list args;

	assert_true(world->n < MAX);
	*event = (struct change){.kind = kind, .version = ++world->version, .type = type};
	snprintf(event->name, sizeof(event->name), "%s", name);
	va_start(args, format);
	assert_true(vasprintf(&event->object, format, args) > 0);
	va_end(args);
}

#define TIME "2026-11-22T07:48:24Z"
#define STARTED (INT64_C(1795333704) * 1000000000)

/* `more` of its only container's ports; `ip` "": it has none yet. */
static void pod_with(struct world *world, const char *type, const char *name, const char *ip,
		     const char *ports)
{
	happens(world, PODS, type, name,
		"{\"metadata\":{\"name\":\"%s\",\"namespace\":\"core\",\"uid\":\"uid-%s\","
		"\"resourceVersion\":\"%s%d\",\"labels\":{\"app\":\"web\"}},\"spec\":{\"nodeName\":"
		"\"n\",\"containers\":[{\"ports\":[%s]}]},\"status\":{\"phase\":\"Running\","
		"\"startTime\":\"" TIME "\"%s%s%s}}",
		name, name, world->prefix, world->version + 1, ports, *ip ? ",\"podIP\":\"" : "",
		ip, *ip ? "\"" : "");
}

static void pod(struct world *world, const char *type, const char *name, const char *ip)
{
	pod_with(world, type, name, ip, "{\"containerPort\":80}");
}

#define ENDPOINT(name, ip)                                                                         \
	"{\"addresses\":[\"" ip "\"],\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"core\","      \
	"\"name\":\"" name "\",\"uid\":\"uid-" name "\"}}"

static void slice(struct world *world, const char *type, const char *name, const char *more,
		  const char *endpoints)
{
	happens(world, SLICES, type, name,
		"{\"metadata\":{\"name\":\"%s\",\"resourceVersion\":\"%s%d\"},%s\"endpoints\":[%s]}",
		name, world->prefix, world->version + 1, more, endpoints);
}

#define PORT_80 "\"ports\":[{\"name\":\"\",\"port\":80,\"protocol\":\"TCP\"}],"

/* --- the server --- */

/* What a socket may not take at once is written by a process of its own: this one has to read. */
static void answer(struct visitor *c, const char *status, const char *body)
{
	if (strlen(body) > 65536 && fork())
		return;
	dprintf(c->fd,
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		status, strlen(body), body);
	if (strlen(body) > 65536)
		_exit(0);
}

static bool is_last(const struct world *world, int i)
{
	for (int j = i + 1; j < world->n; j++)
		if (world->log[j].kind == world->log[i].kind &&
		    !strcmp(world->log[j].name, world->log[i].name))
			return false;
	return strcmp(world->log[i].type, "DELETED") != 0;
}

static void answer_list(struct world *world, struct visitor *c, enum kind kind)
{
	char *body = NULL;
	size_t size;
	FILE *out = open_memstream(&body, &size);
	bool first = true;

	assert_non_null(out);
	fprintf(out, "{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"%s%d\"},\"items\":[",
		world->prefix, world->version);
	for (int i = 0; i < world->n; i++) {
		if (world->log[i].kind != kind || !is_last(world, i))
			continue;
		fprintf(out, "%s%s", first ? "" : ",", world->log[i].object);
		first = false;
	}
	fprintf(out, "]}");
	fclose(out);
	answer(c, "200 OK", body);
	free(body);
}

static void send_line(struct visitor *c, const char *type, const char *object)
{
	char *text;
	int n = asprintf(&text, "{\"type\":\"%s\",\"object\":%s}\n", type, object);

	assert_true(n > 0);
	dprintf(c->fd, "%x\r\n%s\r\n", (unsigned int)n, text);
	free(text);
}

static void begin_watch(struct world *world, struct visitor *c, enum kind kind, const char *path)
{
	const char *from = strstr(path, "resourceVersion=");

	assert_non_null(from);
	from += strlen("resourceVersion=") + strlen(world->prefix);
	world->watches++;
	if (world->unavailable[kind]) {
		answer(c, "503 No", "{\"kind\":\"Status\",\"message\":\"not now\"}");
		return;
	}
	c->told = atoi(from);
	if (c->told < world->oldest && !world->error) {
		answer(c, "410 Gone", "{\"kind\":\"Status\",\"code\":410,\"message\":\"too old\"}");
		return;
	}
	dprintf(c->fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		       "Transfer-Encoding: chunked\r\n\r\n");
	if (c->told < world->oldest) {
		send_line(c, "ERROR", "{\"kind\":\"Status\",\"code\":410}");
		dprintf(c->fd, "0\r\n\r\n");
		return;
	}
	c->watch = true;
	c->stalled = false;
	c->kind = kind;
	c->bookmark = monotonic_ns() + 50 * MS;
}

static void answer_service(const struct world *world, struct visitor *c)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"kind\":\"Service\",\"metadata\":{\"name\":\"web\",\"resourceVersion\":\"%d\"},"
		 "\"spec\":{\"ports\":[%s]}}",
		 world->service, world->ports);
	if (world->service)
		answer(c, "200 OK", body);
	else
		answer(c, "404 No", "{\"kind\":\"Status\",\"message\":\"not found\"}");
}

static void request(struct world *world, struct visitor *c, const char *path)
{
	bool watch = strstr(path, "watch=1");

	if (world->silent)
		return;
	if (!strncmp(path, "/api/v1/nodes?", 14))
		answer(c, "200 OK",
		       "{\"kind\":\"NodeList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":["
		       "{\"metadata\":{\"name\":\"n\"},\"status\":{\"daemonEndpoints\":{"
		       "\"kubeletEndpoint\":{\"Port\":10350}}}}]}");
	else if (strstr(path, "/services/web"))
		answer_service(world, c);
	else if (strstr(path, "/endpointslices?") && world->slices_missing)
		answer(c, "404 No", "{\"kind\":\"Status\"}");
	else if (!strncmp(path, "/api/v1/pods?", 13) && world->forbidden)
		answer(c, "403 No", "{\"kind\":\"Status\",\"message\":\"no\"}");
	else if (watch)
		begin_watch(world, c, strstr(path, "/endpointslices?") ? SLICES : PODS, path);
	else
		answer_list(world, c, strstr(path, "/endpointslices?") ? SLICES : PODS);
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

static void tell(struct world *world, struct visitor *c)
{
	char object[200];
	int newest = world->bookmark ? world->bookmark : world->version;

	if (!c->watch || c->stalled || world->mute)
		return;
	for (int i = 0; i < world->n; i++) {
		const struct change *event = &world->log[i];

		if (event->kind != c->kind || event->version <= c->told)
			continue;
		c->told = event->version;
		if (!event->untold)
			send_line(c, event->type, event->object);
	}
	if (monotonic_ns() < c->bookmark)
		return;
	snprintf(object, sizeof(object), "{\"metadata\":{\"resourceVersion\":\"%s%d\"}}",
		 world->prefix, newest);
	send_line(c, "BOOKMARK", object);
	c->bookmark = monotonic_ns() + 200 * MS;
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

/* Both sides, for TURN_MS at most. */
static void turn(struct world *world)
{
	struct pollfd fds[MAX + 2];

	fds[0] = (struct pollfd){.fd = world->listener, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = kube_fd(world->kube), .events = POLLIN};
	for (int i = 0; i < MAX; i++)
		fds[i + 2] = (struct pollfd){.fd = world->at[i].fd, .events = POLLIN};
	poll(fds, MAX + 2, TURN_MS);
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

static void run_ms(struct world *world, int ms)
{
	uint64_t end = monotonic_ns() + (uint64_t)ms * MS;

	/* and as many turns as there are in it, if this process stood meanwhile */
	for (int turns = 0; monotonic_ns() < end || turns < ms / TURN_MS; turns++)
		turn(world);
}

/* --- what is told --- */

static uint32_t up(void *arg, const struct kube_endpoint *endpoint)
{
	struct world *world = arg;

	assert_true(world->n_told < MAX);
	address_format(&endpoint->address, world->told[world->n_told].address);
	world->told[world->n_told].started = endpoint->started;
	world->told[world->n_told].up = true;
	return world->n_told++;
}

static void down(void *arg, uint32_t id)
{
	struct world *world = arg;

	assert_true(world->told[id].up);
	world->told[id].up = false;
}

/* How often it came up, and whether it still is. */
static int ups(const struct world *world, const char *address, bool *now)
{
	int n = 0;

	*now = false;
	for (uint32_t i = 0; i < world->n_told; i++) {
		if (strcmp(world->told[i].address, address))
			continue;
		n++;
		*now = *now || world->told[i].up;
	}
	return n;
}

static void assert_up(const struct world *world, const char *address, int times, bool now)
{
	bool is;

	assert_int_equal(ups(world, address, &is), times);
	assert_int_equal(is, now);
}

static void assert_state(const struct world *world, enum kube_confirmed state, const char *part)
{
	const char *why;

	assert_int_equal(kube_confirmed(world->kube, &why), state);
	if (!strstr(why, part))
		fail_msg("\"%s\" has no \"%s\"", why, part);
}

/* Until it is not pending, or for so long. */
static void run_confirm(struct world *world, int ms)
{
	uint64_t end = monotonic_ns() + (uint64_t)ms * MS;
	const char *why;

	kube_confirm(world->kube);
	while (kube_confirmed(world->kube, &why) == KUBE_CONFIRM_PENDING && monotonic_ns() < end)
		turn(world);
}

static bool is_blind(const struct world *world, uint64_t from, bool lost, bool ends)
{
	struct kube_blind blind[MAX];
	size_t n = kube_blind(world->kube, blind, MAX);

	assert_true(n <= MAX);
	for (size_t i = 0; i < n; i++)
		if ((!blind[i].until || blind[i].until > from) && blind[i].lost == lost &&
		    blind[i].ends == ends)
			return true;
	return false;
}

static void world_open(struct world *world)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);
	struct kube_config *config = calloc(1, sizeof(*config));
	char server[64], error[256] = "";

	*world = (struct world){.version = FIRST, .service = 7, .prefix = ""};
	world->ports = "{\"port\":80}";
	for (int i = 0; i < MAX; i++)
		world->at[i].fd = -1;
	world->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(world->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(world->listener, MAX), 0);
	assert_int_equal(getsockname(world->listener, (struct sockaddr *)&at, &length), 0);
	snprintf(server, sizeof(server), "http://127.0.0.1:%u", ntohs(at.sin_port));
	assert_non_null(config);
	config->source = strdup("test");
	config->server = strdup(server);
	config->namespace = strdup("core");
	assert_int_equal(kube_open(&world->kube, config, "n", false, error, sizeof(error)), 0);
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world_open(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	kube_close(world->kube);
	for (int i = 0; i < MAX; i++)
		if (world->at[i].fd >= 0)
			close(world->at[i].fd);
	for (int i = 0; i < world->n; i++)
		free(world->log[i].object);
	close(world->listener);
	free(world);
	return 0;
}

/* Until the target is on, and its watches stand. `what` NULL: the pods of app=web. */
static void follow(struct world *world, const char *what)
{
	static const struct kube_follow_ops ops = {up, down, NULL};
	const struct kube_wish wish = {what, what ? NULL : "app=web", "core", 0};
	uint64_t end = monotonic_ns() + 10000 * MS;
	char error[256] = "";

	assert_int_equal(kube_target(world->kube, &wish, &ops, world, error, sizeof(error)), 0);
	while (kube_follow_state(kube_followed(world->kube)) == FOLLOW_ASKING &&
	       monotonic_ns() < end)
		turn(world);
	run_ms(world, 200);
}

static void assert_on(const struct world *world)
{
	assert_int_equal(kube_follow_state(kube_followed(world->kube)), FOLLOW_ON);
}

static void stall(struct world *world)
{
	for (int i = 0; i < MAX; i++)
		world->at[i].stalled = world->at[i].watch;
}

static uint32_t codes(const struct world *world)
{
	return kube_follow_not_watched(kube_followed(world->kube))->codes;
}

/* --- pods --- */

static void test_done(void **state)
{
	struct world *world = *state;
	uint64_t start;

	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, "deploy/none");
	assert_int_equal(kube_follow_state(kube_followed(world->kube)), FOLLOW_FAILED);
	assert_state(world, KUBE_CONFIRM_NONE, "nothing is followed");
	kube_confirm(world->kube);
	assert_state(world, KUBE_CONFIRM_FAILED, "no running pod of deploy/none");
	teardown(state);
	setup(state);
	world = *state;
	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, NULL);
	assert_on(world);
	assert_int_equal(kube_kubelet_port(world->kube), 10350);
	start = monotonic_ns();
	pod(world, "ADDED", "b", "10.0.0.2");
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_DONE, "");
	assert_up(world, "10.0.0.1", 1, true);
	assert_up(world, "10.0.0.2", 1, true);
	assert_int_equal(world->told[1].started, STARTED);
	assert_int_equal(kube_started(world->kube, "uid-b"), STARTED);
	assert_int_equal(kube_started(world->kube, "uid-c"), 0);
	/* after the list the watch is begun once more */
	run_ms(world, 100);
	for (int i = 0; i < 4; i++)
		assert_false(is_blind(world, start, i & 1, i & 2));
	assert_true(is_blind(world, 0, true, false));
	assert_int_equal(codes(world), NOT_WATCHED_NOTHING);
	/* and again */
	pod(world, "DELETED", "b", "10.0.0.2");
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_DONE, "");
	assert_up(world, "10.0.0.2", 1, false);
}

/* Nothing comes any more, without an end. What came and went meanwhile is told in the proof. */
static void test_stalled(void **state)
{
	struct world *world = *state;
	uint64_t start;

	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, NULL);
	start = monotonic_ns();
	stall(world);
	pod(world, "ADDED", "b", "10.0.0.2");
	pod(world, "DELETED", "b", "10.0.0.2");
	run_ms(world, 300);
	assert_up(world, "10.0.0.2", 0, false);
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_DONE, "");
	assert_up(world, "10.0.0.2", 1, false);
	assert_false(is_blind(world, start, true, false));
}

/* The server takes connections and requests, and answers none. */
static void test_silent(void **state)
{
	struct world *world = *state;

	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, NULL);
	stall(world);
	world->silent = true;
	run_confirm(world, 1500);
	assert_state(world, KUBE_CONFIRM_PENDING, "has not told yet that it has told all");
	assert_true(is_blind(world, monotonic_ns(), false, false));
}

/* The watch tells nothing after it was begun anew, though the list is answered. */
static void test_only_the_watch_is_silent(void **state)
{
	struct world *world = *state;

	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, NULL);
	pod(world, "ADDED", "b", "10.0.0.2");
	world->mute = true;
	run_confirm(world, 1500);
	assert_state(world, KUBE_CONFIRM_PENDING, "has not told yet that it has told all");
}

/* What was told last is no longer in the history: what came and went is not known. */
static void test_lost(void **state)
{
	struct world *world = *state;
	uint64_t start;

	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, NULL);
	start = monotonic_ns();
	stall(world);
	for (int i = 0; i < 2; i++) {
		pod(world, "ADDED", "b", "10.0.0.2");
		pod(world, "DELETED", "b", "10.0.0.2");
		pod(world, "ADDED", "c", "10.0.0.3");
		world->error = i;
		world->oldest = world->version;
		run_confirm(world, 10000);
		assert_state(world, KUBE_CONFIRM_FAILED, "no longer has the version");
		run_ms(world, 1500);
		assert_up(world, "10.0.0.2", 0, false);
		assert_up(world, "10.0.0.3", 1, true);
		assert_true(is_blind(world, start, true, false));
		assert_false(is_blind(world, monotonic_ns(), true, false));
		start = monotonic_ns();
		assert_false(is_blind(world, start, true, false));
		stall(world);
	}
}

/* Bookmarks come, and are out of date. */
static void test_late_bookmarks(void **state)
{
	struct world *world = *state;

	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, NULL);
	world->bookmark = world->version;
	/* the list is of a later version, by what happens elsewhere */
	slice(world, "ADDED", "s", "", "");
	run_confirm(world, 1000);
	assert_state(world, KUBE_CONFIRM_PENDING, "has not told yet that it has told all");
	world->bookmark = 0;
	run_ms(world, 500);
	assert_state(world, KUBE_CONFIRM_DONE, "");
}

/* They stay so: nothing more is to be had from this server than what it has. */
static void test_copy(void **state)
{
	struct world *world = *state;

	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, NULL);
	world->bookmark = world->version;
	slice(world, "ADDED", "s", "", "");
	pod(world, "ADDED", "b", "10.0.0.2");
	world->log[world->n - 1].untold = true;
	run_confirm(world, 1000);
	assert_state(world, KUBE_CONFIRM_PENDING, "has not told yet that it has told all");
	assert_up(world, "10.0.0.2", 0, false);
	for (int i = 0; i < MAX; i++)
		if (world->at[i].watch)
			drop(&world->at[i]);
	run_ms(world, 2000);
	assert_state(world, KUBE_CONFIRM_COPY, "not that the copy is up to date");
	assert_up(world, "10.0.0.2", 1, true);
}

static void test_no_numbers(void **state)
{
	struct world *world = *state;

	world->prefix = "v";
	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, NULL);
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_FAILED, "versions are no numbers");
}

/* The store was put back: what the watch told is newer than all there is. */
static void test_put_back(void **state)
{
	struct world *world = *state;

	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, NULL);
	run_ms(world, 300);
	world->version = FIRST - 100;
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_FAILED, "versions are lower than before");
}

/* A watch leaves something out: the list does not. */
static void test_untold(void **state)
{
	struct world *world = *state;

	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, NULL);
	pod(world, "ADDED", "b", "10.0.0.2");
	world->log[world->n - 1].untold = true;
	pod(world, "DELETED", "a", "10.0.0.1");
	world->log[world->n - 1].untold = true;
	run_ms(world, 300);
	assert_up(world, "10.0.0.1", 1, true);
	assert_up(world, "10.0.0.2", 0, false);
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_DONE, "");
	assert_up(world, "10.0.0.1", 1, false);
	assert_up(world, "10.0.0.2", 1, true);
}

/* Watches fail for a while, and go on where they were. */
static void test_bridged(void **state)
{
	struct world *world = *state;
	struct kube_blind blind[MAX];
	uint64_t start;
	size_t n;

	pod(world, "ADDED", "a", "10.0.0.1");
	follow(world, NULL);
	start = monotonic_ns();
	world->unavailable[PODS] = true;
	for (int i = 0; i < MAX; i++)
		if (world->at[i].watch)
			drop(&world->at[i]);
	run_ms(world, 200);
	pod(world, "ADDED", "b", "10.0.0.2");
	/* however often: that it is not available says nothing of the version */
	world->watches = 0;
	while (world->watches < 3 && monotonic_ns() < start + 10000 * MS)
		turn(world);
	assert_up(world, "10.0.0.2", 0, false);
	assert_true(is_blind(world, monotonic_ns(), false, false));
	while (monotonic_ns() < start + 3200 * MS)
		turn(world);
	world->unavailable[PODS] = false;
	for (bool now = false; !now && monotonic_ns() < start + 20000 * MS;) {
		turn(world);
		ups(world, "10.0.0.2", &now);
	}
	n = kube_blind(world->kube, blind, MAX);
	assert_true(n > 1);
	assert_true(blind[n - 1].since <= start + 200 * MS);
	assert_true(blind[n - 1].until - blind[n - 1].since > 3000 * MS);
	assert_non_null(strstr(blind[n - 1].why, "not now"));
	assert_up(world, "10.0.0.2", 1, true);
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_DONE, "");
}

/* --- what is not watched --- */

static void test_pods_not_watched(void **state)
{
	struct world *world = *state;
	const struct not_watched *not_watched;

	pod(world, "ADDED", "a", "10.0.0.1");
	pod(world, "ADDED", "b", "");
	follow(world, NULL);
	not_watched = kube_follow_not_watched(kube_followed(world->kube));
	assert_int_equal(codes(world), NOT_WATCHED_PENDING);
	assert_string_equal(not_watched_text(not_watched, NOT_WATCHED_PENDING),
			    "Pod b has no address yet, so that nobody can call it");
	assert_string_equal(kube_follow_note(kube_followed(world->kube)), "");
	pod(world, "MODIFIED", "b", "10.0.0.2");
	pod_with(world, "ADDED", "c", "10.0.0.3", "");
	pod_with(world, "ADDED", "d", "10.0.0.4",
		 "{\"containerPort\":53,\"protocol\":\"SCTP\"},{\"containerPort\":80}");
	run_ms(world, 300);
	assert_int_equal(codes(world), NOT_WATCHED_NO_PORT | NOT_WATCHED_PROTOCOL);
	assert_string_equal(not_watched_text(not_watched, NOT_WATCHED_PROTOCOL),
			    "Not watched, since not TCP: port 53/SCTP of pod d");
	assert_non_null(
		strstr(not_watched_text(not_watched, NOT_WATCHED_NO_PORT), "Pod c names no TCP"));
	assert_up(world, "10.0.0.2", 1, true);
	assert_up(world, "10.0.0.4", 1, true);
	/* what was not watched once was not */
	pod(world, "DELETED", "c", "10.0.0.3");
	happens(world, PODS, "ADDED", "e", "{\"metadata\":{\"name\":\"e\"}}");
	run_ms(world, 300);
	assert_int_equal(codes(world),
			 NOT_WATCHED_NO_PORT | NOT_WATCHED_PROTOCOL | NOT_WATCHED_UNREADABLE);
}

static void test_too_large(void **state)
{
	struct world *world = *state;
	char *large = calloc(1, ((size_t)9 << 20) + 1);

	assert_non_null(large);
	memset(large, 'x', (size_t)9 << 20);
	pod(world, "ADDED", "a", "10.0.0.1");
	happens(world, PODS, "ADDED", "b", "{\"metadata\":{\"name\":\"%s\"}}", large);
	free(large);
	follow(world, NULL);
	assert_on(world);
	assert_int_equal(codes(world), NOT_WATCHED_TOO_LARGE);
}

/* --- Services --- */

static void test_service(void **state)
{
	struct world *world = *state;

	pod(world, "ADDED", "a", "10.0.0.1");
	slice(world, "ADDED", "s", PORT_80, ENDPOINT("a", "10.0.0.1"));
	follow(world, "svc/web");
	assert_on(world);
	assert_int_equal(world->told[0].started, STARTED);
	stall(world);
	slice(world, "MODIFIED", "s", PORT_80,
	      ENDPOINT("a", "10.0.0.1") "," ENDPOINT("b", "10.0.0.2"));
	slice(world, "MODIFIED", "s", PORT_80, ENDPOINT("a", "10.0.0.1"));
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_DONE, "");
	assert_up(world, "10.0.0.1", 1, true);
	assert_up(world, "10.0.0.2", 1, false);
	/* somebody wrote to it: maybe to its ports, and back */
	world->service++;
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_FAILED, "was written to since it was read");
	world->service = 0;
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_FAILED, "service web in namespace core is gone");
}

/* None of its endpoints is known to have ended: of the pods nothing is told. */
static void test_service_without_pods(void **state)
{
	struct world *world = *state;

	world->forbidden = true;
	slice(world, "ADDED", "s", PORT_80, ENDPOINT("a", "10.0.0.1"));
	follow(world, "svc/web");
	assert_on(world);
	assert_int_equal(world->told[0].started, 0);
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_BUT_ENDS, "does not let us list pods of all namespaces");
	assert_true(is_blind(world, monotonic_ns(), true, true));
	assert_false(is_blind(world, monotonic_ns(), true, false));
}

static void test_service_of_nothing(void **state)
{
	struct world *world = *state;
	uint64_t start;

	follow(world, "svc/web");
	assert_on(world);
	start = monotonic_ns();
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_DONE, "");
	assert_int_equal(world->n_told, 0);
	assert_int_equal(codes(world), NOT_WATCHED_NOTHING);
	assert_false(is_blind(world, start, true, false));
	/* a slice without endpoints is none either */
	slice(world, "ADDED", "s", "\"ports\":null,", "");
	run_confirm(world, 10000);
	assert_state(world, KUBE_CONFIRM_DONE, "");
	assert_int_equal(codes(world), NOT_WATCHED_NOTHING);
}

static void test_service_not_watched(void **state)
{
	struct world *world = *state;

	world->ports = "{\"port\":80},{\"port\":53,\"protocol\":\"UDP\"}";
	slice(world, "ADDED", "s", PORT_80, ENDPOINT("a", "10.0.0.1"));
	follow(world, "svc/web");
	assert_int_equal(codes(world), NOT_WATCHED_PROTOCOL);
	assert_string_equal(kube_follow_note(kube_followed(world->kube)),
			    "Not watched, since not TCP: port 53/UDP");
	slice(world, "ADDED", "all", "\"ports\":[],", ENDPOINT("b", "10.0.0.2"));
	slice(world, "ADDED", "names", PORT_80 "\"addressType\":\"FQDN\",",
	      "{\"addresses\":[\"db.example.com\"]}");
	run_ms(world, 300);
	assert_int_equal(codes(world),
			 NOT_WATCHED_PROTOCOL | NOT_WATCHED_NO_PORT | NOT_WATCHED_NAME);
	slice(world, "ADDED", "bad", PORT_80, "{\"addresses\":[\"10.0.0\"]}");
	run_ms(world, 300);
	assert_true(codes(world) & NOT_WATCHED_UNREADABLE);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_done),
		TEST(test_stalled),
		TEST(test_silent),
		TEST(test_only_the_watch_is_silent),
		TEST(test_lost),
		TEST(test_late_bookmarks),
		TEST(test_copy),
		TEST(test_no_numbers),
		TEST(test_put_back),
		TEST(test_untold),
		TEST(test_bridged),
		TEST(test_pods_not_watched),
		TEST(test_too_large),
		TEST(test_service),
		TEST(test_service_without_pods),
		TEST(test_service_of_nothing),
		TEST(test_service_not_watched),
	};

	/* those that write have no status that matters */
	signal(SIGCHLD, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
