/* SPDX-License-Identifier: MIT */
/*
 * The service graph, by the names of Tempo's metrics generator and of OpenTelemetry's servicegraph
 * connector. Grafana's view sums them by client, client_service_namespace, server and
 * server_service_namespace, and reads _request_total, _request_failed_total and
 * _request_server_seconds.
 */
#ifndef OUTPUT_METRICS_GRAPH_H
#define OUTPUT_METRICS_GRAPH_H

#include "metrics-series.h"

/* 0 or -ENOMEM. What writing failed with is in `text`. */
int graph_write(struct metrics_text *text, const struct metrics_memory *memory,
		const struct metrics *metrics);

#endif
