/* SPDX-License-Identifier: MIT */
/* Options, the loop, and the file with what was told. See api.h. */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "api.h"

#define TICK_MS 5

static const char usage_text[] =
	"usage: whocalls-api --port N --status FILE [options]\n"
	"\n"
	"Answers on 127.0.0.1 as a Kubernetes API server: lists and watches of pods and nodes, until\n"
	"SIGTERM. FILE is kept up to date with what was told. Pod N is app-(N/10)-5d4f8c7b9-(N in\n"
	"hexadecimal) in namespace team-(N/100), and has the Nth address. SIGUSR1 stalls the connections\n"
	"that there are, SIGUSR2 these and all that come: nothing is told there any more, and none ends.\n"
	"  --pods N           default 20\n"
	"  --nodes N          default 2\n"
	"  --address ADDRESS  of the first pod; default 100.96.0.2\n"
	"  --page N           pods of a page, at most; default: as many as asked for\n"
	"  --late N           so many more pods come by the first events of the watch\n"
	"  --events N         of the watch, in all; default: the late ones\n"
	"  --rate N           of these a second, from the first watch on; default 100\n"
	"  --objects FOLDER   Services and EndpointSlices (v1) are those of FOLDER/services/*.json and\n"
	"                     FOLDER/endpointslices/*.json, one in each file, as these come, change and go\n"
	"  --large BYTES      pod 1 is larger by so much\n"
	"  --retry-after S    with status 429 and 503; default 2\n"
	"  --odd NAME[:TIMES] answers so, the first so many times or always; may be given again\n";

struct api api = {
	.world = {.pods = 20, .nodes = 2, .address = 0x64600002, .large_pod = 1},
	.rate = 100,
	.retry_after = 2,
};
static const char *status_file;
static volatile sig_atomic_t ended, stalls, silent;

uint64_t clock_ns(int clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void on_signal(int number)
{
	if (number == SIGUSR1)
		stalls = 1;
	else if (number == SIGUSR2)
		silent = 1;
	else
		ended = 1;
}

static void status_write(void)
{
	static struct told written;
	static uint64_t odd_written = UINT64_MAX;
	const struct told *told = &api.told;
	char path[4096];
	FILE *file;

	if (odd_written == odd_taken() && !memcmp(&written, told, sizeof(written)))
		return;
	snprintf(path, sizeof(path), "%s.new", status_file);
	file = fopen(path, "we");
	if (!file)
		err(EX_CANTCREAT, "%s", path);
	fprintf(file,
		"{\"lists\":%" PRIu64 ",\"complete\":%" PRIu64 ",\"nodes\":%" PRIu64
		",\"watches\":%" PRIu64 ",\"object_lists\":%" PRIu64 ",\"object_watches\":%" PRIu64
		",\"object_events\":%" PRIu64 ",\"others\":%" PRIu64 ",\"odd\":%" PRIu64
		",\"early\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"last_byte_ns\":%" PRIu64
		",\"due\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"behind\":%" PRIu64
		",\"events_ns\":%" PRIu64 "}\n",
		told->lists, told->complete, told->nodes, told->watches, told->object_lists,
		told->object_watches, told->object_events, told->others, odd_taken(), told->early,
		told->bytes, told->last_byte, told->due, told->sent, told->behind,
		told->last_event ? told->last_event - told->first_event : 0);
	if (fclose(file) || rename(path, status_file))
		err(EX_IOERR, "%s", path);
	written = *told;
	odd_written = odd_taken();
}

static uint64_t count(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (!*text || *end)
		errx(EX_USAGE, "%s is no number", text);
	return n;
}

static uint16_t parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'},
		{"status", required_argument, NULL, 's'},
		{"pods", required_argument, NULL, 'n'},
		{"nodes", required_argument, NULL, 'm'},
		{"page", required_argument, NULL, 'g'},
		{"address", required_argument, NULL, 'a'},
		{"late", required_argument, NULL, 'l'},
		{"events", required_argument, NULL, 'e'},
		{"rate", required_argument, NULL, 'r'},
		{"large", required_argument, NULL, 'b'},
		{"objects", required_argument, NULL, 'f'},
		{"odd", required_argument, NULL, 'o'},
		{"retry-after", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	uint64_t port = 0;
	struct in_addr address;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'p':
			port = count(optarg);
			break;
		case 's':
			status_file = optarg;
			break;
		case 'n':
			api.world.pods = count(optarg);
			break;
		case 'm':
			api.world.nodes = count(optarg);
			break;
		case 'g':
			api.page = count(optarg);
			break;
		case 'a':
			if (inet_pton(AF_INET, optarg, &address) != 1)
				errx(EX_USAGE, "%s is no address", optarg);
			api.world.address = ntohl(address.s_addr);
			break;
		case 'l':
			api.world.late = count(optarg);
			break;
		case 'e':
			api.world.events = count(optarg);
			break;
		case 'r':
			api.rate = count(optarg);
			break;
		case 'b':
			api.world.large = count(optarg);
			break;
		case 'f':
			folder_open(optarg);
			break;
		case 't':
			api.retry_after = (int)count(optarg);
			break;
		case 'o':
			if (!odd_parse(optarg))
				errx(EX_USAGE, "nothing is odd like %s", optarg);
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(EX_OK);
		default:
			exit(EX_USAGE);
		}
	}
	if (optind != argc || port < 1 || port > UINT16_MAX || !status_file)
		errx(EX_USAGE, "see --help");
	if (api.world.events < api.world.late)
		api.world.events = api.world.late;
	return (uint16_t)port;
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 64))
		err(EX_OSERR, "listening on port %u", port);
	return fd;
}

int main(int argc, char **argv)
{
	int listener = listen_on(parse(argc, argv)), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[64], event = {.events = EPOLLIN};
	uint64_t ticked = 0;

	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event))
		err(EX_OSERR, "epoll");
	while (!ended) {
		int n = epoll_wait(epoll, events, 64, TICK_MS);

		api.silent = silent;
		if (stalls || silent)
			http_stall();
		stalls = 0;
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				http_ready(events[i].data.ptr, events[i].events);
			else
				http_open(epoll, listener);
		}
		if (clock_ns(CLOCK_MONOTONIC) - ticked < TICK_MS * UINT64_C(1000000))
			continue;
		ticked = clock_ns(CLOCK_MONOTONIC);
		folder_tick();
		http_tick();
		status_write();
	}
	status_write();
	return EX_OK;
}
