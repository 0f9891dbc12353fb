/* SPDX-License-Identifier: MIT */
/* The table, whole texts. Times are seconds after the window's begin at 1000 s. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../user/output/format.h"
#include "../../user/output/table.h"

#define SECOND UINT64_C(1000000000)
#define AT(seconds) ((1000 + (seconds)) * SECOND)

static const struct pod_name login = {
	"dev", "login-acc-203-7d4b9c-x2x", "uid-1", "Deployment", "login-acc-203", "node-a",
};
static const struct pod_name login_2 = {
	"dev", "login-acc-203-7d4b9c-zzz", "uid-2", "Deployment", "login-acc-203", "node-b",
};
static const struct pod_name publish = {
	"core", "publish-0", "uid-3", "StatefulSet", "publish", "node-a",
};

struct fixture {
	struct target target;
	struct endpoint endpoints[3];
	struct report report;
	struct ledger *ledger;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->target.text = (char *)"deploy/session-service-v1 in buffer";
	f->target.endpoints = f->endpoints;
	f->target.n_endpoints = 3;
	f->report.target = &f->target;
	f->report.start_ns = AT(0);
	f->report.end_ns = AT(42);
	f->report.for_ns = 600 * SECOND;
	f->report.max_callers = 65536;
	f->report.realtime_offset = (int64_t)(1714572000 - 1000) * 1000000000;
	f->report.hooks[0] =
		(struct hook){"tcp_accept", "tp_btf/inet_sock_set_state", "", 128, 0, 1, 0};
	f->report.hooks[1] = (struct hook){"tcp_accept", "cgroup/sock_ops", "", 127, 1, 0, 0};
	f->report.hooks[2] = (struct hook){
		"inet_csk_accept", NULL, "kprobes: Operation not permitted", 0, 0, 0, 0};
	f->report.n_hooks = 3;
	f->ledger = ledger_new(1000);
	assert_non_null(f->ledger);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	report_deinit(&f->report);
	ledger_free(f->ledger);
	free(f);
	return 0;
}

static struct caller_key key_of(unsigned int last, const char *comm)
{
	struct caller_key key = {};

	key.peer[2] = __builtin_bswap32(0xffff);
	key.peer[3] = __builtin_bswap32(0x64600000 | last); /* 100.96.x.x */
	if (comm) {
		strncpy(key.comm, comm, COMM_SIZE - 1);
		key.flags = CALLER_LOCAL;
	}
	return key;
}

static void add(struct fixture *f, unsigned int last, const char *comm, struct who who,
		struct caller_counts counts)
{
	struct caller_key key = key_of(last, comm);

	assert_int_equal(ledger_update(f->ledger, &key, &counts, &who), 1);
}

static void add_open(struct fixture *f, unsigned int last, const char *comm,
		     struct connection connection)
{
	connection.key = key_of(last, comm);
	ledger_add_open(f->ledger, &connection, f->report.start_ns);
}

static void add_others(struct fixture *f, uint64_t n)
{
	struct caller_counts counts = {.opened = n, .last = AT(1)};

	ledger_set_unattributed(f->ledger, &counts);
}

/* Callers of every class. */
static void add_all(struct fixture *f)
{
	add(f, 0x1f7d, NULL, (struct who){CLASS_WORKLOAD, &login, NULL},
	    (struct caller_counts){.opened = 80,
				   .accepted = 80,
				   .closed = 79,
				   .bytes_received = 8000,
				   .bytes_sent = 3 << 20,
				   .first = AT(1),
				   .last = AT(41),
				   .open_time = 79 * 1200000});
	add(f, 0x1f7e, NULL, (struct who){CLASS_WORKLOAD, &login_2, NULL},
	    (struct caller_counts){
		    .opened = 20, .accepted = 20, .closed = 20, .first = AT(2), .last = AT(30)});
	add(f, 0x0203, NULL, (struct who){CLASS_WORKLOAD, &publish, NULL},
	    (struct caller_counts){.accepted = 2, .old = 2});
	add(f, 0x0001, "curl", (struct who){CLASS_PROCESS, NULL, NULL},
	    (struct caller_counts){.opened = 3,
				   .accepted = 3,
				   .closed = 3,
				   .first = AT(10),
				   .last = AT(12),
				   .pid = 812});
	add(f, 0x0501, NULL, (struct who){CLASS_NODE, NULL, "node-b"},
	    (struct caller_counts){
		    .opened = 1, .accepted = 1, .closed = 1, .first = AT(5), .last = AT(5)});
	add(f, 0x0601, "envoy", (struct who){CLASS_LOOPBACK, &publish, NULL},
	    (struct caller_counts){.opened = 1,
				   .accepted = 1,
				   .closed = 1,
				   .first = AT(5),
				   .last = AT(5),
				   .pid = 77});
	add(f, 0x0701, NULL, (struct who){CLASS_EXTERNAL, NULL, NULL},
	    (struct caller_counts){.opened = 9,
				   .accepted = 8,
				   .closed = 8,
				   .resets = 1,
				   .first = AT(5),
				   .last = AT(40)});
	add(f, 0x0801, "kubelet", (struct who){CLASS_PROBE, NULL, NULL},
	    (struct caller_counts){.opened = 14,
				   .accepted = 13,
				   .closed = 14,
				   .first = AT(3),
				   .last = AT(39),
				   .pid = 900});
	add_open(f, 0x1f7d, NULL,
		 (struct connection){.opened = AT(41), .last_data = AT(41), .bytes_received = 10});
	add_open(f, 0x0203, NULL,
		 (struct connection){.opened = AT(0),
				     .last_data = AT(-210),
				     .base_received = 5,
				     .bytes_received = 5,
				     .flags = CONNECTION_OLD});
	add_open(f, 0x0203, NULL,
		 (struct connection){.opened = AT(0),
				     .last_data = AT(20),
				     .base_received = 5,
				     .bytes_received = 9,
				     .flags = CONNECTION_OLD});
	add_open(f, 0x0701, NULL,
		 (struct connection){
			 .opened = AT(40), .last_data = AT(40), .waiting = 1, .bytes_received = 1});
}

static void expect(struct fixture *f, struct table_options options, const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	table_print(file, &f->report, &options);
	fclose(file);
	if (getenv("SHOW"))
		fprintf(stderr, "%s----\n", text);
	else
		assert_string_equal(text, expected);
	free(text);
}

static void normal(void **state)
{
	struct fixture *f = *state;

	add_all(f);
	expect(f, (struct table_options){},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER                       CLASS     CONNS    RATE  OPEN  IDLE     LAST  PODS\n"
	       "dev/login-acc-203            workload    100   2.4/s     1     0   1s ago  2\n"
	       "100.96.7.1                   external      9  0.21/s     1     0   2s ago  -\n"
	       "curl (pid 812)               process       3  0.07/s     0     0  30s ago  -\n"
	       "node-b                       node          1  0.02/s     0     0  37s ago  -\n"
	       "core/publish envoy (pid 77)  loopback      1  0.02/s     0     0  37s ago  publish-0\n"
	       "core/publish                 workload      0       0     2     1  22s ago  publish-0\n"
	       "\n"
	       "kubelet (pid 900)            probe        14  0.33/s     0     0   3s ago  -\n"
	       "\n"
	       "opened 128 = attributed 128 + unattributed 0, accepted 128, open 4 (2 from before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n");
}

static void wide(void **state)
{
	struct fixture *f = *state;

	add_all(f);
	add_others(f, 5);
	expect(f, (struct table_options){.wide = true},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER                       CLASS     KIND         CONNS    RATE  ACCEPTED  OPEN  IDLE  RECEIVED     SENT  MEAN OPEN    FIRST     LAST  PODS       NODE    PROCESS            ADDRESSES\n"
	       "dev/login-acc-203            workload  Deployment     100   2.4/s       100     1     0   7.8 KiB  3.0 MiB      958us  41s ago   1s ago  2          -       -                  100.96.31.125,100.96.31.126\n"
	       "100.96.7.1                   external  -                9  0.21/s         8     1     0       1 B      0 B        0ns  37s ago   2s ago  -          -       -                  100.96.7.1\n"
	       "curl (pid 812)               process   -                3  0.07/s         3     0     0       0 B      0 B        0ns  32s ago  30s ago  -          -       curl (pid 812)     100.96.0.1\n"
	       "node-b                       node      -                1  0.02/s         1     0     0       0 B      0 B        0ns  37s ago  37s ago  -          node-b  -                  100.96.5.1\n"
	       "core/publish envoy (pid 77)  loopback  StatefulSet      1  0.02/s         1     0     0       0 B      0 B        0ns  37s ago  37s ago  publish-0  node-a  envoy (pid 77)     100.96.6.1\n"
	       "core/publish                 workload  StatefulSet      0       0         2     2     1       4 B      0 B          -        -  22s ago  publish-0  node-a  -                  100.96.2.3\n"
	       "(others)                     unknown   -                5  0.12/s         0     0     0       0 B      0 B          -        -  41s ago  -          -       -                  -\n"
	       "  5 connections, caller unknown: the table of callers is full (65536)\n"
	       "\n"
	       "kubelet (pid 900)            probe     -               14  0.33/s        13     0     0       0 B      0 B        0ns  39s ago   3s ago  -          -       kubelet (pid 900)  100.96.8.1\n"
	       "\n"
	       "opened 133 = attributed 128 + unattributed 5, accepted 128, open 4 (2 from before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n"
	       "\n"
	       "What this rests on:\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    128 seen, 0 missed, 1 healed\n"
	       "  tcp_accept        cgroup/sock_ops               127 seen, 1 missed\n"
	       "  inet_csk_accept   not attached: kprobes: Operation not permitted\n"
	       "  nothing was lost\n");
}

static void narrow(void **state)
{
	struct fixture *f = *state;

	add_all(f);
	expect(f, (struct table_options){.width = 60},
	       "Who calls deploy/session-se... (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER                CLASS     CONNS    RATE  OPEN     LAST\n"
	       "dev/login-acc-203     workload    100   2.4/s     1   1s ago\n"
	       "100.96.7.1            external      9  0.21/s     1   2s ago\n"
	       "curl (pid 812)        process       3  0.07/s     0  30s ago\n"
	       "node-b                node          1  0.02/s     0  37s ago\n"
	       "core/publish envo...  loopback      1  0.02/s     0  37s ago\n"
	       "core/publish          workload      0       0     2  22s ago\n"
	       "\n"
	       "kubelet (pid 900)     probe        14  0.33/s     0   3s ago\n"
	       "\n"
	       "opened 128 = attributed 128 + unattributed 0, accepted 128,\n"
	       "open 4 (2 from before, 1 idle for 4m12s, 1 waiting in the\n"
	       "accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n");
	expect(f, (struct table_options){.width = 30},
	       "0:42 of 10:00\n"
	       "\n"
	       "CALLER                   CONNS\n"
	       "dev/login-acc-203          100\n"
	       "100.96.7.1                   9\n"
	       "curl (pid 812)               3\n"
	       "node-b                       1\n"
	       "core/publish envoy (...      1\n"
	       "core/publish                 0\n"
	       "\n"
	       "kubelet (pid 900)           14\n"
	       "\n"
	       "opened 128 = attributed 128 +\n"
	       "unattributed 0, accepted 128,\n"
	       "open 4 (2 from before, 1 idle\n"
	       "for 4m12s, 1 waiting in the\n"
	       "accept queue for 2s)\n"
	       "1 connection that was open\n"
	       "before has carried data since.\n");
	expect(f, (struct table_options){.width = 100, .wide = true},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER                      CLASS     CONNS    RATE  OPEN  IDLE     LAST  PODS       ADDRESSES\n"
	       "dev/login-acc-203           workload    100   2.4/s     1     0   1s ago  2          100.96.31.12...\n"
	       "100.96.7.1                  external      9  0.21/s     1     0   2s ago  -          100.96.7.1\n"
	       "curl (pid 812)              process       3  0.07/s     0     0  30s ago  -          100.96.0.1\n"
	       "node-b                      node          1  0.02/s     0     0  37s ago  -          100.96.5.1\n"
	       "core/publish envoy (pid...  loopback      1  0.02/s     0     0  37s ago  publish-0  100.96.6.1\n"
	       "core/publish                workload      0       0     2     1  22s ago  publish-0  100.96.2.3\n"
	       "\n"
	       "kubelet (pid 900)           probe        14  0.33/s     0     0   3s ago  -          100.96.8.1\n"
	       "\n"
	       "opened 128 = attributed 128 + unattributed 0, accepted 128, open 4 (2 from before, 1 idle for 4m12s,\n"
	       "1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n"
	       "\n"
	       "What this rests on:\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    128 seen, 0 missed, 1 healed\n"
	       "  tcp_accept        cgroup/sock_ops               127 seen, 1 missed\n"
	       "  inet_csk_accept   not attached: kprobes: Operation not permitted\n"
	       "  nothing was lost\n");
}

static void low(void **state)
{
	struct fixture *f = *state;

	add_all(f);
	expect(f, (struct table_options){.height = 13, .colour = true},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER             CLASS     CONNS    RATE  OPEN  IDLE     LAST  PODS\n"
	       "dev/login-acc-203  workload    100   2.4/s     1     0   1s ago  2\n"
	       "100.96.7.1         external      9  0.21/s     1     0   2s ago  -\n"
	       "curl (pid 812)     process       3  0.07/s     0     0  30s ago  -\n"
	       "node-b             node          1  0.02/s     0     0  37s ago  -\n"
	       "... 2 more callers, 1 connection\n"
	       "\n"
	       "\033[2mkubelet (pid 900)  probe        14  0.33/s     0     0   3s ago  -\033[0m\n"
	       "\n"
	       "opened 128 = attributed 128 + unattributed 0, accepted 128, open 4 (2 from before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n");
	expect(f, (struct table_options){.height = 4},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER             CLASS     CONNS    RATE  OPEN  IDLE    LAST  PODS\n"
	       "dev/login-acc-203  workload    100   2.4/s     1     0  1s ago  2\n");
}

static void final(void **state)
{
	static const char *const notes[] = {"No list of pods: callers are shown by address."};
	struct fixture *f = *state;

	add_all(f);
	add_others(f, 1);
	f->report.final = true;
	f->report.end_ns = AT(600);
	f->report.hooks[0].recursion_misses = 7;
	f->report.hooks[1].why = "no cgroup2 at the root";
	f->report.losses = (struct losses){1, 2, 0, 0, 3, 4};
	f->report.opened = 130;
	f->report.notes = notes;
	f->report.n_notes = 1;
	expect(f, (struct table_options){.colour = true},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   10:00 of 10:00\n"
	       "\n"
	       "CALLER                       CLASS     CONNS     RATE  OPEN  IDLE       LAST  PODS\n"
	       "dev/login-acc-203            workload    100   0.17/s     1     0  9m19s ago  2\n"
	       "100.96.7.1                   external      9   0.01/s     1     0  9m20s ago  -\n"
	       "curl (pid 812)               process       3  <0.01/s     0     0  9m48s ago  -\n"
	       "node-b                       node          1  <0.01/s     0     0  9m55s ago  -\n"
	       "core/publish envoy (pid 77)  loopback      1  <0.01/s     0     0  9m55s ago  publish-0\n"
	       "core/publish                 workload      0        0     2     1  9m40s ago  publish-0\n"
	       "(others)                     unknown       1  <0.01/s     0     0  9m59s ago  -\n"
	       "\033[33m  1 connection, caller unknown: the table of callers is full (65536)\033[0m\n"
	       "\n"
	       "\033[2mkubelet (pid 900)            probe        14   0.02/s     0     0  9m21s ago  -\033[0m\n"
	       "\n"
	       "opened 129 = attributed 128 + unattributed 1, accepted 128, open 4 (2 from before, 1 idle for 13m30s, 1 waiting in the accept queue for 9m20s)\n"
	       "1 connection that was open before has carried data since.\n"
	       "\n"
	       "What this rests on:\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    128 seen, 0 missed, 1 healed, 7 runs skipped by the kernel\n"
	       "  tcp_accept        cgroup/sock_ops               127 seen, 1 missed (no cgroup2 at the root)\n"
	       "\033[33m  inet_csk_accept   not attached: kprobes: Operation not permitted\033[0m\n"
	       "\033[33m  1 single event found no room in the ring: missing from -o jsonl, but no count is touched.\033[0m\n"
	       "\033[33m  2 connections were counted but not followed, the table of connections was full: when they ended and how much they carried is not known.\033[0m\n"
	       "\033[33m  3 client processes of this node could not be remembered: such a caller is known by its address only.\033[0m\n"
	       "\033[33m  4 network namespaces could not be looked into: what was open there before is not known.\033[0m\n"
	       "\033[33m  1 connection was counted by the kernel, but under no caller.\033[0m\n"
	       "\033[33m  no witness of the handshake is sure to have missed none: what all of them missed can't be known.\033[0m\n"
	       "  No list of pods: callers are shown by address.\n");
}

static void nobody(void **state)
{
	struct fixture *f = *state;

	f->report.end_ns = AT(10);
	f->report.for_ns = 0;
	f->target.n_endpoints = 1;
	expect(f, (struct table_options){.width = 80},
	       "Who calls deploy/session-service-v1 in buffer (1 endpoint)   0:10\n"
	       "\n"
	       "Nobody has called in 0:10.\n"
	       "This is no proof: whoever calls less often than every 3s may just not have come\n"
	       "yet (95 %, if calls come independently), and only what arrives on this node is\n"
	       "seen.\n"
	       "\n"
	       "opened 0 = attributed 0 + unattributed 0, accepted 0, open 0\n");
	f->report.end_ns = AT(1);
	expect(f, (struct table_options){},
	       "Who calls deploy/session-service-v1 in buffer (1 endpoint)   0:01\n"
	       "\n"
	       "Nobody has called in 0:01.\n"
	       "This is no proof: the watch has only begun.\n"
	       "\n"
	       "opened 0 = attributed 0 + unattributed 0, accepted 0, open 0\n");
	f->report.hooks[0].hook = f->report.hooks[1].hook = NULL;
	expect(f, (struct table_options){},
	       "Who calls deploy/session-service-v1 in buffer (1 endpoint)   0:01\n"
	       "\n"
	       "Nobody has called in 0:01.\n"
	       "This says nothing: no hook is attached, so no call can be seen.\n"
	       "\n"
	       "opened 0 = attributed 0 + unattributed 0, accepted 0, open 0\n");
}

static void only_probes_and_held(void **state)
{
	struct fixture *f = *state;

	add(f, 0x0801, "kubelet", (struct who){CLASS_PROBE, NULL, NULL},
	    (struct caller_counts){.opened = 1, .first = AT(3), .last = AT(3)});
	expect(f, (struct table_options){},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER   CLASS  CONNS    RATE  OPEN     LAST  PODS\n"
	       "\n"
	       "kubelet  probe      1  0.02/s     0  39s ago  -\n"
	       "\n"
	       "Nobody but the kubelet has called in 0:42.\n"
	       "This is no proof: whoever calls less often than every 14s may just not have come yet (95 %, if calls come independently), and only what arrives on this node is seen.\n"
	       "\n"
	       "opened 1 = attributed 1 + unattributed 0, accepted 0, open 0\n");
	add(f, 0x0203, NULL, (struct who){CLASS_UNKNOWN, NULL, NULL},
	    (struct caller_counts){.old = 2});
	add_open(f, 0x0203, NULL,
		 (struct connection){.last_data = AT(-1), .flags = CONNECTION_OLD});
	add_open(f, 0x0203, NULL,
		 (struct connection){.last_data = AT(-9), .flags = CONNECTION_OLD});
	expect(f, (struct table_options){},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER      CLASS    CONNS    RATE  OPEN  IDLE     LAST  PODS\n"
	       "100.96.2.3  unknown      0       0     2     2        -  -\n"
	       "\n"
	       "kubelet     probe        1  0.02/s     0     0  39s ago  -\n"
	       "\n"
	       "Nobody but the kubelet has opened a connection in 0:42; those above were open before.\n"
	       "This is no proof: whoever calls less often than every 14s may just not have come yet (95 %, if calls come independently), and only what arrives on this node is seen.\n"
	       "\n"
	       "opened 1 = attributed 1 + unattributed 0, accepted 0, open 2 (2 from before, 2 idle for up to 51s)\n");
}

/* A name can't move the cursor, and one that looks escaped can't pass for one that is. */
static void only_attempts(void **state)
{
	struct fixture *f = *state;

	f->report.refused = 3;
	f->report.stray = 1;
	add(f, 0x0203, NULL, (struct who){CLASS_UNKNOWN, NULL, NULL},
	    (struct caller_counts){.refused = 3,
				   .stray = 1,
				   .pending = 2,
				   .first_attempt = AT(3),
				   .last_attempt = AT(3)});
	expect(f, (struct table_options){},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER      CLASS    CONNS  RATE  OPEN     LAST  PODS\n"
	       "100.96.2.3  unknown      0     0     0  39s ago  -\n"
	       "\n"
	       "opened 0 = attributed 0 + unattributed 0, accepted 0, open 0\n"
	       "3 attempts were refused: nobody listened there. -o json tells whose they were.\n"
	       "1 segment of data came on connections that the server no longer had.\n"
	       "2 connections are half-open: the kernel waits for more from the client, or for room in the queue, before the application can take them.\n");
}

/* So many requests of a caller of add_all(), and how long nearly all of them took, and the rest. */
static void add_requests(struct fixture *f, unsigned int last, const char *comm,
			 struct caller_counts more, uint64_t ns, uint64_t longest)
{
	struct caller_key key = key_of(last, comm);
	struct row *row = ledger_find(f->ledger, &key);
	struct histograms times = {};

	row->counts.requests = more.requests;
	row->counts.overlaps = more.overlaps;
	times.bucket[SERVICE_TIME][histogram_bucket(ns)] = 97;
	times.bucket[SERVICE_TIME][histogram_bucket(longest)] = 3;
	times.bucket[RESPONSE_TIME][histogram_bucket(ns + longest)] = 1;
	assert_int_equal(ledger_set_times(f->ledger, &key, &times), 0);
}

static void add_all_requests(struct fixture *f)
{
	add_all(f);
	f->report.n_hooks = REPORT_HOOKS;
	f->report.hooks[3] = (struct hook){"snapshot", "iter/tcp", "", 2, 0, 0, 0};
	f->report.hooks[4] = (struct hook){"refused", "tp_btf/tcp_send_reset", "", 0, 0, 0, 0};
	f->report.hooks[5] = (struct hook){"requests", "tp_btf/sock_recv_length", "", 0, 1, 0, 0};
	add_requests(f, 0x1f7d, NULL, (struct caller_counts){.requests = 840}, 1200000, 34000000);
	add_requests(f, 0x1f7e, NULL, (struct caller_counts){.requests = 20}, 1300000, 35000000);
	add_requests(f, 0x0701, NULL, (struct caller_counts){.requests = 1240, .overlaps = 9},
		     340000, 2100000000);
	add_requests(f, 0x0203, NULL, (struct caller_counts){.requests = 3}, 850, 900);
	add_requests(f, 0x0801, "kubelet", (struct caller_counts){.requests = 14}, 90000, 200000);
}

static void requests(void **state)
{
	struct fixture *f = *state;
	struct caller_counts others = {.opened = 1, .requests = 5, .last = AT(9)};

	add_all_requests(f);
	ledger_set_unattributed(f->ledger, &others);
	expect(f, (struct table_options){},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER                       CLASS     CONNS    RATE         REQ   REQ/S    P50    P99  OPEN  IDLE     LAST  PODS\n"
	       "dev/login-acc-203            workload    100   2.4/s         860  20.5/s  1.3ms   35ms     1     0   1s ago  2\n"
	       "100.96.7.1                   external      9  0.21/s  1240 turns       -  347us   2.1s     1     0   2s ago  -\n"
	       "curl (pid 812)               process       3  0.07/s           0       0      -      -     0     0  30s ago  -\n"
	       "node-b                       node          1  0.02/s           0       0      -      -     0     0  37s ago  -\n"
	       "core/publish envoy (pid 77)  loopback      1  0.02/s           0       0      -      -     0     0  37s ago  publish-0\n"
	       "core/publish                 workload      0       0           3  0.07/s  903ns  903ns     2     1  22s ago  publish-0\n"
	       "(others)                     unknown       1  0.02/s           5  0.12/s      -      -     0     0  33s ago  -\n"
	       "  1 connection, caller unknown: the table of callers is full (65536)\n"
	       "\n"
	       "kubelet (pid 900)            probe        14  0.33/s          14  0.33/s   91us  197us     0     0   3s ago  -\n"
	       "\n"
	       "opened 129 = attributed 128 + unattributed 1, accepted 128, open 4 (2 from before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n"
	       "requests 882, turns 1240, 5 of them by unknown callers\n"
	       "Turns are no count of requests: reads and writes overlapped there, as in HTTP/2, gRPC, websockets, pipelining or \"100 Continue\".\n");
	/* what a terminal has room for */
	expect(f, (struct table_options){.width = 80},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER                  CLASS     CONNS         REQ    P50    P99  OPEN     LAST\n"
	       "dev/login-acc-203       workload    100         860  1.3ms   35ms     1   1s ago\n"
	       "100.96.7.1              external      9  1240 turns  347us   2.1s     1   2s ago\n"
	       "curl (pid 812)          process       3           0      -      -     0  30s ago\n"
	       "node-b                  node          1           0      -      -     0  37s ago\n"
	       "core/publish envoy ...  loopback      1           0      -      -     0  37s ago\n"
	       "core/publish            workload      0           3  903ns  903ns     2  22s ago\n"
	       "(others)                unknown       1           5      -      -     0  33s ago\n"
	       "  1 connection, caller unknown: the table of callers is full (65536)\n"
	       "\n"
	       "kubelet (pid 900)       probe        14          14   91us  197us     0   3s ago\n"
	       "\n"
	       "opened 129 = attributed 128 + unattributed 1, accepted 128, open 4 (2 from\n"
	       "before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n"
	       "requests 882, turns 1240, 5 of them by unknown callers\n"
	       "Turns are no count of requests: reads and writes overlapped there, as in HTTP/2,\n"
	       "gRPC, websockets, pipelining or \"100 Continue\".\n");
	expect(f, (struct table_options){.width = 60},
	       "Who calls deploy/session-se... (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER                     CONNS         REQ    P99     LAST\n"
	       "dev/login-acc-203            100         860   35ms   1s ago\n"
	       "100.96.7.1                     9  1240 turns   2.1s   2s ago\n"
	       "curl (pid 812)                 3           0      -  30s ago\n"
	       "node-b                         1           0      -  37s ago\n"
	       "core/publish envoy (pi...      1           0      -  37s ago\n"
	       "core/publish                   0           3  903ns  22s ago\n"
	       "(others)                       1           5      -  33s ago\n"
	       "  1 connection, caller unknown: the table of callers is full\n"
	       "    (65536)\n"
	       "\n"
	       "kubelet (pid 900)             14          14  197us   3s ago\n"
	       "\n"
	       "opened 129 = attributed 128 + unattributed 1, accepted 128,\n"
	       "open 4 (2 from before, 1 idle for 4m12s, 1 waiting in the\n"
	       "accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n"
	       "requests 882, turns 1240, 5 of them by unknown callers\n"
	       "Turns are no count of requests: reads and writes overlapped\n"
	       "there, as in HTTP/2, gRPC, websockets, pipelining or \"100\n"
	       "Continue\".\n");
	f->report.losses.untracked = 1;
	f->report.losses.times = 2;
	expect(f, (struct table_options){.wide = true},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER                       CLASS     KIND         CONNS    RATE         REQ   REQ/S    P50    P90    P99    MAX  RESP P50  RESP P99  ACCEPTED  OPEN  IDLE  RECEIVED     SENT  MEAN OPEN    FIRST     LAST  PODS       NODE    PROCESS            ADDRESSES\n"
	       "dev/login-acc-203            workload  Deployment     100   2.4/s         860  20.5/s  1.3ms  1.3ms   35ms   35ms      35ms      36ms       100     1     0   7.8 KiB  3.0 MiB      958us  41s ago   1s ago  2          -       -                  100.96.31.125,100.96.31.126\n"
	       "100.96.7.1                   external  -                9  0.21/s  1240 turns       -  347us  347us   2.1s   2.1s      2.1s      2.1s         8     1     0       1 B      0 B        0ns  37s ago   2s ago  -          -       -                  100.96.7.1\n"
	       "curl (pid 812)               process   -                3  0.07/s           0       0      -      -      -      -         -         -         3     0     0       0 B      0 B        0ns  32s ago  30s ago  -          -       curl (pid 812)     100.96.0.1\n"
	       "node-b                       node      -                1  0.02/s           0       0      -      -      -      -         -         -         1     0     0       0 B      0 B        0ns  37s ago  37s ago  -          node-b  -                  100.96.5.1\n"
	       "core/publish envoy (pid 77)  loopback  StatefulSet      1  0.02/s           0       0      -      -      -      -         -         -         1     0     0       0 B      0 B        0ns  37s ago  37s ago  publish-0  node-a  envoy (pid 77)     100.96.6.1\n"
	       "core/publish                 workload  StatefulSet      0       0           3  0.07/s  903ns  903ns  903ns  903ns     1.7us     1.7us         2     2     1       4 B      0 B          -        -  22s ago  publish-0  node-a  -                  100.96.2.3\n"
	       "(others)                     unknown   -                1  0.02/s           5  0.12/s      -      -      -      -         -         -         0     0     0       0 B      0 B          -        -  33s ago  -          -       -                  -\n"
	       "  1 connection, caller unknown: the table of callers is full (65536)\n"
	       "\n"
	       "kubelet (pid 900)            probe     -               14  0.33/s          14  0.33/s   91us   91us  197us  197us     285us     285us        13     0     0       0 B      0 B        0ns  39s ago   3s ago  -          -       kubelet (pid 900)  100.96.8.1\n"
	       "\n"
	       "opened 129 = attributed 128 + unattributed 1, accepted 128, open 4 (2 from before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n"
	       "requests 882, turns 1240, 5 of them by unknown callers\n"
	       "Turns are no count of requests: reads and writes overlapped there, as in HTTP/2, gRPC, websockets, pipelining or \"100 Continue\".\n"
	       "\n"
	       "What this rests on:\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    128 seen, 0 missed, 1 healed\n"
	       "  tcp_accept        cgroup/sock_ops               127 seen, 1 missed\n"
	       "  inet_csk_accept   not attached: kprobes: Operation not permitted\n"
	       "  snapshot          iter/tcp                      2 seen, 0 missed\n"
	       "  refused           tp_btf/tcp_send_reset         0 seen, 0 missed\n"
	       "  requests          tp_btf/sock_recv_length       2121 seen, 1 missed\n"
	       "  1 connection was counted but not followed, the table of connections was full: when it ended and how much it carried is not known, and requests on it are not counted.\n"
	       "  2 requests were counted, but their times found no room: percentiles are without them.\n");
}

/* One, and no turns. */
static void a_request(void **state)
{
	struct fixture *f = *state;

	add_all_requests(f);
	add_requests(f, 0x0701, NULL, (struct caller_counts){.requests = 1, .overlaps = 1}, 1, 1);
	f->report.losses.times = 1;
	f->report.final = true;
	expect(f, (struct table_options){},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER                       CLASS     CONNS    RATE     REQ   REQ/S    P50    P99  OPEN  IDLE     LAST  PODS\n"
	       "dev/login-acc-203            workload    100   2.4/s     860  20.5/s  1.3ms   35ms     1     0   1s ago  2\n"
	       "100.96.7.1                   external      9  0.21/s  1 turn       -   60ns   60ns     1     0   2s ago  -\n"
	       "curl (pid 812)               process       3  0.07/s       0       0      -      -     0     0  30s ago  -\n"
	       "node-b                       node          1  0.02/s       0       0      -      -     0     0  37s ago  -\n"
	       "core/publish envoy (pid 77)  loopback      1  0.02/s       0       0      -      -     0     0  37s ago  publish-0\n"
	       "core/publish                 workload      0       0       3  0.07/s  903ns  903ns     2     1  22s ago  publish-0\n"
	       "\n"
	       "kubelet (pid 900)            probe        14  0.33/s      14  0.33/s   91us  197us     0     0   3s ago  -\n"
	       "\n"
	       "opened 128 = attributed 128 + unattributed 0, accepted 128, open 4 (2 from before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n"
	       "requests 877, turns 1\n"
	       "Turns are no count of requests: reads and writes overlapped there, as in HTTP/2, gRPC, websockets, pipelining or \"100 Continue\".\n"
	       "\n"
	       "What this rests on:\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    128 seen, 0 missed, 1 healed\n"
	       "  tcp_accept        cgroup/sock_ops               127 seen, 1 missed\n"
	       "  inet_csk_accept   not attached: kprobes: Operation not permitted\n"
	       "  snapshot          iter/tcp                      2 seen, 0 missed\n"
	       "  refused           tp_btf/tcp_send_reset         0 seen, 0 missed\n"
	       "  requests          tp_btf/sock_recv_length       877 seen, 1 missed\n"
	       "  1 request was counted, but its times found no room: percentiles are without them.\n");
	add_requests(f, 0x0701, NULL, (struct caller_counts){.requests = 1}, 1, 1);
	f->report.final = false;
	expect(f, (struct table_options){},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER                       CLASS     CONNS    RATE  REQ   REQ/S    P50    P99  OPEN  IDLE     LAST  PODS\n"
	       "dev/login-acc-203            workload    100   2.4/s  860  20.5/s  1.3ms   35ms     1     0   1s ago  2\n"
	       "100.96.7.1                   external      9  0.21/s    1  0.02/s   60ns   60ns     1     0   2s ago  -\n"
	       "curl (pid 812)               process       3  0.07/s    0       0      -      -     0     0  30s ago  -\n"
	       "node-b                       node          1  0.02/s    0       0      -      -     0     0  37s ago  -\n"
	       "core/publish envoy (pid 77)  loopback      1  0.02/s    0       0      -      -     0     0  37s ago  publish-0\n"
	       "core/publish                 workload      0       0    3  0.07/s  903ns  903ns     2     1  22s ago  publish-0\n"
	       "\n"
	       "kubelet (pid 900)            probe        14  0.33/s   14  0.33/s   91us  197us     0     0   3s ago  -\n"
	       "\n"
	       "opened 128 = attributed 128 + unattributed 0, accepted 128, open 4 (2 from before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n"
	       "requests 878\n");
}

static void requests_not_known(void **state)
{
	struct fixture *f = *state;

	add_all_requests(f);
	f->report.hooks[REPORT_REQUESTS].hook = NULL;
	f->report.hooks[REPORT_REQUESTS].why = "no such tracepoint, and kprobes: EPERM";
	expect(f, (struct table_options){.width = 80},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER                   CLASS     CONNS    RATE  OPEN  IDLE     LAST  PODS\n"
	       "dev/login-acc-203        workload    100   2.4/s     1     0   1s ago  2\n"
	       "100.96.7.1               external      9  0.21/s     1     0   2s ago  -\n"
	       "curl (pid 812)           process       3  0.07/s     0     0  30s ago  -\n"
	       "node-b                   node          1  0.02/s     0     0  37s ago  -\n"
	       "core/publish envoy (...  loopback      1  0.02/s     0     0  37s ago  publish-0\n"
	       "core/publish             workload      0       0     2     1  22s ago  publish-0\n"
	       "\n"
	       "kubelet (pid 900)        probe        14  0.33/s     0     0   3s ago  -\n"
	       "\n"
	       "opened 128 = attributed 128 + unattributed 0, accepted 128, open 4 (2 from\n"
	       "before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n"
	       "Requests are not counted: no such tracepoint, and kprobes: EPERM.\n");
}

/* Totals are of all. */
static void only_the_first(void **state)
{
	struct fixture *f = *state;

	add_all(f);
	f->report.top = 2;
	expect(f, (struct table_options){.width = 80},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER             CLASS     CONNS    RATE  OPEN  IDLE    LAST  PODS\n"
	       "dev/login-acc-203  workload    100   2.4/s     1     0  1s ago  2\n"
	       "100.96.7.1         external      9  0.21/s     1     0  2s ago  -\n"
	       "... 4 more callers, 5 connections\n"
	       "\n"
	       "kubelet (pid 900)  probe        14  0.33/s     0     0  3s ago  -\n"
	       "\n"
	       "opened 128 = attributed 128 + unattributed 0, accepted 128, open 4 (2 from\n"
	       "before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n");
	f->report.sort = SORT_LAST;
	f->report.top = 5;
	expect(f, (struct table_options){.width = 80},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER             CLASS     CONNS    RATE  OPEN  IDLE     LAST  PODS\n"
	       "dev/login-acc-203  workload    100   2.4/s     1     0   1s ago  2\n"
	       "100.96.7.1         external      9  0.21/s     1     0   2s ago  -\n"
	       "core/publish       workload      0       0     2     1  22s ago  publish-0\n"
	       "curl (pid 812)     process       3  0.07/s     0     0  30s ago  -\n"
	       "node-b             node          1  0.02/s     0     0  37s ago  -\n"
	       "... 1 more caller, 1 connection\n"
	       "\n"
	       "kubelet (pid 900)  probe        14  0.33/s     0     0   3s ago  -\n"
	       "\n"
	       "opened 128 = attributed 128 + unattributed 0, accepted 128, open 4 (2 from\n"
	       "before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n");
	/* fewer yet, where there is no room */
	expect(f, (struct table_options){.width = 80, .height = 12},
	       "Who calls deploy/session-service-v1 in buffer (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER             CLASS     CONNS    RATE  OPEN  IDLE    LAST  PODS\n"
	       "dev/login-acc-203  workload    100   2.4/s     1     0  1s ago  2\n"
	       "100.96.7.1         external      9  0.21/s     1     0  2s ago  -\n"
	       "... 4 more callers, 5 connections\n"
	       "\n"
	       "kubelet (pid 900)  probe        14  0.33/s     0     0  3s ago  -\n"
	       "\n"
	       "opened 128 = attributed 128 + unattributed 0, accepted 128, open 4 (2 from\n"
	       "before, 1 idle for 4m12s, 1 waiting in the accept queue for 2s)\n"
	       "1 connection that was open before has carried data since.\n");
}

static void hostile_names(void **state)
{
	static const struct pod_name pod = {
		"n\033[2J", "p\n", "uid-9", "Job\t", "w\\x1b\xff", "no\rde",
	};
	struct fixture *f = *state;

	f->target.text = (char *)"port \a";
	add(f, 1, "\033[31mx", (struct who){CLASS_PROCESS, NULL, NULL},
	    (struct caller_counts){.opened = 1, .pid = 1, .last = AT(42)});
	add(f, 2, NULL, (struct who){CLASS_WORKLOAD, &pod, NULL},
	    (struct caller_counts){.opened = 1, .last = AT(42)});
	add(f, 3, "sh", (struct who){CLASS_WORKLOAD, NULL, NULL},
	    (struct caller_counts){.opened = 1, .last = AT(43)});
	expect(f, (struct table_options){.wide = true},
	       "Who calls port \\x07 (3 endpoints)   0:42 of 10:00\n"
	       "\n"
	       "CALLER               CLASS     KIND     CONNS    RATE  ACCEPTED  OPEN  RECEIVED  SENT  MEAN OPEN  FIRST    LAST  PODS   NODE      PROCESS            ADDRESSES\n"
	       "sh in unknown pod    workload  -            1  0.02/s         0     0       0 B   0 B          -      -  0s ago  -      -         sh                 100.96.0.3\n"
	       "n\\x1b[2J/w\\\\x1b\\xff  workload  Job\\x09      1  0.02/s         0     0       0 B   0 B          -      -  0s ago  p\\x0a  no\\x0dde  -                  100.96.0.2\n"
	       "\\x1b[31mx (pid 1)    process   -            1  0.02/s         0     0       0 B   0 B          -      -  0s ago  -      -         \\x1b[31mx (pid 1)  100.96.0.1\n"
	       "\n"
	       "opened 3 = attributed 3 + unattributed 0, accepted 0, open 0\n"
	       "\n"
	       "What this rests on:\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    128 seen, 0 missed, 1 healed\n"
	       "  tcp_accept        cgroup/sock_ops               127 seen, 1 missed\n"
	       "  inet_csk_accept   not attached: kprobes: Operation not permitted\n"
	       "  nothing was lost\n");
}

/* No line is longer, no page higher, whatever the size. */
static void any_size(void **state)
{
	struct fixture *f = *state;
	int width, height;

	add_all_requests(f);
	add_others(f, 3);
	f->report.final = true;
	f->report.losses = (struct losses){1, 2, 0, 0, 3, 4};
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	for (width = 4; width < 260; width++) {
		for (height = 1; height < 30; height += 4) {
			struct table_options options = {
				.wide = width % 2, .width = width, .height = height};
			char *text = NULL, *line, *end;
			size_t size;
			FILE *file = open_memstream(&text, &size);
			int lines = 0;

			assert_non_null(file);
			table_print(file, &f->report, &options);
			fclose(file);
			for (line = text; (end = strchr(line, '\n')); line = end + 1, lines++)
				assert_true(end - line <= width);
			assert_int_equal(*line, '\0');
			assert_true(lines > 0 && lines <= height);
			free(text);
		}
	}
}

static void expect_line(void (*print)(FILE *, const struct report *), const struct report *report,
			const char *expected)
{
	char text[512] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");

	assert_non_null(file);
	print(file, report);
	fclose(file);
	assert_string_equal(text, expected);
}

static void progress(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(report_group(&f->report, f->ledger), 0);
	expect_line(table_progress, &f->report, "0:42 of 10:00  0 connections, 0 callers, 0 lost");
	add(f, 2, NULL, (struct who){CLASS_UNKNOWN, NULL, NULL},
	    (struct caller_counts){.opened = 1});
	f->report.for_ns = 0;
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	expect_line(table_progress, &f->report, "0:42  1 connection, 1 caller, 0 lost");
	add_others(f, 5);
	f->report.losses = (struct losses){1, 2, 0, 0, 3, 4};
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	expect_line(table_progress, &f->report,
		    "0:42  6 connections, 1 caller, 10 lost, 5 unattributed");
}

static void expect_new_caller(struct fixture *f, const struct row *row, const char *expected)
{
	char text[512] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");

	assert_non_null(file);
	table_new_caller(file, &f->report, row);
	fclose(file);
	assert_string_equal(text, expected);
}

static void new_caller(void **state)
{
	struct fixture *f = *state;
	struct row row = {
		.key = key_of(0x1f7d, NULL),
		.who = {CLASS_WORKLOAD, &login, NULL},
		.counts.first = AT(187),
	};

	expect_new_caller(f, &row,
			  "14:03:07 dev/login-acc-203  workload  pod login-acc-203-7d4b9c-x2x  "
			  "100.96.31.125\n");
	row = (struct row){.key = key_of(1, "curl"), .who.class = CLASS_PROCESS, .counts.pid = 812};
	expect_new_caller(f, &row, "14:00:42 curl (pid 812)  process  100.96.0.1\n");
	row = (struct row){.key = key_of(1, NULL), .who.class = CLASS_EXTERNAL};
	expect_new_caller(f, &row, "14:00:42 100.96.0.1  external\n");
	row = (struct row){.key = key_of(1, NULL), .who = {CLASS_NODE, NULL, "node-b"}};
	expect_new_caller(f, &row, "14:00:42 node-b  node  100.96.0.1\n");
}

static void formats(void **state)
{
	char b[FORMAT_TEXT];

	(void)state;
	assert_string_equal(format_clock(0, b), "0:00");
	assert_string_equal(format_clock(3599 * SECOND, b), "59:59");
	assert_string_equal(format_clock(3723 * SECOND, b), "1:02:03");
	assert_string_equal(format_clock(176523 * SECOND, b), "2d 1:02:03");
	assert_string_equal(format_age(999999999, b), "0s");
	assert_string_equal(format_age(252 * SECOND, b), "4m12s");
	assert_string_equal(format_age(7500 * SECOND, b), "2h05m");
	assert_string_equal(format_age(273600 * SECOND, b), "3d04h");
	assert_string_equal(format_span(850, b), "850ns");
	assert_string_equal(format_span(35000, b), "35us");
	assert_string_equal(format_span(1200000, b), "1.2ms");
	assert_string_equal(format_span(999700000, b), "1.0s");
	assert_string_equal(format_span(9960000000, b), "10s");
	assert_string_equal(format_span(72 * SECOND, b), "1m12s");
	assert_string_equal(format_bytes(1023, b), "1023 B");
	assert_string_equal(format_bytes(1536, b), "1.5 KiB");
	assert_string_equal(format_bytes(1048575, b), "1.0 MiB");
	assert_string_equal(format_bytes(23 << 20, b), "23 MiB");
	assert_string_equal(format_bytes(UINT64_MAX, b), "16 EiB");
	assert_string_equal(format_rate(0, SECOND, b), "0");
	assert_string_equal(format_rate(5, 0, b), "0");
	assert_string_equal(format_rate(1, 1000 * SECOND, b), "<0.01/s");
	assert_string_equal(format_rate(996, 1000 * SECOND, b), "1.0/s");
	assert_string_equal(format_rate(200000, SECOND, b), "200000/s");
	assert_string_equal(format_time(1714572187000000123, b), "2024-05-01T14:03:07.000000123Z");
	assert_string_equal(format_time(-1, b), "1969-12-31T23:59:59.999999999Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(normal, setup, teardown),
		cmocka_unit_test_setup_teardown(wide, setup, teardown),
		cmocka_unit_test_setup_teardown(narrow, setup, teardown),
		cmocka_unit_test_setup_teardown(low, setup, teardown),
		cmocka_unit_test_setup_teardown(final, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(only_attempts, setup, teardown),
		cmocka_unit_test_setup_teardown(only_probes_and_held, setup, teardown),
		cmocka_unit_test_setup_teardown(requests, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request, setup, teardown),
		cmocka_unit_test_setup_teardown(requests_not_known, setup, teardown),
		cmocka_unit_test_setup_teardown(only_the_first, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_names, setup, teardown),
		cmocka_unit_test_setup_teardown(any_size, setup, teardown),
		cmocka_unit_test_setup_teardown(progress, setup, teardown),
		cmocka_unit_test_setup_teardown(new_caller, setup, teardown),
		cmocka_unit_test(formats),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
