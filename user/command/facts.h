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

/* After session_finish(). `*facts` must not be moved, and the session outlive it. */
void facts_make(struct facts *facts, const struct session *session);

#endif
