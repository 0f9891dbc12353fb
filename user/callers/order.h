/* SPDX-License-Identifier: MIT */
/* In which order callers stand. */
#ifndef CALLERS_ORDER_H
#define CALLERS_ORDER_H

#include <stddef.h>

#include "report.h"

/*
 * Sorts; probes after all others. Those that are equal by `sort` stand by their connections
 * (opened, then open), then by who they are: callers are never equal, so an order doesn't change by
 * itself.
 */
void order_callers(struct caller *callers, size_t n, enum report_sort sort);

#endif
