/* SPDX-License-Identifier: MIT */
/* The command line of `whocalls trace`: every option, and every error with its status. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../../user/command/options.h"
#include "../../user/command/parse.h"

#define SECOND UINT64_C(1000000000)
#define ARGUMENTS 24

/* What went to standard output or standard error while the options were read. */
static char said[8192];

/* Splits the line at its spaces. "''" is an empty argument. */
static int split(char *line, char **argv)
{
	int argc = 0;

	argv[argc++] = (char *)"trace";
	for (char *at = strtok(line, " "); at && argc < ARGUMENTS; at = strtok(NULL, " "))
		argv[argc++] = strcmp(at, "''") ? at : (char *)"";
	argv[argc] = NULL;
	return argc;
}

/* The strings in *options point into `line`. */
static int parse(struct options *options, char *line)
{
	char *argv[ARGUMENTS + 1];
	int argc = split(line, argv), status;
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	FILE *file = tmpfile();
	size_t n;

	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	status = options_parse(options, argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	rewind(file);
	n = fread(said, 1, sizeof(said) - 1, file);
	said[n] = '\0';
	fclose(file);
	return status;
}

/* Parses `text` into *o, with room for what *o points into; the scope is the test's. */
#define PARSE(o, text)                                                                             \
	char line_##o[] = text;                                                                    \
	struct options o;                                                                          \
	assert_int_equal(parse(&o, line_##o), -1);                                                 \
	assert_string_equal(said, "")

static void assert_refused(const char *text, const char *part)
{
	char *line = strdup(text);
	struct options options;
	int status;

	assert_non_null(line);
	status = parse(&options, line);
	if (status != EX_USAGE || !strstr(said, part))
		print_error("for '%s'\ngot %d: %swant: %s\n", text, status, said, part);
	assert_int_equal(status, EX_USAGE);
	assert_non_null(strstr(said, part));
	/* one sentence: who says it, what is wrong, what to do */
	assert_memory_equal(said, "whocalls trace: ", 16);
	assert_string_equal(strchr(said, ';') ? strrchr(said, ';') : said,
			    "; see `whocalls trace --help`\n");
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	options_deinit(&options);
	options_deinit(&options);
	free(line);
}

static void defaults(void **state)
{
	PARSE(o, "--port 3000");

	(void)state;
	assert_int_equal(o.port, 3000);
	assert_null(o.target);
	assert_null(o.namespace);
	assert_int_equal(o.n_addresses, 0);
	assert_null(o.pods);
	assert_int_equal(o.for_ns, 0);
	assert_int_equal(o.output, OUTPUT_TABLE);
	assert_int_equal(o.ring_size, 4 << 20);
	assert_int_equal(o.max_callers, 16384);
	assert_null(o.btf);
	assert_null(o.accept_hook);
	assert_false(o.verbose);
	assert_int_equal(o.sort, SORT_CONNECTIONS);
	assert_int_equal(o.top, 0);
	options_deinit(&o);
}

static void all_together(void **state)
{
	PARSE(o, "--port 80 -n buffer --pods pods.json --for 10m -o wide --max-callers 5 "
		 "--ring-size 64k --btf btf -v deploy/a");

	(void)state;
	assert_int_equal(o.port, 80);
	assert_string_equal(o.target, "deploy/a");
	assert_string_equal(o.namespace, "buffer");
	assert_string_equal(o.pods, "pods.json");
	assert_int_equal(o.for_ns, 600 * SECOND);
	assert_int_equal(o.output, OUTPUT_WIDE);
	assert_int_equal(o.max_callers, 5);
	assert_int_equal(o.ring_size, 65536);
	assert_string_equal(o.btf, "btf");
	assert_true(o.verbose);
}

static void ports(void **state)
{
	PARSE(one, "--port 1");
	PARSE(zeros, "--port=00080");
	PARSE(last, "--port 1 --port 2");

	(void)state;
	assert_int_equal(one.port, 1);
	assert_int_equal(zeros.port, 80);
	assert_int_equal(last.port, 2);
	assert_refused("--port 0", "--port 0: a TCP port is a number from 1 to 65535");
	assert_refused("--port 65536", "--port 65536: ");
	assert_refused("--port -1", "--port -1: ");
	assert_refused("--port +1", "--port +1: ");
	assert_refused("--port 80x", "--port 80x: ");
	assert_refused("--port 0x50", "--port 0x50: ");
	assert_refused("--port ''", "--port : ");
	assert_refused("--port http", "--port http: ");
	assert_refused("--port 99999999999999999999", "--port 99999999999999999999: ");
	assert_refused("--port", "--port needs a value");
}

static void addresses(void **state)
{
	PARSE(o, "--port 1 --address 192.0.2.1 --address fd00::1 --address=::ffff:192.0.2.2");
	char text[ADDRESS_TEXT];

	(void)state;
	assert_int_equal(o.n_addresses, 3);
	assert_string_equal(address_format(&o.addresses[0], text), "192.0.2.1");
	assert_string_equal(address_format(&o.addresses[1], text), "fd00::1");
	assert_string_equal(address_format(&o.addresses[2], text), "192.0.2.2");
	options_deinit(&o);
	assert_null(o.addresses);
	assert_refused("--port 1 --address 192.0.2", "--address 192.0.2: not an IPv4 or IPv6");
	assert_refused("--port 1 --address fe80::1%eth0", "--address fe80::1%eth0: not an");
	assert_refused("--port 1 --address 192.0.2.1 --address localhost", "localhost: not an");
	assert_refused("--port 1 --address ::", "--address ::: that is every address");
	assert_refused("--port 1 --address 0.0.0.0", "0.0.0.0: that is every address");
	assert_refused("--port 1 --address ::ffff:0.0.0.0", "that is every address");
	assert_refused("--port 1 --address ''", "--address : not an");
	assert_refused("--address", "--address needs a value");
	assert_refused("--address 192.0.2.1", "no target");
}

static void targets(void **state)
{
	PARSE(o, "-n buffer deploy/session-service --pods pods.json");
	PARSE(mixed, "--pods=- deploy/a --port 80 --namespace=core");
	PARSE(dashed, "--pods p -- -x");

	(void)state;
	assert_string_equal(o.target, "deploy/session-service");
	assert_string_equal(o.namespace, "buffer");
	assert_string_equal(o.pods, "pods.json");
	assert_int_equal(o.port, 0);
	assert_string_equal(mixed.target, "deploy/a");
	assert_string_equal(mixed.namespace, "core");
	assert_string_equal(mixed.pods, "-");
	assert_int_equal(mixed.port, 80);
	assert_string_equal(dashed.target, "-x");
	assert_refused("", "no target: give svc/NAME, deploy/NAME ... with -n, or --port N");
	assert_refused("--pods p", "no target");
	assert_refused("deploy/a -l app=a --port 1", "deploy/a and -l app=a: one target at a time");
	assert_refused("-l app=a", "-l app=a: say which port it is");
	assert_refused("-l app=a --port 1 --pods p", "leave --pods out");
	assert_refused("svc/a --pods p --kubeconfig k", "--pods is in place of the API");
	assert_refused("svc/a --watch pods", "--watch pods: cluster or node");
	assert_refused("deploy/a deploy/b --pods p", "one target at a time: what is 'deploy/b'?");
	assert_refused("deploy/a --pods p --address 192.0.2.1", "--address goes with --port");
	assert_refused("-n buffer --port 1", "-n goes with a target");
	assert_refused("-n", "-n needs a value");
	assert_refused("--port 1 --namespace", "--namespace needs a value");
	assert_refused("deploy/a --pods", "--pods needs a value");
}

static void outputs(void **state)
{
	PARSE(table, "--port 1 -o table");
	PARSE(wide, "--port 1 -owide");
	PARSE(json, "--port 1 --output json");
	PARSE(jsonl, "--port 1 --output=jsonl");

	(void)state;
	assert_int_equal(table.output, OUTPUT_TABLE);
	assert_int_equal(wide.output, OUTPUT_WIDE);
	assert_int_equal(json.output, OUTPUT_JSON);
	assert_int_equal(jsonl.output, OUTPUT_JSONL);
	assert_refused("--port 1 -o yaml", "-o yaml: the formats are table, wide, json and jsonl");
	assert_refused("--port 1 -o JSON", "-o JSON: ");
	assert_refused("--port 1 -o ''", "-o : ");
	assert_refused("--port 1 -o", "-o needs a value");
}

static void limits(void **state)
{
	PARSE(o, "--port 1 --max-callers 1 --ring-size 4096 --for 1h30m");
	PARSE(most, "--port 1 --max-callers 16777216 --ring-size 1GiB --for 30d");

	(void)state;
	assert_int_equal(o.max_callers, 1);
	assert_int_equal(o.ring_size, 4096);
	assert_int_equal(o.for_ns, 5400 * SECOND);
	assert_int_equal(most.max_callers, 16 << 20);
	assert_int_equal(most.ring_size, 1 << 30);
	assert_int_equal(most.for_ns, 30 * 86400 * SECOND);
	assert_refused("--port 1 --max-callers 0", "--max-callers 0: a number from 1 to 16777216");
	assert_refused("--port 1 --max-callers 16777217", "--max-callers 16777217: ");
	assert_refused("--port 1 --max-callers 4294967297", "--max-callers 4294967297: ");
	assert_refused("--port 1 --max-callers 1k", "--max-callers 1k: ");
	assert_refused("--port 1 --ring-size 0", "--ring-size 0: a power of two from ");
	assert_refused("--port 1 --ring-size 2048", "--ring-size 2048: ");
	assert_refused("--port 1 --ring-size 5000", "--ring-size 5000: ");
	assert_refused("--port 1 --ring-size 2G", "--ring-size 2G: ");
	assert_refused("--port 1 --ring-size 4294971392", "--ring-size 4294971392: ");
	assert_refused("--port 1 --ring-size 4X", "--ring-size 4X: ");
	assert_refused("--port 1 --for 10", "--for 10: it has no unit");
	assert_refused("--port 1 --for soon", "--for soon: not a duration");
	assert_refused("--port 1 --for", "--for needs a value");
	assert_refused("--port 1 --max-callers", "--max-callers needs a value");
	assert_refused("--port 1 --ring-size", "--ring-size needs a value");
}

static void which_callers_first(void **state)
{
	static const char *const keys[] = {"connections", "requests", "p50", "p99",
					   "open",        "last",     "name"};
	PARSE(o, "--port 1 --sort p99 --top 20");
	PARSE(most, "--port 1 --top 16777216");

	(void)state;
	assert_int_equal(o.sort, SORT_P99);
	assert_int_equal(o.top, 20);
	assert_int_equal(most.top, 16 << 20);
	assert_int_equal(sizeof(keys) / sizeof(*keys), SORTS);
	for (size_t i = 0; i < SORTS; i++) {
		struct options options;
		char line[64];

		snprintf(line, sizeof(line), "--port 1 --sort %s", keys[i]);
		assert_int_equal(parse(&options, line), -1);
		assert_int_equal(options.sort, i);
	}
	assert_refused("--port 1 --sort REQ", "--sort REQ: connections, requests, p50, p99, open");
	assert_refused("--port 1 --sort ''", "--sort : ");
	assert_refused("--port 1 --sort", "--sort needs a value");
	assert_refused("--port 1 --top 0", "--top 0: a number from 1 to 16777216");
	assert_refused("--port 1 --top -1", "--top -1: ");
	assert_refused("--port 1 --top ten", "--top ten: ");
	assert_refused("--port 1 --top", "--top needs a value");
}

static void troubles(void **state)
{
	static const char *const hooks[] = {"fexit", "kretprobe", "syscall", "none"};
	PARSE(o, "--port 1 --btf /boot/btf -v");
	PARSE(verbose, "--port 1 --verbose");

	(void)state;
	assert_string_equal(o.btf, "/boot/btf");
	assert_true(o.verbose);
	assert_true(verbose.verbose);
	for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++) {
		struct options options;
		char line[64];

		snprintf(line, sizeof(line), "--port 1 --accept-hook %s", hooks[i]);
		assert_int_equal(parse(&options, line), -1);
		assert_string_equal(options.accept_hook, hooks[i]);
	}
	assert_refused("--port 1 --accept-hook best", "--accept-hook best: fexit, kretprobe,");
	assert_refused("--port 1 --accept-hook", "--accept-hook needs a value");
	assert_refused("--port 1 --btf", "--btf needs a value");
}

static void unknown_options(void **state)
{
	(void)state;
	assert_refused("--port 1 -x", "there is no option -x");
	assert_refused("--port 1 -vx", "there is no option -x");
	assert_refused("--verbose -xv", "there is no option -x");
	assert_refused("--port 1 --prot 1", "there is no option --prot");
	/* --port or --pods */
	assert_refused("--po 1", "there is no option --po");
	assert_refused("--port 1 --verbose=1", "--verbose=1: it takes no value");
	assert_refused("--help=trace", "--help=trace: it takes no value");
}

static void help(void **state)
{
	static const char *const lines[] = {"--help", "-h", "-vh", "--port 1 -h --port x"};
	static const char *const options[] = {
		"--port",      "--address", "--namespace", "--pods",
		"--for",       "-o ",       "jsonl",       "--max-callers",
		"--ring-size", "--btf",     "--verbose",   "--help",
		"deploy/N",    "-n",        "--sort KEY",  "--top N",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct options o;
		char line[64];

		snprintf(line, sizeof(line), "%s", lines[i]);
		assert_int_equal(parse(&o, line), EX_OK);
		assert_memory_equal(said, "Usage: whocalls trace ", 22);
		options_deinit(&o);
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		assert_non_null(strstr(said, options[i]));
	assert_null(strstr(said, "--accept-hook"));
}

/* --- durations and sizes --- */

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"1ms", 1000000},          {"500ms", 500000000},
		{"10s", 10 * SECOND},      {"5m", 300 * SECOND},
		{"2h", 7200 * SECOND},     {"1d", 86400 * SECOND},
		{"1h30m", 5400 * SECOND},  {"1d2h3m4s5ms", 93784 * SECOND + 5000000},
		{"90m", 5400 * SECOND},    {"0h1s", SECOND},
		{"1m1m", 120 * SECOND},    {"007s", 7 * SECOND},
		{"30d", 2592000 * SECOND}, {"2592000000ms", 2592000 * SECOND},
	};
	static const struct {
		const char *text;
		const char *problem;
	} bad[] = {
		{"", "not a duration"},
		{"s", "not a duration"},
		{"-1s", "not a duration"},
		{"+1s", "not a duration"},
		{" 1s", "not a duration"},
		{"1 s", "not a duration"},
		{"1s ", "not a duration"},
		{"1.5h", "not a duration"},
		{"1w", "not a duration"},
		{"1sm", "not a duration"},
		{"1S", "not a duration"},
		{"1m,1s", "not a duration"},
		{"0x1s", "not a duration"},
		{"10", "no unit"},
		{"1h30", "no unit"},
		{"0s", "no time at all"},
		{"0d0h", "no time at all"},
		{"31d", "longer than 30 days"},
		{"30d1ms", "longer than 30 days"},
		{"18446744073709551615ms", "longer than 30 days"},
		{"18446744073709551616ms", "longer than 30 days"},
		{"99999999999999999999999d", "longer than 30 days"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		const char *problem;
		uint64_t ns = 1;

		if (duration_parse(good[i].text, &ns, &problem))
			fail_msg("%s: %s", good[i].text, problem);
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *problem = "";
		uint64_t ns = 1;
		int r = duration_parse(bad[i].text, &ns, &problem);

		if (r != -EINVAL || !strstr(problem, bad[i].problem))
			fail_msg("'%s': %d, %s", bad[i].text, r, problem);
		assert_int_equal(ns, 1);
	}
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"4096", 4096},
		{"64k", 64 << 10},
		{"64K", 64 << 10},
		{"8M", 8 << 20},
		{"8MiB", 8 << 20},
		{"1kiB", 1 << 10},
		{"1G", 1 << 30},
		{"18446744073709551615", UINT64_MAX},
		{"17179869183G", UINT64_C(17179869183) << 30},
	};
	static const char *const bad[] = {
		"",      "k",    "-1",   "+1",           " 1",  "1 k",
		"1kk",   "1T",   "1B",   "1iB",          "1KB", "1Mi",
		"1MiBs", "1.5M", "0x10", "17179869184G", "1m",  "18446744073709551616",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		uint64_t bytes = 1;

		assert_int_equal(size_parse(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint64_t bytes = 1;

		if (size_parse(bad[i], &bytes) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
		assert_int_equal(bytes, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults), cmocka_unit_test(all_together),
		cmocka_unit_test(ports),    cmocka_unit_test(addresses),
		cmocka_unit_test(targets),  cmocka_unit_test(outputs),
		cmocka_unit_test(limits),   cmocka_unit_test(which_callers_first),
		cmocka_unit_test(troubles), cmocka_unit_test(unknown_options),
		cmocka_unit_test(help),     cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
