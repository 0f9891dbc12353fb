/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/kube/config.h"
#include "../../user/kube/credentials.h"

#define SECOND INT64_C(1000000000)
#define SESAME "sesame" /* what must be in no error */
#define PEM "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"
#define PEM64 "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1Bbz0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
/* A whole kubeconfig but for the cluster and the user, both in flow style without braces. */
#define CONFIG(cluster, user)                                                                      \
	"apiVersion: v1\nkind: Config\ncurrent-context: x\n"                                       \
	"contexts: [{name: x, context: {cluster: c, user: u}}]\n"                                  \
	"clusters: [{name: c, cluster: {" cluster "}}]\nusers: [{name: u, user: {" user "}}]\n"
#define SERVER "server: 'https://10.0.0.1:6443'"
#define USER(user) CONFIG(SERVER, user)
#define CLUSTER(cluster) CONFIG(cluster, "token: " SESAME)
#define EXEC "apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: p"

struct fixture {
	char folder[64];
	struct kube_options options;
	struct kube_config *config;
	char error[1024];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/kube-config.XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	f->options.environment.service_account = "/proc/nowhere";
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	kube_config_free(f->config);
	snprintf(command, sizeof(command), "rm -rf %s", f->folder);
	free(f);
	return system(command);
}

/* The path of a name in the folder; one of a few buffers. */
static char *in(const struct fixture *f, const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", f->folder, name);
	return path;
}

static char *write_bytes(const struct fixture *f, const char *name, const char *text, size_t size)
{
	char *path = in(f, name);
	FILE *file;

	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	return path;
}

static char *write_file(const struct fixture *f, const char *name, const char *text)
{
	return write_bytes(f, name, text, strlen(text));
}

static int load(struct fixture *f)
{
	kube_config_free(f->config);
	f->config = NULL;
	f->error[0] = '\0';
	return kube_config_load(&f->options, &f->config, f->error, sizeof(f->error));
}

static void assert_loads(struct fixture *f)
{
	int r = load(f);

	assert_string_equal(f->error, "");
	assert_int_equal(r, 0);
	assert_non_null(f->config);
}

static void load_text(struct fixture *f, const char *text)
{
	f->options.kubeconfig = write_file(f, "config", text);
	assert_loads(f);
}

static void assert_error(struct fixture *f, int want, const char *part)
{
	int r = load(f);

	if (r != want || !strstr(f->error, part))
		print_error("got %d: %s\nwant %d: %s\n", r, f->error, want, part);
	assert_int_equal(r, want);
	assert_non_null(strstr(f->error, part));
	assert_non_null(strstr(f->error, "; "));
	assert_null(strstr(f->error, SESAME));
	assert_null(f->config);
	for (const char *c = f->error; *c; c++)
		assert_true(*c >= ' ' && *c <= '~');
}

static void assert_refused(struct fixture *f, const char *text, const char *part)
{
	f->options.kubeconfig = write_file(f, "config", text);
	assert_error(f, -EINVAL, part);
	/* The file is named first. */
	assert_memory_equal(f->error, f->options.kubeconfig, strlen(f->options.kubeconfig));
}

static void assert_text(const char *got, const char *want)
{
	assert_non_null(got);
	assert_string_equal(got, want);
}

/* --- what is read --- */

/* Written by kubectl config set-cluster, set-credentials, set-context, use-context. */
static const char by_kubectl[] =
	"apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: " PEM64
	"\n    proxy-url: socks5://p:1080\n    server: https://10.0.0.1:6443\n"
	"    tls-server-name: api.example\n  name: c1\ncontexts:\n- context:\n    cluster: c1\n"
	"    namespace: dev\n    user: u1\n  name: x\n- context:\n    cluster: c1\n    user: u2\n"
	"  name: \"y\"\n- context:\n    cluster: c1\n    user: u3\n  name: z\ncurrent-context: x\n"
	"kind: Config\npreferences: {}\nusers:\n- name: u1\n  user:\n    exec:\n"
	"      apiVersion: client.authentication.k8s.io/v1\n      args:\n      - a\n      - b c\n"
	"      command: plug\n      env:\n      - name: K\n        value: V\n"
	"      interactiveMode: IfAvailable\n      provideClusterInfo: false\n- name: u2\n  user:\n"
	"    client-certificate: certs/me.crt\n    client-key: /etc/me.key\n- name: u3\n  user:\n"
	"    client-certificate-data: " PEM64 "\n    client-key-data: " PEM64 "\n";

static void test_kubectl(void **state)
{
	struct fixture *f = *state;

	load_text(f, by_kubectl);
	assert_text(f->config->source, f->options.kubeconfig);
	assert_text(f->config->context, "x");
	assert_text(f->config->server, "https://10.0.0.1:6443");
	assert_text(f->config->namespace, "dev");
	assert_text(f->config->tls_server_name, "api.example");
	assert_text(f->config->proxy_url, "socks5://p:1080");
	assert_text(f->config->ca.data.data, PEM);
	assert_int_equal(f->config->ca.data.size, strlen(PEM));
	assert_null(f->config->ca.file);
	assert_false(f->config->no_compression);
	assert_non_null(f->config->exec);
	assert_text(f->config->exec->command, "plug");
	assert_text(f->config->exec->args[0], "a");
	assert_text(f->config->exec->args[1], "b c");
	assert_null(f->config->exec->args[2]);
	assert_text(f->config->exec->env[0], "K=V");
	assert_null(f->config->exec->env[1]);
	assert_text(f->config->exec->info,
		    "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/"
		    "v1\",\"spec\":{\"interactive\":false}}");
	assert_null(f->config->token);
	assert_null(f->config->headers);
	assert_false(f->config->reader.set);

	f->options.context = "y";
	assert_loads(f);
	assert_text(f->config->context, "y");
	assert_text(f->config->namespace, "default");
	assert_text(f->config->certificate.file, in(f, "certs/me.crt"));
	assert_text(f->config->key.file, "/etc/me.key");
	assert_null(f->config->exec);

	f->options.context = "z";
	assert_loads(f);
	assert_text(f->config->certificate.data.data, PEM);
	assert_text(f->config->key.data.data, PEM);
}

static void test_json(void **state)
{
	struct fixture *f = *state;

	load_text(f, "{\"kind\":\"Config\",\"apiVersion\":\"v1\",\"clusters\":[{\"name\":\"c\","
		     "\"cluster\":{\"server\":\"https://h\",\"disable-compression\":true}}],"
		     "\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"t\"}}],\"contexts\":[{"
		     "\"name\":\"x\",\"context\":{\"cluster\":\"c\",\"user\":\"u\"}}],"
		     "\"current-context\":\"x\"}");
	assert_text(f->config->server, "https://h");
	assert_text(f->config->token, "t");
	assert_true(f->config->no_compression);
}

static void test_encodings(void **state)
{
	struct fixture *f = *state;

	load_text(f, "\xef\xbb\xbf" USER("token: t"));
	load_text(f,
		  "apiVersion: v1\r\nkind: Config\r\ncurrent-context: x\r\ncontexts:\r\n"
		  "- name: x\r\n  context: {cluster: c, user: u}\r\nclusters:\r\n- name: c\r\n"
		  "  cluster:\r\n    server: https://h\r\nusers:\r\n- name: u\r\n  user: {}\r\n");
	assert_text(f->config->server, "https://h");
	assert_refused(f, "apiVersion: v1\nclusters:\n\t- name: c\n", "line 3, column 1");
	assert_refused(f, "apiVersion: v1\nclusters:\n\t- name: c\n", "a tab can't indent");
	assert_refused(f, "kind: Config\n\xff\n", "is not YAML");
}

static void test_old_fields(void **state)
{
	struct fixture *f = *state;

	/* What kubectl ignores we do. */
	load_text(f,
		  "current-context: x\npreferences: {colors: true}\nextensions: null\n"
		  "contexts: [{name: x, context: {cluster: c, user: u, extensions: []}}]\n"
		  "clusters: [{name: c, cluster: {" SERVER ", api-version: v1, extensions: []}}]\n"
		  "users: [{name: u, user: {token: t, extensions: [], thing: 1}}]\nthing: {}\n");
	assert_text(f->config->token, "t");
}

static void test_aliases(void **state)
{
	struct fixture *f = *state;

	load_text(f, "current-context: x\ncontexts: [{name: x, context: &x {cluster: c, user: u}},"
		     " {name: y, context: *x}]\nclusters: [{name: c, cluster: {" SERVER "}}]\n"
		     "users: [{name: u, user: {token: &t tt}}, {name: v, user: {token: *t}}]\n");
	f->options.context = "y";
	assert_loads(f);
	assert_text(f->config->token, "tt");
}

/* --- servers --- */

static void test_servers(void **state)
{
	static const char *const good[][2] = {
		{"https://10.0.0.1:6443", "https://10.0.0.1:6443"},
		{"https://api.example/", "https://api.example"},
		{"https://api.example/k8s/clusters/c-1//", "https://api.example/k8s/clusters/c-1"},
		{"https://[fd00::1]:6443", "https://[fd00::1]:6443"},
		{"HTTPS://h", "https://h"},
		{"10.0.0.1:6443", "https://10.0.0.1:6443"},
		{"http://localhost:8001", "http://localhost:8001"},
		{"http://127.0.0.1:8001/", "http://127.0.0.1:8001"},
		{"http://[::1]:8001", "http://[::1]:8001"},
	};
	static const char *const bad[] = {
		"https://",
		"https://h:",
		"https://h:0",
		"https://h:65536",
		"https://h:x",
		"https://:6443",
		"https://u@h",
		"https://u:sesame@h",
		"https://h?a",
		"https://h#a",
		"ftp://h",
		"https://h h",
		"https://[fd00::1",
		"https://[]:1",
		"https://[::1]x",
		"https://http://h",
		"https://h\\n\\nX: y",
		"https://h\\e[2J",
	};
	struct fixture *f = *state;
	char text[1024];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), CLUSTER("server: \"%s\""), good[i][0]);
		load_text(f, text);
		assert_text(f->config->server, good[i][1]);
		/* Nothing goes unencrypted. */
		assert_true(!!f->config->token == !!strstr(f->config->server, "https:"));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), CLUSTER("server: \"%s\""), bad[i]);
		assert_refused(f, text, "cluster \"c\": its server is no https://HOST:PORT");
	}
	assert_refused(f, CLUSTER("server: 'http://10.0.0.1'"), "is not encrypted");
	assert_refused(f, CLUSTER("server: 'http://127.evil.example'"), "is not encrypted");
	assert_refused(f, CLUSTER("server: ''"), "has no server");
	assert_refused(f, CLUSTER(""), "has no server");
	assert_refused(f, CLUSTER("server: []"), "server is a list where a text should be");
}

static void test_insecure(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, CLUSTER(SERVER ", insecure-skip-tls-verify: true"),
		       "TLS is always verified; give the server's CA with certificate-authority");
	assert_refused(f, CLUSTER(SERVER ", insecure-skip-tls-verify: maybe"),
		       "insecure-skip-tls-verify is neither true nor false");
	load_text(f, CLUSTER(SERVER ", insecure-skip-tls-verify: false"));
}

static void test_authority(void **state)
{
	struct fixture *f = *state;

	load_text(f, CLUSTER(SERVER ", certificate-authority: pki/ca.crt"));
	assert_text(f->config->ca.file, in(f, "pki/ca.crt"));
	load_text(f, CLUSTER(SERVER ", certificate-authority: /etc/ca.crt"));
	assert_text(f->config->ca.file, "/etc/ca.crt");
	load_text(f, CLUSTER(SERVER
			     ", certificate-authority: ca, certificate-authority-data: " PEM64));
	assert_null(f->config->ca.file);
	assert_text(f->config->ca.data.data, PEM);
	assert_refused(
		f, CLUSTER(SERVER ", certificate-authority-data: '!'"),
		"certificate-authority-data is damaged: it is not base 64; make it again, or "
		"name a file with certificate-authority");
	assert_refused(f, CLUSTER(SERVER ", certificate-authority-data: c2VzYW1l"),
		       "certificate-authority-data is no PEM");
}

static void test_proxies(void **state)
{
	struct fixture *f = *state;

	load_text(f, CLUSTER(SERVER ", proxy-url: 'http://p:3128'"));
	assert_text(f->config->proxy_url, "http://p:3128");
	load_text(f, CLUSTER(SERVER ", proxy-url: 'https://u:pa@p/'"));
	assert_text(f->config->proxy_url, "https://u:pa@p/");
	load_text(f, CLUSTER(SERVER ", proxy-url: ''"));
	assert_null(f->config->proxy_url);
	assert_refused(f, CLUSTER(SERVER ", proxy-url: 'ftp://u:sesame@p'"),
		       "its proxy-url is neither http://, https:// nor socks5://");
	assert_refused(f, CLUSTER(SERVER ", proxy-url: 'p:3128'"), "proxy-url is neither");
	assert_refused(f, CLUSTER(SERVER ", proxy-url: 'http://u:sesame@'"), "proxy-url is no URL");
	assert_refused(f, CLUSTER(SERVER ", proxy-url: 'http://u:sesame@p:x'"),
		       "proxy-url is no URL");
	assert_refused(f, CLUSTER(SERVER ", proxy-url: \"http://p\\n\""), "proxy-url is no URL");
	assert_refused(f, CLUSTER(SERVER ", tls-server-name: 'a b'"), "tls-server-name is no host");
}

/* --- users --- */

static void test_tokens(void **state)
{
	struct fixture *f = *state;

	load_text(f, USER("token: 0123"));
	assert_text(f->config->token, "0123");
	assert_null(f->config->token_file);
	load_text(f, USER("tokenFile: secrets/token, token: t"));
	assert_text(f->config->token_file, in(f, "secrets/token"));
	assert_text(f->config->token, "t");
	load_text(f, USER(""));
	assert_null(f->config->token);
	assert_refused(f, USER("token: \"sesame\\nX: y\""),
		       "user \"u\": its token has a byte that no token has, number 7");
	assert_refused(f, USER("token: [sesame]"), "token is a list where a text should be");
}

static void test_certificates(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, USER("client-certificate: c"),
		       "has a client-certificate without a client-key");
	assert_refused(f, USER("client-certificate-data: " PEM64),
		       "has a client-certificate without a client-key");
	assert_refused(f, USER("client-certificate: c, client-key-data: sesame"),
		       "client-key-data is damaged");
	assert_refused(f, USER("client-certificate: c, client-key-data: c2VzYW1l"),
		       "client-key-data is no PEM");
	load_text(f, USER("client-key: k"));
	assert_null(f->config->key.file);
	load_text(f, USER("client-certificate-data: " PEM64 ", client-key: k"));
	assert_text(f->config->key.file, in(f, "k"));
}

static void test_passwords(void **state)
{
	struct fixture *f = *state;

	load_text(f, USER("username: me, password: 'a:b'"));
	assert_text(f->config->username, "me");
	assert_text(f->config->password, "a:b");
	assert_refused(f, USER("username: me, password: sesame, token: t"),
		       "has both a token and a username or password");
	assert_refused(f, USER("username: 'm:e'"), "its username has a colon");
	assert_refused(f, USER("username: me, password: \"sesame\\n\""), "a control character");
}

static void test_impersonation(void **state)
{
	struct fixture *f = *state;

	load_text(f, USER("token: t, as: jane, as-uid: 7, as-groups: [dev, 'a b'], "
			  "as-user-extra: {Scopes: [x, y], 'acme.com/project': [z]}"));
	assert_text(f->config->headers[0], "Impersonate-User: jane");
	assert_text(f->config->headers[1], "Impersonate-Uid: 7");
	assert_text(f->config->headers[2], "Impersonate-Group: dev");
	assert_text(f->config->headers[3], "Impersonate-Group: a b");
	assert_text(f->config->headers[4], "Impersonate-Extra-scopes: x");
	assert_text(f->config->headers[5], "Impersonate-Extra-scopes: y");
	assert_text(f->config->headers[6], "Impersonate-Extra-acme.com%2Fproject: z");
	assert_null(f->config->headers[7]);
	assert_refused(f, USER("as-groups: [dev]"), "but no user");
	assert_refused(f, USER("as: \"a\\r\\nX: y\""), "as has a control character");
	assert_refused(f, USER("as: a, as-groups: dev"), "as-groups is a text where a list");
	assert_refused(f, USER("as: a, as-groups: [{}]"), "as-groups is no list of texts");
	assert_refused(f, USER("as: a, as-user-extra: {a: b}"), "as-user-extra is no mapping of");
}

static void test_unsupported(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, USER("auth-provider: {name: gcp, config: {access-token: sesame}}"),
		       "has the auth-provider \"gcp\", which is not supported");
	assert_refused(f, USER("auth-provider: {name: gcp}"), "use an exec plugin or a token");
	assert_refused(
		f, USER("exec: {command: p, apiVersion: client.authentication.k8s.io/v1alpha1}"),
		"exec.apiVersion is \"client.authentication.k8s.io/v1alpha1\", which is not "
		"supported; use client.authentication.k8s.io/v1 or");
	assert_refused(f,
		       USER("exec: {command: p, interactiveMode: Always, "
			    "apiVersion: client.authentication.k8s.io/v1}"),
		       "plugins get no terminal");
}

/* --- plugins --- */

static void test_exec(void **state)
{
	struct fixture *f = *state;

	load_text(f, USER("exec: {" EXEC "}"));
	assert_text(f->config->exec->command, "p");
	assert_null(f->config->exec->args);
	load_text(f, USER("exec: {apiVersion: client.authentication.k8s.io/v1beta1, "
			  "command: ./bin/p, installHint: 'get it', args: [a, '', null, 5], "
			  "env: [{name: A}, {name: B, value: b=c}]}"));
	assert_text(f->config->exec->command, in(f, "./bin/p"));
	assert_text(f->config->exec->install_hint, "get it");
	assert_text(f->config->exec->args[1], "");
	assert_text(f->config->exec->args[2], "");
	assert_text(f->config->exec->args[3], "5");
	assert_text(f->config->exec->env[0], "A=");
	assert_text(f->config->exec->env[1], "B=b=c");
	assert_refused(f, USER("exec: {" EXEC ", args: a}"), "exec.args is a text where a list");
	assert_refused(f, USER("exec: {" EXEC ", args: [[]]}"), "exec.args is no list of texts");
	assert_refused(f, USER("exec: {" EXEC ", env: [{value: v}]}"), "exec.env 1 has no name");
	assert_refused(f, USER("exec: {" EXEC ", env: [{name: 'a=b'}]}"), "exec.env 1 has no name");
	assert_refused(f, USER("exec: {apiVersion: client.authentication.k8s.io/v1, command: p}"),
		       "has no exec.interactiveMode");
	assert_refused(f, USER("exec: {command: p}"), "exec.apiVersion is \"\"");
	assert_refused(f, USER("exec: {apiVersion: client.authentication.k8s.io/v1beta1}"),
		       "has no exec.command");
	assert_refused(f,
		       USER("exec: {command: p, apiVersion: client.authentication.k8s.io/v1beta1,"
			    " interactiveMode: Perhaps}"),
		       "exec.interactiveMode is \"Perhaps\"");
	assert_refused(f, USER("exec: p"), "exec is a text where a mapping should be");
}

/* As client-go: a plugin isn't run where there is something else. */
static void test_exec_is_last(void **state)
{
	struct fixture *f = *state;

	load_text(f, USER("token: t, exec: {" EXEC "}"));
	assert_null(f->config->exec);
	load_text(f, USER("tokenFile: t, exec: {" EXEC "}"));
	assert_null(f->config->exec);
	load_text(f, USER("username: t, exec: {" EXEC "}"));
	assert_null(f->config->exec);
	load_text(f, USER("client-certificate: c, client-key: k, exec: {" EXEC "}"));
	assert_null(f->config->exec);
	load_text(f, USER("as: a, exec: {" EXEC "}"));
	assert_non_null(f->config->exec);
	load_text(f, CONFIG("server: 'http://localhost:8001'", "exec: {" EXEC "}"));
	assert_null(f->config->exec);
}

static json_t *spec_of(const struct kube_config *config)
{
	json_t *info = json_loads(config->exec->info, 0, NULL);
	json_t *spec = json_incref(json_object_get(info, "spec"));

	json_decref(info);
	return spec;
}

static void test_cluster_info(void **state)
{
	struct fixture *f = *state;
	json_t *spec, *cluster;
	char *config;

	write_file(f, "ca.crt", PEM);
	load_text(f, CONFIG(SERVER ", certificate-authority: ca.crt, tls-server-name: api, "
				   "proxy-url: 'http://p', disable-compression: true, extensions: ["
				   "{name: other, extension: 1}, "
				   "{name: client.authentication.k8s.io/exec, "
				   "extension: {audience: a, port: 443, quoted: '443', on: true}}]",
			    "exec: {" EXEC ", provideClusterInfo: true}"));
	spec = spec_of(f->config);
	assert_true(json_is_false(json_object_get(spec, "interactive")));
	cluster = json_object_get(spec, "cluster");
	assert_text(json_string_value(json_object_get(cluster, "server")), "https://10.0.0.1:6443");
	assert_text(json_string_value(json_object_get(cluster, "certificate-authority-data")),
		    PEM64);
	assert_text(json_string_value(json_object_get(cluster, "tls-server-name")), "api");
	assert_text(json_string_value(json_object_get(cluster, "proxy-url")), "http://p");
	assert_true(json_is_true(json_object_get(cluster, "disable-compression")));
	config = json_dumps(json_object_get(cluster, "config"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_text(config, "{\"audience\":\"a\",\"on\":true,\"port\":443,\"quoted\":\"443\"}");
	free(config);
	json_decref(spec);

	load_text(f, CONFIG(SERVER, "exec: {" EXEC ", provideClusterInfo: true}"));
	spec = spec_of(f->config);
	assert_int_equal(json_object_size(json_object_get(spec, "cluster")), 1);
	json_decref(spec);

	unlink(in(f, "ca.crt"));
	f->options.kubeconfig = write_file(f, "config",
					   CONFIG(SERVER ", certificate-authority: ca.crt",
						  "exec: {" EXEC ", provideClusterInfo: true}"));
	assert_error(f, -ENOENT, "ca.crt: cannot be read: No such file");
}

/* --- contexts --- */

static void test_contexts(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "contexts: [{name: a, context: {}}, {name: b, context: {}}]\n",
		       "has no current-context; choose one with --context: a, b");
	assert_refused(f, "current-context: no\ncontexts: [{name: \"a\\e[2J\", context: {}}]\n",
		       "has no context \"no\"; choose one with --context: a?[2J");
	assert_refused(f, "current-context: a\ncontexts: [{name: a, context: {}}]\n",
		       "context \"a\": names no cluster");
	assert_refused(f, "current-context: a\ncontexts: [{name: a}]\n",
		       "context \"a\": names no cluster");
	assert_refused(f, "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n",
		       "context \"a\": its cluster \"c\" is not there");
	assert_refused(f,
		       "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n"
		       "clusters: [{name: c, cluster: {" SERVER "}}]\n",
		       "context \"a\": names no user");
	assert_refused(f,
		       "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
		       "clusters: [{name: c, cluster: {" SERVER "}}]\n",
		       "context \"a\": its user \"u\" is not there");
	assert_refused(f, "current-context: a\ncontexts: [{name: a, context: {namespace: A_b}}]\n",
		       "its namespace \"A_b\" is none");
	assert_refused(f, "current-context: a\ncontexts: [{context: {}}]\n",
		       "context 1 has no name");
	assert_refused(f, "current-context: a\ncontexts: [{name: a, context: []}]\n",
		       "context \"a\": is not a mapping");
	assert_refused(f, "current-context: a\ncontexts: [{name: a}, {name: a}]\n",
		       "has two contexts called \"a\"");
	f->options.context = "other";
	assert_refused(f, USER(""), "has no context \"other\"; choose one with --context: x");
}

static void test_no_kubeconfig(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "- a\n", "is not a kubeconfig: it is a list");
	assert_refused(f, "text\n", "is not a kubeconfig: it is a text");
	assert_refused(f, "kind: Pod\n", "its kind is \"Pod\" where \"Config\" should be");
	assert_refused(f, "apiVersion: v2\n", "its apiVersion is \"v2\" where \"v1\" should be");
	assert_refused(f, "users: {u: {token: sesame}}\n", "its users are no list");
	assert_refused(f, "", "has no current-context");
	assert_refused(f, "users: [", "line 2, column 1");
	f->options.kubeconfig = "/proc/nowhere/config";
	assert_error(f, -EINVAL, "/proc/nowhere/config: there is no such file");
	f->options.kubeconfig = f->folder;
	assert_error(f, -EISDIR, "cannot be read: Is a directory");
}

static void test_large(void **state)
{
	struct fixture *f = *state;
	size_t size = 10 << 20;
	char *text = malloc(size);

	assert_non_null(text);
	memset(text, '#', size);
	f->options.kubeconfig = write_bytes(f, "config", text, size);
	assert_error(f, -E2BIG, "is larger than 4 MiB, which is the most that is read");
	/* All of the comment's bytes are read. */
	text[(4 << 20) - sizeof(USER("token: t"))] = '\n';
	memcpy(text + (4 << 20) - strlen(USER("token: t")), USER("token: t"),
	       strlen(USER("token: t")));
	f->options.kubeconfig = write_bytes(f, "config", text, 4 << 20);
	assert_loads(f);
	assert_text(f->config->token, "t");
	free(text);
}

/* --- where it is looked for --- */

static void test_merge(void **state)
{
	struct fixture *f = *state;
	char list[1024];

	write_file(f, "a/config",
		   "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
		   "users: [{name: u, user: {tokenFile: token}}]\n");
	write_file(f, "b/config",
		   "current-context: x\ncontexts: [{name: x, context: {cluster: no}}]\n"
		   "clusters: [{name: c, cluster: {" SERVER ", certificate-authority: ca}}]\n");
	/* Also what the first user has not is not taken from the second. */
	write_file(f, "c/config",
		   "current-context: y\nusers: [{name: u, user: {as: jane}}]\n"
		   "clusters: [{name: c, cluster: {server: 'https://other'}}]\n"
		   "contexts: [{name: y, context: {cluster: c, user: u}}]\n");
	snprintf(list, sizeof(list),
		 ":%s/missing:%s/a/config:%s/b/config::%s/a/config:%s/c/config:", f->folder,
		 f->folder, f->folder, f->folder, f->folder);
	f->options.environment.kubeconfig = list;
	f->options.environment.home = "/proc/nowhere";
	assert_loads(f);
	assert_text(f->config->context, "x");
	assert_text(f->config->source, in(f, "a/config"));
	assert_text(f->config->server, "https://10.0.0.1:6443");
	assert_text(f->config->ca.file, in(f, "b/ca"));
	assert_text(f->config->token_file, in(f, "a/token"));
	assert_null(f->config->headers);
	f->options.context = "y";
	assert_loads(f);
	assert_text(f->config->source, in(f, "c/config"));
	assert_text(f->config->server, "https://10.0.0.1:6443");
	f->options.context = "z";
	assert_error(f, -EINVAL, "has no context \"z\"; choose one with --context: x, x, y");
	/* A damaged one is not passed over. */
	write_file(f, "c/config", "a: [");
	assert_error(f, -EINVAL, "c/config: line 2, column 1");
	/* --kubeconfig alone counts. */
	f->options.context = NULL;
	f->options.kubeconfig = write_file(f, "d/config", USER("token: d"));
	assert_loads(f);
	assert_text(f->config->token, "d");
}

static void test_relative(void **state)
{
	struct fixture *f = *state;
	char *here = getcwd(NULL, 0);

	write_file(f, "sub/config",
		   CONFIG(SERVER ", certificate-authority: ca", "tokenFile: ../t"));
	assert_int_equal(chdir(f->folder), 0);
	f->options.kubeconfig = "sub/config";
	assert_loads(f);
	assert_text(f->config->ca.file, in(f, "sub/ca"));
	assert_text(f->config->token_file, in(f, "sub/../t"));
	assert_int_equal(chdir("sub"), 0);
	f->options.kubeconfig = "config";
	assert_loads(f);
	assert_text(f->config->ca.file, in(f, "sub/ca"));
	assert_int_equal(chdir(here), 0);
	free(here);
}

static void test_home(void **state)
{
	struct fixture *f = *state;

	write_file(f, ".kube/config", USER("token: home"));
	f->options.environment.home = f->folder;
	assert_loads(f);
	assert_text(f->config->token, "home");
	f->options.environment.kubeconfig = "";
	assert_loads(f);
	/* As kubectl: where $KUBECONFIG is set, what is at home isn't looked at. */
	f->options.environment.kubeconfig = "/proc/nowhere";
	assert_error(f, -ENOENT, "nothing is in the files of $KUBECONFIG (/proc/nowhere)");
}

static void test_sudo(void **state)
{
	struct fixture *f = *state;
	char home[128];

	snprintf(home, sizeof(home), "%s/theirs", f->folder);
	write_file(f, "theirs/.kube/config", USER("tokenFile: t, exec: {" EXEC "}"));
	write_file(f, "root/.kube/config", USER("token: root"));
	f->options.environment.home = in(f, "root");
	f->options.environment.sudo = (struct kube_user){
		.set = true, .uid = getuid(), .gid = getgid(), .name = "jane", .home = home};
	assert_loads(f);
	assert_text(f->config->token_file, in(f, "theirs/.kube/t"));
	assert_true(f->config->reader.set);
	assert_true(f->config->runner.set);
	assert_text(f->config->runner.name, "jane");
	/* What root is given by name, root reads; the plugin is still theirs. */
	f->options.environment.kubeconfig = write_file(f, "config", USER("token: named"));
	assert_loads(f);
	assert_text(f->config->token, "named");
	assert_false(f->config->reader.set);
	assert_true(f->config->runner.set);
	f->options.environment.kubeconfig = NULL;
	f->options.environment.sudo.home = NULL;
	assert_error(f, -ENOENT, "nor is a home folder known");
}

/* They could have root read any file, and send it somewhere. */
static void test_sudo_reads_as_user(void **state)
{
	struct fixture *f = *state;
	struct kube_credentials *credentials;
	const char *token;

	if (geteuid() != 0) {
		print_message("skipped: only root can become another\n");
		skip();
	}
	assert_int_equal(chmod(f->folder, 0755), 0);
	write_file(f, ".kube/config", USER("tokenFile: ../secret"));
	chmod(write_file(f, "secret", SESAME), 0600);
	f->options.environment.sudo = (struct kube_user){
		.set = true, .uid = 65534, .gid = 65534, .name = "jane", .home = f->folder};
	assert_loads(f);
	credentials = kube_credentials_new(f->config);
	assert_int_equal(kube_credentials_token(credentials, 0, &token, f->error, sizeof(f->error)),
			 -EACCES);
	assert_non_null(strstr(f->error, "cannot be read as jane, who called sudo"));
	assert_int_equal(chmod(in(f, "secret"), 0644), 0);
	assert_int_equal(
		kube_credentials_token(credentials, SECOND, &token, f->error, sizeof(f->error)), 0);
	assert_text(token, SESAME);
	kube_credentials_free(credentials);
	/* Nor the file itself. */
	assert_int_equal(chmod(in(f, ".kube/config"), 0600), 0);
	assert_error(f, -EACCES, "give it with --kubeconfig to have it read by root");
	assert_int_equal(geteuid(), 0);
	assert_int_equal(access(in(f, ".kube/config"), R_OK), 0);
	f->options.kubeconfig = in(f, ".kube/config");
	assert_loads(f);
}

static void test_environment(void **state)
{
	struct kube_environment environment;

	(void)state;
	setenv("KUBECONFIG", "/a:/b", 1);
	setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
	setenv("SUDO_USER", "nobody", 1);
	setenv("SUDO_UID", "65534", 1);
	setenv("SUDO_GID", "65534", 1);
	assert_int_equal(kube_environment_read(&environment), 0);
	assert_text(environment.kubeconfig, "/a:/b");
	assert_text(environment.service_host, "10.0.0.1");
	assert_non_null(environment.service_account);
	assert_true(environment.sudo.set == (geteuid() == 0));
	if (environment.sudo.set) {
		assert_int_equal(environment.sudo.uid, 65534);
		assert_text(environment.sudo.name, "nobody");
		assert_non_null(environment.sudo.home);
	}
	kube_environment_deinit(&environment);
	kube_environment_deinit(&environment);
	/* Somebody without an entry; sudo by root; nonsense. */
	setenv("SUDO_UID", "4000000000", 1);
	assert_int_equal(kube_environment_read(&environment), 0);
	assert_true(environment.sudo.set == (geteuid() == 0));
	assert_null(environment.sudo.home);
	kube_environment_deinit(&environment);
	setenv("SUDO_UID", "0", 1);
	assert_int_equal(kube_environment_read(&environment), 0);
	assert_false(environment.sudo.set);
	setenv("SUDO_UID", "65534x", 1);
	assert_int_equal(kube_environment_read(&environment), 0);
	assert_false(environment.sudo.set);
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	unsetenv("SUDO_USER");
	unsetenv("KUBECONFIG");
	unsetenv("KUBERNETES_SERVICE_HOST");
}

static void test_none(void **state)
{
	struct fixture *f = *state;

	f->options.environment.home = f->folder;
	assert_error(f, -ENOENT, "there is no kubeconfig: $KUBECONFIG is not set, nothing is in ");
	assert_non_null(strstr(f->error, in(f, ".kube/config")));
	assert_non_null(strstr(f->error, "this is no pod: $KUBERNETES_SERVICE_HOST is not set"));
	write_file(f, ".kube/config", "");
	assert_error(f, -ENOENT, "there is no kubeconfig");
	write_file(f, ".kube/config",
		   "apiVersion: v1\nclusters: []\ncontexts: null\nusers: []\n"
		   "current-context: \"\"\nkind: Config\npreferences: {}\n");
	assert_error(f, -ENOENT, "there is no kubeconfig");
	f->options.context = "x";
	assert_error(f, -EINVAL, "there is no context \"x\"");
	f->options.context = NULL;
	f->options.environment.service_host = "10.0.0.1";
	f->options.environment.service_port = "443";
	assert_error(f, -ENOENT, "a pod without a service account's token: no /proc/nowhere/token");
	write_file(f, ".kube/config", "a: [");
	assert_error(f, -EINVAL, "is not YAML");
}

/* --- inside a cluster --- */

static void set_in_cluster(struct fixture *f)
{
	f->options.environment.home = "/proc/nowhere";
	f->options.environment.service_host = "10.96.0.1";
	f->options.environment.service_port = "443";
	f->options.environment.service_account = f->folder;
}

static void test_in_cluster(void **state)
{
	struct fixture *f = *state;

	set_in_cluster(f);
	write_file(f, "token", "t");
	assert_loads(f);
	assert_text(f->config->source, "in-cluster");
	assert_null(f->config->context);
	assert_text(f->config->server, "https://10.96.0.1:443");
	assert_text(f->config->ca.file, in(f, "ca.crt"));
	assert_text(f->config->token_file, in(f, "token"));
	assert_text(f->config->namespace, "default");
	write_file(f, "namespace", "team-a\n");
	f->options.environment.service_host = "fd00::1";
	assert_loads(f);
	assert_text(f->config->server, "https://[fd00::1]:443");
	assert_text(f->config->namespace, "team-a");
	f->options.environment.service_host = "10.0.0.1/@evil";
	assert_error(f, -EINVAL, "are no address and port");
	f->options.environment.service_host = "10.0.0.1";
	f->options.environment.service_port = "tcp://1";
	assert_error(f, -EINVAL, "are no address and port");
	f->options.environment.service_port = "443";
	/* A kubeconfig wins, and a context is none in here. */
	f->options.context = "x";
	assert_error(f, -EINVAL, "there is no context \"x\"");
	f->options.environment.kubeconfig = write_file(f, "config", USER("token: file"));
	assert_loads(f);
	assert_text(f->config->token, "file");
}

/* --- credentials of files --- */

static void assert_token(struct fixture *f, struct kube_credentials *credentials, int64_t now,
			 const char *want)
{
	const char *token = NULL;
	int r = kube_credentials_token(credentials, now, &token, f->error, sizeof(f->error));

	assert_string_equal(f->error, "");
	assert_int_equal(r, 0);
	if (want)
		assert_text(token, want);
	else
		assert_null(token);
}

static void switch_link(const struct fixture *f, const char *to)
{
	unlink(in(f, "..tmp"));
	assert_int_equal(symlink(to, in(f, "..tmp")), 0);
	assert_int_equal(rename(in(f, "..tmp"), in(f, "..data")), 0);
}

/* As the kubelet does it: all files change at once with a symbolic link. */
static void test_rotation(void **state)
{
	struct fixture *f = *state;
	struct kube_credentials *credentials;
	struct kube_identity identity;
	uint64_t generation;

	set_in_cluster(f);
	write_file(f, "..1/token", "one\n");
	write_file(f, "..1/ca.crt", PEM);
	write_file(f, "..2/token", "two");
	write_file(f, "..2/ca.crt", PEM);
	write_file(f, "..3/token", "two");
	write_file(f, "..3/ca.crt", PEM PEM);
	switch_link(f, "..1");
	assert_int_equal(symlink("..data/token", in(f, "token")), 0);
	assert_int_equal(symlink("..data/ca.crt", in(f, "ca.crt")), 0);
	assert_loads(f);
	credentials = kube_credentials_new(f->config);
	assert_token(f, credentials, 0, "one");
	assert_int_equal(
		kube_credentials_get(credentials, 0, &identity, f->error, sizeof(f->error)), 0);
	assert_text(identity.ca->data, PEM);
	assert_null(identity.certificate);
	assert_null(identity.key);
	generation = identity.generation;
	switch_link(f, "..2");
	assert_token(f, credentials, SECOND - 1, "one");
	assert_token(f, credentials, SECOND, "two");
	kube_credentials_get(credentials, SECOND, &identity, f->error, sizeof(f->error));
	assert_int_equal(identity.generation, generation);
	switch_link(f, "..3");
	assert_token(f, credentials, 2 * SECOND, "two");
	kube_credentials_get(credentials, 2 * SECOND, &identity, f->error, sizeof(f->error));
	assert_text(identity.ca->data, PEM PEM);
	assert_int_equal(identity.generation, generation + 1);
	/* Nothing there for a moment, or half of it: what was stays. */
	unlink(in(f, "..data"));
	assert_int_equal(kube_credentials_get(credentials, 3 * SECOND, &identity, f->error,
					      sizeof(f->error)),
			 0);
	assert_text(identity.token, "two");
	assert_text(identity.ca->data, PEM PEM);
	kube_credentials_free(credentials);
}

static void test_token_file(void **state)
{
	struct fixture *f = *state;
	struct kube_credentials *credentials;
	const char *token = NULL;

	load_text(f, USER("tokenFile: t"));
	credentials = kube_credentials_new(f->config);
	assert_int_equal(kube_credentials_token(credentials, 0, &token, f->error, 1024), -ENOENT);
	assert_non_null(strstr(f->error, "/t: cannot be read: No such file"));
	write_file(f, "t", "\n");
	assert_int_equal(kube_credentials_token(credentials, 0, &token, f->error, 1024), -EINVAL);
	assert_non_null(strstr(f->error, "/t: is no token: it is empty"));
	write_file(f, "t", "sesame\nX: y");
	assert_int_equal(kube_credentials_token(credentials, 0, &token, f->error, 1024), -EINVAL);
	assert_null(strstr(f->error, SESAME));
	f->error[0] = '\0';
	write_file(f, "t", "  first \r\n");
	assert_token(f, credentials, 0, "first");
	/* Within a second a 401 alone has it looked at. */
	write_file(f, "t", "second");
	assert_token(f, credentials, 1, "first");
	assert_true(kube_credentials_reject(credentials));
	assert_token(f, credentials, 2, "second");
	write_file(f, "t", "");
	assert_int_equal(kube_credentials_token(credentials, 2 * SECOND, &token, f->error, 1024),
			 0);
	assert_text(token, "second");
	assert_non_null(strstr(f->error, "/t: is no token"));
	assert_token(f, credentials, 2 * SECOND, "second");
	kube_credentials_free(credentials);

	unlink(in(f, "t"));
	assert_int_equal(mkfifo(in(f, "t"), 0600), 0);
	credentials = kube_credentials_new(f->config);
	assert_int_equal(kube_credentials_token(credentials, 0, &token, f->error, 1024), -EINVAL);
	assert_non_null(strstr(f->error, "is not a regular file"));
	kube_credentials_free(credentials);
}

static void test_token_and_file(void **state)
{
	struct fixture *f = *state;
	struct kube_credentials *credentials;
	const char *token;

	load_text(f, USER("tokenFile: t, token: static"));
	credentials = kube_credentials_new(f->config);
	assert_int_equal(kube_credentials_token(credentials, 0, &token, f->error, 1024), 0);
	assert_text(token, "static");
	f->error[0] = '\0';
	write_file(f, "t", "file");
	assert_token(f, credentials, SECOND, "file");
	kube_credentials_free(credentials);

	load_text(f, USER("token: static"));
	credentials = kube_credentials_new(f->config);
	assert_token(f, credentials, 0, "static");
	assert_false(kube_credentials_reject(credentials));
	assert_int_equal(kube_credentials_fd(credentials), -1);
	kube_credentials_free(credentials);

	load_text(f, USER(""));
	credentials = kube_credentials_new(f->config);
	assert_token(f, credentials, 0, NULL);
	kube_credentials_free(credentials);
}

static void test_pem_files(void **state)
{
	struct fixture *f = *state;
	struct kube_credentials *credentials;
	struct kube_identity identity;

	load_text(f, CONFIG(SERVER ", certificate-authority-data: " PEM64,
			    "client-certificate: c, client-key: k"));
	credentials = kube_credentials_new(f->config);
	write_file(f, "c", PEM);
	write_file(f, "k", SESAME);
	assert_int_equal(kube_credentials_get(credentials, 0, &identity, f->error, 1024), -EINVAL);
	assert_non_null(strstr(f->error, "/k: is no PEM"));
	assert_null(strstr(f->error, SESAME));
	write_file(f, "k", "-----BEGIN KEY-----\n");
	assert_int_equal(kube_credentials_get(credentials, 0, &identity, f->error, 1024), 0);
	assert_text(identity.ca->data, PEM);
	assert_text(identity.certificate->data, PEM);
	assert_text(identity.key->data, "-----BEGIN KEY-----\n");
	assert_null(identity.token);
	kube_credentials_free(credentials);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_kubectl),
		TEST(test_json),
		TEST(test_encodings),
		TEST(test_old_fields),
		TEST(test_aliases),
		TEST(test_servers),
		TEST(test_insecure),
		TEST(test_authority),
		TEST(test_proxies),
		TEST(test_tokens),
		TEST(test_certificates),
		TEST(test_passwords),
		TEST(test_impersonation),
		TEST(test_unsupported),
		TEST(test_exec),
		TEST(test_exec_is_last),
		TEST(test_cluster_info),
		TEST(test_contexts),
		TEST(test_no_kubeconfig),
		TEST(test_large),
		TEST(test_merge),
		TEST(test_relative),
		TEST(test_home),
		TEST(test_sudo),
		TEST(test_sudo_reads_as_user),
		TEST(test_environment),
		TEST(test_none),
		TEST(test_in_cluster),
		TEST(test_rotation),
		TEST(test_token_file),
		TEST(test_token_and_file),
		TEST(test_pem_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
