/* SPDX-License-Identifier: MIT */
#include "pods-store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "selector.h"

#define REMEMBERED (INT64_C(3600) * 1000000000)
/* So many are forgotten at once. */
#define EXPIRED_AT_ONCE 100

static const char *intern(struct pods *pods, const char *text)
{
	size_t length = strlen(text);
	struct interned *string;

	HASH_FIND(hh, pods->strings, text, length, string);
	if (string)
		return string->text;
	string = arena_alloc(&pods->arena, sizeof(*string) + length + 1, _Alignof(struct interned));
	if (!string)
		return NULL;
	memcpy(string->text, text, length + 1);
	HASH_ADD_KEYPTR(hh, pods->strings, string->text, length, string);
	return string->hh.tbl ? string->text : NULL;
}

int pods_put_node(struct pods *pods, const struct address *address, const char *name)
{
	const char *interned = intern(pods, name);
	struct node *node;

	if (!interned)
		return -ENOMEM;
	HASH_FIND(hh, pods->nodes, address, sizeof(*address), node);
	if (node) {
		node->name = interned;
		return 0;
	}
	node = arena_alloc(&pods->arena, sizeof(*node), _Alignof(struct node));
	if (!node)
		return -ENOMEM;
	node->address = *address;
	node->name = interned;
	HASH_ADD(hh, pods->nodes, address, sizeof(node->address), node);
	return node->hh.tbl ? 0 : -ENOMEM;
}

/* --- addresses --- */

static struct holder *holder_of(struct pods *pods, const struct address *address, bool make)
{
	struct holder *holder;

	HASH_FIND(hh, pods->holders, address, sizeof(*address), holder);
	if (holder || !make)
		return holder;
	holder = calloc(1, sizeof(*holder));
	if (!holder)
		return NULL;
	holder->address = *address;
	HASH_ADD(hh, pods->holders, address, sizeof(holder->address), holder);
	if (holder->hh.tbl)
		return holder;
	free(holder);
	return NULL;
}

/*
 * Newest first; of two that start in the same second the one that was told later.
 *
 * A pod starts before it has its address. So where it is known until when the one before had it, it
 * got it then, at the earliest. Where that one still seems to have it, that has ended by now; and
 * who had it between this one's start and the time at which we heard of that one's end can't be
 * told (pods_by_address()). `now` 0: a list, which tells of no ends.
 */
static int hold(struct pods *pods, const struct address *address, struct stored *stored,
		int64_t from, int64_t now)
{
	struct holder *holder = holder_of(pods, address, true);
	struct holding *holding = calloc(1, sizeof(*holding)), **at;

	if (!holder || !holding) {
		free(holding);
		return -ENOMEM;
	}
	for (struct holding *before = holder->newest; now && before; before = before->older) {
		if (!before->until && before->from <= from)
			before->until = now;
		else if (before->exact && before->until > from && before->until < now)
			from = before->until;
	}
	*holding = (struct holding){
		.stored = stored, .holder = holder, .next = stored->holdings, .from = from};
	stored->holdings = holding;
	for (at = &holder->newest; *at && (*at)->from > from; at = &(*at)->older)
		;
	holding->older = *at;
	*at = holding;
	return 0;
}

/* It has had it until then; of which `exact` says whether that is known, or only when it was told.
 */
static void release(struct stored *stored, const struct address *address, int64_t until, bool exact)
{
	struct holding *holding = stored->holdings;

	while (holding && (holding->until || !address_equal(&holding->holder->address, address)))
		holding = holding->next;
	if (!holding)
		return;
	holding->until = until > holding->from ? until : holding->from + 1;
	holding->exact = exact;
}

static bool has_address(const struct address *addresses, size_t n, const struct address *address)
{
	for (size_t i = 0; i < n; i++)
		if (address_equal(&addresses[i], address))
			return true;
	return false;
}

/* A pod whose sandbox is made again has another address then. `from`: since when it has new ones.
 */
static int change_addresses(struct pods *pods, struct stored *stored, const struct pod *new,
			    int64_t from, int64_t now)
{
	struct pod *pod = &stored->pod;
	struct address *addresses = NULL;
	int r = 0;

	if (new->n_addresses) {
		addresses = malloc(new->n_addresses * sizeof(*addresses));
		if (!addresses)
			return -ENOMEM;
		memcpy(addresses, new->addresses, new->n_addresses * sizeof(*addresses));
	}
	for (size_t i = 0; i < pod->n_addresses; i++)
		if (!has_address(new->addresses, new->n_addresses, &pod->addresses[i]))
			release(stored, &pod->addresses[i], from, false);
	for (size_t i = 0; i < new->n_addresses && !pod->host_network && !r; i++)
		if (!has_address(pod->addresses, pod->n_addresses, &new->addresses[i]) &&
		    !has_address(new->addresses, i, &new->addresses[i]))
			r = hold(pods, &new->addresses[i], stored, from, now);
	free(pod->addresses);
	pod->addresses = addresses;
	pod->n_addresses = new->n_addresses;
	return r;
}

static void end(struct pods *pods, struct stored *stored, int64_t when, bool exact)
{
	struct pod *pod = &stored->pod;

	if (pod->ended)
		return;
	pod->ended = when;
	DL_DELETE(pods->live, stored);
	DL_APPEND(pods->ended, stored);
	for (size_t i = 0; i < pod->n_addresses; i++)
		release(stored, &pod->addresses[i], when, exact);
}

/* --- pods --- */

static char *append(char **at, const char *text, size_t length)
{
	char *start = *at;

	memcpy(start, text, length);
	start[length] = '\0';
	*at += length + 1;
	return start;
}

/* With its names; the rest is what changes. NULL: no memory. */
static struct stored *make(struct pods *pods, const struct pod_item *item)
{
	const struct pod *from = &item->pod;
	size_t pod_length = strlen(from->name.pod), uid_length = strlen(from->name.uid),
	       owner_length = strlen(from->owner);
	bool bare = from->name.workload == from->name.pod;
	struct stored *stored = calloc(1, sizeof(*stored) + pod_length + uid_length + owner_length +
						  item->workload_length + 4);
	struct pod_name *name;
	char *text;

	if (!stored)
		return NULL;
	text = stored->text;
	name = &stored->pod.name;
	name->namespace = intern(pods, from->name.namespace);
	name->kind = intern(pods, from->name.kind);
	name->node = "";
	name->pod = append(&text, from->name.pod, pod_length);
	name->uid = append(&text, from->name.uid, uid_length);
	stored->pod.owner = append(&text, from->owner, owner_length);
	/* a bare pod's name is already there */
	name->workload =
		bare ? name->pod : append(&text, from->name.workload, item->workload_length);
	stored->pod.host_network = from->host_network;
	if (!name->namespace || !name->kind)
		goto failed;
	HASH_ADD_KEYPTR(hh, pods->pods, name->uid, uid_length, stored);
	if (stored->hh.tbl) {
		DL_APPEND(pods->live, stored);
		return stored;
	}
failed:
	free(stored);
	return NULL;
}

static struct stored *find(const struct pods *pods, const char *uid)
{
	struct stored *stored;

	HASH_FIND(hh, pods->pods, uid, strlen(uid), stored);
	return stored;
}

static int change_ports(struct pod *pod, const struct pod *new)
{
	uint16_t *ports = NULL;

	if (pod->n_ports == new->n_ports &&
	    (!new->n_ports || !memcmp(pod->ports, new->ports, new->n_ports * sizeof(*ports))))
		return 0;
	if (new->n_ports) {
		ports = malloc(new->n_ports * sizeof(*ports));
		if (!ports)
			return -ENOMEM;
		memcpy(ports, new->ports, new->n_ports * sizeof(*ports));
	}
	free(pod->ports);
	pod->ports = ports;
	pod->n_ports = new->n_ports;
	return 0;
}

/* Gone from a watch that has only a part of all pods, and back. */
static void revive(struct pods *pods, struct stored *stored)
{
	if (stored->prev)
		DL_DELETE(pods->ended, stored);
	DL_APPEND(pods->live, stored);
	stored->pod.ended = 0;
	stored->pod.n_addresses = 0;
}

int pods_put(struct pods *pods, const struct pod_item *item, int64_t now)
{
	struct stored *stored = find(pods, item->pod.name.uid);
	const char *node = intern(pods, item->pod.name.node);
	struct pod *pod;
	int64_t from;
	int r = 0;

	if (!stored)
		stored = make(pods, item);
	if (!stored || !node)
		return -ENOMEM;
	pod = &stored->pod;
	stored->list = pods->list;
	pod->name.node = node;
	pod->other_port = item->pod.other_port;
	pod->other_sctp = item->pod.other_sctp;
	pod->name.selected = selectors_match(pods->selectors, item->labels);
	if (!pod->started)
		pod->started = item->pod.started;
	/* the first addresses are its own since it started; later ones since we hear of them */
	from = pod->n_addresses && now ? now : pod->started;
	if (pod->ended && !item->completed)
		revive(pods, stored);
	if (!pod->ended) {
		/* it is in the list, so that is not empty */
		// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
		DL_DELETE(pods->live, stored);
		DL_APPEND(pods->live, stored);
	}
	/* what has completed says nothing of who else has its address */
	if (!pod->ended)
		r = change_addresses(pods, stored, &item->pod, from, item->completed ? 0 : now);
	if (!r)
		r = change_ports(pod, &item->pod);
	if (item->completed)
		end(pods, stored, item->finished ? item->finished : now, item->finished);
	for (size_t i = 0; !r && *node && i < item->hosts.n; i++)
		r = pods_put_node(pods, &item->hosts.at[i], node);
	return r;
}

void pods_gone(struct pods *pods, const char *uid, int64_t when, bool exact)
{
	struct stored *stored = find(pods, uid);

	if (stored)
		end(pods, stored, when, exact);
}

void pods_list_begin(struct pods *pods)
{
	pods->list++;
}

void pods_list_end(struct pods *pods, int64_t now)
{
	while (pods->live && pods->live->list != pods->list)
		end(pods, pods->live, now, false);
}

void pods_release(struct pods *pods, const struct address *address, int64_t when)
{
	struct holder *holder = holder_of(pods, address, false);

	for (struct holding *holding = holder ? holder->newest : NULL; holding;
	     holding = holding->older)
		if (!holding->until && holding->stored->list != pods->list)
			end(pods, holding->stored, when, false);
}

static void forget_holdings(struct pods *pods, struct stored *stored)
{
	while (stored->holdings) {
		struct holding *holding = stored->holdings, **at = &holding->holder->newest;

		while (*at != holding)
			at = &(*at)->older;
		*at = holding->older;
		if (!holding->holder->newest) {
			// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
			HASH_DELETE(hh, pods->holders, holding->holder);
			free(holding->holder);
		}
		stored->holdings = holding->next;
		free(holding);
	}
}

static void stored_free(struct stored *stored)
{
	free(stored->pod.addresses);
	free(stored->pod.ports);
	free(stored);
}

void pods_expire(struct pods *pods, int64_t now)
{
	struct stored *stored;

	for (int n = 0; n < EXPIRED_AT_ONCE; n++) {
		stored = pods->ended;
		if (!stored || stored->pod.ended + REMEMBERED > now)
			return;
		DL_DELETE(pods->ended, stored);
		stored->prev = NULL;
		if (stored->named)
			continue;
		forget_holdings(pods, stored);
		HASH_DELETE(hh, pods->pods, stored);
		stored_free(stored);
	}
}

void pods_names_begin(struct pods *pods)
{
	for (struct stored *stored = pods->pods; stored; stored = stored->hh.next)
		stored->used = false;
}

void pods_name_used(struct pods *pods, const struct pod_name *name)
{
	struct stored *stored = find(pods, name->uid);

	if (stored && &stored->pod.name == name)
		stored->used = true;
}

void pods_names_end(struct pods *pods)
{
	for (struct stored *stored = pods->pods; stored; stored = stored->hh.next) {
		if (!stored->named || stored->used)
			continue;
		stored->named = false;
		/* pods_expire() has passed it over */
		if (stored->pod.ended && !stored->prev)
			DL_PREPEND(pods->ended, stored);
	}
}

struct pods *pods_new(void)
{
	return calloc(1, sizeof(struct pods));
}

void pods_select(struct pods *pods, const struct selectors *selectors)
{
	pods->selectors = selectors;
}

void pods_free(struct pods *pods)
{
	struct stored *stored, *next;

	if (!pods)
		return;
	HASH_ITER (hh, pods->pods, stored, next) {
		forget_holdings(pods, stored);
		HASH_DELETE(hh, pods->pods, stored);
		stored_free(stored);
	}
	HASH_CLEAR(hh, pods->strings);
	HASH_CLEAR(hh, pods->nodes);
	arena_free(&pods->arena);
	free(pods);
}
