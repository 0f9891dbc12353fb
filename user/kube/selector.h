/* SPDX-License-Identifier: MIT */
/*
 * Label selectors, as Kubernetes writes them, evaluated here:
 *
 *	app=web, app==web     the label has this value
 *	app!=web              it has another, or there is none
 *	app in (web, api)     it has one of these values
 *	app notin (web, api)  it has none of these, or there is none
 *	app                   there is such a label
 *	!app                  there is none
 *
 * All that are named, with commas in between, must be so. What kubectl takes is taken, but for
 * > and <, which compare numbers, and for a selector of nothing, which all pods have.
 */
#ifndef KUBE_SELECTOR_H
#define KUBE_SELECTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many selectors can be told apart. */
#define SELECTORS_MAX 32

struct selector;

/*
 * 0, or a negative errno and a sentence without the selector itself: -EINVAL (what is wrong, and
 * at which character, from 1), -ENOMEM. selector_free().
 */
int selector_parse(struct selector **out, const char *text, char *error, size_t error_size);
/* Accepts NULL. */
void selector_free(struct selector *selector);

/* `labels`: an object of strings; NULL, or anything else: there are none. */
bool selector_matches(const struct selector *selector, const json_t *labels);

/* Several, the caller's. */
struct selectors {
	const struct selector *at[SELECTORS_MAX];
	size_t n;
};

/* Bit i: at[i] matches. `selectors` may be NULL: none. */
uint32_t selectors_match(const struct selectors *selectors, const json_t *labels);

#endif
