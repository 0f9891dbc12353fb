/* SPDX-License-Identifier: MIT */
/* What the agent remembers: by target, caller and minute, for a day; and keeps in --state DIR. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "../callers/verdict.h"
#include "../capture/sweep.h"
#include "../kube/clock.h"
#include "agent.h"
#include "facts.h"
#include "state-file.h"

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
/* So long before the end of a minute its counts are taken, if nobody has asked later: two turns of
 * the loop. */
#define BEFORE_END SECOND

/* What history_take() tells by itself, of each minute; a report has it since the agent began. */
#define TAKEN                                                                                      \
	(UINT64_C(1) << REASON_WITNESSES_MISSED | UINT64_C(1) << REASON_ATTEMPTS_UNSEEN |          \
	 UINT64_C(1) << REASON_UNTRACKED | UINT64_C(1) << REASON_NAMESPACES_UNSEEN |               \
	 UINT64_C(1) << REASON_EVENTS_LOST | UINT64_C(1) << REASON_ENDS_UNSEEN |                   \
	 UINT64_C(1) << REASON_MISCOUNTED | UINT64_C(1) << REASON_DROPS_UNKNOWN)

int agent_history_open(struct agent *agent)
{
	const char *dir = agent->options.state;
	char said[1024];
	int r;

	agent->history = history_new(NULL);
	if (!agent->history) {
		fputs("whocalls agent: out of memory\n", stderr);
		return EX_OSERR;
	}
	if (!dir)
		return 0;
	r = state_file_load(dir, agent->history, realtime_ns() / SECOND, said, sizeof(said));
	if (r)
		fprintf(stderr, "whocalls agent: %s\n", said);
	return r < 0 ? EX_CANTCREAT : 0;
}

struct history_target agent_history_target(const struct watched *watched)
{
	return (struct history_target){watched->namespace, watched->name, watched->uid};
}

/* --- what stands against QUIET --- */

/* Whether all of a window was told the API is asked when somebody wants to know. */
void agent_facts(struct facts *facts, const struct agent *agent, const struct watched *watched,
		 uint64_t start, uint64_t end)
{
	*facts = (struct facts){
		.facts = {.node = kube_node(agent->kube),
			  .from = ENDPOINTS_FOLLOWED,
			  .unwatched = facts_unwatched(watched->not_watched_codes |
						       watched->not_watched_since) |
				       (agent->unwatched ? UNWATCHED_NO_ROOM : 0),
			  .unwatched_text = watched->not_watched ? watched->not_watched : "",
			  .gaps = agent->heartbeat.gaps,
			  .n_gaps = agent->heartbeat.n,
			  .more_gaps = agent->heartbeat.more,
			  .confirmed = true,
			  .unconfirmed = "",
			  .intact = capture_intact(agent->capture),
			  .own_pid_namespace = sweep_own_pids()}};
	facts_blind(facts, agent->kube, &watched->target, start, end);
}

/* By the rules of the verdict, as if nobody had called from `start` until now: bits of enum
 * reason_is. Without memory to tell all of them. */
static uint64_t causes_since(const struct agent *agent, const struct watched *watched,
			     uint64_t start)
{
	const struct verdict_options options = {};
	const struct traffic nobody = {};
	struct verdict *verdict = malloc(sizeof(*verdict));
	struct facts *facts = malloc(sizeof(*facts));
	struct report window = watched->report;
	struct coverage coverage;
	uint64_t causes = UINT64_C(1) << REASON_GAP;

	window.start_ns = start;
	window.final = true;
	if (verdict && facts) {
		agent_facts(facts, agent, watched, start, window.end_ns);
		if (!coverage_make(&coverage, &window, &facts->facts)) {
			verdict_decide(verdict, &nobody, &coverage, &options);
			causes = 0;
			for (size_t i = 0; i < verdict->n_reasons; i++)
				causes |= UINT64_C(1) << verdict->reasons[i].is;
		}
		coverage_deinit(&coverage);
	}
	free(verdict);
	free(facts);
	return causes & ~TAKEN;
}

/* --- taking --- */

/* The history knows a ledger by when it began, which a report's start is not: that moves when the
 * first endpoint comes. What has no room in it is known not to be complete. `now`: ns since 1970,
 * when the report was made. */
static void remember(struct agent *agent, struct watched *watched, int64_t now, uint64_t causes)
{
	const struct history_target target = agent_history_target(watched);
	struct report report = watched->report;
	struct span span = {watched->remembered, now};
	uint64_t start = report.start_ns;

	report.start_ns = watched->began;
	if (history_take(agent->history, &target, &report, history_minute(now)))
		return;
	if (!span.since)
		span.since = now - (int64_t)(report.end_ns - start);
	else
		start = report.end_ns - (uint64_t)(now > span.since ? now - span.since : 0);
	watched->remembered = now;
	history_covered(agent->history, &target, span,
			causes | causes_since(agent, watched, start));
	watched->not_watched_since = watched->not_watched_codes;
}

/* Of callers for whom there was no room in the kernel: it can be of any target. Also what came of
 * connections whose opening was counted elsewhere. */
static uint64_t unattributed(const struct agent *agent)
{
	const struct caller_counts *others = &agent->report.others.counts;

	return others->opened + others->refused + others->stray + others->pending +
	       others->accepted + others->closed;
}

/* What there was since all targets were remembered, and of which it isn't known whose it was: it
 * stands against each of them. */
static uint64_t common_causes(const struct agent *agent)
{
	bool lost = unattributed(agent) != agent->unattributed || agent->pending_lost;

	return (lost ? UINT64_C(1) << REASON_MISCOUNTED : 0) |
	       (agent->unseen ? UINT64_C(1) << REASON_NAMESPACES_UNSEEN : 0);
}

/* The time of day as of the last refresh. */
static int64_t refreshed_at(const struct agent *agent)
{
	return realtime_ns() - (int64_t)(monotonic_ns() - agent->report.end_ns);
}

int agent_remember(struct agent *agent, uint64_t age)
{
	uint64_t causes;
	int64_t now;
	int r;

	if (agent->remembered && monotonic_ns() - agent->remembered < age)
		return 0;
	/* it may have stood since the loop came by */
	heartbeat_now(&agent->heartbeat);
	r = agent_refresh(agent, 0);
	if (r)
		return r;
	now = refreshed_at(agent);
	causes = common_causes(agent);
	agent->unattributed = unattributed(agent);
	agent->pending_lost = false;
	agent->unseen = false;
	history_clock(agent->history, now, agent->report.end_ns);
	for (struct watched *w = agent->pool.first; w; w = w->next)
		remember(agent, w, now, causes);
	agent->remembered = agent->report.end_ns;
	/* they stand against the minutes that they were in, and no others */
	agent->stalls += agent->heartbeat.n + agent->heartbeat.more;
	agent->heartbeat.n = 0;
	agent->heartbeat.more = 0;
	return 0;
}

void agent_save(struct agent *agent)
{
	char said[1024];

	if (agent->options.state && agent->capture &&
	    state_file_save(agent->options.state, agent->history, said, sizeof(said)))
		fprintf(stderr, "whocalls agent: %s\n", said);
}

void agent_history_tick(struct agent *agent)
{
	int64_t now = realtime_ns();
	uint32_t minute = history_minute(now);
	bool missed = agent->minute && minute > agent->minute + 1;

	if (minute == agent->minute || (now % MINUTE < MINUTE - BEFORE_END && !missed))
		return;
	agent->minute = missed ? minute - 1 : minute;
	if (!agent_remember(agent, 0))
		agent_save(agent);
}

void agent_forget(struct agent *agent, struct watched *watched)
{
	const struct history_target target = agent_history_target(watched);
	int64_t now;

	if (!agent->capture)
		return;
	/* many may go at once */
	if (!agent_refresh(agent, agent_age(agent))) {
		now = refreshed_at(agent);
		history_clock(agent->history, now, agent->report.end_ns);
		remember(agent, watched, now, common_causes(agent));
	}
	history_ended(agent->history, &target, history_minute(realtime_ns()));
}
