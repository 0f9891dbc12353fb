/* SPDX-License-Identifier: MIT */
/* The verdict over a window that was remembered, not watched by one run. Pure. */
#ifndef CALLERS_HISTORY_VERDICT_H
#define CALLERS_HISTORY_VERDICT_H

#include "coverage.h"
#include "history.h"
#include "report.h"
#include "verdict.h"

/*
 * `report`, a copy, becomes one that has lost and missed nothing: what was, is in the history by
 * the minute, and need not have been in the window.
 */
void history_clean(struct report *report);

/* When a window really begins, ns since 1970. */
int64_t history_start(const struct history_window *window);

/*
 * Decides over the window from the minute `since` until `until` (ns since 1970). What callers did
 * is the history's; `coverage` was made of a clean report, as of now, of as much of the window as
 * is known of endpoints, and becomes that of all of it. What the history has against the window
 * comes to its reasons. All but the history is overwritten. *traffic has the callers who were
 * ignored, and the probes, for themselves.
 */
void history_decide(const struct history *history, const struct history_target *target,
		    uint32_t since, int64_t until, struct coverage *coverage,
		    struct traffic *traffic, struct verdict *verdict);

#endif
