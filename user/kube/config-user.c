/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config-parts.h"

int strings_add(char ***list, char *text)
{
	size_t n = 0;
	char **larger;

	if (!text)
		return -ENOMEM;
	while (*list && (*list)[n])
		n++;
	larger = realloc(*list, (n + 2) * sizeof(*larger));
	if (!larger) {
		secret_free(text);
		return -ENOMEM;
	}
	larger[n] = text;
	larger[n + 1] = NULL;
	*list = larger;
	return 0;
}

void strings_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		secret_free(list[i]);
	free(list);
}

bool config_header_safe(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static int no_memory(struct entry *entry)
{
	return entry_fail(entry, -ENOMEM, "there is no memory for it; allow more");
}

/* --- impersonation --- */

static int add_header(struct kube_config *config, struct entry *user, const char *field,
		      const char *name, const char *value)
{
	char *line;

	if (!config_header_safe(value))
		return entry_fail(user, -EINVAL, "%s has a control character in it; mend the file",
				  field);
	if (asprintf(&line, "%s: %s", name, value) < 0)
		line = NULL;
	return strings_add(&config->headers, line) < 0 ? no_memory(user) : 0;
}

static int add_headers(struct kube_config *config, struct entry *user, const char *field,
		       const char *name, const json_t *values)
{
	const json_t *value;
	size_t i;

	json_array_foreach (values, i, value) {
		const char *text = json_string_value(value);

		if (!text)
			return entry_fail(user, -EINVAL, "%s is no list of texts; mend the file",
					  field);
		if (add_header(config, user, field, name, text) < 0)
			return user->r;
	}
	return 0;
}

/* The API server takes back what is percent-encoded, which any byte may be. Lower case: it would
 * become that anyhow. The caller's; NULL: no memory. */
static char *extra_header(const char *key)
{
	static const char prefix[] = "Impersonate-Extra-";
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";
	char *name = malloc(sizeof(prefix) + 3 * strlen(key));
	char *to;

	if (!name)
		return NULL;
	to = stpcpy(name, prefix);
	for (; *key; key++) {
		char c = *key >= 'A' && *key <= 'Z' ? (char)(*key - 'A' + 'a') : *key;

		to += sprintf(to, strchr(plain, c) ? "%c" : "%%%02X", (unsigned char)c);
	}
	return name;
}

static int config_extra(struct kube_config *config, struct entry *user)
{
	const char *key;
	json_t *values;

	json_object_foreach (entry_get(user, "as-user-extra", JSON_OBJECT), key, values) {
		char *name = extra_header(key);

		if (!name)
			return no_memory(user);
		if (!json_is_array(values))
			entry_fail(user, -EINVAL,
				   "as-user-extra is no mapping of lists; "
				   "mend the file");
		else
			add_headers(config, user, "as-user-extra", name, values);
		free(name);
		if (user->r)
			break;
	}
	return user->r;
}

static int config_impersonation(struct kube_config *config, struct entry *user)
{
	const char *as = entry_text(user, "as");
	const char *uid = entry_text(user, "as-uid");
	const json_t *groups = entry_get(user, "as-groups", JSON_ARRAY);

	if (as)
		add_header(config, user, "as", "Impersonate-User", as);
	if (uid)
		add_header(config, user, "as-uid", "Impersonate-Uid", uid);
	add_headers(config, user, "as-groups", "Impersonate-Group", groups);
	config_extra(config, user);
	if (!user->r && !as && config->headers)
		return entry_fail(user, -EINVAL,
				  "impersonates a UID, groups or extras, but no user; set it with "
				  "as");
	return user->r;
}

/* --- credentials --- */

static int config_certificate(struct kube_config *config, struct entry *user)
{
	if (entry_pem(user, "client-certificate-data", &config->certificate.data) == 0 &&
	    !config->certificate.data.size)
		entry_path(user, "client-certificate", &config->certificate.file);
	if (user->r || (!config->certificate.data.size && !config->certificate.file))
		return user->r; /* a key alone means nothing, to kubectl as well */
	if (entry_pem(user, "client-key-data", &config->key.data) == 0 && !config->key.data.size)
		entry_path(user, "client-key", &config->key.file);
	if (!user->r && !config->key.data.size && !config->key.file)
		return entry_fail(user, -EINVAL,
				  "has a client-certificate without a client-key; set it with "
				  "kubectl config set-credentials");
	return user->r;
}

/* Neither the token nor any part of it is in an error. */
static int config_token(struct kube_config *config, struct entry *user)
{
	const char *token = entry_text(user, "token");

	entry_path(user, "tokenFile", &config->token_file);
	if (!token)
		return user->r;
	for (const char *c = token; *c; c++)
		if (*c <= ' ' || *c > '~')
			return entry_fail(user, -EINVAL,
					  "its token has a byte that no token has, number %zu; set "
					  "it again",
					  (size_t)(c - token) + 1);
	config->token = strdup(token);
	return config->token ? user->r : no_memory(user);
}

static int config_password(struct kube_config *config, struct entry *user)
{
	entry_copy(user, "username", &config->username);
	entry_copy(user, "password", &config->password);
	if (user->r || (!config->username && !config->password))
		return user->r;
	if (config->token || config->token_file)
		return entry_fail(user, -EINVAL,
				  "has both a token and a username or password; leave one of them");
	if (config->username && strchr(config->username, ':'))
		return entry_fail(user, -EINVAL,
				  "its username has a colon, which can't be sent; "
				  "set another");
	if (!config_header_safe(config->username ? config->username : "") ||
	    !config_header_safe(config->password ? config->password : ""))
		return entry_fail(user, -EINVAL,
				  "its username or password has a control character; set it again");
	return 0;
}

int config_user(struct kube_config *config, struct entry *user, struct entry *cluster)
{
	const json_t *provider = entry_get(user, "auth-provider", JSON_OBJECT);

	if (provider)
		return entry_fail(
			user, -EINVAL,
			"has the auth-provider \"%.80s\", which is not supported, nor is it "
			"by kubectl since 1.26; use an exec plugin or a token",
			json_string_value(json_object_get(provider, "name")) ?: "?");
	if (user->r)
		return user->r;
	if (config_impersonation(config, user) < 0)
		return user->r;
	if (!config_encrypted(config))
		return 0;
	config_certificate(config, user);
	config_token(config, user);
	config_password(config, user);
	if (user->r)
		return user->r;
	/* As client-go: the plugin isn't run where there is something else. */
	if (config->certificate.data.size || config->certificate.file || config->token ||
	    config->token_file || config->username || config->password)
		return 0;
	return config_exec(config, user, cluster);
}
