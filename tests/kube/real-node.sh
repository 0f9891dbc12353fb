# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Sourced by control-plane.sh: containerd, kubelet, scheduler and kube-proxy of node-a, and docker.io/local/load:1, the
# one image that there is: busybox and whocalls-load. Pods share /run/gates of the node with the tests.
# shellcheck disable=SC2154 # folder, cgroup, address

# The kubelet writes three settings of the whole machine: here it finds files that look like them.
mkdir /run/settings /run/gates /run/cni
for setting in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do
  file=/run/settings/${setting##*/}
  echo "${setting#*=}" >"$file"
  mount --bind "$file" "/proc/sys/${setting%=*}"
done
sysctl -qw net.ipv4.ip_forward=1
# so that what goes from pod to pod over the bridge is seen by kube-proxy's rules
[[ ! -e /proc/sys/net/bridge ]] || sysctl -qw net.bridge.bridge-nf-call-iptables=1
# what kubelet, CNI and containerd write into fixed places
mkdir -p /run/lib/{written,work}
mount -t overlay lib -o lowerdir=/var/lib,upperdir=/run/lib/written,workdir=/run/lib/work /var/lib
mount -t tmpfs log /var/log

cat >/run/cni/10-bridge.conflist <<CONFIG
{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true,
  "ipMasq": false, "hairpinMode": true, "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}],
    "ranges": [[{"subnet": "10.244.0.0/24"}]]}}]}
CONFIG
# restrict_oom_score_adj: where root may not lower it, no container would start
cat >containerd.toml <<CONFIG
version = 2
root = "/run/containerd-root"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/local/load:1"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "$KUBE_ROOT/usr/lib/cni"
conf_dir = "/run/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
CONFIG
start containerd -c "$folder/containerd.toml"

# An archive as `docker save` makes it.
mkdir -p /run/image/{root/bin,root/tmp,archive}
cp "$KUBE_ROOT/bin/busybox" /run/image/root/bin/
cp "$LOAD_STATIC" /run/image/root/bin/whocalls-load
for tool in $(busybox --list); do
  [[ -e /run/image/root/bin/$tool ]] || ln -s busybox "/run/image/root/bin/$tool"
done
tar -C /run/image/root --owner 0 --group 0 -cf /run/image/archive/layer.tar .
jq -n --arg layer "sha256:$(sha256sum </run/image/archive/layer.tar | cut -d ' ' -f 1)" \
  --arg architecture "$(dpkg --print-architecture)" '{os: "linux", $architecture,
    config: {Env: ["PATH=/bin"], Cmd: ["sleep", "infinity"]}, rootfs: {type: "layers", diff_ids: [$layer]}}' \
  >/run/image/archive/config.json
echo '[{"Config": "config.json", "RepoTags": ["docker.io/local/load:1"], "Layers": ["layer.tar"]}]' \
  >/run/image/archive/manifest.json
tar -C /run/image/archive -cf /run/image/load.tar manifest.json config.json layer.tar
until_ok ctr version
ctr -n k8s.io images import /run/image/load.tar >>containerd.log 2>&1

cat >kubelet.yaml <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {x509: {clientCAFile: $folder/pki/ca.crt}, webhook: {enabled: true}, anonymous: {enabled: false}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: $cgroup
failSwapOn: false
nodeStatusUpdateFrequency: 1s
syncFrequency: 2s
resolvConf: ""
evictionHard: {memory.available: 50Mi}
imageGCHighThresholdPercent: 100
CONFIG
start kubelet --config=kubelet.yaml --kubeconfig=kubelet.kubeconfig --hostname-override=node-a "--node-ip=$address" \
  --root-dir=/run/kubelet --volume-plugin-dir=/run/volume-plugins --container-runtime=remote --cni-conf-dir=/run/cni \
  --container-runtime-endpoint=unix:///run/containerd/containerd.sock
start kube-scheduler --kubeconfig=scheduler.kubeconfig --port=0 --secure-port=0 --leader-elect=false
start kube-proxy --kubeconfig=proxy.kubeconfig --proxy-mode=iptables --cluster-cidr=10.244.0.0/16 \
  --hostname-override=node-a --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
  --conntrack-tcp-timeout-close-wait=0
node_ready() {
  api /api/v1/nodes/node-a | jq -e '.status.conditions[] | select(.type == "Ready" and .status == "True")'
}
until_ok node_ready
