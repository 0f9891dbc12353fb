# SPDX-License-Identifier: MIT
# What deploy/ has: that it can be read, that its parts name each other rightly, and that it names nothing of the program
# that isn't there: options, capabilities, metrics.
# shellcheck disable=SC2016 # of jq, and what Grafana replaces

bats_require_minimum_version 1.5.0

WHOCALLS=${WHOCALLS:-$BATS_TEST_DIRNAME/../../build/whocalls}

# Each YAML file as JSON, a document a line: yq is slow to start.
setup_file() {
  cd "$BATS_TEST_DIRNAME/../.." || exit
  local file
  while read -r file; do
    mkdir -p "$BATS_FILE_TMPDIR/${file%/*}"
    yq -c . "$file" >"$BATS_FILE_TMPDIR/${file%.yaml}.json"
  done < <(find deploy -name '*.yaml')
}

setup() {
  cd "$BATS_TEST_DIRNAME/../.." || exit
  JSON=$BATS_FILE_TMPDIR/deploy
}

# same WHAT IS WANTED
same() {
  [[ $2 == "$3" ]] || {
    printf '%s is:\n%s\nwanted:\n%s\n' "$1" "$2" "$3"
    return 1
  }
}

# none WHAT: nothing comes from standard input.
none() {
  same "$1" "$(cat)" ''
}

objects() { # FOLDER: its objects, a line each
  local file
  for file in "$BATS_FILE_TMPDIR/$1"/*.json; do
    [[ $file == */kustomization.json || $file == */args.json ]] || cat "$file"
  done
}

agent_options() { # that it knows
  "$WHOCALLS" agent --help | grep -oP '(?<![\w-])--[a-z][a-z-]*' | sort -u
}

# Manifests ----------------------------------------------------------------------------------------

@test "every object has a kind and a name, once; and what is not for the whole cluster its namespace" {
  local folder
  for folder in deploy/kustomize/base deploy/kustomize/overlays/prometheus-operator; do
    objects "$folder" >"$BATS_TEST_TMPDIR/objects"
    [[ -s $BATS_TEST_TMPDIR/objects ]]
    jq -c 'select((.apiVersion and .kind and .metadata.name) | not)' "$BATS_TEST_TMPDIR/objects" | none "without a name"
    jq -r '"\(.kind) \(.metadata.name)"' "$BATS_TEST_TMPDIR/objects" | sort | uniq -d | none "twice"
    jq -r 'select(.kind | test("^Namespace$|^ClusterRole") | not) | select(.metadata.namespace != "whocalls") | .metadata.name' \
      "$BATS_TEST_TMPDIR/objects" | none "without its namespace"
  done
}

@test "each kustomization names all files of its folder, and no others" {
  local file folder n=0
  for file in deploy/kustomize/base/kustomization.yaml deploy/kustomize/overlays/*/kustomization.yaml; do
    folder=$(dirname "$file")
    same "files of $folder" "$(jq -r '(.resources + [.patches[]?.path])[] | select(startswith("..") | not)' "$BATS_FILE_TMPDIR/${file%.yaml}.json" | sort)" \
      "$(find "$folder" -maxdepth 1 -name '*.yaml' ! -name kustomization.yaml -printf '%f\n' | sort)"
    while read -r base; do [[ -f $folder/$base/kustomization.yaml ]]; done \
      < <(jq -r '.resources[] | select(startswith(".."))' "$BATS_FILE_TMPDIR/${file%.yaml}.json")
    n=$((n + 1))
  done
  same kustomizations "$n" 4
}

@test "labels, ports, accounts and roles that are named are there" {
  local all=$BATS_TEST_TMPDIR/all
  { objects deploy/kustomize/base && objects deploy/kustomize/overlays/prometheus-operator; } | jq -s . >"$all"
  jq -c '(.[] | select(.kind == "DaemonSet").spec.template) as $pod |
    .[] | .spec | objects | (.selector.matchLabels? // .selector? // .podSelector?.matchLabels // empty) |
    select(. != $pod.metadata.labels)' "$all" | none "selectors that are not the pods'"
  jq -r '(.[] | select(.kind == "DaemonSet").spec.template.spec.containers[0]) as $agent | [$agent.ports[].name] as $ports |
    .[] | select(.kind == "Service").spec.ports[].targetPort, select(.kind == "PodMonitor").spec.podMetricsEndpoints[].port,
    select(.kind == "DaemonSet").spec.template.spec.containers[].livenessProbe.httpGet.port,
    select(.kind == "DaemonSet").spec.template.spec.containers[].readinessProbe.httpGet.port |
    select(. as $port | $ports | index($port) | not)' "$all" | none "ports without a name"
  same "ports" "$(jq -c '[.[] | select(.kind == "DaemonSet").spec.template.spec.containers[0] |
    (.args[] | select(startswith("--listen=")) | ltrimstr("--listen=:") | tonumber), .ports[0].containerPort] +
    [.[] | select(.kind == "Service").spec.ports[].port, select(.kind == "NetworkPolicy").spec.ingress[].ports[].port] | unique' \
    "$all")" '[9435]'
  jq -r '[.[] | select(.kind == "ClusterRole" or .kind == "ServiceAccount") | "\(.kind) \(.metadata.name)"] as $there |
    .[] | select(.kind == "ClusterRoleBinding") | (.roleRef, .subjects[]) | "\(.kind) \(.name)" |
    select((startswith("ClusterRole system:") or (. as $name | $there | index($name))) | not)' "$all" | none "roles and accounts"
  jq -r '[.[] | select(.kind == "ServiceAccount").metadata.name] as $there | .[] |
    select(.kind == "DaemonSet").spec.template.spec.serviceAccountName,
    select(.kind == "Secret").metadata.annotations["kubernetes.io/service-account.name"] |
    select(. as $name | $there | index($name) | not)' "$all" | none "accounts"
  same "the monitor's secret" "$(jq -r '.[] | select(.kind == "PodMonitor").spec.podMetricsEndpoints[0].authorization.credentials.name' \
    "$all")" "$(jq -r '.[] | select(.kind == "Secret").metadata.name' "$all")"
}

@test "the options in manifests and the unit are the agent's" {
  local used=$BATS_TEST_TMPDIR/used
  {
    jq -r '.spec.template.spec.containers[0].args[]' "$JSON/kustomize/base/daemonset.json"
    jq -r '.[].value' "$JSON"/kustomize/overlays/*/args.json
    grep '^ExecStart=' deploy/whocalls-agent.service | tr ' ' '\n'
  } | grep -oP '^--[a-z-]+' | sort -u >"$used"
  same "options that are used" "$(tr '\n' ' ' <"$used")" '--all-services --kubeconfig --listen --node --service-graph --state '
  comm -23 "$used" <(agent_options) | none "options that the agent doesn't know"
}

@test "the capabilities are those that the program asks for" {
  local wanted
  wanted=$(grep -oP '^\t\{CAP_\K[A-Z_]+' user/capture/privileges.c | sort)
  [[ -n $wanted ]]
  same DaemonSet "$(jq -r '.spec.template.spec.containers[0].securityContext.capabilities.add[]' \
    "$JSON/kustomize/base/daemonset.json" | sort)" "$wanted"
  same unit "$(grep -oP '^CapabilityBoundingSet=\K.*' deploy/whocalls-agent.service | tr ' ' '\n' | sed 's/^CAP_//' | sort)" "$wanted"
}

@test "kustomize makes of each what it says" {
  kubectl kustomize --help 2>/dev/null | grep -q kustomization || skip "skipped: there is no kubectl with kustomize"
  local folder arguments
  for folder in base overlays/all-services overlays/service-graph; do
    arguments=agent,--listen=:9435,'--node=$(NODE_NAME)',--state=/var/lib/whocalls
    [[ $folder == base ]] || arguments+=",--${folder#*/}"
    same "arguments of $folder" "$(kubectl kustomize "deploy/kustomize/$folder" |
      yq -r 'select(.kind == "DaemonSet").spec.template.spec.containers[0].args | join(",")')" "$arguments"
  done
  same objects "$(kubectl kustomize deploy/kustomize/overlays/prometheus-operator | yq -r .kind | sort | tr '\n' ' ')" \
    'ClusterRoleBinding PodMonitor PrometheusRule Secret ServiceAccount '
}

@test "systemd takes the unit" {
  command -v systemd-analyze || skip "skipped: there is no systemd-analyze"
  sed "s|^ExecStart=whocalls |ExecStart=$(realpath "$WHOCALLS") |" deploy/whocalls-agent.service \
    >"$BATS_TEST_TMPDIR/whocalls-agent.service"
  systemd-analyze verify --man=no "$BATS_TEST_TMPDIR/whocalls-agent.service" 2>&1 | grep -F whocalls-agent | none "complaints"
}

# Metrics ------------------------------------------------------------------------------------------

# Samples that the program can write, as its families and their types stand in the source.
samples() {
  cat user/output/metrics*.c user/command/agent-metrics.c | tr -s ' \t\n' ' ' |
    grep -oP '"(whocalls|traces)_[a-z_]+"((?!"(whocalls|traces)_).)*?(FAMILY_[A-Z]+|\.counter = true|\.value =)' |
    sed -E 's/^"([a-z_]+)".*(FAMILY_[A-Z]+|\.counter|\.value =)( = true)?$/\1 \2/' |
    awk '/FAMILY_COUNTER|counter$/ { print $1 "_total" } /FAMILY_GAUGE|value =$/ { print $1 } /FAMILY_INFO/ { print $1 "_info" }
      /FAMILY_HISTOGRAM/ { print $1 "_bucket"; print $1 "_sum"; print $1 "_count" }' | sort -u
}

rule_expressions() {
  jq -r '.groups[].rules[].expr' "$JSON/prometheus/rules.json"
}

# What is asked for, by panels and variables.
dashboard_expressions() {
  jq -r '.. | objects | .expr?, .definition? | strings' deploy/grafana/whocalls.json
}

@test "rules and dashboard ask for metrics that there are" {
  local used=$BATS_TEST_TMPDIR/used
  {
    rule_expressions
    dashboard_expressions
    jq -r '.tests[].input_series[].series' "$JSON/prometheus/rules-test.json"
  } | grep -oP '\b(whocalls|traces)_[a-z_]+' | sort -u >"$used"
  # so that neither list is empty
  grep -qx whocalls_request_duration_seconds_bucket "$used"
  same "samples of each type" "$(samples | grep -xE 'whocalls_(connections_total|connections_open|hook_info|api_troubles|stalls_total)')" \
    "$(printf '%s\n' whocalls_api_troubles whocalls_connections_open whocalls_connections_total whocalls_hook_info whocalls_stalls_total)"
  comm -23 "$used" <(samples) | none "metrics that are not written"
  comm -23 <({ rule_expressions && dashboard_expressions; } | grep -oP '\bwhocalls:[a-z_:0-9]+' | sort -u) \
    <(jq -r '.groups[].rules[].record // empty' "$JSON/prometheus/rules.json" | sort -u) | none "what no rule records"
}

@test "the operator's rules are the same as Prometheus's" {
  same rules "$(jq -S .spec.groups "$JSON/kustomize/overlays/prometheus-operator/rules.json")" \
    "$(jq -S .groups "$JSON/prometheus/rules.json")"
}

@test "every alert has a test in which it fires" {
  same alerts "$(jq -r '.tests[].alert_rule_test[] | select(.exp_alerts).alertname' "$JSON/prometheus/rules-test.json" | sort -u)" \
    "$(jq -r '.groups[].rules[].alert // empty' "$JSON/prometheus/rules.json" | sort)"
}

@test "promtool takes the rules, and what the dashboard asks" {
  local promtool
  promtool=$(command -v promtool || { promtool=$(scripts/prometheus.sh --kept) && echo "$promtool/usr/bin/promtool"; }) ||
    skip "skipped: there is no promtool"
  "$promtool" check rules deploy/prometheus/rules.yaml
  dashboard_expressions | grep -v '^label_values' | sed 's/\$__rate_interval/5m/g; s/\$__range/1h/g' | jq -R . |
    jq -s '{groups: [{name: "dashboard", rules: [to_entries[] | {record: "panel:\(.key)", expr: .value}]}]}' \
      >"$BATS_TEST_TMPDIR/panels.yaml"
  "$promtool" check rules "$BATS_TEST_TMPDIR/panels.yaml"
}

@test "the dashboard: no data source of its own, panels that don't overlap, variables that there are" {
  local file=deploy/grafana/whocalls.json
  jq -r '.. | objects | .datasource? | objects | .uid | select(. != "${datasource}")' $file | none "data sources"
  jq -r '.panels[].id' $file | sort | uniq -d | none "ids that are there twice"
  jq -r '[.panels[] | .title as $title | .gridPos | range(.y; .y + .h) as $y | range(.x; .x + .w) as $x | {at: [$x, $y], $title}] |
    group_by(.at)[] | select(length > 1) | map(.title) | join(", ")' $file | sort -u | none "panels in one place"
  jq -r '.panels[].gridPos | select(.x + .w > 24)' $file | none "panels beyond the edge"
  comm -23 <({ dashboard_expressions && jq -r '.. | objects | .title?, .uid? | strings' $file; } | grep -oP '\$\{?\K(?!__)\w+' | sort -u) \
    <(jq -r '.templating.list[].name' $file | sort) | none "variables"
}

# The image ----------------------------------------------------------------------------------------

@test "the image: its digests are those of its parts, and the program in it runs" {
  ! grep -q __asan_init "$WHOCALLS" || skip "skipped: made with sanitizers, which need /proc"
  local image=$BATS_TEST_TMPDIR/image blob folder=$BATS_TEST_TMPDIR/root layer
  deploy/image.sh "$WHOCALLS" registry.example/tools/whocalls:1.0 "$image.tar"
  mkdir "$image" "$folder"
  tar -C "$image" -xf "$image.tar"
  for blob in "$image"/blobs/sha256/*; do
    same digest "$(sha256sum <"$blob" | cut -d ' ' -f 1)" "${blob##*/}"
  done
  same "what is referred to" "$({ jq -r '.. | .digest? // empty' "$image"/index.json "$image"/blobs/sha256/"$(
    jq -r '.manifests[0].digest | ltrimstr("sha256:")' "$image/index.json")"; } | sort)" \
    "$(find "$image/blobs/sha256" -type f -printf 'sha256:%f\n' | sort)"
  same name "$(jq -r '.manifests[0].annotations["io.containerd.image.name"]' "$image/index.json")" \
    registry.example/tools/whocalls:1.0
  same entry "$(jq -r '.config.Entrypoint[]' "$image/$(jq -r '.[0].Config' "$image/manifest.json")")" /whocalls
  # once more, by the name that the kubelet makes of a short one: the same image
  deploy/image.sh "$WHOCALLS" whocalls:1.0 "$image.short"
  same "digest and name" "$(tar -xOf "$image.short" index.json | jq -r '.manifests[0] | .digest,
    .annotations["io.containerd.image.name"]')" "$(jq -r '.manifests[0].digest' "$image/index.json"; echo docker.io/library/whocalls:1.0)"
  layer=$image/$(jq -r '.[0].Layers[]' "$image/manifest.json")
  same "the layer's content" "sha256:$(zcat "$layer" | sha256sum | cut -d ' ' -f 1)" \
    "$(jq -r '.rootfs.diff_ids[]' "$image/$(jq -r '.[0].Config' "$image/manifest.json")")"
  tar -C "$folder" -xzf "$layer"
  same "what is in it beside libraries" "$(cd "$folder" && find . -type f ! -name '*.so*')" ./whocalls
  ((EUID == 0)) || skip "skipped: to run it needs root"
  same version "$(chroot "$folder" /whocalls --version)" "$("$WHOCALLS" --version)"
  same help "$(chroot "$folder" /whocalls agent --help)" "$("$WHOCALLS" agent --help)"
}
