/* SPDX-License-Identifier: MIT */
/*
 * Follows a target in the API: which addresses and ports are behind it, now and as that changes.
 *
 *	pod/, deploy/, rs/, sts/ …, or a selector: the pods of one namespace, by a watch
 *	svc/: EndpointSlices of discovery.k8s.io/v1, else of v1beta1, else Endpoints
 *
 * Pods that are not ready, or terminating, count: they can be called.
 */
#ifndef KUBE_FOLLOW_H
#define KUBE_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../callers/address.h"
#include "../callers/who.h"
#include "client.h"
#include "not-watched.h"
#include "watch.h"

struct kube_wish {
	const char *what;      /* "svc/NAME" …; NULL: by selector */
	const char *selector;  /* of labels: "app=web" */
	const char *namespace; /* never NULL */
	uint16_t port;         /* 0: all TCP ports that are named */
};

/* Something can be called there. `pod`: NULL if it is none; as long as the follow. */
struct kube_endpoint {
	struct address address;
	uint16_t port;
	const struct pod_name *pod;
	int64_t started; /* its pod (status.startTime, ns since 1970): it has had no address before,
			    and could not be called; 0: not known (yet) */
	const char *node; /* that it is on, as told of it itself: pod->node if it is a pod; "" or
			     NULL: not told. Only of kube_watch_services() */
};

struct kube_follow_ops {
	/* It came; an id of the caller's choice, for down(). */
	uint32_t (*up)(void *arg, const struct kube_endpoint *endpoint);
	void (*down)(void *arg, uint32_t id);
	/* Whether this pod still has this address, as far as is known: then what a Service left out
	 * is kept. */
	bool (*alive)(void *arg, const char *uid, const struct address *address);
};

enum kube_follow_state {
	FOLLOW_ASKING, /* the first list is not complete */
	FOLLOW_ON,
	FOLLOW_FAILED, /* kube_follow_error() */
};

struct kube_follow;
struct pods;
struct selectors;

/* 0, or -EINVAL (no such form) or -ENOMEM with a sentence. The wish is copied. */
int kube_follow_new(struct kube_follow **out, struct kube_client *client,
		    const struct kube_wish *wish, const struct kube_follow_ops *ops, void *arg,
		    char *error, size_t error_size);
/* Accepts NULL. */
void kube_follow_free(struct kube_follow *follow);

enum kube_follow_state kube_follow_state(const struct kube_follow *follow);

/* Why it failed; or, while it asks or is on, what it stands still for; NULL: nothing. `since` as of
 * kube_watch_trouble(); 0 if it failed. */
const char *kube_follow_error(const struct kube_follow *follow, uint64_t *since);

/* HTTP status of what it stands still for; 0: no answer, or nothing. */
long kube_follow_status(const struct kube_follow *follow);

/* The pods of the target's namespace, where that is how it is followed; else NULL. */
const struct pods *kube_follow_pods(const struct kube_follow *follow);

/* Ports that callers may dial in place of the endpoints' own: a Service's. The follow's; returns
 * how many. */
size_t kube_follow_dialled(const struct kube_follow *follow, const uint16_t **ports);

/* What of the target is not watched, as a mask of codes; those of one moment as of the last
 * kube_follow_tick(). Valid as long as the follow. */
const struct not_watched *kube_follow_not_watched(const struct kube_follow *follow);

/* The first of its sentences that nothing else tells (kube_follow_error()); "": nothing. */
const char *kube_follow_note(const struct kube_follow *follow);

/* When what tells the endpoints did not stand: kube_watch_gaps(). NULL: nothing tells them yet. */
const struct gaps *kube_follow_gaps(struct kube_follow *follow);

/*
 * Begins the proof that all that was written before was told: kube_watch_confirm(), with a list. Of
 * a Service it is also seen whether that itself was written to since it was read: its ports would
 * be others. Not from within ops.
 */
void kube_follow_confirm(struct kube_follow *follow);
enum kube_confirmed kube_follow_confirmed(const struct kube_follow *follow, const char **why);

/* As pods_select(), before the first kube_run(). */
void kube_follow_select(struct kube_follow *follow, const struct selectors *selectors);

/* Forgets pods that ended more than an hour ago. `now`: ns since 1970. */
void kube_follow_expire(struct kube_follow *follow, int64_t now);

/* Looks again at what was kept only since its pod was alive. */
void kube_follow_tick(struct kube_follow *follow);

#endif
