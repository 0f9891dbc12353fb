/* SPDX-License-Identifier: MIT */
/*
 * whocalls-api: answers as a Kubernetes API server does, for lists and watches of pods and nodes
 * that it makes up, and of Services and EndpointSlices that a test writes, or as none should. What
 * it has told it counts exactly.
 */
#ifndef API_H
#define API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* resourceVersion of the first list; each event is one more. */
#define FIRST_VERSION 1000

struct buffer {
	char *at;
	size_t length;
	size_t room;
};

/* Room for so many more bytes; exits where there is no memory. */
char *buffer_room(struct buffer *buffer, size_t more);
void buffer_add(struct buffer *buffer, const char *bytes, size_t length);
__attribute__((format(printf, 2, 3))) void buffer_print(struct buffer *buffer, const char *format,
							...);
void buffer_free(struct buffer *buffer);

/* --- what there is --- */

struct world {
	uint64_t pods;
	uint64_t nodes;
	uint64_t late;    /* pods that come by the first events */
	uint64_t events;  /* in all, the late ones among them */
	uint32_t address; /* of pod 0; the next has the next */
	uint64_t large;   /* bytes that the pod `large_pod` has besides; 0: none is large */
	uint64_t large_pod;
};

/* The pod with this number, as an object without a line's end. */
void world_pod(const struct world *world, uint64_t number, uint64_t version, struct buffer *out);
void world_node(uint64_t number, struct buffer *out);

/* How many pods there are after so many events. */
uint64_t world_pods_after(const struct world *world, uint64_t events);

/* Event number `event`, from 1, as a line of a watch. */
void world_event(const struct world *world, uint64_t event, struct buffer *out);
/* A line of any type with the pod of any number. */
void world_line(const struct world *world, const char *type, uint64_t number, uint64_t version,
		struct buffer *out);
void world_bookmark(uint64_t version, struct buffer *out);

/* A Status. `next`: metadata.continue, "" for none. */
void world_status(int code, const char *reason, const char *next, struct buffer *out);

/* --- what a test writes (folder.c) --- */

struct folder_query {
	size_t collection;
	char namespace[64]; /* "": all */
	char selector[256]; /* of labels: "key" and "key=value", with commas */
};

/* Exits where there is no such folder. */
void folder_open(const char *path);
/* Looks whether something has changed. */
void folder_tick(void);
/* False: the path is none of its collections, or there is no folder. */
bool folder_query(const char *path, size_t length, const char *query, struct folder_query *out);
/* Of the last change. */
uint64_t folder_version(void);
void folder_list(const struct folder_query *query, struct buffer *out);
/* The change to this version, as a line of a watch; nothing if it is not asked for. */
void folder_event(const struct folder_query *query, uint64_t version, struct buffer *out);

/* --- what is odd --- */

enum odd {
	ODD_LIST_STATUS, /* list-429, list-500, list-302 …: this status */
	ODD_WATCH_STATUS,
	ODD_LIST_410,      /* a page that is not the first: expired, and no way to go on */
	ODD_LIST_410_NEXT, /* the same with a token to go on with */
	ODD_LIST_BYTES,    /* in chunks of one byte */
	ODD_LIST_GZIP,
	ODD_LIST_CUT,     /* in the middle of an item */
	ODD_LIST_ENDLESS, /* after the last page comes the first */
	ODD_LIST_HTML,
	ODD_LIST_EMPTY,
	ODD_WATCH_410, /* an ERROR event */
	ODD_WATCH_CUT, /* in the middle of the first line that is due */
	ODD_WATCH_HTML,
	ODD_WATCH_UNKNOWN, /* an event of a type that there is not */
	ODD_WATCH_DELETED, /* a pod that was never there */
	ODD_WATCH_TWICE,   /* each event twice */
	ODD_WATCH_QUIET,   /* bookmarks only, then the end */
	ODD_WATCH_LARGE,   /* a pod of 9 MiB before anything else */
	ODD_WATCH_STALL,   /* begins, and nothing more comes: no event, no bookmark, no end */
	ODD_LIST_STALL,    /* no answer comes */
	ODDS,
};

/* "list-gzip", "list-429:3" (so many times). False: there is no such. */
bool odd_parse(const char *text);
/* Whether the next one is to be so; `status`: of ODD_…_STATUS. One is used up. */
bool odd_take(enum odd odd, int *status);
uint64_t odd_taken(void);

/* --- what was told --- */

struct told {
	uint64_t lists;    /* requests for a page of pods */
	uint64_t complete; /* last pages that were written whole */
	uint64_t nodes;
	uint64_t watches;
	uint64_t object_lists;   /* of what a test writes */
	uint64_t object_watches; /* likewise */
	uint64_t object_events;  /* files that came, changed or went, from the start on */
	uint64_t others;
	uint64_t early; /* requests for what was refused, before Retry-After was over */
	uint64_t bytes;
	uint64_t last_byte;   /* CLOCK_REALTIME ns: of the last page that was complete */
	uint64_t due;         /* events, by the rate */
	uint64_t sent;        /* events, the highest number in a socket */
	uint64_t behind;      /* most events that were due and not in a socket */
	uint64_t first_event; /* CLOCK_MONOTONIC ns */
	uint64_t last_event;
};

struct api {
	struct world world;
	struct told told;
	uint64_t rate;   /* events a second */
	uint64_t page;   /* pods of a page, at most; 0: as asked */
	int retry_after; /* s, with 429 and 503 */
	bool silent;     /* nothing is answered any more */
};

uint64_t clock_ns(int clock);

/* --- connections --- */

void http_open(int epoll, int listener);
/* Something has come, or can go. */
struct connection;
void http_ready(struct connection *connection, uint32_t events);
/* Time has passed: events that are due go out to all watches. */
void http_tick(void);
/* From now on nothing comes on the connections that there are, and they don't end. */
void http_stall(void);

extern struct api api;

#endif
