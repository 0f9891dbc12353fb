/* SPDX-License-Identifier: MIT */
#include "notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#define PROC_PID_INIT_INO 0xEFFFFFFCU /* linux/proc_ns.h: the first PID namespace always has it */

__attribute__((format(printf, 2, 3))) static void note(struct notes *notes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (notes->n < sizeof(notes->text) / sizeof(notes->text[0]) &&
	    vasprintf(&notes->text[notes->n], format, args) >= 0)
		notes->n++;
	va_end(args);
}

/* The iterators and /proc show only the processes of this PID namespace, and theirs are the
 * sockets. */
static void note_pid_namespace(struct notes *notes)
{
	struct stat st;

	if (!stat("/proc/self/ns/pid", &st) && st.st_ino != PROC_PID_INIT_INO)
		note(notes,
		     "This runs in a PID namespace of its own: connections that were open "
		     "before in pods outside of it are not known. Run it on the node itself, or "
		     "with hostPID: true.");
}

/* A pod elsewhere can't be watched from here; the node's name is its host name, unless set
 * otherwise. */
static void note_nodes(struct notes *notes, const struct target *target)
{
	size_t known = 0, elsewhere = 0;
	const char *other = NULL;
	struct utsname name;

	if (uname(&name))
		return;
	for (size_t i = 0; i < target->n_endpoints; i++) {
		const struct pod_name *pod = target->endpoints[i].pod;

		if (!pod || !pod->node || !*pod->node)
			continue;
		known++;
		if (strcmp(pod->node, name.nodename)) {
			elsewhere++;
			other = pod->node;
		}
	}
	if (elsewhere)
		note(notes,
		     "%zu of %zu endpoints are on other nodes than %s, as %s, by the list of pods: only "
		     "what arrives on this node is seen.",
		     elsewhere, known, name.nodename, other);
}

void notes_make(struct notes *notes, const struct target *target)
{
	note_pid_namespace(notes);
	note_nodes(notes, target);
}

void notes_deinit(struct notes *notes)
{
	while (notes->n)
		free(notes->text[--notes->n]);
}
