/* SPDX-License-Identifier: MIT */
/* Whatever a list of pods says: it is read or refused with a sentence, what was kept can be looked
 * up, and nothing is read that is not JSON. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/kube/pods.h"
#include "../../user/kube/target.h"

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

static void look_up(const struct pods *pods, const struct pod *pod)
{
	const struct pod_name *found = pods_by_uid(pods, pod->name.uid);

	REQUIRE(found && strcmp(found->uid, pod->name.uid) == 0);
	REQUIRE(*pod->name.namespace && *pod->name.pod && *pod->name.kind && *pod->name.workload);
	REQUIRE(pod->name.node && pod->owner);
	for (size_t i = 0; i < pod->n_ports; i++)
		REQUIRE(pod->ports[i]);
	for (size_t i = 0; i < pod->n_addresses; i++) {
		char text[ADDRESS_TEXT];
		struct address again;

		address_format(&pod->addresses[i], text);
		REQUIRE(address_parse(text, &again) == 0);
		REQUIRE(address_equal(&again, &pod->addresses[i]));
		pods_node_by_address(pods, &again);
		if (pod->host_network)
			continue;
		REQUIRE(pods_by_address(pods, &again, pod->started) ||
			pods_look_up(pods, &again, pod->started).doubt);
		REQUIRE(pods_by_address(pods, &again, INT64_MAX));
		pods_by_address(pods, &again, 0);
	}
}

static void resolve(const struct pods *pods, const char *namespace, const char *name)
{
	static const char *const kinds[] = {"pod", "deploy", "rs", "sts", "ds", "job", "cj", "svc"};
	char error[300];
	char what[400];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct target target = {0};
		int r;

		snprintf(what, sizeof(what), "%s/%s", kinds[i], name);
		error[0] = '\0';
		r = kube_target_add(&target, pods, namespace, what, i % 2 ? 3000 : 0, error,
				    sizeof(error));
		REQUIRE(r < 0 ? *error && !target.n_endpoints : target.n_endpoints > 0);
		target_deinit(&target);
	}
}

/* Taken apart by us or whole by jansson, it is JSON or not; whole, it is two levels deeper. */
static bool is_json(const uint8_t *data, size_t size)
{
	json_error_t error;
	json_t *json = json_loadb((const char *)data, size, 0, &error);
	bool is = json || json_error_code(&error) == json_error_stack_overflow;

	json_decref(json);
	return is;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pods *pods = pods_new();
	struct address address = {.word = {1, 2, 3, 4}};
	const struct pod *pod;
	char error[256] = "";
	FILE *file;
	int r;

	/* fmemopen() takes no empty buffer. */
	file = size ? fmemopen((void *)data, size, "r") : fopen("/dev/null", "r");
	REQUIRE(pods && file);
	r = pods_read(pods, file, "fuzz", error, sizeof(error));
	fclose(file);
	REQUIRE(r <= 0 && (r < 0) == (*error != '\0'));
	REQUIRE(r < 0 || is_json(data, size));
	for (const char *c = error; *c; c++)
		REQUIRE(*c >= ' ' && *c <= '~');
	for (pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod))
		look_up(pods, pod);
	pod = pods_next(pods, NULL);
	for (size_t i = 0; pod && i < 4; i++, pod = pods_next(pods, pod)) {
		const struct pod_name *name = pods_name(pod);

		resolve(pods, name->namespace, name->workload);
		resolve(pods, name->namespace, name->uid);
		resolve(pods, NULL, name->pod);
	}
	pods_by_address(pods, &address, INT64_MAX);
	pods_by_uid(pods, "no such");
	pods_node_by_address(pods, &address);
	pods_free(pods);
	return 0;
}
