/* SPDX-License-Identifier: MIT */
#include "credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "config-parts.h"
#include "exec-credential.h"
#include "kubeconfig.h"
#include "problem.h"
#include "process.h"

struct kube_credentials {
	const struct kube_config *config;
	struct watched_file token;
	struct watched_file ca;
	struct watched_file certificate;
	struct watched_file key;
	uint64_t generation;
	struct process plugin;
	struct exec_credential given; /* by the plugin */
	bool have_given;
};

struct kube_credentials *kube_credentials_new(const struct kube_config *config)
{
	struct kube_credentials *credentials = calloc(1, sizeof(*credentials));

	if (!credentials)
		return NULL;
	credentials->config = config;
	credentials->token.path = config->token_file;
	credentials->ca.path = config->ca.file;
	credentials->certificate.path = config->certificate.file;
	credentials->key.path = config->key.file;
	process_deinit(&credentials->plugin);
	return credentials;
}

void kube_credentials_free(struct kube_credentials *credentials)
{
	if (!credentials)
		return;
	file_deinit(&credentials->token);
	file_deinit(&credentials->ca);
	file_deinit(&credentials->certificate);
	file_deinit(&credentials->key);
	process_deinit(&credentials->plugin);
	exec_credential_deinit(&credentials->given);
	free(credentials);
}

/* --- files --- */

static int check_token(const struct watched_file *file, struct secret *content,
		       const struct problem *problem)
{
	size_t start = strspn(content->data, " \t\r\n");
	size_t end = content->size;

	while (end > start && strchr(" \t\r\n", content->data[end - 1]))
		end--;
	if (!token_is(content->data + start, end - start))
		return problem_set(problem, -EINVAL, "%s: is no token%s; write one into it",
				   file->path, start == end ? ": it is empty" : "");
	memmove(content->data, content->data + start, end - start);
	explicit_bzero(content->data + end - start, content->size - (end - start));
	content->size = end - start;
	return 0;
}

static int check_pem(const struct watched_file *file, struct secret *content,
		     const struct problem *problem)
{
	if (pem_is(content))
		return 0;
	return problem_set(problem, -EINVAL,
			   "%s: is no PEM: it has no \"-----BEGIN ...\"; give another file",
			   file->path);
}

/* *changed: the content is another. */
static int follow(const struct kube_credentials *credentials, struct watched_file *file, bool token,
		  int64_t now, bool *changed, const struct problem *problem)
{
	int r;

	if (!file->path)
		return 0;
	r = file_follow(file, now, &credentials->config->reader, token ? check_token : check_pem,
			problem);
	if (r > 0)
		*changed = true;
	return r < 0 && !file->read ? r : 0;
}

/* --- what is current --- */

static bool expired(const struct kube_credentials *credentials)
{
	struct timespec now;

	if (credentials->given.expires == INT64_MAX)
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec >= credentials->given.expires;
}

static const struct secret *choose(const struct kube_pem *pem, const struct watched_file *file,
				   const struct secret *given)
{
	if (pem && pem->data.size)
		return &pem->data;
	if (file->path)
		return &file->content;
	return given && given->size ? given : NULL;
}

static const char *choose_token(const struct kube_credentials *credentials)
{
	if (credentials->token.read)
		return credentials->token.content.data;
	if (credentials->config->token)
		return credentials->config->token;
	return credentials->given.token.data;
}

int kube_credentials_get(struct kube_credentials *credentials, int64_t now,
			 struct kube_identity *identity, char *error, size_t error_size)
{
	const struct kube_config *config = credentials->config;
	struct problem problem = {error, error_size};
	bool changed = false, new_token = false;
	int r;

	if (error_size)
		*error = '\0';
	r = follow(credentials, &credentials->ca, false, now, &changed, &problem);
	if (r == 0)
		r = follow(credentials, &credentials->certificate, false, now, &changed, &problem);
	if (r == 0)
		r = follow(credentials, &credentials->key, false, now, &changed, &problem);
	credentials->generation += changed;
	if (r < 0)
		return r;
	r = follow(credentials, &credentials->token, true, now, &new_token, &problem);
	if (r < 0 && !config->token)
		return r;
	if (config->exec && (!credentials->have_given || expired(credentials)))
		return -EINPROGRESS;
	*identity = (struct kube_identity){
		.token = choose_token(credentials),
		.ca = choose(&config->ca, &credentials->ca, NULL),
		.certificate = choose(&config->certificate, &credentials->certificate,
				      &credentials->given.certificate),
		.key = choose(&config->key, &credentials->key, &credentials->given.key),
		.generation = credentials->generation,
	};
	return 0;
}

int kube_credentials_token(struct kube_credentials *credentials, int64_t now, const char **token,
			   char *error, size_t error_size)
{
	struct kube_identity identity;
	int r = kube_credentials_get(credentials, now, &identity, error, error_size);

	if (r == 0)
		*token = identity.token;
	return r;
}

bool kube_credentials_reject(struct kube_credentials *credentials)
{
	/* What was not read is looked at anyway. */
	credentials->token.checked = INT64_MIN / 2;
	credentials->certificate.checked = INT64_MIN / 2;
	credentials->key.checked = INT64_MIN / 2;
	credentials->have_given = false;
	return credentials->config->exec || credentials->token.path ||
	       credentials->certificate.path;
}

/* --- the plugin --- */

static int fail_start(const struct kube_credentials *credentials, int r, const char *stage,
		      const struct problem *problem)
{
	const struct kube_exec *exec = credentials->config->exec;
	const char *hint = exec->install_hint ? exec->install_hint : "";
	bool missing = r == -ENOENT || r == -ENOTDIR;

	return problem_set(
		problem, r == -EINPROGRESS ? -EIO : r,
		"tried to run the credential plugin %.200s, and could not %s: %s; %s%s%.600s",
		exec->command, stage, strerror(-r),
		!missing ? "mend it, or use a token"
		: strchr(exec->command, '/')
			? "install it, or what its first line names"
			: "install it, or put its folder into $PATH, which sudo may have "
			  "changed",
		*hint ? ": " : "", hint);
}

int kube_credentials_start(struct kube_credentials *credentials, int64_t now, char *error,
			   size_t error_size)
{
	const struct kube_exec *exec = credentials->config->exec;
	struct problem problem = {error, error_size};
	const char *stage;
	char **env = NULL;
	char *info = NULL;
	int r = 0;

	if (!exec)
		return problem_set(&problem, -EINVAL,
				   "there is no credential plugin to run; set one with kubectl "
				   "config set-credentials");
	if (credentials->plugin.pid)
		return 0;
	for (size_t i = 0; r == 0 && exec->env && exec->env[i]; i++)
		r = strings_add(&env, strdup(exec->env[i]));
	if (asprintf(&info, "KUBERNETES_EXEC_INFO=%s", exec->info) < 0)
		info = NULL;
	if (r == 0)
		r = strings_add(&env, info);
	else
		secret_free(info);
	if (r < 0)
		r = problem_no_memory(&problem);
	if (r == 0) {
		r = process_start(&credentials->plugin, exec->command, exec->args, env,
				  &credentials->config->runner, now, &stage);
		if (r < 0)
			fail_start(credentials, r, stage, &problem);
	}
	strings_free(env);
	return r;
}

int kube_credentials_fd(const struct kube_credentials *credentials)
{
	return credentials->plugin.fd;
}

int64_t kube_credentials_deadline(const struct kube_credentials *credentials)
{
	return credentials->plugin.deadline;
}

static int fail_plugin(const struct kube_credentials *credentials, int r,
		       const struct problem *problem, const char *what)
{
	return problem_set(problem, r,
			   "ran the credential plugin %.200s, which %s; run it by hand, or use a "
			   "token",
			   credentials->config->exec->command, what);
}

static int fail_status(const struct kube_credentials *credentials, int status,
		       const struct problem *problem)
{
	const char *where = credentials->plugin.said ? "what it said is above" : "it said nothing";
	char what[128];

	if (WIFSIGNALED(status))
		snprintf(what, sizeof(what), "was ended by signal %d (%s)", WTERMSIG(status),
			 where);
	else
		snprintf(what, sizeof(what), "ended with status %d (%s)", WEXITSTATUS(status),
			 where);
	return fail_plugin(credentials, -EPROTO, problem, what);
}

/* The certificate is another: new connections are to show it. */
static void take_given(struct kube_credentials *credentials, struct exec_credential *given)
{
	const struct secret *old = &credentials->given.certificate;
	const struct secret *new = &given->certificate;

	if (old->size != new->size || (old->size && memcmp(old->data, new->data, old->size) != 0))
		credentials->generation++;
	exec_credential_deinit(&credentials->given);
	credentials->given = *given;
	credentials->have_given = true;
}

static int take_output(struct kube_credentials *credentials, const struct problem *problem)
{
	const struct secret *output = &credentials->plugin.output;
	struct exec_credential given = {0};
	char what[256] = "";
	int r;

	r = exec_credential_parse(output->data, output->size,
				  credentials->config->exec->api_version, &given,
				  &(struct problem){what, sizeof(what)});
	if (r < 0)
		return fail_plugin(credentials, r, problem, what);
	take_given(credentials, &given);
	if (!expired(credentials))
		return 0;
	/* We would run it again and again. */
	credentials->have_given = false;
	return fail_plugin(credentials, -EKEYEXPIRED, problem,
			   "printed credentials that have already expired (or this machine's clock "
			   "is wrong)");
}

int kube_credentials_proceed(struct kube_credentials *credentials, int64_t now, char *error,
			     size_t error_size)
{
	struct problem problem = {error, error_size};
	char what[128];
	int status = 0;
	int r;

	if (!credentials->plugin.pid)
		return problem_set(&problem, -EINVAL, "no credential plugin runs; start it first");
	r = process_proceed(&credentials->plugin, now, &status);
	if (r == -EINPROGRESS)
		return r;
	if (r == 0 && status)
		r = fail_status(credentials, status, &problem);
	else if (r == 0)
		r = take_output(credentials, &problem);
	else if (r == -ETIMEDOUT)
		fail_plugin(credentials, r, &problem,
			    "did not end within 30 seconds, and was killed");
	else if (r == -E2BIG)
		fail_plugin(credentials, r, &problem, "printed more than 1 MiB, and was killed");
	else {
		snprintf(what, sizeof(what), "could not be followed: %s", strerror(-r));
		fail_plugin(credentials, r, &problem, what);
	}
	process_deinit(&credentials->plugin);
	return r;
}
