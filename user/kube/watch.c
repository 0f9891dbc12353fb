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
#include "version.h"

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
/* Of a watch that is to prove that it is up to date: a bookmark comes 2 s before its end. */
#define CONFIRM_WATCH_S 5
#define CONFIRM_LASTS_NS (4 * UINT64_C(1000000000))
#define CONFIRM_AGAIN_MS 1000
/* After so many failures in a row that the server answers it is asked for a list again. */
#define FAILURES 3

enum state {
	LISTING,
	WATCHING,
	PAUSED, /* the timer runs */
	ENDED,
};

struct confirm {
	enum kube_confirmed state;
	bool list;           /* (3) is wanted */
	bool listing;        /* (3) has begun */
	bool copy;           /* by (4) */
	uint64_t head_ended; /* when (1) was answered */
	char *known;         /* what was told when it began */
	char *version;       /* of (1); NULL: not known yet */
	struct kube_request *head;
	struct json_stream stream;
	struct kube_timer timer;
	char why[768];
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
	struct gaps gaps;
	uint64_t asked; /* for the list */
	uint64_t told;  /* when something was told last; of a list: when it was asked for */
	uint64_t came;  /* when bytes came last in this watch */
	struct confirm confirm;
	uint64_t large_since; /* an object was too large; 0: not since the list began */
	bool large_ever;
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

	if (watch->version && !watch->confirm.listing)
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
	gaps_why(&watch->gaps, watch->trouble);
	pause_for_a_while(watch, outcome->retry_ms);
}

/* The answer has ended. What was too large in it is not asked for again. */
static void end_stream(struct kube_watch *watch)
{
	watch->large_ever = watch->large_ever || watch->stream.too_large;
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

	watch->came = monotonic_ns();
	return json_stream_feed(&watch->stream, bytes, length);
}

/* The page is whole. True: it was the last. */
static int page_ended(struct kube_watch *watch, bool *last)
{
	size_t length;
	const char *rest = json_stream_rest(&watch->stream, &length);
	json_t *list = rest ? json_loadb(rest, length, 0, NULL) : NULL;
	const char *version = metadata_text(list, "resourceVersion");
	int r = 0, order = 0;

	if (!list)
		return -EBADMSG;
	set_text(&watch->next, metadata_text(list, "continue"));
	*last = !watch->next;
	if (*last && !*version)
		r = -EBADMSG;
	else if (*last && !watch->confirm.listing)
		set_text(&watch->version, version);
	else if (*last &&
		 (kube_version_compare(version, watch->confirm.version, &order) || order < 0))
		r = -ESTALE;
	json_decref(list);
	return r;
}

static enum kube_confirmed confirmed(const struct confirm *confirm)
{
	return confirm->copy ? KUBE_CONFIRM_COPY : KUBE_CONFIRM_DONE;
}

/* A list has begun to stand for all there is; the watch that follows does not stand yet. */
static void listed(struct kube_watch *watch)
{
	watch->synced = true;
	if (watch->confirm.listing) {
		/* the watch goes on where it was: nothing is left out */
		watch->confirm.listing = false;
		watch->confirm.state = confirmed(&watch->confirm);
	} else {
		watch->told = watch->asked;
		gaps_end(&watch->gaps, monotonic_ns());
		gaps_begin(&watch->gaps, monotonic_ns());
	}
	watch->ops->list_ended(watch->arg);
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
		broken.error = r == -ESTALE ? "the answer is out of date" : "the answer is no list";
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
	listed(watch);
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
		watch->asked = monotonic_ns();
		watch->ops->list_begins(watch->arg);
	}
	json_stream_init_list(&watch->stream, take_item, watch);
	if ((watch->next && !escaped) ||
	    asprintf(&path, "%slimit=%d%s%s", watch->path, PAGE, escaped ? "&continue=" : "",
		     escaped ? escaped : "") < 0)
		path = NULL;
	watch->request = path ? kube_get(watch->client, path, false, &ops, watch) : NULL;
	if (watch->confirm.listing)
		kube_fresh(watch->request);
	free(escaped);
	free(path);
	if (!watch->request)
		pause_for_a_while(watch, 0);
}

/* --- gaps --- */

/* It stands from when it was answered on. */
static void stands(struct kube_watch *watch, uint64_t answered)
{
	if (answered && watch->gaps.open)
		gaps_end(&watch->gaps, answered);
}

/* --- the proof --- */

static void confirm_failed(struct kube_watch *watch, const char *why)
{
	snprintf(watch->confirm.why, sizeof(watch->confirm.why), "%s", why);
	watch->confirm.state = KUBE_CONFIRM_FAILED;
}

/* The watch ends here, to begin anew, or for a list. */
static void stop(struct kube_watch *watch)
{
	if (watch->state == WATCHING)
		stands(watch, kube_answered(watch->request));
	kube_timer_stop(watch->client, &watch->timer);
	kube_cancel(watch->request);
	watch->request = NULL;
	end_stream(watch);
	gaps_begin(&watch->gaps, monotonic_ns());
}

/* (3) */
static void confirm_list(void *arg)
{
	struct kube_watch *watch = arg;

	if (watch->confirm.state != KUBE_CONFIRM_PENDING)
		return;
	stop(watch);
	watch->confirm.listing = true;
	set_text(&watch->next, NULL);
	list_go(watch);
}

/* The watch has come far enough; `copy`: as far as it can. */
static void confirm_told(struct kube_watch *watch, bool copy)
{
	struct confirm *confirm = &watch->confirm;

	confirm->copy = copy;
	if (confirm->list)
		kube_timer_start(watch->client, &confirm->timer, 0, confirm_list, watch);
	else
		confirm->state = confirmed(confirm);
}

/* Whether this watch, which was begun for it, has come as far as (1). */
static void confirm_look(struct kube_watch *watch)
{
	struct confirm *confirm = &watch->confirm;
	int order;

	if (confirm->state != KUBE_CONFIRM_PENDING || !confirm->version || !watch->heard ||
	    confirm->listing)
		return;
	if (!watch->version || kube_version_compare(watch->version, confirm->version, &order)) {
		confirm_failed(watch, "the API's versions are no numbers, so that it can't be seen "
				      "whether it has told all");
		return;
	}
	if (order >= 0)
		confirm_told(watch, false);
}

/* (4): this watch has told what there was when it began. */
static void confirm_look_at_copy(struct kube_watch *watch)
{
	const struct confirm *confirm = &watch->confirm;

	if (confirm->state == KUBE_CONFIRM_PENDING && confirm->version && !confirm->listing &&
	    watch->began > confirm->head_ended && !confirm->timer.due)
		confirm_told(watch, true);
}

static int skip_item(void *arg, const char *text, size_t length)
{
	(void)arg;
	(void)text;
	(void)length;
	return 0;
}

static int head_data(void *arg, const char *bytes, size_t length)
{
	struct kube_watch *watch = arg;

	return json_stream_feed(&watch->confirm.stream, bytes, length);
}

static void head_go(void *arg);

/* The version of the list is known; it can't be older than what was told. */
static void head_taken(struct kube_watch *watch, const char *version)
{
	int order;

	if (kube_version_compare(version, watch->confirm.known, &order))
		confirm_failed(watch, "the API's versions are no numbers, so that it can't be seen "
				      "whether it has told all");
	else if (order < 0)
		confirm_failed(watch, "the API's versions are lower than before: its store was "
				      "put back, or it is another");
	else
		set_text(&watch->confirm.version, version);
	watch->confirm.head_ended = monotonic_ns();
	confirm_look(watch);
}

static void head_done(void *arg, const struct kube_outcome *outcome)
{
	struct kube_watch *watch = arg;
	struct confirm *confirm = &watch->confirm;
	size_t length;
	const char *rest = json_stream_rest(&confirm->stream, &length);
	json_t *list = NULL;

	confirm->head = NULL;
	if (!outcome->r && outcome->status == 200 && rest)
		list = json_loadb(rest, length, 0, NULL);
	json_stream_deinit(&confirm->stream);
	if (*metadata_text(list, "resourceVersion")) {
		head_taken(watch, metadata_text(list, "resourceVersion"));
	} else {
		snprintf(confirm->why, sizeof(confirm->why),
			 "asking the API how far it has come with %s: %s",
			 watch->collection.resource,
			 *outcome->error ? outcome->error : "the answer is no list");
		kube_timer_start(watch->client, &confirm->timer,
				 CONFIRM_AGAIN_MS + outcome->retry_ms, head_go, watch);
	}
	json_decref(list);
}

/* (1) */
static void head_go(void *arg)
{
	static const struct kube_request_ops ops = {head_data, head_done};
	struct kube_watch *watch = arg;
	struct confirm *confirm = &watch->confirm;
	char *path = NULL;

	if (confirm->state != KUBE_CONFIRM_PENDING)
		return;
	if (asprintf(&path, "%slimit=1", watch->path) < 0)
		path = NULL;
	json_stream_init_list(&confirm->stream, skip_item, watch);
	confirm->head = path ? kube_get(watch->client, path, false, &ops, watch) : NULL;
	kube_fresh(confirm->head);
	free(path);
	if (!confirm->head)
		kube_timer_start(watch->client, &confirm->timer, CONFIRM_AGAIN_MS, head_go, watch);
}

static void confirm_stop(struct kube_watch *watch)
{
	struct confirm *confirm = &watch->confirm;

	kube_timer_stop(watch->client, &confirm->timer);
	kube_cancel(confirm->head);
	json_stream_deinit(&confirm->stream);
	free(confirm->version);
	free(confirm->known);
	*confirm = (struct confirm){};
}

void kube_watch_confirm(struct kube_watch *watch, bool list)
{
	bool listing = watch->confirm.listing;

	confirm_stop(watch);
	if (!watch->version || (watch->state == LISTING && !listing)) {
		confirm_failed(watch, watch->trouble[0] ? watch->trouble
							: "the API has not told all there is");
		return;
	}
	watch->confirm.known = strdup(watch->version);
	if (!watch->confirm.known) {
		confirm_failed(watch, "out of memory");
		return;
	}
	watch->confirm.state = KUBE_CONFIRM_PENDING;
	watch->confirm.list = list;
	stop(watch);
	watch->pause_ms = PAUSE_MIN_MS;
	watch_go(watch);
	head_go(watch);
}

enum kube_confirmed kube_watch_confirmed(const struct kube_watch *watch, const char **why)
{
	const struct confirm *confirm = &watch->confirm;
	bool failing = watch->failing_since && confirm->state == KUBE_CONFIRM_PENDING;

	*why = confirm->why;
	if (failing)
		*why = watch->trouble;
	else if (confirm->state == KUBE_CONFIRM_PENDING && (confirm->version || !confirm->why[0]))
		*why = "the API has not told yet that it has told all";
	else if (confirm->state == KUBE_CONFIRM_COPY)
		*why = "the API has told all that this server's copy of its store has, but not that "
		       "the copy is up to date (servers from 1.31 on do)";
	return confirm->state;
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
		watch->told = monotonic_ns();
		went_well(watch);
		confirm_look(watch);
		if (!strcmp(type, "BOOKMARK"))
			confirm_look_at_copy(watch);
	}
	json_decref(line);
	return r;
}

/* Where it did not end as it should it may have been dead since something came last. */
static void stands_no_more(struct kube_watch *watch, const struct kube_outcome *outcome)
{
	uint64_t came = watch->came > outcome->answered ? watch->came : outcome->answered;

	stands(watch, outcome->answered);
	gaps_begin(&watch->gaps, outcome->r ? came : monotonic_ns());
	gaps_why(&watch->gaps, outcome->error);
}

/* The version is of no use any more: what came and went since is never told. */
static void lose(struct kube_watch *watch, const char *why)
{
	set_text(&watch->version, NULL);
	gaps_lost(&watch->gaps, watch->told);
	gaps_why(&watch->gaps, why);
	if (watch->confirm.state == KUBE_CONFIRM_PENDING)
		confirm_failed(watch, why);
}

/* Whether an answer may be as it is because the server can't do anything with the version: not
 * where it says that it lets nobody in, or not now. Without the version the history is lost. */
static bool may_be_the_version(long status)
{
	return status && status != 401 && status != 403 && status != 429 && status != 502 &&
	       status != 503;
}

static void watch_done(void *arg, const struct kube_outcome *outcome)
{
	struct kube_watch *watch = arg;

	watch->request = NULL;
	end_stream(watch);
	stands_no_more(watch, outcome);
	kube_timer_stop(watch->client, &watch->timer);
	if (outcome->status == 410 || watch->expired || !watch->version) {
		watch->expired = false;
		lose(watch, "the API no longer has the version up to which it has told all, so all "
			    "was listed again");
		pause_for_a_while(watch, 0);
		return;
	}
	if (outcome->status == 200 && (!outcome->r || watch->heard)) {
		/* the server's time was up, or the connection broke: go on where it stopped */
		if (watch->heard)
			went_well(watch);
		if (!outcome->r && monotonic_ns() - watch->began >= CONFIRM_LASTS_NS)
			confirm_look_at_copy(watch);
		pause_for_a_while(watch, 0);
		return;
	}
	if (outcome->r == -EBADMSG ||
	    (may_be_the_version(outcome->status) && ++watch->failures >= FAILURES))
		lose(watch, *outcome->error ? outcome->error : watch->trouble);
	failed(watch, "watch", outcome);
}

static void lasts(void *arg)
{
	went_well(arg);
}

/* A short one ends after the bookmark that a proof waits for. */
static uint32_t watch_seconds(const struct kube_watch *watch)
{
	if (watch->confirm.state == KUBE_CONFIRM_PENDING)
		return CONFIRM_WATCH_S;
	return WATCH_S + arc4random_uniform(WATCH_S / 3);
}

static void watch_go(struct kube_watch *watch)
{
	static const struct kube_request_ops ops = {stream_data, watch_done};
	char *version = kube_escape(watch->version), *path = NULL;

	watch->state = WATCHING;
	watch->heard = false;
	watch->came = 0;
	watch->began = monotonic_ns();
	json_stream_init_lines(&watch->stream, take_line, watch);
	if (!version || asprintf(&path,
				 "%swatch=1&allowWatchBookmarks=true&timeoutSeconds=%u&"
				 "resourceVersion=%s",
				 watch->path, watch_seconds(watch), version) < 0)
		path = NULL;
	watch->request = path ? kube_get(watch->client, path, true, &ops, watch) : NULL;
	if (watch->confirm.state == KUBE_CONFIRM_PENDING)
		kube_fresh(watch->request);
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
	gaps_lost(&watch->gaps, monotonic_ns());
	kube_timer_start(client, &watch->timer, 0, resume, watch);
	return watch;
}

void kube_watch_free(struct kube_watch *watch)
{
	if (!watch)
		return;
	confirm_stop(watch);
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

const struct gaps *kube_watch_gaps(struct kube_watch *watch)
{
	if (watch->state == WATCHING)
		stands(watch, kube_answered(watch->request));
	return &watch->gaps;
}

bool kube_watch_left_out(const struct kube_watch *watch)
{
	return watch->large_since;
}

bool kube_watch_ever_left_out(const struct kube_watch *watch)
{
	return watch->large_ever || watch->stream.too_large;
}

long kube_watch_status(const struct kube_watch *watch)
{
	return watch->status;
}
