/* SPDX-License-Identifier: MIT */
/* What stands below the table's rows: that there was nothing, totals, what the report rests on. */
#ifndef OUTPUT_FOOTER_H
#define OUTPUT_FOOTER_H

#include <stdbool.h>
#include <stdio.h>

#include "../callers/report.h"
#include "table.h"

/* Whether nobody but probes opened a connection, as far as is known. */
bool footer_is_quiet(const struct report *report);

/* "Nobody has called in 0:10.", and why that is no proof. */
void footer_print_quiet(FILE *file, const struct report *report,
			const struct table_options *options);
/* One sentence on the callers that found no room. */
void footer_print_others(FILE *file, const struct report *report,
			 const struct table_options *options);
void footer_print_totals(FILE *file, const struct report *report,
			 const struct table_options *options);
/* Hooks, what they saw and missed, what was lost; notes. */
void footer_print_hooks(FILE *file, const struct report *report,
			const struct table_options *options);
/* The same under a heading. */
void footer_print_basis(FILE *file, const struct report *report,
			const struct table_options *options);

#endif
