/* SPDX-License-Identifier: MIT */
/*
 * The history as a file: a magic and a version, the boundaries, the identities, and each target
 * with its coverage and its callers' records, newest first. Numbers are as history-bytes.h has
 * them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "history-bytes.h"
#include "history-parts.h"

#define VERSION 1
static const char magic[16] = "whocalls history";

/* Which identity a pair has: one of the file's, or these. */
#define PAIR_SELF 0
#define PAIR_OTHERS 1
#define PAIR_FIRST 2

/* --- write --- */

static void write_identity(struct bytes_out *out, const struct identity *identity)
{
	bytes_put(out, identity->class);
	bytes_put(out, identity->ignored);
	bytes_put(out, identity->rules);
	bytes_put_text(out, identity->kind);
	bytes_put_text(out, identity->namespace);
	bytes_put_text(out, identity->name);
	bytes_put_text(out, identity->process);
	bytes_put_text(out, identity->node);
}

static void write_record(struct bytes_out *out, const struct record *record)
{
	bytes_put(out, record->minute);
	bytes_put(out, record->kind | record->held << 2 | record->doubt << 3);
	for (int i = 0; i < 4; i++)
		bytes_put(out, record->count[i]);
	for (int i = 0; i < 2; i++) {
		if (record->kind == RECORD_ATTEMPTS)
			bytes_put_signed(out, (int64_t)record->wide[i]);
		else
			bytes_put(out, record->wide[i]);
	}
}

static void write_pair(struct bytes_out *out, const struct history *history,
		       const struct pair *pair, uint32_t number)
{
	uint64_t n = 0;

	for (uint32_t i = pair->head; i != NONE; i = history->records[i].next)
		n++;
	bytes_put(out, number);
	bytes_put_signed(out, pair->last_seen);
	bytes_put(out, n);
	for (uint32_t i = pair->head; i != NONE; i = history->records[i].next)
		write_record(out, &history->records[i]);
}

static void write_target(struct bytes_out *out, const struct history *history,
			 const struct target_history *target)
{
	bytes_put_text(out, target->name.namespace);
	bytes_put_text(out, target->name.service);
	bytes_put_text(out, target->name.uid);
	bytes_put(out, target->complete_since);
	bytes_put(out, target->n_spans);
	for (size_t i = 0; i < target->n_spans; i++) {
		bytes_put_signed(out, target->spans[i].span.since);
		bytes_put_signed(out, target->spans[i].span.until);
		bytes_put(out, target->spans[i].causes);
	}
	bytes_put(out, HASH_COUNT(target->pairs) + 2);
	write_pair(out, history, &target->self, PAIR_SELF);
	write_pair(out, history, &target->others, PAIR_OTHERS);
	for (const struct pair *pair = target->pairs; pair; pair = pair->hh.next)
		write_pair(out, history, pair, PAIR_FIRST + pair->identity->number);
}

int history_write(const struct history *history, FILE *file)
{
	struct bytes_out out;
	uint32_t number = 0;

	bytes_out_init(&out, file);
	bytes_put_raw(&out, magic, sizeof(magic));
	bytes_put(&out, VERSION);
	bytes_put(&out, history->tens_since);
	bytes_put(&out, history->fine_since);
	bytes_put(&out, history->cut);
	bytes_put(&out, HASH_COUNT(history->identities));
	for (struct identity *i = history->identities; i; i = i->hh.next) {
		i->number = number++;
		write_identity(&out, i);
	}
	bytes_put(&out, HASH_COUNT(history->targets));
	for (const struct target_history *t = history->targets; t; t = t->hh.next)
		write_target(&out, history, t);
	return bytes_out_end(&out);
}

/* --- read --- */

struct reading {
	struct history *history;
	struct bytes_in in;
	struct identity **identities; /* by number; each is referred to once from here */
	uint32_t n_identities;
	int error; /* 0: none, or it is damaged; else -EFBIG or -ENOMEM */
};

static bool stopped(const struct reading *reading)
{
	return reading->in.bad || reading->error;
}

static void fail(struct reading *reading, int error)
{
	if (!reading->error)
		reading->error = error;
}

static void damaged_if(struct reading *reading, bool condition)
{
	reading->in.bad |= condition;
}

static void read_identity(struct reading *reading)
{
	char kind[NAME_ROOM], namespace[NAME_ROOM], name[NAME_ROOM], process[NAME_ROOM],
		node[NAME_ROOM];
	struct identity like = {.kind = kind,
				.namespace = namespace,
				.name = name,
				.process = process,
				.node = node};

	like.class = (enum caller_class)bytes_get(&reading->in, CLASSES - 1);
	like.ignored = bytes_get(&reading->in, 1);
	like.rules = (uint32_t)bytes_get(&reading->in, like.ignored ? UINT32_MAX : 0);
	bytes_get_text(&reading->in, kind, sizeof(kind));
	bytes_get_text(&reading->in, namespace, sizeof(namespace));
	bytes_get_text(&reading->in, name, sizeof(name));
	bytes_get_text(&reading->in, process, sizeof(process));
	bytes_get_text(&reading->in, node, sizeof(node));
	if (stopped(reading))
		return;
	reading->identities[reading->n_identities] = identity_get(reading->history, &like);
	if (reading->identities[reading->n_identities])
		reading->n_identities++;
	else
		fail(reading, -ENOMEM);
}

static void read_identities(struct reading *reading)
{
	const struct history_limits *limits = &reading->history->limits;
	/* each is a caller's, or that of all targets' others */
	uint64_t n = bytes_get(&reading->in, UINT32_MAX);

	if (n > limits->callers + 1)
		fail(reading, -EFBIG);
	if (stopped(reading))
		return;
	reading->identities = calloc(n + 1, sizeof(struct identity *));
	if (!reading->identities)
		fail(reading, -ENOMEM);
	for (uint64_t i = 0; i < n && !stopped(reading); i++)
		read_identity(reading);
}

static void read_spans(struct reading *reading, struct target_history *target)
{
	uint64_t n = bytes_get(&reading->in, SPANS_MAX);
	int64_t last = INT64_MIN;

	if (n && !stopped(reading)) {
		target->spans = calloc(n, sizeof(*target->spans));
		target->room_spans = target->spans ? n : 0;
		if (!target->spans)
			fail(reading, -ENOMEM);
	}
	for (uint64_t i = 0; i < n && !stopped(reading); i++) {
		struct covered_span *span = &target->spans[i];

		span->span.since = bytes_get_signed(&reading->in);
		span->span.until = bytes_get_signed(&reading->in);
		span->causes = bytes_get(&reading->in, UINT64_MAX);
		damaged_if(reading, span->span.since < last ||
					    span->span.until <= span->span.since ||
					    span->span.since < 0 ||
					    span->span.until > MINUTE_MAX * MINUTE_NS);
		last = span->span.until;
		target->n_spans++;
	}
}

static void read_record(struct reading *reading, struct record *record)
{
	uint64_t bits;

	record->minute = (uint32_t)bytes_get(&reading->in, MINUTE_MAX) & ((1U << 28) - 1);
	bits = bytes_get(&reading->in, 0xf);
	record->kind = bits & 3;
	record->held = bits >> 2 & 1;
	record->doubt = bits >> 3 & 1;
	for (int i = 0; i < 4; i++)
		record->count[i] = (uint32_t)bytes_get(&reading->in, UINT32_MAX);
	for (int i = 0; i < 2; i++)
		record->wide[i] = record->kind == RECORD_ATTEMPTS
					  ? (uint64_t)bytes_get_signed(&reading->in)
					  : bytes_get(&reading->in, UINT64_MAX);
	damaged_if(reading,
		   record->kind >= RECORD_KINDS ||
			   record->minute != store_label(reading->history, record->minute));
}

static void read_records(struct reading *reading, struct pair *pair)
{
	struct history *history = reading->history;
	uint64_t n = bytes_get(&reading->in, UINT32_MAX);
	uint32_t *link = &pair->head, last = MINUTE_MAX;

	if (n > history->limits.records - history->n_records)
		fail(reading, -EFBIG);
	for (; n && !stopped(reading); n--) {
		struct record record = {.next = NONE};
		uint32_t i;

		read_record(reading, &record);
		damaged_if(reading, record.minute > last);
		damaged_if(reading, (record.kind == RECORD_TARGET) != (pair->identity == NULL));
		i = stopped(reading) ? NONE : store_alloc(history);
		if (i == NONE)
			return;
		history->records[i] = record;
		*link = i;
		link = &history->records[i].next;
		last = record.minute;
	}
}

static struct pair *read_pair_of(struct reading *reading, struct target_history *target)
{
	uint64_t number = bytes_get(&reading->in, UINT32_MAX);
	struct pair *pair;

	if (number == PAIR_SELF)
		return &target->self;
	if (number == PAIR_OTHERS)
		return &target->others;
	damaged_if(reading, number - PAIR_FIRST >= reading->n_identities);
	if (reading->history->n_pairs >= reading->history->limits.callers)
		fail(reading, -EFBIG);
	if (stopped(reading))
		return NULL;
	pair = pair_get(reading->history, target, reading->identities[number - PAIR_FIRST]);
	if (pair == &target->others)
		fail(reading, -ENOMEM);
	return pair;
}

static void read_pair(struct reading *reading, struct target_history *target)
{
	struct pair *pair = read_pair_of(reading, target);
	int64_t last = bytes_get_signed(&reading->in);

	/* each has one place in the file */
	damaged_if(reading, pair && pair->head != NONE);
	if (!pair || stopped(reading))
		return;
	pair->last_seen = last;
	read_records(reading, pair);
}

static void read_target(struct reading *reading)
{
	char namespace[NAME_ROOM], service[NAME_ROOM], uid[NAME_ROOM];
	struct history_target name = {namespace, service, uid};
	struct target_history *target;
	uint64_t n;
	int r;

	bytes_get_text(&reading->in, namespace, sizeof(namespace));
	bytes_get_text(&reading->in, service, sizeof(service));
	bytes_get_text(&reading->in, uid, sizeof(uid));
	damaged_if(reading, target_find(reading->history, &name));
	if (stopped(reading))
		return;
	r = target_get(reading->history, &name, &target);
	if (r) {
		fail(reading, r == -ENOSPC ? -EFBIG : r);
		return;
	}
	target->complete_since = (uint32_t)bytes_get(&reading->in, MINUTE_MAX + 1);
	target->restarted = true;
	read_spans(reading, target);
	n = bytes_get(&reading->in, UINT32_MAX);
	for (; n && !stopped(reading); n--)
		read_pair(reading, target);
}

static void read_all(struct reading *reading)
{
	struct history *history = reading->history;
	uint64_t n;

	history->tens_since = (uint32_t)bytes_get(&reading->in, MINUTE_MAX);
	history->fine_since = (uint32_t)bytes_get(&reading->in, MINUTE_MAX);
	history->cut = (uint32_t)bytes_get(&reading->in, MINUTE_MAX + 60);
	damaged_if(reading, history->tens_since % 60 || history->fine_since % 10 ||
				    history->fine_since < history->tens_since);
	read_identities(reading);
	n = bytes_get(&reading->in, UINT32_MAX);
	for (; n && !stopped(reading); n--)
		read_target(reading);
	if (!stopped(reading))
		damaged_if(reading, !bytes_in_end(&reading->in));
	for (uint32_t i = 0; i < reading->n_identities; i++)
		identity_put(history, reading->identities[i]);
	free(reading->identities);
}

static int say(char *error, size_t size, int r, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int say(char *error, size_t size, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return r;
}

static void make_empty(struct history *history)
{
	names_clear(history);
	history->tens_since = history->fine_since = history->cut = 0;
}

int history_read(struct history *history, FILE *file, char *error, size_t error_size)
{
	struct reading reading = {.history = history};
	uint64_t version;

	bytes_in_init(&reading.in, file);
	if (!bytes_get_raw(&reading.in, magic, sizeof(magic)))
		return ferror(file) ? say(error, error_size, -EIO, "it could not be read")
				    : say(error, error_size, -EBADMSG, "it is no history");
	version = bytes_get(&reading.in, UINT64_MAX);
	if (!reading.in.bad && version != VERSION)
		return say(error, error_size, -EBADMSG,
			   "it is of version %" PRIu64 ", and this program reads version %d",
			   version, VERSION);
	read_all(&reading);
	if (!stopped(&reading))
		return 0;
	make_empty(history);
	if (ferror(file))
		return say(error, error_size, -EIO, "it could not be read to its end");
	if (reading.error == -ENOMEM)
		return say(error, error_size, -ENOMEM, "there is not enough memory for it");
	if (reading.error)
		return say(error, error_size, -EFBIG, "it holds more than this program keeps");
	return say(error, error_size, -EBADMSG,
		   "it is damaged: its checksum is wrong, or what it says makes no sense");
}
