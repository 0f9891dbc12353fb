/* SPDX-License-Identifier: MIT */
/*
 * The addresses that ask: how many connections each has, and how often it asked lately. Pure: no
 * I/O, no clock. All times are ns that only grow.
 */
#ifndef SERVE_CLIENTS_H
#define SERVE_CLIENTS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

/* Two buckets, each as the time at which it is full again: "generic cell rate algorithm", which
 * needs neither a counter nor a timer. */
struct client {
	struct in6_addr address;
	unsigned int connections;
	int64_t connects_full;
	int64_t requests_full;
	UT_hash_handle hh;
};

/* All zero but for the limits: empty. */
struct clients {
	unsigned int per_address;
	unsigned int requests_per_second; /* 1 to 1,000,000; also the burst */
	unsigned int max;                 /* addresses to know */
	struct client *table;
};

/*
 * Another connection of this address (IPv4 in its IPv6 form). NULL: it has too many, or came too
 * often, or too many others are known, or no memory. Forgets addresses of which there is nothing
 * to know any more when there are too many.
 */
struct client *clients_enter(struct clients *clients, const struct in6_addr *address, int64_t now);

/* The connection has ended. The client may be forgotten then. */
void clients_leave(struct client *client);

/* Whether it may ask now, which then counts. */
bool clients_may_ask(const struct clients *clients, struct client *client, int64_t now);

void clients_deinit(struct clients *clients);

#endif
