/* SPDX-License-Identifier: MIT */
/* What the agent watches, as JSON. */
#ifndef OUTPUT_JSON_TARGETS_H
#define OUTPUT_JSON_TARGETS_H

#include <stdio.h>

#include "../callers/watched.h"

/*
 * {"schema": "whocalls/v1", "node", "time", "targets": [{target ("NAMESPACE/NAME", as a question
 * has it), namespace, name, uid, since (when its counts began), endpoints {watched (on this node,
 * now), elsewhere (on others, now), ended}, callers (but probes), opened, open, requests (null: not
 * counted), last_call (of anybody but probes; null: none), not_watched (a sentence; null)}]}.
 * `node`: "" if not known. 0, -ENOMEM, or -EIO.
 */
int json_targets(FILE *file, const struct watch_pool *pool, const struct report *capture,
		 const char *node);

#endif
