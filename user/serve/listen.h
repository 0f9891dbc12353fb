/* SPDX-License-Identifier: MIT */
/* The socket that the server listens on. */
#ifndef SERVE_LISTEN_H
#define SERVE_LISTEN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Listens on "127.0.0.1:9435", "[::1]:9435" or ":9435": all addresses, of both families where there
 * is IPv6. Addresses are numbers: no name is looked up. `unread_ms`: after so long a connection
 * whose peer takes nothing ends, also one that the program has closed (inherited by what is
 * accepted).
 *
 * The descriptor, non-blocking, and *port; or a negative errno and a sentence.
 */
int listen_open(const char *listen, unsigned int unread_ms, uint16_t *port, char *error,
		size_t error_size);

#endif
