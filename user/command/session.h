/* SPDX-License-Identifier: MIT */
/*
 * One watching of a target from its begin to its end: what `trace` and `verify` have in common. One
 * thread, one epoll loop: the ring, the API, timers and signals.
 *
 *	session_prepare()	until everything is attached
 *	session_begin()		the first report
 *	session_run()		the window
 *	session_finish()	the last look; nothing is counted after it
 *	session_deinit()
 */
#ifndef COMMAND_SESSION_H
#define COMMAND_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "../callers/coverage.h"
#include "../callers/ledger.h"
#include "../callers/report.h"
#include "../capture/capture.h"
#include "../kube/pods.h"
#include "cluster.h"
#include "heartbeat.h"
#include "names.h"
#include "notes.h"
#include "options.h"

/* Why the window ended. */
enum session_end {
	SESSION_RUNS,
	SESSION_TIME,   /* --for is over */
	SESSION_SIGNAL, /* somebody ended it */
	SESSION_ENOUGH, /* the command did */
	SESSION_UNREAD, /* nobody reads the output any more, or it could not be written */
};

struct session;

/* What the command does meanwhile. Each may be NULL. */
struct session_ops {
	/* A record of the ring came. `row`: NULL if the ledger has no room. */
	void (*event)(struct session *session, const struct event *event, const struct row *row,
		      const struct who *who);
	/* The report is up to date. */
	void (*refreshed)(struct session *session);
	/* The time is over: true as long as there is something to wait for. */
	bool (*wait)(struct session *session);
};

/* Starts as all zero, but for options and ops. */
struct session {
	struct options options;
	const struct session_ops *ops;
	bool sweeps;   /* look at open connections all the time, as far as it costs little */
	bool times;    /* of requests: shown all the time, not at the end alone */
	bool announce; /* endpoints that come and go are told on standard error */
	enum session_end end;
	struct report report;
	struct cluster cluster;
	struct target target;
	struct capture *capture;
	struct heartbeat heartbeat;
	bool intact; /* at the end all hooks were attached as at the beginning */
	/* Set to 0: refresh with the next turn. */
	uint64_t next_refresh;
	/* private: */
	int signals; /* as a descriptor */
	uint16_t kubelet_port;
	uint32_t kubelet; /* the process that was told of */
	struct pods *pods;
	struct names *names;
	struct ledger *ledger;
	struct notes notes;
	uint64_t next_sweep; /* not before this time, by what the last one cost */
	/* how long the loop was away from what it waits for, at the longest, and CPU time of that
	 */
	uint64_t longest_turn;
	uint64_t longest_turn_cpu;
};

/* Privileges, pods, the target, names, then the capture: when it returns 0, all is counted. Else an
 * exit status, after a message. */
int session_prepare(struct session *session);

/* Names, as far as they come at once, and the first report; signals end the session from here on. 0
 * or -errno. */
int session_begin(struct session *session);

/* Says on standard error that the window has begun: "tracing", or "verifying". */
void session_announce(const struct session *session, const char *doing);

/*
 * Runs until session->end is set: by itself, or by ops. What the window had is in session->report,
 * then. 0 or -errno; session_finish() is due all the same.
 */
int session_run(struct session *session);

/* The last sweep, then nothing is counted any more, then the last report. 0 or -errno. */
int session_finish(struct session *session);

void session_deinit(struct session *session);

/* "whocalls trace: …" on standard error. Returns `status`. */
__attribute__((format(printf, 3, 4))) int session_fail(const struct session *session, int status,
						       const char *format, ...);

#endif
