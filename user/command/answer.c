/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void answer_say(struct http_request *request, unsigned int status, const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	http_answer(request, status, NULL, length < 0 ? NULL : text,
		    length < 0 ? 0 : (size_t)length);
}

int answer_begin(struct answer *answer)
{
	*answer = (struct answer){};
	answer->file = open_memstream(&answer->body, &answer->length);
	return answer->file ? 0 : -ENOMEM;
}

void answer_end(struct answer *answer, struct http_request *request, const char *content_type,
		int r)
{
	if (answer->file && fclose(answer->file) && !r)
		r = -ENOMEM;
	if (!r) {
		http_answer(request, 200, content_type, answer->body, answer->length);
		return;
	}
	free(answer->body);
	answer_say(request, 500, "making the answer: %s\n", strerror(-r));
}
