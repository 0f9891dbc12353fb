/* SPDX-License-Identifier: MIT */
/* Pods, nodes and events by number: the same each time, so that nothing needs to be kept. */
#include <arpa/inet.h>
#include <err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "api.h"

/* --- buffers --- */

char *buffer_room(struct buffer *buffer, size_t more)
{
	if (buffer->length + more > buffer->room) {
		buffer->room = (buffer->length + more) * 2;
		buffer->at = realloc(buffer->at, buffer->room);
		if (!buffer->at)
			err(EX_OSERR, "out of memory");
	}
	return buffer->at + buffer->length;
}

void buffer_add(struct buffer *buffer, const char *bytes, size_t length)
{
	if (length)
		memcpy(buffer_room(buffer, length), bytes, length);
	buffer->length += length;
}

void buffer_print(struct buffer *buffer, const char *format, ...)
{
	va_list args, again;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(buffer_room(buffer, 1024), 1024, format, args);
	if (n >= 1024)
		vsnprintf(buffer_room(buffer, (size_t)n + 1), (size_t)n + 1, format, again);
	va_end(args);
	va_end(again);
	buffer->length += (size_t)n;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->at);
	*buffer = (struct buffer){};
}

/* --- objects --- */

#define TIME "2024-05-06T07:08:09Z"

/* What a real API server says of who wrote which field: a third of a pod, and more. */
static const char managed_fields[] =
	"\"managedFields\":[{\"manager\":\"kube-controller-manager\",\"operation\":\"Update\","
	"\"apiVersion\":\"v1\",\"time\":\"" TIME "\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{"
	"\"f:metadata\":{\"f:generateName\":{},\"f:labels\":{\".\":{},\"f:app\":{},"
	"\"f:pod-template-hash\":{}},\"f:ownerReferences\":{\".\":{},"
	"\"k:{\\\"uid\\\":\\\"f8033a35-8087-435d-8e9c-7411e845f49b\\\"}\":{\".\":{},"
	"\"f:apiVersion\":{},\"f:blockOwnerDeletion\":{},\"f:controller\":{},\"f:kind\":{},"
	"\"f:name\":{},\"f:uid\":{}}}},\"f:spec\":{\"f:containers\":{"
	"\"k:{\\\"name\\\":\\\"main\\\"}\":{\".\":{},\"f:env\":{\".\":{},"
	"\"k:{\\\"name\\\":\\\"MODE\\\"}\":{\".\":{},\"f:name\":{},\"f:value\":{}}},\"f:image\":{},"
	"\"f:imagePullPolicy\":{},\"f:livenessProbe\":{\".\":{},\"f:failureThreshold\":{},"
	"\"f:httpGet\":{\".\":{},\"f:path\":{},\"f:port\":{},\"f:scheme\":{}},"
	"\"f:periodSeconds\":{},\"f:successThreshold\":{},\"f:timeoutSeconds\":{}},\"f:name\":{},"
	"\"f:ports\":{\".\":{},\"k:{\\\"containerPort\\\":3000,\\\"protocol\\\":\\\"TCP\\\"}\":{"
	"\".\":{},\"f:containerPort\":{},\"f:name\":{},\"f:protocol\":{}}},\"f:resources\":{"
	"\".\":{},\"f:limits\":{\".\":{},\"f:memory\":{}},\"f:requests\":{\".\":{},\"f:cpu\":{},"
	"\"f:memory\":{}}},\"f:terminationMessagePath\":{},\"f:terminationMessagePolicy\":{}}},"
	"\"f:dnsPolicy\":{},\"f:enableServiceLinks\":{},\"f:restartPolicy\":{},"
	"\"f:schedulerName\":{},\"f:securityContext\":{},\"f:terminationGracePeriodSeconds\":{}}}},"
	"{\"manager\":\"kubelet\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"time\":\"" TIME
	"\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:status\":{\"f:conditions\":{"
	"\"k:{\\\"type\\\":\\\"ContainersReady\\\"}\":{\".\":{},\"f:lastProbeTime\":{},"
	"\"f:lastTransitionTime\":{},\"f:status\":{},\"f:type\":{}},"
	"\"k:{\\\"type\\\":\\\"Ready\\\"}\":{\".\":{},\"f:lastProbeTime\":{},"
	"\"f:lastTransitionTime\":{},\"f:status\":{},\"f:type\":{}}},\"f:containerStatuses\":{},"
	"\"f:hostIP\":{},\"f:phase\":{},\"f:podIP\":{},\"f:podIPs\":{\".\":{}},\"f:startTime\":{}}},"
	"\"subresource\":\"status\"}]";

static const char containers[] =
	"\"volumes\":[{\"name\":\"kube-api-access-x7k2p\",\"projected\":{\"sources\":[{"
	"\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}},{\"configMap\":{"
	"\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}]}}],"
	"\"defaultMode\":420}}],\"containers\":[{\"name\":\"main\",\"image\":"
	"\"registry.example/team/service:2024.5.6\",\"ports\":[{\"name\":\"http\","
	"\"containerPort\":3000,\"protocol\":\"TCP\"}],\"env\":[{\"name\":\"MODE\",\"value\":"
	"\"production\"},{\"name\":\"POD_IP\",\"valueFrom\":{\"fieldRef\":{\"apiVersion\":\"v1\","
	"\"fieldPath\":\"status.podIP\"}}}],\"resources\":{\"limits\":{\"memory\":\"256Mi\"},"
	"\"requests\":{\"cpu\":\"100m\",\"memory\":\"128Mi\"}},\"volumeMounts\":[{\"name\":"
	"\"kube-api-access-x7k2p\",\"readOnly\":true,\"mountPath\":"
	"\"/var/run/secrets/kubernetes.io/serviceaccount\"}],\"livenessProbe\":{\"httpGet\":{"
	"\"path\":\"/healthz\",\"port\":3000,\"scheme\":\"HTTP\"},\"timeoutSeconds\":1,"
	"\"periodSeconds\":10,\"successThreshold\":1,\"failureThreshold\":3},"
	"\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"File\","
	"\"imagePullPolicy\":\"IfNotPresent\"}],\"restartPolicy\":\"Always\","
	"\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\","
	"\"serviceAccountName\":\"default\",\"securityContext\":{},\"schedulerName\":"
	"\"default-scheduler\",\"tolerations\":[{\"key\":\"node.kubernetes.io/not-ready\","
	"\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],"
	"\"priority\":0,\"enableServiceLinks\":true,\"preemptionPolicy\":\"PreemptLowerPriority\"";

/* Ten pods are of one Deployment, and ten of those in one namespace. */
void world_pod(const struct world *world, uint64_t number, uint64_t version, struct buffer *out)
{
	uint64_t app = number / 10, node = number % (world->nodes ? world->nodes : 1);
	struct in_addr address = {htonl(world->address + (uint32_t)number)};
	char ip[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &address, ip, sizeof(ip));
	buffer_print(out,
		     "{\"metadata\":{\"name\":\"app-%" PRIu64 "-5d4f8c7b9-%05" PRIx64
		     "\",\"generateName\":\"app-%" PRIu64
		     "-5d4f8c7b9-\",\"namespace\":\"team-%" PRIu64
		     "\",\"uid\":\"89002bea-042c-421c-aaf2-%012" PRIx64
		     "\",\"resourceVersion\":\"%" PRIu64 "\",\"creationTimestamp\":\"" TIME
		     "\",\"labels\":{\"app\":\"app-%" PRIu64
		     "\",\"pod-template-hash\":\"5d4f8c7b9\"},\"ownerReferences\":[{"
		     "\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":\"app-%" PRIu64
		     "-5d4f8c7b9\",\"uid\":\"f8033a35-8087-435d-8e9c-%012" PRIx64
		     "\",\"controller\":true,\"blockOwnerDeletion\":true}],",
		     app, number, app, app / 10, number, version, app, app, app);
	buffer_add(out, managed_fields, sizeof(managed_fields) - 1);
	if (world->large && number == world->large_pod) {
		buffer_print(out, ",\"annotations\":{\"example.org/large\":\"");
		memset(buffer_room(out, world->large), 'x', world->large);
		out->length += world->large;
		buffer_print(out, "\"}");
	}
	buffer_print(out, "},\"spec\":{\"nodeName\":\"node-%" PRIu64 "\",", node);
	buffer_add(out, containers, sizeof(containers) - 1);
	buffer_print(out,
		     "},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
		     "\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":\"" TIME
		     "\"},{\"type\":\"ContainersReady\",\"status\":\"True\",\"lastProbeTime\":null,"
		     "\"lastTransitionTime\":\"" TIME "\"}],\"hostIP\":\"192.0.2.%" PRIu64
		     "\",\"podIP\":\"%s\",\"podIPs\":[{\"ip\":\"%s\"}],\"startTime\":\"" TIME
		     "\",\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"running\":{"
		     "\"startedAt\":\"" TIME "\"}},\"lastState\":{},\"ready\":true,"
		     "\"restartCount\":0,\"image\":\"registry.example/team/service:2024.5.6\","
		     "\"imageID\":\"registry.example/team/service@sha256:%064" PRIx64
		     "\",\"containerID\":\"containerd://%064" PRIx64
		     "\",\"started\":true}],\"qosClass\":\"Burstable\"}}",
		     node % 250, ip, ip, app, number);
}

void world_node(uint64_t number, struct buffer *out)
{
	buffer_print(
		out,
		"{\"metadata\":{\"name\":\"node-%" PRIu64
		"\",\"uid\":\"11112bea-042c-421c-aaf2-%012" PRIx64
		"\",\"resourceVersion\":\"7\"},\"spec\":{},\"status\":{\"addresses\":[{\"type\":"
		"\"InternalIP\",\"address\":\"192.0.2.%" PRIu64
		"\"},{\"type\":\"Hostname\",\"address\":\"node-%" PRIu64 "\"}],"
		"\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":10250}}}}",
		number, number, number % 250, number);
}

/* --- events --- */

/*
 * The late ones first. Then, of ten, one adds a pod, the next deletes it, and the others change one
 * of those that stay.
 */
static bool adds(const struct world *world, uint64_t event)
{
	return event <= world->late || (event - world->late) % 10 == 8;
}

static bool deletes(const struct world *world, uint64_t event)
{
	return event > world->late && (event - world->late) % 10 == 9;
}

uint64_t world_pods_after(const struct world *world, uint64_t events)
{
	return world->pods + (events < world->late ? events : world->late);
}

void world_line(const struct world *world, const char *type, uint64_t number, uint64_t version,
		struct buffer *out)
{
	buffer_print(out, "{\"type\":\"%s\",\"object\":", type);
	world_pod(world, number, version, out);
	/* a watch has what a list leaves to its head */
	buffer_print(out, "}\n");
}

void world_event(const struct world *world, uint64_t event, struct buffer *out)
{
	uint64_t version = FIRST_VERSION + event, number;
	const char *type = "MODIFIED";

	if (event <= world->late)
		number = world->pods + event - 1;
	else if (adds(world, event) || deletes(world, event))
		number = world->pods + world->late + (event - world->late) / 10;
	else
		number = event * 7919 % (world->pods + world->late);
	if (adds(world, event))
		type = "ADDED";
	else if (deletes(world, event))
		type = "DELETED";
	world_line(world, type, number, version, out);
}

void world_bookmark(uint64_t version, struct buffer *out)
{
	buffer_print(
		out,
		"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
		"\"metadata\":{\"resourceVersion\":\"%" PRIu64
		"\",\"creationTimestamp\":null},\"spec\":{\"containers\":null},\"status\":{}}}\n",
		version);
}

void world_status(int code, const char *reason, const char *next, struct buffer *out)
{
	buffer_print(out,
		     "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{%s%s%s},"
		     "\"status\":\"Failure\",\"message\":\"%s\",\"reason\":\"%s\",\"code\":%d}",
		     *next ? "\"continue\":\"" : "", next, *next ? "\"" : "", reason, reason, code);
}
