/* SPDX-License-Identifier: MIT */
/*
 * Whatever is in the ring: a record is refused or shown, in JSON that is one line and parses, and
 * in a table without a byte that a terminal would obey.
 *
 * Input: records, each after one byte with its size in the lower seven bits; the eighth says
 * whether the caller's pod is known.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/callers/event.h"
#include "../../user/callers/ledger.h"
#include "../../user/callers/who.h"
#include "../../user/output/json.h"
#include "../../user/output/table.h"

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* Names are checked where they are read; output is to be safe without that. */
static const struct pod_name hostile = {
	"name\nspace", "pod\033[2J", "uid\"", "Deploy\\ment", "work\x80load\xff", "node\r\x7f",
};

/* Takes what was written, and frees it. */
static void check_json(char *text, size_t size, const struct event *event)
{
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);

	REQUIRE(size && memchr(text, '\n', size) == text + size - 1);
	REQUIRE(json_is_object(json));
	REQUIRE(json_integer_value(json_object_get(json_object_get(json, "peer"), "port")) ==
		event->peer_port);
	REQUIRE((event->type == EVENT_CLOSED) == !!json_object_get(json, "error"));
	json_decref(json);
	free(text);
}

static void check_table(char *text, size_t size)
{
	REQUIRE(size && text[size - 1] == '\n');
	for (size_t i = 0; i < size - 1; i++)
		REQUIRE(text[i] >= ' ' && text[i] <= '~');
	free(text);
}

static void show(const struct report *report, const struct event *event, const struct row *row)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	REQUIRE(file);
	REQUIRE(!json_event(file, report, event, row ? &row->who : NULL));
	fclose(file);
	check_json(text, size, event);
	if (!row)
		return;
	text = NULL;
	file = open_memstream(&text, &size);
	REQUIRE(file);
	table_new_caller(file, report, row);
	fclose(file);
	check_table(text, size);
}

/* As `whocalls trace` does it with each event. */
static void take(struct ledger *ledger, const struct report *report, const struct event *event,
		 bool known)
{
	const struct pod_name *pod = known ? &hostile : NULL;
	const struct evidence evidence = {
		.key = &event->key,
		.pod_by_uid = event->key.cgroup ? pod : NULL,
		.pod_by_address = event->key.peer[0] ? pod : NULL,
		.node_name = known ? hostile.node : NULL,
		.pods_known = known,
	};
	struct who who = who_decide(&evidence);
	const struct row *row = ledger_find(ledger, &event->key);

	if (!row) {
		int r = ledger_update(ledger, &event->key, NULL, &who);

		row = ledger_find(ledger, &event->key);
		REQUIRE(r == 1 ? row != NULL : r == -ENOSPC && !row);
	}
	show(report, event, row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct endpoint endpoint = {.port = 3000, .pod = &hostile};
	struct target target = {(char *)"port 3000", &endpoint, 1};
	struct report report = {.target = &target, .realtime_offset = INT64_C(1700000000000000000)};
	struct ledger *ledger = ledger_new(4);

	REQUIRE(ledger);
	while (size) {
		size_t length = *data & 0x7f;
		bool known = *data & 0x80;
		struct event event, before;
		int r;

		data++;
		size--;
		if (length > size)
			length = size;
		memset(&event, 0x5a, sizeof(event));
		before = event;
		r = event_decode(data, length, &event);
		REQUIRE(r == 0 || r == -EBADMSG);
		if (r)
			REQUIRE(!memcmp(&event, &before, sizeof(event)));
		else
			take(ledger, &report, &event, known);
		data += length;
		size -= length;
	}
	ledger_free(ledger);
	return 0;
}
