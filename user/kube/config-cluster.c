/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config-parts.h"

static bool is_url_text(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || strchr("\"<>\\^`{|}", *text))
			return false;
	return true;
}

static bool is_port(const char *text, size_t length)
{
	unsigned long port = 0;

	if (!length || length > 5 || strspn(text, "0123456789") < length)
		return false;
	for (size_t i = 0; i < length; i++)
		port = port * 10 + (text[i] - '0');
	return port >= 1 && port <= 65535;
}

/* HOST, HOST:PORT, [IPv6], [IPv6]:PORT. *host: without brackets; its length or -EINVAL. */
static int split_authority(const char *text, size_t length, const char **host)
{
	const char *end = text + length;
	const char *stop;

	if (length && *text == '[') {
		*host = text + 1;
		stop = memchr(text, ']', length);
		if (!stop || stop - text < 3)
			return -EINVAL;
		length = stop - text - 1;
		stop++;
	} else {
		*host = text;
		stop = memchr(text, ':', length);
		if (!stop)
			stop = end;
		length = stop - text;
	}
	if (!length || (stop != end && (*stop != ':' || !is_port(stop + 1, end - stop - 1))))
		return -EINVAL;
	return (int)length;
}

/* Nothing leaves this machine. */
static bool is_loopback(const char *host, size_t length)
{
	char text[64];
	struct in_addr v4;
	struct in6_addr v6;

	if (length >= sizeof(text))
		return false;
	memcpy(text, host, length);
	text[length] = '\0';
	if (strcasecmp(text, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, text, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool config_encrypted(const struct kube_config *config)
{
	return strncmp(config->server, "https:", 6) == 0;
}

static int config_server(struct kube_config *config, struct entry *cluster)
{
	const char *text = entry_text(cluster, "server");
	const char *rest, *host;
	bool plain;
	int length;

	if (cluster->r)
		return cluster->r;
	if (!text)
		return entry_fail(cluster, -EINVAL,
				  "has no server; set it with kubectl config set-cluster");
	plain = strncasecmp(text, "http://", 7) == 0;
	rest = plain ? text + 7 : strncasecmp(text, "https://", 8) == 0 ? text + 8 : text;
	if (!is_url_text(text) || strstr(rest, "://") || strpbrk(rest, "?#@"))
		length = -EINVAL;
	else
		length = split_authority(rest, strcspn(rest, "/"), &host);
	if (length < 0)
		return entry_fail(cluster, -EINVAL,
				  "its server is no https://HOST:PORT; set it with kubectl config "
				  "set-cluster");
	if (plain && !is_loopback(host, length))
		return entry_fail(
			cluster, -EINVAL,
			"its server \"%.80s\" is not encrypted, which is only supported to "
			"this machine itself; set an https:// server",
			text);
	length = (int)strlen(rest);
	while (length && rest[length - 1] == '/')
		length--;
	if (asprintf(&config->server, "http%s://%.*s", plain ? "" : "s", length, rest) < 0) {
		config->server = NULL;
		return entry_fail(cluster, -ENOMEM, "there is no memory for it; allow more");
	}
	return 0;
}

/* It may have a password in it: no error repeats it. */
static int config_proxy(struct kube_config *config, struct entry *cluster)
{
	static const char *const schemes[] = {"http://", "https://", "socks5://"};
	const char *authority, *host;
	const char *rest = NULL;
	size_t length;

	if (entry_copy(cluster, "proxy-url", &config->proxy_url) < 0 || !config->proxy_url)
		return cluster->r;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(config->proxy_url, schemes[i], strlen(schemes[i])) == 0)
			rest = config->proxy_url + strlen(schemes[i]);
	if (!rest)
		return entry_fail(cluster, -EINVAL,
				  "its proxy-url is neither http://, https:// nor socks5://, and "
				  "no other is supported; set another");
	length = strcspn(rest, "/");
	authority = memrchr(rest, '@', length);
	authority = authority ? authority + 1 : rest;
	if (!is_url_text(config->proxy_url) || strpbrk(authority, "?#") ||
	    split_authority(authority, rest + length - authority, &host) < 0)
		return entry_fail(cluster, -EINVAL, "its proxy-url is no URL; set another");
	return 0;
}

static bool is_host_name(const char *text)
{
	return strlen(text) <= 253 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") ==
		       strlen(text);
}

int config_cluster(struct kube_config *config, struct entry *cluster)
{
	if (config_server(config, cluster) < 0)
		return cluster->r;
	if (entry_bool(cluster, "insecure-skip-tls-verify"))
		return entry_fail(cluster, -EINVAL,
				  "has insecure-skip-tls-verify, which is not supported: TLS is "
				  "always verified; give the server's CA with "
				  "certificate-authority, or the name in its certificate with "
				  "tls-server-name");
	config->no_compression = entry_bool(cluster, "disable-compression");
	/* Data wins, as kubectl's documentation says. */
	if (entry_pem(cluster, "certificate-authority-data", &config->ca.data) == 0 &&
	    !config->ca.data.size)
		entry_path(cluster, "certificate-authority", &config->ca.file);
	if (entry_copy(cluster, "tls-server-name", &config->tls_server_name) == 0 &&
	    config->tls_server_name && !is_host_name(config->tls_server_name))
		entry_fail(cluster, -EINVAL,
			   "its tls-server-name is no host name; set it with kubectl config "
			   "set-cluster");
	return config_proxy(config, cluster);
}
