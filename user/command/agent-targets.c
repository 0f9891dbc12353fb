/* SPDX-License-Identifier: MIT */
/* The Services that the agent watches, as the API tells them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "../kube/clock.h"
#include "agent.h"

static void *watch_service(void *arg, const struct kube_service_name *name)
{
	struct agent *agent = arg;

	/* whoever asks for it sees it */
	agent->report.end_ns = 0;
	return watch_add(&agent->pool, name->namespace, name->name, name->uid, monotonic_ns());
}

static void unwatch_service(void *arg, void *service)
{
	struct agent *agent = arg;

	agent_forget(agent, service);
	watch_remove(&agent->pool, service);
}

/* A pod on another node can't be watched from here. Where its node is not known it may be ours. */
static bool is_ours(const struct agent *agent, const struct kube_endpoint *endpoint)
{
	const char *node = endpoint->pod ? endpoint->pod->node : endpoint->node;

	/* until the nodes are known the host's name need not be this one's */
	if (!agent->options.node && !kube_synced(agent->kube))
		return true;
	return !node || !*node || !strcmp(node, kube_node(agent->kube));
}

static uint32_t up(void *arg, void *service, const struct kube_endpoint *endpoint)
{
	struct agent *agent = arg;
	const struct watch_up came = {
		.address = endpoint->address,
		.port = endpoint->port,
		.pod = endpoint->pod,
		.existed = endpoint->started,
		.ours = is_ours(agent, endpoint),
	};
	size_t fresh, place = watch_up(&agent->pool, service, &came, monotonic_ns(), &fresh);

	if (place == WATCHED_NONE)
		agent->unwatched++;
	/* what was counted there before is not its own: how much that is must be known now */
	if (agent->capture && watch_joined(&agent->pool))
		agent_refresh(agent, 0);
	if (fresh == WATCHED_NONE || !agent->capture)
		return place == WATCHED_NONE ? UINT32_MAX : (uint32_t)place;
	if (capture_endpoint_add(agent->capture, fresh)) {
		/* it is on the list, and not watched */
		agent->pool.target.endpoints[fresh].until =
			agent->pool.target.endpoints[fresh].since;
		agent->unwatched++;
	}
	agent->changed = true;
	return (uint32_t)place;
}

static void down(void *arg, void *service, uint32_t id)
{
	struct agent *agent = arg;
	size_t unused = watch_down(&agent->pool, service, id, monotonic_ns());

	if (unused == WATCHED_NONE || !agent->capture)
		return;
	capture_endpoint_remove(agent->capture, unused);
	agent->changed = true;
}

static void not_watched(void *arg, void *service, const struct not_watched *what)
{
	struct watched *watched = service;
	const char *text = "";

	(void)arg;
	for (unsigned int code = 1; code < 1 << NOT_WATCHED_CODES && !*text; code <<= 1)
		if (code != NOT_WATCHED_PENDING)
			text = not_watched_text(what, code);
	free(watched->not_watched);
	watched->not_watched = *text ? strdup(text) : NULL;
	watched->not_watched_codes = what->codes & ~(uint32_t)NOT_WATCHED_PENDING;
	watched->not_watched_since |= watched->not_watched_codes;
}

static void dialled(void *arg, void *service, const uint16_t *ports, size_t n)
{
	struct agent *agent = arg;
	uint16_t *more;

	(void)service;
	for (size_t i = 0; agent->capture && i < n; i++)
		capture_dialled(agent->capture, ports[i]);
	if (agent->capture || !n)
		return;
	more = reallocarray(agent->dialled, agent->n_dialled + n, sizeof(*more));
	if (!more)
		return; /* callers of this node that dial these are known by their address */
	memcpy(more + agent->n_dialled, ports, n * sizeof(*more));
	agent->dialled = more;
	agent->n_dialled += n;
}

int agent_follow(struct agent *agent)
{
	static const struct kube_services_ops ops = {
		.watch = watch_service,
		.unwatch = unwatch_service,
		.dialled = dialled,
		.up = up,
		.down = down,
		.not_watched = not_watched,
	};
	const struct kube_services_wish wish = {
		.all = agent->options.all_services,
		.selector = agent->options.selector,
		.namespace = agent->options.namespace,
	};
	char error[1024];
	int r = kube_watch_services(agent->kube, &wish, &ops, agent, error, sizeof(error));

	if (!r)
		return 0;
	fprintf(stderr, "whocalls agent: %s\n", error);
	return r == -ENOMEM ? EX_OSERR : EX_USAGE;
}

/*
 * As of a trace: an endpoint is watched from when its loopback addresses are, too, and what was
 * open before is known. That looks into all namespaces, so it may take a hundredth of the time;
 * those that come in between wait for the next.
 */
int agent_settle(struct agent *agent)
{
	uint64_t start = monotonic_ns(), end;
	struct target *pool = &agent->pool.target;
	int r;

	if (!agent->changed || start < agent->next_settle)
		return 0;
	agent->changed = false;
	agent->unseen |= capture_forget_unseen(agent->capture);
	r = capture_endpoints_changed(agent->capture);
	end = monotonic_ns();
	agent->next_settle = end + (end - start) * 100;
	for (; agent->settled < pool->n_endpoints; agent->settled++)
		if (!pool->endpoints[agent->settled].until)
			pool->endpoints[agent->settled].since = end;
	watch_settle(&agent->pool);
	return r;
}
