/* SPDX-License-Identifier: MIT */
/* HTTP, as far as the client knows it. */
#ifndef CLIENT_H
#define CLIENT_H

#include "load.h"

#define HEAD_SIZE 2048 /* longest head of an answer */

/* `pipeline` requests, one after the other; each a head and a body of zeros. */
struct http_request {
	char *data;
	size_t head_size;
	size_t size; /* of one */
};

/* The answer that is coming in. */
struct http_answer {
	uint64_t body;    /* bytes of it still to come */
	size_t head_size; /* so far; 0 also while in the body */
	char head[HEAD_SIZE];
};

enum { HTTP_ANSWER = 1, HTTP_CONTINUE, HTTP_GREETING };

/* Ends the program if there is no memory. */
void http_request_make(struct http_request *request, const struct client_options *options);
/* Uses up data as far as something is complete, and says what; 0: all of it, and more is to come;
 * -errno. */
int http_answer_read(struct http_answer *answer, const char **data, size_t *size);

#endif
