/* SPDX-License-Identifier: MIT */
#include "say.h"

#include <stdarg.h>
#include <string.h>

const char *say_plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

/* Prints a text in lines of at most `width` characters, broken between words; the lines after the
 * first stand `indent` further in. */
static void print_wrapped(FILE *file, const char *text, int width, int indent, const char *colour)
{
	int left = 0;

	while (*text) {
		int n = strlen(text), room = width - left;

		if (width > 0 && n > room) {
			for (n = room > 1 ? room : 1; n > 1 && text[n] != ' '; n--)
				;
			/* a word longer than a line is broken somewhere */
			if (n == 1)
				n = room > 1 ? room : 1;
		}
		fprintf(file, "%*s%s%.*s%s\n", left, "", colour, n, text,
			*colour ? SAY_NO_COLOUR : "");
		text += n;
		while (*text == ' ')
			text++;
		left = indent < width / 2 ? indent : 0;
	}
}

void say_text(FILE *file, const struct table_options *options, const char *colour, const char *text)
{
	print_wrapped(file, text, options->width, text[0] == ' ' ? 4 : 0,
		      options->colour ? colour : "");
}

void say(FILE *file, const struct table_options *options, bool warn, const char *format, ...)
{
	char text[SAY_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say_text(file, options, warn ? SAY_YELLOW : "", text);
}
