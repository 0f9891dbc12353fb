/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../kube/clock.h"

#define SECOND 1000000000ULL

int loop_add(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int loop_timer(uint64_t first_ns, uint64_t interval_ns)
{
	struct itimerspec spec = {
		.it_value = {(time_t)(first_ns / SECOND), (long)(first_ns % SECOND)},
		.it_interval = {(time_t)(interval_ns / SECOND), (long)(interval_ns % SECOND)},
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), error;

	if (fd >= 0 && timerfd_settime(fd, 0, &spec, NULL)) {
		error = errno;
		close(fd);
		return -error;
	}
	return fd < 0 ? -errno : fd;
}

int loop_timer_read(int fd)
{
	uint64_t expired;

	return read(fd, &expired, sizeof(expired)) < 0 && errno != EAGAIN ? -errno : 0;
}

int64_t loop_realtime_offset(void)
{
	uint64_t before = monotonic_ns();
	int64_t realtime = realtime_ns();
	uint64_t after = monotonic_ns();

	return realtime - (int64_t)(before + (after - before) / 2);
}
