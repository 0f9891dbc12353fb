/* SPDX-License-Identifier: MIT */
/*
 * When a watch did not stand. A gap ends bridged where the watch went on from the version at which
 * it had stopped: all that happened meanwhile was told then, late. It ends lost where that version
 * is gone: what is there then was listed, but what came and went in between was never told.
 */
#ifndef KUBE_GAPS_H
#define KUBE_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GAPS_MAX 64
/* A bridged gap that is shorter is none: each watch ends some time, and the next begins. */
#define GAP_BRIEF_NS (3 * UINT64_C(1000000000))

struct watch_gap {
	uint64_t since; /* CLOCK_MONOTONIC ns */
	uint64_t until; /* 0: still */
	bool lost;      /* of one that is still open: it can't be bridged any more */
	char why[256];  /* a sentence, "" if there is none */
};

/* Starts as all zero. */
struct gaps {
	struct watch_gap at[GAPS_MAX];
	size_t n;
	bool open; /* at[n - 1] is still */
};

/* It does not stand since then; nothing if it did not anyway. */
void gaps_begin(struct gaps *gaps, uint64_t since);

/* Why, of the open one: the last sentence is kept. */
void gaps_why(struct gaps *gaps, const char *why);

/* The open one, or one that begins now, can't be bridged: nothing is known since `told`, when
 * something was told last. */
void gaps_lost(struct gaps *gaps, uint64_t told);

/* It stands again since then. Where there is no room for one more, the two oldest become one. */
void gaps_end(struct gaps *gaps, uint64_t until);

#endif
