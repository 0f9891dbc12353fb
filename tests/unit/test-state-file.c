/* SPDX-License-Identifier: MIT */
/* The state file of the agent: whole or not at all, and what is damaged is put aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../user/command/state-file.h"
#include "history-world.h"

#define NOW 1700000000 /* 2023-11-14T22:13:20Z */

struct place {
	char dir[64];
	char said[512];
	struct history *history;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/whocalls-state.XXXXXX");
	p->history = history_new(NULL);
	*state = p;
	return mkdtemp(p->dir) ? 0 : -1;
}

static int teardown(void **state)
{
	struct place *p = *state;
	struct dirent *entry;
	DIR *dir = opendir(p->dir);

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(p->dir);
	history_free(p->history);
	free(p);
	return 0;
}

/* All names in the directory, in one string. */
static const char *names(const struct place *p)
{
	static char all[512];
	struct dirent **entries;
	int n = scandir(p->dir, &entries, NULL, alphasort);

	all[0] = '\0';
	for (int i = 0; i < n; i++) {
		size_t length = strlen(all);

		if (entries[i]->d_name[0] != '.')
			snprintf(all + length, sizeof(all) - length, "%s ", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return all;
}

static void put(const struct place *p, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
}

static size_t targets(const struct history *history)
{
	struct history_room room;

	history_room(history, &room);
	return room.targets;
}

static void one_target(struct history *history, const char *service)
{
	struct history_target target = {"buffer", service, ""};

	history_covered(history, &target, (struct span){at(M0), at(M0 + 1)}, 0);
}

static int load(struct place *p, struct history *history)
{
	return state_file_load(p->dir, history, NOW, p->said, sizeof(p->said));
}

static int save(struct place *p)
{
	return state_file_save(p->dir, p->history, p->said, sizeof(p->said));
}

static void test_saved_and_loaded(void **state)
{
	struct place *p = *state;
	struct history *other = history_new(NULL);

	assert_int_equal(load(p, other), 0);
	assert_string_equal(p->said, "");
	one_target(p->history, "one");
	/* a crash has left that */
	put(p, "history.new", "half of");
	assert_int_equal(save(p), 0);
	one_target(p->history, "two");
	assert_int_equal(save(p), 0);
	assert_string_equal(names(p), "history ");
	assert_int_equal(load(p, other), 0);
	assert_string_equal(p->said, "");
	assert_int_equal(targets(other), 2);
	history_free(other);
}

static void test_damaged_is_put_aside(void **state)
{
	struct place *p = *state;
	char expected[512];

	put(p, "history", "whocalls history?");
	assert_int_equal(load(p, p->history), 1);
	snprintf(expected, sizeof(expected),
		 "--state: reading %s/history: it is of version 63, and this program reads "
		 "version 1; it was put aside as history.damaged-20231114T221320Z, and the history "
		 "begins anew",
		 p->dir);
	assert_string_equal(p->said, expected);
	assert_string_equal(names(p), "history.damaged-20231114T221320Z ");
	assert_int_equal(targets(p->history), 0);
	assert_int_equal(save(p), 0);
	assert_string_equal(names(p), "history history.damaged-20231114T221320Z ");
}

/* Nothing waits for a FIFO, and nobody follows a link out of the directory. */
static void test_no_regular_file(void **state)
{
	struct place *p = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/history", p->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(load(p, p->history), 1);
	assert_string_equal(names(p), "history.damaged-20231114T221320Z ");
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(load(p, p->history), 1);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(save(p), 0);
	assert_int_equal(load(p, p->history), 0);
	assert_string_equal(p->said, "");
}

static void test_no_directory(void **state)
{
	struct place *p = *state;
	char dir[128], expected[256];

	snprintf(dir, sizeof(dir), "%s/none", p->dir);
	assert_int_equal(state_file_load(dir, p->history, NOW, p->said, sizeof(p->said)), -ENOENT);
	snprintf(expected, sizeof(expected),
		 "--state: opening %s: No such file or directory; give a directory that is there "
		 "and can be written",
		 dir);
	assert_string_equal(p->said, expected);
	assert_int_equal(state_file_save(dir, p->history, p->said, sizeof(p->said)), -ENOENT);
	assert_string_equal(p->said, expected);
}

/* What was there stays as it was. */
static void test_cannot_be_put_in_place(void **state)
{
	struct place *p = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/history", p->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(save(p), -EISDIR);
	assert_string_equal(names(p), "history ");
	assert_non_null(strstr(p->said, "--state: writing"));
	rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_saved_and_loaded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_is_put_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_regular_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cannot_be_put_in_place, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
