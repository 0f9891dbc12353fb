/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "../capture/capture.h"
#include "../capture/cgroup.h"
#include "../capture/hooks.h"
#include "../capture/privileges.h"
#include "../capture/sweep.h"
#include "command.h"
#include "doctor-cluster.h"

static const char help[] =
	"Usage: whocalls doctor [--btf FILE] [--kubeconfig FILE] [--context NAME]\n"
	"\n"
	"Tells, a line each, what this kernel, these privileges and this cluster allow,\n"
	"what each lack costs, and how to mend it. Ends with 0 if tracing is possible\n"
	"here, with 69 if not.\n";

/* What a lack means. */
enum need {
	NEEDED, /* without it there is no tracing */
	BETTER, /* without it there is less evidence */
};

struct examination {
	bool possible;
	bool accept; /* an accept hook was found */
};

/* One line: "ok   hook   detail". A lack that is NEEDED ends the hope. */
__attribute__((format(printf, 5, 6))) static void line(struct examination *examination, bool ok,
						       enum need need, const char *what,
						       const char *format, ...)
{
	va_list args;

	printf("%-4s  %-31s ", ok ? "ok" : need == NEEDED ? "FAIL" : "lack", what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	if (!ok && need == NEEDED)
		examination->possible = false;
}

static void examine_kernel(struct examination *examination)
{
	struct utsname name;
	bool fits = hooks_kernel_is(5, 10);

	if (uname(&name))
		return;
	line(examination, fits, NEEDED, "kernel", "%s %s%s", name.release, name.machine,
	     fits ? "" : ": whocalls needs Linux 5.10 or later");
	line(examination, true, BETTER, "lockdown", "%s", hooks_lockdown());
}

static struct btf *examine_btf(struct examination *examination, const char *file)
{
	const char *path = file ? file : "/sys/kernel/btf/vmlinux";
	struct btf *btf = hooks_btf(file);
	char error[128] = "";
	struct stat st;

	/* of a file that isn't there libbpf says "no such process", so errno is asked for first */
	if (!btf) {
		int r = errno;

		libbpf_strerror(access(path, R_OK) ? errno : r, error, sizeof(error));
	}
	if (!btf)
		line(examination, false, NEEDED, "BTF",
		     "%s: %s; a kernel with CONFIG_DEBUG_INFO_BTF=y has it, for others give a file with the "
		     "BTF of %s (%s.btf, as BTFHub has it) with --btf",
		     path, error, hooks_release(), hooks_release());
	else if (stat(path, &st))
		line(examination, true, NEEDED, "BTF", "%s", path);
	else
		line(examination, true, NEEDED, "BTF", "%s, %lld KiB", path,
		     (long long)st.st_size / 1024);
	return btf;
}

struct examined_hook {
	enum hook_kind kind;
	const char *function;
	enum need need;
	const char *gives; /* when it is there */
	const char *costs; /* when it is not */
};

static const struct examined_hook hooks[] = {
	{HOOK_TP_BTF, "inet_sock_set_state", NEEDED,
	 "first witness of the handshake, the end, the client", "nothing can be counted"},
	{HOOK_SOCKOPS, "", BETTER, "second witness of the handshake",
	 "what the first witness misses can only be healed by sweeps; it needs cgroup2 mounted"},
	{HOOK_ITER, "tcp", NEEDED, "connections that were open before",
	 "what was open before would stay unseen"},
	{HOOK_ITER, "task_file", NEEDED, "processes of old connections, the kubelet",
	 "old connections would have no process"},
};

/* Best first; one is enough. */
static const struct examined_hook accept_hooks[] = {
	{HOOK_FEXIT, "inet_csk_accept", BETTER, "accepts, as they happen", NULL},
	{HOOK_KRETPROBE, "inet_csk_accept", BETTER, "accepts, as they happen", NULL},
	{HOOK_TP_BTF, "sys_exit", BETTER,
	 "accepts, as they happen; adds a little to every system call of this node", NULL},
};

static void examine_hook(struct examination *examination, const struct btf *kernel,
			 const struct examined_hook *hook, bool accept)
{
	char buf[128], why[HOOK_WHY];
	const char *name = hook_name(hook->kind, hook->function, buf, sizeof(buf));
	int r = hook_try(kernel, hook->kind, hook->function, why);

	if (accept && !r && examination->accept)
		line(examination, true, BETTER, name, "not needed: a better one is there");
	else if (!r)
		line(examination, true, hook->need, name, "%s", hook->gives);
	else if (accept)
		line(examination, false, BETTER, name, "%s; the next one is tried", why);
	else
		line(examination, false, hook->need, name, "%s; %s", why, hook->costs);
	if (accept && !r)
		examination->accept = true;
}

static void examine_hooks(struct examination *examination, const struct btf *kernel)
{
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
		examine_hook(examination, kernel, &hooks[i], false);
	for (size_t i = 0; i < sizeof(accept_hooks) / sizeof(accept_hooks[0]); i++)
		examine_hook(examination, kernel, &accept_hooks[i], true);
	if (!examination->accept)
		line(examination, false, BETTER, "accept",
		     "no hook: accepts are told when a connection ends, or by a sweep; counts are right");
}

static void examine_privileges(struct examination *examination)
{
	for (size_t i = 0; i < n_privileges; i++) {
		int held = privilege_held(&privileges[i]);

		line(examination, held == 1, NEEDED, privileges[i].name, "%s%s",
		     privileges[i].reason, held == 1 ? "" : ": missing; run with sudo");
	}
}

static int count_one(uint32_t inum, void *arg)
{
	(void)inum;
	++*(unsigned int *)arg;
	return 0;
}

/* What a lesser capability, AppArmor or a pid namespace may keep from it. */
static void examine_namespaces(struct examination *examination)
{
	unsigned int n = 0;
	int r = sweep_look(count_one, &n, NULL, 0);

	if (r)
		line(examination, false, BETTER, "network namespaces",
		     "%u can be looked into, others can't: %s; what was open there before stays unseen",
		     n, r < 0 ? strerrorname_np(-r) : "refused");
	else
		line(examination, true, BETTER, "network namespaces", "%u can be looked into", n);
}

static void examine_cgroups(struct examination *examination)
{
	char path[4096];
	int r = cgroup_path(1, path, sizeof(path)); /* the root */

	if (r)
		line(examination, false, BETTER, "cgroups by id",
		     "%s; which pod a process is in is not known", strerrorname_np(-r));
	else
		line(examination, true, BETTER, "cgroups by id", "which pod a process is in");
}

/* The kernel charges maps to the memory cgroup since 5.11; before, to RLIMIT_MEMLOCK, which libbpf
 * raises. */
static void examine_memory(struct examination *examination)
{
	uint64_t limit;

	if (cgroup_memory_limit(&limit))
		line(examination, true, BETTER, "memory limit",
		     "not known: /proc/self/cgroup can't be read");
	else if (limit == UINT64_MAX)
		line(examination, true, BETTER, "memory limit", "none");
	else
		line(examination, limit >= 64ULL << 20, BETTER, "memory limit", "%llu MiB%s",
		     (unsigned long long)limit >> 20,
		     limit >= 64ULL << 20 ? ""
					  : ": less than 64; use a smaller --max-callers and "
					    "--max-connections");
}

static void examine_attached(struct examination *examination, const struct hook *hook,
			     const char *what, const char *gives, const char *costs)
{
	if (hook->hook)
		line(examination, true, BETTER, what, "%s; by %s", gives, hook->hook);
	else
		line(examination, false, BETTER, what, "%s; %s", hook->why, costs);
}

/* What depends on the kernel's version, not on a trial. */
static void examine_attempts_and_requests(struct examination *examination, struct capture *capture,
					  const struct target *target)
{
	struct report report = {.target = target};

	if (capture_report(capture, &report))
		return;
	examine_attached(examination, &report.hooks[REPORT_REFUSED], "attempts",
			 "those that are refused are seen",
			 "that nobody listens, and who tries, stays unseen");
	examine_attached(examination, &report.hooks[REPORT_REQUESTS], "requests",
			 "how many, and how long they take",
			 "only connections and their bytes are counted");
}

/* The real thing, small: what a trial program can do the real ones may still not. */
static void examine_programs(struct examination *examination, const char *btf)
{
	struct endpoint endpoint = {.port = 1};
	struct target target = {.endpoints = &endpoint, .n_endpoints = 1};
	const struct capture_options options = {
		.target = &target,
		.max_callers = 16,
		.max_connections = 16,
		.ring_size = 4 << 20,
		.btf = btf,
	};
	struct capture *capture = NULL;
	char error[1024];

	if (capture_open(&capture, &options, error, sizeof(error))) {
		line(examination, false, NEEDED, "all together", "%s", error);
		return;
	}
	line(examination, true, NEEDED, "all together",
	     "the programs load and attach; a ring of 4 MiB has room (--ring-size changes it)");
	examine_attempts_and_requests(examination, capture, &target);
	capture_free(capture);
}

static void tell_of_cluster(void *arg, bool ok, const char *what, const char *detail)
{
	line(arg, ok, BETTER, what, "%s", detail);
}

struct doctor_options {
	const char *btf;
	const char *kubeconfig;
	const char *context;
};

static int parse(int argc, char **argv, struct doctor_options *given)
{
	static const struct option options[] = {
		{"btf", required_argument, NULL, 'b'},
		{"kubeconfig", required_argument, NULL, 'k'},
		{"context", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int option;

	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		if (option == 'b') {
			given->btf = optarg;
		} else if (option == 'k') {
			given->kubeconfig = optarg;
		} else if (option == 'c') {
			given->context = optarg;
		} else if (option == 'h') {
			fputs(help, stdout);
			return command_finish(stdout);
		} else {
			fprintf(stderr,
				"whocalls doctor: what is '%s'? See `whocalls doctor --help`\n",
				argv[optind - 1]);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "whocalls doctor: what is '%s'? See `whocalls doctor --help`\n",
			argv[optind]);
		return EX_USAGE;
	}
	return -1;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

int doctor_main(int argc, char **argv)
{
	struct examination examination = {.possible = true};
	struct doctor_options options = {};
	struct btf *kernel;
	int status = parse(argc, argv, &options);

	if (status >= 0)
		return status;
	libbpf_set_print(quiet);
	examine_kernel(&examination);
	examine_privileges(&examination);
	kernel = examine_btf(&examination, options.btf);
	if (kernel)
		examine_hooks(&examination, kernel);
	btf__free(kernel);
	examine_namespaces(&examination);
	examine_cgroups(&examination);
	examine_memory(&examination);
	/* where one of these has failed already it would only say the same again */
	if (examination.possible)
		examine_programs(&examination, options.btf);
	doctor_cluster(options.kubeconfig, options.context, tell_of_cluster, &examination);
	printf("\n%s\n",
	       examination.possible
		       ? "Tracing is possible here."
		       : "Tracing is not possible here: see the lines that begin with FAIL.");
	status = command_finish(stdout);
	return status ? status : examination.possible ? 0 : EX_UNAVAILABLE;
}
