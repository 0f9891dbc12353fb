/* SPDX-License-Identifier: MIT */
#include "doctor-cluster.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../kube/access.h"
#include "../kube/client.h"
#include "../kube/config.h"
#include "../kube/watch.h"

#define WAIT_S 15

struct question {
	const char *what;
	struct kube_collection collection;
	const char *gives;
};

static const struct question questions[] = {
	{"API: pods",
	 {.group = "", .resource = "pods"},
	 "names of callers; targets such as deploy/NAME"},
	{"API: nodes", {.group = "", .resource = "nodes"}, "callers with the address of a node"},
	{"API: services", {.group = "", .resource = "services"}, "svc/NAME (get is enough)"},
	{"API: endpointslices",
	 {.group = "discovery.k8s.io/v1", .resource = "endpointslices"},
	 "svc/NAME"},
	{"API: endpointslices",
	 {.group = "discovery.k8s.io/v1beta1", .resource = "endpointslices"},
	 "svc/NAME"},
};

struct answer {
	bool done;
	long status;
	int r;
	char error[768];
};

static int ignore(void *arg, const char *bytes, size_t length)
{
	(void)arg, (void)bytes, (void)length;
	return 0;
}

static void done(void *arg, const struct kube_outcome *outcome)
{
	struct answer *answer = arg;

	answer->done = true;
	answer->status = outcome->status;
	answer->r = outcome->r;
	snprintf(answer->error, sizeof(answer->error), "%s", outcome->error);
}

static void ask(struct kube_client *client, const struct question *question, struct answer *answer)
{
	static const struct kube_request_ops ops = {ignore, done};
	struct pollfd fd = {.fd = kube_client_fd(client), .events = POLLIN};
	struct kube_request *request;
	time_t end = time(NULL) + WAIT_S;
	char *path, *whole = NULL;

	*answer = (struct answer){.r = -ENOMEM, .error = "out of memory"};
	if (kube_collection_path(&question->collection, &path))
		return;
	if (asprintf(&whole, "%slimit=1", path) < 0)
		whole = NULL;
	request = whole ? kube_get(client, whole, false, &ops, answer) : NULL;
	while (request && !answer->done && time(NULL) < end) {
		poll(&fd, 1, 100);
		kube_client_run(client);
	}
	if (request && !answer->done) {
		kube_cancel(request);
		snprintf(answer->error, sizeof(answer->error), "no answer in %d s", WAIT_S);
	}
	free(whole);
	free(path);
}

static void examine(struct kube_client *client, doctor_tell *tell, void *arg)
{
	struct answer answer;
	char text[1024];

	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		const struct question *question = &questions[i];

		ask(client, question, &answer);
		/* of the two versions one is enough */
		if (answer.status == 404 && i + 1 < sizeof(questions) / sizeof(questions[0]))
			continue;
		if (answer.status == 200 && !answer.r) {
			tell(arg, true, question->what, question->gives);
			if (question->collection.group[0])
				return;
			continue;
		}
		if (answer.status == 403)
			kube_forbidden(&question->collection, "list", answer.error, text,
				       sizeof(text));
		else
			snprintf(text, sizeof(text), "%s", answer.error);
		tell(arg, false, question->what, text);
		/* who does not answer at all won't answer the next question either */
		if (!answer.status)
			return;
	}
}

void doctor_cluster(const char *kubeconfig, const char *context, doctor_tell *tell, void *arg)
{
	struct kube_options options = {.kubeconfig = kubeconfig, .context = context};
	struct kube_config *config = NULL;
	struct kube_access *access = NULL;
	struct kube_client *client = NULL;
	char error[1024], text[2048];
	int r = kube_environment_read(&options.environment);

	if (!r)
		r = kube_config_load(&options, &config, error, sizeof(error));
	else
		snprintf(error, sizeof(error), "%s", strerror(-r));
	kube_environment_deinit(&options.environment);
	if (r) {
		snprintf(text, sizeof(text), "%s; without it callers are named from --pods only",
			 error);
		tell(arg, false, "cluster", text);
		return;
	}
	snprintf(text, sizeof(text), "%s, from %s", config->server, config->source);
	tell(arg, true, "cluster", text);
	access = kube_access_new(config);
	if (access && !kube_client_new(&client, access, error, sizeof(error)))
		examine(client, tell, arg);
	kube_client_free(client);
	kube_access_free(access);
}
