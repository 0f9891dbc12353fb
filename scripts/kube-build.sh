#!/bin/bash
# kube-build.sh: makes a folder with all that a node of Kubernetes is made of, and prints it: `usr/bin`, `usr/sbin`,
# `usr/lib/cni` and `bin` in it have
#
#   kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl   built from Debian's source
#   etcd containerd runc, the CNI plugins, a static busybox                            out of Debian's packages
#
# Debian packages kubectl only (bookworm's dies of SIGSEGV, see below), but has the source of all. It is built once, in
# 4 to 10 minutes on two cores, and kept in $WHOCALLS_CACHE by the versions of what it is built from and by the recipe
# below. Nothing is installed. If nothing can be looked up, the newest that is kept is taken.
set -euo pipefail
trap 'echo "kube-build.sh: failed in line $LINENO" >&2' ERR
suites=bookworm,bookworm-security
packages=(etcd-server containerd runc containernetworking-plugins busybox-static)
builders=(golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev)
# shellcheck source=scripts/kernel-apt.sh
. "${0%/*}/kernel-apt.sh"

cache_open kube

fail() {
  echo "kube-build.sh: $*" >&2
  exit 1
}

took() { # WHAT: since the last
  echo "kube-build.sh: $1: $((SECONDS - since)) s" >&2
  since=$SECONDS
}

# In GOPATH mode, as Kubernetes' own Makefile has it. Debian leaves the generated OpenAPI definitions out, so they are
# made first. The reflect2 that Kubernetes 1.20 carries dies of maps when built with Go 1.18 or later: Debian's is
# newer. Left out: cloud providers and dockershim, which are half of the work.
build() { # SOURCE ROOT BIN: what SOURCE is the folder of, with the tools of ROOT, to BIN
  local source=$1 root=$2 bin=$3 openapi=vendor/k8s.io/kube-openapi/cmd/openapi-gen flags='-s -w' folders package
  export GOROOT=$root/usr/lib/go-1.19 GOPATH=${source%/src/k8s.io/kubernetes} GOCACHE=$root/cache
  export GO111MODULE=off GOPROXY=off GOTOOLCHAIN=local GOFLAGS='' CGO_ENABLED=0 PATH=$root/usr/lib/go-1.19/bin:$PATH
  cd "$source"
  rm -rf vendor/github.com/modern-go/reflect2
  cp -r "$root/usr/share/gocode/src/github.com/modern-go/reflect2" vendor/github.com/modern-go/
  go build -o "$root/openapi-gen" "./$openapi"
  folders=$(grep -rl --include='*.go' '+k8s:openapi-gen=' pkg cmd plugin vendor/k8s.io/*/ |
    grep -vE '_test\.go|/generated/|testdata|^vendor/k8s.io/(code-generator|sample-apiserver|kube-openapi|gengo)/' |
    xargs -n 1 dirname | LC_ALL=C sort -u | sed 's|^|k8s.io/kubernetes/|' | paste -sd ,)
  "$root/openapi-gen" --logtostderr -i "$folders" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
    -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$root/violations" >&2
  cmp "$root/violations" api/api-rules/violation_exceptions.list >&2
  took openapi
  for package in component-base/version client-go/pkg/version; do
    package=k8s.io/kubernetes/vendor/k8s.io/$package
    flags+=" -X $package.gitVersion=v1.20.2 -X $package.gitMajor=1 -X $package.gitMinor=20"
  done
  mkdir -p "$bin"
  go build -trimpath -tags providerless,dockerless -ldflags "$flags" -o "$bin/" \
    ./cmd/kube-apiserver ./cmd/kube-controller-manager ./cmd/kube-scheduler ./cmd/kube-proxy ./cmd/kubelet \
    ./cmd/kubectl >&2
}

newest() { # PREFIX: the newest of these that is kept, or nothing
  find "$cache" -mindepth 1 -maxdepth 1 -name "$1-*" -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-
}

versions() { # PACKAGE...
  local package
  for package; do echo "$package $(apt_version "$package")"; done
}

hash() {
  sha256sum | cut -c -16
}

since=$SECONDS
apt_suites "$work" "$suites" '' 'deb deb-src'
source_version=$(apt_source_version kubernetes)
if [ -z "$source_version" ]; then
  kept=$(newest node)
  [ -n "$kept" ] || fail "there is no source package kubernetes: $(tail -n 3 "$work/update.log")"
  echo "kube-build.sh: could not look up the newest packages; taking ${kept##*/}, which is kept" >&2
  echo "$kept"
  exit
fi
built=$cache/built-$( (versions "${builders[@]}" && echo "$source_version" && declare -f build) | hash)
node=$cache/node-$( (versions "${packages[@]}" && echo "$built") | hash)
took lists

if [ ! -e "$built" ]; then
  echo "kube-build.sh: building Kubernetes $source_version, once; this takes some minutes" >&2
  apt_unpack "$work/go" "${builders[@]}" || fail "could not get ${builders[*]}"
  (cd "$work" && timeout 600 apt-get "${APT[@]}" source --download-only "kubernetes=$source_version" >&2) ||
    fail "could not get the source package kubernetes"
  mkdir -p "$work/gopath/src/k8s.io"
  dpkg-source --no-check -x "$work"/kubernetes_*.dsc "$work/gopath/src/k8s.io/kubernetes" >/dev/null
  took 'getting and unpacking the source'
  (build "$work/gopath/src/k8s.io/kubernetes" "$work/go" "$work/built")
  mv "$work/built" "$built"
  took 'building all'
fi
if [ ! -e "$node" ]; then
  apt_unpack "$work/node" "${packages[@]}" || fail "could not get ${packages[*]}"
  cp -l "$built"/* "$work/node/usr/bin/"
  mv "$work/node" "$node"
  took packages
fi
touch "$built" "$node"
# what nobody has asked for in two months
find "$cache" -mindepth 1 -maxdepth 1 \( -name 'built-*' -o -name 'node-*' \) -mtime +60 -exec rm -rf {} +
echo "$node"
