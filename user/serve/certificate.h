/* SPDX-License-Identifier: MIT */
/* The certificate and the key of the server, read from their files. */
#ifndef SERVE_CERTIFICATE_H
#define SERVE_CERTIFICATE_H

#include <gnutls/gnutls.h>
#include <stddef.h>

/* TLS 1.2 and later. */
#define CERTIFICATE_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Sessions use it, so it lives as long as any of them, also when there is a newer one. */
struct certificate {
	gnutls_certificate_credentials_t credentials;
	unsigned int users;
};

/* PEM files; the certificates of the chain follow the server's own. One user: the caller. 0, or a
 * negative errno and a sentence. */
int certificate_load(struct certificate **out, const char *cert_file, const char *key_file,
		     char *error, size_t error_size);

/* One of its own making, for this name (of a host) and localhost; signed by itself. Likewise. */
int certificate_make(struct certificate **out, const char *name, char *error, size_t error_size);

/* Without anything in it yet. 0 or -ENOMEM. */
int certificate_new(struct certificate **out);

/* For a session that has not begun its handshake. */
void certificate_use(struct certificate *certificate, gnutls_session_t session);

/* One user less; the last frees it. Accepts NULL. */
void certificate_leave(struct certificate *certificate);

#endif
