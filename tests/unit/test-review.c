/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/kube/access.h"
#include "../../user/kube/client.h"
#include "../../user/kube/review.h"
#include "review-api.h"

#define SECOND UINT64_C(1000000000)
#define PROMETHEUS "system:serviceaccount:monitoring:prometheus"
#define UNKNOWN                                                                                    \
	"the API server does not know this token: it has expired, was deleted, or is for another " \
	"audience"
#define LIMIT_MS 20000 /* only so that a failure ends */

struct heard {
	struct fixture *f;
	unsigned times;
	enum kube_review_answer answer;
	char why[1024];
};

struct fixture {
	struct api api;
	struct kube_access *access;
	struct kube_client *client;
	struct kube_review *review;
	unsigned asks, answers; /* of all */
	struct heard heard[64];
};

static uint64_t now_ns;

static uint64_t now(void)
{
	return now_ns;
}

static void open_review(struct fixture *f, size_t entries, size_t pending, size_t askers)
{
	const struct kube_review_limits limits = {entries, pending, askers, now};

	kube_review_free(f->review);
	f->review = kube_review_new(f->client, &limits);
	assert_non_null(f->review);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct kube_config *config = calloc(1, sizeof(*config));
	char error[256];

	api_start(&f->api);
	if (asprintf(&config->server, "http://127.0.0.1:%u", f->api.port) < 0)
		return -1;
	config->source = strdup("test");
	config->namespace = strdup("default");
	f->access = kube_access_new(config);
	assert_int_equal(kube_client_new(&f->client, f->access, error, sizeof(error)), 0);
	now_ns = 1000 * SECOND;
	open_review(f, 0, 0, 0);
	for (size_t i = 0; i < 64; i++)
		f->heard[i].f = f;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	kube_review_free(f->review);
	kube_client_free(f->client);
	kube_access_free(f->access);
	api_stop(&f->api);
	free(f);
	return 0;
}

static void done(void *arg, enum kube_review_answer answer, const char *why)
{
	struct heard *heard = arg;

	heard->times++;
	heard->f->answers++;
	heard->answer = answer;
	snprintf(heard->why, sizeof(heard->why), "%s", why);
}

static struct heard *ask(struct fixture *f, size_t i, const char *token, const char *path)
{
	char header[KUBE_REVIEW_TOKEN_MAX + 64];

	f->heard[i].times = 0;
	f->asks++;
	snprintf(header, sizeof(header), "Bearer %s", token);
	kube_review_ask(f->review, header, path, done, &f->heard[i]);
	return &f->heard[i];
}

/* What both sides have to do at once, or as soon as there is something. */
static void turn(struct fixture *f)
{
	struct pollfd client = {.fd = kube_client_fd(f->client), .events = POLLIN};
	struct pollfd all[2 + API_CONNECTIONS];

	memcpy(all, f->api.polls, sizeof(f->api.polls));
	all[1 + API_CONNECTIONS] = client;
	assert_true(poll(all, 2 + API_CONNECTIONS, LIMIT_MS) > 0);
	memcpy(f->api.polls, all, sizeof(f->api.polls));
	api_run(&f->api);
	if (all[1 + API_CONNECTIONS].revents)
		kube_client_run(f->client);
}

static void until(struct fixture *f, const unsigned *count, unsigned n)
{
	while (*count < n)
		turn(f);
	assert_int_equal(*count, n);
}

/* Nobody waits any more. */
static void settle(struct fixture *f)
{
	until(f, &f->answers, f->asks);
}

/* Asked, and answered. */
static struct heard *asked(struct fixture *f, const char *token, const char *path)
{
	unsigned before = f->answers;
	struct heard *heard = ask(f, 0, token, path);

	until(f, &f->answers, before + 1);
	assert_int_equal(heard->times, 1);
	return heard;
}

static void expect(const struct heard *heard, enum kube_review_answer answer, const char *why)
{
	assert_int_equal(heard->times, 1);
	assert_string_equal(heard->why, why);
	assert_int_equal(heard->answer, answer);
}

static void expect_asked(const struct fixture *f, unsigned who, unsigned may)
{
	assert_int_equal(f->api.who, who);
	assert_int_equal(f->api.may, may);
	assert_int_equal(f->api.others, 0);
}

static void assert_json(const json_t *is_, const char *should)
{
	json_t *json = json_loads(should, 0, NULL);

	assert_non_null(json);
	if (!json_equal(is_, json)) {
		char *text = json_dumps(is_, JSON_SORT_KEYS);

		assert_string_equal(text, should);
		free(text);
		fail();
	}
	json_decref(json);
}

/* --- one question --- */

static void test_allowed(void **state)
{
	struct fixture *f = *state;

	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_ALLOWED, "");
	expect_asked(f, 1, 1);
	assert_json(f->api.last_who,
		    "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
		    "\"spec\":{\"token\":\"good\"}}");
	assert_json(f->api.last_may,
		    "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\","
		    "\"spec\":{\"user\":\"" PROMETHEUS "\",\"uid\":\"u-1\","
		    "\"groups\":[\"system:serviceaccounts\",\"system:authenticated\"],"
		    "\"extra\":{\"authentication.kubernetes.io/pod-name\":[\"prometheus-0\"]},"
		    "\"nonResourceAttributes\":{\"path\":\"/metrics\",\"verb\":\"get\"}}}");
	assert_non_null(strstr(f->api.last_head, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(f->api.last_head, "Accept: application/json\r\n"));
	assert_null(strstr(f->api.last_head, "Expect:"));
	assert_null(strstr(f->api.last_head, "x-www-form-urlencoded"));
}

static void test_forbidden(void **state)
{
	struct fixture *f = *state;

	expect(asked(f, "good", "/api/v1/verdict"), KUBE_REVIEW_FORBIDDEN,
	       PROMETHEUS " may not get /api/v1/verdict; bind a ClusterRole to it that has "
			  "nonResourceURLs: [\"/api/v1/verdict\"], verbs: [\"get\"]");
	expect_asked(f, 1, 1);
	/* only what could be shown is */
	expect(asked(f, "poor", "/metrics"), KUBE_REVIEW_FORBIDDEN,
	       "j??rg may not get /metrics; bind a ClusterRole to it that has "
	       "nonResourceURLs: [\"/metrics\"], verbs: [\"get\"]");
	assert_json(json_object_get(f->api.last_may, "spec"),
		    "{\"user\":\"j\u00f6rg\","
		    "\"nonResourceAttributes\":{\"path\":\"/metrics\",\"verb\":\"get\"}}");
}

static void test_unknown_token(void **state)
{
	struct fixture *f = *state;

	expect(asked(f, "sesame", "/metrics"), KUBE_REVIEW_NO_TOKEN, UNKNOWN);
	expect_asked(f, 1, 0);
}

static void ask_header(struct fixture *f, const char *header, const char *path)
{
	f->heard[0].times = 0;
	kube_review_ask(f->review, header, path, done, &f->heard[0]);
}

static void test_no_token(void **state)
{
	static const char none[] = "this needs a token of the cluster: send that of a "
				   "ServiceAccount, as \"Authorization: Bearer TOKEN\"";
	static const char other[] = "there is no token in the Authorization header: send that of a "
				    "ServiceAccount, as \"Authorization: Bearer TOKEN\"";
	static const char *const others[] = {"Basic good", "Bearer",     "Bearer ",
					     "good",       "Bearergood", " Bearer good"};
	struct fixture *f = *state;

	ask_header(f, NULL, "/metrics");
	expect(&f->heard[0], KUBE_REVIEW_NO_TOKEN, none);
	ask_header(f, "", "/metrics");
	expect(&f->heard[0], KUBE_REVIEW_NO_TOKEN, none);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ask_header(f, others[i], "/metrics");
		expect(&f->heard[0], KUBE_REVIEW_NO_TOKEN, other);
	}
	expect_asked(f, 0, 0);
}

/* The scheme's case, and blanks around the token, mean nothing (RFC 9110). */
static void test_header(void **state)
{
	struct fixture *f = *state;

	asked(f, "good", "/metrics");
	ask_header(f, "bEARER   good  ", "/metrics");
	expect(&f->heard[0], KUBE_REVIEW_ALLOWED, "");
	expect_asked(f, 1, 1);
	expect(asked(f, "good+/=._~-\"\\", "/metrics"), KUBE_REVIEW_ALLOWED, "");
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(f->api.last_who, "spec"), "token")),
			    "good+/=._~-\"\\");
}

static void test_odd_tokens(void **state)
{
	static const char *const odd[] = {"go od", "go\tod", "good\r\nX: y", "g\303\266d", "\177"};
	struct fixture *f = *state;
	char token[KUBE_REVIEW_TOKEN_MAX + 2];

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		expect(ask(f, 0, odd[i], "/metrics"), KUBE_REVIEW_NO_TOKEN,
		       "the token has a byte that no token has: send that of a ServiceAccount, as "
		       "\"Authorization: Bearer TOKEN\"");
	memset(token, 'x', sizeof(token));
	token[KUBE_REVIEW_TOKEN_MAX + 1] = '\0';
	expect(ask(f, 0, token, "/metrics"), KUBE_REVIEW_NO_TOKEN,
	       "the token has more than 16 KiB, as none of the cluster has: send that of a "
	       "ServiceAccount, as \"Authorization: Bearer TOKEN\"");
	expect_asked(f, 0, 0);
	token[KUBE_REVIEW_TOKEN_MAX] = '\0';
	expect(asked(f, token, "/metrics"), KUBE_REVIEW_NO_TOKEN, UNKNOWN);
	expect_asked(f, 1, 0);
}

static void test_odd_paths(void **state)
{
	struct fixture *f = *state;
	char path[KUBE_REVIEW_PATH_MAX + 2];

	memset(path, '/', sizeof(path));
	path[KUBE_REVIEW_PATH_MAX + 1] = '\0';
	expect(ask(f, 0, "good", path), KUBE_REVIEW_FORBIDDEN, "nobody may get a path like this");
	expect(ask(f, 0, "good", ""), KUBE_REVIEW_FORBIDDEN, "nobody may get a path like this");
	expect(ask(f, 0, "good", "/a\nb"), KUBE_REVIEW_FORBIDDEN,
	       "nobody may get a path like this");
	expect_asked(f, 0, 0);
}

/* --- what the API may answer instead --- */

static void expect_trouble(const struct fixture *f, uint64_t since, const char *text)
{
	uint64_t is_since;
	const char *trouble = kube_review_trouble(f->review, &is_since);

	if (!text) {
		assert_null(trouble);
		return;
	}
	assert_non_null(trouble);
	assert_string_equal(trouble, text);
	assert_int_equal(is_since, since);
}

static void test_may_not_review(void **state)
{
	static const char who[] =
		"whocalls may not ask the API who has a token (a TokenReview) (HTTP 403: "
		"tokenreviews.authentication.k8s.io is forbidden: User \"x\" cannot create); bind "
		"the ClusterRole system:auth-delegator to its ServiceAccount, so that it may "
		"create tokenreviews.authentication.k8s.io";
	static const char may[] =
		"whocalls may not ask the API what they may (a SubjectAccessReview) (HTTP 403: no); "
		"bind the ClusterRole system:auth-delegator to its ServiceAccount, so that it may "
		"create subjectaccessreviews.authorization.k8s.io";
	struct fixture *f = *state;

	expect_trouble(f, 0, NULL);
	f->api.who_fault = (struct api_fault){
		.status = 403,
		.body = "{\"kind\":\"Status\",\"message\":\"tokenreviews.authentication.k8s.io is "
			"forbidden: User \\\"x\\\" cannot create\"}",
	};
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_UNAVAILABLE, who);
	expect_asked(f, 1, 0);
	expect_trouble(f, now_ns, who);
	/* and not what was said of another's token */
	now_ns += SECOND;
	f->api.who_fault = (struct api_fault){};
	f->api.may_fault = (struct api_fault){.status = 403,
					      .body = "{\"kind\":\"Status\",\"message\":\"no\"}"};
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_UNAVAILABLE, may);
	expect_asked(f, 2, 1);
	expect_trouble(f, now_ns, may);
	/* nothing of it is kept */
	f->api.may_fault = (struct api_fault){};
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_ALLOWED, "");
	expect_asked(f, 2, 2);
	expect_trouble(f, 0, NULL);
}

static void test_other_statuses(void **state)
{
	struct fixture *f = *state;

	/* what such an answer says could be the token */
	f->api.who_fault = (struct api_fault){
		.status = 500, .body = "{\"kind\":\"Status\",\"message\":\"bad: good\"}"};
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_UNAVAILABLE,
	       "asking the API who has a token (a TokenReview): HTTP 500; try again");
	f->api.who_fault.status = 401;
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_UNAVAILABLE,
	       "asking the API who has a token (a TokenReview): it does not accept the token of "
	       "whocalls itself (HTTP 401); see that its ServiceAccount exists");
	f->api.who_fault.status = 404;
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_UNAVAILABLE,
	       "asking the API who has a token (a TokenReview): it has no "
	       "tokenreviews.authentication.k8s.io (HTTP 404); see that the API server serves "
	       "them as v1");
	f->api.who_fault.status = 302;
	f->api.who_fault.head = "Location: /elsewhere\r\n";
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_UNAVAILABLE,
	       "asking the API who has a token (a TokenReview): HTTP 302; try again");
	expect_asked(f, 4, 0);
}

static void test_pause(void **state)
{
	struct fixture *f = *state;

	f->api.who_fault =
		(struct api_fault){.status = 429, .head = "Retry-After: 3\r\n", .body = "{}"};
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_UNAVAILABLE,
	       "asking the API who has a token (a TokenReview): HTTP 429; try again");
	f->api.who_fault = (struct api_fault){};
	now_ns += 3 * SECOND - 1;
	expect(ask(f, 0, "good", "/metrics"), KUBE_REVIEW_UNAVAILABLE,
	       "the API server asks not to be asked for a while; try again");
	expect_asked(f, 1, 0);
	now_ns++;
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_ALLOWED, "");
	expect_asked(f, 2, 1);
}

static void test_api_down(void **state)
{
	struct fixture *f = *state;
	struct heard *heard;
	char why[256];

	snprintf(why, sizeof(why),
		 "asking the API who has a token (a TokenReview): Failed to connect to 127.0.0.1 "
		 "port %u",
		 f->api.port);
	api_stop(&f->api);
	heard = asked(f, "good", "/metrics");
	assert_int_equal(heard->answer, KUBE_REVIEW_UNAVAILABLE);
	/* libcurl's words go on with how long it took */
	heard->why[strlen(why)] = '\0';
	assert_string_equal(heard->why, why);
}

/* After no answer, questions have connections of their own for two minutes: the old one may be
 * dead, though it looks alive. */
static void test_fresh(void **state)
{
	struct fixture *f = *state;

	f->api.hangs = true;
	ask(f, 0, "good", "/metrics");
	until(f, &f->api.who, 1);
	for (size_t i = 0; i < API_CONNECTIONS; i++)
		api_drop(&f->api, i);
	f->api.hangs = false;
	settle(f);
	expect(&f->heard[0], KUBE_REVIEW_UNAVAILABLE,
	       "asking the API who has a token (a TokenReview): Empty reply from server; try again");
	assert_int_equal(f->api.connections, 1);
	asked(f, "good", "/metrics");
	assert_int_equal(f->api.connections, 3);
	now_ns += 120 * SECOND - 1;
	asked(f, "good", "/metrics");
	assert_int_equal(f->api.connections, 5);
	now_ns++;
	asked(f, "poor", "/metrics");
	assert_int_equal(f->api.connections, 5);
}

static const char odd_answer[] = "the answer is not what an API server has; is it one?";

static void test_malformed(void **state)
{
	static const char *const who[] = {
		"",
		"{",
		"[]",
		"<html>Please log in</html>",
		"{}",
		"{\"kind\":\"TokenReview\"}",
		"{\"kind\":\"TokenReview\",\"status\":[]}",
		"{\"kind\":\"Status\",\"status\":{\"authenticated\":true,\"user\":{\"username\":\"x\"}}}",
		"{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"x\"}}}",
		"{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":\"true\"}}",
		"{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true}}",
		"{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"user\":{}}}",
		"{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"user\":{\"username\":"
		"\"\"}}}",
		"{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"user\":{\"username\":"
		"\"x\",\"uid\":1}}}",
		"{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"user\":{\"username\":"
		"\"x\",\"groups\":[1]}}}",
		"{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"user\":{\"username\":"
		"\"x\",\"extra\":{\"a\":\"b\"}}}}",
	};
	static const char *const may[] = {
		"{\"kind\":\"SubjectAccessReview\",\"status\":{}}",
		"{\"kind\":\"SubjectAccessReview\",\"status\":{\"allowed\":\"true\"}}",
		"{\"kind\":\"SubjectAccessReview\",\"status\":{\"allowed\":true,\"denied\":1}}",
		"{\"kind\":\"SelfSubjectAccessReview\",\"status\":{\"allowed\":true}}",
		"{\"kind\":\"SubjectAccessReview\",\"status\":{\"allowed\":true}}}",
	};
	struct fixture *f = *state;
	struct heard *heard;

	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		f->api.who_fault.body = who[i];
		now_ns += SECOND;
		heard = asked(f, "good", "/metrics");
		assert_int_equal(heard->answer, KUBE_REVIEW_UNAVAILABLE);
		assert_non_null(strstr(heard->why, odd_answer));
		expect_asked(f, (unsigned)i + 1, 0);
	}
	f->api.who = 0;
	f->api.who_fault.body = NULL;
	for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
		f->api.may_fault.body = may[i];
		heard = asked(f, "good", "/metrics");
		assert_int_equal(heard->answer, KUBE_REVIEW_UNAVAILABLE);
		assert_non_null(strstr(heard->why, odd_answer));
		expect_asked(f, 1, (unsigned)i + 1);
	}
	/* denied outranks allowed */
	f->api.may_fault.body = "{\"kind\":\"SubjectAccessReview\",\"status\":{\"allowed\":true,"
				"\"denied\":true}}";
	assert_int_equal(asked(f, "good", "/metrics")->answer, KUBE_REVIEW_FORBIDDEN);
}

static void test_long_answer(void **state)
{
	struct fixture *f = *state;
	char *body = malloc((128 << 10) + 2);

	memset(body, ' ', (128 << 10) + 1);
	body[(128 << 10) + 1] = '\0';
	f->api.who_fault.body = body;
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_UNAVAILABLE,
	       "asking the API who has a token (a TokenReview): the answer is longer than any; is "
	       "it an API server?");
	free(body);
}

/* --- what is kept --- */

static void test_kept(void **state)
{
	struct fixture *f = *state;

	asked(f, "good", "/metrics");
	asked(f, "good", "/metrics");
	expect_asked(f, 1, 1);
	/* another path: who it is is known */
	expect(asked(f, "good", "/api/v1/callers"), KUBE_REVIEW_ALLOWED, "");
	expect_asked(f, 1, 2);
	now_ns += KUBE_REVIEW_KEPT_S * SECOND - 1;
	/* from within the call */
	expect(ask(f, 0, "good", "/metrics"), KUBE_REVIEW_ALLOWED, "");
	expect(ask(f, 0, "good", "/api/v1/callers"), KUBE_REVIEW_ALLOWED, "");
	expect_asked(f, 1, 2);
	now_ns++;
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_ALLOWED, "");
	expect_asked(f, 2, 3);
	expect(asked(f, "good", "/api/v1/callers"), KUBE_REVIEW_ALLOWED, "");
	expect_asked(f, 2, 4);
}

/* A right that was taken, a token that was deleted: at the latest when what is kept is over. */
static void test_taken(void **state)
{
	struct fixture *f = *state;

	asked(f, "good", "/metrics");
	f->api.may_fault.body = "{\"kind\":\"SubjectAccessReview\",\"status\":{\"allowed\":false}}";
	expect(ask(f, 0, "good", "/metrics"), KUBE_REVIEW_ALLOWED, "");
	now_ns += KUBE_REVIEW_KEPT_S * SECOND;
	assert_int_equal(asked(f, "good", "/metrics")->answer, KUBE_REVIEW_FORBIDDEN);
	f->api.who_fault.body = "{\"kind\":\"TokenReview\",\"status\":{}}";
	now_ns += KUBE_REVIEW_KEPT_S * SECOND;
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_NO_TOKEN, UNKNOWN);
	expect_asked(f, 3, 2);
	/* for as long as a refusal is kept, all paths */
	expect(ask(f, 0, "good", "/api/v1/callers"), KUBE_REVIEW_NO_TOKEN, UNKNOWN);
}

static void test_refusals_are_kept_shorter(void **state)
{
	struct fixture *f = *state;

	asked(f, "sesame", "/metrics");
	asked(f, "poor", "/metrics");
	expect_asked(f, 2, 1);
	now_ns += KUBE_REVIEW_REFUSED_S * SECOND - 1;
	assert_int_equal(ask(f, 0, "sesame", "/metrics")->answer, KUBE_REVIEW_NO_TOKEN);
	assert_int_equal(ask(f, 0, "poor", "/metrics")->answer, KUBE_REVIEW_FORBIDDEN);
	expect_asked(f, 2, 1);
	now_ns++;
	assert_int_equal(asked(f, "sesame", "/metrics")->answer, KUBE_REVIEW_NO_TOKEN);
	assert_int_equal(asked(f, "poor", "/metrics")->answer, KUBE_REVIEW_FORBIDDEN);
	expect_asked(f, 3, 2);
}

/* --- many --- */

static void test_coalesced(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 60; i++)
		ask(f, i, "good", i % 3 ? "/metrics" : i % 2 ? "/api/v1/callers" : "/else");
	assert_int_equal(f->answers, 0);
	until(f, &f->answers, 60);
	/* one about the token, one about each path */
	expect_asked(f, 1, 3);
	for (size_t i = 0; i < 60; i++) {
		assert_int_equal(f->heard[i].times, 1);
		assert_int_equal(f->heard[i].answer,
				 i % 3 || i % 2 ? KUBE_REVIEW_ALLOWED : KUBE_REVIEW_FORBIDDEN);
	}
}

static struct heard *ask_random(struct fixture *f, size_t i)
{
	char token[64];

	snprintf(token, sizeof(token), "%08" PRIx32 "%08" PRIx32, arc4random(), arc4random());
	return ask(f, i, token, "/metrics");
}

/* A token costs a stranger one turn, whatever they want with it. */
static void test_strangers_paths(void **state)
{
	struct fixture *f = *state;
	char token[16];

	open_review(f, 0, 100, 0);
	for (size_t i = 0; i < 30; i++) {
		snprintf(token, sizeof(token), "%zu", i / 2);
		ask(f, i, token, i % 2 ? "/metrics" : "/else");
	}
	settle(f);
	for (size_t i = 0; i < 30; i++)
		expect(&f->heard[i], KUBE_REVIEW_NO_TOKEN, UNKNOWN);
	expect_asked(f, 15, 0);
}

static void test_flood(void **state)
{
	struct fixture *f = *state;

	asked(f, "good", "/metrics");
	for (unsigned i = 0; i < 10000; i++) {
		ask_random(f, 1);
		if (i % 4 == 0)
			settle(f);
		/* who is known is answered from memory, as before */
		expect(ask(f, 0, "good", "/metrics"), KUBE_REVIEW_ALLOWED, "");
	}
	settle(f);
	assert_int_equal(f->answers, 20001);
	expect(&f->heard[1], KUBE_REVIEW_UNAVAILABLE,
	       "too many tokens that are not known came, or too many questions about this one; try "
	       "again in some seconds");
	/* one of them was the good one, which had also never been seen */
	expect_asked(f, KUBE_REVIEW_STRANGERS_AT_ONCE, 1);
	now_ns += SECOND;
	for (unsigned i = 0; i < 1000; i++) {
		ask_random(f, 1);
		settle(f);
	}
	expect_asked(f, KUBE_REVIEW_STRANGERS_AT_ONCE + KUBE_REVIEW_STRANGERS, 1);
	/* who was valid once has not to wait behind them */
	now_ns += KUBE_REVIEW_KEPT_S * SECOND;
	for (unsigned i = 0; i < 1000; i++) {
		ask_random(f, 1);
		settle(f);
	}
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_ALLOWED, "");
	expect_asked(f, 2 * KUBE_REVIEW_STRANGERS_AT_ONCE + KUBE_REVIEW_STRANGERS + 1, 2);
}

/* Those whose questions hang leave room for those who are known. */
static void test_pending(void **state)
{
	static const char full[] = "too many questions wait for the API already; try again";
	struct fixture *f = *state;

	open_review(f, 0, 8, 0);
	asked(f, "good", "/metrics");
	now_ns += KUBE_REVIEW_KEPT_S * SECOND;
	f->api.hangs = true;
	for (size_t i = 1; i <= 4; i++)
		assert_int_equal(ask_random(f, i)->times, 0);
	expect(ask_random(f, 5), KUBE_REVIEW_UNAVAILABLE, full);
	/* of one token a quarter */
	assert_int_equal(ask(f, 6, "good", "/metrics")->times, 0);
	assert_int_equal(ask(f, 7, "good", "/api/v1/callers")->times, 0);
	expect(ask(f, 8, "good", "/else"), KUBE_REVIEW_UNAVAILABLE, full);
	/* to wait with others for the same is no further question */
	assert_int_equal(ask(f, 9, "good", "/metrics")->times, 0);
	until(f, &f->api.who, 6);
	expect_asked(f, 6, 1);
}

static void test_askers(void **state)
{
	struct fixture *f = *state;

	open_review(f, 0, 0, 2);
	ask(f, 0, "good", "/metrics");
	ask(f, 1, "good", "/metrics");
	expect(ask(f, 2, "good", "/metrics"), KUBE_REVIEW_UNAVAILABLE,
	       "too many wait for the API already; try again");
	until(f, &f->answers, 3);
	expect(&f->heard[0], KUBE_REVIEW_ALLOWED, "");
	expect(&f->heard[1], KUBE_REVIEW_ALLOWED, "");
	expect(ask(f, 2, "good", "/metrics"), KUBE_REVIEW_ALLOWED, "");
	/* who was called, or went away, waits no more */
	ask(f, 0, "good", "/api/v1/callers");
	ask(f, 1, "good", "/api/v1/callers");
	kube_review_cancel(f->review, &f->heard[1]);
	ask(f, 2, "good", "/api/v1/callers");
	until(f, &f->answers, 6);
	expect(&f->heard[0], KUBE_REVIEW_ALLOWED, "");
	expect(&f->heard[2], KUBE_REVIEW_ALLOWED, "");
}

/* Somebody with a valid token asks for one path after the other. */
static void test_rate_of_known(void **state)
{
	struct fixture *f = *state;
	char path[32];

	asked(f, "poor", "/metrics");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/%u", i);
		ask(f, 0, "poor", path);
		settle(f);
	}
	expect_asked(f, 1, 1 + KUBE_REVIEW_KNOWN_AT_ONCE);
	/* the others do not suffer from it */
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_ALLOWED, "");
}

/* --- those who go away --- */

static void test_cancel(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, "good", "/metrics");
	ask(f, 1, "good", "/metrics");
	ask(f, 2, "good", "/metrics");
	kube_review_cancel(f->review, &f->heard[1]);
	kube_review_cancel(f->review, &f->heard[1]);
	until(f, &f->answers, 2);
	assert_int_equal(f->heard[0].times, 1);
	assert_int_equal(f->heard[1].times, 0);
	assert_int_equal(f->heard[2].times, 1);
	/* nobody waits for it, and it is remembered all the same */
	ask(f, 0, "good", "/api/v1/callers");
	kube_review_cancel(f->review, &f->heard[0]);
	until(f, &f->api.may, 2);
	expect(asked(f, "good", "/api/v1/callers"), KUBE_REVIEW_ALLOWED, "");
	expect_asked(f, 1, 2);
	assert_int_equal(f->answers, 3);
}

/* The first that is called cancels the next, and asks again. */
static void cancel_next(void *arg, enum kube_review_answer answer, const char *why)
{
	struct heard *heard = arg;
	struct fixture *f = heard->f;

	done(arg, answer, why);
	kube_review_cancel(f->review, &f->heard[1]);
	ask(f, 3, "good", "/metrics");
}

static void test_cancel_within(void **state)
{
	struct fixture *f = *state;

	kube_review_ask(f->review, "Bearer good", "/metrics", cancel_next, &f->heard[0]);
	ask(f, 1, "good", "/metrics");
	ask(f, 2, "good", "/metrics");
	until(f, &f->answers, 3);
	expect(&f->heard[0], KUBE_REVIEW_ALLOWED, "");
	assert_int_equal(f->heard[1].times, 0);
	expect(&f->heard[2], KUBE_REVIEW_ALLOWED, "");
	expect(&f->heard[3], KUBE_REVIEW_ALLOWED, "");
	expect_asked(f, 1, 1);
}

static void test_free_with_pending(void **state)
{
	static const char ends[] = "whocalls is ending here; try again";
	struct fixture *f = *state;

	f->api.hangs = true;
	kube_review_ask(f->review, "Bearer good", "/metrics", cancel_next, &f->heard[0]);
	ask(f, 1, "good", "/metrics");
	ask(f, 2, "poor", "/metrics");
	until(f, &f->api.who, 2);
	kube_review_free(f->review);
	f->review = NULL;
	assert_int_equal(f->answers, 3);
	expect(&f->heard[0], KUBE_REVIEW_UNAVAILABLE, ends);
	assert_int_equal(f->heard[1].times, 0);
	expect(&f->heard[2], KUBE_REVIEW_UNAVAILABLE, ends);
	expect(&f->heard[3], KUBE_REVIEW_UNAVAILABLE, ends);
	/* and what was asked comes to nobody */
	for (size_t i = 0; i < API_CONNECTIONS; i++)
		api_drop(&f->api, i);
	f->api.hangs = false;
	open_review(f, 0, 0, 0);
	expect(asked(f, "good", "/metrics"), KUBE_REVIEW_ALLOWED, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_allowed),
		TEST(test_forbidden),
		TEST(test_unknown_token),
		TEST(test_no_token),
		TEST(test_header),
		TEST(test_odd_tokens),
		TEST(test_odd_paths),
		TEST(test_may_not_review),
		TEST(test_other_statuses),
		TEST(test_pause),
		TEST(test_api_down),
		TEST(test_fresh),
		TEST(test_malformed),
		TEST(test_long_answer),
		TEST(test_kept),
		TEST(test_taken),
		TEST(test_refusals_are_kept_shorter),
		TEST(test_coalesced),
		TEST(test_strangers_paths),
		TEST(test_flood),
		TEST(test_pending),
		TEST(test_askers),
		TEST(test_rate_of_known),
		TEST(test_cancel),
		TEST(test_cancel_within),
		TEST(test_free_with_pending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
