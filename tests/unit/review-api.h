/* SPDX-License-Identifier: MIT */
/*
 * An API server in the test's own process that answers the two reviews, and counts them: the ground
 * truth. It can be made to fail in each way. All without a wait: api_run() does what can be done
 * now.
 */
#ifndef TEST_REVIEW_API_H
#define TEST_REVIEW_API_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define API_CONNECTIONS 64
#define API_BYTES (64 << 10)

/* What it answers in place of what is right. All zero: what is right. */
struct api_fault {
	int status; /* 0: 201 */
	const char *head;
	const char *body;
};

struct api {
	int listener;
	unsigned port;
	struct pollfd polls[1 + API_CONNECTIONS];
	char *in[API_CONNECTIONS];
	size_t length[API_CONNECTIONS];
	bool hangs; /* reads, and says nothing */
	struct api_fault who_fault, may_fault;
	unsigned connections, who, may, others; /* that came */
	json_t *last_who, *last_may;            /* their bodies */
	char last_head[4096];
};

static void api_start(struct api *api)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t size = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	api->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (api->listener < 0 || bind(api->listener, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(api->listener, API_CONNECTIONS) ||
	    getsockname(api->listener, (struct sockaddr *)&at, &size))
		abort();
	api->port = ntohs(at.sin_port);
	for (size_t i = 0; i <= API_CONNECTIONS; i++)
		api->polls[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	api->polls[0].fd = api->listener;
}

static void api_drop(struct api *api, size_t i)
{
	if (api->polls[1 + i].fd < 0)
		return;
	close(api->polls[1 + i].fd);
	api->polls[1 + i].fd = -1;
	free(api->in[i]);
	api->in[i] = NULL;
	api->length[i] = 0;
}

static void api_stop(struct api *api)
{
	for (size_t i = 0; i < API_CONNECTIONS; i++)
		api_drop(api, i);
	if (api->listener >= 0)
		close(api->listener);
	api->listener = api->polls[0].fd = -1;
	json_decref(api->last_who);
	json_decref(api->last_may);
	api->last_who = api->last_may = NULL;
}

static bool is(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value && !strcmp(value, text);
}

/* Two tokens are known. As a real server does it, it sends what it got, with a status. */
static json_t *api_who(const json_t *asked)
{
	const json_t *spec = json_object_get(asked, "spec");
	json_t *answer = json_deep_copy(asked), *status;

	if (is(spec, "token", "good") || is(spec, "token", "good+/=._~-\"\\"))
		status = json_pack("{s:b, s:{s:s, s:s, s:[s, s], s:{s:[s]}}, s:[s]}",
				   "authenticated", 1, "user", "username",
				   "system:serviceaccount:monitoring:prometheus", "uid", "u-1",
				   "groups", "system:serviceaccounts", "system:authenticated",
				   "extra", "authentication.kubernetes.io/pod-name", "prometheus-0",
				   "audiences", "https://kubernetes.default.svc");
	else if (is(spec, "token", "poor"))
		status = json_pack("{s:b, s:{s:s}}", "authenticated", 1, "user", "username",
				   "j\u00f6rg");
	else
		status = json_pack("{s:{}, s:s}", "user", "error",
				   "[invalid bearer token, unknown]");
	json_object_set_new(answer, "status", status);
	return answer;
}

static json_t *api_may(const json_t *asked)
{
	const json_t *spec = json_object_get(asked, "spec");
	const json_t *what = json_object_get(spec, "nonResourceAttributes");
	bool may = is(spec, "user", "system:serviceaccount:monitoring:prometheus") &&
		   is(what, "verb", "get") &&
		   (is(what, "path", "/metrics") || is(what, "path", "/api/v1/callers"));
	json_t *answer = json_deep_copy(asked);

	json_object_set_new(answer, "status",
			    may ? json_pack("{s:b, s:s}", "allowed", 1, "reason", "RBAC: allowed")
				: json_pack("{s:b}", "allowed", 0));
	return answer;
}

static void api_answer(struct api *api, size_t i, const char *body)
{
	bool who = strstr(api->in[i], "POST /apis/authentication.k8s.io/v1/tokenreviews ");
	bool may = strstr(api->in[i], "POST /apis/authorization.k8s.io/v1/subjectaccessreviews ");
	const struct api_fault *fault = who ? &api->who_fault : &api->may_fault;
	json_t *asked = json_loads(body, 0, NULL), *right = NULL;
	char *text, *answer;
	int length;

	*(who ? &api->who : may ? &api->may : &api->others) += 1;
	snprintf(api->last_head, sizeof(api->last_head), "%s", api->in[i]);
	if (asked)
		right = who ? api_who(asked) : api_may(asked);
	json_decref(*(who ? &api->last_who : &api->last_may));
	*(who ? &api->last_who : &api->last_may) = asked;
	if (api->hangs) {
		json_decref(right);
		return;
	}
	text = fault->body ? strdup(fault->body) : json_dumps(right, 0);
	/* in one piece: a second would wait for the first to be acknowledged */
	length = asprintf(&answer,
			  "HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\n%s"
			  "Content-Length: %zu\r\n\r\n%s",
			  fault->status ? fault->status : 201, fault->head ? fault->head : "",
			  strlen(text), text);
	if (length < 0 || write(api->polls[1 + i].fd, answer, (size_t)length) != length)
		abort();
	free(answer);
	json_decref(right);
	free(text);
}

static void api_read(struct api *api, size_t i)
{
	size_t room = API_BYTES - 1 - api->length[i];
	ssize_t n = read(api->polls[1 + i].fd, api->in[i] + api->length[i], room);
	const char *end, *length;

	if (n <= 0) {
		api_drop(api, i);
		return;
	}
	api->length[i] += (size_t)n;
	api->in[i][api->length[i]] = '\0';
	end = strstr(api->in[i], "\r\n\r\n");
	length = strstr(api->in[i], "Content-Length: ");
	if (!end || !length || strlen(end + 4) < strtoul(length + 16, NULL, 10))
		return;
	api->in[i][end - api->in[i] + 2] = '\0';
	api_answer(api, i, end + 4);
	api->length[i] = 0;
}

static void api_accept(struct api *api)
{
	int fd;

	while ((fd = accept4(api->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		size_t i = 0;

		while (i < API_CONNECTIONS && api->polls[1 + i].fd >= 0)
			i++;
		if (i == API_CONNECTIONS)
			abort();
		api->polls[1 + i].fd = fd;
		api->in[i] = malloc(API_BYTES);
		api->connections++;
	}
}

/* After a poll(). */
static void api_run(struct api *api)
{
	for (size_t i = 0; i < API_CONNECTIONS; i++)
		if (api->polls[1 + i].fd >= 0 && api->polls[1 + i].revents)
			api_read(api, i);
	if (api->polls[0].revents)
		api_accept(api);
}

#endif
