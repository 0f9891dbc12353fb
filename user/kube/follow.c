/* SPDX-License-Identifier: MIT */
#include "follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "json-stream.h"
#include "members.h"
#include "pod-watch.h"
#include "service.h"
#include "target.h"

struct kube_follow {
	struct kube_client *client;
	char *what;
	char *namespace;
	struct kube_wanted wanted; /* without a form: by selector */
	struct kube_follow_ops ops;
	struct members *members;
	enum kube_follow_state state;
	char error[1024];
	long status; /* of the request for the Service, if it failed */
	/* by pods */
	struct pod_watch *pods;
	/* by a Service */
	struct kube_request *request;
	char *version;                 /* of the Service, as it was read */
	enum kube_confirmed unchanged; /* since: KUBE_CONFIRM_PENDING while it is read again */
	char changed[512];             /* why that failed */
	struct json_buffer_text {
		char *at;
		size_t length;
	} body;
	struct kube_timer timer;
	struct service service;
	size_t source;
	char *selector;
	struct kube_watch *slices;
};

static void fail(struct kube_follow *follow, const char *error)
{
	if (error != follow->error)
		snprintf(follow->error, sizeof(follow->error), "%s", error);
	follow->state = FOLLOW_FAILED;
}

/* --- by pods --- */

static bool is_member(const struct kube_follow *follow, const struct pod *pod)
{
	return follow->wanted.form ? kube_wanted_has(&follow->wanted, pod) : !pod->ended;
}

static void pod_changed(void *arg, const struct pod *pod)
{
	struct kube_follow *follow = arg;
	const uint16_t *ports = follow->wanted.port ? &follow->wanted.port : pod->ports;
	size_t n_ports = follow->wanted.port ? 1 : pod->n_ports;
	bool member = is_member(follow, pod);

	if (member && !n_ports)
		not_watched_add(
			&follow->service.not_watched, NOT_WATCHED_NO_PORT,
			"Pod %.100s names no TCP port, and is not watched: say which it is, with "
			"--port",
			pod->name.pod);
	if (member && pod->other_port && !follow->wanted.port)
		not_watched_add(&follow->service.not_watched, NOT_WATCHED_PROTOCOL,
				"Not watched, since not TCP: port %u/%s of pod %.100s",
				pod->other_port, pod->other_sctp ? "SCTP" : "UDP", pod->name.pod);
	members_begin(follow->members, pod->name.uid);
	for (size_t i = 0; member && i < pod->n_addresses; i++)
		for (size_t j = 0; j < n_ports; j++)
			members_add(follow->members, &pod->addresses[i], ports[j], pods_name(pod));
	members_end(follow->members);
}

/* What a list has no more was ended in the store, and not told one by one. */
static void pods_listed(void *arg)
{
	struct kube_follow *follow = arg;
	const struct pods *pods = pod_watch_pods(follow->pods);

	for (const struct pod *pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod))
		if (pod->ended)
			pod_changed(follow, pod);
	if (follow->state != FOLLOW_ASKING)
		return;
	follow->state = FOLLOW_ON;
	if (follow->wanted.form &&
	    kube_wanted_check(&follow->wanted, pods, false, follow->error, sizeof(follow->error)))
		fail(follow, follow->error);
}

static int follow_pods(struct kube_follow *follow, const char *labels)
{
	static const struct pod_watch_ops ops = {pod_changed, pods_listed};
	char *escaped = labels ? kube_escape(labels) : NULL;

	if (labels && (!escaped || asprintf(&follow->selector, "labelSelector=%s", escaped) < 0))
		follow->selector = NULL;
	free(escaped);
	if (labels && !follow->selector)
		return -ENOMEM;
	follow->pods =
		pod_watch_new(follow->client, follow->namespace, follow->selector, &ops, follow);
	return follow->pods ? 0 : -ENOMEM;
}

/* --- by a Service --- */

static void slice_begins(void *arg)
{
	struct kube_follow *follow = arg;

	members_list_begin(follow->members);
}

static void slice_listed(void *arg)
{
	struct kube_follow *follow = arg;

	members_list_end(follow->members);
	if (follow->state == FOLLOW_ASKING)
		follow->state = FOLLOW_ON;
}

static void take_slice(void *arg, enum kube_event event, const json_t *object)
{
	struct kube_follow *follow = arg;

	members_begin(follow->members, service_text(json_object_get(object, "metadata"), "name"));
	if (event != KUBE_DELETED)
		service_take(&follow->service, object, follow->wanted.port, follow->members);
	members_end(follow->members);
}

static int follow_slices(struct kube_follow *follow);

/* Whether it is the Service that was read, and nobody has written to it since: another one of this
 * name has another version, too. */
static void compare_service(struct kube_follow *follow, const json_t *json)
{
	const char *version = service_text(json_object_get(json, "metadata"), "resourceVersion");

	if (follow->unchanged != KUBE_CONFIRM_PENDING)
		return;
	if (*version && follow->version && !strcmp(version, follow->version)) {
		follow->unchanged = KUBE_CONFIRM_DONE;
		return;
	}
	follow->unchanged = KUBE_CONFIRM_FAILED;
	snprintf(follow->changed, sizeof(follow->changed),
		 "service %s in namespace %s was written to since it was read, and may have had "
		 "other ports; begin again",
		 follow->wanted.name, follow->namespace);
}

/* Not from within the watch itself: it is the one to be replaced. */
static void next_source(void *arg)
{
	struct kube_follow *follow = arg;

	kube_watch_free(follow->slices);
	follow->slices = NULL;
	follow->source++;
	if (follow->source < SERVICE_SOURCES && !follow_slices(follow))
		return;
	fail(follow, "the API has neither EndpointSlices nor Endpoints; name the workload, with "
		     "deploy/NAME");
}

static void source_missing(void *arg)
{
	struct kube_follow *follow = arg;

	kube_timer_start(follow->client, &follow->timer, 0, next_source, follow);
}

static int follow_slices(struct kube_follow *follow)
{
	static const struct kube_watch_ops ops = {slice_begins, slice_listed, take_slice,
						  source_missing};
	struct kube_collection collection = {
		.group = service_sources[follow->source].group,
		.namespace = follow->namespace,
		.resource = service_sources[follow->source].resource,
	};
	char *name = kube_escape(follow->wanted.name);

	free(follow->selector);
	follow->selector = NULL;
	if (!name ||
	    asprintf(&follow->selector, "%s%s", service_sources[follow->source].of_one, name) < 0)
		follow->selector = NULL;
	free(name);
	if (!follow->selector)
		return -ENOMEM;
	collection.selector = follow->selector;
	follow->slices = kube_watch_new(follow->client, &collection, &ops, follow);
	return follow->slices ? 0 : -ENOMEM;
}

static void ask_for_service(void *arg);

static int service_data(void *arg, const char *bytes, size_t length)
{
	struct kube_follow *follow = arg;
	char *at = realloc(follow->body.at, follow->body.length + length);

	if (!at)
		return -ENOMEM;
	memcpy(at + follow->body.length, bytes, length);
	follow->body.at = at;
	follow->body.length += length;
	return follow->body.length > JSON_STREAM_MAX ? -E2BIG : 0;
}

static void service_failed(struct kube_follow *follow, const struct kube_outcome *outcome)
{
	const struct kube_collection services = {"", follow->namespace, "services", NULL};

	if (outcome->status == 404 && follow->state == FOLLOW_ON) {
		follow->unchanged = KUBE_CONFIRM_FAILED;
		snprintf(follow->changed, sizeof(follow->changed),
			 "service %s in namespace %s is gone", follow->wanted.name,
			 follow->namespace);
		return;
	}
	follow->status = outcome->status;
	if (outcome->status == 404) {
		snprintf(follow->error, sizeof(follow->error),
			 "there is no service %s in namespace %s; see what there is with: kubectl "
			 "get services -n %s",
			 follow->wanted.name, follow->namespace, follow->namespace);
		fail(follow, follow->error);
		return;
	}
	if (outcome->status == 403)
		kube_forbidden(&services, "get", outcome->error, follow->error,
			       sizeof(follow->error));
	else
		snprintf(follow->error, sizeof(follow->error),
			 "asking the API for service %s in namespace %s: %s", follow->wanted.name,
			 follow->namespace, outcome->error);
	kube_timer_start(follow->client, &follow->timer, 1000 + outcome->retry_ms, ask_for_service,
			 follow);
}

static void service_done(void *arg, const struct kube_outcome *outcome)
{
	struct kube_follow *follow = arg;
	json_t *json = NULL;

	follow->request = NULL;
	if (!outcome->r && outcome->status == 200)
		json = json_loadb(follow->body.at, follow->body.length, 0, NULL);
	free(follow->body.at);
	follow->body.at = NULL;
	follow->body.length = 0;
	if (!json) {
		service_failed(follow, outcome);
		return;
	}
	follow->error[0] = '\0';
	follow->status = 0;
	if (follow->state == FOLLOW_ON) {
		compare_service(follow, json);
		json_decref(json);
		return;
	}
	follow->version =
		strdup(service_text(json_object_get(json, "metadata"), "resourceVersion"));
	if (service_read(&follow->service, json, follow->wanted.port, follow->error,
			 sizeof(follow->error)))
		fail(follow, follow->error);
	else if (follow_slices(follow))
		fail(follow, "out of memory");
	json_decref(json);
}

static void ask_for_service(void *arg)
{
	static const struct kube_request_ops ops = {service_data, service_done};
	struct kube_follow *follow = arg;
	char *name = kube_escape(follow->wanted.name), *path = NULL;

	if (name &&
	    asprintf(&path, "/api/v1/namespaces/%s/services/%s", follow->namespace, name) < 0)
		path = NULL;
	follow->request = path ? kube_get(follow->client, path, false, &ops, follow) : NULL;
	if (follow->state == FOLLOW_ON)
		kube_fresh(follow->request);
	free(name);
	free(path);
	if (!follow->request)
		kube_timer_start(follow->client, &follow->timer, 1000, ask_for_service, follow);
}

/* --- the follow --- */

/* What tells the endpoints; NULL: nothing yet. */
static struct kube_watch *followed_watch(const struct kube_follow *follow)
{
	return follow->pods ? pod_watch_watch(follow->pods) : follow->slices;
}

int kube_follow_new(struct kube_follow **out, struct kube_client *client,
		    const struct kube_wish *wish, const struct kube_follow_ops *ops, void *arg,
		    char *error, size_t error_size)
{
	struct kube_follow *follow = calloc(1, sizeof(*follow));
	int r = -ENOMEM;

	if (!follow)
		goto no_memory;
	follow->client = client;
	follow->what = wish->what ? strdup(wish->what) : NULL;
	follow->namespace = strdup(wish->namespace);
	follow->ops = *ops;
	follow->members = members_new(&follow->ops, arg);
	if ((wish->what && !follow->what) || !follow->namespace || !follow->members)
		goto no_memory;
	follow->wanted.namespace = follow->namespace;
	follow->wanted.port = wish->port;
	if (follow->what) {
		r = kube_wanted_parse(&follow->wanted, follow->what, follow->namespace, wish->port,
				      error, error_size);
		if (r)
			goto failed;
	}
	if (!follow->what || !kube_wanted_is_service(&follow->wanted)) {
		/* the watch of the pods themselves tells when one has ended */
		follow->ops.alive = NULL;
		if (follow_pods(follow, wish->selector))
			goto no_memory;
	} else {
		ask_for_service(follow);
	}
	*out = follow;
	return 0;
no_memory:
	r = -ENOMEM;
	snprintf(error, error_size, "out of memory");
failed:
	kube_follow_free(follow);
	return r;
}

void kube_follow_free(struct kube_follow *follow)
{
	if (!follow)
		return;
	kube_timer_stop(follow->client, &follow->timer);
	kube_cancel(follow->request);
	kube_watch_free(follow->slices);
	pod_watch_free(follow->pods);
	members_free(follow->members);
	service_deinit(&follow->service);
	free(follow->body.at);
	free(follow->selector);
	free(follow->version);
	free(follow->namespace);
	free(follow->what);
	free(follow);
}

enum kube_follow_state kube_follow_state(const struct kube_follow *follow)
{
	return follow->state;
}

const char *kube_follow_error(const struct kube_follow *follow, uint64_t *since)
{
	*since = 0;
	if (follow->state == FOLLOW_FAILED || follow->error[0])
		return follow->error;
	if (follow->pods)
		return pod_watch_trouble(follow->pods, since);
	return follow->slices ? kube_watch_trouble(follow->slices, since) : NULL;
}

long kube_follow_status(const struct kube_follow *follow)
{
	const struct kube_watch *watch = followed_watch(follow);

	return watch ? kube_watch_status(watch) : follow->status;
}

const struct pods *kube_follow_pods(const struct kube_follow *follow)
{
	return follow->pods ? pod_watch_pods(follow->pods) : NULL;
}

size_t kube_follow_dialled(const struct kube_follow *follow, const uint16_t **ports)
{
	*ports = follow->service.dialled;
	return follow->service.n_dialled;
}

const struct not_watched *kube_follow_not_watched(const struct kube_follow *follow)
{
	return &follow->service.not_watched;
}

const char *kube_follow_note(const struct kube_follow *follow)
{
	static const enum not_watched_code codes[] = {NOT_WATCHED_PROTOCOL, NOT_WATCHED_NO_PORT,
						      NOT_WATCHED_NAME, NOT_WATCHED_TRUNCATED};
	const char *text = "";

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]) && !*text; i++)
		text = not_watched_text(&follow->service.not_watched, codes[i]);
	return text;
}

void kube_follow_select(struct kube_follow *follow, const struct selectors *selectors)
{
	if (follow->pods)
		pods_select(pod_watch_pods(follow->pods), selectors);
}

void kube_follow_expire(struct kube_follow *follow, int64_t now)
{
	if (follow->pods)
		pods_expire(pod_watch_pods(follow->pods), now);
}

static void note_left_out(struct kube_follow *follow)
{
	const struct kube_watch *watch = followed_watch(follow);
	const char *damaged = follow->pods ? pod_watch_ever_damaged(follow->pods) : NULL;

	if (watch && kube_watch_ever_left_out(watch))
		not_watched_add(&follow->service.not_watched, NOT_WATCHED_TOO_LARGE,
				"One of the %s was too large to be read, and may be of the target",
				follow->pods ? "pods" : service_sources[follow->source].resource);
	if (damaged)
		not_watched_add(&follow->service.not_watched, NOT_WATCHED_UNREADABLE, "%.200s",
				damaged);
}

static void note_pending(struct kube_follow *follow)
{
	const struct pods *pods = pod_watch_pods(follow->pods);

	follow->service.not_watched.codes &= ~(uint32_t)NOT_WATCHED_PENDING;
	for (const struct pod *pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod))
		if (!pod->ended && !pod->n_addresses && is_member(follow, pod))
			not_watched_add(&follow->service.not_watched, NOT_WATCHED_PENDING,
					"Pod %.100s has no address yet, so that nobody can call it",
					pod->name.pod);
}

void kube_follow_tick(struct kube_follow *follow)
{
	note_left_out(follow);
	if (follow->pods)
		note_pending(follow);
	if (follow->slices)
		members_check(follow->members);
}

/* --- the proof --- */

const struct gaps *kube_follow_gaps(struct kube_follow *follow)
{
	struct kube_watch *watch = followed_watch(follow);

	return watch ? kube_watch_gaps(watch) : NULL;
}

void kube_follow_confirm(struct kube_follow *follow)
{
	struct kube_watch *watch = followed_watch(follow);

	if (follow->state != FOLLOW_ON || !watch)
		return;
	kube_watch_confirm(watch, true);
	if (!follow->slices)
		return;
	follow->unchanged = KUBE_CONFIRM_PENDING;
	/* one that was asked for before the call proves nothing */
	kube_timer_stop(follow->client, &follow->timer);
	kube_cancel(follow->request);
	free(follow->body.at);
	follow->body.at = NULL;
	follow->body.length = 0;
	ask_for_service(follow);
}

enum kube_confirmed kube_follow_confirmed(const struct kube_follow *follow, const char **why)
{
	const struct kube_watch *watch = followed_watch(follow);
	enum kube_confirmed told;
	uint64_t since;

	*why = "";
	if (follow->state != FOLLOW_ON || !watch) {
		*why = kube_follow_error(follow, &since);
		*why = *why ? *why : "the API has not told the endpoints of the target";
		return KUBE_CONFIRM_FAILED;
	}
	told = kube_watch_confirmed(watch, why);
	if (!follow->slices || told == KUBE_CONFIRM_FAILED || told == KUBE_CONFIRM_NONE)
		return told;
	if (follow->unchanged == KUBE_CONFIRM_FAILED) {
		*why = follow->changed;
		return KUBE_CONFIRM_FAILED;
	}
	if (told != KUBE_CONFIRM_PENDING && follow->unchanged == KUBE_CONFIRM_PENDING) {
		*why = follow->error[0] ? follow->error : "the API has not told the Service again";
		return KUBE_CONFIRM_PENDING;
	}
	return told;
}
