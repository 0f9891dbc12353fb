/* SPDX-License-Identifier: MIT */
#include "pods-store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for one more element: the array, moved or not, or NULL. */
static void *grow(void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room + *room / 2 + 8;

	if (n < *room)
		return array;
	array = reallocarray(array, more, size);
	if (array)
		*room = more;
	return array;
}

static const char *intern(struct pods *pods, const char *text, size_t length)
{
	struct interned *string;

	HASH_FIND(hh, pods->strings, text, length, string);
	if (string)
		return string->text;
	string = arena_alloc(&pods->arena, sizeof(*string) + length + 1, _Alignof(struct interned));
	if (!string)
		return NULL;
	memcpy(string->text, text, length);
	string->text[length] = '\0';
	HASH_ADD_KEYPTR(hh, pods->strings, string->text, length, string);
	return string->hh.tbl ? string->text : NULL;
}

static const char *intern_all(struct pods *pods, const char *text)
{
	return intern(pods, text, strlen(text));
}

static int store_node(struct pods *pods, const struct address *address, const char *name)
{
	struct node *node;

	HASH_FIND(hh, pods->nodes, address, sizeof(*address), node);
	if (node) {
		node->name = name;
		return 0;
	}
	node = arena_alloc(&pods->arena, sizeof(*node), _Alignof(struct node));
	if (!node)
		return -ENOMEM;
	node->address = *address;
	node->name = name;
	HASH_ADD(hh, pods->nodes, address, sizeof(node->address), node);
	return node->hh.tbl ? 0 : -ENOMEM;
}

static int store_holding(struct pods *pods, const struct address *address, const struct pod *pod)
{
	struct holding *holdings =
		grow(pods->holdings, pods->n_holdings, &pods->holdings_room, sizeof(*holdings));

	if (!holdings)
		return -ENOMEM;
	pods->holdings = holdings;
	holdings[pods->n_holdings++] = (struct holding){address, pod};
	return 0;
}

/* A copy with strings and arrays of its own; NULL: no memory. */
static struct pod *copy_pod(struct pods *pods, const struct pod_item *item)
{
	struct arena *arena = &pods->arena;
	const struct pod *from = &item->pod;
	struct pod *pod = arena_copy(arena, from, sizeof(*pod), _Alignof(struct pod));
	struct pod_name *name;

	if (!pod)
		return NULL;
	name = &pod->name;
	name->namespace = intern_all(pods, from->name.namespace);
	name->pod = arena_string(arena, from->name.pod);
	name->uid = arena_string(arena, from->name.uid);
	name->kind = intern_all(pods, from->name.kind);
	name->node = intern_all(pods, from->name.node);
	pod->owner = intern_all(pods, from->owner);
	/* A bare pod's name is already there. */
	name->workload = from->name.workload == from->name.pod
				 ? name->pod
				 : intern(pods, from->name.workload, item->workload_length);
	pod->addresses =
		arena_copy(arena, from->addresses, from->n_addresses * sizeof(*from->addresses),
			   _Alignof(struct address));
	pod->ports = arena_copy(arena, from->ports, from->n_ports * sizeof(*from->ports),
				_Alignof(uint16_t));
	if (!name->namespace || !name->pod || !name->uid || !name->kind || !name->node ||
	    !pod->owner || !name->workload || !pod->addresses || !pod->ports)
		return NULL;
	return pod;
}

int pods_store(struct pods *pods, const struct pod_item *item)
{
	struct pod **array = grow(pods->pods, pods->n_pods, &pods->pods_room, sizeof(*array));
	struct pod *pod;
	int r = 0;

	if (!array)
		return -ENOMEM;
	pods->pods = array;
	pod = copy_pod(pods, item);
	if (!pod)
		return -ENOMEM;
	array[pods->n_pods++] = pod;
	for (size_t i = 0; !r && !pod->host_network && i < pod->n_addresses; i++)
		r = store_holding(pods, &pod->addresses[i], pod);
	for (size_t i = 0; !r && *pod->name.node && i < item->hosts.n; i++)
		r = store_node(pods, &item->hosts.at[i], pod->name.node);
	return r;
}

int pods_compare(const struct address *a, int64_t a_started, const struct address *b,
		 int64_t b_started)
{
	int order = memcmp(a, b, sizeof(*a));

	return order ? order : (a_started > b_started) - (a_started < b_started);
}

static int compare_holdings(const void *a, const void *b)
{
	const struct holding *x = a;
	const struct holding *y = b;
	int order = pods_compare(x->address, x->pod->started, y->address, y->pod->started);

	/* Any order will do, if it is the same each time. */
	return order ? order : strcmp(x->pod->name.uid, y->pod->name.uid);
}

int pods_compare_uids(const void *a, const void *b)
{
	const struct pod *const *x = a;
	const struct pod *const *y = b;

	return strcmp((*x)->name.uid, (*y)->name.uid);
}

int pods_index(struct pods *pods)
{
	const struct pod **by_uid;

	if (!pods->n_pods)
		return 0;
	if (pods->n_holdings)
		qsort(pods->holdings, pods->n_holdings, sizeof(*pods->holdings), compare_holdings);
	by_uid = reallocarray(pods->by_uid, pods->n_pods, sizeof(*by_uid));
	if (!by_uid)
		return -ENOMEM;
	memcpy(by_uid, pods->pods, pods->n_pods * sizeof(*by_uid));
	qsort(by_uid, pods->n_pods, sizeof(*by_uid), pods_compare_uids);
	pods->by_uid = by_uid;
	pods->n_by_uid = pods->n_pods;
	return 0;
}
