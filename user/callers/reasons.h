/* SPDX-License-Identifier: MIT */
/* The sentences of a verdict's reasons. Private to the verdict. */
#ifndef CALLERS_REASONS_H
#define CALLERS_REASONS_H

#include "verdict.h"

/* Writes text and next of a reason that holds. verdict->counted is set. */
void reason_write(struct reason *reason, const struct verdict *verdict,
		  const struct traffic *traffic, const struct coverage *coverage);

#endif
