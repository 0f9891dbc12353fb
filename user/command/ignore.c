/* SPDX-License-Identifier: MIT */
#include "ignore.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* As DNS labels, of which namespaces are (RFC 1123). */
#define NAME_MAX 63

static bool is_name(const char *text)
{
	size_t length = strlen(text);

	if (!length || length > NAME_MAX || *text == '-' || text[length - 1] == '-')
		return false;
	for (; *text; text++)
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) &&
		    *text != '-')
			return false;
	return true;
}

/* The bits after the slash; -1: they are none. */
static int prefix_parse(const char *text, int max)
{
	int bits = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return -1;
		bits = bits * 10 + *text - '0';
		if (bits > max)
			return -1;
	}
	return bits;
}

static int cidr_parse(struct ignore_rule *rule, const char *text)
{
	const char *slash = strchr(text, '/');
	char address[ADDRESS_TEXT];
	bool v6 = strchr(text, ':');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);

	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	if (address_parse(address, &rule->address))
		return -EINVAL;
	rule->prefix = 128;
	if (slash)
		rule->prefix = prefix_parse(slash + 1, v6 ? 128 : 32) + (v6 ? 0 : 96);
	/* -1, or that of IPv4 */
	return rule->prefix < (v6 ? 0 : 96) ? -EINVAL : 0;
}

/* An IPv4 peer, whichever way the kernel has it, is in no range of IPv6 addresses: ::/0 is not all
 * there is. */
static bool in_cidr(const struct ignore_rule *rule, const uint32_t peer[4])
{
	bool v4 = !peer[0] && !peer[1] && peer[2] == htonl(0xffff);
	int bits = rule->prefix;

	if (v4 && bits < 96)
		return false;
	for (int i = 0; i < 4 && bits > 0; i++, bits -= 32) {
		uint32_t mask = htonl(bits < 32 ? ~(UINT32_MAX >> bits) : UINT32_MAX);

		if ((peer[i] ^ rule->address.word[i]) & mask)
			return false;
	}
	return true;
}

static int add_selector(struct ignore *ignore, struct ignore_rule *rule, char *problem,
			size_t problem_size)
{
	struct selectors *selectors = &ignore->selectors;
	struct selector *selector;
	int r = selector_parse(&selector, rule->text, problem, problem_size);

	if (r)
		return r;
	rule->kind = IGNORE_SELECTOR;
	rule->bit = UINT32_C(1) << selectors->n;
	selectors->at[selectors->n++] = selector;
	return 0;
}

int ignore_add(struct ignore *ignore, const char *text, char *problem, size_t problem_size)
{
	struct ignore_rule rule = {.text = text};
	int r = -EINVAL;

	if (ignore->n == IGNORE_RULES) {
		snprintf(problem, problem_size, "that is more than %d", IGNORE_RULES);
		return -EINVAL;
	}
	if (!cidr_parse(&rule, text)) {
		rule.kind = IGNORE_CIDR;
		r = 0;
	} else if (is_name(text)) {
		rule.kind = IGNORE_NAMESPACE;
		r = 0;
	} else if (strpbrk(text, "=!,() ")) {
		r = add_selector(ignore, &rule, problem, problem_size);
	} else {
		snprintf(problem, problem_size,
			 "it is no NAMESPACE (small letters, digits and '-'), no label SELECTOR "
			 "(app=web) and no address or CIDR (192.0.2.0/24)");
	}
	if (!r)
		ignore->rules[ignore->n++] = rule;
	return r;
}

void ignore_deinit(struct ignore *ignore)
{
	for (size_t i = 0; i < ignore->selectors.n; i++)
		selector_free((struct selector *)ignore->selectors.at[i]);
	ignore->selectors.n = 0;
	ignore->n = 0;
}

uint8_t ignore_find(const struct ignore *ignore, const struct caller_key *key,
		    const struct who *who)
{
	for (size_t i = 0; i < ignore->n; i++) {
		const struct ignore_rule *rule = &ignore->rules[i];
		bool is = false;

		if (rule->kind == IGNORE_CIDR)
			is = in_cidr(rule, key->peer);
		else if (who->pod && rule->kind == IGNORE_NAMESPACE)
			is = who->pod->namespace && !strcmp(who->pod->namespace, rule->text);
		else if (who->pod && rule->kind == IGNORE_SELECTOR)
			is = who->pod->selected & rule->bit;
		if (is)
			return (uint8_t)(i + 1);
	}
	return 0;
}
