/* SPDX-License-Identifier: MIT */
/* Which rows of a ledger are the same caller: a workload, whatever pods it has; a process by its
 * name; a node; else an address. */
#ifndef CALLERS_SAME_H
#define CALLERS_SAME_H

#include "ledger.h"

bool row_same_caller(const struct row *a, const struct row *b);
/* Equal for rows that are. */
uint64_t row_caller_hash(const struct row *row);

#endif
