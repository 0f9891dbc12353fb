/* SPDX-License-Identifier: MIT */
/* An agent lives for weeks: callers that are no more must not take the room of those that come. */
#include "agent.h"

/* Of --max-callers, so many parts may be remembered one by one, and half of that stays when it is
 * more. */
#define REMEMBERED_PART 2
/* What stands for callers that were forgotten stays so long after the last of them called, which is
 * longer than the history reaches. */
#define SUMS_NS (25 * UINT64_C(3600000000000))
/* Not more often than this, since it reads everything; and when nobody was idle. */
#define FORGET_PAUSE_NS UINT64_C(5000000000)
#define NOBODY_PAUSE_NS UINT64_C(15000000000)

static void merged(const struct watched *watched, const struct row *into, const struct row *from,
		   void *arg)
{
	struct agent *agent = arg;
	const struct history_target target = agent_history_target(watched);

	history_merged(agent->history, &target, into, from);
}

static int forget(const struct caller_key *key, const struct caller_counts *counts,
		  const struct histograms *times, void *arg)
{
	struct agent *agent = arg;

	agent->forgotten++;
	return watch_forget(&agent->pool, key, counts, times, merged, agent);
}

static void keep_name(const struct row *row, void *arg)
{
	struct agent *agent = arg;

	names_used(agent->names, &row->key, &row->who);
}

static void forget_names(struct agent *agent)
{
	names_begin_used(agent->names);
	watch_rows(&agent->pool, keep_name, agent);
	names_end_used(agent->names);
}

static void dropped(const struct watched *watched, const struct row *row, void *arg)
{
	struct agent *agent = arg;
	const struct history_target target = agent_history_target(watched);

	history_dropped(agent->history, &target, row);
}

static int forget_idle(struct agent *agent, size_t keep)
{
	/* what they have counted until now is in the reports and in the history; a target that
	 * joins has its base then */
	int r = agent_remember(agent, 0);

	/* series of their addresses end, with what they had until now */
	if (!r && agent->options.by_address)
		r = agent_metrics_take(agent, false);
	if (!r)
		r = capture_forget(agent->capture, keep, forget, agent);
	if (!r && agent->report.end_ns > SUMS_NS)
		watch_drop_sums(&agent->pool, agent->report.end_ns - SUMS_NS, dropped, agent);
	watch_end_forget(&agent->pool);
	if (!r)
		r = watch_reports(&agent->pool, &agent->report);
	if (!r && agent->options.by_address)
		r = agent_metrics_take(agent, true);
	if (!r)
		forget_names(agent);
	return r;
}

int agent_make_room(struct agent *agent, uint64_t now)
{
	size_t limit = agent->options.max_callers / REMEMBERED_PART;
	uint64_t before = agent->forgotten;
	int r = 0;

	if (capture_crowded(agent->capture))
		r = capture_fold(agent->capture);
	if (r || now < agent->next_forget || capture_summed(agent->capture) <= limit)
		return r;
	r = forget_idle(agent, limit / 2);
	agent->next_forget = now + (agent->forgotten > before ? FORGET_PAUSE_NS : NOBODY_PAUSE_NS);
	return r;
}
