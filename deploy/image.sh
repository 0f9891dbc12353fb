#!/bin/bash
# image.sh PROGRAM REFERENCE ARCHIVE: the image of deploy/Dockerfile without Docker, out of PROGRAM and this machine's
# libraries. ARCHIVE is a tar that `ctr -n k8s.io images import`, `docker load` and `skopeo` take: an OCI layout, and
# Docker's manifest beside it. The same files give the same bytes. Needs tar, gzip, jq, sha256sum,
# and strip. It prints how large the archive is, as a registry keeps it, and what a node unpacks.
set -euo pipefail
[ $# = 3 ] || { echo "usage: ${0##*/} PROGRAM REFERENCE ARCHIVE" >&2 && exit 64; }
program=$1 reference=$2 archive=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
umask 022

# What the kubelet makes of a name without a registry.
case $reference in
*.*/* | *:*/* | localhost/*) ;;
*/*) reference=docker.io/$reference ;;
*) reference=docker.io/library/$reference ;;
esac
case $(uname -m) in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
*) architecture=$(uname -m) ;;
esac

pack() { # FOLDER FILE NAME...
  tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=gnu -C "$1" -cf "$2" "${@:3}"
}

# put TYPE FILE: moves it to where the layout has it; prints how it is referred to.
put() {
  local hash size
  hash=$(sha256sum <"$2")
  size=$(stat -c %s "$2")
  mv "$2" "$folder/layout/blobs/sha256/${hash%% *}"
  jq -nc --arg type "application/vnd.oci.image.$1" --arg hash "sha256:${hash%% *}" --argjson size "$size" \
    '{mediaType: $type, digest: $hash, $size}'
}

mkdir -p "$folder/layout/blobs/sha256" "$folder/root"
"${0%/*}/image-root.sh" "$program" "$folder/root"
pack "$folder/root" "$folder/layer" .
unpacked=$(stat -c %s "$folder/layer")
content=$(sha256sum <"$folder/layer")
gzip -n "$folder/layer"
layer=$(put layer.v1.tar+gzip "$folder/layer.gz")
jq -nc --arg architecture "$architecture" --arg content "sha256:${content%% *}" '{
  $architecture, os: "linux", created: "1970-01-01T00:00:00Z", config: {Entrypoint: ["/whocalls"]},
  rootfs: {type: "layers", diff_ids: [$content]}, history: [{created: "1970-01-01T00:00:00Z"}]}' >"$folder/config"
config=$(put config.v1+json "$folder/config")
jq -nc --argjson layer "$layer" --argjson config "$config" '{
  schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", $config, layers: [$layer]}' >"$folder/manifest"
manifest=$(put manifest.v1+json "$folder/manifest")
jq -nc --argjson manifest "$manifest" --arg reference "$reference" --arg architecture "$architecture" '{
  schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
  manifests: [$manifest + {platform: {$architecture, os: "linux"}, annotations: {
    "io.containerd.image.name": $reference, "org.opencontainers.image.ref.name": ($reference | split(":")[-1])}}]}' \
  >"$folder/layout/index.json"
jq -nc --argjson layer "$layer" --argjson config "$config" --arg reference "$reference" '
  def blob: "blobs/" + sub(":"; "/");
  [{Config: ($config.digest | blob), RepoTags: [$reference], Layers: [$layer.digest | blob]}]' \
  >"$folder/layout/manifest.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$folder/layout/oci-layout"
pack "$folder/layout" "$folder/archive" blobs index.json manifest.json oci-layout
mkdir -p "$(dirname "$archive")"
mv "$folder/archive" "$archive"
mib() { # BYTES
  local tenths=$(($1 * 10 / 1048576))
  echo "$((tenths / 10)).$((tenths % 10)) MiB"
}
echo "$archive: $reference, $(mib "$(stat -c %s "$archive")"), unpacked $(mib "$unpacked")"
