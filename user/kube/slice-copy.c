/* SPDX-License-Identifier: MIT */
#include "slice-copy.h"

#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "service.h"

/* Equal strings are looked for among so many entries before. */
#define WINDOW 64

/* An address and a port. Strings by where they begin in the text; 0: "", and of `pod`: no pod. */
struct copied {
	struct address address;
	uint16_t port;
	uint16_t zero;
	uint32_t namespace;
	uint32_t pod;
	uint32_t uid;
	uint32_t node;
};

struct slice_copy {
	struct not_watched *not_watched; /* NULL: all is watched */
	uint32_t n;
	uint32_t length;    /* of the text, which follows the last entry */
	struct copied at[]; /* in the object's order */
};

/* One that is being made. */
struct making {
	struct copied *at;
	size_t n, room;
	char *text;
	size_t length, text_room;
	bool failed; /* there is no memory */
};

static const char *text_of(const struct slice_copy *copy)
{
	return (const char *)(copy->at + copy->n);
}

/* Room for one more of `n`; NULL: no memory. */
static void *grow(void *at, size_t *room, size_t n, size_t size)
{
	void *grown;

	if (n <= *room)
		return at;
	grown = reallocarray(at, n * 2, size);
	if (grown)
		*room = n * 2;
	return grown;
}

static uint32_t add_text(struct making *making, const char *text)
{
	size_t size = strlen(text) + 1, at = making->length;
	char *grown = grow(making->text, &making->text_room, at + size, 1);

	if (!grown || at + size > UINT32_MAX) {
		making->failed = true;
		return 0;
	}
	making->text = grown;
	memcpy(grown + at, text, size);
	making->length += size;
	return (uint32_t)at;
}

/* Where the text is that `field` of one of the last entries has, or a new one. */
static uint32_t share_text(struct making *making, size_t field, const char *text)
{
	size_t end = making->n > WINDOW ? making->n - WINDOW : 0;

	if (!text || !*text)
		return 0;
	for (size_t i = making->n; i > end; i--) {
		uint32_t at;

		memcpy(&at, (const char *)&making->at[i - 1] + field, sizeof(at));
		if (at && !strcmp(making->text + at, text))
			return at;
	}
	return add_text(making, text);
}

static void copy_one(void *arg, const struct kube_endpoint *endpoint)
{
	struct making *making = arg;
	const struct pod_name *pod = endpoint->pod;
	struct copied one = {.address = endpoint->address, .port = endpoint->port}, *grown;

	if (making->failed)
		return;
	one.node = share_text(making, offsetof(struct copied, node), endpoint->node);
	if (pod) {
		one.namespace =
			share_text(making, offsetof(struct copied, namespace), pod->namespace);
		one.pod = share_text(making, offsetof(struct copied, pod), pod->pod);
		one.uid = share_text(making, offsetof(struct copied, uid), pod->uid);
	}
	grown = grow(making->at, &making->room, making->n + 1, sizeof(*grown));
	if (!grown) {
		making->failed = true;
		return;
	}
	making->at = grown;
	grown[making->n++] = one;
}

static struct slice_copy *finish(const struct making *making)
{
	size_t entries = making->n * sizeof(making->at[0]);
	struct slice_copy *copy = malloc(sizeof(*copy) + entries + making->length);

	if (!copy)
		return NULL;
	*copy = (struct slice_copy){.n = (uint32_t)making->n, .length = (uint32_t)making->length};
	if (entries)
		memcpy(copy->at, making->at, entries);
	memcpy((char *)copy->at + entries, making->text, making->length);
	return copy;
}

struct slice_copy *slice_copy_new(const json_t *object)
{
	struct service service = {.many = true};
	struct making making = {};
	struct slice_copy *copy = NULL;

	add_text(&making, ""); /* 0 is the empty one */
	service_each(&service, object, 0, copy_one, &making);
	if (!making.failed)
		copy = finish(&making);
	free(making.at);
	free(making.text);
	if (!copy || !service.not_watched.codes)
		return copy;
	copy->not_watched = malloc(sizeof(*copy->not_watched));
	if (!copy->not_watched) {
		slice_copy_free(copy);
		return NULL;
	}
	*copy->not_watched = service.not_watched;
	return copy;
}

void slice_copy_free(struct slice_copy *copy)
{
	if (!copy)
		return;
	free(copy->not_watched);
	free(copy);
}

static size_t own_size(const struct slice_copy *copy)
{
	return sizeof(*copy) + copy->n * sizeof(copy->at[0]) + copy->length;
}

size_t slice_copy_size(const struct slice_copy *copy)
{
	return own_size(copy) + (copy->not_watched ? sizeof(*copy->not_watched) : 0);
}

bool slice_copy_equal(const struct slice_copy *a, const struct slice_copy *b)
{
	struct not_watched left = {}, right = {};

	if (a->n != b->n || a->length != b->length ||
	    memcmp(a->at, b->at, own_size(a) - sizeof(*a)) != 0)
		return false;
	slice_copy_note(a, &left);
	slice_copy_note(b, &right);
	return not_watched_equal(&left, &right);
}

void slice_copy_give(const struct slice_copy *copy, struct members *members)
{
	const char *text = text_of(copy);

	for (size_t i = 0; i < copy->n; i++) {
		const struct copied *one = &copy->at[i];
		const struct pod_name pod = {
			.namespace = text + one->namespace,
			.pod = text + one->pod,
			.uid = text + one->uid,
			.kind = "Pod",
			.workload = text + one->pod,
			.node = text + one->node,
		};
		const struct kube_endpoint endpoint = {
			.address = one->address,
			.port = one->port,
			.pod = one->pod ? &pod : NULL,
			.node = text + one->node,
		};

		members_add_copy(members, &endpoint);
	}
}

void slice_copy_note(const struct slice_copy *copy, struct not_watched *not_watched)
{
	if (copy->not_watched)
		not_watched_merge(not_watched, copy->not_watched);
}
