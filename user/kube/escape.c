/* SPDX-License-Identifier: MIT */
#include "escape.h"

#include <string.h>

#include <curl/curl.h>

char *kube_escape(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0), *copy;

	copy = escaped ? strdup(escaped) : NULL;
	curl_free(escaped);
	return copy;
}
