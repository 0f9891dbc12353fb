/* SPDX-License-Identifier: MIT */
/* What a report tells that stands against QUIET, and is of the target and no caller: since the last
 * take of it. */
#include "history-parts.h"

#define CAUSE(reason, condition) ((condition) ? UINT64_C(1) << (reason) : 0)

/* Whether it is another number than at the last take, if it is any. */
static bool changed(uint64_t *mark, uint64_t now)
{
	uint64_t base = *mark;

	*mark = now;
	return now && now != base;
}

/* Hooks by what they missed since the last take. */
static uint64_t hook_causes(struct target_history *target, const struct report *report)
{
	struct report since = {.n_hooks = report->n_hooks};
	const struct hook *refused;

	for (size_t i = 0; i < since.n_hooks; i++) {
		struct hook *hook = &since.hooks[i];

		*hook = report->hooks[i];
		hook->missed = changed(&target->missed[i], hook->missed);
		hook->recursion_misses = changed(&target->skipped[i], hook->recursion_misses);
	}
	refused = &since.hooks[REPORT_REFUSED];
	return CAUSE(REASON_WITNESSES_MISSED, !coverage_witnesses_complete(&since)) |
	       CAUSE(REASON_ATTEMPTS_UNSEEN,
		     !report_refused_known(report) || refused->recursion_misses);
}

static uint64_t loss_causes(struct target_history *target, const struct report *report)
{
	const struct losses *now = &report->losses, *last = &target->losses;
	/* what is not followed, or not looked into, can do something in each minute */
	uint64_t causes = CAUSE(REASON_UNTRACKED, now->untracked) |
			  CAUSE(REASON_NAMESPACES_UNSEEN, now->namespaces) |
			  CAUSE(REASON_ATTEMPTS_UNSEEN, now->listeners) |
			  CAUSE(REASON_EVENTS_LOST, now->events != last->events) |
			  CAUSE(REASON_ENDS_UNSEEN, now->ends != last->ends) |
			  CAUSE(REASON_MISCOUNTED,
				report->opened > report->attributed + report->unattributed);

	target->losses = *now;
	return causes;
}

/* When a listener ends, what it had dropped becomes unknown. *less: set if it went down. */
static uint64_t more_dropped(uint64_t *mark, uint64_t now, bool *less)
{
	uint64_t base = *mark;

	*mark = now;
	*less |= now < base;
	return now > base ? now - base : 0;
}

void causes_since(struct target_history *target, const struct report *report, struct amount *amount)
{
	bool less = false;

	amount->count[0] = more_dropped(&target->dropped, report_dropped(report), &less);
	amount->count[1] = more_dropped(&target->drops_unknown, report->unattributed_drops, &less);
	amount->wide[0] = hook_causes(target, report) | loss_causes(target, report) |
			  CAUSE(REASON_DROPS_UNKNOWN, amount->count[1] || less);
}
