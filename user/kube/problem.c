/* SPDX-License-Identifier: MIT */
#include "problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void problem_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

int problem_set(const struct problem *problem, int r, const char *format, ...)
{
	va_list args;

	if (!problem->size)
		return r;
	va_start(args, format);
	vsnprintf(problem->text, problem->size, format, args);
	va_end(args);
	problem_printable(problem->text);
	return r;
}

int problem_no_memory(const struct problem *problem)
{
	return problem_set(problem, -ENOMEM,
			   "there is no memory for it; stop something else, or allow more");
}
