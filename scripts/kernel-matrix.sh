#!/bin/bash
# kernel-matrix.sh: runs the node tests on each kernel of tests/kernels/matrix with each accept hook that it has, each
# in a guest of its own, two at a time; shows what failed, and ends with a table and its sum. `make test-kernels`
# starts it.
#
#   KERNELS='6.1 7.x'  only these
#   HOOKS=kretprobe    only these accept hooks
#   FILTER=REGEX       only the tests whose name matches, on every hook
#   FULL=1             all tests on every hook of each kernel
#   VERDICT=1          the fault matrix of tests/verdict, too, on the best hook of each kernel: minutes more for each
#   GUESTS=2           how many at a time; each takes one processor and 1 GiB
#   BURST=5000         connections of the test that makes 200,000; emulated, that many take minutes
#   LEAD=12            seconds that a test which needs the time of day has for its first half
#
# What each guest said stays in $BUILD/kernels.
set -uo pipefail
: "${WHOCALLS:?}" "${LOAD:?}" "${BUILD:?}"
limit=1800 # seconds for a guest; the longest takes half of that
work=$BUILD/kernels
rm -rf "$work"
mkdir -p "$work"
trap 'exit 130' INT
trap 'exit 143' TERM HUP
start=$SECONDS

# Of each of these processes this shell is the parent, not one that a shell starts in between: so that it ends with this
# one, even if that is killed.
child() { # COMMAND...
  exec setpriv --pdeathsig KILL "$@"
}

# What there is to do -----------------------------------------------------------------------------

files=(tests/kernels/*.bats tests/node/*.bats)
[ -z "${VERDICT-}" ] || files+=(tests/verdict/*.bats)
# but for what is the same on every kernel, and what needs programs that no guest has
mapfile -t all_groups < <(basename -s .bats "${files[@]}" | grep -vxE 'turns|servers|pods')
declare -A suites tests hooks known=()
kernels=()
while read -r kernel from which list; do
  [[ $kernel != '#'* && -n $kernel ]] || continue
  known[$kernel]=1
  [[ " ${KERNELS:-$kernel} " == *" $kernel "* ]] || continue
  kernels+=("$kernel")
  suites[$kernel]=$from tests[$kernel]=$which hooks[$kernel]=$list
done <tests/kernels/matrix
for kernel in ${KERNELS-}; do
  [[ -n ${known[$kernel]-} ]] || {
    echo "kernel-matrix.sh: KERNELS: there is no $kernel in tests/kernels/matrix" >&2
    exit 64
  }
done

is_best() { # KERNEL HOOK
  [[ $2 == "${hooks[$1]%% *}" ]]
}

# On the best hook of a kernel what the matrix says; on its others those that look at what was accepted, and when.
filter_of() { # KERNEL HOOK
  local accepts='kretprobe|never accepted|500 connections|resets before accept|40 threads|two instances|requests: 840'
  local few="$accepts|doctor|accept hook|best hook|IPv6|IPv4-mapped"
  local some="$few|MPTCP|kubelet|where nobody listens|is stray|full accept queue|half-open|DEFER|then active"
  some+='|some accepted|client resets|megabytes|four servers|requests:'
  if [[ -n ${FILTER-}${FULL-} ]]; then
    echo "${FILTER:-.}"
  elif ! is_best "$@"; then
    echo "$accepts"
  else
    case ${tests[$1]} in
    all) echo . ;;
    some) echo "$some" ;;
    *) echo "$few" ;;
    esac
  fi
}

planned() { # KERNEL HOOK GROUP
  cat tests/{kernels,node,verdict}/"$3.bats" 2>/dev/null | sed -n 's/^@test "\(.*\)" {$/\1/p' | grep -cE "$(filter_of "$1" "$2")"
}

groups_of() { # KERNEL HOOK
  local group
  for group in "${all_groups[@]}"; do
    [ "$(planned "$1" "$2" "$group")" = 0 ] || echo "$group"
  done
}

# On all but the oldest kernel kretprobe stands for what is not the best hook.
runs() { # KERNEL HOOK
  [[ -n ${HOOKS-}${FULL-} || $1 == "${kernels[0]}" || $2 == kretprobe ]] || is_best "$@"
}

# The longest first, so that nothing long is left for the end.
jobs=() lesser=()
for kernel in "${kernels[@]}"; do
  for hook in ${hooks[$kernel]}; do
    [[ " ${HOOKS:-$hook} " == *" $hook "* ]] || continue
    runs "$kernel" "$hook" || continue
    if is_best "$kernel" "$hook"; then jobs+=("$kernel $hook"); else lesser+=("$kernel $hook"); fi
  done
done
jobs+=("${lesser[@]}")
[ ${#jobs[@]} -gt 0 ] || { echo "kernel-matrix.sh: no kernel of KERNELS has an accept hook of HOOKS" >&2 && exit 64; }

# Kernels and images ------------------------------------------------------------------------------

arch_of() { # KERNEL
  if [[ $1 == *-arm64 ]]; then echo arm64; else echo amd64; fi
}

image() { # KERNEL FOLDER: what arm64 has instead of this machine's programs is cross-built
  local root
  if [[ $(arch_of "$1") == arm64 ]]; then
    make -s --no-print-directory BUILD="$BUILD" WERROR=1 say= arm64 && root=$(scripts/arm64-root.sh) || return
    export WHOCALLS=$BUILD/arm64/whocalls LOAD=$BUILD/arm64/whocalls-load
  fi
  child scripts/kernel-image.sh "$2" "$work/$1.cpio" ${root+"$root"}
}

for kernel in "${kernels[@]}"; do
  child scripts/kernel-fetch.sh "${suites[$kernel]}" "$(arch_of "$kernel")" >"$work/$kernel.folder" 2>"$work/$kernel.log" &
done
wait
QEMU=${QEMU:-$(scripts/kernel-qemu.sh)} || exit
export QEMU
declare -A folder release
for kernel in "${kernels[@]}"; do
  got=$(<"$work/$kernel.folder")
  if [ -n "$got" ] && (image "$kernel" "$got") >>"$work/$kernel.log" 2>&1; then
    folder[$kernel]=$got
    release[$kernel]=$(<"$got/release")
  fi
  sed "s/^/$kernel: /" "$work/$kernel.log"
  echo "$kernel: ${release[$kernel]-FAILED: there is nothing to boot}"
done

# Guests ------------------------------------------------------------------------------------------

declare -A cell took
sum_passed=0 sum_failed=0 sum_skipped=0

run() { # KERNEL HOOK
  local name=$1-$2 best='' groups
  ! is_best "$1" "$2" || best=1
  groups=$(groups_of "$1" "$2")
  child scripts/kernel-run.sh "${folder[$1]}" "$work/$1.cpio" "$work/$name.log" $limit "hook=$2" "best=$best" \
    "groups=${groups//$'\n'/,}" "filter=\"$(filter_of "$1" "$2")\"" "BURST=${BURST:-5000}" "LEAD=${LEAD:-12}" >"$work/$name.end"
}

# Of a guest's TAP: GROUP PASSED FAILED SKIPPED
count() {
  awk '/^=== end/ { exit }
    /^=== / { group = $2; groups[group] = 1; next }
    /^ok .* # skip/ { skipped[group]++; next }
    /^ok / { passed[group]++ }
    /^not ok / { failed[group]++ }
    END { for (g in groups) print g, passed[g] + 0, failed[g] + 0, skipped[g] + 0 }' "$1"
}

finished() { # KERNEL HOOK STATUS: adds up, and shows what failed
  local kernel=$1 hook=$2 status=$3 log=$work/$1-$2.log group plan p f s of_guest=0
  local -A seen=()
  while read -r group p f s; do
    seen[$group]="$p $f $s"
  done < <(count "$log" 2>/dev/null)
  for group in $(groups_of "$kernel" "$hook"); do
    read -r p f s <<<"${seen[$group]:-0 0 0}"
    # what should have run and didn't has failed
    plan=$(planned "$kernel" "$hook" "$group")
    if [ $((p + f + s)) -lt "$plan" ]; then f=$((plan - p - s)); fi
    cell[$kernel-$hook-$group]=$p/$f/$s
    sum_passed=$((sum_passed + p)) sum_failed=$((sum_failed + f)) sum_skipped=$((sum_skipped + s))
    of_guest=$((of_guest + f))
  done
  if [ "$status" -ne 0 ] && [ $of_guest -eq 0 ]; then
    of_guest=1
    sum_failed=$((sum_failed + 1))
  fi
  if [ $of_guest -eq 0 ]; then
    echo "$kernel $hook: passed in ${took[$kernel-$hook]} s"
  else
    echo "$kernel $hook: $of_guest FAILED in ${took[$kernel-$hook]} s"
    awk '/^not ok / { show = 1 } !/^(not ok|#)/ { show = 0 } show { print "  " $0 }' "$log" 2>/dev/null
    sed 's/^/  /' "$work/$kernel-$hook.end"
  fi
  # no test fails by it, but it may be of our doing
  grep -aE 'BUG|WARNING:|Oops|lockup|stall' "$log.console" 2>/dev/null | sed "s/^/  the kernel said: /"
}

declare -A job_of began
reap() { # waits for one of the guests
  local pid status
  # by their ids: otherwise a process substitution that has ended counts as one, too
  wait -n -p pid "${!job_of[@]}"
  status=$?
  took[${job_of[$pid]/ /-}]=$((SECONDS - began[$pid]))
  # shellcheck disable=SC2086 # KERNEL HOOK
  finished ${job_of[$pid]} $status
  unset "job_of[$pid]"
  running=$((running - 1))
}

running=0
for job in "${jobs[@]}"; do
  read -r kernel hook <<<"$job"
  if [ -z "${folder[$kernel]-}" ]; then
    echo "there is nothing to boot" >"$work/$kernel-$hook.end"
    took[$kernel-$hook]=0
    finished "$kernel" "$hook" 1
    continue
  fi
  [ $running -lt "${GUESTS:-2}" ] || reap
  run "$kernel" "$hook" &
  job_of[$!]=$job began[$!]=$SECONDS
  running=$((running + 1))
done
while [ $running -gt 0 ]; do reap; done

# The table ---------------------------------------------------------------------------------------

row() {
  printf '%-10s %-10s' "$1" "$2"
  printf ' %10s' "${@:3}"
  printf '\n'
}
echo
echo "passed/failed/skipped of each group of tests; -: not run with this hook"
row KERNEL HOOK "${all_groups[@]}" SECONDS
for kernel in "${kernels[@]}"; do
  for hook in ${hooks[$kernel]}; do
    [ -n "${took[$kernel-$hook]-}" ] || continue
    cells=()
    for group in "${all_groups[@]}"; do cells+=("${cell[$kernel-$hook-$group]--}"); done
    row "$kernel" "$hook" "${cells[@]}" "${took[$kernel-$hook]}"
  done
done
echo "${#jobs[@]} guests in $((SECONDS - start)) s"
echo "kernels: $sum_passed passed, $sum_failed failed, $sum_skipped skipped"
[ $sum_failed -eq 0 ] && [ $sum_passed -gt 0 ]
