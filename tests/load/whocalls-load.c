/* SPDX-License-Identifier: MIT */
/* Options. See load.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "load.h"

static const char usage_text[] =
	"usage: whocalls-load server --port N [options]\n"
	"       whocalls-load client --to ADDRESS --port N --connections N [options]\n"
	"\n"
	"Makes TCP connections and counts them exactly. Each side prints one line of JSON at its end.\n"
	"A FILE that is waited for only has to exist; one that is announced is made empty.\n"
	"\n"
	"server: listens until SIGTERM or SIGINT, takes what is still queued, prints its counters\n"
	"  --port N             to listen on\n"
	"  --address ADDRESS    to listen on; default: any\n"
	"  --family 4|6|46      46: an IPv6 socket that takes IPv4 too, as IPv4-mapped; default 4\n"
	"  --mptcp              ask for protocol 262\n"
	"  --backlog N          of listen(); default 4096\n"
	"  --accept yes|no|N    N: the first N connections, then no more; default yes\n"
	"  --accept-when FILE   accept nothing before FILE exists\n"
	"  --defer-accept S     TCP_DEFER_ACCEPT: a connection without data is completed after S seconds\n"
	"  --fastopen           takes data with the SYN, if net.ipv4.tcp_fastopen lets it\n"
	"  --hand-over SOCKET   who connects there is given the listener (SCM_RIGHTS); this process goes\n"
	"                       on with what it has accepted, and accepts no more\n"
	"  --take-over SOCKET   the listener is given there, instead of opened; --port is of no use then\n"
	"  --threads N          default 1\n"
	"  --blocking           threads that wait in accept() and serve one connection each; the\n"
	"                       counters are exact once all clients have ended\n"
	"  --mode MODE          default sink\n"
	"        http           answers what ends in an empty line; honours Connection: close, and with\n"
	"                       --blocking Content-Length and Expect: 100-continue\n"
	"        echo           returns what it reads\n"
	"        sink           reads\n"
	"        hold           reads nothing; closes when the client does\n"
	"  --response BYTES     length of the body in http mode; default 3\n"
	"  --read BYTES         at most so many at a time; this and what follows: --blocking, http or echo,\n"
	"                       where turns are counted and timed, too\n"
	"  --read-by HOW        recv, peek (and then recv), splice or io_uring\n"
	"  --write-by HOW       send, sendfile, splice, io_uring or thread: another one for each write\n"
	"  --greet              the server writes first\n"
	"  --early              answers before it has read the body of the request\n"
	"  --answer-when FILE   answers nothing before FILE exists\n"
	"  --delay US[,US...]   from the read to the answer; taken in turn\n"
	"  --chunks N           the answer in so many writes; default 1\n"
	"  --pause US           between these, and between peek and recv\n"
	"  --ready FD|FILE      announced when listening\n"
	"  --status FILE        kept up to date with the counters while running\n"
	"\n"
	"client: tries each of N connections once and prints how they went\n"
	"  --to ADDRESS --port N\n"
	"  --connections N      default 1\n"
	"  --from-port N        the client's own port\n"
	"  --from ADDRESS[,…]   source addresses, taken in turn\n"
	"  --from-base ADDRESS  first of --from-count N source addresses in a row; default 256\n"
	"  --mptcp              ask for protocol 262\n"
	"  --fastopen           send with the SYN, if net.ipv4.tcp_fastopen lets it; needs --mode close\n"
	"                       and --send\n"
	"  --rate N             connections a second; default: as fast as possible\n"
	"  --every MS           instead: a connection every so many milliseconds\n"
	"  --own-port N         listen there too, as a kubelet does; --listening FILE announces it\n"
	"  --concurrency N      connections under way at a time, held ones aside; default 64\n"
	"  --mode MODE          default open\n"
	"        open           connect, send FIN, wait for the server's FIN: never more under way\n"
	"                       than --concurrency, so the accept queue can't overflow\n"
	"        close          the same with --send bytes before the FIN\n"
	"        http           GET and its answer, --requests-per-connection times; one request\n"
	"                       alone asks for Connection: close and the server ends it\n"
	"        reset          RST right after the handshake, without waiting for accept\n"
	"        fastclose      --send bytes and close, without waiting for the server\n"
	"        hold           connect, and wait for --hold-until FILE (or SIGTERM) to close\n"
	"  --requests-per-connection N   default 1\n"
	"  --body BYTES         http: of each request\n"
	"  --expect             http: the body waits for 100 Continue\n"
	"  --pipeline N         http: so many requests are sent at once, then their answers are read\n"
	"  --hold-after N       http: after N requests on each connection wait for --hold-until FILE\n"
	"  --end fin|half|reset http, at the end of a connection: FIN after the last answer, FIN after\n"
	"                       the last request, RST after the last answer; default fin\n"
	"  --piece BYTES        sends so many at a time, each time a segment\n"
	"  --send BYTES         on each connection\n"
	"  --send-first BYTES   hold: sent and acknowledged before --ready\n"
	"  --send-on FILE       hold: send when FILE exists; default: at once\n"
	"  --sent FD|FILE       hold: announced when all that was sent is acknowledged\n"
	"  --ready FD|FILE      announced when each connection is made or has failed\n"
	"  --go FILE            don't connect before FILE exists\n"
	"  --go-line FILE:TEXT  nor before FILE has a line that begins with TEXT\n"
	"  --after MS           nor before so long after that\n"
	"  --times FILE         for each connection, at its end, a line of\n"
	"                         connection BEGUN DONE ENDED connected|refused|failed\n"
	"                       in nanoseconds of CLOCK_MONOTONIC: connect(), end of the handshake, close;\n"
	"                       for what is sent on held ones  send BEGUN ACKNOWLEDGED\n"
	"                       and before all that  clock MONOTONIC REALTIME\n"
	"  --hold-until FILE\n"
	"  --timeout MS         for the handshake, and then for the exchange; default 10000\n"
	"  --pid-name NAME      name of the process (comm)\n"
	"Exit status 3: not every connection was made and ended as asked; the JSON tells.\n";

static uint64_t number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < min || value > max)
		errx(EX_USAGE, "--%s %s: want a number from %llu to %llu", option, text,
		     (unsigned long long)min, (unsigned long long)max);
	return value;
}

/* Position of text in the NULL-ended list of words. */
static int word(const char *option, const char *text, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(text, words[i]))
			return i;
	errx(EX_USAGE, "--%s %s: no such mode", option, text);
}

static void source_add(struct client_options *options, const char *text)
{
	options->from = reallocarray(options->from, options->n_from + 1, sizeof(*options->from));
	if (!options->from)
		err(EX_OSERR, "memory");
	if (!address_fill(&options->from[options->n_from++], text, 0))
		errx(EX_USAGE, "%s: not an address", text);
}

/* The next address, as a number. */
static void address_increment(struct sockaddr_storage *address)
{
	uint8_t *byte = address->ss_family == AF_INET6
				? ((struct sockaddr_in6 *)address)->sin6_addr.s6_addr
				: (uint8_t *)&((struct sockaddr_in *)address)->sin_addr;
	int i = address->ss_family == AF_INET6 ? 16 : 4;

	while (i-- > 0 && ++byte[i] == 0)
		;
}

static void source_range(struct client_options *options, const char *base, uint64_t count)
{
	source_add(options, base);
	options->from = reallocarray(options->from, count, sizeof(*options->from));
	if (!options->from)
		err(EX_OSERR, "memory");
	for (; options->n_from < count; options->n_from++) {
		options->from[options->n_from] = options->from[options->n_from - 1];
		address_increment(&options->from[options->n_from]);
	}
}

static void delays_add(struct server_options *options, char *text)
{
	char *save = NULL;

	for (char *us = strtok_r(text, ",", &save); us; us = strtok_r(NULL, ",", &save)) {
		options->delays = reallocarray(options->delays, options->n_delays + 1,
					       sizeof(*options->delays));
		if (!options->delays)
			err(EX_OSERR, "memory");
		options->delays[options->n_delays++] = number("delay", us, 0, 60000000);
	}
}

static int server_main(int argc, char **argv)
{
	static const char *const modes[] = {"sink", "http", "echo", "hold", NULL};
	static const char *const reads[] = {"recv", "peek", "splice", "io_uring", NULL};
	static const char *const writes[] = {"send",     "sendfile", "splice",
					     "io_uring", "thread",   NULL};
	static const struct option table[] = {
		{"port", required_argument, NULL, 'p'},
		{"address", required_argument, NULL, 'a'},
		{"family", required_argument, NULL, 'f'},
		{"mptcp", no_argument, NULL, 'M'},
		{"backlog", required_argument, NULL, 'b'},
		{"accept", required_argument, NULL, 'A'},
		{"accept-when", required_argument, NULL, 'w'},
		{"defer-accept", required_argument, NULL, 'd'},
		{"fastopen", no_argument, NULL, 'F'},
		{"hand-over", required_argument, NULL, 'h'},
		{"take-over", required_argument, NULL, 'T'},
		{"threads", required_argument, NULL, 't'},
		{"blocking", no_argument, NULL, 'B'},
		{"mode", required_argument, NULL, 'm'},
		{"response", required_argument, NULL, 'R'},
		{"read", required_argument, NULL, 'n'},
		{"read-by", required_argument, NULL, 'i'},
		{"write-by", required_argument, NULL, 'o'},
		{"greet", no_argument, NULL, 'g'},
		{"early", no_argument, NULL, 'e'},
		{"answer-when", required_argument, NULL, 'W'},
		{"delay", required_argument, NULL, 'D'},
		{"chunks", required_argument, NULL, 'c'},
		{"pause", required_argument, NULL, 'P'},
		{"ready", required_argument, NULL, 'r'},
		{"status", required_argument, NULL, 's'},
		{0},
	};
	struct server_options options = {.family = 4,
					 .backlog = 4096,
					 .threads = 1,
					 .accept_limit = UINT64_MAX,
					 .response = 3,
					 .read = SIZE_MAX,
					 .chunks = 1};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 'p':
			options.port = number("port", optarg, 1, 65535);
			break;
		case 'a':
			options.address = optarg;
			break;
		case 'f':
			options.family = number("family", optarg, 4, 46);
			if (options.family != 4 && options.family != 6 && options.family != 46)
				errx(EX_USAGE, "--family %s: want 4, 6 or 46", optarg);
			break;
		case 'M':
			options.mptcp = true;
			break;
		case 'b':
			options.backlog = number("backlog", optarg, 0, 1 << 20);
			break;
		case 'A':
			if (!strcmp(optarg, "yes"))
				options.accept_limit = UINT64_MAX;
			else if (!strcmp(optarg, "no"))
				options.accept_limit = 0;
			else
				options.accept_limit = number("accept", optarg, 0, UINT64_MAX - 1);
			break;
		case 'w':
			options.accept_when = optarg;
			break;
		case 'd':
			options.defer = number("defer-accept", optarg, 1, 3600);
			break;
		case 'F':
			options.fastopen = true;
			break;
		case 'h':
			options.hand_over = optarg;
			break;
		case 'T':
			options.take_over = optarg;
			break;
		case 't':
			options.threads = number("threads", optarg, 1, 1024);
			break;
		case 'B':
			options.blocking = true;
			break;
		case 'm':
			options.mode = word("mode", optarg, modes);
			break;
		case 'R':
			options.response = number("response", optarg, 0, 1 << 24);
			break;
		case 'n':
			options.read = number("read", optarg, 1, SIZE_MAX);
			break;
		case 'i':
			options.read_by = word("read-by", optarg, reads);
			break;
		case 'o':
			options.write_by = word("write-by", optarg, writes);
			break;
		case 'g':
			options.greet = true;
			break;
		case 'e':
			options.early = true;
			break;
		case 'W':
			options.answer_when = optarg;
			break;
		case 'D':
			delays_add(&options, optarg);
			break;
		case 'c':
			options.chunks = number("chunks", optarg, 1, 1000);
			break;
		case 'P':
			options.pause = number("pause", optarg, 0, 60000000);
			break;
		case 'r':
			options.ready = optarg;
			break;
		case 's':
			options.status = optarg;
			break;
		default:
			return EX_USAGE;
		}
	}
	if (optind < argc)
		errx(EX_USAGE, "%s: not understood", argv[optind]);
	if (!options.port)
		errx(EX_USAGE, "--port is missing");
	if (options.blocking && (options.hand_over || options.take_over))
		errx(EX_USAGE, "threads that wait in accept() share their listener with nobody");
	return server_run(&options);
}

static int client_main(int argc, char **argv)
{
	static const char *const modes[] = {"open", "close",     "http", "reset",
					    "hold", "fastclose", NULL};
	static const char *const ends[] = {"fin", "half", "reset", NULL};
	static const struct option table[] = {
		{"to", required_argument, NULL, 't'},
		{"port", required_argument, NULL, 'p'},
		{"mptcp", no_argument, NULL, 'M'},
		{"from", required_argument, NULL, 'f'},
		{"from-base", required_argument, NULL, 'b'},
		{"from-count", required_argument, NULL, 'c'},
		{"connections", required_argument, NULL, 'n'},
		{"rate", required_argument, NULL, 'R'},
		{"every", required_argument, NULL, 'e'},
		{"from-port", required_argument, NULL, 'P'},
		{"own-port", required_argument, NULL, 'O'},
		{"listening", required_argument, NULL, 'L'},
		{"concurrency", required_argument, NULL, 'C'},
		{"requests-per-connection", required_argument, NULL, 'q'},
		{"body", required_argument, NULL, 'B'},
		{"expect", no_argument, NULL, 'E'},
		{"pipeline", required_argument, NULL, 'w'},
		{"hold-after", required_argument, NULL, 'h'},
		{"end", required_argument, NULL, 'd'},
		{"piece", required_argument, NULL, 'k'},
		{"send", required_argument, NULL, 's'},
		{"send-first", required_argument, NULL, 'F'},
		{"mode", required_argument, NULL, 'm'},
		{"timeout", required_argument, NULL, 'T'},
		{"fastopen", no_argument, NULL, 'x'},
		{"go", required_argument, NULL, 'g'},
		{"go-line", required_argument, NULL, 'l'},
		{"after", required_argument, NULL, 'a'},
		{"times", required_argument, NULL, 'i'},
		{"ready", required_argument, NULL, 'r'},
		{"send-on", required_argument, NULL, 'o'},
		{"sent", required_argument, NULL, 'S'},
		{"hold-until", required_argument, NULL, 'u'},
		{"pid-name", required_argument, NULL, 'N'},
		{0},
	};
	struct client_options options = {.connections = 1,
					 .concurrency = 64,
					 .requests = 1,
					 .pipeline = 1,
					 .hold_after = UINT64_MAX,
					 .timeout_ms = 10000};
	const char *base = NULL;
	uint64_t count = 256;
	char *save = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 't':
			options.to = optarg;
			break;
		case 'p':
			options.port = number("port", optarg, 1, 65535);
			break;
		case 'M':
			options.mptcp = true;
			break;
		case 'f':
			for (char *from = strtok_r(optarg, ",", &save); from;
			     from = strtok_r(NULL, ",", &save))
				source_add(&options, from);
			break;
		case 'b':
			base = optarg;
			break;
		case 'c':
			count = number("from-count", optarg, 1, 65536);
			break;
		case 'n':
			options.connections = number("connections", optarg, 0, UINT32_MAX);
			break;
		case 'R':
			options.rate = number("rate", optarg, 1, 10000000);
			break;
		case 'e':
			options.every_ms = number("every", optarg, 1, 3600000);
			break;
		case 'P':
			options.from_port = number("from-port", optarg, 1, 65535);
			break;
		case 'O':
			options.own_port = number("own-port", optarg, 1, 65535);
			break;
		case 'L':
			options.listening = optarg;
			break;
		case 'C':
			options.concurrency = number("concurrency", optarg, 1, 1 << 20);
			break;
		case 'q':
			options.requests = number("requests-per-connection", optarg, 1, UINT32_MAX);
			break;
		case 'B':
			options.body = number("body", optarg, 1, UINT32_MAX);
			break;
		case 'E':
			options.expect = true;
			break;
		case 'w':
			options.pipeline = number("pipeline", optarg, 1, 1000);
			break;
		case 'h':
			options.hold_after = number("hold-after", optarg, 0, UINT32_MAX);
			break;
		case 'd':
			options.end = word("end", optarg, ends);
			break;
		case 'k':
			options.piece = number("piece", optarg, 1, UINT32_MAX);
			break;
		case 's':
			options.send = number("send", optarg, 0, UINT32_MAX);
			break;
		case 'F':
			options.send_first = number("send-first", optarg, 0, UINT32_MAX);
			break;
		case 'm':
			options.mode = word("mode", optarg, modes);
			break;
		case 'T':
			options.timeout_ms = number("timeout", optarg, 1, 3600000);
			break;
		case 'g':
			options.go = optarg;
			break;
		case 'x':
			options.fastopen = true;
			break;
		case 'l':
			options.go_line = optarg;
			break;
		case 'a':
			options.after_ms = number("after", optarg, 0, 3600000);
			break;
		case 'i':
			options.times = optarg;
			break;
		case 'r':
			options.ready = optarg;
			break;
		case 'o':
			options.send_on = optarg;
			break;
		case 'S':
			options.sent = optarg;
			break;
		case 'u':
			options.hold_until = optarg;
			break;
		case 'N':
			prctl(PR_SET_NAME, optarg);
			break;
		default:
			return EX_USAGE;
		}
	}
	if (optind < argc)
		errx(EX_USAGE, "%s: not understood", argv[optind]);
	if (!options.to || !options.port)
		errx(EX_USAGE, "--to and --port are needed");
	if (options.send_first && options.mode != CLIENT_HOLD)
		errx(EX_USAGE, "--send-first goes with --mode hold");
	if (options.fastopen && (options.mode != CLIENT_CLOSE || !options.send))
		errx(EX_USAGE, "--fastopen goes with --mode close and --send");
	if (options.expect && (!options.body || options.pipeline > 1))
		errx(EX_USAGE, "--expect goes with --body, and without --pipeline");
	if (base && options.n_from)
		errx(EX_USAGE, "--from and --from-base exclude each other");
	if (base)
		source_range(&options, base, count);
	c = client_run(&options);
	free(options.from);
	return c;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (argc >= 2 && !strcmp(argv[1], "server"))
		return server_main(argc - 1, argv + 1);
	if (argc >= 2 && !strcmp(argv[1], "client"))
		return client_main(argc - 1, argv + 1);
	if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
		fputs(usage_text, stdout);
		return 0;
	}
	fputs(usage_text, stderr);
	return EX_USAGE;
}
