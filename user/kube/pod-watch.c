/* SPDX-License-Identifier: MIT */
#include "pod-watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "json-memory.h"
#include "json-reader.h"
#include "pods-store.h"

/* --- one object --- */

struct pod_reader {
	struct pod_item item;
	struct reader *reader;
	char error[512];
};

struct pod_reader *pod_reader_new(void)
{
	struct pod_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->reader = reader_new(NULL, "the API", "see it with kubectl get pods -A -o json",
				    reader->error, sizeof(reader->error));
	if (reader->reader)
		return reader;
	free(reader);
	return NULL;
}

void pod_reader_free(struct pod_reader *reader)
{
	if (!reader)
		return;
	pod_item_deinit(&reader->item);
	free(reader->reader);
	free(reader);
}

int pod_reader_put(struct pod_reader *reader, struct pods *pods, const json_t *object, bool deleted,
		   const char **uid)
{
	int64_t now = realtime_ns();
	int r;

	reader->reader->r = 0;
	reader->error[0] = '\0';
	r = pod_item_read(&reader->item, reader->reader, object);
	if (r)
		return r;
	*uid = reader->item.pod.name.uid;
	if (!deleted || !pods_find(pods, *uid))
		r = pods_put(pods, &reader->item, now);
	if (!r && deleted)
		pods_gone(pods, *uid, reader->item.finished ? reader->item.finished : now,
			  reader->item.finished);
	return r;
}

const char *pod_reader_error(const struct pod_reader *reader)
{
	return reader->error;
}

/* --- the watch --- */

struct pod_watch {
	struct kube_watch *watch;
	struct pods *pods;
	struct pod_reader *reader;
	const struct pod_watch_ops *ops;
	void *arg;
	uint64_t damaged; /* CLOCK_MONOTONIC ns: since the first that is no pod; 0: all are */
	char why[600];
};

static void list_begins(void *arg)
{
	struct pod_watch *watch = arg;

	watch->damaged = 0;
	pods_list_begin(watch->pods);
}

static void list_ended(void *arg)
{
	struct pod_watch *watch = arg;

	pods_list_end(watch->pods, realtime_ns());
	if (watch->ops && watch->ops->listed)
		watch->ops->listed(watch->arg);
}

static void take(void *arg, enum kube_event event, const json_t *object)
{
	struct pod_watch *watch = arg;
	const char *uid;

	if (pod_reader_put(watch->reader, watch->pods, object, event == KUBE_DELETED, &uid)) {
		if (!watch->damaged) {
			watch->damaged = monotonic_ns();
			snprintf(watch->why, sizeof(watch->why), "a pod can't be read: %s",
				 watch->reader->error);
		}
		return;
	}
	if (watch->ops && watch->ops->changed)
		watch->ops->changed(watch->arg, pods_find(watch->pods, uid));
	pods_expire(watch->pods, realtime_ns());
}

struct pod_watch *pod_watch_new(struct kube_client *client, const char *namespace,
				const char *selector, const struct pod_watch_ops *ops, void *arg)
{
	static const struct kube_watch_ops watch_ops = {list_begins, list_ended, take, NULL};
	const struct kube_collection collection = {"", namespace, "pods", selector};
	struct pod_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->ops = ops;
	watch->arg = arg;
	watch->pods = pods_new();
	watch->reader = pod_reader_new();
	if (watch->pods && watch->reader)
		watch->watch = kube_watch_new(client, &collection, &watch_ops, watch);
	if (watch->watch)
		return watch;
	pod_watch_free(watch);
	return NULL;
}

void pod_watch_free(struct pod_watch *watch)
{
	if (!watch)
		return;
	kube_watch_free(watch->watch);
	pod_reader_free(watch->reader);
	pods_free(watch->pods);
	free(watch);
}

struct pods *pod_watch_pods(const struct pod_watch *watch)
{
	return watch->pods;
}

struct kube_watch *pod_watch_watch(const struct pod_watch *watch)
{
	return watch->watch;
}

bool pod_watch_left_out(const struct pod_watch *watch)
{
	return watch->damaged || kube_watch_left_out(watch->watch);
}

const char *pod_watch_ever_damaged(const struct pod_watch *watch)
{
	return watch->why[0] ? watch->why : NULL;
}

const char *pod_watch_trouble(const struct pod_watch *watch, uint64_t *since)
{
	const char *trouble = kube_watch_trouble(watch->watch, since);

	if (trouble || !watch->damaged)
		return trouble;
	*since = watch->damaged;
	return watch->why;
}
