#!/bin/bash
# check.sh: everything that is checked without running whocalls. Each check prints a line; all run, and any that fails
# makes this fail. `make check` starts it: $CHECK_FLAGS and $BPF_FLAGS are the Makefile's flags, $BUILD
# has the generated skeleton.
set -u -o pipefail
: "${BUILD:?}" "${CHECK_FLAGS:?}" "${BPF_FLAGS:?}"
passed=0 failed=0 skipped=0
unset MAKEFLAGS MFLAGS # not as many jobs as whoever called us has

check() { # NAME COMMAND...
  local name=$1 output
  shift
  if output=$("$@" 2>&1 </dev/null); then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    printf '%s\nFAIL  %s\n' "$output" "$name"
  fi
}

skip() { # NAME WHY
  skipped=$((skipped + 1))
  echo "skip  $1 # skipped: $2"
}

# What git has and what it would add; in a tree without git, all but what is built.
files() {
  git -c safe.directory='*' ls-files -co --exclude-standard 2>/dev/null ||
    find . -path "./$BUILD" -prune -o -path ./build -prune -o -path ./.git -prune -o -type f -printf '%P\n'
}
mapfile -t all < <(files | sort -u | while read -r file; do [ ! -f "$file" ] || echo "$file"; done)
chosen() { # PATTERN...: regular expressions for the whole name
  local pattern
  for pattern; do printf '%s\n' "${all[@]}" | grep -xE "$pattern"; done
}
mapfile -t sources < <(chosen 'user/.*\.c')
mapfile -t c_files < <(chosen '(user|bpf|vmlinux|tests)/.*\.[ch]')
mapfile -t scripts < <(chosen '.*\.(sh|bash|bats)' '.*\.bash-completion' '\.ci/run')
# without what tests read, which may be as broken as they like
mapfile -t texts < <(chosen '.*' | grep -vE '^tests/(fuzz/corpus-|unit/data/)')
read -rd '' -a flags <<<"$CHECK_FLAGS"
read -ra bpf_flags <<<"$BPF_FLAGS"
for list in sources c_files scripts texts; do
  declare -n files_of=$list
  [ ${#files_of[@]} -ge 5 ] || { echo "check.sh: found ${#files_of[@]} $list; is this the top of the tree?"; exit 1; }
done

compile() { # COMPILER: all that there is, from the beginning, since flags may have changed
  rm -rf "build/check-$1"
  make --no-print-directory --keep-going -j"$(nproc)" say= BUILD="build/check-$1" CC="$1" WERROR=1 everything
}

bpf_with() { # CLANG
  rm -rf "build/check-$1"
  make --no-print-directory say= BUILD="build/check-$1" CLANG="$1" WERROR=1 build/check-"$1"/whocalls{,-old}.bpf.o
}

# The program maps the data of either build with the skeleton of the first.
same_data() {
  local object
  for object in whocalls whocalls-old; do
    bpftool btf dump file "$BUILD/$object.bpf.o" -j |
      jq -c '.types as $types | $types[] | select(.kind == "DATASEC" and (.name == ".bss" or .name == ".rodata"))
        | [.name, (.vars[] as $var | $types[$var.type_id - 1].name, $var.offset, $var.size)]'
  done | sort | uniq -c | awk '{ print } $1 != 2 { bad = 1 } END { exit bad || NR != 2 }'
}

# Clang warns of padding only in what it lays out, which is what it is made to dump.
padding() { # COMPILER FLAGS...
  "$@" -x c -fsyntax-only -Wpadded -Werror bpf/whocalls.h >/dev/null
}
padding_bpf() { # CLANG
  padding "$1" -target bpf "${bpf_flags[@]}" -isystem vmlinux -include vmlinux.h -Xclang -fdump-record-layouts-complete
}

tidy_one() { # FILE FLAGS...: only its findings, one line each; or what it said, if it failed without any
  local said found ours
  said=$(clang-tidy --quiet "$1" -- "${@:2}" 2>&1) && return
  found=$(grep -E '(error|warning): .*\[' <<<"$said" | sed "s|^$PWD/||; s|[a-z]*/[.][.]/||g; s/,-warnings-as-errors\]/]/")
  ours=$(grep -v "^$BUILD/" <<<"$found") # what bpftool generates is not ours to mend
  [ -n "$found" ] || ours=$(tail -n 20 <<<"$said")
  [ -z "$ours" ] || { echo "$ours" && return 1; }
}
export -f tidy_one
tidy() { # FLAGS...
  # shellcheck disable=SC2016 # for the inner shell
  printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -I FILE bash -c 'tidy_one "$@"' tidy FILE "$@" | sort -u
}

cpp_check() {
  cppcheck --quiet --error-exitcode=1 -j "$(nproc)" --std=c11 --enable=warning,performance,portability --inline-suppr \
    -D_GNU_SOURCE '-DLIBBPF_OPTS(type,name,...)=struct type name={.sz=sizeof(struct type),__VA_ARGS__}' \
    --include=scripts/cppcheck.h \
    "-I$BUILD" --suppress="*:$BUILD/*.skel.h" "${sources[@]}"
}

whitespace() { # as git diff --check, of whole files
  local file bad=0
  for file in "${texts[@]}"; do
    grep -nHP '[ \t\r]+$|^\t* +\t|^(<{7}|={7}|>{7})( |$)' "$file" && bad=1
    [ -z "$(tail -c 1 "$file")" ] || { echo "$file: no newline at its end" && bad=1; }
    [ -n "$(tail -n 1 "$file")" ] || { echo "$file: empty, or an empty line at its end" && bad=1; }
  done
  return $bad
}

# Nothing of the machine it was written on: no paths of it, no files that are not in the tree.
foreign() {
  local bad=0 found name
  grep -nHE '(^|[^A-Za-z0-9_.$}/])/(work|root|home|opt|srv|Users|mnt|usr/local/s?bin)/[A-Za-z0-9._-]' "${texts[@]}" && bad=1
  while IFS=: read -r file found; do
    name=${found##*/}
    grep -qxF -e "$name" < <(printf '%s\n' "${all[@]##*/}") || { echo "$file: names $found, which is not in the tree" && bad=1; }
  done < <(grep -oHP '(?<![A-Za-z0-9_./$}-])[A-Za-z0-9_./-]*[A-Za-z0-9_-]\.(md|sh|bats)\b' "${texts[@]}" | sort -u)
  return $bad
}

check 'gcc, warnings as errors' compile gcc
check 'clang, warnings as errors' compile clang
for clang in clang-14 clang-19; do
  if command -v $clang >/dev/null; then
    check "BPF side with $clang, warnings as errors" bpf_with $clang
    check "no hidden padding, BPF side, $clang" padding_bpf $clang
  else
    skip "BPF side with $clang" "there is no $clang here"
  fi
done
check 'no hidden padding, gcc' padding gcc
check 'no hidden padding, clang' padding clang -Xclang -fdump-record-layouts-complete
check 'both builds of the BPF side have the same data' same_data
if [ -e /sys/kernel/btf/vmlinux ]; then
  check 'kernel types against this kernel' env OBJECT="$BUILD/whocalls.bpf.o" scripts/check-vmlinux.sh /sys/kernel/btf/vmlinux
else
  skip 'kernel types against this kernel' 'this kernel has no BTF'
fi
check 'clang-format' clang-format --dry-run --Werror "${c_files[@]}"
check 'clang-tidy' tidy "${flags[@]}"
check 'cppcheck' cpp_check
check 'shellcheck' shellcheck "${scripts[@]}"
check 'mandoc' mandoc -T lint -W warning deploy/whocalls.1
promtool=$(command -v promtool || { root=$(scripts/prometheus.sh) && echo "$root/usr/bin/promtool"; })
if [ -n "$promtool" ]; then
  check 'rules of Prometheus' "$promtool" test rules deploy/prometheus/rules-test.yaml
else
  skip 'rules of Prometheus' 'there is no promtool, and it could not be got'
fi
check 'white space' whitespace
check 'nothing of another machine' foreign
echo "checks: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
