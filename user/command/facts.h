/* SPDX-License-Identifier: MIT */
/* What a session knows of its coverage beside what it has counted. */
#ifndef COMMAND_FACTS_H
#define COMMAND_FACTS_H

#include "../callers/coverage.h"
#include "session.h"

/* After session_finish(). What *facts points to is the session's. */
struct facts {
	struct coverage_facts facts;
	/* private: */
	struct blind blind[COVERAGE_BLIND];
	char unwatched[512];
	char node[256];
};
void facts_make(struct facts *facts, const struct session *session);

#endif
