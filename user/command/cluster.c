/* SPDX-License-Identifier: MIT */
#include "cluster.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../kube/clock.h"

/* So long the API may take to tell the endpoints of the target. */
#define WAIT_S 30
/* After this time it is said what is waited for. */
#define SAY_S 2
#define KUBELET_PORT 10250
/* So long the first picture waits for names. */
#define NAMES_S 2

/* --- endpoints --- */

static void say(const struct cluster *cluster, const char *what, size_t index)
{
	const struct endpoint *endpoint = &cluster->target->endpoints[index];
	const struct pod_name *pod = endpoint->pod;
	char address[ADDRESS_TEXT];

	if (cluster->say)
		fprintf(stderr, "%sendpoint %s: %s port %u%s%s%s%s\n",
			isatty(STDERR_FILENO) ? "\r\033[K" : "", what, /* over the progress */
			address_format(&endpoint->address, address), endpoint->port,
			pod ? ", pod " : "", pod ? pod->namespace : "", pod ? "/" : "",
			pod ? pod->pod : "");
}

static uint32_t up(void *arg, const struct kube_endpoint *endpoint)
{
	struct cluster *cluster = arg;
	size_t index = cluster->target->n_endpoints;
	int r = target_append(cluster->target, &endpoint->address, endpoint->port, endpoint->pod);

	if (!r)
		cluster->target->endpoints[index].existed = endpoint->started;
	if (!r && cluster->capture) {
		cluster->target->endpoints[index].since = monotonic_ns();
		r = capture_endpoint_add(cluster->capture, index);
		cluster->changed = true;
		say(cluster, "came", index);
	}
	/* it is on the list, and not watched */
	if (r && cluster->target->n_endpoints > index)
		cluster->target->endpoints[index].until = cluster->target->endpoints[index].since;
	cluster->unwatched += r != 0;
	return r ? UINT32_MAX : (uint32_t)index;
}

static void down(void *arg, uint32_t index)
{
	struct cluster *cluster = arg;

	if (index >= cluster->target->n_endpoints)
		return;
	cluster->target->endpoints[index].until = monotonic_ns();
	if (!cluster->capture)
		return;
	capture_endpoint_remove(cluster->capture, index);
	cluster->changed = true;
	say(cluster, "gone", index);
}

static const struct kube_follow_ops follow_ops = {up, down, NULL};

/* --- begin --- */

/* What the target waits for, if for anything that was told. */
static const char *reason(const struct cluster *cluster)
{
	uint64_t since;
	const char *error = kube_follow_error(kube_followed(cluster->kube), &since);

	return error ? error : "no answer yet";
}

/* Runs what the API has to tell, for 100 ms at most. */
static void run_for_a_while(struct cluster *cluster)
{
	struct pollfd fd = {.fd = kube_fd(cluster->kube), .events = POLLIN};

	poll(&fd, 1, 100);
	kube_run(cluster->kube);
}

static int wait_for_target(struct cluster *cluster)
{
	uint64_t began = monotonic_ns(), end = began + WAIT_S * UINT64_C(1000000000);
	const struct kube_follow *follow = kube_followed(cluster->kube);
	bool said = false;

	/* what is forbidden does not become allowed by waiting */
	while (kube_follow_state(follow) == FOLLOW_ASKING && monotonic_ns() < end &&
	       kube_follow_status(follow) != 403) {
		run_for_a_while(cluster);
		if (!said && monotonic_ns() - began > SAY_S * UINT64_C(1000000000)) {
			fprintf(stderr, "waiting for the Kubernetes API: %s\n", reason(cluster));
			said = true;
		}
	}
	if (kube_follow_state(follow) == FOLLOW_ON)
		return -1;
	fprintf(stderr, "whocalls %s: %s%s\n", cluster->command, reason(cluster),
		kube_follow_state(follow) == FOLLOW_FAILED || kube_follow_status(follow) == 403
			? ""
			: "; see whether kubectl can reach it, or trace a port with --port");
	if (kube_follow_status(follow) == 403)
		return EX_NOPERM;
	return kube_follow_state(follow) == FOLLOW_FAILED ? EX_USAGE : EX_UNAVAILABLE;
}

static int config_status(int r)
{
	return r == -ENOMEM ? EX_OSERR : EX_CONFIG;
}

/* The target needs the API, or somebody named a file: without it there is no going on. */
static bool must_have(const struct options *options)
{
	return options->target || options->selector || options->kubeconfig || options->context;
}

int cluster_config(const struct options *options, bool needed, struct kube_config **config)
{
	struct kube_options kube_options = {.kubeconfig = options->kubeconfig,
					    .context = options->context};
	char error[1024];
	int r = kube_environment_read(&kube_options.environment);

	*config = NULL;
	if (r)
		return EX_OSERR;
	r = kube_config_load(&kube_options, config, error, sizeof(error));
	kube_environment_deinit(&kube_options.environment);
	if (!r || (r == -ENOENT && !needed))
		return -1;
	fprintf(stderr, "whocalls %s: %s%s\n", options->command, error,
		!needed ? "; callers in the cluster will have no names"
		: r == -ENOENT && options->of != OPTIONS_AGENT ? ", or a list of pods with --pods"
							       : "");
	return needed ? config_status(r) : -1;
}

int cluster_open(struct cluster *cluster, const struct options *options, struct target *target)
{
	const struct kube_wish wish = {
		.what = options->target,
		.selector = options->selector,
		.namespace = options->namespace,
		.port = options->port,
	};
	struct kube_config *config;
	struct kube_wish named = wish;
	char error[1024];
	int status, r;

	cluster->target = target;
	cluster->command = options->command;
	if (options->node)
		cluster->node = options->node;
	else if (!uname(&cluster->host))
		cluster->node = cluster->host.nodename;
	if (options->pods)
		return -1;
	status = cluster_config(options, must_have(options), &config);
	if (status >= 0 || !config)
		return status;
	if (!named.namespace)
		named.namespace = config->namespace;
	cluster->follows = options->target || options->selector;
	r = kube_open(&cluster->kube, config, options->node, options->watch_node, error,
		      sizeof(error));
	if (!r)
		kube_select(cluster->kube, &options->ignore.selectors);
	if (!r && cluster->follows)
		r = kube_target(cluster->kube, &named, &follow_ops, cluster, error, sizeof(error));
	if (!r && cluster->follows &&
	    asprintf(&target->text, "%s in %s", named.what ? named.what : named.selector,
		     named.namespace) < 0) {
		target->text = NULL;
		r = -ENOMEM;
		snprintf(error, sizeof(error), "out of memory");
	}
	if (r) {
		fprintf(stderr, "whocalls %s: %s\n", options->command, error);
		return r == -ENOMEM ? EX_OSERR : EX_USAGE;
	}
	return cluster->follows ? wait_for_target(cluster) : -1;
}

uint16_t cluster_kubelet_port(const struct kube *kube)
{
	uint16_t port = kube ? kube_kubelet_port(kube) : 0;

	return port ? port : KUBELET_PORT;
}

void cluster_attach(struct cluster *cluster, struct capture *capture, bool say)
{
	cluster->say = say;
	if (cluster->follows)
		cluster->capture = capture;
}

void cluster_wait_for_names(struct cluster *cluster, struct heartbeat *heartbeat)
{
	uint64_t end = monotonic_ns() + NAMES_S * UINT64_C(1000000000);
	struct kube_trouble trouble;

	while (cluster->kube && !kube_synced(cluster->kube) && monotonic_ns() < end &&
	       !kube_troubles(cluster->kube, &trouble, 1)) {
		run_for_a_while(cluster);
		heartbeat_now(heartbeat);
	}
}

/* --- while it runs --- */

int cluster_fd(const struct cluster *cluster)
{
	return cluster->kube ? kube_fd(cluster->kube) : -1;
}

/*
 * An endpoint is watched from when its loopback addresses are, too, and what was open before is
 * known. That looks into all namespaces, so it may take a hundredth of the time; those that come in
 * between wait for the next.
 */
static int settle(struct cluster *cluster)
{
	uint64_t start = monotonic_ns(), end;
	int r;

	if (!cluster->changed || start < cluster->next_settle)
		return 0;
	cluster->changed = false;
	r = capture_endpoints_changed(cluster->capture);
	end = monotonic_ns();
	cluster->next_settle = end + (end - start) * 100;
	for (; cluster->settled < cluster->target->n_endpoints; cluster->settled++) {
		struct endpoint *endpoint = &cluster->target->endpoints[cluster->settled];

		if (endpoint->since && !endpoint->until)
			endpoint->since = end;
	}
	return r;
}

int cluster_run(struct cluster *cluster)
{
	if (cluster->kube)
		kube_run(cluster->kube);
	return settle(cluster);
}

int cluster_tick(struct cluster *cluster)
{
	if (!cluster->kube)
		return 0;
	kube_tick(cluster->kube, monotonic_ns());
	return settle(cluster);
}

void cluster_finish(struct cluster *cluster)
{
	for (size_t i = 0; cluster->follows && i < cluster->target->n_endpoints; i++) {
		struct endpoint *endpoint = &cluster->target->endpoints[i];

		if (!endpoint->existed && endpoint->pod)
			endpoint->existed = kube_started(cluster->kube, endpoint->pod->uid);
	}
}

const char *cluster_node(const struct cluster *cluster)
{
	if (cluster->kube)
		return kube_node(cluster->kube);
	return cluster->node ? cluster->node : "";
}

void cluster_close(struct cluster *cluster)
{
	kube_close(cluster->kube);
	cluster->kube = NULL;
}
