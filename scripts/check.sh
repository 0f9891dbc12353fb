#!/bin/bash
# check.sh: compilers with warnings as errors, clang-format, clang-tidy, cppcheck, shellcheck, mandoc. $CFLAGS: as
# the Makefile compiles. Each check prints a line; all run, and any that fails makes this fail.
set -u
passed=0 failed=0

check() { # NAME COMMAND...
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    printf '%s\nFAIL  %s\n' "$output" "$name"
  fi
}

mapfile -t sources < <(git ls-files 'user/*.c')
mapfile -t c_files < <(git ls-files 'user/*.[ch]' 'bpf/*.[ch]' 'tests/*.[ch]')
mapfile -t scripts < <(git ls-files 'scripts/*.sh' 'tests/*.sh' 'tests/*.bats' 'deploy/*.bash-completion' .ci/run)
read -ra flags <<<"${CFLAGS:?}"

tidy() {
  # only its findings: it counts those in system headers on standard error
  printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -I FILE clang-tidy --quiet FILE -- "${flags[@]}" 2>/dev/null
}

compile() { # COMPILER: everything with warnings as errors, in a folder of its own
  make --no-print-directory BUILD="build/check-$1" CC="$1" WERROR=1
}

bpf_with() { # every clang here builds the BPF side
  make --no-print-directory BUILD="build/check-$1" CLANG="$1" WERROR=1 "build/check-$1/whocalls.bpf.o"
}

padded() { # the header that both sides share has no hidden padding, on either side
  gcc -x c -fsyntax-only -Wpadded -Werror bpf/whocalls.h &&
    clang -x c -fsyntax-only -Werror -target bpf -include vmlinux/vmlinux.h -D__TARGET_ARCH_x86 -Wno-everything -Wpadded bpf/whocalls.h
}

check 'gcc, warnings as errors' compile gcc
check 'clang, warnings as errors' compile clang
for clang in clang-14 clang-19; do
  command -v $clang >/dev/null && check "BPF side with $clang" bpf_with $clang
done
check 'shared header has no padding' padded
check 'kernel types against this kernel' scripts/check-vmlinux.sh /sys/kernel/btf/vmlinux
check 'clang-format' clang-format --dry-run --Werror "${c_files[@]}"
check 'clang-tidy' tidy
check 'cppcheck' cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
  --inline-suppr -D_GNU_SOURCE '-DLIBBPF_OPTS(type,name,...)=struct type name={.sz=sizeof(struct type),__VA_ARGS__}' -Ibuild "${sources[@]}"
check 'shellcheck' shellcheck "${scripts[@]}"
check 'mandoc' mandoc -T lint -W warning deploy/whocalls.1
echo "checks: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
