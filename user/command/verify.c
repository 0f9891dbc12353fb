/* SPDX-License-Identifier: MIT */
/*
 * Watches for a while, then gives its verdict, which is the exit status (design section 5). What
 * was counted is a report, as of a trace; what was covered is put together here; the decision is
 * callers/verdict.c's.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../callers/coverage.h"
#include "../callers/verdict.h"
#include "../kube/clock.h"
#include "../output/json.h"
#include "../output/verdict.h"
#include "command.h"
#include "evidence-file.h"
#include "facts.h"
#include "session.h"

/* So long the API may take at the end to confirm what it has told. */
#define CONFIRM_NS (30 * UINT64_C(1000000000))

struct verify {
	struct session session; /* first: ops are given this */
	struct traffic traffic;
	struct coverage coverage;
	struct facts facts; /* the coverage has its node's name */
	struct verdict verdict;
	uint64_t asked; /* when the API was asked to confirm; CLOCK_MONOTONIC ns, 0: not yet */
};

/* --- while it runs --- */

static bool has_progress(const struct session *session)
{
	return isatty(STDERR_FILENO) && !session->options.verbose;
}

static struct verdict_options options_of(const struct session *session)
{
	return (struct verdict_options){session->options.allow_idle, session->options.count_probes};
}

static bool has_traffic(struct session *session)
{
	const struct verdict_options options = options_of(session);
	struct traffic traffic;

	traffic_make(&traffic, &session->report);
	return verdict_is_traffic(&traffic, &options);
}

static void refreshed(struct session *session)
{
	bool traffic = has_traffic(session);

	if (has_progress(session)) {
		fputs("\r", stderr);
		table_progress(stderr, &session->report);
		fputs(traffic ? "  TRAFFIC\033[K" : "\033[K", stderr);
	}
	if (traffic && session->options.fail_fast)
		session->end = SESSION_ENOUGH;
}

static void take_event(struct session *session, const struct event *event, const struct row *row,
		       const struct who *who)
{
	(void)row;
	(void)who;
	if (event->type == EVENT_CALLER && session->options.fail_fast)
		session->next_refresh = 0;
}

/* The API has so long to confirm what it told; meanwhile all is counted still. */
static bool wait_for_confirmation(struct session *session)
{
	struct verify *verify = (struct verify *)session;
	struct kube *kube = session->cluster.kube;
	const char *why;

	if (!session->cluster.follows)
		return false;
	if (!verify->asked) {
		verify->asked = monotonic_ns();
		kube_confirm(kube);
	}
	return monotonic_ns() - verify->asked < CONFIRM_NS &&
	       kube_confirmed(kube, &why) == KUBE_CONFIRM_PENDING;
}

/* --- the end --- */

static int decide(struct verify *verify)
{
	struct session *session = &verify->session;
	const struct verdict_options options = options_of(session);
	int r;

	/* of what came after the question the API has confirmed nothing */
	if (verify->asked)
		session->report.end_ns = verify->asked;
	facts_make(&verify->facts, session);
	r = coverage_make(&verify->coverage, &session->report, &verify->facts.facts);
	if (r)
		return r;
	traffic_make(&verify->traffic, &session->report);
	verdict_decide(&verify->verdict, &verify->traffic, &verify->coverage, &options);
	session->report.traffic = &verify->traffic;
	session->report.coverage = &verify->coverage;
	session->report.verdict = &verify->verdict;
	return 0;
}

/* 0, or an exit status after a message. */
static int write_evidence(struct session *session)
{
	char error[1024];

	if (!session->options.evidence ||
	    !evidence_file_write(session->options.evidence, &session->report, error, sizeof(error)))
		return 0;
	return session_fail(session, EX_IOERR, "%s", error);
}

/* 0 or -errno. */
static int print(struct session *session)
{
	const struct table_options options = command_table(session->options.output == OUTPUT_WIDE);

	switch (session->options.output) {
	case OUTPUT_JSON:
		return json_report(stdout, &session->report);
	case OUTPUT_JSONL:
		return json_summary(stdout, &session->report);
	default:
		verdict_print(stdout, &session->report, &options);
		if (options.wide && session->report.n_callers) {
			fputs("\n", stdout);
			table_print_callers(stdout, &session->report, &options);
		}
		return 0;
	}
}

/* The exit status. */
static int run(struct verify *verify)
{
	struct session *session = &verify->session;
	int r = session_begin(session), finished, status, written;

	if (!r) {
		session_announce(session, "verifying");
		r = session_run(session);
	}
	if (has_progress(session))
		fputs("\r\033[K", stderr);
	finished = session_finish(session);
	r = r ? r : finished;
	if (!r)
		r = decide(verify);
	if (r)
		return session_fail(session, EX_OSERR, "watching: %s; this is no verdict",
				    strerror(-r));
	written = write_evidence(session);
	r = print(session);
	/* what could not be written is told by command_finish() */
	if (r && r != -EIO)
		return session_fail(session, EX_OSERR, "%s", strerror(-r));
	status = command_finish(stdout);
	return status ? status : written ? written : (int)verify->verdict.is;
}

static int prepare(struct session *session)
{
	char error[1024];

	if (session->options.evidence &&
	    evidence_file_check(session->options.evidence, error, sizeof(error)))
		return session_fail(session, EX_CANTCREAT, "%s", error);
	return session_prepare(session);
}

int verify_main(int argc, char **argv)
{
	static const struct session_ops ops = {take_event, refreshed, wait_for_confirmation};
	struct verify *verify = calloc(1, sizeof(*verify));
	int status;

	if (!verify) {
		fputs("whocalls verify: out of memory\n", stderr);
		return EX_OSERR;
	}
	verify->session.ops = &ops;
	verify->session.sweeps = true;
	verify->session.announce = true;
	status = options_parse(&verify->session.options, argc, argv);
	/* 0: it was asked for help, and had it */
	if (status < 0) {
		status = prepare(&verify->session);
		if (!status)
			status = run(verify);
	}
	coverage_deinit(&verify->coverage);
	session_deinit(&verify->session);
	free(verify);
	return status;
}
