/* SPDX-License-Identifier: MIT */
/*
 * requests PORT COUNT: a server and a client, two threads on one CPU, exchange COUNT requests and
 * answers of 100 bytes over one connection over loopback, with blocking reads and writes. Prints
 * the nanoseconds of CPU that a request took, of both together (see connections.c): the median of
 * slices of SLICE requests, so that what disturbs some of them does not count.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE 100 /* bytes */
#define SLICE 250   /* requests; the first slices don't count */
#define WARM 4

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Answers until its client is gone. */
static void *serve(void *listener)
{
	int client = accept4(*(int *)listener, NULL, NULL, 0), one = 1;
	char message[MESSAGE];

	if (client < 0)
		err(71, "accept4");
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (read(client, message, sizeof(message)) == sizeof(message))
		if (write(client, message, sizeof(message)) != sizeof(message))
			err(71, "server: write");
	close(client);
	return NULL;
}

static void ask(int server, unsigned int count)
{
	char message[MESSAGE] = "request";

	for (unsigned int i = 0; i < count; i++)
		if (write(server, message, sizeof(message)) != sizeof(message) ||
		    read(server, message, sizeof(message)) != sizeof(message))
			err(71, "client: request %u", i);
}

static int slower(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

int main(int argc, char **argv)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in server = {.sin_family = AF_INET};
	unsigned int slices;
	pthread_t thread;
	cpu_set_t cpus;
	double start, *slice;
	int one = 1;

	if (argc != 3)
		errx(64, "usage: requests PORT COUNT");
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons((uint16_t)atoi(argv[1]));
	slices = ((unsigned int)atoi(argv[2]) + SLICE - 1) / SLICE;
	slice = calloc(slices + 1, sizeof(*slice));
	if (!slice)
		err(71, "calloc");
	CPU_ZERO(&cpus);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		err(71, "sched_setaffinity");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&server, sizeof(server)) || listen(listener, 1))
		err(71, "listen");
	if (pthread_create(&thread, NULL, serve, &listener))
		errx(71, "pthread_create");
	if (connect(client, (struct sockaddr *)&server, sizeof(server)))
		err(71, "connect");
	for (unsigned int i = 0; i < slices + WARM; i++) {
		start = cpu_ns();
		ask(client, SLICE);
		slice[i < WARM ? 0 : i - WARM] = (cpu_ns() - start) / SLICE;
	}
	qsort(slice, slices, sizeof(*slice), slower);
	printf("%.1f\n", slice[slices / 2]);
	close(client);
	return pthread_join(thread, NULL);
}
