/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "escape.h"
#include "json-stream.h"

/* As client-go: a page of 500. */
#define PAGE 500
#define PAUSE_MIN_MS 500
#define PAUSE_MAX_MS 30000
/* The server ends a watch after this many seconds, and up to a third more; then the next begins. */
#define WATCH_S 240
_Static_assert(WATCH_S + WATCH_S / 3 < KUBE_WATCH_MAX_S, "the server ends it, not we");
/* What is only listed is listed this often at most. */
#define AGAIN_NS (300 * UINT64_C(1000000000))
/* One that lasts so long is no failure, whatever comes. */
#define LASTS_MS 10000
/* After so many failures in a row that the server answers it is asked for a list again. */
#define FAILURES 3

enum state {
	LISTING,
	WATCHING,
	PAUSED, /* the timer runs */
	ENDED,
};

struct kube_watch {
	struct kube_client *client;
	struct kube_collection collection;
	const struct kube_watch_ops *ops;
	void *arg;
	enum state state;
	struct kube_request *request;
	struct json_stream stream;
	struct kube_timer timer;
	char *path;
	char *version;  /* resourceVersion to watch from; NULL: list first */
	char *next;     /* metadata.continue: the page to get; NULL: from the start */
	bool synced;    /* a list was complete once */
	bool expired;   /* the server no longer has `version` */
	bool heard;     /* something came in this watch */
	uint64_t began; /* this watch */
	uint32_t pause_ms;
	uint32_t failures; /* of watches, in a row */
	uint64_t failing_since;
	long status;
	char trouble[768];
	uint64_t large_since; /* an object was too large; 0: not since the list began */
	char large[128];
};

static void list_go(struct kube_watch *watch);
static void watch_go(struct kube_watch *watch);

int kube_collection_path(const struct kube_collection *c, char **path)
{
	const char *within = c->namespace ? "/namespaces/" : "";
	int n = asprintf(path, "%s%s%s%s/%s?%s%s", *c->group ? "/apis/" : "/api/v1", c->group,
			 within, c->namespace ? c->namespace : "", c->resource,
			 c->selector ? c->selector : "", c->selector ? "&" : "");

	return n < 0 ? -ENOMEM : 0;
}

void kube_forbidden(const struct kube_collection *c, const char *verb, const char *answer,
		    char *text, size_t size)
{
	int group = (int)strcspn(c->group, "/");

	snprintf(text, size,
		 "the API does not let us %s %s%s%s (%s); add to a %s that is bound to this user: "
		 "{apiGroups: [\"%.*s\"], resources: [\"%s\"], verbs: [\"%s\"]}",
		 verb, c->resource, c->namespace ? " in namespace " : " of all namespaces",
		 c->namespace ? c->namespace : "", answer, c->namespace ? "Role" : "ClusterRole",
		 group, c->group, c->resource, verb);
}

/* --- pauses --- */

static void resume(void *arg)
{
	struct kube_watch *watch = arg;

	if (watch->version)
		watch_go(watch);
	else
		list_go(watch);
}

/* Twice as long after each failure in a row, and never the same for all who wait: half to whole,
 * after `least_ms`, which the server asked for. */
static void pause_for_a_while(struct kube_watch *watch, uint32_t least_ms)
{
	uint32_t ms = watch->pause_ms;

	ms = least_ms + ms / 2 + arc4random_uniform(ms / 2 + 1);
	watch->pause_ms *= 2;
	if (watch->pause_ms > PAUSE_MAX_MS)
		watch->pause_ms = PAUSE_MAX_MS;
	watch->state = PAUSED;
	kube_timer_start(watch->client, &watch->timer, ms, resume, watch);
}

/* A watch that tells something, or that lasts, is what shows that all is well: not that a list was
 * had. */
static void went_well(struct kube_watch *watch)
{
	watch->pause_ms = PAUSE_MIN_MS;
	watch->failures = 0;
	watch->failing_since = 0;
	watch->trouble[0] = '\0';
	watch->status = 0;
}

static void failed(struct kube_watch *watch, const char *verb, const struct kube_outcome *outcome)
{
	watch->status = outcome->status;
	if (!watch->failing_since)
		watch->failing_since = monotonic_ns();
	if (outcome->status == 403)
		kube_forbidden(&watch->collection, verb, outcome->error, watch->trouble,
			       sizeof(watch->trouble));
	else if (outcome->r != -EREMOTEIO) /* then the server's own words are there already */
		snprintf(watch->trouble, sizeof(watch->trouble), "asking the API to %s %s: %s%s",
			 verb, watch->collection.resource, outcome->error,
			 outcome->status == 401
				 ? "; the credentials are not (or no longer) accepted"
				 : "");
	pause_for_a_while(watch, outcome->retry_ms);
}

/* The answer has ended. What was too large in it is not asked for again. */
static void end_stream(struct kube_watch *watch)
{
	if (watch->stream.too_large && !watch->large_since) {
		watch->large_since = monotonic_ns();
		snprintf(watch->large, sizeof(watch->large),
			 "one of the %s has more than %zu MiB, and was left out",
			 watch->collection.resource, JSON_STREAM_MAX >> 20);
	}
	watch->stream.too_large = 0;
	json_stream_deinit(&watch->stream);
}

static void set_text(char **at, const char *text)
{
	char *copy = text && *text ? strdup(text) : NULL;

	free(*at);
	*at = copy;
}

static const char *metadata_text(const json_t *object, const char *field)
{
	const char *text =
		json_string_value(json_object_get(json_object_get(object, "metadata"), field));

	return text ? text : "";
}

/* --- lists --- */

static int take_item(void *arg, const char *text, size_t length)
{
	struct kube_watch *watch = arg;
	json_t *object = json_loadb(text, length, 0, NULL);

	if (!object)
		return -EBADMSG;
	watch->ops->object(watch->arg, KUBE_LISTED, object);
	json_decref(object);
	return 0;
}

static int stream_data(void *arg, const char *bytes, size_t length)
{
	struct kube_watch *watch = arg;

	return json_stream_feed(&watch->stream, bytes, length);
}

/* The page is whole. True: it was the last. */
static int page_ended(struct kube_watch *watch, bool *last)
{
	size_t length;
	const char *rest = json_stream_rest(&watch->stream, &length);
	json_t *list = rest ? json_loadb(rest, length, 0, NULL) : NULL;

	if (!list)
		return -EBADMSG;
	set_text(&watch->next, metadata_text(list, "continue"));
	if (!watch->next)
		set_text(&watch->version, metadata_text(list, "resourceVersion"));
	*last = !watch->next;
	json_decref(list);
	return *last && !watch->version ? -EBADMSG : 0;
}

static void list_done(void *arg, const struct kube_outcome *outcome)
{
	struct kube_watch *watch = arg;
	struct kube_outcome broken = *outcome;
	bool last = false;
	int r = 0;

	watch->request = NULL;
	if (!outcome->r && outcome->status == 200)
		r = page_ended(watch, &last);
	end_stream(watch);
	/* later it is somebody else's word than the API server's */
	if (outcome->status == 404 && watch->ops->missing && !watch->synced) {
		watch->state = ENDED;
		watch->ops->missing(watch->arg);
		return;
	}
	if (r && !outcome->r) {
		broken.r = r;
		broken.error = "the answer is no list";
	}
	/* From the start again. What has expired in the middle (410) comes with a token to go on
	 * with, but what changed on the pages before would be in neither the list nor the watch. */
	if (broken.r || outcome->status != 200) {
		set_text(&watch->next, NULL);
		failed(watch, "list", &broken);
		return;
	}
	if (!last) {
		list_go(watch);
		return;
	}
	watch->synced = true;
	watch->ops->list_ended(watch->arg);
	if (watch->collection.only_list) {
		went_well(watch);
		watch->state = ENDED;
		watch->began = monotonic_ns();
		set_text(&watch->version, NULL);
	} else {
		watch_go(watch);
	}
}

static void list_go(struct kube_watch *watch)
{
	static const struct kube_request_ops ops = {stream_data, list_done};
	char *escaped = watch->next ? kube_escape(watch->next) : NULL, *path = NULL;

	watch->state = LISTING;
	if (!watch->next) {
		watch->large_since = 0;
		watch->ops->list_begins(watch->arg);
	}
	json_stream_init_list(&watch->stream, take_item, watch);
	if ((watch->next && !escaped) ||
	    asprintf(&path, "%slimit=%d%s%s", watch->path, PAGE, escaped ? "&continue=" : "",
		     escaped ? escaped : "") < 0)
		path = NULL;
	watch->request = path ? kube_get(watch->client, path, false, &ops, watch) : NULL;
	free(escaped);
	free(path);
	if (!watch->request)
		pause_for_a_while(watch, 0);
}

/* --- watches --- */

/* What follows "type": a Status, usually that the version is too old. */
static int take_error(struct kube_watch *watch, const json_t *status)
{
	const char *message = json_string_value(json_object_get(status, "message"));

	if (json_integer_value(json_object_get(status, "code")) == 410) {
		watch->expired = true;
		return -ESTALE;
	}
	snprintf(watch->trouble, sizeof(watch->trouble), "watching %s: %s",
		 watch->collection.resource,
		 message ? message : "the server ended it with an error");
	return -EREMOTEIO;
}

static int take_line(void *arg, const char *text, size_t length)
{
	static const struct {
		const char *name;
		enum kube_event event;
	} events[] = {
		{"ADDED", KUBE_ADDED}, {"MODIFIED", KUBE_MODIFIED}, {"DELETED", KUBE_DELETED}};
	struct kube_watch *watch = arg;
	json_t *line = json_loadb(text, length, 0, NULL);
	const char *type = json_string_value(json_object_get(line, "type"));
	const json_t *object = json_object_get(line, "object");
	int r = 0;

	if (!type || !object) {
		r = -EBADMSG;
	} else if (!strcmp(type, "ERROR")) {
		r = take_error(watch, object);
	} else {
		for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
			if (!strcmp(type, events[i].name))
				watch->ops->object(watch->arg, events[i].event, object);
		/* of a BOOKMARK that is all there is */
		set_text(&watch->version, metadata_text(object, "resourceVersion"));
		watch->heard = true;
		went_well(watch);
	}
	json_decref(line);
	return r;
}

static void watch_done(void *arg, const struct kube_outcome *outcome)
{
	struct kube_watch *watch = arg;

	watch->request = NULL;
	end_stream(watch);
	kube_timer_stop(watch->client, &watch->timer);
	if (outcome->status == 410 || watch->expired || !watch->version) {
		watch->expired = false;
		set_text(&watch->version, NULL);
		pause_for_a_while(watch, 0);
		return;
	}
	if (outcome->status == 200 && (!outcome->r || watch->heard)) {
		/* the server's time was up, or the connection broke: go on where it stopped */
		if (watch->heard)
			went_well(watch);
		pause_for_a_while(watch, 0);
		return;
	}
	/* it may be the version that the server can't do anything with */
	if (outcome->r == -EBADMSG || (outcome->status && outcome->status != 403 &&
				       outcome->status != 429 && ++watch->failures >= FAILURES))
		set_text(&watch->version, NULL);
	failed(watch, "watch", outcome);
}

static void lasts(void *arg)
{
	went_well(arg);
}

static void watch_go(struct kube_watch *watch)
{
	static const struct kube_request_ops ops = {stream_data, watch_done};
	char *version = kube_escape(watch->version), *path = NULL;

	watch->state = WATCHING;
	watch->heard = false;
	watch->began = monotonic_ns();
	json_stream_init_lines(&watch->stream, take_line, watch);
	if (!version ||
	    asprintf(&path,
		     "%swatch=1&allowWatchBookmarks=true&timeoutSeconds=%u&"
		     "resourceVersion=%s",
		     watch->path, WATCH_S + arc4random_uniform(WATCH_S / 3), version) < 0)
		path = NULL;
	watch->request = path ? kube_get(watch->client, path, true, &ops, watch) : NULL;
	free(version);
	free(path);
	if (!watch->request)
		pause_for_a_while(watch, 0);
	else
		kube_timer_start(watch->client, &watch->timer, LASTS_MS, lasts, watch);
}

/* --- the watch --- */

struct kube_watch *kube_watch_new(struct kube_client *client,
				  const struct kube_collection *collection,
				  const struct kube_watch_ops *ops, void *arg)
{
	struct kube_watch *watch = calloc(1, sizeof(*watch));

	if (!watch || kube_collection_path(collection, &watch->path)) {
		free(watch);
		return NULL;
	}
	watch->client = client;
	watch->collection = *collection;
	watch->ops = ops;
	watch->arg = arg;
	watch->pause_ms = PAUSE_MIN_MS;
	watch->state = PAUSED;
	kube_timer_start(client, &watch->timer, 0, resume, watch);
	return watch;
}

void kube_watch_free(struct kube_watch *watch)
{
	if (!watch)
		return;
	kube_timer_stop(watch->client, &watch->timer);
	kube_cancel(watch->request);
	json_stream_deinit(&watch->stream);
	free(watch->path);
	free(watch->version);
	free(watch->next);
	free(watch);
}

void kube_watch_again(struct kube_watch *watch)
{
	if (watch->state != ENDED || monotonic_ns() - watch->began < AGAIN_NS)
		return;
	watch->state = PAUSED;
	kube_timer_start(watch->client, &watch->timer, arc4random_uniform(1000), resume, watch);
}

bool kube_watch_synced(const struct kube_watch *watch)
{
	return watch->synced;
}

const char *kube_watch_trouble(const struct kube_watch *watch, uint64_t *since)
{
	bool failing = watch->failing_since;

	/* nothing may come for a while in a watch, and all is well */
	if (watch->state == WATCHING && kube_answered(watch->request))
		failing = false;
	*since = failing ? watch->failing_since : watch->large_since;
	return failing ? watch->trouble : watch->large_since ? watch->large : NULL;
}

bool kube_watch_left_out(const struct kube_watch *watch)
{
	return watch->large_since;
}

long kube_watch_status(const struct kube_watch *watch)
{
	return watch->status;
}
