/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <curl/curl.h>

#include "access.h"
#include "clock.h"
#include "secret.h"

#define CONNECT_MS 10000L
#define STALLED_S 30L
/* On a watch there is a bookmark a minute; the kernel of a server that hangs answers keepalives. */
#define SILENT_S 100L
/* Of a POST, all of it: somebody waits for the answer. */
#define POST_MS 5000L
#define PLUGIN_MS 31000 /* it is killed after 30 s */
/* More than that no server is granted. */
#define RETRY_MAX_S 120
#define ERROR_BODY ((size_t)64 << 10)
/* Small, since curl reads up to a hundred of these before it comes back. */
#define BUFFER_BYTES 4096L
/* What came is handed out for so long at a time, in pieces: the loop has other things to do. */
#define TURN_NS (3 * UINT64_C(1000000))
#define PIECE_BYTES ((size_t)16 << 10)
#define KEPT_BYTES ((size_t)1 << 20)

struct kube_request {
	struct kube_client *client;
	const struct kube_request_ops *ops;
	void *arg;
	CURL *curl;
	struct curl_slist *headers;
	char *url;
	bool post;
	struct secret sent; /* the body of a POST */
	bool added;         /* to curl; not while credentials are waited for */
	bool cancelled;     /* only to be freed */
	uint64_t answered;
	char *came; /* of an answer with status 200, not handed out yet from `handed` on */
	size_t came_length, came_room, handed;
	int data_result;
	char *body; /* of an answer that is no 200 */
	size_t body_length;
	char error[CURL_ERROR_SIZE];
	struct kube_request *next;
};

struct kube_client {
	struct kube_access *access;
	CURLM *multi;
	int epoll;
	int timer; /* timerfd: the next of curl's and of our own */
	uint64_t curl_due;
	struct kube_request *requests;
	struct kube_timer *timers;
	bool running;
	bool more; /* some of what came is not handed out */
	struct kube_traffic traffic;
	struct kube_timer plugin_timer;
	int credentials; /* file descriptor that tells of a plugin's end; -1: none runs */
};

/* --- timers --- */

static void set_timer(struct kube_client *client)
{
	uint64_t due = client->curl_due;
	struct itimerspec spec = {};

	for (const struct kube_timer *timer = client->timers; timer; timer = timer->next)
		if (!due || timer->due < due)
			due = timer->due;
	if (client->more)
		due = 1;
	spec.it_value.tv_sec = (time_t)(due / 1000000000);
	spec.it_value.tv_nsec = (long)(due % 1000000000);
	timerfd_settime(client->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

void kube_timer_stop(struct kube_client *client, struct kube_timer *timer)
{
	struct kube_timer **at = &client->timers;

	while (*at && *at != timer)
		at = &(*at)->next;
	if (*at)
		*at = timer->next;
	timer->due = 0;
}

void kube_timer_start(struct kube_client *client, struct kube_timer *timer, uint64_t ms,
		      void (*fire)(void *arg), void *arg)
{
	kube_timer_stop(client, timer);
	*timer = (struct kube_timer){
		.fire = fire,
		.arg = arg,
		.due = monotonic_ns() + ms * 1000000,
		.next = client->timers,
	};
	client->timers = timer;
	set_timer(client);
}

static void fire_timers(struct kube_client *client)
{
	uint64_t now = monotonic_ns();
	struct kube_timer *timer;

	do {
		for (timer = client->timers; timer && timer->due > now; timer = timer->next)
			;
		if (timer) {
			kube_timer_stop(client, timer);
			timer->fire(timer->arg);
		}
	} while (timer);
}

/* --- curl's sockets and its timer --- */

static int curl_wants_timer(CURLM *multi, long ms, void *arg)
{
	struct kube_client *client = arg;

	(void)multi;
	client->curl_due = ms < 0 ? 0 : monotonic_ns() + (uint64_t)ms * 1000000 + 1;
	set_timer(client);
	return 0;
}

static int curl_wants_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *known)
{
	struct kube_client *client = arg;
	struct epoll_event event = {.data.fd = fd};

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(client->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	/* what is known to it was closed meanwhile, and a new one has its number; or the other way
	 */
	if (epoll_ctl(client->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) &&
	    epoll_ctl(client->epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event))
		return -1;
	curl_multi_assign(client->multi, fd, client);
	return 0;
}

/* --- requests --- */

static bool went_well(const struct kube_request *request, long status)
{
	return status == 200 || (request->post && status == 201);
}

/* The answer to a POST may say again what was sent, so no copy of it stays behind. */
static void forget(struct kube_request *request)
{
	if (request->post)
		secret_release(request->came);
	else
		free(request->came);
	request->came = NULL;
}

static int keep(struct kube_request *request, const char *bytes, size_t length)
{
	size_t room = request->came_room ? request->came_room : PIECE_BYTES;
	char *at;

	while (room < request->came_length + length)
		room *= 2;
	if (room == request->came_room)
		at = request->came;
	else
		at = (request->post ? secret_resize : realloc)(request->came, room);
	if (!at)
		return -ENOMEM;
	memcpy(at + request->came_length, bytes, length);
	request->came = at;
	request->came_room = room;
	request->came_length += length;
	return 0;
}

static size_t take_data(char *bytes, size_t size, size_t n, void *arg)
{
	struct kube_request *request = arg;
	size_t length = size * n, room = ERROR_BODY - request->body_length;
	long status = 0;

	if (request->cancelled)
		return 0;
	curl_easy_getinfo(request->curl, CURLINFO_RESPONSE_CODE, &status);
	if (went_well(request, status)) {
		request->data_result = keep(request, bytes, length);
		return request->data_result ? 0 : length;
	}
	if (!request->body)
		request->body = malloc(ERROR_BODY);
	if (!request->body)
		return 0;
	if (length < room)
		room = length;
	memcpy(request->body + request->body_length, bytes, room);
	request->body_length += room;
	return length;
}

/* An empty line ends the head. */
static size_t take_header(char *bytes, size_t size, size_t n, void *arg)
{
	struct kube_request *request = arg;
	long status = 0;

	if (size * n <= 2 && n && (bytes[0] == '\r' || bytes[0] == '\n')) {
		curl_easy_getinfo(request->curl, CURLINFO_RESPONSE_CODE, &status);
		if (went_well(request, status))
			request->answered = monotonic_ns();
	}
	return size * n;
}

static void request_free(struct kube_request *request)
{
	struct kube_request **at = &request->client->requests;

	while (*at && *at != request)
		at = &(*at)->next;
	if (*at)
		*at = request->next;
	if (request->added)
		curl_multi_remove_handle(request->client->multi, request->curl);
	curl_easy_cleanup(request->curl);
	curl_slist_free_all(request->headers);
	free(request->url);
	forget(request);
	secret_release(request->body);
	secret_deinit(&request->sent);
	free(request);
}

/* Frees those that were cancelled while curl was calling us. */
static void reap(struct kube_client *client)
{
	struct kube_request *request, *next;

	for (request = client->requests; request; request = next) {
		next = request->next;
		if (request->cancelled)
			request_free(request);
	}
}

uint64_t kube_answered(const struct kube_request *request)
{
	return request ? request->answered : 0;
}

void kube_fresh(struct kube_request *request)
{
	if (request)
		curl_easy_setopt(request->curl, CURLOPT_FRESH_CONNECT, 1L);
}

void kube_cancel(struct kube_request *request)
{
	if (!request)
		return;
	request->cancelled = true;
	if (!request->client->running)
		reap(request->client);
}

/* What the server says of it: a Status object, or whatever came. */
static void explain_status(const json_t *body, long status, char *error, size_t size)
{
	const char *message = json_string_value(json_object_get(body, "message"));

	if (message)
		snprintf(error, size, "HTTP %ld: %s", status, message);
	else
		snprintf(error, size, "HTTP %ld", status);
	for (char *c = error; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static int errno_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_PEER_FAILED_VERIFICATION:
		return -EACCES;
	default:
		return -EIO;
	}
}

/* Why the request was ended by whoever takes its data. */
static const char *data_error(int r)
{
	switch (r) {
	case -ENOMEM:
		return "out of memory";
	case -E2BIG:
		return "the answer has more than 8 MiB where no server has";
	case -EINVAL:
	case -EBADMSG:
		return "the answer is not JSON as an API server has it; is it one?";
	default:
		return strerror(-r);
	}
}

static void finish(struct kube_request *request, CURLcode code)
{
	struct kube_client *client = request->client;
	const struct kube_request_ops *ops = request->ops;
	void *arg = request->arg;
	bool cancelled = request->cancelled;
	struct kube_outcome outcome = {};
	char error[512] = "";
	curl_off_t bytes = 0, retry_s = 0;

	curl_easy_getinfo(request->curl, CURLINFO_RESPONSE_CODE, &outcome.status);
	curl_easy_getinfo(request->curl, CURLINFO_RETRY_AFTER, &retry_s);
	outcome.answered = request->answered;
	outcome.retry_ms = 1000 * (uint32_t)(retry_s < RETRY_MAX_S ? retry_s : RETRY_MAX_S);
	curl_easy_getinfo(request->curl, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
	client->traffic.bytes += (uint64_t)bytes;
	outcome.r = request->data_result ? request->data_result : errno_of(code);
	if (!went_well(request, outcome.status) && request->body)
		outcome.body = json_loadb(request->body, request->body_length, 0, NULL);
	if (request->data_result)
		snprintf(error, sizeof(error), "%s", data_error(request->data_result));
	else if (outcome.r)
		snprintf(error, sizeof(error), "%s",
			 request->error[0] ? request->error : curl_easy_strerror(code));
	else if (!went_well(request, outcome.status))
		explain_status(outcome.body, outcome.status, error, sizeof(error));
	outcome.error = error;
	if (outcome.status == 401)
		kube_access_refused(client->access);
	request_free(request);
	if (!cancelled)
		ops->done(arg, &outcome);
	json_decref(outcome.body);
}

static bool hand_out_one(struct kube_request *request, uint64_t end)
{
	while (request->handed < request->came_length && !request->cancelled &&
	       !request->data_result) {
		size_t n = request->came_length - request->handed;

		if (monotonic_ns() >= end)
			return false;
		if (n > PIECE_BYTES)
			n = PIECE_BYTES;
		request->data_result =
			request->ops->data(request->arg, request->came + request->handed, n);
		request->handed += n;
	}
	request->handed = 0;
	request->came_length = 0;
	if (request->came_room > KEPT_BYTES) {
		forget(request);
		request->came_room = 0;
	}
	return true;
}

/*
 * Hands out what came. Where that takes too long the rest waits for the next turn, and so does
 * curl: an answer that is packed may be a hundred times as long as what curl reads at once.
 */
static void hand_out(struct kube_client *client)
{
	uint64_t end = monotonic_ns() + TURN_NS;
	struct kube_request *request = client->requests, *next;

	client->more = false;
	for (; request && !client->more; request = next) {
		next = request->next;
		client->more = !hand_out_one(request, end);
		if (request->data_result && !request->cancelled)
			finish(request, CURLE_WRITE_ERROR);
	}
}

static void take_finished(struct kube_client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct kube_request *request = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
		finish(request, message->data.result);
	}
}

static int add_header(struct kube_request *request, const char *header)
{
	struct curl_slist *headers = curl_slist_append(request->headers, header);

	if (!headers)
		return -ENOMEM;
	request->headers = headers;
	return 0;
}

/* Hands the request to curl, or waits for the plugin that makes credentials. Negative errno: it
 * can't be made. */
static int begin(struct kube_request *request, char *error, size_t error_size)
{
	struct kube_client *client = request->client;
	int r = kube_access_apply(client->access, request->curl, &request->headers, error,
				  error_size);

	if (r == -EAGAIN)
		return 0;
	if (r)
		return r;
	if (add_header(request, "Accept: application/json"))
		goto no_memory;
	if (request->post && add_header(request, "Content-Type: application/json"))
		goto no_memory;
	curl_easy_setopt(request->curl, CURLOPT_HTTPHEADER, request->headers);
	if (curl_multi_add_handle(client->multi, request->curl))
		goto no_memory;
	request->added = true;
	client->traffic.requests++;
	return 0;
no_memory:
	snprintf(error, error_size, "out of memory");
	return -ENOMEM;
}

/* In a call of its own: done() is never called from within kube_get(). */
static void fail_to_begin(struct kube_request *request, int r, const char *error)
{
	const struct kube_outcome outcome = {.r = r, .error = error};
	const struct kube_request_ops *ops = request->ops;
	void *arg = request->arg;

	request_free(request);
	ops->done(arg, &outcome);
}

static void begin_waiting(struct kube_client *client)
{
	struct kube_request *request = client->requests, *next;

	for (; request; request = next) {
		char error[512] = "";
		int r;

		next = request->next;
		if (request->added || request->cancelled)
			continue;
		r = begin(request, error, sizeof(error));
		if (r)
			fail_to_begin(request, r, error);
	}
}

/* What all have in common. It does not begin yet. */
static struct kube_request *request_new(struct kube_client *client, const char *path,
					const struct kube_request_ops *ops, void *arg)
{
	struct kube_request *request = calloc(1, sizeof(*request));
	CURL *curl = curl_easy_init();

	if (!request || !curl ||
	    asprintf(&request->url, "%s%s", kube_access_url(client->access), path) < 0) {
		curl_easy_cleanup(curl);
		free(request);
		return NULL;
	}
	request->client = client;
	request->ops = ops;
	request->arg = arg;
	request->curl = curl;
	curl_easy_setopt(curl, CURLOPT_URL, request->url);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, request);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, request);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, request);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, request->error);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "whocalls/" WHOCALLS_VERSION);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, STALLED_S);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, STALLED_S / 3);
	/* a name server that does not answer would hold up the end of the request, and the loop */
	curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
	return request;
}

static void queue(struct kube_request *request)
{
	struct kube_client *client = request->client;

	request->next = client->requests;
	client->requests = request;
	/* begins when the loop comes by */
	client->curl_due = monotonic_ns();
	set_timer(client);
}

struct kube_request *kube_get(struct kube_client *client, const char *path, bool watch,
			      const struct kube_request_ops *ops, void *arg)
{
	struct kube_request *request = request_new(client, path, ops, arg);

	if (!request)
		return NULL;
	curl_easy_setopt(request->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(request->curl, CURLOPT_LOW_SPEED_TIME, watch ? SILENT_S : STALLED_S);
	if (watch)
		curl_easy_setopt(request->curl, CURLOPT_TIMEOUT, (long)KUBE_WATCH_MAX_S);
	queue(request);
	return request;
}

struct kube_request *kube_post(struct kube_client *client, const char *path,
			       const struct secret *body, const struct kube_request_ops *ops,
			       void *arg)
{
	struct kube_request *request = request_new(client, path, ops, arg);

	if (!request)
		return NULL;
	request->post = true;
	if (secret_copy(&request->sent, body->data, body->size)) {
		request_free(request);
		return NULL;
	}
	/* curl reads it from there: no copy of its own */
	curl_easy_setopt(request->curl, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)request->sent.size);
	curl_easy_setopt(request->curl, CURLOPT_POSTFIELDS, request->sent.data);
	curl_easy_setopt(request->curl, CURLOPT_TIMEOUT_MS, POST_MS);
	queue(request);
	return request;
}

/* --- the client --- */

int kube_client_new(struct kube_client **out, struct kube_access *access, char *error,
		    size_t error_size)
{
	struct kube_client *client = calloc(1, sizeof(*client));
	struct epoll_event event = {.events = EPOLLIN};

	if (!client)
		goto failed;
	client->access = access;
	client->epoll = epoll_create1(EPOLL_CLOEXEC);
	client->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	client->credentials = -1;
	/* headers, and what is sent and comes, hold tokens: no copy of libcurl's stays behind */
	if (!curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, secret_release, secret_resize,
				  strdup, calloc))
		client->multi = curl_multi_init();
	event.data.fd = client->timer;
	if (client->epoll < 0 || client->timer < 0 || !client->multi ||
	    epoll_ctl(client->epoll, EPOLL_CTL_ADD, client->timer, &event))
		goto failed;
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, curl_wants_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, curl_wants_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	*out = client;
	return 0;
failed:
	snprintf(error, error_size, "starting libcurl: %s", strerror(errno ? errno : ENOMEM));
	kube_client_free(client);
	return -ENOMEM;
}

void kube_client_free(struct kube_client *client)
{
	if (!client)
		return;
	while (client->requests)
		request_free(client->requests);
	curl_multi_cleanup(client->multi);
	if (client->timer > 0)
		close(client->timer);
	if (client->epoll > 0)
		close(client->epoll);
	free(client);
}

int kube_client_fd(const struct kube_client *client)
{
	return client->epoll;
}

/* That it fired is all that is needed: kube_client_run() looks at the plugin each time. */
static void no_more(void *arg)
{
	(void)arg;
}

/* A plugin that makes credentials runs: its end is to wake us, or that it takes too long. */
static void watch_credentials(struct kube_client *client)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = kube_access_fd(client->access);

	if (fd == client->credentials)
		return;
	/* a descriptor that was closed has left the epoll by itself */
	client->credentials = fd;
	event.data.fd = fd;
	if (fd < 0)
		return;
	epoll_ctl(client->epoll, EPOLL_CTL_ADD, fd, &event);
	kube_timer_start(client, &client->plugin_timer, PLUGIN_MS, no_more, client);
}

static void run_curl(struct kube_client *client)
{
	struct epoll_event events[16];
	int n = epoll_wait(client->epoll, events, 16, 0), left;
	uint64_t expired;

	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd, bits = 0;

		if (fd == client->timer) {
			if (read(client->timer, &expired, sizeof(expired)) < 0)
				continue;
			fire_timers(client);
			if (client->curl_due && client->curl_due <= monotonic_ns()) {
				client->curl_due = 0;
				curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0,
							 &left);
			}
			continue;
		}
		if (fd == client->credentials)
			continue;
		if (events[i].events & (EPOLLIN | EPOLLHUP))
			bits |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			bits |= CURL_CSELECT_OUT;
		if (events[i].events & EPOLLERR)
			bits |= CURL_CSELECT_ERR;
		curl_multi_socket_action(client->multi, fd, bits, &left);
	}
}

void kube_client_run(struct kube_client *client)
{
	client->running = true;
	kube_access_run(client->access);
	/* it has ended, and the next may get the same number */
	if (kube_access_fd(client->access) < 0)
		client->credentials = -1;
	if (!client->more)
		run_curl(client);
	hand_out(client);
	if (!client->more)
		take_finished(client);
	begin_waiting(client);
	watch_credentials(client);
	client->running = false;
	reap(client);
	set_timer(client);
}

struct kube_traffic kube_client_traffic(const struct kube_client *client)
{
	struct kube_traffic traffic = client->traffic;

	for (const struct kube_request *request = client->requests; request;
	     request = request->next) {
		curl_off_t bytes = 0;

		curl_easy_getinfo(request->curl, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
		traffic.bytes += (uint64_t)bytes;
	}
	return traffic;
}
