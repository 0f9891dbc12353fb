/* SPDX-License-Identifier: MIT */
#include "exec-credential.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "json-memory.h"
#include "kubeconfig.h"
#include "time-parse.h"

bool token_is(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return size;
}

/* --- the document --- */

static int take_text(const json_t *status, const char *key, struct secret *out,
		     const struct problem *problem)
{
	const json_t *value = json_object_get(status, key);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return problem_set(problem, -EINVAL, "printed a status.%s that is no string", key);
	if (!json_string_length(value))
		return 0;
	if (secret_copy(out, json_string_value(value), json_string_length(value)) < 0)
		return problem_set(problem, -ENOMEM, "printed more than there is memory for");
	return 0;
}

static int take_expiry(const json_t *status, int64_t *out, const struct problem *problem)
{
	const json_t *value = json_object_get(status, "expirationTimestamp");
	const char *text = json_string_value(value);

	*out = INT64_MAX;
	if (!value || json_is_null(value))
		return 0;
	if (!text || time_parse(text, out) < 0)
		return problem_set(problem, -EINVAL,
				   "printed a status.expirationTimestamp that is no time");
	return 0;
}

static int check(const struct exec_credential *credential, const struct problem *problem)
{
	if (!credential->certificate.size != !credential->key.size)
		return problem_set(problem, -EINVAL,
				   "printed only one of certificate and key, not both");
	if (!credential->token.size && !credential->key.size)
		return problem_set(problem, -EINVAL, "printed neither a token nor a certificate");
	if (credential->token.size && !token_is(credential->token.data, credential->token.size))
		return problem_set(problem, -EINVAL,
				   "printed a token with a byte that no token has");
	if (credential->key.size &&
	    (!pem_is(&credential->certificate) || !pem_is(&credential->key)))
		return problem_set(problem, -EINVAL, "printed a certificate or key that is no PEM");
	return 0;
}

static int take(const json_t *json, const char *api_version, struct exec_credential *out,
		const struct problem *problem)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));
	const char *version = json_string_value(json_object_get(json, "apiVersion"));
	const json_t *status = json_object_get(json, "status");
	int r;

	if (!kind || strcmp(kind, "ExecCredential") != 0)
		return problem_set(problem, -EINVAL, "printed no ExecCredential");
	if (!version || strcmp(version, api_version) != 0)
		return problem_set(problem, -EINVAL,
				   "printed an ExecCredential of another apiVersion than %.80s",
				   api_version);
	if (!json_is_object(status))
		return problem_set(problem, -EINVAL, "printed an ExecCredential without a status");
	r = take_text(status, "token", &out->token, problem);
	if (r == 0)
		r = take_text(status, "clientCertificateData", &out->certificate, problem);
	if (r == 0)
		r = take_text(status, "clientKeyData", &out->key, problem);
	if (r == 0)
		r = take_expiry(status, &out->expires, problem);
	return r < 0 ? r : check(out, problem);
}

int exec_credential_parse(const char *text, size_t size, const char *api_version,
			  struct exec_credential *out, const struct problem *problem)
{
	json_error_t error;
	json_t *json;
	bool failed;
	int r;

	json_memory_watch();
	json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	failed = json_memory_failed();
	json_memory_unwatch();
	/* Its text may repeat some of the output. */
	if (failed)
		r = problem_set(problem, -ENOMEM, "printed more than there is memory for");
	else if (!json && !size)
		r = problem_set(problem, -EINVAL, "printed nothing");
	else if (!json)
		r = problem_set(problem, -EINVAL, "printed what is not JSON, near line %d",
				error.line);
	else
		r = take(json, api_version, out, problem);
	secret_json_decref(json);
	if (r < 0)
		exec_credential_deinit(out);
	return r;
}

void exec_credential_deinit(struct exec_credential *credential)
{
	secret_deinit(&credential->token);
	secret_deinit(&credential->certificate);
	secret_deinit(&credential->key);
	credential->expires = 0;
}
