/* SPDX-License-Identifier: MIT */
/*
 * From a head to its answer. MHD calls request_handle() when it has the head, again when it has the
 * whole request, and again after MHD_resume_connection(). An answer that is given to the first call
 * closes the connection (MHD_queue_response() of 0.9.75), which is what a body or a large head
 * deserves; all others wait for the second.
 */
#include "state.h"

#include <stdlib.h>
#include <string.h>

/* NULL: no memory; the body is gone then, too. */
static struct MHD_Response *response_new(const struct http *http, unsigned int status,
					 const char *content_type, char *body, size_t length)
{
	static char nothing[1];
	struct MHD_Response *response = MHD_create_response_from_buffer(
		body ? length : 0, body ? body : nothing,
		body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	bool ok;

	if (!response) {
		free(body);
		return NULL;
	}
	ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				     content_type ? content_type : "text/plain; charset=utf-8") &&
	     MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") &&
	     MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_UNAUTHORIZED)
		ok = ok &&
		     MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		ok = ok && MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (status == MHD_HTTP_TOO_MANY_REQUESTS || status == MHD_HTTP_SERVICE_UNAVAILABLE)
		ok = ok && MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	if (http->draining || status == MHD_HTTP_TOO_MANY_REQUESTS)
		ok = ok && MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (ok)
		return response;
	MHD_destroy_response(response);
	return NULL;
}

/* It is answered with this; a response of NULL drops the connection. */
static void answer(struct http_request *request, unsigned int status, struct MHD_Response *response,
		   size_t length)
{
	request->answered = true;
	request->last = request->connection->http->draining;
	request->status = status;
	request->response = response;
	request->length = length;
	request->connection->http->answers_bytes += length;
}

/* An answer of the server itself. */
static void answer_with(struct http_request *request, unsigned int status, const char *sentence)
{
	char *body = strdup(sentence);

	answer(request, status,
	       body ? response_new(request->connection->http, status, NULL, body, strlen(body))
		    : NULL,
	       strlen(sentence));
}

void http_answer(struct http_request *request, unsigned int status, const char *content_type,
		 char *body, size_t length)
{
	struct http *http = request->connection->http;
	size_t room = http->limits.answers_bytes;

	if (!body)
		length = 0;
	if (http->answers_bytes && (length > room || http->answers_bytes > room - length)) {
		free(body);
		http->counts.too_large++;
		answer_with(request, MHD_HTTP_SERVICE_UNAVAILABLE,
			    "Too many large answers are under way; ask again.\n");
	} else {
		answer(request, status, response_new(http, status, content_type, body, length),
		       length);
	}
	if (!request->suspended)
		return;
	MHD_resume_connection(request->connection->mhd);
	http->resumed = true;
	serve_timer(http);
}

static enum MHD_Result any_body(void *arg, enum MHD_ValueKind kind, const char *name,
				const char *value)
{
	bool *found = arg;

	(void)kind;
	if (!strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) ||
	    (!strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) && (!value || strcmp(value, "0"))))
		*found = true;
	return MHD_YES;
}

static bool allowed(const char *method)
{
	return !strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD);
}

static void refuse_method(struct http_request *request)
{
	request->connection->http->counts.not_allowed++;
	answer_with(request, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD are allowed.\n");
}

static void refuse_malformed(struct http_request *request, unsigned int status,
			     const char *sentence)
{
	request->connection->http->counts.malformed++;
	answer_with(request, status, sentence);
}

/* What closes the connection, too. */
static void check_head(struct http_request *request, const char *method)
{
	struct http_connection *connection = request->connection;
	size_t size =
		MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
			->header_size;
	bool body = false;

	MHD_get_connection_values(connection->mhd, MHD_HEADER_KIND, any_body, &body);
	if (size > connection->http->limits.head_bytes)
		refuse_malformed(request, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
				 "The request line and the headers are too large.\n");
	else if (connection->zeros)
		refuse_malformed(request, MHD_HTTP_BAD_REQUEST,
				 "The path or the query has a 0 byte.\n");
	else if (body && allowed(method))
		refuse_malformed(request, MHD_HTTP_CONTENT_TOO_LARGE,
				 "No request here may have a body.\n");
	else if (body)
		refuse_method(request);
}

/* Asks, if the server has nothing against it. */
static void ask(struct http_request *request, const char *method)
{
	struct http_connection *connection = request->connection;
	struct http *http = connection->http;

	if (!clients_may_ask(&http->clients, connection->client, serve_now())) {
		http->counts.too_many++;
		answer_with(request, MHD_HTTP_TOO_MANY_REQUESTS,
			    "Too many requests from this address; ask less often.\n");
		return;
	}
	if (!allowed(method)) {
		refuse_method(request);
		return;
	}
	http->counts.requests++;
	http->ask(request, http->arg);
}

static enum MHD_Result send_answer(struct http_request *request)
{
	struct MHD_Response *response = request->response;
	enum MHD_Result r;

	connection_phase(request->connection, PHASE_ANSWER);
	if (!response)
		return MHD_NO;
	request->response = NULL;
	r = MHD_queue_response(request->connection->mhd, request->status, response);
	MHD_destroy_response(response); /* the queue has a reference */
	return r;
}

static struct http_request *request_new(struct http_connection *connection, const char *path)
{
	struct http_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->connection = connection;
	request->path = path;
	connection->request = request;
	connection_phase(connection, PHASE_ASKED);
	return request;
}

enum MHD_Result request_handle(void *arg, struct MHD_Connection *mhd, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **context)
{
	struct http_request *request = *context;

	(void)arg;
	(void)version;
	(void)upload;
	if (!request) {
		request = request_new(connection_of(mhd), url);
		if (!request)
			return MHD_NO;
		*context = request;
		check_head(request, method);
		return request->answered ? send_answer(request) : MHD_YES;
	}
	if (*upload_size)
		return MHD_NO; /* it said that it has no body */
	if (!request->checked) {
		request->checked = true;
		ask(request, method);
	}
	if (request->answered)
		return send_answer(request);
	request->suspended = true;
	MHD_suspend_connection(mhd);
	return MHD_YES;
}

/* Also of a request that was dropped. */
void request_completed(void *arg, struct MHD_Connection *mhd, void **context,
		       enum MHD_RequestTerminationCode code)
{
	struct http *http = arg;
	struct http_connection *connection = connection_of(mhd);
	struct http_request *request = *context;
	bool last;

	(void)code;
	connection->zeros = false;
	connection->answered_turn = http->turn;
	if (!request)
		return; /* MHD itself answered */
	*context = NULL;
	connection->request = NULL;
	http->answers_bytes -= request->length;
	if (request->response)
		MHD_destroy_response(request->response);
	last = request->last;
	free(request);
	connection_phase(connection, PHASE_HEAD);
	if (http->draining && !last) /* what is written is sent still */
		connection_cut(connection);
}

size_t request_unescape(void *arg, struct MHD_Connection *mhd, char *text)
{
	size_t size = MHD_http_unescape(text);

	(void)arg;
	if (strlen(text) != size)
		connection_of(mhd)->zeros = true;
	return size;
}

const char *http_path(const struct http_request *request)
{
	return request->path;
}

struct lookup {
	const char *name, *value;
};

/* MHD's own look-up takes `Target` for `target`, and no value for none. */
static enum MHD_Result same_name(void *arg, enum MHD_ValueKind kind, const char *name,
				 const char *value)
{
	struct lookup *lookup = arg;

	(void)kind;
	if (strcmp(name, lookup->name))
		return MHD_YES;
	lookup->value = value ? value : "";
	return MHD_NO;
}

const char *http_query(const struct http_request *request, const char *name)
{
	struct lookup lookup = {.name = name};

	MHD_get_connection_values(request->connection->mhd, MHD_GET_ARGUMENT_KIND, same_name,
				  &lookup);
	return lookup.value;
}

const char *http_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection->mhd, MHD_HEADER_KIND, name);
}

bool http_from_loopback(const struct http_request *request)
{
	return request->connection->loopback;
}
