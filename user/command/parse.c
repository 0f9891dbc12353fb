/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NS (30ULL * 24 * 3600 * 1000000000)

int number_parse(const char *text, const char **end, uint64_t *number)
{
	char *rest;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*number = strtoull(text, &rest, 10);
	*end = rest;
	return -errno;
}

int duration_parse(const char *text, uint64_t *ns, const char **problem)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"ms", 1000000ULL},      {"s", 1000000000ULL},         {"m", 60000000000ULL},
		{"h", 3600000000000ULL}, {"d", 24 * 3600000000000ULL},
	};
	static const char too_long[] = "it is longer than 30 days";
	uint64_t sum = 0;

	*problem = "not a duration: write for example 30s, 10m or 1h30m";
	if (!*text)
		return -EINVAL;
	while (*text) {
		uint64_t number, unit = 0;
		size_t length;
		int r = number_parse(text, &text, &number);

		if (r == -ERANGE)
			*problem = too_long;
		if (r)
			return -EINVAL;
		length = strspn(text, "abcdefghijklmnopqrstuvwxyz");
		if (!*text) {
			*problem = "it has no unit: write 10s, 10m or 10h";
			return -EINVAL;
		}
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			if (length == strlen(units[i].name) &&
			    !strncmp(text, units[i].name, length))
				unit = units[i].ns;
		}
		if (!unit)
			return -EINVAL;
		if (number > MAX_NS / unit || sum + number * unit > MAX_NS) {
			*problem = too_long;
			return -EINVAL;
		}
		sum += number * unit;
		text += length;
	}
	if (!sum) {
		*problem = "it is no time at all";
		return -EINVAL;
	}
	*ns = sum;
	return 0;
}

int size_parse(const char *text, uint64_t *bytes)
{
	uint64_t number;
	int shift = 0;

	if (number_parse(text, &text, &number))
		return -EINVAL;
	switch (*text) {
	case 'k':
	case 'K':
		shift = 10;
		break;
	case 'M':
		shift = 20;
		break;
	case 'G':
		shift = 30;
		break;
	default:
		break;
	}
	if (shift)
		text++;
	if (shift && !strcmp(text, "iB"))
		text += 2;
	if (*text || number > UINT64_MAX >> shift)
		return -EINVAL;
	*bytes = number << shift;
	return 0;
}
