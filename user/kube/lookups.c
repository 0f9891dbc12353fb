/* SPDX-License-Identifier: MIT */
#define HASH_NONFATAL_OOM 1
#include "lookups.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "clock.h"
#include "escape.h"
#include "json-stream.h"
#include "pod-watch.h"
#include "watch.h"

/* Addresses remembered: what comes then takes the place of the first that is not being asked for.
 */
#define MAX_ADDRESSES 65536
/* After an answer the same is not asked for so long, whoever calls. */
#define FRESH_NS (5 * INT64_C(1000000000))
/* Pauses after failures, each twice the one before. */
#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 30000
/* Questions a second, at most; and one at a time. */
#define PER_SECOND 10

struct lookup {
	struct lookups *lookups;
	struct address address;
	int64_t answered; /* ns since 1970, when it was asked; 0: not yet */
	int64_t asked;
	bool waiting; /* in the queue, or asked */
	struct kube_request *request;
	struct json_stream stream;
	struct lookup *next; /* in the queue */
	UT_hash_handle hh;
};

struct lookups {
	struct kube_client *client;
	struct pods *pods;
	struct pod_reader *reader;
	struct lookup *all;
	struct lookup *first, **last; /* those that wait to be asked */
	bool asking;
	struct kube_timer timer;
	bool paused;
	uint32_t pause_ms;
	uint64_t dropped;
	uint64_t failing_since;
	char trouble[512];
};

static void go(struct lookups *lookups);
static void resume(void *arg);

static void queue(struct lookup *lookup)
{
	lookup->waiting = true;
	lookup->next = NULL;
	*lookup->lookups->last = lookup;
	lookup->lookups->last = &lookup->next;
}

static int take_pod(void *arg, const char *text, size_t length)
{
	struct lookup *lookup = arg;
	json_t *object = json_loadb(text, length, 0, NULL);
	const char *uid;

	if (object)
		pod_reader_put(lookup->lookups->reader, lookup->lookups->pods, object, false, &uid);
	json_decref(object);
	return object ? 0 : -EBADMSG;
}

static int data(void *arg, const char *bytes, size_t length)
{
	struct lookup *lookup = arg;

	return json_stream_feed(&lookup->stream, bytes, length);
}

static void failed(struct lookups *lookups, const struct kube_outcome *outcome)
{
	const struct kube_collection pods = {.group = "", .resource = "pods"};

	if (!lookups->failing_since)
		lookups->failing_since = monotonic_ns();
	if (outcome->status == 403)
		kube_forbidden(&pods, "list", outcome->error, lookups->trouble,
			       sizeof(lookups->trouble));
	else
		snprintf(lookups->trouble, sizeof(lookups->trouble),
			 "asking the API for the pod of an address: %s",
			 *outcome->error ? outcome->error : "the answer is no list");
}

static void done(void *arg, const struct kube_outcome *outcome)
{
	struct lookup *lookup = arg;
	struct lookups *lookups = lookup->lookups;
	size_t length;
	bool whole = json_stream_rest(&lookup->stream, &length);
	bool well = !outcome->r && outcome->status == 200 && whole;

	lookup->request = NULL;
	lookup->waiting = false;
	lookups->asking = false;
	json_stream_deinit(&lookup->stream);
	if (well) {
		pods_release(lookups->pods, &lookup->address, realtime_ns());
		lookup->answered = lookup->asked;
		lookups->failing_since = 0;
		lookups->pause_ms = PAUSE_MIN_MS;
	} else {
		failed(lookups, outcome);
		queue(lookup);
		lookups->pause_ms *= 2;
		if (lookups->pause_ms > PAUSE_MAX_MS)
			lookups->pause_ms = PAUSE_MAX_MS;
	}
	if (outcome->retry_ms) {
		lookups->paused = true;
		kube_timer_start(lookups->client, &lookups->timer, outcome->retry_ms, resume,
				 lookups);
	}
	go(lookups);
}

static void ask(struct lookup *lookup)
{
	static const struct kube_request_ops ops = {data, done};
	char text[ADDRESS_TEXT], path[256];
	char *escaped = kube_escape(address_format(&lookup->address, text));

	/* those with another phase are told apart by when they ended */
	snprintf(path, sizeof(path), "/api/v1/pods?fieldSelector=status.podIP%%3D%s&limit=100",
		 escaped ? escaped : "");
	free(escaped);
	/* what this answer does not have is gone: see pods_release() */
	pods_list_begin(lookup->lookups->pods);
	lookup->asked = realtime_ns();
	json_stream_init_list(&lookup->stream, take_pod, lookup);
	lookup->request =
		escaped ? kube_get(lookup->lookups->client, path, false, &ops, lookup) : NULL;
	lookup->lookups->asking = lookup->request;
	if (!lookup->request)
		queue(lookup);
}

static void resume(void *arg)
{
	struct lookups *lookups = arg;

	lookups->paused = false;
	go(lookups);
}

/* The next question, and then none for a tenth of a second; none for two seconds after a failure.
 */
static void go(struct lookups *lookups)
{
	struct lookup *lookup = lookups->first;

	if (!lookup || lookups->paused || lookups->asking)
		return;
	lookups->first = lookup->next;
	if (!lookups->first)
		lookups->last = &lookups->first;
	lookups->paused = true;
	kube_timer_start(lookups->client, &lookups->timer,
			 lookups->failing_since
				 ? lookups->pause_ms / 2 + arc4random_uniform(lookups->pause_ms / 2)
				 : 1000 / PER_SECOND,
			 resume, lookups);
	ask(lookup);
}

/* False: all are being asked for. */
static bool make_room(struct lookups *lookups)
{
	struct lookup *lookup = lookups->all;

	if (HASH_COUNT(lookups->all) < MAX_ADDRESSES)
		return true;
	while (lookup && lookup->waiting)
		lookup = lookup->hh.next;
	if (!lookup)
		return false;
	HASH_DEL(lookups->all, lookup);
	free(lookup);
	return true;
}

static struct lookup *lookup_new(struct lookups *lookups, const struct address *address)
{
	struct lookup *lookup;

	if (!make_room(lookups)) {
		lookups->dropped++;
		return NULL;
	}
	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return NULL;
	lookup->lookups = lookups;
	lookup->address = *address;
	HASH_ADD(hh, lookups->all, address, sizeof(lookup->address), lookup);
	if (lookup->hh.tbl)
		return lookup;
	free(lookup);
	return NULL;
}

struct pods_found lookups_by_address(struct lookups *lookups, const struct address *address,
				     int64_t when, bool *known)
{
	struct lookup *lookup;

	HASH_FIND(hh, lookups->all, address, sizeof(*address), lookup);
	if (!lookup)
		lookup = lookup_new(lookups, address);
	*known = lookup && lookup->answered > when;
	/* what was true before it called need not be now */
	if (lookup && !lookup->waiting && !*known && lookup->answered + FRESH_NS < realtime_ns()) {
		queue(lookup);
		go(lookups);
	}
	return pods_look_up(lookups->pods, address, when);
}

void lookups_select(struct lookups *lookups, const struct selectors *selectors)
{
	pods_select(lookups->pods, selectors);
}

struct pods *lookups_pods(struct lookups *lookups)
{
	return lookups->pods;
}

void lookups_expire(struct lookups *lookups, int64_t now)
{
	pods_expire(lookups->pods, now);
}

struct lookups *lookups_new(struct kube_client *client)
{
	struct lookups *lookups = calloc(1, sizeof(*lookups));

	if (!lookups)
		return NULL;
	lookups->client = client;
	lookups->last = &lookups->first;
	lookups->pause_ms = PAUSE_MIN_MS;
	lookups->pods = pods_new();
	lookups->reader = pod_reader_new();
	if (lookups->pods && lookups->reader)
		return lookups;
	lookups_free(lookups);
	return NULL;
}

void lookups_free(struct lookups *lookups)
{
	struct lookup *lookup, *next;

	if (!lookups)
		return;
	kube_timer_stop(lookups->client, &lookups->timer);
	HASH_ITER (hh, lookups->all, lookup, next) {
		HASH_DELETE(hh, lookups->all, lookup);
		kube_cancel(lookup->request);
		json_stream_deinit(&lookup->stream);
		free(lookup);
	}
	pod_reader_free(lookups->reader);
	pods_free(lookups->pods);
	free(lookups);
}

const char *lookups_trouble(const struct lookups *lookups, uint64_t *since)
{
	*since = lookups->failing_since;
	return lookups->failing_since ? lookups->trouble : NULL;
}

uint64_t lookups_dropped(const struct lookups *lookups)
{
	return lookups->dropped;
}
