/* SPDX-License-Identifier: MIT */
/* cgroup_pod(): paths as kubelets and container runtimes make them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../user/capture/cgroup.h"

#define UID "0f2c1b7e-6a3d-4e5f-8091-a2b3c4d5e6f7"
#define UID_ "0f2c1b7e_6a3d_4e5f_8091_a2b3c4d5e6f7"
#define OTHER "ffffffff-6a3d-4e5f-8091-a2b3c4d5e6f7"
#define STATIC "8b2e1f6c0d3a4b5c6d7e8f9001122334"
#define ID "3f5e9c1d7b2a48604c8e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e"
#define NODE "b1946ac92492d2347c6235b4d2611184f2a0d1c7e6b5a4938271605f4e3d2c1b"

struct a_path {
	const char *path;
	const char *uid;
	const char *container;
};

static void expect_all(const struct a_path *paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char uid[CGROUP_POD_UID], container[CGROUP_CONTAINER];
		int r;

		memset(uid, 'x', sizeof(uid));
		memset(container, 'x', sizeof(container));
		r = cgroup_pod(paths[i].path, uid, container);
		if (r != (*paths[i].uid ? 0 : -ENOENT))
			fail_msg("%s: %d", paths[i].path, r);
		assert_string_equal(uid, paths[i].uid);
		assert_string_equal(container, paths[i].container);
	}
}

#define EXPECT_ALL(paths) expect_all(paths, sizeof(paths) / sizeof(*(paths)))

static void cgroupfs(void **state)
{
	static const struct a_path paths[] = {
		{"/kubepods/burstable/pod" UID "/" ID, UID, ID},
		{"/kubepods/besteffort/pod" UID "/" ID, UID, ID},
		{"/kubepods/pod" UID "/" ID, UID, ID},
		{"/kubepods/burstable/pod" UID, UID, ""},
		{"/kubepods/burstable/pod" UID "/", UID, ""},
		{"/kubepods/burstable/pod" UID "/crio-" ID, UID, ID},
		{"/kubepods/burstable/pod" STATIC "/" ID, STATIC, ID},
		{"kubepods/burstable/pod" UID "/" ID, UID, ID},
	};

	(void)state;
	EXPECT_ALL(paths);
}

#define BESTEFFORT "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod"
#define BURSTABLE "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"
#define GUARANTEED "/kubepods.slice/kubepods-pod"

static void systemd(void **state)
{
	static const struct a_path paths[] = {
		{BESTEFFORT UID_ ".slice/cri-containerd-" ID ".scope", UID, ID},
		{BURSTABLE UID_ ".slice/cri-containerd-" ID ".scope", UID, ID},
		{GUARANTEED UID_ ".slice/cri-containerd-" ID ".scope", UID, ID},
		{BESTEFFORT UID_ ".slice/crio-" ID ".scope", UID, ID},
		{BESTEFFORT UID_ ".slice/crio-conmon-" ID ".scope", UID, ID},
		{BESTEFFORT UID_ ".slice/docker-" ID ".scope", UID, ID},
		{BESTEFFORT UID_ ".slice", UID, ""},
		{BURSTABLE STATIC ".slice/cri-containerd-" ID ".scope", STATIC, ID},
		/* kubelet leaves cgroups to systemd, containerd doesn't */
		{"/system.slice/containerd.service/kubepods-burstable-pod" UID_
		 ".slice:cri-containerd:" ID,
		 UID, ID},
	};

	(void)state;
	EXPECT_ALL(paths);
}

/* A container may have an init, or a kubelet, of its own. */
static void below_a_container(void **state)
{
	static const struct a_path paths[] = {
		{"/kubepods/burstable/pod" UID "/" ID "/init.scope", UID, ID},
		{"/kubepods/pod" UID "/" ID "/system.slice/a-b.service", UID, ID},
		{BURSTABLE UID_ ".slice/cri-containerd-" ID ".scope/init.scope", UID, ID},
		{BURSTABLE UID_ ".slice/crio-" ID ".scope/container", UID, ID},
		{"/kubepods/pod" UID "/" ID "/kubepods/pod" OTHER "/" NODE, UID, ID},
	};

	(void)state;
	EXPECT_ALL(paths);
}

/* kind: a node is a container itself. */
static void nested(void **state)
{
	static const struct a_path paths[] = {
		{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
		 "kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope",
		 UID, ID},
		{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_
		 ".slice/cri-containerd-" ID ".scope",
		 UID, ID},
		{"/system.slice/docker-" NODE ".scope/kubelet.slice/kubelet-kubepods.slice/"
		 "kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" UID_
		 ".slice/cri-containerd-" ID ".scope",
		 UID, ID},
		{"/docker/" NODE "/kubelet/kubepods/burstable/pod" UID "/" ID, UID, ID},
		{"/docker/" NODE "/kubelet/kubepods/pod" STATIC "/" ID, STATIC, ID},
		{"/kubelet/kubepods/besteffort/pod" UID "/" ID, UID, ID},
	};

	(void)state;
	EXPECT_ALL(paths);
}

static void no_pods(void **state)
{
	static const struct a_path paths[] = {
		{"", "", ""},
		{"/", "", ""},
		{"/init.scope", "", ""},
		{"/system.slice/kubelet.service", "", ""},
		{"/system.slice/containerd.service", "", ""},
		{"/system.slice/docker-" ID ".scope", "", ""},
		{"/docker/" ID, "", ""},
		{"/user.slice/user-1000.slice/session-3.scope", "", ""},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope", "", ""},
		{"/machine.slice/libpod-" ID ".scope", "", ""},
		{"/kubepods", "", ""},
		{"/kubepods/burstable", "", ""},
		{"/kubepods.slice/kubepods-besteffort.slice", "", ""},
		{"/pod" UID "/" ID, "", ""},
		/* anybody can make such a cgroup below his own slice */
		{"/user.slice/user-1000.slice/user@1000.service/kubepods/pod" UID "/" ID, "", ""},
	};

	(void)state;
	EXPECT_ALL(paths);
}

static void no_uids(void **state)
{
	static const struct a_path paths[] = {
		{"/kubepods/pod", "", ""},
		{"/kubepods/pod/" ID, "", ""},
		{"/kubepods/pod" STATIC "0/" ID, "", ""},
		{"/kubepods/pod" UID "0/" ID, "", ""},
		{"/kubepods/pod0f2c1b7e-6a3d-4e5f-8091-a2b3c4d5e6f/" ID, "", ""},
		{"/kubepods/pod0f2c1b7e-6a3d-4e5f-8091-a2b3c4d5e6fg/" ID, "", ""},
		{"/kubepods/pod0f2c1b7e+6a3d-4e5f-8091-a2b3c4d5e6f7/" ID, "", ""},
		{"/kubepods/xpod" UID "/" ID, "", ""},
		{"/kubepods/pods" UID "/" ID, "", ""},
		{"/kubepods/pod0f2c1b7e-6a3d-4e5f-8091-zzzzzzzzzzzz/pod" OTHER "/" ID, OTHER, ID},
	};

	(void)state;
	EXPECT_ALL(paths);
}

/* Every start of a path is one that must not be read beyond. */
static void cut_anywhere(void **state)
{
	static const char path[] = BESTEFFORT UID_ ".slice/cri-containerd-" ID ".scope/init.scope";
	const size_t pod = sizeof(BESTEFFORT UID_) - 1;

	(void)state;
	for (size_t i = 0; i < sizeof(path); i++) {
		char cut[sizeof(path)], uid[CGROUP_POD_UID], container[CGROUP_CONTAINER];

		snprintf(cut, sizeof(cut), "%.*s", (int)i, path);
		assert_int_equal(cgroup_pod(cut, uid, container), i < pod ? -ENOENT : 0);
		assert_string_equal(uid, i < pod ? "" : UID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cgroupfs),          cmocka_unit_test(systemd),
		cmocka_unit_test(below_a_container), cmocka_unit_test(nested),
		cmocka_unit_test(no_pods),           cmocka_unit_test(no_uids),
		cmocka_unit_test(cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
