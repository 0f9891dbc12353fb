/* SPDX-License-Identifier: MIT */
/* Which answers are to be odd, and how often. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"

static const char *const names[ODDS] = {
	[ODD_LIST_410] = "list-410",           [ODD_LIST_410_NEXT] = "list-410-continue",
	[ODD_LIST_BYTES] = "list-bytes",       [ODD_LIST_GZIP] = "list-gzip",
	[ODD_LIST_CUT] = "list-cut",           [ODD_LIST_ENDLESS] = "list-endless",
	[ODD_LIST_HTML] = "list-html",         [ODD_LIST_EMPTY] = "list-empty",
	[ODD_WATCH_410] = "watch-410",         [ODD_WATCH_CUT] = "watch-cut",
	[ODD_WATCH_HTML] = "watch-html",       [ODD_WATCH_UNKNOWN] = "watch-unknown",
	[ODD_WATCH_DELETED] = "watch-deleted", [ODD_WATCH_TWICE] = "watch-twice",
	[ODD_WATCH_QUIET] = "watch-quiet",     [ODD_WATCH_LARGE] = "watch-large",
	[ODD_WATCH_STALL] = "watch-stall",     [ODD_LIST_STALL] = "list-stall",
};

static struct {
	uint64_t times;
	int status;
} odds[ODDS];
static uint64_t taken;

static enum odd find(const char *name, size_t length)
{
	for (int odd = 0; odd < ODDS; odd++)
		if (names[odd] && strlen(names[odd]) == length && !memcmp(names[odd], name, length))
			return odd;
	return ODDS;
}

bool odd_parse(const char *text)
{
	const char *colon = strchrnul(text, ':');
	enum odd odd = find(text, (size_t)(colon - text));
	int status = 0;

	if (odd == ODDS && sscanf(text, "list-%d", &status) == 1)
		odd = ODD_LIST_STATUS;
	else if (odd == ODDS && sscanf(text, "watch-%d", &status) == 1)
		odd = ODD_WATCH_STATUS;
	if (odd == ODDS)
		return false;
	odds[odd].status = status;
	odds[odd].times = *colon ? strtoull(colon + 1, NULL, 10) : UINT64_MAX;
	return true;
}

bool odd_take(enum odd odd, int *status)
{
	if (!odds[odd].times)
		return false;
	odds[odd].times--;
	taken++;
	if (status)
		*status = odds[odd].status;
	return true;
}

uint64_t odd_taken(void)
{
	return taken;
}
