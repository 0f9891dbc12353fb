/* SPDX-License-Identifier: MIT */
/* What a request to the API needs before it can go out: where to, with which certificates, as whom.
 */
#ifndef KUBE_ACCESS_H
#define KUBE_ACCESS_H

#include <stddef.h>

#include <curl/curl.h>

#include "config.h"

struct kube_access;

/* Takes the configuration over, also on failure. NULL: no memory. */
struct kube_access *kube_access_new(struct kube_config *config);
void kube_access_free(struct kube_access *access);

const struct kube_config *kube_access_config(const struct kube_access *access);

/* What the URL of each request begins with: "https://host:6443". */
const char *kube_access_url(const struct kube_access *access);

/*
 * Sets what the handle needs, and adds to its headers. 0; -EAGAIN: credentials are being made, try
 * again when kube_access_fd() is readable; another negative errno and a sentence in `error`.
 */
int kube_access_apply(struct kube_access *access, CURL *curl, struct curl_slist **headers,
		      char *error, size_t error_size);

/* The server answered 401: what can be made anew is made anew for the next request. */
void kube_access_refused(struct kube_access *access);

/* Readable when a plugin that makes credentials has something for us; -1: none runs. Then call
 * kube_access_run(), also each time it may be late. */
int kube_access_fd(const struct kube_access *access);
void kube_access_run(struct kube_access *access);

#endif
