/* SPDX-License-Identifier: MIT */
#include "exec-credential.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "json-memory.h"
#include "kubeconfig.h"

#define NS_PER_SECOND INT64_C(1000000000)

bool token_is(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return size;
}

/* --- times --- */

/* `form`: 0 is a digit, all else itself. Returns what follows, or NULL. */
static const char *match(const char *text, const char *form)
{
	for (; *form; form++, text++)
		if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
			return NULL;
	return text;
}

static int number(const char *text, size_t digits)
{
	int n = 0;

	while (digits--)
		n = n * 10 + (*text++ - '0');
	return n;
}

/* Seconds east; -1 where there is none, which is no offset. */
static int parse_offset(const char *text)
{
	int seconds;

	if (strcmp(text, "Z") == 0)
		return 0;
	if ((*text != '+' && *text != '-') || !match(text + 1, "00:00") || text[6])
		return -1;
	if (number(text + 1, 2) > 23 || number(text + 4, 2) > 59)
		return -1;
	seconds = (number(text + 1, 2) * 60 + number(text + 4, 2)) * 60;
	return *text == '-' ? -seconds : seconds;
}

int time_parse(const char *text, int64_t *out)
{
	const char *rest = match(text, "0000-00-00T00:00:00");
	struct tm given, tm;
	int64_t fraction = 0;
	time_t seconds;
	int offset;

	if (!rest)
		return -EINVAL;
	given = (struct tm){
		.tm_year = number(text, 4) - 1900,
		.tm_mon = number(text + 5, 2) - 1,
		.tm_mday = number(text + 8, 2),
		.tm_hour = number(text + 11, 2),
		.tm_min = number(text + 14, 2),
		.tm_sec = number(text + 17, 2),
	};
	if (*rest == '.') {
		int64_t unit = NS_PER_SECOND / 10;

		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			fraction += (*rest - '0') * unit;
	}
	offset = parse_offset(rest);
	if (offset == -1)
		return -EINVAL;
	tm = given;
	seconds = timegm(&tm);
	/* The 31st of February became another day. */
	if (tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday ||
	    tm.tm_hour != given.tm_hour || tm.tm_min != given.tm_min || tm.tm_sec != given.tm_sec)
		return -EINVAL;
	seconds -= offset;
	/* Who writes year 1 or 9999 means always or never. */
	if (seconds <= 0)
		*out = 0;
	else if (seconds >= INT64_MAX / NS_PER_SECOND)
		*out = INT64_MAX;
	else
		*out = seconds * NS_PER_SECOND + fraction;
	return 0;
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
