# whocalls: `make` leaves build/whocalls. V=1 shows the commands; WERROR=1 makes warnings errors (CI).

PREFIX ?= /usr/local
DESTDIR ?=
CLANG ?= clang
LLVM_STRIP ?= llvm-strip
BPFTOOL ?= $(or $(shell command -v bpftool),/usr/sbin/bpftool)
PKG_CONFIG ?= pkg-config
CLANG_FORMAT ?= clang-format
ARCH ?= $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
BUILD ?= build

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

PACKAGES := libbpf jansson yaml-0.1 libcurl libmicrohttpd gnutls zlib
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DWHOCALLS_VERSION='"$(VERSION)"' $(WARNINGS) \
	$(shell $(PKG_CONFIG) --cflags $(PACKAGES)) -isystem $(BUILD) -MMD -MP $(CFLAGS) $(SANITIZE)
LIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES))
BPF_CFLAGS := -g -O2 -mcpu=v3 -target bpf -fno-strict-aliasing -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Wno-unused-parameter
ifdef WERROR
ALL_CFLAGS += -Werror
BPF_CFLAGS += -Werror
endif

ifeq ($(V),1)
Q :=
say :=
else
Q := @
say = @printf '  %-8s %s\n' $(1) $(2);
endif

# The program without its main(): what unit tests and fuzzers link with.
SOURCES := $(wildcard user/*/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)

.PHONY: all build
all: $(BUILD)/whocalls

# What is only built, on all processors, if make was not told otherwise. Tests run one after the other.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

# The same, after installing what is missing.
build:
	$(Q)scripts/deps.sh build
	$(Q)$(MAKE) --no-print-directory $(JOBS) all

.DELETE_ON_ERROR:

# main.o holds the version: made again when that is another.
.PHONY: force
$(BUILD)/version: force
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@

$(BUILD)/user/main.o: $(BUILD)/version

$(BUILD)/whocalls: $(BUILD)/user/main.o $(OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The BPF side twice: for this decade's kernels, and for those before 5.12 (bpf/kernel.h).
SKELETONS := $(BUILD)/whocalls.skel.h $(BUILD)/whocalls-old.skel.h
.SECONDARY: $(SKELETONS:%.skel.h=%.bpf.o)
$(filter $(BUILD)/user/capture/%,$(OBJECTS)): $(SKELETONS)

$(BUILD)/whocalls-old.bpf.o: BPF_CFLAGS += -DOLD_KERNEL
$(BUILD)/%.bpf.o: bpf/whocalls.bpf.c $(wildcard bpf/*) vmlinux/vmlinux.h
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<
	$(Q)$(LLVM_STRIP) -g $@ # BTF stays

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf > $@

# The same for arm64, cross-built, with the client and server of its tests: $(BUILD)/arm64.
.PHONY: arm64
arm64:
	$(Q)scripts/deps.sh build arm64
	$(Q)root=$$(scripts/arm64-root.sh) && \
	export PKG_CONFIG_SYSROOT_DIR=$$root PKG_CONFIG_LIBDIR=$$root/usr/lib/aarch64-linux-gnu/pkgconfig && \
	$(MAKE) --no-print-directory $(JOBS) BUILD=$(BUILD)/arm64 ARCH=arm64 \
		LDFLAGS=-Wl,-rpath-link,$$root/usr/lib/aarch64-linux-gnu \
		CC="aarch64-linux-gnu-gcc --sysroot=$$root" test-programs

# --- tests: `make test` is what a newcomer runs; it installs what it needs ---

TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test-*.c))
LOAD := $(BUILD)/whocalls-load
TEST_LIBS = $(shell $(PKG_CONFIG) --libs cmocka)

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(OBJECTS)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(TEST_LIBS) $(LIBS)

# What else is compiled, without being linked: for `make check`. Kept: otherwise make removes what it linked a test from.
TEST_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/*/*.c))
.SECONDARY: $(TEST_OBJECTS)

LOAD_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/load/*.c))
$(LOAD): $(LOAD_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^

# An API server that tests can make odd.
API := $(BUILD)/whocalls-api
$(API): $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/api/*.c))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ -lz $(shell $(PKG_CONFIG) --libs jansson)

.PHONY: test test-unit test-cli test-node test-api test-verdict-short test-programs
test:
	$(Q)scripts/deps.sh build test
	$(Q)$(MAKE) --no-print-directory $(JOBS) test-build
	$(Q)$(MAKE) --no-print-directory --keep-going NODE_OPTIONS='--filter-tags !kernel-side' \
		test-unit test-cli test-node test-api test-verdict-short

.PHONY: test-build test-turns
test-build: test-programs $(TESTS) $(API)
	@:

test-programs: $(BUILD)/whocalls $(LOAD)
	@:

test-unit: $(TESTS)
	$(Q)scripts/run-unit.sh $(TESTS)

test-cli: test-programs
	$(Q)WHOCALLS=$(abspath $(BUILD)/whocalls) scripts/run-bats.sh tests/cli

test-node: test-programs
	$(Q)WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) scripts/run-bats.sh tests/node $(NODE_OPTIONS)

# What a turn is, and servers that others wrote: the kernel side's, and not part of the newcomer's.
test-turns:
	$(Q)scripts/deps.sh build test
	$(Q)$(MAKE) --no-print-directory NODE_OPTIONS='--filter-tags kernel-side' test-node

test-api: test-programs $(API)
	$(Q)WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) API=$(abspath $(API)) \
		scripts/run-bats.sh tests/api

# That no verdict is wrong: all rows of the fault matrix, and RUNS that are drawn from a SEED; and of both a few.
.PHONY: test-verdict test-verdict-matrix test-verdict-random test-verdict-short-matrix test-verdict-short-random
test-verdict:
	$(Q)scripts/deps.sh build test
	$(Q)$(MAKE) --no-print-directory --keep-going test-verdict-matrix test-verdict-random

test-verdict-matrix: test-programs
	$(Q)WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) scripts/run-bats.sh tests/verdict

test-verdict-random: test-programs
	$(Q)WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) tests/verdict/random.sh

test-verdict-short: test-verdict-short-matrix test-verdict-short-random

test-verdict-short-matrix: test-programs
	$(Q)WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) scripts/run-bats.sh tests/verdict --filter-tags short

test-verdict-short-random: test-programs
	$(Q)WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) RUNS=$${RUNS:-6} tests/verdict/random.sh

# The same tests with the address, leak and undefined-behaviour sanitizers. Their reports go to files, so that none is
# lost with a process whose status or standard error no test looks at. Without those of what the kernel side alone does.
# LeakSanitizer runs everywhere here: under unshare,
# nsenter, setpriv --pdeathsig and as another user. Only a process that is traced (strace, gdb) has to do without.
REPORTS := $(abspath build/sanitizers/reports)
.PHONY: test-sanitizers
test-sanitizers:
	$(Q)scripts/deps.sh build test
	$(Q)rm -rf $(REPORTS)
	$(Q)mkdir -p $(REPORTS)
	$(Q)chmod 1777 $(REPORTS)
	$(Q)export ASAN_OPTIONS=detect_leaks=1:log_path=$(REPORTS)/report UBSAN_OPTIONS=print_stacktrace=1; \
	sanitized() { $(MAKE) --no-print-directory BUILD=build/sanitizers CFLAGS='-O1 -g -fno-omit-frame-pointer' \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined' "$$@"; }; \
	sanitized $(JOBS) test-build && \
	sanitized --keep-going NODE_OPTIONS='--filter-tags !kernel-side' test-unit test-cli test-node test-api; status=$$?; \
	cat $(REPORTS)/* 2>/dev/null && echo "sanitizers: 0 passed, $$(ls $(REPORTS) | wc -l) failed, 0 skipped" && status=1; \
	exit $$status

# The node tests on Debian's kernels, each in a guest of its own: tests/kernels/matrix. KERNELS=6.1 picks some, and
# scripts/kernel-matrix.sh tells what else can be set. Needs no root, once its packages are installed.
.PHONY: test-kernels
test-kernels:
	$(Q)scripts/deps.sh build arm64 kernels
	$(Q)$(MAKE) --no-print-directory --keep-going test-kernel-types test-kernel-guests

.PHONY: test-kernel-types test-kernel-guests
test-kernel-types: test-programs
	$(Q)BUILD=$(BUILD) KERNELS='$(KERNELS)' scripts/kernel-types.sh

test-kernel-guests: test-programs
	$(Q)exec env BUILD=$(BUILD) WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) KERNELS='$(KERNELS)' \
		setpriv --pdeathsig TERM scripts/kernel-matrix.sh

# Against a real Kubernetes, which is built once and kept outside the tree (scripts/kube-build.sh). The program of the
# load is linked statically, to be a pod's.
STATIC_LOAD := $(BUILD)/whocalls-load-static
$(STATIC_LOAD): $(LOAD_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -static -o $@ $^

.PHONY: test-kube test-kube-cluster
test-kube:
	$(Q)scripts/deps.sh build kube
	$(Q)$(MAKE) --no-print-directory test-kube-cluster

test-kube-cluster: test-programs $(STATIC_LOAD)
	$(Q)KUBE_ROOT=$$(exec setpriv --pdeathsig TERM scripts/kube-build.sh) && export KUBE_ROOT && \
		WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) LOAD_STATIC=$(abspath $(STATIC_LOAD)) \
		scripts/run-bats.sh tests/kube

# The image and the manifests of deploy/ on a whole node, scraped by Debian's Prometheus.
.PHONY: test-agent test-agent-node
test-agent:
	$(Q)scripts/deps.sh build kube agent
	$(Q)$(MAKE) --no-print-directory test-agent-node

test-agent-node: test-programs $(STATIC_LOAD) image
	$(Q)KUBE_ROOT=$$(exec setpriv --pdeathsig TERM scripts/kube-build.sh) && export KUBE_ROOT && \
		PROMETHEUS=$$(exec setpriv --pdeathsig TERM scripts/prometheus.sh) && export PROMETHEUS && \
		WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) LOAD_STATIC=$(abspath $(STATIC_LOAD)) \
		IMAGE=$(abspath $(BUILD)/whocalls-image.tar) scripts/run-bats.sh tests/agent

# libFuzzer targets; FUZZ_SECONDS each.
FUZZ_SECONDS ?= 60
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz-*.c))
.PHONY: fuzz $(FUZZERS:%=run-%)
fuzz:
	$(Q)scripts/deps.sh build check
	$(Q)$(MAKE) --no-print-directory $(JOBS) --keep-going BUILD=build/fuzz CC=$(CLANG) CFLAGS='-O1 -g' \
		SANITIZE='-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined' \
		$(FUZZERS:%=run-%)
	@echo "fuzz: $(words $(FUZZERS)) passed, 0 failed, 0 skipped"

$(FUZZERS:%=run-%): run-fuzz-%: $(BUILD)/fuzz-%
	$(Q)mkdir -p $(BUILD)/corpus-$*
	$(Q)$(BUILD)/fuzz-$* -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
		-print_final_stats=1 -verbosity=0 -artifact_prefix=$(BUILD)/ \
		$(BUILD)/corpus-$* tests/fuzz/corpus-$*

$(BUILD)/fuzz-%: $(BUILD)/tests/fuzz/fuzz-%.o $(OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# --- checks, bench, demo ---

.PHONY: check check-all everything format bench bench-requests bench-kube bench-agent bench-kernels demo
check:
	$(Q)scripts/deps.sh build test check
	$(Q)$(MAKE) --no-print-directory check-all

check-all: $(SKELETONS)
	$(Q)BUILD=$(BUILD) BPF_FLAGS='$(filter -D%,$(BPF_CFLAGS))' CHECK_FLAGS='-DWHOCALLS_VERSION="x" \
		$(filter-out -MMD -MP -DWHOCALLS_VERSION=%,$(ALL_CFLAGS))' \
		scripts/check.sh

everything: all $(TESTS) $(LOAD) $(TEST_OBJECTS)

format:
	$(Q)$(CLANG_FORMAT) -i bpf/*.[ch] vmlinux/*.h user/*.c user/*/*.[ch] tests/*/*.[ch]

# What a trace costs connections, and what it costs requests of one that is kept; the second part alone too.
BENCH_PROGRAMS := $(patsubst %,$(BUILD)/bench/%,connections empty requests)
bench bench-requests:
	$(Q)scripts/deps.sh build bench
	$(Q)$(MAKE) --no-print-directory test-programs $(BENCH_PROGRAMS)
	$(Q)export WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) BENCH=$(abspath $(BUILD)/bench); \
	$(if $(filter bench,$@),tests/bench/bench.sh && )tests/bench/requests.sh

# What names from a cluster of 100,000 pods cost; tests/bench/kube.sh tells what can be set.
bench-kube:
	$(Q)scripts/deps.sh build bench
	$(Q)$(MAKE) --no-print-directory test-programs $(API)
	$(Q)WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) API=$(abspath $(API)) tests/bench/kube.sh

# What an agent costs: memory, CPU at rest, answers; tests/bench/agent.sh tells what can be set.
bench-agent:
	$(Q)scripts/deps.sh build bench
	$(Q)$(MAKE) --no-print-directory test-programs $(API)
	$(Q)WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) API=$(abspath $(API)) tests/bench/agent.sh

# What a trace costs on kernels of tests/kernels/matrix, in instructions; scripts/kernel-bench.sh tells what can be set.
bench-kernels:
	$(Q)scripts/deps.sh build kernels bench-kernels
	$(Q)$(MAKE) --no-print-directory test-programs $(BENCH_PROGRAMS)
	$(Q)exec env BUILD=$(BUILD) WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) \
		BENCH=$(abspath $(BUILD)/bench) KERNELS='$(KERNELS)' setpriv --pdeathsig TERM scripts/kernel-bench.sh

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

demo:
	$(Q)scripts/deps.sh build demo
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)WHOCALLS=$(abspath $(BUILD)/whocalls) LOAD=$(abspath $(LOAD)) scripts/demo.sh

# What the DaemonSet runs, as an archive for `ctr -n k8s.io images import` or `docker load`; deploy/Dockerfile makes the
# same with Docker.
.PHONY: image
image: $(BUILD)/whocalls
	$(Q)deploy/image.sh $< whocalls:$(VERSION) $(BUILD)/whocalls-image.tar

# --- install, clean ---

.PHONY: install uninstall clean
install: $(BUILD)/whocalls
	install -D -m 755 $(BUILD)/whocalls $(DESTDIR)$(PREFIX)/sbin/whocalls
	install -D -m 644 deploy/whocalls.1 $(DESTDIR)$(PREFIX)/share/man/man1/whocalls.1
	install -D -m 644 deploy/whocalls.bash-completion \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/whocalls
	install -D -m 644 deploy/whocalls-agent.service $(DESTDIR)$(PREFIX)/lib/systemd/system/whocalls-agent.service

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/whocalls $(DESTDIR)$(PREFIX)/share/man/man1/whocalls.1 \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/whocalls-agent.service \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/whocalls

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
