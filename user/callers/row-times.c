/* SPDX-License-Identifier: MIT */
/* The histograms of a row: it has memory for them only if there is anything in them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ledger-parts.h"
#include "times.h"

/* 0 or -ENOMEM. */
static int need(struct histograms **histograms)
{
	if (!*histograms)
		*histograms = calloc(1, sizeof(**histograms));
	return *histograms ? 0 : -ENOMEM;
}

static int add(struct histograms **sum, const struct histograms *more)
{
	int r = more ? need(sum) : 0;

	if (more && !r)
		times_sum(*sum, more);
	return r;
}

int row_set_times(struct row *row, const struct histograms *times)
{
	static const struct histograms zero;
	const struct histograms *base = row->times_base ? row->times_base : &zero;

	if (!row->times && !memcmp(times, base, sizeof(*times)))
		return 0;
	if (need(&row->times))
		return -ENOMEM;
	times_since(row->times, times, base);
	return 0;
}

int row_begin_times(struct row *row, const struct histograms *times, bool exact)
{
	int r = exact ? 0 : row_set_times(row->older, times);

	if (!r)
		r = add(&row->times_base, row->older->times_base);
	if (!r)
		r = add(&row->times_base, row->older->times);
	row->times_begun = !r;
	return r;
}

int row_add_times(struct row *row, const struct row *more)
{
	return add(&row->times, more->times);
}
