/* SPDX-License-Identifier: MIT */
/* What of a target is not watched, though it belongs to it: codes for programs, and a sentence for
 * people with each. */
#ifndef KUBE_NOT_WATCHED_H
#define KUBE_NOT_WATCHED_H

#include <stdbool.h>
#include <stdint.h>

enum not_watched_code {
	NOT_WATCHED_NOTHING = 0,
	/* a port of the Service, or of a container, that is UDP or SCTP */
	NOT_WATCHED_PROTOCOL = 1 << 0,
	/* a pod, or an EndpointSlice, that names no TCP port, and none was given */
	NOT_WATCHED_NO_PORT = 1 << 1,
	/* an endpoint that is a name and no address (addressType FQDN) */
	NOT_WATCHED_NAME = 1 << 2,
	/* an object that was too large to be taken: it may be of the target */
	NOT_WATCHED_TOO_LARGE = 1 << 3,
	/* an object, or an address in one, that can't be read, likewise */
	NOT_WATCHED_UNREADABLE = 1 << 4,
	/* an Endpoints object ends after 1000 addresses, and there are more */
	NOT_WATCHED_TRUNCATED = 1 << 5,
	/* a pod without an address yet: it can't be called, so that nothing is missed. As of now;
	 * all others as of any time */
	NOT_WATCHED_PENDING = 1 << 6,
};
#define NOT_WATCHED_CODES 7

/* Starts as all zero. */
struct not_watched {
	uint32_t codes;
	char text[NOT_WATCHED_CODES][256];
};

/* The first sentence of each code stays. */
__attribute__((format(printf, 3, 4))) void not_watched_add(struct not_watched *not_watched,
							   enum not_watched_code code,
							   const char *format, ...);

/* Adds what the other has; the first sentence of each code stays. */
void not_watched_merge(struct not_watched *not_watched, const struct not_watched *more);

/* The same codes, and the same sentences. */
bool not_watched_equal(const struct not_watched *a, const struct not_watched *b);

/* Without a period at its end; "": nothing of this code. */
const char *not_watched_text(const struct not_watched *not_watched, enum not_watched_code code);

/* "protocol", "no-port" … Static; NULL: not one code. */
const char *not_watched_name(enum not_watched_code code);

#endif
