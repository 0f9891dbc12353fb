/* SPDX-License-Identifier: MIT */
#define HASH_NONFATAL_OOM 1
#include "clients.h"

#include <stdlib.h>

#define SECOND INT64_C(1000000000)

/* Takes one out of a bucket that holds `rate` and gets as many a second. False: it is empty. */
static bool take(int64_t *full, unsigned int rate, int64_t now)
{
	int64_t one = SECOND / rate;
	int64_t from = *full > now ? *full : now;

	if (from - now > SECOND - one)
		return false;
	*full = from + one;
	return true;
}

/* Both buckets are full, as those of an address that is new. */
static bool forgettable(const struct client *client, int64_t now)
{
	return !client->connections && client->connects_full <= now && client->requests_full <= now;
}

static void forget(struct clients *clients, int64_t now)
{
	struct client *client, *next;

	HASH_ITER (hh, clients->table, client, next) {
		if (!forgettable(client, now))
			continue;
		HASH_DEL(clients->table, client);
		free(client);
	}
}

static struct client *find_or_add(struct clients *clients, const struct in6_addr *address,
				  int64_t now)
{
	struct client *client;

	HASH_FIND(hh, clients->table, address, sizeof(*address), client);
	if (client)
		return client;
	if (HASH_COUNT(clients->table) >= clients->max)
		forget(clients, now);
	if (HASH_COUNT(clients->table) >= clients->max)
		return NULL;
	client = calloc(1, sizeof(*client));
	if (!client)
		return NULL;
	client->address = *address;
	HASH_ADD(hh, clients->table, address, sizeof(client->address), client);
	if (!client->hh.tbl) { /* no memory */
		free(client);
		return NULL;
	}
	return client;
}

struct client *clients_enter(struct clients *clients, const struct in6_addr *address, int64_t now)
{
	struct client *client = find_or_add(clients, address, now);

	if (!client || client->connections >= clients->per_address ||
	    !take(&client->connects_full, 2 * clients->requests_per_second, now))
		return NULL;
	client->connections++;
	return client;
}

void clients_leave(struct client *client)
{
	client->connections--;
}

bool clients_may_ask(const struct clients *clients, struct client *client, int64_t now)
{
	return take(&client->requests_full, clients->requests_per_second, now);
}

void clients_deinit(struct clients *clients)
{
	struct client *client, *next;

	HASH_ITER (hh, clients->table, client, next) {
		HASH_DEL(clients->table, client);
		free(client);
	}
}
