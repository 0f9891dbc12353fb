/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../output/json.h"
#include "../output/table.h"
#include "command.h"
#include "session.h"

/* The table is redrawn on a terminal. */
static bool is_live(const struct session *session)
{
	return session->options.output <= OUTPUT_WIDE && isatty(STDOUT_FILENO);
}

/* A progress line on standard error, which is a terminal. */
static bool has_progress(const struct session *session)
{
	return !is_live(session) && session->options.for_ns && isatty(STDERR_FILENO);
}

static void draw(struct session *session)
{
	const struct table_options options = command_table(session->options.output == OUTPUT_WIDE);
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return;
	table_print(file, &session->report, &options);
	if (fclose(file)) {
		free(text);
		return;
	}
	/* home, then each line with the rest of the old one erased, then all below */
	fputs("\033[H", stdout);
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");

		printf("%.*s\033[K", (int)length, line);
		line += length;
		line += *line == '\n';
		if (*line)
			putchar('\n');
	}
	fputs("\033[J", stdout);
	fflush(stdout);
	free(text);
}

static void refreshed(struct session *session)
{
	if (is_live(session)) {
		draw(session);
	} else if (has_progress(session)) {
		fputs("\r", stderr);
		table_progress(stderr, &session->report);
		fputs("\033[K", stderr);
	}
}

static void take_event(struct session *session, const struct event *event, const struct row *row,
		       const struct who *who)
{
	(void)who;
	if (event->type != EVENT_CALLER || session->options.output > OUTPUT_WIDE)
		return;
	session->next_refresh = 0;
	if (!row || is_live(session))
		return;
	if (has_progress(session))
		fputs("\r\033[K", stderr);
	table_new_caller(stdout, &session->report, row);
	if (fflush(stdout))
		session->end = SESSION_UNREAD;
}

/* 0 or -errno. */
static int summary(struct session *session)
{
	struct table_options options = command_table(session->options.output == OUTPUT_WIDE);

	/* nobody reads it, or it has no room: it would not be a whole document anyway */
	if (session->end == SESSION_UNREAD)
		return -EIO;
	switch (session->options.output) {
	case OUTPUT_JSON:
		return json_report(stdout, &session->report);
	case OUTPUT_JSONL:
		return json_summary(stdout, &session->report);
	default:
		options.height = 0; /* it scrolls */
		table_print(stdout, &session->report, &options);
		return 0;
	}
}

static int run(struct session *session)
{
	int r = session_begin(session), finished;

	if (!r && is_live(session))
		fputs("\033[?1049h\033[?25l", stdout); /* a screen of its own, no cursor */
	else if (!r)
		session_announce(session, "tracing");
	if (!r)
		r = session_run(session);
	if (is_live(session))
		fputs("\033[?1049l\033[?25h", stdout);
	else if (has_progress(session))
		fputs("\r\033[K", stderr);
	/* what was counted until then is told all the same */
	finished = session_finish(session);
	if (!finished)
		finished = summary(session);
	return r ? r : finished;
}

int trace_main(int argc, char **argv)
{
	static const struct session_ops ops = {take_event, refreshed, NULL};
	struct session session = {.ops = &ops};
	int status = options_parse(&session.options, argc, argv), r;

	if (status >= 0)
		goto out;
	session.announce = !is_live(&session);
	session.times = is_live(&session);
	session.sweeps = is_live(&session) || has_progress(&session);
	status = session_prepare(&session);
	if (status)
		goto out;
	r = run(&session);
	/* what could not be written is told by command_finish() */
	status = r && r != -EIO ? session_fail(&session, EX_OSERR, "%s", strerror(-r))
				: command_finish(stdout);
out:
	session_deinit(&session);
	return status;
}
