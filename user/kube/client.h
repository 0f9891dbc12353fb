/* SPDX-License-Identifier: MIT */
/*
 * Asks the Kubernetes API: libcurl's multi interface behind one file descriptor, for the one loop.
 * Nothing here blocks, and nothing here judges an answer but by its HTTP status.
 */
#ifndef KUBE_CLIENT_H
#define KUBE_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kube_access;
struct kube_client;
struct kube_request;
struct secret;

/* How a request ended. */
struct kube_outcome {
	int r;             /* 0: all of an answer came; negative errno: see `error` */
	long status;       /* HTTP; 0: no answer */
	const char *error; /* a clause for people when r or when the status is not 200 (for a POST:
			      nor 201) */
	json_t *body;      /* of such an answer: the Status object; NULL: none */
	uint64_t answered; /* as kube_answered() */
	uint32_t retry_ms; /* the server asks not to be asked before; 0: it does not */
};

struct kube_request_ops {
	/* Bytes of an answer with status 200, to a POST also 201. Not 0 ends the request with that
	 * as `r`. */
	int (*data)(void *arg, const char *bytes, size_t length);
	/* Once, at the end; the request is gone then. Not called after kube_cancel(). */
	void (*done)(void *arg, const struct kube_outcome *outcome);
};

/* `access` is the caller's and outlives the client. 0, or a negative errno and a sentence. */
int kube_client_new(struct kube_client **out, struct kube_access *access, char *error,
		    size_t error_size);
void kube_client_free(struct kube_client *client);

/* For epoll: readable when kube_client_run() has something to do. */
int kube_client_fd(const struct kube_client *client);
void kube_client_run(struct kube_client *client);

/*
 * Starts a GET of a path with its query: "/api/v1/pods?limit=500". That nothing comes for 30 s is
 * an error; of a `watch`, which goes on as long as the server likes, but no longer than
 * KUBE_WATCH_MAX_S, for 100 s. NULL: no memory.
 */
#define KUBE_WATCH_MAX_S 400
struct kube_request *kube_get(struct kube_client *client, const char *path, bool watch,
			      const struct kube_request_ops *ops, void *arg);
/*
 * Starts a POST of JSON, with no more than 5 s for all of it, and no second try (but libcurl's own,
 * where a connection that was kept has been closed meanwhile). The body is copied. It may hold what
 * is secret, and so may the answer, which says it again: neither stays in memory that was given
 * back, but for what OpenSSL and nghttp2 have in buffers of a connection. NULL: no memory.
 */
struct kube_request *kube_post(struct kube_client *client, const char *path,
			       const struct secret *body, const struct kube_request_ops *ops,
			       void *arg);
/* When an answer that went well began (CLOCK_MONOTONIC ns); 0: it has not. Accepts NULL. */
uint64_t kube_answered(const struct kube_request *request);
/* Right after kube_get() or kube_post(): on a connection of its own, and not on one that may be
 * dead. Accepts NULL. */
void kube_fresh(struct kube_request *request);
/* Accepts NULL. Also from within its own callbacks. */
void kube_cancel(struct kube_request *request);

/* Calls once after so many ms. Starts as all zero; started again it begins anew. */
struct kube_timer {
	void (*fire)(void *arg);
	void *arg;
	uint64_t due; /* ns of CLOCK_MONOTONIC; 0: not started */
	struct kube_timer *next;
};
void kube_timer_start(struct kube_client *client, struct kube_timer *timer, uint64_t ms,
		      void (*fire)(void *arg), void *arg);
void kube_timer_stop(struct kube_client *client, struct kube_timer *timer);

/* Of all requests so far: how many, and bytes that came on the wire. */
struct kube_traffic {
	uint64_t requests;
	uint64_t bytes;
};
struct kube_traffic kube_client_traffic(const struct kube_client *client);

#endif
