/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

#define NEAR_MAX 5
#define NAME_MAX_LENGTH 253 /* of any Kubernetes object */

/* What kubectl takes for a kind; `group` is what may follow a dot, alone or after a version. */
static const struct kube_form {
	const char *kind;
	const char *shown; /* how we write it ourselves */
	const char *group;
	const char *words[4];
} forms[] = {
	{"Pod", "pod", "", {"pod", "pods", "po"}},
	{"Deployment", "deploy", "apps", {"deploy", "deployment", "deployments"}},
	{"ReplicaSet", "rs", "apps", {"rs", "replicaset", "replicasets"}},
	{"StatefulSet", "sts", "apps", {"sts", "statefulset", "statefulsets"}},
	{"DaemonSet", "ds", "apps", {"ds", "daemonset", "daemonsets"}},
	{"Job", "job", "batch", {"job", "jobs"}},
	{"CronJob", "cj", "batch", {"cj", "cronjob", "cronjobs"}},
	{"ReplicationController",
	 "rc",
	 "",
	 {"rc", "replicationcontroller", "replicationcontrollers"}},
	{"Service", "svc", "", {"svc", "service", "services"}},
};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

/* A sentence that is put together in pieces. What finds no room is cut. */
struct sentence {
	char *text;
	size_t size;
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *sentence, const char *format,
						      ...)
{
	size_t room = sentence->size - sentence->length;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(sentence->text + sentence->length, room, format, args);
	va_end(args);
	if (n > 0 && room)
		sentence->length += (size_t)n < room ? (size_t)n : room - 1;
}

/* --- what was asked --- */

static bool is_word(const char *word, const char *text, size_t length)
{
	return strlen(word) == length && strncmp(word, text, length) == 0;
}

/* deployments.apps and deployments.v1.apps, as kubectl has it. */
static bool is_group(const struct kube_form *form, const char *text, size_t length)
{
	if (length > 3 && strncmp(text, "v1.", 3) == 0) {
		text += 3;
		length -= 3;
	}
	return is_word(form->group, text, length) || is_word("v1", text, length);
}

static const struct kube_form *find_form(const char *text, size_t length)
{
	const char *dot = memchr(text, '.', length);
	size_t word = dot ? (size_t)(dot - text) : length;

	for (size_t i = 0; i < FORMS; i++) {
		for (size_t j = 0; j < 4 && forms[i].words[j]; j++) {
			if (!is_word(forms[i].words[j], text, word))
				continue;
			if (dot && !is_group(&forms[i], dot + 1, length - word - 1))
				continue;
			return &forms[i];
		}
	}
	return NULL;
}

static int parse(const char *what, struct kube_wanted *wanted, struct sentence *error)
{
	const char *slash = strchr(what, '/');

	wanted->form = slash ? find_form(what, slash - what) : NULL;
	wanted->name = slash ? slash + 1 : "";
	if (!wanted->form || !*wanted->name || strchr(wanted->name, '/')) {
		say(error,
		    "\"%s\" is not a target; write svc/NAME, deploy/NAME, pod/NAME, sts/NAME, "
		    "ds/NAME, rs/NAME or job/NAME with -n NAMESPACE, or --port N",
		    what);
		return -EINVAL;
	}
	return 0;
}

int kube_wanted_parse(struct kube_wanted *wanted, const char *what, const char *namespace,
		      uint16_t port, char *error, size_t error_size)
{
	struct sentence sentence = {.text = error, .size = error_size};

	*wanted = (struct kube_wanted){.namespace = namespace, .port = port};
	return parse(what, wanted, &sentence);
}

bool kube_wanted_is_service(const struct kube_wanted *wanted)
{
	return strcmp(wanted->form->kind, "Service") == 0;
}

/* --- what there is --- */

/* The name that a pod has to one who asks for that kind; "" if there is none. A Deployment's pods
 * are also those of a ReplicaSet, a CronJob's also those of a Job. */
static const char *name_as(const struct pod *pod, const struct kube_form *form)
{
	const char *kind = pod->name.kind;

	if (strcmp(form->kind, "Pod") == 0)
		return pod->name.pod;
	if (strcmp(form->kind, kind) == 0)
		return pod->name.workload;
	if (strcmp(form->kind, "ReplicaSet") == 0 && strcmp(kind, "Deployment") == 0)
		return pod->owner;
	if (strcmp(form->kind, "Job") == 0 && strcmp(kind, "CronJob") == 0)
		return pod->owner;
	return "";
}

static bool is_named(const struct pod *pod, const struct kube_form *form, const char *name)
{
	return *name && strcmp(name_as(pod, form), name) == 0;
}

bool kube_wanted_has(const struct kube_wanted *wanted, const struct pod *pod)
{
	return !pod->ended && is_named(pod, wanted->form, wanted->name) &&
	       strcmp(pod->name.namespace, wanted->namespace) == 0;
}

/* --- what is near --- */

/* A few texts, the nearest first, none twice. */
struct near {
	struct {
		size_t distance;
		const char *prefix; /* "deploy/" … */
		const char *name;
	} at[NEAR_MAX];
	size_t n;
};

static void near_add(struct near *near, size_t distance, const char *prefix, const char *name)
{
	size_t i;

	for (i = 0; i < near->n; i++)
		if (strcmp(near->at[i].prefix, prefix) == 0 && strcmp(near->at[i].name, name) == 0)
			return;
	if (near->n == NEAR_MAX && near->at[NEAR_MAX - 1].distance <= distance)
		return;
	if (near->n < NEAR_MAX)
		near->n++;
	for (i = near->n - 1; i > 0 && near->at[i - 1].distance > distance; i--)
		near->at[i] = near->at[i - 1];
	near->at[i].distance = distance;
	near->at[i].prefix = prefix;
	near->at[i].name = name;
}

static void say_near(struct sentence *error, const struct near *near)
{
	for (size_t i = 0; i < near->n; i++)
		say(error, "%s%s%s%s", i ? ", " : "", near->at[i].prefix,
		    *near->at[i].prefix ? "/" : "", near->at[i].name);
}

/* How many characters to insert, delete or change (Levenshtein); both at most NAME_MAX_LENGTH. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LENGTH + 1];
	size_t length = strlen(b);

	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < length; j++) {
			size_t change = diagonal + (a[i] != b[j]);
			size_t other = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;

			diagonal = row[j + 1];
			row[j + 1] = change < other ? change : other;
		}
	}
	return row[length];
}

/* How far a name is from what was typed; SIZE_MAX: not near at all. */
static size_t distance(const char *typed, const char *name)
{
	size_t longest = strlen(typed);
	size_t edits;

	if (strlen(name) > longest)
		longest = strlen(name);
	if (longest > NAME_MAX_LENGTH)
		return SIZE_MAX;
	if (strcmp(typed, name) == 0)
		return 0;
	if (strstr(name, typed) || strstr(typed, name))
		return 1;
	edits = edit_distance(typed, name);
	return edits <= 2 || edits <= longest / 3 ? edits : SIZE_MAX;
}

/* Names of any kind that are near, in the namespace that was asked for. A pod's own name only where
 * a pod is looked for: they are so many. */
static void near_names(const struct pods *pods, const struct kube_wanted *wanted, struct near *near)
{
	for (const struct pod *pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod)) {
		if (strcmp(pod->name.namespace, wanted->namespace) != 0)
			continue;
		for (size_t j = 0; j < FORMS; j++) {
			const char *name = name_as(pod, &forms[j]);
			size_t far;

			if (!*name)
				continue;
			if (&forms[j] != wanted->form && strcmp(name, pod->name.workload) != 0)
				continue;
			far = distance(wanted->name, name);
			if (far != SIZE_MAX)
				near_add(near, far, forms[j].shown, name);
		}
	}
}

static void near_namespaces(const struct pods *pods, const struct kube_wanted *wanted,
			    struct near *near)
{
	for (const struct pod *pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod)) {
		if (is_named(pod, wanted->form, wanted->name))
			near_add(near, 0, "", pod->name.namespace);
	}
}

static bool has_namespace(const struct pods *pods, const char *namespace)
{
	for (const struct pod *pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod))
		if (strcmp(pod->name.namespace, namespace) == 0)
			return true;
	return false;
}

static int fail_missing(const struct pods *pods, const struct kube_wanted *wanted,
			struct sentence *error)
{
	struct near namespaces = {.n = 0};
	struct near names = {.n = 0};

	say(error, "no running pod of %s/%s in namespace %s", wanted->form->shown, wanted->name,
	    wanted->namespace);
	near_namespaces(pods, wanted, &namespaces);
	near_names(pods, wanted, &names);
	if (namespaces.n) {
		say(error, "; there is one in namespace ");
		say_near(error, &namespaces);
		say(error, ": choose it with -n");
	} else if (names.n) {
		say(error, "; near it there: ");
		say_near(error, &names);
	} else if (!has_namespace(pods, wanted->namespace)) {
		say(error, ", and no other there; choose a namespace with -n, and see that the "
			   "list of pods has all of them (kubectl get pods -A -o json)");
	} else {
		say(error, "; see what there is with: kubectl get pods -n %s", wanted->namespace);
	}
	return -ENOENT;
}

/* --- endpoints --- */

/* Before anything is added: each pod must have a port, or it would go unwatched. */
static int check(const struct pods *pods, const struct kube_wanted *wanted, bool need_address,
		 struct sentence *error)
{
	size_t found = 0;
	size_t addresses = 0;

	for (const struct pod *pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod)) {
		if (!kube_wanted_has(wanted, pod))
			continue;
		found++;
		addresses += pod->n_addresses;
		if (wanted->port || pod->n_ports)
			continue;
		say(error,
		    "%s/%s: pod %s names no TCP port (containerPort); say which it is, with "
		    "--port N",
		    wanted->form->shown, wanted->name, pod->name.pod);
		return -EINVAL;
	}
	if (!found)
		return fail_missing(pods, wanted, error);
	if (!addresses && need_address) {
		say(error,
		    "%s/%s in namespace %s has no pod with an address yet; wait until one runs, "
		    "and make the list of pods again",
		    wanted->form->shown, wanted->name, wanted->namespace);
		return -ENOENT;
	}
	return 0;
}

int kube_wanted_check(const struct kube_wanted *wanted, const struct pods *pods, bool need_address,
		      char *error, size_t error_size)
{
	struct sentence sentence = {.text = error, .size = error_size};

	return check(pods, wanted, need_address, &sentence);
}

static int add_pod(struct target *target, const struct pod *pod, uint16_t port)
{
	size_t n = port ? 1 : pod->n_ports;
	const uint16_t *ports = port ? &port : pod->ports;
	int r;

	for (size_t i = 0; i < pod->n_addresses; i++) {
		for (size_t j = 0; j < n; j++) {
			r = target_add(target, &pod->addresses[i], ports[j], pods_name(pod));
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int kube_target_add(struct target *target, const struct pods *pods, const char *namespace,
		    const char *what, uint16_t port, char *error, size_t error_size)
{
	struct sentence sentence = {.text = error, .size = error_size};
	struct kube_wanted wanted;
	int r;

	r = kube_wanted_parse(&wanted, what, namespace ? namespace : "default", port, error,
			      error_size);
	if (r < 0)
		return r;
	if (kube_wanted_is_service(&wanted)) {
		say(&sentence,
		    "svc/%s: a list of pods does not tell which of them are behind a Service; leave "
		    "--pods out, then the API is asked, or name the workload, with deploy/NAME -n %s",
		    wanted.name, wanted.namespace);
		return -EINVAL;
	}
	r = check(pods, &wanted, true, &sentence);
	if (r < 0)
		return r;
	for (const struct pod *pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod)) {
		if (!kube_wanted_has(&wanted, pod))
			continue;
		r = add_pod(target, pod, port);
		if (r < 0) {
			say(&sentence, "%s: there is no memory for its endpoints", what);
			return r;
		}
	}
	return 0;
}
