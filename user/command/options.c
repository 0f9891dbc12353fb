/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "command.h"
#include "help.h"
#include "parse.h"

/* How long verify watches, unless it is told. */
#define VERIFY_NS (300 * 1000000000ULL)
/* Where the agent answers, how long a caller that is gone has its series, and how many there are.
 */
#define LISTEN "127.0.0.1:9435"
#define STALE_NS (3600 * 1000000000ULL)
#define MAX_SERIES 10000

enum {
	PORT = 256,
	ADDRESS,
	PODS,
	KUBECONFIG,
	CONTEXT,
	NODE,
	WATCH,
	FOR,
	MAX_CALLERS,
	MAX_CONNECTIONS,
	RING_SIZE,
	BTF,
	ACCEPT_HOOK,
	SORT, /* trace's */
	TOP,
	ALLOW_IDLE, /* from here on: verify's */
	COUNT_PROBES,
	IGNORE,
	FAIL_FAST,
	EVIDENCE,
	ALL_SERVICES, /* the agent's */
	LISTEN_AT,
	TLS_CERT,
	TLS_KEY,
	STATE,
	STALE,
	MAX_SERIES_OF,
	BY_ADDRESS,
	SERVICE_GRAPH,
};

/* What all three take. */
#define COMMON_OPTIONS                                                                             \
	{"selector", required_argument, NULL, 'l'}, {"namespace", required_argument, NULL, 'n'},   \
		{"kubeconfig", required_argument, NULL, KUBECONFIG},                               \
		{"context", required_argument, NULL, CONTEXT},                                     \
		{"node", required_argument, NULL, NODE},                                           \
		{"max-callers", required_argument, NULL, MAX_CALLERS},                             \
		{"max-connections", required_argument, NULL, MAX_CONNECTIONS},                     \
		{"ring-size", required_argument, NULL, RING_SIZE},                                 \
		{"btf", required_argument, NULL, BTF},                                             \
		{"accept-hook", required_argument, NULL, ACCEPT_HOOK},                             \
		{"verbose", no_argument, NULL, 'v'},                                               \
	{                                                                                          \
		"help", no_argument, NULL, 'h'                                                     \
	}

/* What watches one target takes, too. */
#define WINDOW_OPTIONS                                                                             \
	COMMON_OPTIONS, {"port", required_argument, NULL, PORT},                                   \
		{"address", required_argument, NULL, ADDRESS},                                     \
		{"pods", required_argument, NULL, PODS},                                           \
		{"watch", required_argument, NULL, WATCH}, {"for", required_argument, NULL, FOR},  \
	{                                                                                          \
		"output", required_argument, NULL, 'o'                                             \
	}

static const struct option trace_options[] = {
	WINDOW_OPTIONS,
	{"sort", required_argument, NULL, SORT},
	{"top", required_argument, NULL, TOP},
	{},
};

static const struct option verify_options[] = {
	WINDOW_OPTIONS,
	{"allow-idle", no_argument, NULL, ALLOW_IDLE},
	{"count-probes", no_argument, NULL, COUNT_PROBES},
	{"ignore", required_argument, NULL, IGNORE},
	{"fail-fast", no_argument, NULL, FAIL_FAST},
	{"evidence", required_argument, NULL, EVIDENCE},
	{},
};

static const struct option agent_options[] = {
	COMMON_OPTIONS,
	{"all-services", no_argument, NULL, ALL_SERVICES},
	{"listen", required_argument, NULL, LISTEN_AT},
	{"tls-cert", required_argument, NULL, TLS_CERT},
	{"tls-key", required_argument, NULL, TLS_KEY},
	{"state", required_argument, NULL, STATE},
	{"stale", required_argument, NULL, STALE},
	{"max-series", required_argument, NULL, MAX_SERIES_OF},
	{"by-address", no_argument, NULL, BY_ADDRESS},
	{"service-graph", no_argument, NULL, SERVICE_GRAPH},
	{},
};

/* The command whose line is read: for messages. */
static const char *command = "trace";

__attribute__((format(printf, 1, 2))) static int wrong(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "whocalls %s: ", command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; see `whocalls %s --help`\n", command);
	return EX_USAGE;
}

static int set_port(struct options *options, const char *text)
{
	const char *end;
	uint64_t number;

	if (number_parse(text, &end, &number) || *end || number < 1 || number > 65535)
		return wrong("--port %s: a TCP port is a number from 1 to 65535", text);
	options->port = (uint16_t)number;
	return -1;
}

static int add_address(struct options *options, const char *text)
{
	struct address *addresses, address;
	char shown[ADDRESS_TEXT];

	if (address_parse(text, &address))
		return wrong("--address %s: not an IPv4 or IPv6 address", text);
	if (address_is_any(&address) || !strcmp(address_format(&address, shown), "0.0.0.0"))
		return wrong("--address %s: that is every address; leave --address out", text);
	addresses = realloc(options->addresses, (options->n_addresses + 1) * sizeof(*addresses));
	if (!addresses)
		return wrong("out of memory");
	addresses[options->n_addresses++] = address;
	options->addresses = addresses;
	return -1;
}

static int set_output(struct options *options, const char *text)
{
	static const char *const names[] = {"table", "wide", "json", "jsonl"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			options->output = (enum output_format)i;
			return -1;
		}
	}
	return wrong("-o %s: the formats are table, wide, json and jsonl", text);
}

static int set_duration(uint64_t *ns, const char *option, const char *text)
{
	const char *problem;

	if (duration_parse(text, ns, &problem))
		return wrong("%s %s: %s", option, text, problem);
	return -1;
}

static int set_ring_size(struct options *options, const char *text)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), bytes;

	if (size_parse(text, &bytes) || bytes < page || bytes > 1 << 30 || (bytes & (bytes - 1)))
		return wrong("--ring-size %s: a power of two from %llu (a page) to 1G", text,
			     (unsigned long long)page);
	options->ring_size = (uint32_t)bytes;
	return -1;
}

static int set_entries(uint32_t *entries, const char *option, const char *text)
{
	const char *end;
	uint64_t number;

	if (number_parse(text, &end, &number) || *end || number < 1 || number > 16 << 20)
		return wrong("%s %s: a number from 1 to %d", option, text, 16 << 20);
	*entries = (uint32_t)number;
	return -1;
}

static int set_watch(struct options *options, const char *text)
{
	options->watch_node = !strcmp(text, "node");
	if (!options->watch_node && strcmp(text, "cluster"))
		return wrong("--watch %s: cluster or node", text);
	return -1;
}

static int set_sort(struct options *options, const char *text)
{
	static const char *const keys[SORTS] = {
		[SORT_CONNECTIONS] = "connections",
		[SORT_REQUESTS] = "requests",
		[SORT_P50] = "p50",
		[SORT_P99] = "p99",
		[SORT_OPEN] = "open",
		[SORT_LAST] = "last",
		[SORT_NAME] = "name",
	};

	for (size_t i = 0; i < SORTS; i++) {
		if (!strcmp(text, keys[i])) {
			options->sort = (enum report_sort)i;
			return -1;
		}
	}
	return wrong("--sort %s: connections, requests, p50, p99, open, last or name", text);
}

/* Forces a lesser hook than the best, so that tests can try each one on one kernel. */
static int set_accept_hook(struct options *options, const char *text)
{
	if (strcmp(text, "fexit") && strcmp(text, "kretprobe") && strcmp(text, "syscall") &&
	    strcmp(text, "none"))
		return wrong("--accept-hook %s: fexit, kretprobe, syscall or none", text);
	options->accept_hook = text;
	return -1;
}

static int add_ignore(struct options *options, const char *text)
{
	char problem[256];

	if (ignore_add(&options->ignore, text, problem, sizeof(problem)))
		return wrong("--ignore %s: %s", text, problem);
	return -1;
}

static int take(struct options *options, int option, const char *text, char **argv)
{
	switch (option) {
	case PORT:
		return set_port(options, text);
	case ADDRESS:
		return add_address(options, text);
	case 'n':
		options->namespace = text;
		return -1;
	case 'l':
		options->selector = text;
		return -1;
	case PODS:
		options->pods = text;
		return -1;
	case KUBECONFIG:
		options->kubeconfig = text;
		return -1;
	case CONTEXT:
		options->context = text;
		return -1;
	case NODE:
		options->node = text;
		return -1;
	case WATCH:
		return set_watch(options, text);
	case FOR:
		return set_duration(&options->for_ns, "--for", text);
	case 'o':
		return set_output(options, text);
	case MAX_CALLERS:
		return set_entries(&options->max_callers, "--max-callers", text);
	case MAX_CONNECTIONS:
		return set_entries(&options->max_connections, "--max-connections", text);
	case RING_SIZE:
		return set_ring_size(options, text);
	case BTF:
		options->btf = text;
		return -1;
	case ACCEPT_HOOK:
		return set_accept_hook(options, text);
	case 'v':
		options->verbose = true;
		return -1;
	case 'h':
		help_print(stdout, options->of);
		return command_finish(stdout);
	case SORT:
		return set_sort(options, text);
	case TOP:
		return set_entries(&options->top, "--top", text);
	case ALLOW_IDLE:
		options->allow_idle = true;
		return -1;
	case COUNT_PROBES:
		options->count_probes = true;
		return -1;
	case IGNORE:
		return add_ignore(options, text);
	case FAIL_FAST:
		options->fail_fast = true;
		return -1;
	case EVIDENCE:
		if (!*text)
			return wrong("--evidence: give the name of a file");
		options->evidence = text;
		return -1;
	case ALL_SERVICES:
		options->all_services = true;
		return -1;
	case LISTEN_AT:
		options->listen = text;
		return -1;
	case TLS_CERT:
		options->tls_cert = text;
		return -1;
	case TLS_KEY:
		options->tls_key = text;
		return -1;
	case STATE:
		options->state = text;
		return -1;
	case STALE:
		return set_duration(&options->stale_ns, "--stale", text);
	case MAX_SERIES_OF:
		return set_entries(&options->max_series, "--max-series", text);
	case BY_ADDRESS:
		options->by_address = true;
		return -1;
	case SERVICE_GRAPH:
		options->service_graph = true;
		return -1;
	case ':':
		return wrong("%s needs a value", argv[optind - 1]);
	default:
		/* optopt is 0 for an unknown long option, the unknown letter of a short one (maybe
		 * of several in one), and a known one's for a long option that was given a value */
		if (optopt == 'v' || optopt == 'h')
			return wrong("%s: it takes no value", argv[optind - 1]);
		if (optopt)
			return wrong("there is no option -%c", optopt);
		return wrong("there is no option %s", argv[optind - 1]);
	}
}

/* Whether it can be reached from beyond this machine: then it takes TLS and a token. */
static bool listens_beyond(const char *listen)
{
	const char *colon = strrchr(listen, ':');
	char host[ADDRESS_TEXT] = "";
	struct address address;
	size_t length = colon ? (size_t)(colon - listen) : 0;

	if (length >= 2 && listen[0] == '[' && listen[length - 1] == ']') {
		listen++;
		length -= 2;
	}
	if (length < sizeof(host))
		memcpy(host, listen, length);
	return address_parse(host, &address) || !address_is_loopback(&address);
}

/* What is right by itself but not together. */
static int check_agent(struct options *options)
{
	if (options->target)
		return wrong("what is '%s'? Services are watched that have the annotation "
			     "whocalls.dev/watch: \"true\", or -l SELECTOR, or --all-services",
			     options->target);
	if (options->all_services && options->selector)
		return wrong("--all-services and -l %s: one of them", options->selector);
	if (!options->tls_cert != !options->tls_key)
		return wrong("--tls-cert and --tls-key: one needs the other");
	options->listens_beyond = listens_beyond(options->listen);
	return -1;
}

static int check(const struct options *options)
{
	const char *named = options->target ? options->target : options->selector;

	if (options->target && options->selector)
		return wrong("%s and -l %s: one target at a time", options->target,
			     options->selector);
	if (!named && !options->port)
		return wrong("no target: give svc/NAME, deploy/NAME ... with -n, or --port N");
	if (options->selector && !options->port)
		return wrong("-l %s: say which port it is, with --port N", options->selector);
	if (options->selector && options->pods)
		return wrong("-l %s is for the API to answer; leave --pods out", options->selector);
	if (named && options->n_addresses)
		return wrong("--address goes with --port alone; %s has its own addresses", named);
	if (options->namespace && !named)
		return wrong("-n goes with a target such as svc/NAME");
	if (options->pods && (options->kubeconfig || options->context || options->watch_node))
		return wrong("--pods is in place of the API: it does not go with --kubeconfig, "
			     "--context or --watch");
	return -1;
}

static enum options_of command_of(const char *name)
{
	return !strcmp(name, "verify")  ? OPTIONS_VERIFY
	       : !strcmp(name, "agent") ? OPTIONS_AGENT
					: OPTIONS_TRACE;
}

int options_parse(struct options *options, int argc, char **argv)
{
	static const struct option *const tables[] = {
		[OPTIONS_TRACE] = trace_options,
		[OPTIONS_VERIFY] = verify_options,
		[OPTIONS_AGENT] = agent_options,
	};
	int option, status = -1;

	*options = (struct options){.command = argv[0],
				    .of = command_of(argv[0]),
				    .ring_size = 4 << 20,
				    .max_callers = 16384,
				    .max_connections = 65536,
				    .listen = LISTEN,
				    .stale_ns = STALE_NS,
				    .max_series = MAX_SERIES};
	if (options->of == OPTIONS_VERIFY)
		options->for_ns = VERIFY_NS;
	command = options->command;
	opterr = 0;
	optind = 0; /* glibc: begin anew, whatever was read before */
	while (status < 0 &&
	       (option = getopt_long(argc, argv, ":n:l:o:vh", tables[options->of], NULL)) >= 0)
		status = take(options, option, optarg, argv);
	if (status >= 0)
		return status;
	if (optind < argc)
		options->target = argv[optind++];
	if (optind < argc)
		return wrong("one target at a time: what is '%s'?", argv[optind]);
	return options->of == OPTIONS_AGENT ? check_agent(options) : check(options);
}

void options_deinit(struct options *options)
{
	free(options->addresses);
	options->addresses = NULL;
	ignore_deinit(&options->ignore);
}
