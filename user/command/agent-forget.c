/* SPDX-License-Identifier: MIT */
/* An agent lives for weeks: callers that are no more must not take the room of those that come. */
#include <errno.h>
#include <stdio.h>

#include "agent.h"

/* Of --max-callers, so many parts may be remembered one by one, and half of that stays when it is
 * more. */
#define REMEMBERED_PART 2
/* Not more often than this: it reads everything. */
#define FORGET_PAUSE_NS UINT64_C(5000000000)

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

static int forget_idle(struct agent *agent, size_t keep)
{
	/* what they have counted until now is in the reports and in the history; a target that
	 * joins has its base then */
	int r = agent_remember(agent, 0);

	if (!r)
		r = capture_forget(agent->capture, keep, forget, agent);
	watch_end_forget(&agent->pool);
	if (!r)
		r = watch_reports(&agent->pool, &agent->report);
	if (!r)
		forget_names(agent);
	return r;
}

int agent_make_room(struct agent *agent, uint64_t now)
{
	size_t limit = agent->options.max_callers / REMEMBERED_PART;
	int r = 0;

	if (!agent->cannot_fold && capture_crowded(agent->capture))
		r = capture_fold(agent->capture);
	if (r == -ENOTSUP) {
		agent->cannot_fold = true;
		fputs("whocalls agent: this kernel can't say when its programs have ended (membarrier; "
		      "nohz_full?): callers that are no more keep their room in the kernel\n",
		      stderr);
		return 0;
	}
	if (r || now < agent->next_forget || capture_summed(agent->capture) <= limit)
		return r;
	/* those that were idle for too short a time are looked at again then */
	agent->next_forget = now + FORGET_PAUSE_NS;
	return forget_idle(agent, limit / 2);
}
