/* SPDX-License-Identifier: MIT */
#define HASH_NONFATAL_OOM 1
#include "members.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "arena.h"

/* There may be thousands of these tables, most of them with a few entries; they grow. */
#undef HASH_INITIAL_NUM_BUCKETS
#undef HASH_INITIAL_NUM_BUCKETS_LOG2
#define HASH_INITIAL_NUM_BUCKETS 4U
#define HASH_INITIAL_NUM_BUCKETS_LOG2 2U

#define UID_SIZE 64

struct key {
	struct address address;
	uint16_t port;
	uint16_t zero;
	char uid[UID_SIZE]; /* an address that goes to another pod is another endpoint */
};

struct member {
	struct key key;
	uint32_t objects; /* that have it */
	uint32_t id;
	struct kube_endpoint endpoint;
	struct own_name *own; /* what the endpoint's strings are, if they are copies; else NULL */
	UT_hash_handle hh;
};

struct object {
	char *name;
	uint32_t list;
	struct member **has;
	size_t n;
	UT_hash_handle hh;
};

struct known_name {
	struct pod_name name;
	UT_hash_handle hh;
};

struct own_name {
	struct pod_name name;
	char text[];
};

struct members {
	const struct kube_follow_ops *ops;
	void *arg;
	struct member *members;
	struct object *objects;
	struct known_name *names;
	struct arena arena;
	uint32_t list;
	struct object *current; /* between begin and end */
	struct member **new;
	size_t n_new;
	bool kept; /* some may be there only since their pods are alive */
};

struct members *members_new(const struct kube_follow_ops *ops, void *arg)
{
	struct members *members = calloc(1, sizeof(*members));

	if (!members)
		return NULL;
	members->ops = ops;
	members->arg = arg;
	return members;
}

static void object_free(struct members *members, struct object *object)
{
	HASH_DELETE(hh, members->objects, object);
	free(object->name);
	free(object->has);
	free(object);
}

void members_free(struct members *members)
{
	struct member *member, *next;
	struct object *object, *next_object;

	if (!members)
		return;
	HASH_ITER (hh, members->objects, object, next_object)
		object_free(members, object);
	HASH_ITER (hh, members->members, member, next) {
		HASH_DELETE(hh, members->members, member);
		free(member->own);
		free(member);
	}
	HASH_CLEAR(hh, members->names);
	arena_free(&members->arena);
	free(members->new);
	free(members);
}

static void end_member(struct members *members, struct member *member)
{
	/* it is in the hash, so that is not empty */
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
	HASH_DELETE(hh, members->members, member);
	members->ops->down(members->arg, member->id);
	free(member->own);
	free(member);
}

static void end_if_over(struct members *members, struct member *member)
{
	if (member->objects)
		return;
	if (member->key.uid[0] && members->ops->alive &&
	    members->ops->alive(members->arg, member->key.uid, &member->key.address))
		members->kept = true;
	else
		end_member(members, member);
}

void members_begin(struct members *members, const char *name)
{
	struct object *object;

	members->n_new = 0;
	HASH_FIND_STR(members->objects, name, object);
	if (!object) {
		object = calloc(1, sizeof(*object));
		if (object)
			object->name = strdup(name);
		if (object && object->name)
			HASH_ADD_KEYPTR(hh, members->objects, object->name, strlen(name), object);
		if (object && !object->hh.tbl) {
			free(object->name);
			free(object);
			object = NULL;
		}
	}
	members->current = object;
	if (object)
		object->list = members->list;
}

static bool is_new(const struct members *members, const struct member *member)
{
	for (size_t i = 0; i < members->n_new; i++)
		if (members->new[i] == member)
			return false;
	return true;
}

/* What `text` was copied to, which then goes on behind it. */
static const char *copy_text(char **at, const char *text)
{
	const char *copy = *at;

	*at = stpcpy(*at, text) + 1;
	return copy;
}

/* The endpoint's strings become its own. False: no memory. */
static bool own_strings(struct member *member)
{
	struct kube_endpoint *endpoint = &member->endpoint;
	const struct pod_name none = {"", "", "", "", "", ""};
	const struct pod_name *name = endpoint->pod ? endpoint->pod : &none;
	const char *node = endpoint->node ? endpoint->node : "";
	struct own_name *own =
		malloc(sizeof(*own) + strlen(name->namespace) + strlen(name->pod) +
		       strlen(name->uid) + strlen(name->kind) + strlen(name->workload) +
		       strlen(name->node) + strlen(node) + 7);
	char *at;

	if (!own)
		return false;
	at = own->text;
	own->name = (struct pod_name){
		.namespace = copy_text(&at, name->namespace),
		.pod = copy_text(&at, name->pod),
		.uid = copy_text(&at, name->uid),
		.kind = copy_text(&at, name->kind),
		.workload = copy_text(&at, name->workload),
		.node = copy_text(&at, name->node),
		.selected = name->selected,
	};
	endpoint->node = copy_text(&at, node);
	endpoint->pod = endpoint->pod ? &own->name : NULL;
	member->own = own;
	return true;
}

static struct member *member_new(struct members *members, const struct key *key,
				 const struct kube_endpoint *endpoint, bool copy)
{
	struct member *member = calloc(1, sizeof(*member));

	if (!member)
		return NULL;
	member->key = *key;
	member->endpoint = *endpoint;
	if (!copy || own_strings(member))
		HASH_ADD(hh, members->members, key, sizeof(member->key), member);
	if (member->hh.tbl) {
		member->id = members->ops->up(members->arg, &member->endpoint);
		return member;
	}
	free(member->own);
	free(member);
	return NULL;
}

static void add(struct members *members, const struct kube_endpoint *endpoint, bool copy)
{
	struct key key = {.address = endpoint->address, .port = endpoint->port};
	struct member *member, **new;

	if (endpoint->pod)
		strncpy(key.uid, endpoint->pod->uid, sizeof(key.uid) - 1);
	HASH_FIND(hh, members->members, &key, sizeof(key), member);
	if (member && !is_new(members, member))
		return;
	new = reallocarray(members->new, members->n_new + 1, sizeof(*new));
	if (new)
		members->new = new;
	if (!members->current || !new)
		return;
	if (!member)
		member = member_new(members, &key, endpoint, copy);
	if (!member)
		return;
	member->objects++;
	new[members->n_new++] = member;
}

void members_add(struct members *members, const struct address *address, uint16_t port,
		 const struct pod_name *pod)
{
	add(members, &(struct kube_endpoint){.address = *address, .port = port, .pod = pod}, false);
}

void members_add_copy(struct members *members, const struct kube_endpoint *endpoint)
{
	add(members, endpoint, true);
}

void members_end(struct members *members)
{
	struct object *object = members->current;

	if (!object)
		return;
	for (size_t i = 0; i < object->n; i++) {
		object->has[i]->objects--;
		end_if_over(members, object->has[i]);
	}
	free(object->has);
	object->has = members->new;
	object->n = members->n_new;
	members->new = NULL;
	members->n_new = 0;
	members->current = NULL;
	if (!object->n)
		object_free(members, object);
}

void members_list_begin(struct members *members)
{
	members->list++;
}

void members_list_end(struct members *members)
{
	struct object *object, *next;

	HASH_ITER (hh, members->objects, object, next) {
		if (object->list == members->list)
			continue;
		members->n_new = 0;
		members->current = object;
		members_end(members);
	}
}

void members_check(struct members *members)
{
	struct member *member, *next;

	members->kept = false;
	HASH_ITER (hh, members->members, member, next)
		end_if_over(members, member);
}

bool members_to_check(const struct members *members)
{
	return members->kept;
}

void members_clear(struct members *members)
{
	struct member *member, *next;
	struct object *object, *next_object;

	HASH_ITER (hh, members->objects, object, next_object)
		object_free(members, object);
	HASH_ITER (hh, members->members, member, next)
		end_member(members, member);
	members->kept = false;
}

const struct pod_name *members_name(struct members *members, const struct pod_name *name)
{
	struct known_name *known;

	HASH_FIND_STR(members->names, name->uid, known);
	if (known)
		return &known->name;
	known = arena_alloc(&members->arena, sizeof(*known), _Alignof(struct known_name));
	if (!known)
		return NULL;
	known->name = (struct pod_name){
		.namespace = arena_string(&members->arena, name->namespace),
		.pod = arena_string(&members->arena, name->pod),
		.uid = arena_string(&members->arena, name->uid),
		.kind = arena_string(&members->arena, name->kind),
		.workload = arena_string(&members->arena, name->workload),
		.node = arena_string(&members->arena, name->node),
	};
	if (!known->name.namespace || !known->name.pod || !known->name.uid || !known->name.kind ||
	    !known->name.workload || !known->name.node)
		return NULL;
	HASH_ADD_KEYPTR(hh, members->names, known->name.uid, strlen(known->name.uid), known);
	return known->hh.tbl ? &known->name : NULL;
}
