/* SPDX-License-Identifier: MIT */
/* A Service, and the objects that tell its endpoints: EndpointSlices (v1, v1beta1), Endpoints. */
#ifndef KUBE_SERVICE_H
#define KUBE_SERVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "not-watched.h"

struct members;

/* Starts as all zero. */
struct service {
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

/* Adds to the members what an EndpointSlice or Endpoints object has. What makes no sense is left
 * out, and noted as not watched. */
void service_take(struct service *service, const json_t *object, uint16_t port,
		  struct members *members);

/* A member that is text, and a name: "" if it is missing or anything else. */
const char *service_text(const json_t *object, const char *key);

#endif
