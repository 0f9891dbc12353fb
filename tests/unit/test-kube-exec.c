/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define GLIBC_SIGNALS (3ULL << 31)

#include "../../user/kube/credentials.h"
#include "../../user/kube/exec-credential.h"
#include "../../user/kube/process.h"
#include "../../user/kube/time-parse.h"

#define SECOND INT64_C(1000000000)
#define V1 "client.authentication.k8s.io/v1"
#define SESAME "sesame" /* what must be in no error */
#define CREDENTIAL(version, status)                                                                \
	"{\"kind\":\"ExecCredential\",\"apiVersion\":\"" version "\",\"status\":{" status "}}"
#define PRINT(status) "#!/bin/sh\necho '" CREDENTIAL(V1, status) "'\n"
/* echo would take the \n for a new line. */
#define CAT(status) "#!/bin/sh\ncat <<'END'\n" CREDENTIAL(V1, status) "\nEND\n"
#define CERTIFICATE(name) "-----BEGIN CERTIFICATE-----\\n" name "\\n-----END CERTIFICATE-----\\n"

struct fixture {
	char folder[64];
	char plugin[96];
	struct kube_exec exec;
	struct kube_config config;
	struct kube_credentials *credentials;
	struct kube_identity identity;
	char error[2048];
};

static char api_version[] = V1;
static char info[] = "{\"info\":1}";

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/kube-exec.XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->plugin, sizeof(f->plugin), "%s/plugin", f->folder);
	f->exec.command = f->plugin;
	f->exec.api_version = api_version;
	f->exec.info = info;
	f->config.exec = &f->exec;
	f->credentials = kube_credentials_new(&f->config);
	*state = f;
	return f->credentials ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	kube_credentials_free(f->credentials);
	snprintf(command, sizeof(command), "rm -rf %s", f->folder);
	free(f);
	return system(command);
}

static void write_file(const char *path, const char *text, int mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void set_plugin(struct fixture *f, const char *script)
{
	write_file(f->plugin, script, 0755);
}

/* What a script wrote beside itself. */
static char *read_file(const struct fixture *f, const char *name)
{
	static char text[64 << 10];
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("there is no %s", path);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static int start(struct fixture *f)
{
	f->error[0] = '\0';
	return kube_credentials_start(f->credentials, 0, f->error, sizeof(f->error));
}

static int proceed(struct fixture *f, int64_t now)
{
	return kube_credentials_proceed(f->credentials, now, f->error, sizeof(f->error));
}

static int get(struct fixture *f)
{
	char error[256]; /* f->error is what the plugin's end left */

	return kube_credentials_get(f->credentials, 0, &f->identity, error, sizeof(error));
}

/* As the loop does it. */
static int wait_for_end(struct fixture *f)
{
	int r;

	do {
		struct pollfd fd = {.fd = kube_credentials_fd(f->credentials), .events = POLLIN};

		assert_true(fd.fd >= 0);
		assert_int_equal(poll(&fd, 1, 60000), 1);
		r = proceed(f, 0);
	} while (r == -EINPROGRESS);
	assert_int_equal(kube_credentials_fd(f->credentials), -1);
	return r;
}

static void assert_runs(struct fixture *f)
{
	int r = start(f);

	if (r == 0)
		r = wait_for_end(f);
	assert_string_equal(f->error, "");
	assert_int_equal(r, 0);
	assert_int_equal(get(f), 0);
}

static void assert_sentence(const struct fixture *f, const char *part)
{
	if (!strstr(f->error, part))
		print_error("got %s\nwant: %s\n", f->error, part);
	assert_non_null(strstr(f->error, part));
	assert_non_null(strstr(f->error, "; "));
	assert_null(strstr(f->error, SESAME));
	for (const char *c = f->error; *c; c++)
		assert_true(*c >= ' ' && *c <= '~');
}

static void assert_fails(struct fixture *f, int want, const char *part)
{
	assert_int_equal(start(f), 0);
	assert_int_equal(wait_for_end(f), want);
	assert_sentence(f, part);
	assert_int_equal(get(f), -EINPROGRESS);
}

/* --- what it gives --- */

static void test_token(void **state)
{
	struct fixture *f = *state;

	set_plugin(f, PRINT("\"token\":\"abc\""));
	assert_int_equal(get(f), -EINPROGRESS);
	assert_runs(f);
	assert_string_equal(f->identity.token, "abc");
	assert_null(f->identity.certificate);
	/* Kept, as it doesn't expire, until the server refuses it. */
	set_plugin(f, PRINT("\"token\":\"def\""));
	assert_int_equal(get(f), 0);
	assert_string_equal(f->identity.token, "abc");
	assert_true(kube_credentials_reject(f->credentials));
	assert_int_equal(get(f), -EINPROGRESS);
	assert_runs(f);
	assert_string_equal(f->identity.token, "def");
}

static void test_expiry(void **state)
{
	struct fixture *f = *state;

	set_plugin(f, PRINT("\"token\":\"abc\",\"expirationTimestamp\":\"2999-01-01T00:00:00Z\""));
	assert_runs(f);
	assert_string_equal(f->identity.token, "abc");
	assert_true(kube_credentials_reject(f->credentials));
	set_plugin(f, PRINT("\"token\":\"abc\",\"expirationTimestamp\":\"2001-01-01T00:00:00Z\""));
	assert_fails(f, -EKEYEXPIRED, "printed credentials that have already expired");
	set_plugin(f, PRINT("\"token\":\"abc\",\"expirationTimestamp\":\"" SESAME "\""));
	assert_fails(f, -EINVAL, "status.expirationTimestamp that is no time");
}

static void test_certificate(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;

	set_plugin(f, CAT("\"clientCertificateData\":\"" CERTIFICATE(
			      "a") "\",\"clientKeyData\":\"" CERTIFICATE("k") "\""));
	assert_runs(f);
	assert_null(f->identity.token);
	assert_string_equal(f->identity.certificate->data,
			    "-----BEGIN CERTIFICATE-----\na\n-----END CERTIFICATE-----\n");
	assert_string_equal(f->identity.key->data,
			    "-----BEGIN CERTIFICATE-----\nk\n-----END CERTIFICATE-----\n");
	generation = f->identity.generation;
	kube_credentials_reject(f->credentials);
	assert_runs(f);
	assert_int_equal(f->identity.generation, generation);
	kube_credentials_reject(f->credentials);
	set_plugin(f, PRINT("\"token\":\"abc\""));
	assert_runs(f);
	assert_int_equal(f->identity.generation, generation + 1);
	assert_null(f->identity.certificate);
}

static void test_damaged_output(void **state)
{
	static const struct {
		const char *script, *part;
	} cases[] = {
		{"#!/bin/sh\n", "printed nothing"},
		{"#!/bin/sh\necho sesame\n", "printed what is not JSON, near line 1"},
		{"#!/bin/sh\necho '{\"token\":\"sesame\"'\n", "printed what is not JSON"},
		{"#!/bin/sh\necho '[]'\n", "printed no ExecCredential"},
		{"#!/bin/sh\necho '{\"kind\":\"Pod\"}'\n", "printed no ExecCredential"},
		{"#!/bin/sh\necho '{\"kind\":\"ExecCredential\"}'\n", "of another apiVersion"},
		{"#!/bin/sh\necho '" CREDENTIAL("sesame", "") "'\n",
		 "of another apiVersion than client.authentication.k8s.io/v1;"},
		{"#!/bin/sh\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\"}'\n",
		 "without a status"},
		{PRINT(""), "printed neither a token nor a certificate"},
		{PRINT("\"token\":\"\""), "printed neither a token nor a certificate"},
		{PRINT("\"token\":7"), "a status.token that is no string"},
		{PRINT("\"token\":\"sesame X\""), "a token with a byte that no token has"},
		{PRINT("\"token\":\"sesame\\u000aX\""), "a token with a byte that no token has"},
		{PRINT("\"token\":\"t\",\"token\":\"sesame\""), "printed what is not JSON"},
		{PRINT("\"token\":\"t\",\"clientKeyData\":\"sesame\""), "only one of certificate"},
		{PRINT("\"clientCertificateData\":\"a\",\"clientKeyData\":\"sesame\""), "no PEM"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_plugin(f, cases[i].script);
		assert_fails(f, -EINVAL, cases[i].part);
		assert_sentence(f, "ran the credential plugin ");
		assert_sentence(f, f->plugin);
	}
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} good[] = {
		{"1970-01-01T00:00:01Z", SECOND},
		{"2026-11-22T07:48:24Z", INT64_C(1795333704) * SECOND},
		{"2026-11-22T08:48:24+01:00", INT64_C(1795333704) * SECOND},
		{"2026-11-22T02:18:24-05:30", INT64_C(1795333704) * SECOND},
		{"2026-11-22T07:48:24.25Z", INT64_C(1795333704) * SECOND + SECOND / 4},
		{"2026-11-22T07:48:24.123456789123Z", INT64_C(1795333704) * SECOND + 123456789},
		{"0001-01-01T00:00:00Z", 0},
		{"9999-12-31T23:59:59Z", INT64_MAX},
	};
	static const char *const bad[] = {
		"",
		"2026-11-22",
		"2026-11-22T07:48:24",
		"2026-11-22 07:48:24Z",
		"2026-02-30T07:48:24Z",
		"2026-13-01T07:48:24Z",
		"2026-11-22T24:00:00Z",
		"2026-11-22T07:60:24Z",
		"2026-11-22T07:48:24z",
		"2026-11-22T07:48:24+1:00",
		"2026-11-22T07:48:24+24:00",
		"2026-11-22T07:48:24+01:00Z",
		"2026-11-22T07:48:24ZZ",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t time = -1;

		assert_int_equal(time_parse(good[i].text, &time), 0);
		assert_int_equal(time, good[i].want);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t time = -1;

		assert_int_equal(time_parse(bad[i], &time), -EINVAL);
	}
}

/* --- how it is run --- */

static void test_surroundings(void **state)
{
	char *args[] = {"one two", "$(touch evil)", "", "'", NULL};
	char *env[] = {"ADDED=added value", "REPLACED=new", NULL};
	struct fixture *f = *state;
	sigset_t blocked;
	int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a library of ours might */

	f->exec.args = args;
	f->exec.env = env;
	setenv("REPLACED", "old", 1);
	setenv("KEPT", "kept", 1);
	sigfillset(&blocked);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	set_plugin(f,
		   "#!/bin/sh\ncd ${0%/*}\nprintf '<%s>' \"$@\" >args\n"
		   "echo $KEPT-$REPLACED-$ADDED >env\nprintf %s \"$KUBERNETES_EXEC_INFO\" >info\n"
		   "readlink /proc/$$/fd/0 >stdin\nls /proc/self/fd >fds\n"
		   "grep -E '^Sig(Blk|Ign)' /proc/$$/status | tr -d '\\n\\t ' >signals\n"
		   "cat /proc/$$/stat | cut -d ' ' -f 5-7 >session; echo $$ >>session\n"
		   "echo '" CREDENTIAL(V1, "\"token\":\"t\"") "'\n");
	assert_runs(f);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_DFL);
	close(fd);
	assert_string_equal(read_file(f, "args"), "<one two><$(touch evil)><><'>");
	assert_string_equal(read_file(f, "env"), "kept-new-added value\n");
	assert_string_equal(read_file(f, "info"), info);
	assert_string_equal(read_file(f, "stdin"), "/dev/null\n");
	/* 3 is the folder that ls reads. */
	assert_string_equal(read_file(f, "fds"), "0\n1\n2\n3\n");
	{
		unsigned long long blocked_bits, ignored_bits;

		/* 32 and 33 are glibc's own: no program can set them to anything */
		assert_int_equal(sscanf(read_file(f, "signals"), "SigBlk:%llxSigIgn:%llx",
					&blocked_bits, &ignored_bits),
				 2);
		assert_int_equal(blocked_bits & ~GLIBC_SIGNALS, 0);
		assert_int_equal(ignored_bits & ~GLIBC_SIGNALS, 0);
	}
	{
		int group, session, terminal, pid;

		assert_int_equal(sscanf(read_file(f, "session"), "%d %d %d %d", &group, &session,
					&terminal, &pid),
				 4);
		assert_int_equal(group, pid);
		assert_int_equal(session, pid);
		assert_int_equal(terminal, 0);
	}
}

static void test_path(void **state)
{
	struct fixture *f = *state;
	char *old = strdup(getenv("PATH"));
	char path[512];

	/* A folder of that name and a file that can't be run are passed over; so is ".". */
	snprintf(path, sizeof(path), "%s/one", f->folder);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/one/our-plugin", f->folder);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/our-plugin", f->folder);
	write_file(path, PRINT("\"token\":\"found\""), 0755);
	f->exec.command = "our-plugin";
	snprintf(path, sizeof(path), "/proc/nowhere::%s/one:%s:/usr/bin:/bin", f->folder,
		 f->folder);
	setenv("PATH", path, 1);
	assert_runs(f);
	assert_string_equal(f->identity.token, "found");
	assert_int_equal(chdir(f->folder), 0);
	setenv("PATH", ".::/usr/bin:/bin", 1);
	f->exec.install_hint = "get it at \033[31mhttps://example/";
	assert_int_equal(start(f), -ENOENT);
	assert_sentence(f,
			"tried to run the credential plugin our-plugin, and could not run it: No "
			"such file or directory; install it, or put its folder into $PATH, which "
			"sudo may have changed: get it at ?[31mhttps://example/");
	setenv("PATH", "", 1);
	assert_int_equal(start(f), -ENOENT);
	setenv("PATH", old, 1);
	free(old);
	assert_int_equal(chdir("/"), 0);
}

static void test_cannot_run(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f), -ENOENT);
	assert_sentence(f, "install it, or what its first line names");
	write_file(f->plugin, "#!/proc/nowhere/python\n", 0755);
	assert_int_equal(start(f), -ENOENT);
	write_file(f->plugin, PRINT("\"token\":\"t\""), 0644);
	assert_int_equal(start(f), -EACCES);
	assert_sentence(f, "Permission denied");
	/* A shell would run it. */
	write_file(f->plugin, "echo '" CREDENTIAL(V1, "\"token\":\"t\"") "'\n", 0755);
	assert_int_equal(start(f), -ENOEXEC);
	assert_int_equal(kube_credentials_fd(f->credentials), -1);
	assert_int_equal(proceed(f, 0), -EINVAL);
	f->config.exec = NULL;
	assert_int_equal(start(f), -EINVAL);
	assert_sentence(f, "there is no credential plugin");
}

/* What goes to standard error, in a file. */
static int capture_begin(void)
{
	int saved = dup(STDERR_FILENO);
	int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	assert_true(file >= 0);
	dup2(file, STDERR_FILENO);
	close(file);
	return saved;
}

static size_t capture_end(int saved, char *text, size_t size)
{
	ssize_t n = pread(STDERR_FILENO, text, size - 1, 0);

	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_true(n >= 0);
	text[n] = '\0';
	return n;
}

static void test_messages(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(256 << 10);
	int saved, r;

	set_plugin(f,
		   "#!/bin/sh\nprintf 'open \\033[2Jhttps://x\\tcode\\n\\302\\233' >&2\nexit 3\n");
	saved = capture_begin();
	r = start(f) ?: wait_for_end(f);
	capture_end(saved, text, 256 << 10);
	assert_int_equal(r, -EPROTO);
	assert_string_equal(text, "open ?[2Jhttps://x\tcode\n??");
	assert_sentence(f, "ended with status 3 (what it said is above); run it by hand");

	/* The first 64 KiB. */
	set_plugin(f, "#!/bin/sh\nhead -c 200000 /dev/zero | tr '\\0' x >&2\n"
		      "echo '" CREDENTIAL(V1, "\"token\":\"t\"") "'\n");
	saved = capture_begin();
	r = start(f) ?: wait_for_end(f);
	assert_int_equal(capture_end(saved, text, 256 << 10), 64 << 10);
	assert_int_equal(r, 0);
	free(text);
}

static void test_status(void **state)
{
	struct fixture *f = *state;

	set_plugin(f, "#!/bin/sh\necho sesame\nexit 1\n");
	assert_fails(f, -EPROTO, "ended with status 1 (it said nothing)");
	set_plugin(f, "#!/bin/sh\nkill -9 $$\n");
	assert_fails(f, -EPROTO, "was ended by signal 9 (it said nothing)");
}

/* The end of the program counts, not that of what it has started and left there. */
static void test_ends(void **state)
{
	struct fixture *f = *state;
	int pid;

	set_plugin(f, "#!/bin/sh\ncd ${0%/*}\nsleep 1000 &\necho $! >pid\n"
		      "echo '" CREDENTIAL(V1, "\"token\":\"t\"") "'\n");
	assert_runs(f);
	assert_string_equal(f->identity.token, "t");
	pid = atoi(read_file(f, "pid"));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(start(f), 0);
	assert_int_equal(start(f), 0); /* runs already */
	assert_int_equal(wait_for_end(f), 0);
	assert_int_equal(kill(atoi(read_file(f, "pid")), SIGKILL), 0);
}

/* Output that ends before the program does must not wake the loop again and again. */
static void test_closed_output(void **state)
{
	struct fixture *f = *state;
	struct process process = {0};
	const char *stage;
	char path[128];
	int status = -1, r, fd;

	snprintf(path, sizeof(path), "%s/go", f->folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	set_plugin(f, "#!/bin/sh\necho hello\nexec >&- 2>&-\nread line <${0%/*}/go\n");
	r = process_start(&process, f->plugin, NULL, NULL, NULL, 0, &stage);
	assert_int_equal(r, 0);
	while (process.out >= 0 || process.err >= 0) {
		struct pollfd ready = {.fd = process.fd, .events = POLLIN};

		assert_int_equal(poll(&ready, 1, 60000), 1);
		assert_int_equal(process_proceed(&process, 0, &status), -EINPROGRESS);
	}
	assert_int_equal(poll(&(struct pollfd){.fd = process.fd, .events = POLLIN}, 1, 0), 0);
	fd = open(path, O_WRONLY);
	assert_int_equal(write(fd, "\n", 1), 1);
	close(fd);
	assert_int_equal(poll(&(struct pollfd){.fd = process.fd, .events = POLLIN}, 1, 60000), 1);
	assert_int_equal(process_proceed(&process, 0, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(process.output.size, 6);
	process_deinit(&process);
	process_deinit(&process);
}

/* Gone, or dead and not yet waited for by whoever has it now. */
static void assert_dead(int pid)
{
	char path[64], state = 'Z';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		file = fopen(path, "r");
		if (!file)
			return;
		if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = 'Z';
		fclose(file);
		if (state == 'Z' || state == 'X')
			return;
		usleep(1000);
	}
}

static const char slow[] = "#!/bin/sh\ncd ${0%/*}\nsleep 1000 &\necho $! >pid\necho x >&1\nwait\n";

static int start_slow(struct fixture *f)
{
	int pid;

	set_plugin(f, slow);
	assert_int_equal(start(f), 0);
	{
		struct pollfd fd = {.fd = kube_credentials_fd(f->credentials), .events = POLLIN};

		assert_int_equal(poll(&fd, 1, 60000), 1);
	}
	pid = atoi(read_file(f, "pid"));
	assert_true(pid > 0);
	return pid;
}

static void test_time_limit(void **state)
{
	struct fixture *f = *state;
	int pid = start_slow(f);

	assert_int_equal(kube_credentials_deadline(f->credentials), 30 * SECOND);
	assert_int_equal(proceed(f, 30 * SECOND - 1), -EINPROGRESS);
	assert_int_equal(get(f), -EINPROGRESS);
	assert_int_equal(proceed(f, 30 * SECOND), -ETIMEDOUT);
	assert_sentence(f, "did not end within 30 seconds, and was killed");
	assert_int_equal(kube_credentials_fd(f->credentials), -1);
	assert_dead(pid);
	set_plugin(f, PRINT("\"token\":\"abc\""));
	assert_runs(f);
}

static void test_free_kills(void **state)
{
	struct fixture *f = *state;
	int pid = start_slow(f);

	kube_credentials_free(f->credentials);
	f->credentials = NULL;
	assert_dead(pid);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_output_limit(void **state)
{
	struct fixture *f = *state;

	set_plugin(f, "#!/bin/sh\nexec cat /dev/zero\n");
	assert_fails(f, -E2BIG, "printed more than 1 MiB, and was killed");
	/* All of it counts, and no more. */
	set_plugin(f, "#!/bin/sh\nhead -c 1048500 /dev/zero | tr '\\0' ' '\n"
		      "echo '{\"kind\":\"ExecCredential\"}'\n");
	assert_fails(f, -EINVAL, "of another apiVersion");
}

/* --- as another user --- */

static void test_user(void **state)
{
	struct fixture *f = *state;
	char name[] = "nobody", home[] = "/nonexistent";

	f->config.runner = (struct kube_user){
		.set = true, .uid = 65534, .gid = 65534, .name = name, .home = home};
	set_plugin(f, "#!/bin/sh\nexec 2>&1\ntoken=$(id -u):$(id -g):$(id -G | tr ' ' ,)\n"
		      "token=$token:$(id -ru):$HOME:$USER:$LOGNAME\n"
		      "token=$token:$(grep CapEff /proc/self/status | tr -d '\\t ')\n"
		      "echo '" CREDENTIAL(V1, "\"token\":\"'$token'\"") "'\n");
	assert_int_equal(chmod(f->folder, 0755), 0);
	if (geteuid() != 0) {
		/* Not ours to change: it runs as we do. */
		assert_runs(f);
		print_message("skipped: only root can become another\n");
		skip();
	}
	assert_runs(f);
	assert_string_equal(f->identity.token, "65534:65534:65534:65534:/nonexistent:nobody:nobody:"
					       "CapEff:0000000000000000");
	/* What that user may not read isn't run. */
	assert_int_equal(chmod(f->folder, 0700), 0);
	kube_credentials_reject(f->credentials);
	assert_int_equal(start(f), -EACCES);
	assert_sentence(f, "Permission denied");
	/* Somebody without a name has no group but the one. */
	assert_int_equal(chmod(f->folder, 0755), 0);
	f->config.runner = (struct kube_user){.set = true, .uid = 4000000, .gid = 4000001};
	set_plugin(f, "#!/bin/sh\ntoken=$(id -u):$(id -g):$(id -G | tr ' ' ,)\n"
		      "echo '" CREDENTIAL(V1, "\"token\":\"'$token'\"") "'\n");
	assert_runs(f);
	assert_string_equal(f->identity.token, "4000000:4000001:4000001");
	assert_int_equal(geteuid(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_token),          TEST(test_expiry),     TEST(test_certificate),
		TEST(test_damaged_output), TEST(test_times),      TEST(test_surroundings),
		TEST(test_path),           TEST(test_cannot_run), TEST(test_messages),
		TEST(test_status),         TEST(test_ends),       TEST(test_closed_output),
		TEST(test_time_limit),     TEST(test_free_kills), TEST(test_output_limit),
		TEST(test_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
