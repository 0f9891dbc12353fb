/* SPDX-License-Identifier: MIT */
/* The agent's counts: from the kernel into the ledger of each target. */
#include <errno.h>

#include "../capture/sweep.h"
#include "../kube/clock.h"
#include "agent.h"

/* Looking may take this part of the time for those who ask: 1/10. */
#define ASKED_PART 10
/* Sweeps of all namespaces, not only of those where somebody listens or is connected, come so
 * often, and may take this part of the time. */
#define EVERYWHERE_NS (600 * UINT64_C(1000000000))
#define EVERYWHERE_PART 1000

static int take_caller(const struct caller_key *key, const struct caller_counts *counts, void *arg)
{
	struct agent *agent = arg;
	struct who who = names_find_last(agent->names, key, counts);

	return watch_update(&agent->pool, key, counts, &who);
}

static int take_connection(const struct connection *connection, void *arg)
{
	struct agent *agent = arg;

	watch_add_open(&agent->pool, connection);
	return 0;
}

static int take_times(const struct caller_key *key, const struct histograms *times, void *arg)
{
	struct agent *agent = arg;

	return watch_set_times(&agent->pool, key, times);
}

static int swept(struct agent *agent, uint64_t start, bool everywhere, int r)
{
	uint64_t end = monotonic_ns(), wait = (end - start) * EVERYWHERE_PART;

	agent->next_sweep = end + sweep_pause(end - start);
	if (everywhere)
		agent->next_everywhere = end + (wait > EVERYWHERE_NS ? wait : EVERYWHERE_NS);
	agent->pending_lost |= capture_pending_lost(agent->capture);
	return r;
}

static int sweep(struct agent *agent, uint64_t now)
{
	bool everywhere = now >= agent->next_everywhere;

	if (now < agent->next_sweep)
		return 0;
	return swept(agent, now, everywhere, capture_sweep(agent->capture, everywhere));
}

int agent_look(struct agent *agent)
{
	uint64_t now = monotonic_ns();

	agent->unseen |= capture_forget_unseen(agent->capture);
	return swept(agent, now, true, capture_last_sweep(agent->capture));
}

static int read_all(struct agent *agent)
{
	int r;

	watch_begin_refresh(&agent->pool);
	r = capture_callers(agent->capture, take_caller, agent);
	watch_end_refresh(&agent->pool);
	watch_clear_open(&agent->pool);
	if (!r)
		r = capture_connections(agent->capture, take_connection, agent);
	if (!r)
		r = capture_unattributed(agent->capture, &agent->report.others.counts);
	if (!r)
		r = capture_report(agent->capture, &agent->report);
	if (!r && report_requests_known(&agent->report)) {
		watch_begin_times(&agent->pool);
		r = capture_times(agent->capture, take_times, agent);
	}
	return r;
}

uint64_t agent_age(const struct agent *agent)
{
	return agent->refresh_cost * ASKED_PART;
}

int agent_refresh(struct agent *agent, uint64_t age)
{
	uint64_t start = monotonic_ns();
	int r;

	if (agent->report.end_ns && start - agent->report.end_ns < age)
		return 0;
	r = sweep(agent, start);
	if (!r)
		r = read_all(agent);
	agent->report.end_ns = monotonic_ns();
	if (!r)
		r = watch_reports(&agent->pool, &agent->report);
	agent->refresh_cost = monotonic_ns() - start;
	return r;
}
