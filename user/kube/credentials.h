/* SPDX-License-Identifier: MIT */
/*
 * What is shown to the API server, and what its certificate is checked with, as they are now: files
 * are read again when they change, plugins run again when what they gave expires.
 *
 *     r = kube_credentials_get(c, now, &identity, ...);
 *     if (r == -EINPROGRESS)
 *             start if kube_credentials_fd(c) < 0; until kube_credentials_proceed() is not
 *             -EINPROGRESS, call it whenever the fd is readable and at the deadline; get again
 *
 * All times are ns of CLOCK_MONOTONIC. Errors are a negative errno with a sentence, in which there
 * is no secret.
 */
#ifndef KUBE_CREDENTIALS_H
#define KUBE_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "secret.h"

/* All borrowed: until the next call with these credentials. */
struct kube_identity {
	const char *token; /* "Authorization: Bearer"; NULL: none */
	/* PEM; NULL: none */
	const struct secret *ca;
	const struct secret *certificate;
	const struct secret *key;
	/* Another number than before: the three above are others. What is connected keeps the old
	 * ones until it connects anew. */
	uint64_t generation;
};

struct kube_credentials;

/* The configuration must outlive them. NULL: no memory. */
struct kube_credentials *kube_credentials_new(const struct kube_config *config);

/* Kills a plugin that runs, overwrites what is secret. */
void kube_credentials_free(struct kube_credentials *credentials);

/*
 * Looks at the files, at most once a second each. One that can't be read any more, or is damaged,
 * leaves what it had: a token or certificate that is being replaced is soon there again. 0, and
 * `error` is "" or tells of such a file; -EINPROGRESS: the plugin has to run, or is running; or an
 * error: a file was never read.
 */
int kube_credentials_get(struct kube_credentials *credentials, int64_t now,
			 struct kube_identity *identity, char *error, size_t error_size);

/* Only the token: as kube_credentials_get(); *token: NULL where there is none. */
int kube_credentials_token(struct kube_credentials *credentials, int64_t now, const char **token,
			   char *error, size_t error_size);

/*
 * The server said 401. Files are looked at again at once, and what a plugin gave is forgotten.
 * True: kube_credentials_get() may give something else (or -EINPROGRESS), which is worth one more
 * try. False: it can't, the credentials are simply refused.
 */
bool kube_credentials_reject(struct kube_credentials *credentials);

/* Starts the plugin; nothing happens if it runs already. 0 or an error: it can't be run. */
int kube_credentials_start(struct kube_credentials *credentials, int64_t now, char *error,
			   size_t error_size);

/* For epoll, EPOLLIN; -1 while no plugin runs. */
int kube_credentials_fd(const struct kube_credentials *credentials);

/* When the plugin is killed, if it still runs. */
int64_t kube_credentials_deadline(const struct kube_credentials *credentials);

/* Never blocks. 0: the plugin has given credentials; -EINPROGRESS: it still runs; or an error: it
 * has failed, or was killed. But for -EINPROGRESS the fd is closed. */
int kube_credentials_proceed(struct kube_credentials *credentials, int64_t now, char *error,
			     size_t error_size);

#endif
