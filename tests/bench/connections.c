/* SPDX-License-Identifier: MIT */
/*
 * connections PORT COUNT [ADDRESSES [FIRST]]: opens, accepts and closes COUNT connections one after
 * the other in one process on one CPU, over loopback, from ADDRESSES (default 128) source
 * addresses, which begin at 127.0.0.1 + FIRST, or are others in each run: ports in TIME_WAIT of the
 * run before are no obstacle then. Prints the nanoseconds of CPU that each took. CPU time, not
 * time: what other processes do on the machine meanwhile counts less that way. Softirqs run in this
 * process's system calls, so it has all of it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static struct sockaddr_in address(unsigned int host, unsigned int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x7f000001 + host),
		.sin_port = htons((uint16_t)port),
	};
}

int main(int argc, char **argv)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct sockaddr_in server;
	unsigned int count, sources, base;
	cpu_set_t cpus;
	double start;

	if (argc < 3)
		errx(64, "usage: connections PORT COUNT [ADDRESSES [FIRST]]");
	server = address(0, (unsigned int)atoi(argv[1]));
	count = (unsigned int)atoi(argv[2]);
	sources = argc > 3 ? (unsigned int)atoi(argv[3]) : 128;
	base = argc > 4 ? (unsigned int)atoi(argv[4]) : 256 + (unsigned int)(getpid() % 200) * 256;
	CPU_ZERO(&cpus);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		err(71, "sched_setaffinity");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&server, sizeof(server)) || listen(listener, 128))
		err(71, "listen");
	start = cpu_ns();
	for (unsigned int i = 0; i < count; i++) {
		struct sockaddr_in from = address(base + i % sources, 0);
		int client = socket(AF_INET, SOCK_STREAM, 0), accepted;

		setsockopt(client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(client, (struct sockaddr *)&from, sizeof(from)) ||
		    connect(client, (struct sockaddr *)&server, sizeof(server)))
			err(71, "connect");
		accepted = accept4(listener, NULL, NULL, 0);
		if (accepted < 0)
			err(71, "accept4");
		close(client);
		close(accepted);
	}
	printf("%.1f\n", (cpu_ns() - start) / count);
	return 0;
}
