/* SPDX-License-Identifier: MIT */
#include "version.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_number(const char *text)
{
	return *text >= '1' && *text <= '9' && text[strspn(text, "0123456789")] == '\0';
}

int kube_version_compare(const char *a, const char *b, int *order)
{
	size_t a_length = strlen(a), b_length = strlen(b);

	if (!is_number(a) || !is_number(b))
		return -EINVAL;
	if (a_length == b_length)
		*order = strcmp(a, b);
	else
		*order = a_length < b_length ? -1 : 1;
	return 0;
}
