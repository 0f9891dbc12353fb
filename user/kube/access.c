/* SPDX-License-Identifier: MIT */
#include "access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "credentials.h"

struct kube_access {
	struct kube_config *config;
	char *url;                     /* what requests begin with */
	char *host;                    /* with tls-server-name: what the Host header says */
	struct curl_slist *connect_to; /* likewise, where the connection goes */
	struct kube_credentials *credentials;
	char plugin_error[512]; /* why the plugin gave nothing; "": it did, or did not run yet */
	int plugin_r;
};

/*
 * The certificate is to be for another name than the one we connect to: curl takes both from the
 * URL, so the URL gets the certificate's name, and the connection and the Host header the real one.
 */
static int set_server_name(struct kube_access *access)
{
	const char *server = access->config->server, *authority = strstr(server, "://") + 3;
	size_t length = strcspn(authority, "/");
	const char *port = memrchr(authority, ':', length);
	char *to = NULL;
	int r = -ENOMEM;

	/* the last colon of [::1] is no port's */
	if (port && memchr(port, ']', length - (size_t)(port - authority)))
		port = NULL;
	if (asprintf(&access->url, "%.*s%s%.*s%s", (int)(authority - server), server,
		     access->config->tls_server_name,
		     port ? (int)(length - (size_t)(port - authority)) : 0, port ? port : "",
		     authority + length) < 0)
		access->url = NULL;
	access->host = strndup(authority, length);
	if (asprintf(&to, "::%.*s%s", (int)length, authority, port ? "" : ":443") < 0)
		to = NULL;
	if (to)
		access->connect_to = curl_slist_append(NULL, to);
	if (access->url && access->host && access->connect_to)
		r = 0;
	free(to);
	return r;
}

struct kube_access *kube_access_new(struct kube_config *config)
{
	struct kube_access *access = calloc(1, sizeof(*access));
	int r = -ENOMEM;

	if (!access) {
		kube_config_free(config);
		return NULL;
	}
	access->config = config;
	access->credentials = kube_credentials_new(config);
	if (access->credentials && config->tls_server_name) {
		r = set_server_name(access);
	} else if (access->credentials) {
		access->url = strdup(config->server);
		r = access->url ? 0 : -ENOMEM;
	}
	if (!r)
		return access;
	kube_access_free(access);
	return NULL;
}

void kube_access_free(struct kube_access *access)
{
	if (!access)
		return;
	if (access->credentials)
		kube_credentials_free(access->credentials);
	curl_slist_free_all(access->connect_to);
	free(access->host);
	free(access->url);
	kube_config_free(access->config);
	free(access);
}

const struct kube_config *kube_access_config(const struct kube_access *access)
{
	return access->config;
}

const char *kube_access_url(const struct kube_access *access)
{
	return access->url;
}

static int add_header(struct curl_slist **headers, const char *name, const char *value)
{
	struct curl_slist *more;
	char *header;

	if (asprintf(&header, "%s%s", name, value) < 0)
		return -ENOMEM;
	more = curl_slist_append(*headers, header);
	explicit_bzero(header, strlen(header));
	free(header);
	if (!more)
		return -ENOMEM;
	*headers = more;
	return 0;
}

static void set_pem(CURL *curl, CURLoption option, const struct secret *pem)
{
	struct curl_blob blob = {.flags = CURL_BLOB_COPY};

	if (!pem || !pem->size)
		return;
	blob.data = pem->data;
	blob.len = pem->size;
	curl_easy_setopt(curl, option, &blob);
}

int kube_access_apply(struct kube_access *access, CURL *curl, struct curl_slist **headers,
		      char *error, size_t error_size)
{
	const struct kube_config *config = access->config;
	struct kube_identity identity;
	int r = kube_credentials_get(access->credentials, (int64_t)monotonic_ns(), &identity, error,
				     error_size);

	if (r == -EINPROGRESS && access->plugin_r) {
		/* once for each failure, then it is tried again */
		snprintf(error, error_size, "%s", access->plugin_error);
		r = access->plugin_r;
		access->plugin_r = 0;
		return r;
	}
	if (r == -EINPROGRESS) {
		r = kube_credentials_start(access->credentials, (int64_t)monotonic_ns(), error,
					   error_size);
		return r ? r : -EAGAIN;
	}
	if (r)
		return r;
	if (identity.ca && identity.ca->size) {
		/* it alone: libcurl would trust what the system trusts, too */
		curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
		set_pem(curl, CURLOPT_CAINFO_BLOB, identity.ca);
	}
	set_pem(curl, CURLOPT_SSLCERT_BLOB, identity.certificate);
	set_pem(curl, CURLOPT_SSLKEY_BLOB, identity.key);
	if (config->proxy_url)
		curl_easy_setopt(curl, CURLOPT_PROXY, config->proxy_url);
	if (config->no_compression)
		curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, NULL);
	if (config->username) {
		curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(curl, CURLOPT_USERNAME, config->username);
		curl_easy_setopt(curl, CURLOPT_PASSWORD, config->password ? config->password : "");
	}
	if (identity.token)
		r = add_header(headers, "Authorization: Bearer ", identity.token);
	for (char **header = config->headers; header && *header && !r; header++)
		r = add_header(headers, *header, "");
	if (!r && access->connect_to) {
		curl_easy_setopt(curl, CURLOPT_CONNECT_TO, access->connect_to);
		r = add_header(headers, "Host: ", access->host);
	}
	if (r)
		snprintf(error, error_size, "making the request: %s", strerror(-r));
	return r;
}

void kube_access_refused(struct kube_access *access)
{
	kube_credentials_reject(access->credentials);
}

int kube_access_fd(const struct kube_access *access)
{
	return kube_credentials_fd(access->credentials);
}

void kube_access_run(struct kube_access *access)
{
	int r;

	if (kube_credentials_fd(access->credentials) < 0)
		return;
	r = kube_credentials_proceed(access->credentials, (int64_t)monotonic_ns(),
				     access->plugin_error, sizeof(access->plugin_error));
	if (r != -EINPROGRESS)
		access->plugin_r = r;
}
