/* SPDX-License-Identifier: MIT */
#include "notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../capture/sweep.h"

__attribute__((format(printf, 2, 3))) static void note(struct notes *notes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (notes->n < sizeof(notes->text) / sizeof(notes->text[0]) &&
	    vasprintf(&notes->text[notes->n], format, args) >= 0)
		notes->n++;
	va_end(args);
}

/* The iterators and /proc show only the processes of this PID namespace, and theirs are the
 * sockets. */
static void note_pid_namespace(struct notes *notes)
{
	if (sweep_own_pids())
		note(notes,
		     "This runs in a PID namespace of its own: connections that were open "
		     "before in pods outside of it are not known. Run it on the node itself, or "
		     "with hostPID: true.");
}

/* A pod elsewhere can't be watched from here. */
static void note_nodes(struct notes *notes, const struct target *target,
		       const struct cluster *cluster)
{
	const char *other = NULL, *own = cluster_node(cluster);
	const struct kube *kube = cluster->kube;
	size_t known = 0, elsewhere = 0;

	if (!*own)
		return;
	for (size_t i = 0; i < target->n_endpoints; i++) {
		const struct pod_name *pod = target->endpoints[i].pod;

		if (!pod || !pod->node || !*pod->node || target->endpoints[i].until)
			continue;
		known++;
		if (strcmp(pod->node, own)) {
			elsewhere++;
			other = pod->node;
		}
	}
	if (elsewhere)
		note(notes,
		     "%zu of %zu endpoints are on other nodes than %s, as %s, by %s: only what arrives "
		     "on this node is seen%s.",
		     elsewhere, known, own, other, kube ? "the API" : "the list of pods",
		     kube && elsewhere == known
			     ? "; if this is one of those, give its name with --node"
			     : "");
}

static void note_api(struct notes *notes, const struct kube *kube, uint64_t now)
{
	struct kube_trouble troubles[4];
	size_t n = kube_troubles(kube, troubles, 4);
	const struct kube_follow *follow = kube_followed(kube);

	for (size_t i = 0; i < n; i++)
		note(notes,
		     "For %llu s the Kubernetes API has not told all: %s. Counts are right; names may be "
		     "missing%s.",
		     troubles[i].since && troubles[i].since < now
			     ? (unsigned long long)((now - troubles[i].since) / 1000000000)
			     : 0ULL,
		     troubles[i].text,
		     follow ? ", and endpoints that came meanwhile are not watched" : "");
	if (!n && !kube_synced(kube))
		note(notes, "The Kubernetes API has not told all pods and nodes yet: names come.");
	if (follow && *kube_follow_note(follow))
		note(notes, "%s.", kube_follow_note(follow));
}

void notes_make(struct notes *notes, const struct target *target, const struct cluster *cluster,
		uint64_t now)
{
	const struct kube *kube = cluster->kube;

	notes_deinit(notes);
	note_pid_namespace(notes);
	note_nodes(notes, target, cluster);
	if (kube)
		note_api(notes, kube, now);
	if (cluster->unwatched)
		note(notes,
		     "%zu endpoints came that found no room in the kernel's table, and are not watched; "
		     "begin a new trace to watch them.",
		     cluster->unwatched);
}

void notes_deinit(struct notes *notes)
{
	while (notes->n)
		free(notes->text[--notes->n]);
}
