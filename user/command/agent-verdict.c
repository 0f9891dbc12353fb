/* SPDX-License-Identifier: MIT */
/*
 * The verdict over what the agent remembers, of this node. Nothing is QUIET before the API has
 * confirmed that it told all endpoints: that takes seconds, so whoever asks waits, and all who wait
 * are answered by one question to the API that came after theirs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../callers/history-verdict.h"
#include "../kube/clock.h"
#include "../output/json-history.h"
#include "agent.h"
#include "answer.h"
#include "facts.h"

/* So long the API may take to confirm what it has told. */
#define CONFIRM_NS (30 * UINT64_C(1000000000))
/* It is not asked more often than that: each time all namespaces are looked into twice. */
#define ASK_NS UINT64_C(1000000000)

struct verdict_question {
	struct verdict_question *next;
	struct http_request *request;
	int64_t since; /* ns since 1970, as asked for */
	int64_t until; /* likewise: when it was asked */
	/* the target, if it is watched still: there can be another one in its place */
	const struct watched *watched;
	uint64_t began;
};

/* --- deciding --- */

/* All that an answer is made of. */
struct decision {
	struct facts facts;
	struct coverage coverage;
	struct traffic traffic;
	struct verdict verdict;
	struct report report; /* a copy: nothing of it is freed */
};

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Of the endpoints no more is known than since the target is watched: that nothing is known of the
 * time before it the history tells. */
static uint64_t known_since(const struct watched *watched, int64_t since, int64_t offset)
{
	return since > offset ? later((uint64_t)(since - offset), watched->began) : watched->began;
}

/* 0 or -ENOMEM. */
static int decide(struct decision *decision, const struct agent *agent,
		  const struct watched *watched, const struct verdict_question *question)
{
	const struct history_target target = agent_history_target(watched);
	uint32_t minute = history_minute(question->since);
	struct report *report = &decision->report, clean;
	struct facts *facts = &decision->facts;
	struct history_window window;
	int r;

	history_window(agent->history, &target, minute, question->until, &window);
	*report = watched->report;
	report->final = true;
	report->realtime_offset = realtime_ns() - (int64_t)monotonic_ns();
	report->start_ns = known_since(watched, history_start(&window), report->realtime_offset);
	report->end_ns = (uint64_t)(question->until - report->realtime_offset);
	report->for_ns = 0;
	clean = *report;
	history_clean(&clean);
	agent_facts(facts, agent, watched, report->start_ns, report->end_ns);
	facts_confirmed(facts, agent->kube, &watched->target, report->start_ns);
	r = coverage_make(&decision->coverage, &clean, &facts->facts);
	if (r)
		return r;
	history_decide(agent->history, &target, minute, question->until, &decision->coverage,
		       &decision->traffic, &decision->verdict);
	report->traffic = &decision->traffic;
	report->coverage = &decision->coverage;
	report->verdict = &decision->verdict;
	return 0;
}

/* --- answering --- */

static const struct watched *find(const struct agent *agent,
				  const struct verdict_question *question)
{
	for (const struct watched *w = agent->pool.first; w; w = w->next)
		if (w == question->watched && w->began == question->began)
			return w;
	return NULL;
}

static void answer(const struct agent *agent, const struct verdict_question *question)
{
	const struct watched *watched = find(agent, question);
	struct decision *decision;
	struct answer out;
	int r;

	if (!watched) {
		answer_say(question->request, 404, "the target is not watched any more\n");
		return;
	}
	decision = calloc(1, sizeof(*decision));
	r = answer_begin(&out);
	if (!r)
		r = decision ? decide(decision, agent, watched, question) : -ENOMEM;
	if (!r) {
		const struct history_question asked = {agent_history_target(watched),
						       kube_node(agent->kube), question->since,
						       question->until};

		r = json_history_verdict(out.file, agent->history, &asked, &decision->report);
	}
	answer_end(&out, question->request, ANSWER_JSON, r);
	if (decision)
		coverage_deinit(&decision->coverage);
	free(decision);
}

/* Takes the list. */
static void each(struct agent *agent, struct verdict_question **list,
		 void (*take)(const struct agent *agent, const struct verdict_question *question))
{
	struct verdict_question *question;

	while ((question = *list)) {
		*list = question->next;
		take(agent, question);
		free(question);
	}
}

static void say_failed(const struct agent *agent, const struct verdict_question *question)
{
	(void)agent;
	answer_say(question->request, 500, "the counts can't be read from the kernel\n");
}

static void say_end(const struct agent *agent, const struct verdict_question *question)
{
	(void)agent;
	answer_say(question->request, 503, "the agent ends just now\n");
}

/* --- asking --- */

/* All that was counted until now is remembered; what is half open, too. */
static int look(struct agent *agent)
{
	int r = agent_look(agent);

	return r ? r : agent_remember(agent, 0);
}

/* Those who have come wait from now on. What is half open at the end of their windows may be gone
 * when the API has answered. */
static void confirm(struct agent *agent)
{
	if (!agent->asking_next || monotonic_ns() - agent->confirm_asked < ASK_NS)
		return;
	agent->asking = agent->asking_next;
	agent->asking_next = NULL;
	agent->confirm_asked = monotonic_ns();
	kube_confirm(agent->kube);
	if (look(agent))
		each(agent, &agent->asking, say_failed);
}

void agent_verdict_ask(struct agent *agent, struct http_request *request,
		       const struct watched *watched, int64_t since)
{
	struct verdict_question *question = malloc(sizeof(*question));

	if (!question) {
		answer_say(request, 503, "out of memory\n");
		return;
	}
	*question = (struct verdict_question){.next = agent->asking_next,
					      .request = request,
					      .since = since,
					      .until = realtime_ns(),
					      .watched = watched,
					      .began = watched->began};
	agent->asking_next = question;
}

void agent_verdict_turn(struct agent *agent)
{
	const char *why;

	if (!agent->asking)
		confirm(agent);
	if (!agent->asking || (kube_confirmed(agent->kube, &why) == KUBE_CONFIRM_PENDING &&
			       monotonic_ns() - agent->confirm_asked < CONFIRM_NS))
		return;
	each(agent, &agent->asking, look(agent) ? say_failed : answer);
}

void agent_verdict_end(struct agent *agent)
{
	each(agent, &agent->asking, say_end);
	each(agent, &agent->asking_next, say_end);
}
