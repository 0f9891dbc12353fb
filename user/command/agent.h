/* SPDX-License-Identifier: MIT */
/*
 * What the DaemonSet runs: watches Services on this node for as long as it lives, and answers over
 * HTTP. One thread, one epoll loop. Not for others: what its files share.
 */
#ifndef COMMAND_AGENT_H
#define COMMAND_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../callers/history.h"
#include "../callers/watched.h"
#include "../capture/capture.h"
#include "../kube/kube.h"
#include "../kube/review.h"
#include "../output/metrics.h"
#include "../serve/http.h"
#include "heartbeat.h"
#include "names.h"
#include "options.h"

struct agent {
	struct options options;
	struct watch_pool pool;
	struct kube *kube;
	struct capture *capture; /* NULL: not yet */
	struct names *names;
	struct http *http;
	struct kube_review *review; /* who may ask */
	struct metrics_memory *memory;
	struct heartbeat heartbeat;
	uint64_t stalls; /* times in which the agent did not run, that are in the history already */
	struct history *history;
	uint32_t minute;       /* that was remembered last, and saved */
	uint64_t remembered;   /* when all targets were; 0: not yet */
	uint64_t unattributed; /* what the kernel had counted then under no caller */
	bool pending_lost;     /* since then a sweep had no room for what was half open */
	bool unseen;           /* since then a namespace could not be looked into */
	struct report report;  /* of all targets together, without callers */
	/* Who waits for a verdict: until the API has confirmed what it told, asked then; and those
	 * that came after that question, for whom it is asked again. */
	struct verdict_question *asking, *asking_next;
	uint64_t confirm_asked;
	uint64_t started;      /* CLOCK_MONOTONIC ns, as all times here */
	uint64_t next_refresh; /* of the counts, when nobody asks */
	uint64_t next_sweep;
	uint64_t next_everywhere; /* one that looks into all namespaces */
	uint64_t next_forget;     /* of callers */
	uint64_t refresh_cost;    /* ns that the last refresh took */
	uint64_t forgotten;       /* callers, since it began */
	uint16_t kubelet_port;
	/* ports of Services, from before there was a capture */
	uint16_t *dialled;
	size_t n_dialled;
	/* endpoints: */
	bool changed; /* some came, since the capture last looked */
	uint64_t next_settle;
	size_t settled;   /* those of the pool before this one are watched as a whole */
	size_t unwatched; /* those that found no room in the kernel */
};

/* --- which Services (agent-targets.c) --- */

/* Begins to follow them. 0, or an exit status after a message. */
int agent_follow(struct agent *agent);
/* What came is watched from now on, and what was open there before looked for. 0 or -errno. */
int agent_settle(struct agent *agent);

/* --- the counts (agent-refresh.c) --- */

/* Brings all reports up to date, unless they are younger than `age` ns. 0 or -errno. */
int agent_refresh(struct agent *agent, uint64_t age);
/* Looks as `verify` does at its end: everywhere, and what is half open counts at once. */
int agent_look(struct agent *agent);
/* How old they may be for those who ask: looking for them takes a tenth of the time at most. */
uint64_t agent_age(const struct agent *agent);

/* --- callers that are no more (agent-forget.c) --- */

/* In each turn: where there are many, those that are idle lose their room. 0 or -errno. */
int agent_make_room(struct agent *agent, uint64_t now);

/* --- what was (agent-history.c) --- */

/* 0, or an exit status after a message. */
int agent_history_open(struct agent *agent);
/* Once a minute: all counts until now are remembered, and saved. */
void agent_history_tick(struct agent *agent);
/* All counts until now are remembered: before a question, and at the end; unless that was done less
 * than `age` ns ago. 0, or -errno: they could not be read. */
int agent_remember(struct agent *agent, uint64_t age);
void agent_save(struct agent *agent);
/* It is watched no more. */
void agent_forget(struct agent *agent, struct watched *watched);
/* As it is asked for there. */
struct history_target agent_history_target(const struct watched *watched);

/* --- the verdict over what was (agent-verdict.c) --- */

/* Answers the request with the verdict over a window from `since` (ns since 1970) until now; later,
 * for it waits for the API. */
void agent_verdict_ask(struct agent *agent, struct http_request *request,
		       const struct watched *watched, int64_t since);
/* Once in each turn: answers those who have waited. */
void agent_verdict_turn(struct agent *agent);
/* It ends: they are told so. */
void agent_verdict_end(struct agent *agent);

/* --- what stands against QUIET (agent-history.c) --- */

struct facts;
/* Of a window of CLOCK_MONOTONIC ns, but for whether the API has confirmed it: taken to be so. */
void agent_facts(struct facts *facts, const struct agent *agent, const struct watched *watched,
		 uint64_t start, uint64_t end);

/* --- answers (agent-answers.c, agent-metrics.c) --- */

/* /metrics. 0 or -errno. */
int agent_metrics(struct agent *agent, FILE *file, enum metrics_format format);

/* Brings its series up to date, as a scrape does. `forgotten`: since the last time nothing but that
 * callers were forgotten. 0 or -errno. */
int agent_metrics_take(struct agent *agent, bool forgotten);

/* http_options.ask; `arg` is the agent. */
void agent_ask(struct http_request *request, void *arg);

#endif
