/* SPDX-License-Identifier: MIT */
/* What /metrics has: the targets' reports, and what the agent knows of itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent.h"

/* How long its endpoints of this node have been watched, in sum; and how many are. */
static uint64_t watched_ns(const struct watched *watched, uint64_t now, size_t *endpoints)
{
	uint64_t sum = 0;

	*endpoints = 0;
	for (size_t i = 0; i < watched->target.n_endpoints; i++) {
		const struct endpoint *endpoint = &watched->target.endpoints[i];
		uint64_t until = endpoint->until ? endpoint->until : now;

		if (!endpoint->here)
			continue;
		*endpoints += !endpoint->until;
		if (until > endpoint->since)
			sum += until - endpoint->since;
	}
	return sum;
}

/* Of the agent itself. */
#define VALUES 14
static size_t own_values(const struct agent *agent, struct metrics_value values[VALUES])
{
	const struct http_counts http = http_counts(agent->http);
	const struct kube_traffic api = kube_traffic(agent->kube);
	struct kube_trouble trouble;
	const struct metrics_value all[] = {
		{.name = "whocalls_targets",
		 .help = "Services that are watched.",
		 .value = agent->pool.n},
		{.name = "whocalls_endpoints_unwatched",
		 .help = "Endpoints of this node for which there was no room in the kernel or in "
			 "memory, since the agent began.",
		 .counter = true,
		 .value = agent->unwatched},
		{.name = "whocalls_callers_remembered",
		 .help = "Callers, one by one, whose counts were taken out of the kernel's map.",
		 .value = agent->capture ? capture_summed(agent->capture) : 0},
		{.name = "whocalls_callers_forgotten",
		 .help = "Callers that were idle longest, and that are no longer told from others "
			 "of their workload, node or class: their counts are.",
		 .counter = true,
		 .value = agent->forgotten},
		{.name = "whocalls_refresh_duration_seconds",
		 .help = "How long the last reading of the kernel's counts took.",
		 .unit = "seconds",
		 .value = agent->refresh_cost},
		{.name = "whocalls_stalls",
		 .help = "Times in which the agent did not run for over a second: the kernel "
			 "counted on.",
		 .counter = true,
		 .value = agent->stalls + agent->heartbeat.n + agent->heartbeat.more},
		{.name = "whocalls_api_requests",
		 .help = "Requests to the Kubernetes API.",
		 .counter = true,
		 .value = api.requests},
		{.name = "whocalls_api_received_bytes",
		 .help = "Bytes that the Kubernetes API has answered.",
		 .unit = "bytes",
		 .counter = true,
		 .value = api.bytes},
		{.name = "whocalls_api_troubles",
		 .help = "1 while something can't be asked of the Kubernetes API.",
		 .value = kube_troubles(agent->kube, &trouble, 1)},
		{.name = "whocalls_http_connections",
		 .help = "Connections to this server that are open.",
		 .value = http.open},
		{.name = "whocalls_http_requests",
		 .help = "Questions that this server was asked.",
		 .counter = true,
		 .value = http.requests},
		{.name = "whocalls_http_refused",
		 .help = "What this server refused, by why.",
		 .counter = true,
		 .label = "why",
		 .label_value = "connections",
		 .value = http.refused_connections},
		{.name = "whocalls_http_refused",
		 .help = "What this server refused, by why.",
		 .counter = true,
		 .label = "why",
		 .label_value = "rate",
		 .value = http.too_many},
		{.name = "whocalls_http_refused",
		 .help = "What this server refused, by why.",
		 .counter = true,
		 .label = "why",
		 .label_value = "slow",
		 .value = http.timed_out},
	};

	_Static_assert(sizeof(all) / sizeof(all[0]) == VALUES, "VALUES");
	memcpy(values, all, sizeof(all));
	return VALUES;
}

/* `file` NULL: nothing is written. */
static int take(struct agent *agent, FILE *file, enum metrics_format format, bool forgotten)
{
	struct metrics_target *targets = calloc(agent->pool.n + 1, sizeof(*targets));
	struct metrics_value values[VALUES];
	struct utsname host;
	struct metrics metrics = {
		.targets = targets,
		.capture = &agent->report,
		.version = WHOCALLS_VERSION,
		.kernel = uname(&host) ? "" : host.release,
		.now_ns = agent->report.end_ns,
		.stale_ns = agent->options.stale_ns,
		.max_callers = agent->options.max_series,
		.by_address = agent->options.by_address,
		.service_graph = agent->options.service_graph,
		.forgotten = forgotten,
		.values = values,
		.n_values = own_values(agent, values),
		.memory = agent->memory,
	};
	int r;

	if (!targets)
		return -ENOMEM;
	for (const struct watched *w = agent->pool.first; w; w = w->next) {
		struct metrics_target *target = &targets[metrics.n_targets++];

		target->namespace = w->namespace;
		target->service = w->name;
		target->report = &w->report;
		target->watched_ns = watched_ns(w, metrics.now_ns, &target->endpoints);
	}
	r = file ? metrics_write(file, &metrics, format) : metrics_take(&metrics);
	free(targets);
	return r;
}

int agent_metrics(struct agent *agent, FILE *file, enum metrics_format format)
{
	return take(agent, file, format, false);
}

int agent_metrics_take(struct agent *agent, bool forgotten)
{
	return take(agent, NULL, METRICS_TEXT, forgotten);
}
