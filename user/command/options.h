/* SPDX-License-Identifier: MIT */
/* The command line of `whocalls trace` and `whocalls verify`. */
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

struct options {
	const char *command; /* "trace", "verify" */
	bool verify;
	const char *target;    /* svc/NAME, deploy/NAME …; NULL: none */
	const char *selector;  /* of labels, in place of a target; NULL: none */
	const char *namespace; /* NULL: that of the kubeconfig's context, or default */
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
};

/*
 * Reads the options. Returns -1 to go on, or the exit status to end with: 0 after --help, EX_USAGE
 * after a message on standard error. Free with options_deinit() in every case.
 */
int options_parse(struct options *options, int argc, char **argv);
void options_deinit(struct options *options);

/*
 * Reads a duration with its unit: 500ms, 10s, 5m, 2h, 1d, also 1h30m. 0 and nanoseconds, or -EINVAL
 * and in *problem what is wrong with it, as a clause.
 */
int duration_parse(const char *text, uint64_t *ns, const char **problem);

/* Reads a size: 4096, 64k, 8M, with optional iB. 0, or -EINVAL. */
int size_parse(const char *text, uint64_t *bytes);

#endif
