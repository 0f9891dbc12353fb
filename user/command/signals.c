/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

/* They are not blocked, and interrupt a write to a reader that has stopped reading. */
static int signal_fd = -1;

static void on_signal(int number)
{
	int saved = errno;
	uint64_t one = 1;

	(void)number;
	if (write(signal_fd, &one, sizeof(one)) < 0)
		_exit(EX_OSERR);
	errno = saved;
}

int signals_open(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = on_signal};

	signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signal_fd < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (sigaction(ends[i], &action, NULL))
			return -errno;
	}
	signal(SIGPIPE, SIG_IGN);
	return signal_fd;
}
