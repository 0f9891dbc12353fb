/* SPDX-License-Identifier: MIT */
/* Connections: one request after the other, each answered whole, or by a watch that has no end. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <zlib.h>

#include "api.h"

/* So much may wait for a watch that does not read. */
#define WATCH_BYTES ((size_t)256 << 10)
#define BOOKMARK_NS UINT64_C(1000000000)

struct connection {
	int fd;
	int epoll;
	char in[16 << 10];
	size_t in_length;
	struct buffer out;
	size_t sent;
	bool stalled;   /* says nothing any more */
	bool ends;      /* after what is in `out` */
	bool last_page; /* what is in `out` completes a list */
	/* of a watch */
	bool watch;
	bool twice, cut, quiet;
	uint64_t event;    /* the last that was told */
	uint64_t bookmark; /* when the next is due */
	int bookmarks;
	/* of a watch of what a test writes */
	bool objects;
	struct folder_query query;
	uint64_t version; /* the last that was told */
	struct connection *next;
};

static struct connection *connections;
static uint64_t refused_until;

/* --- answers --- */

static void head(struct buffer *out, int status, const char *type, const char *more)
{
	buffer_print(out,
		     "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nCache-Control: no-cache, private\r\n%s",
		     status, status == 200 ? "OK" : "Not so", type, more);
}

static void answer(struct connection *c, int status, const char *type, const char *more,
		   const struct buffer *body)
{
	head(&c->out, status, type, more);
	buffer_print(&c->out, "Content-Length: %zu\r\n\r\n", body->length);
	buffer_add(&c->out, body->at, body->length);
}

static void answer_status(struct connection *c, int status)
{
	struct buffer body = {};
	char more[100] = "";

	if (status == 429 || status == 503) {
		snprintf(more, sizeof(more), "Retry-After: %d\r\n", api.retry_after);
		refused_until = clock_ns(CLOCK_MONOTONIC) +
				(uint64_t)api.retry_after * UINT64_C(1000000000);
	} else if (status / 100 == 3) {
		snprintf(more, sizeof(more), "Location: /elsewhere\r\n");
	}
	world_status(status, "so the test wants it", "", &body);
	answer(c, status, "application/json", more, &body);
	buffer_free(&body);
}

static void answer_html(struct connection *c)
{
	struct buffer body = {};

	buffer_print(&body, "<!DOCTYPE html>\n<html><body>Please log in</body></html>\n");
	answer(c, 200, "text/html", "", &body);
	buffer_free(&body);
}

static void chunk(struct buffer *out, const char *bytes, size_t length)
{
	buffer_print(out, "%zx\r\n", length);
	buffer_add(out, bytes, length);
	buffer_add(out, "\r\n", 2);
}

static void answer_bytes(struct connection *c, const struct buffer *body)
{
	head(&c->out, 200, "application/json", "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t i = 0; i < body->length; i++)
		chunk(&c->out, body->at + i, 1);
	buffer_print(&c->out, "0\r\n\r\n");
}

static void answer_gzip(struct connection *c, const struct buffer *body)
{
	struct buffer packed = {};
	z_stream z = {.next_in = (Bytef *)body->at, .avail_in = (uInt)body->length};

	deflateInit2(&z, 4, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	z.avail_out = (uInt)deflateBound(&z, body->length);
	z.next_out = (Bytef *)buffer_room(&packed, z.avail_out);
	deflate(&z, Z_FINISH);
	packed.length = z.total_out;
	deflateEnd(&z);
	answer(c, 200, "application/json", "Content-Encoding: gzip\r\n", &packed);
	buffer_free(&packed);
}

/* --- requests --- */

/* The number that follows "key=" in a query; 0: there is none. */
static uint64_t number(const char *query, const char *key)
{
	const char *at = strstr(query, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void list_body(uint64_t first, uint64_t end, uint64_t all, const char *next,
		      uint64_t version, struct buffer *body)
{
	buffer_print(body,
		     "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{"
		     "\"resourceVersion\":\"%" PRIu64 "\"",
		     version);
	if (*next)
		buffer_print(body, ",\"continue\":\"%s\",\"remainingItemCount\":%" PRIu64, next,
			     all - end);
	buffer_print(body, "},\"items\":[");
	for (uint64_t i = first; i < end; i++) {
		if (i > first)
			buffer_add(body, ",", 1);
		world_pod(&api.world, i, 7, body);
	}
	buffer_print(body, "]}\n");
}

/* A page: what `continue` says is the number of its first pod. */
static void list_pods(struct connection *c, const char *query)
{
	uint64_t first = number(query, "continue="), limit = number(query, "limit=");
	uint64_t all = world_pods_after(&api.world, api.told.sent), end;
	struct buffer body = {};
	char next[32] = "";
	int status;

	api.told.lists++;
	if (refused_until > clock_ns(CLOCK_MONOTONIC))
		api.told.early++;
	if (odd_take(ODD_LIST_STALL, NULL)) {
		c->stalled = true;
		return;
	}
	if (odd_take(ODD_LIST_STATUS, &status)) {
		answer_status(c, status);
		return;
	}
	if (odd_take(ODD_LIST_HTML, NULL)) {
		answer_html(c);
		return;
	}
	if (odd_take(ODD_LIST_EMPTY, NULL)) {
		answer(c, 200, "application/json", "", &body);
		return;
	}
	if (api.page && limit > api.page)
		limit = api.page;
	end = limit && first + limit < all ? first + limit : all;
	if (end < all)
		snprintf(next, sizeof(next), "%" PRIu64, end);
	else if (odd_take(ODD_LIST_ENDLESS, NULL))
		snprintf(next, sizeof(next), "0");
	if (first && odd_take(ODD_LIST_410, NULL)) {
		world_status(410, "Expired", "", &body);
		answer(c, 410, "application/json", "", &body);
	} else if (first && odd_take(ODD_LIST_410_NEXT, NULL)) {
		snprintf(next, sizeof(next), "%" PRIu64, first);
		world_status(410, "Expired", next, &body);
		answer(c, 410, "application/json", "", &body);
	} else {
		list_body(first, end, all, next, FIRST_VERSION + api.told.sent, &body);
		c->last_page = !*next;
		if (odd_take(ODD_LIST_BYTES, NULL)) {
			answer_bytes(c, &body);
		} else if (odd_take(ODD_LIST_GZIP, NULL)) {
			answer_gzip(c, &body);
		} else {
			answer(c, 200, "application/json", "", &body);
			if (odd_take(ODD_LIST_CUT, NULL)) {
				c->out.length -= body.length / 2;
				c->ends = true;
				c->last_page = false;
			}
		}
	}
	buffer_free(&body);
}

static void list_nodes(struct connection *c)
{
	struct buffer body = {};

	api.told.nodes++;
	buffer_print(&body, "{\"kind\":\"NodeList\",\"apiVersion\":\"v1\",\"metadata\":{"
			    "\"resourceVersion\":\"7\"},\"items\":[");
	for (uint64_t i = 0; i < api.world.nodes; i++) {
		if (i)
			buffer_add(&body, ",", 1);
		world_node(i, &body);
	}
	buffer_print(&body, "]}\n");
	answer(c, 200, "application/json", "", &body);
	buffer_free(&body);
}

static void line(struct connection *c, struct buffer *text)
{
	chunk(&c->out, text->at, text->length);
	text->length = 0;
}

/* What a watch says before its events. */
static void odd_lines(struct connection *c)
{
	uint64_t version = FIRST_VERSION + c->event;
	struct world large = api.world;
	struct buffer text = {};

	if (odd_take(ODD_WATCH_410, NULL)) {
		buffer_print(&text, "{\"type\":\"ERROR\",\"object\":");
		world_status(410, "Expired", "", &text);
		buffer_print(&text, "}\n");
		line(c, &text);
		buffer_print(&c->out, "0\r\n\r\n");
		c->watch = false;
	}
	if (odd_take(ODD_WATCH_HTML, NULL)) {
		buffer_print(&text, "<html>\nPlease log in\n</html>\n");
		line(c, &text);
	}
	if (odd_take(ODD_WATCH_UNKNOWN, NULL)) {
		world_line(&api.world, "RENAMED", 0, version, &text);
		line(c, &text);
	}
	if (odd_take(ODD_WATCH_DELETED, NULL)) {
		world_line(&api.world, "DELETED", api.world.pods + 1000000, version, &text);
		line(c, &text);
	}
	if (odd_take(ODD_WATCH_LARGE, NULL)) {
		large.large = (uint64_t)9 << 20;
		large.large_pod = 0;
		world_line(&large, "MODIFIED", 0, version, &text);
		line(c, &text);
	}
	buffer_free(&text);
}

static void watch_pods(struct connection *c, const char *query)
{
	uint64_t version = number(query, "resourceVersion=");
	int status;

	api.told.watches++;
	if (odd_take(ODD_WATCH_STATUS, &status)) {
		answer_status(c, status);
		return;
	}
	head(&c->out, 200, "application/json", "Transfer-Encoding: chunked\r\n\r\n");
	/* but for the head */
	if (odd_take(ODD_WATCH_STALL, NULL))
		return;
	c->watch = true;
	c->event = version > FIRST_VERSION ? version - FIRST_VERSION : 0;
	c->bookmark = clock_ns(CLOCK_MONOTONIC) + BOOKMARK_NS;
	c->twice = odd_take(ODD_WATCH_TWICE, NULL);
	c->cut = odd_take(ODD_WATCH_CUT, NULL);
	c->quiet = odd_take(ODD_WATCH_QUIET, NULL);
	if (c->quiet)
		c->bookmark = clock_ns(CLOCK_MONOTONIC);
	if (!api.told.first_event)
		api.told.first_event = clock_ns(CLOCK_MONOTONIC);
	odd_lines(c);
}

static void list_objects(struct connection *c, const struct folder_query *query)
{
	struct buffer body = {};

	api.told.object_lists++;
	folder_list(query, &body);
	answer(c, 200, "application/json", "", &body);
	buffer_free(&body);
}

static void watch_objects(struct connection *c, const char *query)
{
	api.told.object_watches++;
	head(&c->out, 200, "application/json", "Transfer-Encoding: chunked\r\n\r\n");
	c->objects = true;
	c->version = number(query, "resourceVersion=");
	c->bookmark = clock_ns(CLOCK_MONOTONIC) + BOOKMARK_NS;
}

/* Also of the one namespace that has the first hundred: then there must be no more. */
static bool is_pods(const char *path, size_t length)
{
	static const char *const paths[] = {"/api/v1/pods", "/api/v1/namespaces/team-0/pods"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (strlen(paths[i]) == length && !memcmp(path, paths[i], length))
			return true;
	return false;
}

static void request(struct connection *c, const char *path)
{
	const char *query = strchrnul(path, '?');
	size_t length = (size_t)(query - path);
	bool watch = strstr(query, "watch=1");

	if (api.silent || c->stalled) {
		c->stalled = true;
	} else if (is_pods(path, length)) {
		if (watch)
			watch_pods(c, query);
		else
			list_pods(c, query);
	} else if (folder_query(path, length, query, &c->query)) {
		if (watch)
			watch_objects(c, query);
		else
			list_objects(c, &c->query);
	} else if (length == 13 && !memcmp(path, "/api/v1/nodes", 13)) {
		if (watch) {
			/* nothing ever changes of them */
			head(&c->out, 200, "application/json",
			     "Transfer-Encoding: chunked\r\n\r\n");
			return;
		}
		list_nodes(c);
	} else {
		api.told.others++;
		answer_status(c, 404);
	}
}

/* --- connections --- */

static void close_connection(struct connection *c)
{
	struct connection **at = &connections;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	close(c->fd);
	buffer_free(&c->out);
	free(c);
}

/* False: it is gone. */
static bool flush(struct connection *c)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	while (c->sent < c->out.length) {
		ssize_t n = send(c->fd, c->out.at + c->sent, c->out.length - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			event.events |= EPOLLOUT;
			break;
		}
		if (n <= 0) {
			close_connection(c);
			return false;
		}
		c->sent += (size_t)n;
		api.told.bytes += (uint64_t)n;
	}
	if (c->sent == c->out.length) {
		if (c->last_page) {
			api.told.complete++;
			api.told.last_byte = clock_ns(CLOCK_REALTIME);
		}
		c->last_page = false;
		c->sent = 0;
		c->out.length = 0;
		if (c->ends) {
			close_connection(c);
			return false;
		}
	}
	epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->fd, &event);
	return true;
}

/* Events that are due, as far as they are read. */
static void tell(struct connection *c)
{
	struct buffer text = {};
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	while (!c->quiet && c->event < api.told.due && c->out.length - c->sent < WATCH_BYTES) {
		world_event(&api.world, ++c->event, &text);
		if (c->cut) {
			/* the chunk and the line begin, and then nothing more comes */
			buffer_print(&c->out, "%zx\r\n", text.length);
			buffer_add(&c->out, text.at, text.length / 2);
			c->ends = true;
			c->watch = false;
			break;
		}
		if (c->twice)
			buffer_add(&text, text.at, text.length);
		line(c, &text);
		if (c->event > api.told.sent) {
			api.told.sent = c->event;
			api.told.last_event = now;
		}
	}
	if (c->watch && now >= c->bookmark) {
		text.length = 0;
		world_bookmark(FIRST_VERSION + c->event, &text);
		line(c, &text);
		c->bookmark = now + BOOKMARK_NS;
		if (c->quiet && ++c->bookmarks == 2) {
			buffer_print(&c->out, "0\r\n\r\n");
			c->watch = false;
		}
	}
	buffer_free(&text);
}

static void tell_objects(struct connection *c)
{
	struct buffer text = {};

	while (c->version < folder_version()) {
		folder_event(&c->query, ++c->version, &text);
		if (text.length)
			line(c, &text);
	}
	if (clock_ns(CLOCK_MONOTONIC) >= c->bookmark) {
		world_bookmark(c->version, &text);
		line(c, &text);
		c->bookmark = clock_ns(CLOCK_MONOTONIC) + BOOKMARK_NS;
	}
	buffer_free(&text);
}

void http_tick(void)
{
	struct connection *c, *next;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (api.told.first_event)
		api.told.due = (now - api.told.first_event) * api.rate / UINT64_C(1000000000);
	if (api.told.due > api.world.events)
		api.told.due = api.world.events;
	for (c = connections; c; c = next) {
		next = c->next;
		if (!(c->watch || c->objects) || c->stalled)
			continue;
		if (c->watch)
			tell(c);
		else
			tell_objects(c);
		flush(c);
	}
	if (api.told.due - api.told.sent > api.told.behind)
		api.told.behind = api.told.due - api.told.sent;
}

void http_stall(void)
{
	for (struct connection *c = connections; c; c = c->next)
		c->stalled = true;
}

void http_ready(struct connection *c, uint32_t events)
{
	char *end, *path;
	ssize_t n;

	if ((events & EPOLLOUT) && !c->stalled) {
		if (c->watch)
			tell(c);
		if (!flush(c))
			return;
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	n = recv(c->fd, c->in + c->in_length, sizeof(c->in) - 1 - c->in_length, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close_connection(c);
		return;
	}
	c->in_length += (size_t)n;
	c->in[c->in_length] = '\0';
	end = strstr(c->in, "\r\n\r\n");
	if (!end)
		return;
	path = memcmp(c->in, "GET ", 4) ? NULL : c->in + 4;
	if (!path || !strchr(path, ' ')) {
		close_connection(c);
		return;
	}
	*strchr(path, ' ') = '\0';
	request(c, path);
	/* nobody asks again before the answer: what is left is nothing */
	c->in_length = 0;
	flush(c);
}

void http_open(int epoll, int listener)
{
	struct connection *c;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), size = 64 << 10;
	struct epoll_event event = {.events = EPOLLIN};

	if (fd < 0)
		return;
	/* what waits in here is not known to be read */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	c = calloc(1, sizeof(*c));
	event.data.ptr = c;
	if (!c || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) {
		free(c);
		close(fd);
		return;
	}
	c->fd = fd;
	c->epoll = epoll;
	c->next = connections;
	connections = c;
}
