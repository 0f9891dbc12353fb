#!/bin/sh
# deps.sh build|arm64|test|kernels|kube|agent|check|bench|bench-kernels...: installs what is missing of Debian's packages for
# these tasks, and says so first. Elsewhere than on Debian it only tells what is needed.
set -eu

packages() {
  case $1 in
  build) echo gcc make pkg-config clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev libjansson-dev libyaml-dev libcurl4-openssl-dev libmicrohttpd-dev libgnutls28-dev uthash-dev ;;
  arm64) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;;
  test) echo libcmocka-dev bats jq yq iproute2 util-linux procps nginx wrk curl openssl nghttp2-server nghttp2-client ;;
  kernels) echo qemu-system-x86 qemu-system-arm bats jq iproute2 util-linux procps kmod cpio xz-utils zstd lz4 ;;
  kube) echo bats jq iproute2 util-linux procps dpkg-dev curl openssl iptables libc6-dev ;;
  agent) echo yq ;;
  demo) echo iproute2 util-linux jq ;;
  check) echo clang-tidy clang-format cppcheck shellcheck mandoc libclang-rt-14-dev clang-19 ;;
  bench) echo jq iproute2 util-linux procps libbpf-tools bpftrace nginx-light wrk ;;
  bench-kernels) echo libbpf-tools bpftrace bpfcc-tools conntrack nftables ;;
  *) echo "deps.sh: there is no task '$1'" >&2 && exit 64 ;;
  esac
}

missing=
for task in "$@"; do
  for package in $(packages "$task"); do
    case " $missing " in *" $package "*) continue ;; esac
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed' ||
      missing="$missing $package"
  done
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "These Debian packages, or what they are called here, may be missing:$missing" >&2
  exit 0
fi
echo "Installing Debian packages:$missing"
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
export DEBIAN_FRONTEND=noninteractive
# nginx is wanted as a program: apt must not start it on this machine, now or at its next boot.
policy=/usr/sbin/policy-rc.d
case " $missing " in *" nginx "*)
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
    trap '$sudo rm -f "$policy"' EXIT
  fi
  ;;
esac
# shellcheck disable=SC2086 # a list of words
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
case " $missing " in *" nginx "*) $sudo systemctl disable nginx >/dev/null 2>&1 || true ;; esac
