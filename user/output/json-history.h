/* SPDX-License-Identifier: MIT */
/* What the agent remembers of a target, as JSON. */
#ifndef OUTPUT_JSON_HISTORY_H
#define OUTPUT_JSON_HISTORY_H

#include <stdio.h>

#include "../callers/history.h"
#include "../callers/report.h"

struct history_question {
	struct history_target target;
	const char *node; /* "" if not known */
	int64_t asked;    /* since when, ns since 1970 */
	int64_t now;      /* as of the last take */
};

/*
 * {"schema": "whocalls/v1", node, target {namespace, name, uid}, window {asked, start (the minute,
 * or hour, with which it really begins), end, complete (all that was counted in it is here),
 * reaches (since when all is known; null: nothing is)}, callers [{class, kind, namespace, name,
 * process, node, ignored, connections {opened, accepted, closed, open (now), before (from before
 * the window, at least), refused, stray, pending}, requests, bytes_received, bytes_sent,
 * first_minute, last_minute (of activity that is known by the minute; null: none), last_seen,
 * uncertain}] (most connections first), totals {opened, requests}}. 0, -ENOMEM or -EIO.
 */
int json_history(FILE *file, const struct history *history,
		 const struct history_question *question);

/*
 * The verdict over it: as above; and target.endpoints, window.seconds and .final, coverage and
 * verdict as in the document of verify (json.h), of `report`. Its hooks and what was lost are those
 * since the report's target is watched.
 */
int json_history_verdict(FILE *file, const struct history *history,
			 const struct history_question *question, const struct report *report);

#endif
