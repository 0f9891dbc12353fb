/* SPDX-License-Identifier: MIT */
/* Whether the process that was found to be the kubelet still runs. */
#ifndef CAPTURE_KUBELET_H
#define CAPTURE_KUBELET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether `stat`, the text of /proc/PID/stat, is of a process that started `start` ns after the
 * boot (task_struct.start_boottime), in the ticks that it is told in. Of a zombie: false.
 */
bool kubelet_stat_is(const char *stat, uint64_t start);

#endif
