/* SPDX-License-Identifier: MIT */
#include "gaps.h"

#include <stdio.h>
#include <string.h>

/* The two oldest become one: from the one's begin to the other's end, and as bad as its worst part.
 */
static void join_oldest(struct gaps *gaps)
{
	struct watch_gap *oldest = gaps->at;

	oldest[1].since = oldest[0].since < oldest[1].since ? oldest[0].since : oldest[1].since;
	oldest[1].lost |= oldest[0].lost;
	gaps->n--;
	memmove(oldest, oldest + 1, gaps->n * sizeof(*oldest));
}

void gaps_begin(struct gaps *gaps, uint64_t since)
{
	if (gaps->open)
		return;
	gaps->open = true;
	if (gaps->n == GAPS_MAX)
		join_oldest(gaps);
	gaps->at[gaps->n++] = (struct watch_gap){.since = since};
}

void gaps_why(struct gaps *gaps, const char *why)
{
	if (gaps->open && *why)
		snprintf(gaps->at[gaps->n - 1].why, sizeof(gaps->at[0].why), "%s", why);
}

void gaps_lost(struct gaps *gaps, uint64_t told)
{
	struct watch_gap *gap;

	gaps_begin(gaps, told);
	gap = &gaps->at[gaps->n - 1];
	gap->lost = true;
	if (told < gap->since)
		gap->since = told;
}

void gaps_end(struct gaps *gaps, uint64_t until)
{
	struct watch_gap *gap;

	if (!gaps->open)
		return;
	gaps->open = false;
	gap = &gaps->at[gaps->n - 1];
	gap->until = until > gap->since ? until : gap->since + 1;
	if (!gap->lost && gap->until - gap->since < GAP_BRIEF_NS)
		gaps->n--;
}
