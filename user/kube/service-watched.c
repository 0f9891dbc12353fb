/* SPDX-License-Identifier: MIT */
#include "service-watched.h"

#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "service.h"
#include "slice-copy.h"

/* What members_new() and its first entries take, but for these. */
#define MEMBERS_SIZE 400

struct service_watched {
	const struct watched_told *told;
	void *service; /* the caller's; NULL: refused, or not begun */
	struct kube_service_name name;
	struct members *members;
	bool outside; /* ExternalName: a slice's endpoints are not its own */
	uint16_t *dialled;
	size_t n_dialled;
	struct not_watched *own;  /* of its object; NULL: nothing */
	struct not_watched *last; /* that was told of all; NULL: nothing */
	size_t text_size;
	char text[]; /* the name's */
};

/* --- what members tell --- */

static uint32_t up(void *arg, const struct kube_endpoint *endpoint)
{
	const struct service_watched *watched = arg;
	const struct watched_told *told = watched->told;
	struct kube_endpoint known = *endpoint;

	if (known.pod && told->pods.started)
		known.started = told->pods.started(told->pods.arg, known.pod->uid);
	return told->ops.up(told->arg, watched->service, &known);
}

static void down(void *arg, uint32_t id)
{
	const struct service_watched *watched = arg;

	watched->told->ops.down(watched->told->arg, watched->service, id);
}

static bool alive(void *arg, const char *uid, const struct address *address)
{
	const struct service_watched *watched = arg;
	const struct kube_services_pods *pods = &watched->told->pods;

	return pods->alive && pods->alive(pods->arg, uid, address);
}

/* --- begin and end --- */

struct service_watched *service_watched_new(const struct watched_told *told, const char *namespace,
					    const char *name, const char *uid)
{
	static const struct kube_follow_ops ops = {up, down, alive};
	size_t size = strlen(namespace) + strlen(name) + strlen(uid) + 3;
	struct service_watched *watched = calloc(1, sizeof(*watched) + size);
	char *at;

	if (!watched)
		return NULL;
	at = watched->text;
	watched->told = told;
	watched->text_size = size;
	watched->name.namespace = at;
	at = stpcpy(at, namespace) + 1;
	watched->name.name = at;
	at = stpcpy(at, name) + 1;
	watched->name.uid = at;
	stpcpy(at, uid);
	watched->members = members_new(&ops, watched);
	if (!watched->members) {
		free(watched);
		return NULL;
	}
	return watched;
}

void service_watched_free(struct service_watched *watched)
{
	if (!watched)
		return;
	members_free(watched->members);
	free(watched->dialled);
	free(watched->own);
	free(watched->last);
	free(watched);
}

void service_watched_begin(struct service_watched *watched)
{
	watched->service = watched->told->ops.watch(watched->told->arg, &watched->name);
}

bool service_watched_is_refused(const struct service_watched *watched)
{
	return !watched->service;
}

void service_watched_end(struct service_watched *watched)
{
	members_clear(watched->members);
	if (watched->service)
		watched->told->ops.unwatch(watched->told->arg, watched->service);
	service_watched_free(watched);
}

bool service_watched_is(const struct service_watched *watched, const char *uid)
{
	return !strcmp(watched->name.uid, uid);
}

/* --- its object --- */

static void tell_dialled(struct service_watched *watched, const struct service *read)
{
	size_t size = read->n_dialled * sizeof(read->dialled[0]);
	uint16_t *dialled;

	if (read->n_dialled == watched->n_dialled &&
	    (!size || !memcmp(watched->dialled, read->dialled, size)))
		return;
	dialled = malloc(size ? size : 1);
	if (!dialled)
		return;
	memcpy(dialled, read->dialled, size);
	free(watched->dialled);
	watched->dialled = dialled;
	watched->n_dialled = read->n_dialled;
	watched->told->ops.dialled(watched->told->arg, watched->service, dialled, read->n_dialled);
}

/* In place of *at: a copy, or NULL where nothing is in it. False: no memory. */
static bool set_not_watched(struct not_watched **at, const struct not_watched *what)
{
	struct not_watched *copy = NULL;

	if (what->codes) {
		copy = malloc(sizeof(*copy));
		if (!copy)
			return false;
		*copy = *what;
	}
	free(*at);
	*at = copy;
	return true;
}

bool service_watched_read(struct service_watched *watched, const json_t *object)
{
	bool outside =
		!strcmp(service_text(json_object_get(object, "spec"), "type"), "ExternalName");
	bool changed = outside != watched->outside;
	struct service read = {.many = true};
	char error[512];

	if (!watched->service)
		return false;
	if (service_read(&read, object, 0, error, sizeof(error)))
		not_watched_add(&read.not_watched,
				outside         ? NOT_WATCHED_NAME
				: read.portless ? NOT_WATCHED_NO_PORT
						: NOT_WATCHED_PROTOCOL,
				"%s", error);
	watched->outside = outside;
	tell_dialled(watched, &read);
	set_not_watched(&watched->own, &read.not_watched);
	service_deinit(&read);
	return changed;
}

/* --- its endpoints --- */

bool service_watched_give(struct service_watched *watched, const char *key,
			  const struct slice_copy *copy)
{
	if (!watched->service)
		return false;
	members_begin(watched->members, key);
	if (copy && !watched->outside)
		slice_copy_give(copy, watched->members);
	members_end(watched->members);
	return members_to_check(watched->members);
}

bool service_watched_check(struct service_watched *watched)
{
	if (members_to_check(watched->members))
		members_check(watched->members);
	return members_to_check(watched->members);
}

/* --- what is not watched --- */

void service_watched_note(const struct service_watched *watched, struct not_watched *not_watched)
{
	if (watched->own)
		not_watched_merge(not_watched, watched->own);
}

void service_watched_not_watched(struct service_watched *watched, const struct not_watched *all)
{
	static const struct not_watched nothing;

	if (!watched->service || not_watched_equal(watched->last ? watched->last : &nothing, all))
		return;
	/* where there is no memory for it, it is told again with the next change */
	set_not_watched(&watched->last, all);
	watched->told->ops.not_watched(watched->told->arg, watched->service, all);
}

size_t service_watched_size(const struct service_watched *watched)
{
	size_t notes = (watched->own != NULL) + (watched->last != NULL);

	return sizeof(*watched) + watched->text_size + MEMBERS_SIZE +
	       watched->n_dialled * sizeof(watched->dialled[0]) + notes * sizeof(*watched->own);
}
