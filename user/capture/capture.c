/* SPDX-License-Identifier: MIT */
#include "capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/membarrier.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "../callers/event.h"
#include "hooks.h"
#include "sweep.h"
#include "whocalls.skel.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Entries that a map may hold less than the next page of a batch: see batch(). */
#define BATCH 4096

/* A connection that ended in the queue is remembered this long for the accept that may still come.
 */
#define LINGER_NS (60ULL * 1000000000)

enum { STATE, SOCKOPS, ACCEPT, SNAPSHOT };

struct attached {
	struct bpf_link *link;
	char name[64];
	char why[HOOK_WHY];
};

struct capture {
	struct whocalls_bpf *bpf;
	struct ring_buffer *ring;
	const struct target *target;
	struct attached hooks[REPORT_HOOKS];
	struct bpf_program *accept; /* NULL: none */
	void (*take)(const struct event *event, void *arg);
	void *arg;
	uint64_t started;
	uint64_t bad_events; /* records of the ring that made no sense */
	uint64_t unswept;    /* namespaces that the snapshot could not look into */
	uint32_t *netns;     /* where connections were when they were last looked at, sorted */
	size_t n_netns;
};

static bool libbpf_verbose;

static int libbpf_print(enum libbpf_print_level level, const char *format, va_list args)
{
	if (!libbpf_verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The coarse clocks tick with the kernel's jiffies. */
static uint64_t jiffy_ns(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick))
		return 0;
	return (uint64_t)tick.tv_sec * 1000000000 + (uint64_t)tick.tv_nsec;
}

/* The accept hooks, best first. */
static const struct accept_choice {
	const char *name;
	enum hook_kind kind;
	const char *function;
} accept_choices[] = {
	{"fexit", HOOK_FEXIT, "inet_csk_accept"},
	{"kretprobe", HOOK_KRETPROBE, "inet_csk_accept"},
	{"syscall", HOOK_TP_BTF, "sys_exit"},
};

static struct bpf_program *accept_program(struct whocalls_bpf *bpf, size_t choice)
{
	switch (choice) {
	case 0:
		return bpf->progs.inet_csk_accept_fexit;
	case 1:
		return bpf->progs.inet_csk_accept_kretprobe;
	default:
		return bpf->progs.inet_csk_accept_syscall;
	}
}

/*
 * Chooses the accept hook from the choice `from` on; why each better one can't be is gathered for
 * the report. Returns the index of the choice, or the number of choices if there is none.
 */
static size_t choose_accept(struct capture *capture, const struct btf *kernel, const char *forced,
			    size_t from)
{
	struct attached *hook = &capture->hooks[ACCEPT];
	size_t chosen = LENGTH(accept_choices);
	char why[HOOK_WHY];

	capture->accept = NULL;
	hook->name[0] = '\0';
	for (size_t i = from; i < LENGTH(accept_choices); i++) {
		const struct accept_choice *choice = &accept_choices[i];
		size_t length = strlen(hook->why);

		if (forced && strcmp(forced, choice->name))
			continue;
		if (!hook_try(kernel, choice->kind, choice->function, why)) {
			capture->accept = accept_program(capture->bpf, i);
			chosen = i;
			hook_name(choice->kind, choice->function, hook->name, sizeof(hook->name));
			break;
		}
		snprintf(hook->why + length, sizeof(hook->why) - length, "%s%s", length ? "; " : "",
			 why);
	}
	for (size_t i = 0; i < LENGTH(accept_choices); i++) {
		struct bpf_program *program = accept_program(capture->bpf, i);

		bpf_program__set_autoload(program, program == capture->accept);
	}
	return chosen;
}

static int size_maps(struct capture *capture, const struct capture_options *options)
{
	struct whocalls_bpf *bpf = capture->bpf;
	const struct {
		struct bpf_map *map;
		size_t entries;
	} sizes[] = {
		{bpf->maps.callers, options->max_callers},
		{bpf->maps.connections, options->max_connections},
		{bpf->maps.endpoints, options->target->n_endpoints},
		/* a pod has two addresses at most, and may share its namespace with nobody but
		   itself */
		{bpf->maps.loopbacks, options->target->n_endpoints},
		{bpf->maps.ring, options->ring_size},
	};
	int r = 0;

	for (size_t i = 0; i < LENGTH(sizes) && !r; i++)
		r = bpf_map__set_max_entries(sizes[i].map, (uint32_t)sizes[i].entries);
	return r;
}

static int fill_target(struct capture *capture, const struct target *target)
{
	struct whocalls_bpf *bpf = capture->bpf;

	if (target->n_endpoints > UINT16_MAX)
		return -E2BIG; /* caller_key.endpoint */
	for (size_t i = 0; i < target->n_endpoints; i++) {
		const struct endpoint *endpoint = &target->endpoints[i];
		struct endpoint_key key = {.port = endpoint->port};
		uint32_t id = (uint32_t)i;
		int r;

		memcpy(key.address, endpoint->address.word, sizeof(key.address));
		r = bpf_map__update_elem(bpf->maps.endpoints, &key, sizeof(key), &id, sizeof(id),
					 BPF_ANY);
		if (r)
			return r;
		if (!address_is_any(&endpoint->address))
			bpf->bss->addressed++;
		bpf->bss->ports[endpoint->port >> 6] |= 1ULL << (endpoint->port & 63);
	}
	return 0;
}

static int attach(struct capture *capture, int which, struct bpf_program *program)
{
	struct attached *hook = &capture->hooks[which];
	char path[256];
	int root;

	if (which != SOCKOPS) {
		hook->link = bpf_program__attach(program);
	} else {
		root = hooks_cgroup_root(path, sizeof(path));
		if (root < 0) {
			errno = -root;
			return root;
		}
		hook->link = bpf_program__attach_cgroup(program, root);
		close(root);
	}
	return hook->link ? 0 : -errno;
}

/* The state tracepoint must be; the others are told of when they can't be. */
static int attach_all(struct capture *capture, char *error, size_t error_size)
{
	struct whocalls_bpf *bpf = capture->bpf;
	int r;

	hook_name(HOOK_TP_BTF, "inet_sock_set_state", capture->hooks[STATE].name,
		  sizeof(capture->hooks[STATE].name));
	r = attach(capture, STATE, bpf->progs.tcp_accept);
	if (r) {
		snprintf(error, error_size,
			 "attaching to the tracepoint inet_sock_set_state: %s; `whocalls doctor` "
			 "tells what this kernel allows",
			 strerror(-r));
		return r;
	}
	r = attach(capture, SOCKOPS, bpf->progs.tcp_accept_sockops);
	if (r)
		snprintf(capture->hooks[SOCKOPS].why, HOOK_WHY, "sockops: %s",
			 r == -ENOENT ? "no mount of the root of cgroup2 is visible here"
				      : strerror(-r));
	else
		snprintf(capture->hooks[SOCKOPS].name, sizeof(capture->hooks[SOCKOPS].name),
			 "sockops");
	if (capture->accept) {
		r = attach(capture, ACCEPT, capture->accept);
		if (r) {
			snprintf(capture->hooks[ACCEPT].why, HOOK_WHY, "%s: %s",
				 capture->hooks[ACCEPT].name, strerror(-r));
			capture->hooks[ACCEPT].name[0] = '\0';
		}
	}
	snprintf(capture->hooks[SNAPSHOT].name, sizeof(capture->hooks[SNAPSHOT].name), "iter/tcp");
	return 0;
}

/* libbpf has error numbers of its own, beyond errno's. */
static const char *error_text(int r, char *buf, size_t size)
{
	libbpf_strerror(r, buf, size);
	return buf;
}

/* After a call of libbpf that gave NULL: negative, whatever it left in errno. */
static int failure(void)
{
	int r = -errno;

	return r < 0 ? r : -EIO;
}

static int load_with(struct capture *capture, const struct capture_options *options,
		     const struct btf *kernel, size_t *choice)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = options->btf);
	struct whocalls_bpf *bpf = whocalls_bpf__open_opts(&opts);
	int r;

	if (!bpf)
		return failure();
	capture->bpf = bpf;
	*choice = choose_accept(capture, kernel, options->accept_hook, *choice);
	bpf->rodata->want_events = options->events;
	bpf->rodata->node_netns = sweep_own_netns();
	bpf->rodata->kubelet_port = options->kubelet_port;
	bpf->rodata->tick_ns = jiffy_ns();
	bpf->rodata->nr_accept =
#ifdef SYS_accept
		SYS_accept;
#else
		SYS_accept4;
#endif
	bpf->rodata->nr_accept4 = SYS_accept4;
	r = size_maps(capture, options);
	return r ? r : whocalls_bpf__load(bpf);
}

/*
 * That a trial program attached does not say that the real one loads: fexit can't read its
 * function's result before 5.17. Then all is loaded again with the next choice.
 */
static int load(struct capture *capture, const struct capture_options *options, char *error,
		size_t error_size)
{
	struct btf *kernel = hooks_btf(options->btf);
	size_t choice = 0;
	char text[128];
	int r;

	if (!kernel) {
		r = failure();
		snprintf(
			error, error_size,
			"reading this kernel's BTF from %s: %s; a kernel with CONFIG_DEBUG_INFO_BTF "
			"has it, for others give its file with --btf FILE",
			options->btf ? options->btf : "/sys/kernel/btf/vmlinux",
			error_text(r, text, sizeof(text)));
		return r;
	}
	r = load_with(capture, options, kernel, &choice);
	while (r && choice < LENGTH(accept_choices)) {
		struct attached *hook = &capture->hooks[ACCEPT];

		snprintf(hook->why, HOOK_WHY, "%s does not load with %s", hook->name,
			 error_text(r, text, sizeof(text)));
		whocalls_bpf__destroy(capture->bpf);
		capture->bpf = NULL;
		choice++;
		r = load_with(capture, options, kernel, &choice);
	}
	if (r)
		snprintf(
			error, error_size,
			"loading the BPF programs: %s; `whocalls doctor` tells what is missing, -v shows "
			"libbpf's own words",
			error_text(r, text, sizeof(text)));
	btf__free(kernel);
	return r;
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

/* Waits until every program that runs now has ended: synchronize_rcu(). */
static void grace_period(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static bool address_of(const struct sockaddr *from, struct address *out)
{
	if (from && from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;

		*out = (struct address){{0, 0, htonl(0xffff), in->sin_addr.s_addr}};
		return true;
	}
	if (from && from->sa_family == AF_INET6) {
		memcpy(out->word, &((const struct sockaddr_in6 *)from)->sin6_addr,
		       sizeof(out->word));
		return true;
	}
	return false;
}

/* In a network namespace: if it has a pod's address, its loopback is that pod's, too. */
static int look_for_endpoints(uint32_t inum, void *arg)
{
	struct capture *capture = arg;
	struct ifaddrs *all, *one;
	int r = 0;

	if (getifaddrs(&all))
		return 1;
	for (one = all; one && !r; one = one->ifa_next) {
		struct address address;

		if (!address_of(one->ifa_addr, &address))
			continue;
		for (size_t i = 0; i < capture->target->n_endpoints && !r; i++) {
			const struct endpoint *endpoint = &capture->target->endpoints[i];
			struct loopback_key key = {inum, endpoint->port};
			uint32_t id = (uint32_t)i;

			/* --address asks for that address and no other */
			if (endpoint->pod && address_equal(&endpoint->address, &address))
				r = bpf_map__update_elem(capture->bpf->maps.loopbacks, &key,
							 sizeof(key), &id, sizeof(id), BPF_ANY);
		}
	}
	freeifaddrs(all);
	return r;
}

/*
 * Attach, then snapshot, then merge: the other order has a hole. Client processes are remembered
 * from the attach on, and the files of all processes tell whose the connections are that are open
 * already.
 *
 * Between the arming of the first witness and of the second lies a grace period of RCU (that is
 * what the membarrier is: synchronize_rcu()), so no handshake that the first let pass is still
 * under way when the second begins to count by itself.
 */
static int begin(struct capture *capture, char *error, size_t error_size)
{
	struct whocalls_bpf *bpf = capture->bpf;
	int r = sweep_run(bpf->progs.snapshot_files);

	if (!r && bpf->bss->addressed) {
		r = sweep_look(look_for_endpoints, capture);
		r = r < 0 ? r : 0;
	}
	if (!r) {
		capture->started = monotonic_ns();
		bpf->bss->sockops_attached = capture->hooks[SOCKOPS].link != NULL;
		bpf->bss->accept_attached = capture->hooks[ACCEPT].link != NULL;
		bpf->bss->armed = ARMED_FIRST;
		if (capture->hooks[SOCKOPS].link)
			grace_period();
		bpf->bss->armed = ARMED_ALL;
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
	libbpf_verbose = options->verbose;
	libbpf_set_print(libbpf_print);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	r = load(capture, options, error, error_size);
	if (r)
		goto failed;
	r = fill_target(capture, options->target);
	if (r) {
		snprintf(error, error_size, "writing the target into the kernel: %s", strerror(-r));
		goto failed;
	}
	capture->ring =
		ring_buffer__new(bpf_map__fd(capture->bpf->maps.ring), take_event, capture, NULL);
	if (!capture->ring) {
		r = failure();
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
	bool attached = capture->hooks[STATE].link;

	/* from here on nothing new is counted; what the first witness has counted the second still
	 * marks */
	if (attached) {
		capture->bpf->bss->armed = 0;
		grace_period();
	}
	for (size_t i = 0; i < LENGTH(capture->hooks); i++) {
		bpf_link__destroy(capture->hooks[i].link);
		capture->hooks[i].link = NULL;
	}
	/* what is still running has counted when this is over */
	if (attached)
		grace_period();
}

void capture_free(struct capture *capture)
{
	if (!capture)
		return;
	capture_stop(capture);
	ring_buffer__free(capture->ring);
	whocalls_bpf__destroy(capture->bpf);
	free(capture->netns);
	free(capture);
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

int capture_sweep(struct capture *capture, bool everywhere)
{
	int r;

	capture->bpf->bss->sweep++;
	if (!everywhere && !capture->n_netns)
		return 0;
	r = sweep_namespaces(capture->bpf->progs.snapshot, everywhere ? NULL : capture->netns,
			     capture->n_netns);
	if (r < 0)
		return r;
	if (everywhere)
		capture->unswept = (uint64_t)r;
	return 0;
}

/*
 * Reads a whole hash map in batches. The kernel hands out bucket by bucket, each under its lock, so
 * an entry that is there all the time is seen exactly once. A batch must hold the longest bucket.
 */
static int batch(int map, size_t key_size, size_t value_size,
		 int (*take)(const void *key, const void *value, void *arg), void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t position = 0, next = 0, count;
	char *keys = malloc(BATCH * key_size), *values = malloc(BATCH * value_size);
	bool first = true;
	int r = -ENOMEM;

	if (!keys || !values)
		goto out;
	do {
		count = BATCH;
		r = bpf_map_lookup_batch(map, first ? NULL : &position, &next, keys, values, &count,
					 &opts);
		if (r && r != -ENOENT)
			goto out;
		for (uint32_t i = 0; i < count; i++) {
			int taken = take(keys + i * key_size, values + i * value_size, arg);

			if (taken) {
				r = taken;
				goto out;
			}
		}
		position = next;
		first = false;
	} while (!r);
	r = 0; /* -ENOENT: that was the last batch */
out:
	free(keys);
	free(values);
	return r;
}

struct take_callers {
	int (*take)(const struct caller_key *key, const struct caller_counts *counts, void *arg);
	void *arg;
};

static int take_caller(const void *key, const void *value, void *arg)
{
	const struct take_callers *t = arg;

	return t->take(key, value, t->arg);
}

int capture_callers(struct capture *capture,
		    int (*take)(const struct caller_key *key, const struct caller_counts *counts,
				void *arg),
		    void *arg)
{
	struct take_callers t = {take, arg};

	return batch(bpf_map__fd(capture->bpf->maps.callers), sizeof(struct caller_key),
		     sizeof(struct caller_counts), take_caller, &t);
}

struct take_connections {
	struct capture *capture;
	int (*take)(const struct connection *connection, void *arg);
	void *arg;
	uint64_t now;
};

static int note_netns(struct capture *capture, uint32_t inum)
{
	uint32_t *netns;
	size_t at = 0;

	while (at < capture->n_netns && capture->netns[at] < inum)
		at++;
	if (at < capture->n_netns && capture->netns[at] == inum)
		return 0;
	netns = realloc(capture->netns, (capture->n_netns + 1) * sizeof(*netns));
	if (!netns)
		return -ENOMEM;
	memmove(netns + at + 1, netns + at, (capture->n_netns - at) * sizeof(*netns));
	netns[at] = inum;
	capture->netns = netns;
	capture->n_netns++;
	return 0;
}

static int take_connection(const void *key, const void *value, void *arg)
{
	struct take_connections *t = arg;
	const struct connection *connection = value;
	int r;

	if (connection->flags & CONNECTION_CLOSED) {
		/* it may have ended after `now` */
		if (t->now > connection->last_data + LINGER_NS)
			bpf_map__delete_elem(t->capture->bpf->maps.connections, key,
					     sizeof(uint64_t), 0);
		return 0;
	}
	r = note_netns(t->capture, connection->server_netns);
	return r ? r : t->take(connection, t->arg);
}

int capture_connections(struct capture *capture,
			int (*take)(const struct connection *connection, void *arg), void *arg)
{
	struct take_connections t = {capture, take, arg, monotonic_ns()};

	capture->n_netns = 0;
	return batch(bpf_map__fd(capture->bpf->maps.connections), sizeof(uint64_t),
		     sizeof(struct connection), take_connection, &t);
}

int capture_unattributed(struct capture *capture, struct caller_counts *counts)
{
	uint32_t zero = 0;

	return bpf_map__lookup_elem(capture->bpf->maps.others, &zero, sizeof(zero), counts,
				    sizeof(*counts), 0);
}

static int read_totals(struct capture *capture, struct totals *totals)
{
	int cpus = libbpf_num_possible_cpus(), r;
	uint32_t zero = 0;
	uint64_t *sum = (uint64_t *)totals;
	struct totals *each;

	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	r = bpf_map__lookup_elem(capture->bpf->maps.totals, &zero, sizeof(zero), each,
				 (size_t)cpus * sizeof(*each), 0);
	memset(totals, 0, sizeof(*totals));
	for (int i = 0; i < cpus && !r; i++) {
		for (size_t j = 0; j < sizeof(*totals) / sizeof(*sum); j++)
			sum[j] += ((const uint64_t *)&each[i])[j];
	}
	free(each);
	return r;
}

/* Runs that the kernel skipped because the program was running on that CPU already; 5.12 and later.
 */
static uint64_t recursion_misses(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (!program || bpf_program__fd(program) < 0 ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return 0;
	return info.recursion_misses;
}

/*
 * Each witness sees each connection once, so what it saw less than were counted it missed. Sockops
 * runs before the state tracepoint: what that was first to see, sockops missed.
 */
static void count_misses(struct hook *hook, size_t which, const struct totals *totals, bool sockops)
{
	uint64_t all = which == ACCEPT ? totals->accepted : totals->opened;

	if (which != SNAPSHOT && all > hook->seen)
		hook->missed = all - hook->seen;
	if (which == STATE && sockops)
		hook->healed = totals->first[WITNESS_STATE];
	if (which == SNAPSHOT)
		hook->healed = totals->first[WITNESS_SNAPSHOT];
}

int capture_report(struct capture *capture, struct report *report)
{
	static const char *const programs[] = {"tcp_accept", "tcp_accept", "inet_csk_accept",
					       "snapshot"};
	static const enum witness witnesses[] = {WITNESS_STATE, WITNESS_SOCKOPS, WITNESS_ACCEPT,
						 WITNESS_SNAPSHOT};
	const struct bpf_program *bpf[] = {capture->bpf->progs.tcp_accept,
					   capture->bpf->progs.tcp_accept_sockops, capture->accept,
					   capture->bpf->progs.snapshot};
	int r = read_totals(capture, &report->totals);

	if (r)
		return r;
	report->start_ns = capture->started;
	report->n_hooks = LENGTH(programs);
	for (size_t i = 0; i < LENGTH(programs); i++) {
		struct hook *hook = &report->hooks[i];
		const struct attached *attached = &capture->hooks[i];

		memset(hook, 0, sizeof(*hook));
		hook->program = programs[i];
		hook->hook = attached->name[0] ? attached->name : NULL;
		hook->why = attached->why;
		hook->seen = report->totals.seen[witnesses[i]];
		hook->recursion_misses = recursion_misses(bpf[i]);
		if (hook->hook)
			count_misses(hook, i, &report->totals, capture->hooks[SOCKOPS].name[0]);
	}
	report->losses.events = report->totals.ring_full + capture->bad_events;
	report->losses.untracked = report->totals.untracked;
	report->losses.clients = report->totals.clients_full;
	report->losses.namespaces = capture->unswept;
	return 0;
}
