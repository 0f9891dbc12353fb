/* SPDX-License-Identifier: MIT */
/* Callers that verify is told to leave out: --ignore NAMESPACE|SELECTOR|CIDR. */
#ifndef COMMAND_IGNORE_H
#define COMMAND_IGNORE_H

#include <stddef.h>
#include <stdint.h>

#include "../callers/address.h"
#include "../callers/who.h"
#include "../kube/selector.h"

enum ignore_kind {
	IGNORE_NAMESPACE,
	IGNORE_SELECTOR, /* of labels; which pods have them the lists of pods tell */
	IGNORE_CIDR,
};

struct ignore_rule {
	const char *text; /* as it was given */
	enum ignore_kind kind;
	uint32_t bit;           /* IGNORE_SELECTOR: in pod_name.selected */
	struct address address; /* IGNORE_CIDR */
	int prefix;             /* likewise: bits, of the address in IPv6 form */
};

#define IGNORE_RULES 32

/* All zero at first. */
struct ignore {
	struct ignore_rule rules[IGNORE_RULES];
	size_t n;
	struct selectors selectors; /* for whoever reads pods; freed by ignore_deinit() */
};

/*
 * Reads one: what has a '/' or is an address is a CIDR, what is a name a namespace, and what has
 * one of =!,() or a space a selector. The text stays the caller's. 0, or -EINVAL or -ENOMEM and in
 * `problem` what is wrong with it, as a clause.
 */
int ignore_add(struct ignore *ignore, const char *text, char *problem, size_t problem_size);
void ignore_deinit(struct ignore *ignore);

/* The number, from 1, of the first rule that takes this caller out; 0: none. Who is not known is
 * only taken out by its address. */
uint8_t ignore_find(const struct ignore *ignore, const struct caller_key *key,
		    const struct who *who);

#endif
