/* SPDX-License-Identifier: MIT */
/* What the client sends in http mode, and what it understands of the answers. See client.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "client.h"

void http_request_make(struct http_request *request, const struct client_options *options)
{
	bool last = options->requests == 1 && options->end == END_FIN;
	char length[64] = "";
	char *one;
	int n;

	if (options->body)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", options->body);
	n = asprintf(&one, "%s / HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n",
		     options->body ? "POST" : "GET", options->to,
		     last ? "Connection: close\r\n" : "", length,
		     options->expect ? "Expect: 100-continue\r\n" : "");
	if (n < 0)
		err(EX_OSERR, "memory");
	request->head_size = n;
	request->size = n + options->body;
	request->data = calloc(options->pipeline, request->size);
	if (!request->data)
		err(EX_OSERR, "memory");
	for (size_t i = 0; i < options->pipeline; i++)
		memcpy(request->data + i * request->size, one, n);
	free(one);
}

int http_answer_read(struct http_answer *answer, const char **data, size_t *size)
{
	const char *end, *length;
	size_t n = HEAD_SIZE - 1 - answer->head_size, used;

	if (!answer->body) {
		if (n > *size)
			n = *size;
		memcpy(answer->head + answer->head_size, *data, n);
		answer->head[answer->head_size + n] = '\0';
		end = strstr(answer->head, "\r\n\r\n");
		if (!end) {
			answer->head_size += n;
			*data += n;
			*size -= n;
			return answer->head_size == HEAD_SIZE - 1 ? -EPROTO : 0;
		}
		used = end + 4 - answer->head - answer->head_size;
		answer->head_size = 0;
		*data += used;
		*size -= used;
		if (!strncmp(answer->head, "HTTP/1.1 100 ", strlen("HTTP/1.1 100 ")))
			return HTTP_CONTINUE;
		if (!strncmp(answer->head, "220 ", strlen("220 ")))
			return HTTP_GREETING;
		length = strcasestr(answer->head, "\r\nContent-Length:");
		if (!length || length > end)
			return -EPROTO;
		answer->body = strtoull(length + strlen("\r\nContent-Length:"), NULL, 10);
		if (!answer->body)
			return HTTP_ANSWER;
	}
	used = *size < answer->body ? *size : answer->body;
	answer->body -= used;
	*data += used;
	*size -= used;
	return !answer->body && used ? HTTP_ANSWER : 0;
}
