/* SPDX-License-Identifier: MIT */
/* Whatever a kubeconfig says: it is read or refused with a sentence, and what was read can be sent.
 * The same bytes are also what a plugin prints, and base 64. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../user/kube/base64.h"
#include "../../user/kube/config.h"
#include "../../user/kube/exec-credential.h"
#include "../../user/kube/yaml.h"

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

static void check_error(int r, const char *error)
{
	REQUIRE(r <= 0 && r != -ENOMEM && (r < 0) == (*error != '\0'));
	for (const char *c = error; *c; c++)
		REQUIRE(*c >= ' ' && *c <= '~');
}

static void check_line(const char *text)
{
	REQUIRE(text && *text);
	for (; *text; text++)
		REQUIRE((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void check_pem(const struct kube_pem *pem)
{
	REQUIRE(!pem->file || !pem->data.size);
	REQUIRE(!pem->file || *pem->file == '/');
}

static void check_exec(const struct kube_exec *exec)
{
	json_t *json = json_loads(exec->info, JSON_REJECT_DUPLICATES, NULL);

	REQUIRE(json_is_object(json_object_get(json, "spec")));
	json_decref(json);
	REQUIRE(*exec->command && exec->api_version);
	for (size_t i = 0; exec->env && exec->env[i]; i++)
		REQUIRE(strchr(exec->env[i], '=') > exec->env[i]);
}

static void check_config(const struct kube_config *config)
{
	check_line(config->source);
	check_line(config->server);
	check_line(config->namespace);
	REQUIRE(strncmp(config->server, "http", 4) == 0 && !strchr(config->server, ' '));
	if (strncmp(config->server, "https:", 6) != 0)
		REQUIRE(!config->token && !config->token_file && !config->exec &&
			!config->username && !config->password && !config->certificate.file &&
			!config->certificate.data.size);
	check_pem(&config->ca);
	check_pem(&config->certificate);
	check_pem(&config->key);
	if (config->token)
		REQUIRE(token_is(config->token, strlen(config->token)));
	if (config->proxy_url)
		check_line(config->proxy_url);
	for (size_t i = 0; config->headers && config->headers[i]; i++) {
		check_line(config->headers[i]);
		REQUIRE(strncmp(config->headers[i], "Impersonate-", 12) == 0);
	}
	if (config->exec)
		check_exec(config->exec);
}

static void as_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64], list[256], error[512] = "";
	struct kube_options options = {0};
	struct kube_config *config = NULL;
	int r;

	REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	options.kubeconfig = path;
	r = kube_config_load(&options, &config, error, sizeof(error));
	check_error(r, error);
	if (r == 0)
		check_config(config);
	kube_config_free(config);
	/* Merged with itself it says the same. */
	snprintf(list, sizeof(list), "%s:/proc/%d/fd/%d", path, getpid(), fd);
	options = (struct kube_options){.environment.kubeconfig = list};
	REQUIRE((kube_config_load(&options, &config, error, sizeof(error)) == 0) == (r == 0));
	if (r == 0)
		kube_config_free(config);
	close(fd);
}

static void as_yaml(const uint8_t *data, size_t size, bool typed)
{
	char error[512] = "";
	json_t *json = NULL;
	int r = yaml_load((const char *)data, size, "fuzz", typed, &json,
			  &(struct problem){error, sizeof(error)});

	check_error(r, error);
	if (r == 0) {
		char *text = json_dumps(json, JSON_ENCODE_ANY);

		REQUIRE(text);
		free(text);
		secret_json_decref(json);
	}
}

static void as_credential(const uint8_t *data, size_t size)
{
	struct exec_credential credential = {0};
	char error[512] = "";
	int r = exec_credential_parse((const char *)data, size, "client.authentication.k8s.io/v1",
				      &credential, &(struct problem){error, sizeof(error)});

	check_error(r, error);
	REQUIRE((r == 0) == (credential.token.size || credential.key.size));
	exec_credential_deinit(&credential);
}

static void as_base64(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *again = NULL;
	struct secret bytes = {0};

	REQUIRE(text);
	if (base64_decode(text, &bytes) == 0) {
		struct secret same = {0};

		REQUIRE(base64_encode(bytes.data, bytes.size, &again) == 0);
		REQUIRE(base64_decode(again, &same) == 0 && same.size == bytes.size);
		REQUIRE(memcmp(same.data, bytes.data, same.size) == 0);
		secret_deinit(&same);
		free(again);
	}
	secret_deinit(&bytes);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_file(data, size);
	as_yaml(data, size, false);
	as_yaml(data, size, true);
	as_credential(data, size);
	as_base64(data, size);
	return 0;
}
