/* SPDX-License-Identifier: MIT */
/* Targets and callers of the history: known by their strings, as long as anything is left of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "history-parts.h"

/* Appends a string and its end; cut where it is too long. */
static size_t append(char *key, size_t size, const char *text)
{
	size_t length = strnlen(text ? text : "", NAME_MAX_BYTES);

	if (length)
		memcpy(key + size, text, length);
	key[size + length] = '\0';
	return size + length + 1;
}

static const char *next_string(const char **at)
{
	const char *text = *at;

	*at += strlen(text) + 1;
	return text;
}

/* --- identities --- */

#define IDENTITY_HEAD (2 + sizeof(uint32_t))
#define IDENTITY_KEY (IDENTITY_HEAD + 5 * NAME_ROOM)

static size_t identity_key(char key[IDENTITY_KEY], const struct identity *like)
{
	size_t size = 0;

	key[size++] = (char)like->class;
	key[size++] = (char)like->ignored;
	memcpy(key + size, &like->rules, sizeof(like->rules));
	size += sizeof(like->rules);
	size = append(key, size, like->kind);
	size = append(key, size, like->namespace);
	size = append(key, size, like->name);
	size = append(key, size, like->process);
	return append(key, size, like->node);
}

static void identity_point(struct identity *identity)
{
	const char *at = identity->key + IDENTITY_HEAD;

	identity->kind = next_string(&at);
	identity->namespace = next_string(&at);
	identity->name = next_string(&at);
	identity->process = next_string(&at);
	identity->node = next_string(&at);
}

struct identity *identity_get(struct history *history, const struct identity *like)
{
	char key[IDENTITY_KEY];
	size_t size = identity_key(key, like);
	struct identity *identity;

	HASH_FIND(hh, history->identities, key, size, identity);
	if (!identity) {
		identity = calloc(1, sizeof(*identity) + size);
		if (!identity)
			return NULL;
		identity->class = like->class;
		identity->ignored = like->ignored;
		identity->rules = like->rules;
		identity->key_size = size;
		memcpy(identity->key, key, size);
		identity_point(identity);
		HASH_ADD_KEYPTR(hh, history->identities, identity->key, size, identity);
	}
	identity->references++;
	return identity;
}

void identity_put(struct history *history, struct identity *identity)
{
	if (!identity || --identity->references)
		return;
	HASH_DEL(history->identities, identity);
	free(identity);
}

/* --- targets --- */

#define TARGET_KEY (3 * NAME_ROOM)

static size_t target_key(char key[TARGET_KEY], const struct history_target *target)
{
	size_t size = append(key, 0, target->namespace);

	size = append(key, size, target->service);
	return append(key, size, target->uid);
}

struct target_history *target_find(const struct history *history,
				   const struct history_target *target)
{
	char key[TARGET_KEY];
	size_t size = target_key(key, target);
	struct target_history *found;

	HASH_FIND(hh, history->targets, key, size, found);
	return found;
}

static int target_make(struct history *history, const struct history_target *target,
		       struct target_history **out)
{
	static const struct identity others = {.class = CLASS_UNKNOWN, .name = "(others)"};
	char key[TARGET_KEY];
	size_t size = target_key(key, target);
	struct target_history *made;
	const char *at;

	if (HASH_COUNT(history->targets) >= history->limits.targets)
		return -ENOSPC;
	made = calloc(1, sizeof(*made) + size);
	if (!made)
		return -ENOMEM;
	made->others.identity = identity_get(history, &others);
	if (!made->others.identity) {
		free(made);
		return -ENOMEM;
	}
	made->self.head = made->others.head = NONE;
	made->key_size = size;
	memcpy(made->key, key, size);
	at = made->key;
	made->name.namespace = next_string(&at);
	made->name.service = next_string(&at);
	made->name.uid = next_string(&at);
	HASH_ADD_KEYPTR(hh, history->targets, made->key, size, made);
	*out = made;
	return 0;
}

int target_get(struct history *history, const struct history_target *target,
	       struct target_history **out)
{
	struct target_history *found = target_find(history, target);

	if (!found)
		return target_make(history, target, out);
	*out = found;
	return 0;
}

void target_forget_row(struct history *history, struct target_history *target,
		       struct row_base *base)
{
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
	HASH_DEL(target->rows, base);
	base->pair->rows--;
	free(base);
	history->n_rows--;
}

void target_forget_rows(struct history *history, struct target_history *target)
{
	struct row_base *base, *next;

	HASH_ITER (hh, target->rows, base, next)
		target_forget_row(history, target, base);
	target->ledger_start = 0;
	target->others_marks = (struct marks){};
	target->dropped = target->drops_unknown = 0;
	target->losses = (struct losses){};
	memset(target->missed, 0, sizeof(target->missed));
	memset(target->skipped, 0, sizeof(target->skipped));
}

static void pair_free(struct history *history, struct target_history *target, struct pair *pair)
{
	HASH_DEL(target->pairs, pair);
	store_free_pair(history, pair);
	identity_put(history, pair->identity);
	free(pair);
	history->n_pairs--;
}

void target_free(struct history *history, struct target_history *target)
{
	struct pair *pair, *next;

	target_forget_rows(history, target);
	HASH_ITER (hh, target->pairs, pair, next)
		pair_free(history, target, pair);
	store_free_pair(history, &target->self);
	store_free_pair(history, &target->others);
	identity_put(history, target->others.identity);
	HASH_DEL(history->targets, target);
	free(target->spans);
	free(target);
}

/* --- pairs --- */

struct pair *pair_get(struct history *history, struct target_history *target,
		      const struct identity *like)
{
	struct identity *identity = identity_get(history, like);
	struct pair *pair = NULL;

	if (!identity)
		return &target->others;
	HASH_FIND_PTR(target->pairs, &identity, pair);
	if (pair) {
		identity_put(history, identity);
		return pair;
	}
	if (history->n_pairs < history->limits.callers)
		pair = calloc(1, sizeof(*pair));
	if (!pair) {
		identity_put(history, identity);
		return &target->others;
	}
	pair->identity = identity;
	pair->head = NONE;
	HASH_ADD_PTR(target->pairs, identity, pair);
	history->n_pairs++;
	return pair;
}

void names_purge(struct history *history)
{
	struct target_history *target, *next_target;
	struct pair *pair, *next;

	HASH_ITER (hh, history->targets, target, next_target) {
		HASH_ITER (hh, target->pairs, pair, next)
			if (pair->head == NONE && !pair->rows && !pair->open)
				pair_free(history, target, pair);
		if (!target->pairs && !target->ledger_start && !target->n_spans &&
		    target->self.head == NONE && target->others.head == NONE)
			target_free(history, target);
	}
}

void names_clear(struct history *history)
{
	struct target_history *target, *next;

	HASH_ITER (hh, history->targets, target, next)
		target_free(history, target);
}
