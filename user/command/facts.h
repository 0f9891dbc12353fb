/* SPDX-License-Identifier: MIT */
/* What a session knows of its coverage beside what it has counted. */
#ifndef COMMAND_FACTS_H
#define COMMAND_FACTS_H

#include "../callers/coverage.h"
#include "session.h"

struct facts {
	struct coverage_facts facts;
	/* private: what those point into, beside the session */
	struct blind blind[COVERAGE_BLIND];
	char unwatched[512];
};

/* enum unwatched, of the codes of struct not_watched. */
unsigned int facts_unwatched(uint32_t codes);

/*
 * Fills in facts->blind, and what tells of it, for a window of CLOCK_MONOTONIC ns. Where an
 * endpoint of the target has gone in it, it matters whether its pod had ended. Of what the API told
 * late in the end facts->confirmed says.
 */
void facts_blind(struct facts *facts, const struct kube *kube, const struct target *target,
		 uint64_t start_ns, uint64_t end_ns);

/*
 * Fills in facts->confirmed, and why not: whether the API has confirmed all that it told of the
 * target's endpoints in a window that began then.
 */
void facts_confirmed(struct facts *facts, const struct kube *kube, const struct target *target,
		     uint64_t start_ns);

/* After session_finish(). `*facts` must not be moved, and the session outlive it. */
void facts_make(struct facts *facts, const struct session *session);

#endif
