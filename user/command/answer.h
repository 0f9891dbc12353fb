/* SPDX-License-Identifier: MIT */
/* One answer over HTTP: a sentence, or what is written to a FILE. */
#ifndef COMMAND_ANSWER_H
#define COMMAND_ANSWER_H

#include <stddef.h>
#include <stdio.h>

#include "../serve/http.h"

#define ANSWER_JSON "application/json"

/* A sentence, and the request is answered. */
void answer_say(struct http_request *request, unsigned int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct answer {
	FILE *file; /* what is written here is the answer */
	/* private: */
	char *body;
	size_t length;
};

/* 0 or -ENOMEM; answer_end() follows in either case. */
int answer_begin(struct answer *answer);
/* The request is answered: with what was written, or, if `r` is an error, with that. */
void answer_end(struct answer *answer, struct http_request *request, const char *content_type,
		int r);

#endif
