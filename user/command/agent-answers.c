/* SPDX-License-Identifier: MIT */
/* What the agent answers over HTTP. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kube/clock.h"
#include "../kube/time-parse.h"
#include "../output/json-history.h"
#include "../output/json-targets.h"
#include "../output/json.h"
#include "agent.h"
#include "answer.h"
#include "parse.h"

/* --- for probes --- */

static void answer_health(struct agent *agent, struct http_request *request)
{
	(void)agent;
	answer_say(request, 200, "ok\n");
}

/* Why is for those who have a token, and for the log. */
static void answer_ready(struct agent *agent, struct http_request *request)
{
	struct kube_trouble trouble = {.text = "the API has not told them yet"};

	if (!agent->options.listens_beyond)
		kube_troubles(agent->kube, &trouble, 1);
	if (!agent->capture)
		answer_say(request, 503, "not ready: the Services are not known: %s\n",
			   trouble.text);
	else if (!capture_intact(agent->capture))
		answer_say(request, 503,
			   "not ready: a BPF program was detached by somebody else\n");
	else
		answer_say(request, 200, "ok\n");
}

/* --- for Prometheus --- */

static void answer_metrics(struct agent *agent, struct http_request *request)
{
	enum metrics_format format = metrics_format_of(http_header(request, "Accept"));
	struct answer out;
	int r = answer_begin(&out);

	if (!r)
		r = agent_metrics(agent, out.file, format);
	answer_end(&out, request, metrics_content_type(format), r);
}

/* --- for people and programs --- */

static void answer_targets(struct agent *agent, struct http_request *request)
{
	struct answer out;
	int r = answer_begin(&out);

	if (!r)
		r = json_targets(out.file, &agent->pool, &agent->report, kube_node(agent->kube));
	answer_end(&out, request, ANSWER_JSON, r);
}

/* "6h", or a time as of RFC 3339. 0 and ns since 1970; or -EINVAL, and the request is answered. */
static int parse_since(struct http_request *request, const char *text, int64_t *since)
{
	const char *problem;
	uint64_t ago;

	if (text && !time_parse(text, since))
		return 0;
	if (!text || duration_parse(text, &ago, &problem)) {
		answer_say(request, 400,
			   "since when? Write for example since=30m, since=6h, or "
			   "since=2026-11-29T06:00:00Z\n");
		return -EINVAL;
	}
	*since = realtime_ns() - (int64_t)ago;
	return 0;
}

/* NULL: there is none, and the request is answered. */
static struct watched *find_target(const struct agent *agent, struct http_request *request)
{
	const char *name = http_query(request, "target");
	struct watched *watched = name ? watch_find(&agent->pool, name) : NULL;

	if (!name)
		answer_say(request, 400,
			   "which target? Ask for target=NAMESPACE/SERVICE; /api/v1/targets has "
			   "them\n");
	else if (!watched)
		answer_say(request, 404,
			   "there is no such target, or it is not watched; /api/v1/targets has "
			   "those that are\n");
	return watched;
}

static void answer_since(struct agent *agent, struct http_request *request,
			 const struct watched *watched, const char *since)
{
	struct history_question question = {.target = agent_history_target(watched),
					    .node = kube_node(agent->kube)};
	struct answer out;
	int r;

	if (parse_since(request, since, &question.asked))
		return;
	r = answer_begin(&out);
	if (!r)
		r = agent_remember(agent, agent_age(agent));
	/* 0: it has come since all were */
	question.now = watched->remembered ? watched->remembered : realtime_ns();
	if (!r)
		r = json_history(out.file, agent->history, &question);
	answer_end(&out, request, ANSWER_JSON, r);
}

static void answer_callers(struct agent *agent, struct http_request *request)
{
	const char *since = http_query(request, "since");
	const struct watched *watched = find_target(agent, request);
	struct answer out;
	int r;

	if (!watched)
		return;
	if (since) {
		answer_since(agent, request, watched, since);
		return;
	}
	r = answer_begin(&out);
	if (!r)
		r = json_report(out.file, &watched->report);
	answer_end(&out, request, ANSWER_JSON, r);
}

/* Later: the API is asked first whether it has told all. */
static void answer_verdict(struct agent *agent, struct http_request *request)
{
	const struct watched *watched = find_target(agent, request);
	int64_t since;

	if (!watched || parse_since(request, http_query(request, "since"), &since))
		return;
	if (since > realtime_ns())
		answer_say(request, 400, "since is in the future: nothing is known of that\n");
	else
		agent_verdict_ask(agent, request, watched, since);
}

/* --- all of them --- */

#define NO_PAGE                                                                                    \
	"there is no such page; there are /metrics, /api/v1/targets, "                             \
	"/api/v1/callers?target=NAMESPACE/SERVICE, "                                               \
	"/api/v1/verdict?target=NAMESPACE/SERVICE&since=1h, /healthz and /readyz\n"

/* What is asked of the API is whether they may get this and the path: everybody who has a token may
 * get what begins with /api/ (the ClusterRole system:discovery). /metrics is as every other one. */
#define OWN "/whocalls"

static const struct page {
	const char *path;
	/* needs the capture, and what it has counted until now; and is not for everybody */
	bool counts;
	void (*answer)(struct agent *agent, struct http_request *request);
} pages[] = {
	{"/healthz", false, answer_health},        {"/readyz", false, answer_ready},
	{"/metrics", true, answer_metrics},        {"/api/v1/targets", true, answer_targets},
	{"/api/v1/callers", true, answer_callers}, {"/api/v1/verdict", true, answer_verdict},
};

static const struct page *find_page(const char *path)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (!strcmp(path, pages[i].path))
			return &pages[i];
	return NULL;
}

static void answer(struct agent *agent, struct http_request *request, const struct page *page)
{
	int r;

	if (!page) {
		answer_say(request, 404, NO_PAGE);
		return;
	}
	if (page->counts && !agent->capture) {
		answer_say(
			request, 503,
			"nothing is counted yet: the API has not told the Services; /readyz tells "
			"more\n");
		return;
	}
	r = page->counts ? agent_refresh(agent, agent_age(agent)) : 0;
	if (r)
		answer_say(request, 500, "reading the counts from the kernel: %s\n", strerror(-r));
	else
		page->answer(agent, request);
}

/* A question that waits for the API's word on who asks. */
struct question {
	struct agent *agent;
	struct http_request *request;
	const struct page *page;
};

static void reviewed(void *arg, enum kube_review_answer is, const char *why)
{
	struct question *question = arg;

	switch (is) {
	case KUBE_REVIEW_ALLOWED:
		answer(question->agent, question->request, question->page);
		break;
	case KUBE_REVIEW_NO_TOKEN:
		answer_say(question->request, 401, "%s\n", why);
		break;
	case KUBE_REVIEW_FORBIDDEN:
		answer_say(question->request, 403, "%s\n", why);
		break;
	default:
		/* why is in the log, and not for everybody */
		answer_say(
			question->request, 503,
			"the Kubernetes API can't be asked now who you are; the agent's log tells why\n");
		break;
	}
	free(question);
}

/* Where it listens on loopback alone whoever is on the node may ask; and anybody whether it runs.
 * For all else it takes a token whose owner may get that page. */
void agent_ask(struct http_request *request, void *arg)
{
	struct agent *agent = arg;
	const struct page *page = find_page(http_path(request));
	char path[KUBE_REVIEW_PATH_MAX];
	struct question *question;

	if (!agent->options.listens_beyond || (page && !page->counts)) {
		answer(agent, request, page);
		return;
	}
	question = malloc(sizeof(*question));
	if (!question) {
		answer_say(request, 503, "out of memory\n");
		return;
	}
	*question = (struct question){agent, request, page};
	if (snprintf(path, sizeof(path), "%s%s", !strcmp(http_path(request), "/metrics") ? "" : OWN,
		     http_path(request)) >= (int)sizeof(path)) {
		free(question);
		answer_say(request, 404, NO_PAGE);
		return;
	}
	kube_review_ask(agent->review, http_header(request, "Authorization"), path, reviewed,
			question);
}
