/* SPDX-License-Identifier: MIT */
/* Chooses the hooks that need a choice, sizes the maps, loads the programs. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "hooks.h"
#include "state.h"
#include "sweep.h"
#include "whocalls-old.skel.h"

static bool libbpf_verbose;

static int libbpf_print(enum libbpf_print_level level, const char *format, va_list args)
{
	if (!libbpf_verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
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
	{"fexit", HOOK_FEXIT, "inet_csk_accept"}, /* with its arguments */
	{"kretprobe", HOOK_KRETPROBE, "inet_csk_accept"},
	{"syscall", HOOK_TP_BTF, "sys_exit"},
};
#define FEXIT_ARGUMENTS 4 /* of inet_csk_accept(), up to 6.9 */

static struct bpf_program *accept_program(struct whocalls_bpf *bpf, size_t choice)
{
	switch (choice) {
	case 0:
		return bpf->progs.inet_csk_accept_fexit;
	case 1:
		return bpf->progs.inet_csk_accept_fexit_4;
	case 2:
		return bpf->progs.inet_csk_accept_kretprobe;
	default:
		return bpf->progs.inet_csk_accept_syscall;
	}
}

/* Whether an fexit on the function can get at its result in this way. */
static int fexit_fits(const struct btf *kernel, size_t choice, const char *function,
		      char why[HOOK_WHY])
{
	int arguments;

	if (choice == 0) {
		if (hooks_has_helper(kernel, "get_func_ret"))
			return 0;
		snprintf(why, HOOK_WHY, "fexit: bpf_get_func_ret came with 5.17");
		return -ENOTSUP;
	}
	if (!hooks_fexit_ends(kernel, why))
		return -ENOTSUP;
	arguments = hooks_arguments(kernel, function);
	if (arguments == FEXIT_ARGUMENTS)
		return 0;
	snprintf(why, HOOK_WHY, "fexit: %s has %d arguments here", function, arguments);
	return -ENOTSUP;
}

/*
 * The kernel's BTF is read only where it is needed: for an fexit that the kernel does not refuse
 * out of hand. sys_exit comes last and is a tracepoint like the one that must attach anyway.
 * `arguments`: those that the function of an fexit has.
 */
static int try_accept(size_t number, const char *file, char why[HOOK_WHY], int *arguments)
{
	const struct accept_choice *choice = &accept_choices[number];
	struct btf *kernel = NULL;
	int r;

	if (choice->kind == HOOK_TP_BTF)
		return 0;
	if (choice->kind == HOOK_FEXIT) {
		r = hook_refused(choice->kind, why);
		if (r)
			return r;
		kernel = hooks_btf(file);
		if (!kernel) {
			snprintf(why, HOOK_WHY, "fexit: this kernel's BTF can't be read");
			return -ENOENT;
		}
		r = fexit_fits(kernel, number, choice->function, why);
		if (r) {
			btf__free(kernel);
			return r;
		}
		*arguments = hooks_arguments(kernel, choice->function);
	}
	r = hook_try(kernel, choice->kind, choice->function, why);
	btf__free(kernel);
	return r;
}

/*
 * Chooses the accept hook from the choice `from` on; why each better one can't be is gathered for
 * the report. Returns the index of the choice, or the number of choices if there is none.
 */
static size_t choose_accept(struct capture *capture, const char *btf, const char *forced,
			    size_t from)
{
	struct attached *hook = &capture->hooks[ACCEPT];
	size_t chosen = LENGTH(accept_choices);
	char why[HOOK_WHY];
	int arguments = 0;

	hook->programs[0] = NULL;
	hook->name[0] = '\0';
	for (size_t i = from; i < LENGTH(accept_choices); i++) {
		const struct accept_choice *choice = &accept_choices[i];
		size_t length = strlen(hook->why);

		if (forced && strcmp(forced, choice->name))
			continue;
		if (!try_accept(i, btf, why, &arguments)) {
			hook->programs[0] = accept_program(capture->bpf, i);
			capture->bpf->rodata->accept_arguments =
				arguments > 0 ? (uint32_t)arguments : 0;
			chosen = i;
			hook_name(choice->kind, choice->function, hook->name, sizeof(hook->name));
			break;
		}
		/* what refuses one fexit refuses the other */
		if (!strstr(hook->why, why))
			snprintf(hook->why + length, sizeof(hook->why) - length, "%s%s",
				 length ? "; " : "", why);
	}
	if (chosen == LENGTH(accept_choices)) {
		size_t length = strlen(hook->why);

		snprintf(hook->why + length, sizeof(hook->why) - length,
			 "%sso accepts are told by sweeps and by ends (but not MPTCP's); that of a "
			 "connection which ended in the queue by nobody",
			 length   ? "; "
			 : forced ? "not asked for; "
				  : "");
	}
	for (size_t i = 0; i < LENGTH(accept_choices); i++) {
		struct bpf_program *program = accept_program(capture->bpf, i);

		bpf_program__set_autoload(program, program == hook->programs[0]);
	}
	return chosen;
}

/*
 * The hook that sees refused attempts, by the kernel's version: what their tracepoints are called
 * with is not looked at by the verifier, and reading the BTF for it would take tens of
 * milliseconds. `none`: no program of it loads here.
 */
static void choose_refused(struct capture *capture, bool none)
{
	struct attached *hook = &capture->hooks[REFUSED];
	struct whocalls_bpf *bpf = capture->bpf;
	struct bpf_program *const all[] = {bpf->progs.refused_reset, bpf->progs.refused_drop,
					   bpf->progs.refused_by_listener, bpf->progs.refused_v4,
					   bpf->progs.refused_v6};

	hook->programs[0] = hook->programs[1] = NULL;
	hook->name[0] = hook->why[0] = '\0';
	if (none) {
		snprintf(hook->why, HOOK_WHY, "no program that sees resets loads here");
	} else if (hooks_kernel_is(6, 10)) {
		hook->programs[0] = bpf->progs.refused_reset;
		hook_name(HOOK_TP_BTF, "tcp_send_reset", hook->name, sizeof(hook->name));
	} else if (hooks_kernel_is(5, 18)) {
		hook->programs[0] = bpf->progs.refused_drop;
		hook->programs[1] = bpf->progs.refused_by_listener;
		hook_name(HOOK_TP_BTF, "kfree_skb", hook->name, sizeof(hook->name));
		snprintf(hook->why, HOOK_WHY,
			 "tcp_send_reset is called for segments without a socket from 6.10 on");
	} else {
		hook->programs[0] = bpf->progs.refused_v4;
		hook->programs[1] = bpf->progs.refused_v6;
		snprintf(hook->name, sizeof(hook->name), "kprobe/tcp_v4_send_reset");
		snprintf(hook->why, HOOK_WHY, "kfree_skb has a reason from 5.18 on");
	}
	for (size_t i = 0; i < LENGTH(all); i++)
		bpf_program__set_autoload(all[i], all[i] == hook->programs[0] ||
							  all[i] == hook->programs[1]);
}

/* Callers whose times are kept: 4 MB of the kernel's memory. */
#define MAX_HISTOGRAMS 512
/* Threads that write at the same time, where they must be remembered. */
#define MAX_SENDING 16384

static int size_maps(struct capture *capture, const struct capture_options *options)
{
	size_t endpoints = options->target->n_endpoints + options->more_endpoints;
	uint32_t histograms =
		options->max_callers < MAX_HISTOGRAMS ? options->max_callers : MAX_HISTOGRAMS;
	uint32_t callers = options->folds ? (options->max_callers + 3) / 2 : options->max_callers;
	struct whocalls_bpf *bpf = capture->bpf;
	const struct {
		struct bpf_map *map;
		size_t entries;
	} sizes[] = {
		{bpf->maps.callers, callers},
		{bpf->maps.callers_second, options->folds ? callers : 1},
		{bpf->maps.connections, options->max_connections},
		{bpf->maps.marks, capture->old ? 2 * options->max_connections : 1},
		{bpf->maps.histograms, histograms},
		{bpf->maps.histogram_numbers, histograms},
		{bpf->maps.histograms_free, histograms},
		{bpf->maps.sending,
		 capture->hooks[REQUESTS].programs[1] == bpf->progs.turn_sending ? MAX_SENDING : 1},
		{bpf->maps.endpoints, endpoints ? endpoints : 1},
		/* other namespaces of the node may have the same addresses */
		{bpf->maps.loopbacks, endpoints * 2 + 1024},
		{bpf->maps.ring, options->ring_size},
	};
	int r = 0;

	capture->room = options->folds ? callers : 0;
	for (size_t i = 0; i < LENGTH(sizes) && !r; i++)
		r = bpf_map__set_max_entries(sizes[i].map, (uint32_t)sizes[i].entries);
	return r;
}

/* libbpf has error numbers of its own, beyond errno's. */
static const char *error_text(int r, char *buf, size_t size)
{
	libbpf_strerror(r, buf, size);
	return buf;
}

/* Opens the build of the BPF side that this kernel can load; both have the same skeleton, but for
 * their code. */
static struct whocalls_bpf *open_build(bool old, const struct bpf_object_open_opts *opts)
{
	struct whocalls_bpf *bpf = calloc(1, sizeof(*bpf));

	if (!bpf)
		return NULL;
	if (whocalls_bpf__create_skeleton(bpf))
		goto failed;
	if (old)
		bpf->skeleton->data = whocalls_old_bpf__elf_bytes(&bpf->skeleton->data_sz);
	if (!bpf_object__open_skeleton(bpf->skeleton, opts))
		return bpf;
failed:
	whocalls_bpf__destroy(bpf);
	return NULL;
}

static int load_with(struct capture *capture, const struct capture_options *options, size_t *choice,
		     bool refused, bool requests)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = options->btf);
	struct whocalls_bpf *bpf;
	int r;

	capture->old = !hooks_atomics();
	bpf = open_build(capture->old, &opts);
	if (!bpf)
		return capture_failure();
	capture->bpf = bpf;
	*choice = choose_accept(capture, options->btf, options->accept_hook, *choice);
	choose_refused(capture, !refused);
	capture_choose_requests(capture, options, !requests);
	bpf->rodata->want_events = options->events;
	bpf->rodata->node_netns = sweep_own_netns();
	bpf->bss->kubelet_port = options->kubelet_port;
	bpf->rodata->tick_ns = jiffy_ns();
	bpf->rodata->sockops_tells = hooks_kernel_is(6, 12);
	bpf->rodata->use_caller_slots = options->max_callers > CALLER_SLOTS;
	bpf->rodata->use_connection_slots = options->max_connections > CONNECTION_SLOTS;
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
int capture_load(struct capture *capture, const struct capture_options *options, char *error,
		 size_t error_size)
{
	const char *btf = options->btf ? options->btf : "/sys/kernel/btf/vmlinux";
	bool refused = true, requests = true;
	size_t choice = 0;
	char text[128];
	int r;

	libbpf_verbose = options->verbose;
	libbpf_set_print(libbpf_print);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	if (!hooks_kernel_is(5, 10)) {
		snprintf(
			error, error_size,
			"this kernel is %s, which lacks BPF iterators over sockets; whocalls needs "
			"Linux 5.10 or later",
			hooks_release());
		return -ENOTSUP;
	}
	if (access(btf, R_OK)) {
		r = capture_failure();
		snprintf(
			error, error_size,
			"reading this kernel's BTF from %s: %s; a kernel with "
			"CONFIG_DEBUG_INFO_BTF=y has it there, for others give a file with the BTF of %s "
			"(%s.btf, as BTFHub has it) with --btf",
			btf, strerror(-r), hooks_release(), hooks_release());
		return r;
	}
	r = load_with(capture, options, &choice, refused, requests);
	while (r && (choice < LENGTH(accept_choices) || refused)) {
		struct attached *hook = &capture->hooks[ACCEPT];

		/* then without what sees requests, last of all without what sees refused attempts
		 */
		if (choice == LENGTH(accept_choices)) {
			refused = requests;
			requests = false;
			choice = 0;
			hook->why[0] = '\0';
		} else {
			snprintf(hook->why, HOOK_WHY, "%s does not load with %s", hook->name,
				 error_text(r, text, sizeof(text)));
			choice++;
		}
		whocalls_bpf__destroy(capture->bpf);
		capture->bpf = NULL;
		r = load_with(capture, options, &choice, refused, requests);
	}
	if (r)
		snprintf(
			error, error_size,
			"loading the BPF programs%s%s: %s; `whocalls doctor` tells what is missing, "
			"-v shows libbpf's own words",
			options->btf ? " with the types of " : "", options->btf ? options->btf : "",
			error_text(r, text, sizeof(text)));
	return r;
}
