/* SPDX-License-Identifier: MIT */
/* The command line of `whocalls trace`, `verify` and `agent`. */
#ifndef COMMAND_OPTIONS_H
#define COMMAND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../callers/address.h"
#include "../callers/report.h"
#include "ignore.h"

enum output_format {
	OUTPUT_TABLE,
	OUTPUT_WIDE,
	OUTPUT_JSON,
	OUTPUT_JSONL,
};

enum options_of {
	OPTIONS_TRACE,
	OPTIONS_VERIFY,
	OPTIONS_AGENT,
};

struct options {
	const char *command; /* "trace", "verify", "agent" */
	enum options_of of;
	const char *target;    /* svc/NAME, deploy/NAME …; NULL: none */
	const char *selector;  /* of pods' labels, in place of a target; the agent's: of Services';
				  NULL: none */
	const char *namespace; /* NULL: that of the kubeconfig's context, or default; the agent's:
				  all */
	uint16_t port;         /* 0: not given */
	struct address *addresses;
	size_t n_addresses;
	const char *pods; /* file, "-": standard input; NULL: none */
	const char *kubeconfig;
	const char *context;
	const char *node; /* this node's name; NULL: its host name */
	bool watch_node;  /* only this node's pods are watched */
	uint64_t for_ns;  /* 0: until interrupted */
	enum output_format output;
	uint32_t ring_size;   /* bytes */
	uint32_t max_callers; /* entries */
	uint32_t max_connections;
	const char *btf;
	const char *accept_hook; /* for tests: not in the help */
	bool verbose;
	/* trace's: */
	enum report_sort sort;
	uint32_t top; /* callers to show; 0: all */
	/* verify's: */
	bool allow_idle;
	bool count_probes;
	bool fail_fast;
	struct ignore ignore;
	const char *evidence; /* file; NULL: none */
	/* the agent's: */
	bool all_services;
	const char *listen;  /* ADDRESS:PORT */
	bool listens_beyond; /* at more than loopback */
	const char *tls_cert;
	const char *tls_key;
	const char *state; /* folder; NULL: nothing is kept */
	uint64_t stale_ns;
	uint32_t max_series;
	bool by_address;
	bool service_graph;
};

/*
 * Reads the options. Returns -1 to go on, or the exit status to end with: 0 after --help, EX_USAGE
 * after a message on standard error. Free with options_deinit() in every case.
 */
int options_parse(struct options *options, int argc, char **argv);
void options_deinit(struct options *options);

#endif
