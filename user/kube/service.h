/* SPDX-License-Identifier: MIT */
/* A Service, and the objects that tell its endpoints: EndpointSlices (v1, v1beta1), Endpoints. */
#ifndef KUBE_SERVICE_H
#define KUBE_SERVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "not-watched.h"

struct kube_endpoint;
struct members;

/* Where the endpoints of Services are told, best first. */
struct service_source {
	const char *group;
	const char *resource;
	const char *of_one; /* selector of those of one Service: before its escaped name */
	const char *of_all; /* of those of any; NULL: all there are */
	bool named;         /* the object has the Service's name; else a label tells it */
};
#define SERVICE_SOURCES 3
extern const struct service_source service_sources[SERVICE_SOURCES];

/* Starts as all zero. */
struct service {
	bool many; /* one of many that are watched: nobody can be told to name a port for it */
	char *port_name; /* of the Service's port that was asked for, "" if it has none; NULL: see
			    below */
	bool only_port;  /* port_name counts; otherwise the endpoints' own port number does */
	bool portless;   /* headless and without ports */
	/* what its callers may dial in place of the endpoints' own: its ports and node ports */
	uint16_t dialled[64];
	size_t n_dialled;
	struct not_watched not_watched;
};

/*
 * Reads the Service. `port`: that of the Service, or the one behind it; 0: all TCP ports. 0, or
 * -EINVAL and a sentence: ExternalName, or no TCP port.
 */
int service_read(struct service *service, const json_t *json, uint16_t port, char *error,
		 size_t error_size);
void service_deinit(struct service *service);

/* Tells each TCP port of each address that an EndpointSlice or Endpoints object has. What makes no
 * sense is left out, and noted as not watched. The strings are the object's; `started` is not told.
 */
typedef void service_add(void *arg, const struct kube_endpoint *endpoint);
void service_each(struct service *service, const json_t *object, uint16_t port, service_add *add,
		  void *arg);

/* Adds to the members what an EndpointSlice or Endpoints object has, as service_each(). */
void service_take(struct service *service, const json_t *object, uint16_t port,
		  struct members *members);

/* A member that is text, and a name: "" if it is missing or anything else. */
const char *service_text(const json_t *object, const char *key);

#endif
