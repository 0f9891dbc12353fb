/* SPDX-License-Identifier: MIT */
#include "facts.h"

#include <stdio.h>
#include <string.h>

#include "../capture/sweep.h"

/* --- what of the target is not watched --- */

static const struct {
	enum not_watched_code code;
	enum unwatched is;
} codes[] = {
	{NOT_WATCHED_PROTOCOL, UNWATCHED_PROTOCOL},
	{NOT_WATCHED_NO_PORT, UNWATCHED_NO_PORT},
	{NOT_WATCHED_TOO_LARGE, UNWATCHED_TOO_LARGE},
	/* nor could these be taken as what they are */
	{NOT_WATCHED_NAME, UNWATCHED_TOO_LARGE},
	{NOT_WATCHED_UNREADABLE, UNWATCHED_TOO_LARGE},
	{NOT_WATCHED_TRUNCATED, UNWATCHED_TOO_LARGE},
};
#define CODES (sizeof(codes) / sizeof(codes[0]))

unsigned int facts_unwatched(uint32_t of)
{
	unsigned int unwatched = 0;

	for (size_t i = 0; i < CODES; i++)
		if (of & (uint32_t)codes[i].code)
			unwatched |= codes[i].is;
	return unwatched;
}

static void add_unwatched(struct facts *facts, const struct session *session)
{
	const struct not_watched *not_watched =
		kube_follow_not_watched(kube_followed(session->cluster.kube));
	size_t length = 0;

	for (size_t i = 0; i < CODES; i++) {
		const char *text = not_watched_text(not_watched, codes[i].code);

		if (*text && length < sizeof(facts->unwatched))
			length += (size_t)snprintf(facts->unwatched + length,
						   sizeof(facts->unwatched) - length, "%s%s",
						   length ? "; " : "", text);
	}
	facts->facts.unwatched = facts_unwatched(not_watched->codes);
	facts->facts.unwatched_text = facts->unwatched;
	if (session->cluster.unwatched)
		facts->facts.unwatched |= UNWATCHED_NO_ROOM;
}

/* --- what the API did not tell --- */

/* What was dropped from the target in the window may have run on. */
static bool any_went(const struct target *target, uint64_t start_ns)
{
	for (size_t i = 0; i < target->n_endpoints; i++)
		if (target->endpoints[i].until > start_ns)
			return true;
	return false;
}

void facts_blind(struct facts *facts, const struct kube *kube, const struct target *target,
		 uint64_t start_ns, uint64_t end_ns)
{
	/* of two watches of what tells the endpoints, and of the pods */
	struct kube_blind all[3 * GAPS_MAX];
	size_t n = kube_blind(kube, all, sizeof(all) / sizeof(all[0]));
	bool went = any_went(target, start_ns);

	for (size_t i = 0; i < n; i++) {
		struct blind *blind = &facts->blind[facts->facts.n_blind];

		/* before the window, or of no concern */
		if ((all[i].until && all[i].until <= start_ns) || (all[i].ends && !went))
			continue;
		if (facts->facts.n_blind == COVERAGE_BLIND) {
			/* what was told late is well: there is but no room to tell of it */
			facts->facts.more_blind += all[i].lost || !all[i].until;
			continue;
		}
		facts->facts.n_blind++;
		/* confirmed: all was told in the end, though the next watch has not begun yet */
		if (!all[i].until && !all[i].lost && facts->facts.confirmed)
			all[i].until = end_ns;
		blind->span = (struct span){(int64_t)all[i].since, (int64_t)all[i].until};
		blind->bridged = all[i].until && !all[i].lost;
		snprintf(blind->text, sizeof(blind->text), "%s", all[i].why);
	}
	facts->facts.blind = facts->blind;
}

/* What the server's own copy of its store had is taken for what there was: servers before 1.31 may
 * not know better, and kube/watch.h tells where that ends. */
void facts_confirmed(struct facts *facts, const struct kube *kube, const struct target *target,
		     uint64_t start_ns)
{
	const char *why = "";
	enum kube_confirmed confirmed = kube_confirmed(kube, &why);

	facts->facts.confirmed =
		confirmed == KUBE_CONFIRM_DONE || confirmed == KUBE_CONFIRM_COPY ||
		(confirmed == KUBE_CONFIRM_BUT_ENDS && !any_went(target, start_ns));
	facts->facts.unconfirmed = confirmed == KUBE_CONFIRM_NONE ? "it was not asked" : why;
}

void facts_make(struct facts *facts, const struct session *session)
{
	const struct heartbeat *heartbeat = &session->heartbeat;

	*facts = (struct facts){.facts = {.node = cluster_node(&session->cluster),
					  .from = session->cluster.follows  ? ENDPOINTS_FOLLOWED
						  : session->options.target ? ENDPOINTS_FILE
									    : ENDPOINTS_NAMED,
					  .unwatched_text = "",
					  .gaps = heartbeat->gaps,
					  .n_gaps = heartbeat->n,
					  .more_gaps = heartbeat->more,
					  .unconfirmed = "",
					  .intact = session->intact,
					  .own_pid_namespace = sweep_own_pids()}};
	if (!session->cluster.follows)
		return;
	add_unwatched(facts, session);
	facts_confirmed(facts, session->cluster.kube, &session->target, session->report.start_ns);
	facts_blind(facts, session->cluster.kube, &session->target, session->report.start_ns,
		    session->report.end_ns);
}
