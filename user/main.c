/* SPDX-License-Identifier: MIT */
/* The table of subcommands, nothing else. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/command.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *description;
} commands[] = {
	{"trace", trace_main, "show live who calls a port or a workload on this node"},
	{"verify", verify_main, "tell whether anybody calls it, by an exit status to rely on"},
	{"agent", agent_main, "watch Services for good, and answer who calls them"},
	{"doctor", doctor_main, "tell what this kernel and these privileges allow"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *file)
{
	fprintf(file, "Usage: whocalls COMMAND [OPTIONS]\n\n"
		      "Who is calling a service right now, how often, and for how long.\n\n"
		      "Commands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(file, "  %-8s %s\n", commands[i].name, commands[i].description);
	fprintf(file,
		"\n`whocalls COMMAND --help` tells a command's options; the manual is whocalls(1).\n"
		"First try: sudo whocalls trace --port 3000\n");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	}
	return NULL;
}

/* Where one of the three is closed, the next file opened would take its place, and be written to.
 */
static void keep_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd < 3);
	if (fd >= 3)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct command *command;
	char *help[] = {NULL, "--help", NULL};

	keep_standard_fds();
	if (argc < 2) {
		usage(stderr);
		return EX_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("whocalls %s\n", WHOCALLS_VERSION);
		return command_finish(stdout);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    (!strcmp(argv[1], "help") && argc == 2)) {
		usage(stdout);
		return command_finish(stdout);
	}
	if (!strcmp(argv[1], "help") && argc > 3) {
		fprintf(stderr, "whocalls: help for one command at a time\n");
		return EX_USAGE;
	}
	if (!strcmp(argv[1], "help") && (command = find(argv[2]))) {
		help[0] = argv[2];
		return command->run(2, help);
	}
	command = find(strcmp(argv[1], "help") ? argv[1] : argv[2]);
	if (!command) {
		fprintf(stderr,
			"whocalls: there is no command '%s'; `whocalls --help` lists them\n",
			strcmp(argv[1], "help") ? argv[1] : argv[2]);
		return EX_USAGE;
	}
	return command->run(argc - 1, argv + 1);
}
