/* SPDX-License-Identifier: MIT */
/* The begin of a session: each step ends with an exit status after a message, or goes on. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "../capture/privileges.h"
#include "../kube/target.h"
#include "loop.h"
#include "session.h"

/* Room for endpoints that come while it runs. */
#define MORE_ENDPOINTS 4096

int session_fail(const struct session *session, int status, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "whocalls %s: ", session->options.command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

static int check_privileges(const struct session *session)
{
	char missing[256];

	if (!privileges_missing(missing, sizeof(missing)))
		return 0;
	return session_fail(session, EX_NOPERM,
			    "this needs root, or the capabilities that are missing here: %s; run "
			    "it with sudo",
			    missing);
}

static int pods_status(int r)
{
	switch (r) {
	case -ENOMEM:
		return EX_OSERR;
	case -ENOENT:
	case -ENOTDIR:
	case -EISDIR:
	case -EACCES:
	case -EPERM:
	case -EIO:
		return EX_NOINPUT;
	default:
		return EX_DATAERR;
	}
}

static int read_pods(struct session *session)
{
	char error[512];
	int r;

	if (!session->options.pods)
		return 0;
	session->pods = pods_new();
	if (!session->pods)
		return session_fail(session, EX_OSERR, "out of memory");
	pods_select(session->pods, &session->options.ignore.selectors);
	r = pods_read_file(session->pods, session->options.pods, error, sizeof(error));
	return r ? session_fail(session, pods_status(r), "--pods %s", error) : 0;
}

static int target_of_pods(struct session *session)
{
	const struct options *options = &session->options;
	char error[1024];
	int r = kube_target_add(&session->target, session->pods, options->namespace,
				options->target, options->port, error, sizeof(error));

	if (r)
		return session_fail(session, r == -ENOMEM ? EX_OSERR : EX_USAGE, "%s", error);
	if (asprintf(&session->target.text, "%s in %s", options->target,
		     options->namespace ? options->namespace : "default") >= 0)
		return 0;
	session->target.text = NULL;
	return session_fail(session, EX_OSERR, "out of memory");
}

static int target_of_addresses(struct session *session)
{
	const struct options *options = &session->options;
	const struct address any = {};
	int r = 0;

	for (size_t i = 0; i < options->n_addresses && !r; i++)
		r = target_add(&session->target, &options->addresses[i], options->port, NULL);
	if (!options->n_addresses)
		r = target_add(&session->target, &any, options->port, NULL);
	if (!r && asprintf(&session->target.text, "port %u", options->port) >= 0)
		return 0;
	session->target.text = NULL;
	return session_fail(session, EX_OSERR, "out of memory");
}

static int make_target(struct session *session)
{
	if (session->cluster.follows)
		return 0;
	return session->options.target ? target_of_pods(session) : target_of_addresses(session);
}

static int open_capture(struct session *session)
{
	const struct cluster *cluster = &session->cluster;
	struct capture_options options = {
		.target = &session->target,
		.max_callers = session->options.max_callers,
		.max_connections = session->options.max_connections,
		.ring_size = session->options.ring_size,
		.more_endpoints = cluster->follows ? MORE_ENDPOINTS : 0,
		.kubelet_port = session->kubelet_port,
		.events = session->options.output == OUTPUT_JSONL,
		.btf = session->options.btf,
		.accept_hook = session->options.accept_hook,
		.verbose = session->options.verbose,
	};
	char error[1024];
	int r;

	if (cluster->follows)
		options.n_dialled =
			kube_follow_dialled(kube_followed(cluster->kube), &options.dialled);
	r = capture_open(&session->capture, &options, error, sizeof(error));
	if (r)
		return session_fail(session,
				    r == -ENOMEM                  ? EX_OSERR
				    : r == -EPERM || r == -EACCES ? EX_NOPERM
								  : EX_UNAVAILABLE,
				    "%s", error);
	cluster_attach(&session->cluster, session->capture, session->announce);
	return 0;
}

int session_prepare(struct session *session)
{
	int status = check_privileges(session);

	if (!status)
		status = read_pods(session);
	if (!status)
		status = cluster_open(&session->cluster, &session->options, &session->target);
	if (status < 0)
		status = make_target(session);
	if (status)
		return status;
	/* taken once, so that the same moment is written the same way wherever it stands */
	session->report.realtime_offset = loop_realtime_offset();
	session->names = names_new(session->pods, session->cluster.kube, &session->options.ignore,
				   session->report.realtime_offset);
	session->ledger = ledger_new(session->options.max_callers);
	if (!session->names || !session->ledger)
		return session_fail(session, EX_OSERR, "out of memory");
	session->kubelet_port = cluster_kubelet_port(session->cluster.kube);
	return open_capture(session);
}
