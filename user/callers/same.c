/* SPDX-License-Identifier: MIT */
#include "same.h"

#include <string.h>

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

static uint64_t mix_string(uint64_t hash, const char *text, size_t max)
{
	size_t i;

	for (i = 0; text && i < max && text[i]; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ULL;
	return mix(hash, i);
}

static uint64_t mix_peer(uint64_t hash, const struct caller_key *key)
{
	hash = mix(hash, (uint64_t)key->peer[0] << 32 | key->peer[1]);
	return mix(hash, (uint64_t)key->peer[2] << 32 | key->peer[3]);
}

static bool peer_same(const struct row *a, const struct row *b)
{
	return !memcmp(a->key.peer, b->key.peer, sizeof(a->key.peer));
}

static bool comm_same(const struct row *a, const struct row *b)
{
	return !strncmp(a->key.comm, b->key.comm, COMM_SIZE);
}

static bool workload_same(const struct row *a, const struct row *b)
{
	const struct pod_name *p = a->who.pod, *q = b->who.pod;

	if (!p || !q)
		return p == q && string_equal(a->who.pod_uid, b->who.pod_uid);
	return p == q || (string_equal(p->namespace, q->namespace) &&
			  string_equal(p->kind, q->kind) && string_equal(p->workload, q->workload));
}

/* 127.0.0.1 is another one in each namespace. */
static bool loopback_same(const struct row *a, const struct row *b)
{
	if (!comm_same(a, b))
		return false;
	if (a->who.pod && b->who.pod)
		return who_equal(&a->who, &b->who);
	return a->who.pod == b->who.pod && a->key.netns == b->key.netns;
}

bool row_same_caller(const struct row *a, const struct row *b)
{
	if (a->who.class != b->who.class || a->who.ignored != b->who.ignored)
		return false;
	switch (a->who.class) {
	case CLASS_WORKLOAD:
		return workload_same(a, b);
	case CLASS_PROCESS:
		return comm_same(a, b) && a->key.netns == b->key.netns;
	case CLASS_NODE:
		return string_equal(a->who.node, b->who.node);
	case CLASS_LOOPBACK:
		return loopback_same(a, b);
	case CLASS_PROBE:
		return true;
	default:
		return peer_same(a, b);
	}
}

uint64_t row_caller_hash(const struct row *row)
{
	const struct pod_name *pod = row->who.pod;
	uint64_t hash = mix(0xcbf29ce484222325ULL, row->who.class << 8 | row->who.ignored);

	switch (row->who.class) {
	case CLASS_WORKLOAD:
		if (!pod)
			return mix_string(hash, row->who.pod_uid, SIZE_MAX);
		hash = mix_string(hash, pod->namespace, SIZE_MAX);
		hash = mix_string(hash, pod->kind, SIZE_MAX);
		return mix_string(hash, pod->workload, SIZE_MAX);
	case CLASS_PROCESS:
		return mix(mix_string(hash, row->key.comm, COMM_SIZE), row->key.netns);
	case CLASS_NODE:
		return mix_string(hash, row->who.node, SIZE_MAX);
	case CLASS_LOOPBACK:
		hash = mix_string(hash, row->key.comm, COMM_SIZE);
		return pod ? hash : mix(hash, row->key.netns);
	case CLASS_PROBE:
		return hash;
	default:
		return mix_peer(hash, &row->key);
	}
}
