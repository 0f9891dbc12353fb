/* SPDX-License-Identifier: MIT */
/* Sentences below a table, in lines that fit the terminal. Nothing is escaped here. */
#ifndef OUTPUT_SAY_H
#define OUTPUT_SAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "table.h"

#define SAY_MAX 2048 /* bytes of one, with its end; what is more is cut */

#define SAY_RED "\033[31m"
#define SAY_GREEN "\033[32m"
#define SAY_YELLOW "\033[33m"
#define SAY_NO_COLOUR "\033[0m"

/* Prints a sentence; `warn`: in yellow. If it begins with a space, the lines after the first stand
 * further in. */
void say(FILE *file, const struct table_options *options, bool warn, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The same, in any colour, as far as options->colour allows it; "": none. */
void say_text(FILE *file, const struct table_options *options, const char *colour,
	      const char *text);

/* The one of two forms that goes with a number. */
const char *say_plural(uint64_t n, const char *one, const char *many);

#endif
