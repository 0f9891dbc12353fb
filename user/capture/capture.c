/* SPDX-License-Identifier: MIT */
#include "capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../callers/event.h"
#include "hooks.h"
#include "state.h"
#include "sweep.h"

int capture_failure(void)
{
	int r = -errno;

	return r < 0 ? r : -EIO;
}

/* What is the server's or the client's end of it is looked at; what counts the endpoints tell. */
static void watch_port(struct capture *capture, uint16_t port)
{
	capture->bpf->bss->ports[port >> 6] |= 1ULL << (port & 63);
	capture->bpf->bss->ports_line[port >> 6 & 7] |= 1ULL << (port & 63);
}

void capture_dialled(struct capture *capture, uint16_t port)
{
	watch_port(capture, port);
}

int capture_endpoint_add(struct capture *capture, size_t index)
{
	struct endpoint *endpoint = &capture->target->endpoints[index];
	struct endpoint_key key = {.port = endpoint->port};
	struct whocalls_bpf__bss *bss = capture->bpf->bss;
	uint32_t id = (uint32_t)index;
	int r;

	if (index >= UINT16_MAX)
		return -E2BIG; /* caller_key.endpoint */
	memcpy(key.address, endpoint->address.word, sizeof(key.address));
	r = bpf_map__update_elem(capture->bpf->maps.endpoints, &key, sizeof(key), &id, sizeof(id),
				 BPF_ANY);
	if (r)
		return r;
	if (address_is_any(&endpoint->address))
		endpoint->here = true;
	else
		bss->addressed++;
	watch_port(capture, endpoint->port);
	return 0;
}

/* Its loopback addresses go, too. */
static void remove_loopbacks(struct capture *capture, size_t index)
{
	struct bpf_map *map = capture->bpf->maps.loopbacks;
	struct loopback_key key, next;
	int r = bpf_map__get_next_key(map, NULL, &next, sizeof(next));

	while (!r) {
		uint32_t id;

		key = next;
		r = bpf_map__get_next_key(map, &key, &next, sizeof(next));
		if (!bpf_map__lookup_elem(map, &key, sizeof(key), &id, sizeof(id), 0) &&
		    id == index)
			bpf_map__delete_elem(map, &key, sizeof(key), 0);
	}
}

/* Unless another pod has its address by now. The port stays watched: that costs a look-up, no more.
 */
void capture_endpoint_remove(struct capture *capture, size_t index)
{
	const struct endpoint *endpoint = &capture->target->endpoints[index];
	struct bpf_map *map = capture->bpf->maps.endpoints;
	struct endpoint_key key = {.port = endpoint->port};
	uint32_t id;

	remove_loopbacks(capture, index);
	memcpy(key.address, endpoint->address.word, sizeof(key.address));
	if (bpf_map__lookup_elem(map, &key, sizeof(key), &id, sizeof(id), 0) || id != index)
		return;
	/* another with the same address and port, which this one stood before */
	for (size_t i = capture->target->n_endpoints; i-- > 0;) {
		const struct endpoint *other = &capture->target->endpoints[i];

		if (i == index || other->until || other->port != endpoint->port ||
		    !address_equal(&other->address, &endpoint->address))
			continue;
		id = (uint32_t)i;
		bpf_map__update_elem(map, &key, sizeof(key), &id, sizeof(id), BPF_ANY);
		return;
	}
	bpf_map__delete_elem(map, &key, sizeof(key), 0);
}

static int fill_target(struct capture *capture, const struct target *target)
{
	int r = 0;

	for (size_t i = 0; i < target->n_endpoints && !r; i++)
		if (!target->endpoints[i].until)
			r = capture_endpoint_add(capture, i);
	capture->bpf->bss->only_endpoint =
		target->n_endpoints == 1 && !capture->bpf->bss->addressed;
	return r;
}

void capture_add_why(struct attached *hook, const char *why)
{
	size_t length = strlen(hook->why);

	snprintf(hook->why + length, sizeof(hook->why) - length, "%s%s", length ? "; " : "", why);
}

static struct bpf_link *attach_cgroup(const struct bpf_program *program)
{
	struct bpf_link *link;
	char path[256];
	int root = hooks_cgroup_root(path, sizeof(path)), error;

	if (root < 0) {
		errno = -root;
		return NULL;
	}
	link = bpf_program__attach_cgroup(program, root);
	error = errno;
	close(root);
	errno = error;
	return link;
}

static struct bpf_link *attach_program(struct attached *hook, const struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program);

	if (!strncmp(section, "kretprobe/", strlen("kretprobe/")))
		return kretprobe_attach(&hook->kretprobe, program, strchr(section, '/') + 1);
	if (!strcmp(section, "sockops"))
		return attach_cgroup(program);
	return bpf_program__attach(program);
}

static void detach(struct attached *hook)
{
	for (size_t i = 0; i < HOOK_PROGRAMS; i++) {
		bpf_link__destroy(hook->links[i]);
		hook->links[i] = NULL;
	}
}

/* All programs of a hook, or none; then the report says why. 0 or -errno. */
static int attach(struct attached *hook)
{
	char why[HOOK_WHY];
	int r = 0;

	for (size_t i = 0; i < HOOK_PROGRAMS && hook->programs[i] && !r; i++) {
		hook->links[i] = attach_program(hook, hook->programs[i]);
		if (!hook->links[i])
			r = capture_failure();
	}
	if (!r)
		return 0;
	detach(hook);
	snprintf(why, sizeof(why), "%s: %s", hook->name,
		 r == -ENOENT && !strcmp(hook->name, "sockops")
			 ? "no mount of the root of cgroup2 is visible here"
			 : strerror(-r));
	capture_add_why(hook, why);
	hook->name[0] = '\0';
	return r;
}

/* The state tracepoint must be; the others are told of when they can't be. */
static int attach_all(struct capture *capture, char *error, size_t error_size)
{
	struct attached *hooks = capture->hooks;
	int r;

	hooks[STATE].programs[0] = capture->bpf->progs.tcp_accept;
	hook_name(HOOK_TP_BTF, "inet_sock_set_state", hooks[STATE].name, sizeof(hooks->name));
	hooks[SOCKOPS].programs[0] = capture->bpf->progs.tcp_accept_sockops;
	snprintf(hooks[SOCKOPS].name, sizeof(hooks->name), "sockops");
	r = attach(&hooks[STATE]);
	if (r) {
		snprintf(error, error_size,
			 "attaching to the tracepoint inet_sock_set_state: %s; `whocalls doctor` "
			 "tells what this kernel allows",
			 strerror(-r));
		return r;
	}
	attach(&hooks[SOCKOPS]);
	attach(&hooks[ACCEPT]);
	attach(&hooks[REFUSED]);
	attach(&hooks[REQUESTS]);
	snprintf(hooks[SNAPSHOT].name, sizeof(hooks->name), "iter/tcp");
	return 0;
}

static int take_event(void *arg, void *data, size_t size)
{
	struct capture *capture = arg;
	struct event event;

	if (event_decode(data, size, &event))
		capture->bad_events++;
	else
		capture->take(&event, capture->arg);
	return 0;
}

/*
 * An update of a map of maps returns when no program that runs can have the old entry any more: the
 * kernel calls synchronize_rcu() for it (maybe_wait_bpf_programs(), since 4.20). What membarrier()
 * waits for is the same, but not where there is one CPU, or where some are left alone (nohz_full).
 */
int capture_grace_period(struct capture *capture)
{
	uint32_t zero = 0;
	int inner = bpf_map__fd(capture->bpf->maps.others);

	return bpf_map__update_elem(capture->bpf->maps.grace, &zero, sizeof(zero), &inner,
				    sizeof(inner), BPF_ANY);
}

/* In a network namespace: which endpoints' addresses it has. If one is a pod's, its loopback is
 * that pod's, too. */
static int look_for_endpoints(uint32_t inum, void *arg)
{
	struct capture *capture = arg;
	struct ifaddrs *all, *one;
	int r = 0;

	if (getifaddrs(&all))
		return 1;
	for (one = all; one && !r; one = one->ifa_next) {
		struct address address;

		if (address_from(one->ifa_addr, &address))
			continue;
		for (size_t i = 0; i < capture->target->n_endpoints && !r; i++) {
			struct endpoint *endpoint = &capture->target->endpoints[i];
			struct loopback_key key = {inum, endpoint->port};
			uint32_t id = (uint32_t)i;

			if (endpoint->until || !address_equal(&endpoint->address, &address))
				continue;
			endpoint->here = true;
			/* --address asks for that address and no other */
			if (endpoint->pod)
				r = bpf_map__update_elem(capture->bpf->maps.loopbacks, &key,
							 sizeof(key), &id, sizeof(id), BPF_ANY);
		}
	}
	freeifaddrs(all);
	return r ? 1 : 0;
}

static int look_for_loopbacks(struct capture *capture)
{
	int r;

	if (!capture->bpf->bss->addressed)
		return 0;
	r = sweep_look(look_for_endpoints, capture, NULL, 0);
	if (r < 0)
		return r;
	if ((uint64_t)r > capture->unlooked)
		capture->unlooked = (uint64_t)r;
	return 0;
}

/* What the sweep finds was open before its endpoint was watched. */
int capture_endpoints_changed(struct capture *capture)
{
	int r = look_for_loopbacks(capture);

	if (r)
		return r;
	capture->bpf->bss->snapshot_done = 0;
	r = capture_sweep(capture, true);
	capture->bpf->bss->snapshot_done = 1;
	return r;
}

/*
 * Attach, then snapshot, then merge: the other order has a hole. Client processes are remembered
 * from the attach on, and the files of all processes tell whose the connections are that are open
 * already.
 *
 * Between the arming of the first witness and of the second lies a grace period, so no handshake
 * that the first let pass is still under way when the second begins to count by itself.
 */
static int begin(struct capture *capture, char *error, size_t error_size)
{
	struct whocalls_bpf *bpf = capture->bpf;
	int r = capture_look_at_files(capture);

	if (!r)
		r = look_for_loopbacks(capture);
	/* what listeners have dropped by now was before the window */
	if (!r) {
		bpf->bss->listeners_only = 1;
		r = capture_sweep(capture, true);
		bpf->bss->listeners_only = 0;
	}
	if (!r) {
		capture->started = monotonic_ns();
		capture->gone.window_start = capture->started;
		bpf->bss->window_start = capture->started;
		bpf->bss->sockops_attached = capture->hooks[SOCKOPS].links[0] != NULL;
		bpf->bss->accept_attached = capture->hooks[ACCEPT].links[0] != NULL;
		bpf->bss->refused_attached = capture->hooks[REFUSED].links[0] != NULL;
		bpf->bss->armed = ARMED_FIRST;
		if (capture->hooks[SOCKOPS].links[0])
			r = capture_grace_period(capture);
		bpf->bss->armed = ARMED_ALL;
		if (!r)
			r = capture_sweep(capture, true);
		bpf->bss->snapshot_done = 1;
	}
	if (r)
		snprintf(error, error_size, "looking for open connections with BPF iterators: %s",
			 strerror(-r));
	return r;
}

int capture_open(struct capture **out, const struct capture_options *options, char *error,
		 size_t error_size)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	int r;

	if (!capture) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	capture->target = options->target;
	for (size_t i = 0; i < LENGTH(capture->hooks); i++)
		capture->hooks[i].kretprobe = KRETPROBE_NONE;
	r = capture_load(capture, options, error, error_size);
	if (r)
		goto failed;
	for (size_t i = 0; i < options->n_dialled; i++)
		watch_port(capture, options->dialled[i]);
	r = fill_target(capture, options->target);
	if (!r)
		r = capture_fill_histograms(capture);
	if (r) {
		snprintf(error, error_size, "writing the target into the kernel: %s", strerror(-r));
		goto failed;
	}
	capture->ring =
		ring_buffer__new(bpf_map__fd(capture->bpf->maps.ring), take_event, capture, NULL);
	if (!capture->ring) {
		r = capture_failure();
		snprintf(error, error_size, "mapping the ring buffer: %s", strerror(-r));
		goto failed;
	}
	r = attach_all(capture, error, error_size);
	if (!r)
		r = begin(capture, error, error_size);
	if (r)
		goto failed;
	*out = capture;
	return 0;
failed:
	capture_free(capture);
	return r;
}

void capture_stop(struct capture *capture)
{
	bool attached = capture->hooks[STATE].links[0];

	/* from here on nothing new is counted; what the first witness has counted the second still
	 * marks */
	if (attached) {
		capture->bpf->bss->armed = 0;
		capture_grace_period(capture);
	}
	for (size_t i = 0; i < LENGTH(capture->hooks); i++)
		detach(&capture->hooks[i]);
	/* what is still running has counted when this is over */
	if (attached)
		capture_grace_period(capture);
}

void capture_free(struct capture *capture)
{
	if (!capture)
		return;
	capture_stop(capture);
	for (size_t i = 0; i < LENGTH(capture->hooks); i++)
		kretprobe_deinit(&capture->hooks[i].kretprobe);
	ring_buffer__free(capture->ring);
	whocalls_bpf__destroy(capture->bpf);
	sums_deinit(&capture->sums);
	free(capture->retired);
	attempts_deinit(&capture->attempts);
	queues_deinit(&capture->queues);
	free(capture->netns);
	free(capture);
}

static uint32_t program_id(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) ? 0 : info.id;
}

static bool link_intact(const struct bpf_link *link, const struct bpf_program *program)
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	if (!link)
		return true;
	/* before 5.15 a kprobe has no link: it goes with our file descriptor, and not before */
	if (bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &size))
		return errno == EINVAL;
	if (info.type == BPF_LINK_TYPE_CGROUP && !info.cgroup.cgroup_id)
		return false;
	return info.prog_id == program_id(program);
}

static bool hook_intact(const struct attached *hook)
{
	for (size_t i = 0; i < HOOK_PROGRAMS; i++)
		if (!link_intact(hook->links[i], hook->programs[i]))
			return false;
	return true;
}

bool capture_intact(const struct capture *capture)
{
	const struct attached *hooks = capture->hooks;

	return hooks[STATE].links[0] && hook_intact(&hooks[STATE]) &&
	       hook_intact(&hooks[SOCKOPS]) && hook_intact(&hooks[REFUSED]);
}

int capture_fd(const struct capture *capture)
{
	return ring_buffer__epoll_fd(capture->ring);
}

int capture_poll(struct capture *capture, void (*take)(const struct event *event, void *arg),
		 void *arg)
{
	capture->take = take;
	capture->arg = arg;
	return ring_buffer__consume(capture->ring);
}

/* Half-open connections come to them before there is any. */
static int note_listeners(struct capture *capture)
{
	int r = 0;

	for (size_t i = 0; i < capture->queues.n_listening && !r; i++)
		if (!capture->queues.listening[i].ended)
			r = capture_note_netns(capture, capture->queues.listening[i].netns);
	return r;
}

int capture_sweep(struct capture *capture, bool everywhere)
{
	uint64_t start;
	int r = note_listeners(capture);

	if (r)
		return r;
	capture->attempts.ended = false;
	if (!everywhere && !capture->n_netns)
		return 0;
	capture->bpf->bss->sweep++;
	capture->bpf->bss->pendings_lost = 0;
	capture->bpf->bss->listeners_lost = 0;
	start = monotonic_ns();
	r = sweep_namespaces(capture->bpf->progs.snapshot, everywhere ? NULL : capture->netns,
			     capture->n_netns);
	if (r < 0)
		return r;
	if (capture->bpf->bss->pendings_lost > capture->pendings_lost)
		capture->pendings_lost = capture->bpf->bss->pendings_lost;
	capture->pending_lost |= capture->bpf->bss->pendings_lost;
	if (capture->bpf->bss->listeners_lost > capture->unlistened)
		capture->unlistened = capture->bpf->bss->listeners_lost;
	if (everywhere) {
		if ((uint64_t)r > capture->unswept)
			capture->unswept = (uint64_t)r;
		capture->attempts.everywhere = capture->bpf->bss->sweep;
	}
	/* what is not found is gone only where ends can have been missed */
	gone_swept(&capture->gone, start, r == 0 && capture_misses(capture));
	r = queues_update(&capture->queues, capture->bpf->maps.listeners, capture->bpf->bss->sweep,
			  everywhere, capture->target->n_endpoints);
	if (!r)
		r = capture_bury_pending(capture);
	return r ? r : capture_bury(capture);
}

bool capture_pending_lost(struct capture *capture)
{
	bool lost = capture->pending_lost;

	capture->pending_lost = false;
	return lost;
}

bool capture_forget_unseen(struct capture *capture)
{
	bool any = capture->unlooked || capture->unswept;

	capture->unlooked = 0;
	capture->unswept = 0;
	return any;
}

int capture_last_sweep(struct capture *capture)
{
	int r = look_for_loopbacks(capture);

	if (!r)
		r = capture_sweep(capture, true);
	for (size_t i = 1; i < GONE_SWEEPS && !r && capture_misses(capture); i++)
		r = capture_sweep(capture, true);
	capture->attempts.ended = true;
	return r;
}
