# SPDX-License-Identifier: MIT
# The command line: bad input is refused with the status of sysexits.h and a message that helps.
# Nothing here needs the kernel, but what says "needs root".
# shellcheck disable=SC2016,SC2154 # $output, $status and $stderr are set by run

bats_require_minimum_version 1.5.0

WHOCALLS=${WHOCALLS:-$BATS_TEST_DIRNAME/../../build/whocalls}
# Nobody listens on it; nothing is ever counted.
PORT=1

needs_root() {
  ((EUID == 0)) || skip "skipped: needs root"
}

# AddressSanitizer maps terabytes that it doesn't use, and RLIMIT_DATA counts them.
sanitized() {
  grep -q __asan_init "$WHOCALLS"
}

# A node of its own, so that nothing of this machine is looked at.
private() {
  unshare -n -m --propagation private -- "$@"
}

# refused STATUS PATTERN args…: on standard error, and nothing on standard output.
refused() {
  local want=$1 pattern=$2
  shift 2
  run --separate-stderr -- timeout 30 "$WHOCALLS" "$@"
  explain
  [[ $status == "$want" ]]
  [[ -z $output ]]
  [[ $stderr =~ $pattern ]]
}

explain() {
  echo "status $status"
  echo "stdout: $output"
  echo "stderr: $stderr"
}

# Usage ---------------------------------------------------------------------------------------------

@test "--help goes to standard output" {
  run -0 --separate-stderr "$WHOCALLS" --help
  [[ $output == *trace* ]]
  [[ -z $stderr ]]
}

@test "help trace and trace --help are the same" {
  run -0 --separate-stderr "$WHOCALLS" help trace
  [[ $output == *--port* ]]
  [[ -z $stderr ]]
  [[ $output == "$("$WHOCALLS" trace --help)" ]]
}

@test "help verify and verify --help are the same" {
  run -0 --separate-stderr "$WHOCALLS" verify --help
  [[ $output == *--evidence* ]]
  [[ -z $stderr ]]
  [[ $output == "$("$WHOCALLS" help verify)" ]]
}

@test "help agent and agent --help are the same" {
  run -0 --separate-stderr "$WHOCALLS" agent --help
  [[ $output == *--all-services* && $output == */metrics* ]]
  [[ -z $stderr ]]
  [[ $output == "$("$WHOCALLS" help agent)" ]]
}

@test "agent: what it does not take is refused" {
  refused 64 "whocalls.dev/watch" agent svc/web
  refused 64 "one of them" agent --all-services -l app=web
  refused 64 "no option --port" agent --port 80
  refused 64 "one needs the other" agent --tls-cert cert.pem
  refused 64 "--stale 3: it has no unit" agent --stale 3
  refused 64 "--max-series 0" agent --max-series 0
}

@test "--version goes to standard output" {
  run -0 --separate-stderr "$WHOCALLS" --version
  [[ $output == *whocalls* ]]
  [[ -z $stderr ]]
}

@test "no subcommand" {
  refused 64 '[Uu]sage|whocalls --help'
}

@test "unknown subcommand" {
  refused 64 trce trce --port 3000
}

@test "help for an unknown subcommand" {
  refused 64 trce help trce
}

@test "unknown option" {
  refused 64 colour trace --port 3000 --colour
}

@test "an option without its value" {
  refused 64 port trace --port
}

@test "no target" {
  refused 64 '--port' trace
}

@test "no target, but a namespace" {
  refused 64 '--port' trace -n buffer
}

@test "a target that needs the API, without any configuration" {
  refused 78 '--kubeconfig, or a list of pods with --pods' trace -n buffer deploy/session-service
}

@test "a kubeconfig that is damaged" {
  echo 'clusters: [' >"$BATS_TEST_TMPDIR/config"
  refused 78 "$BATS_TEST_TMPDIR/config" trace svc/web --kubeconfig "$BATS_TEST_TMPDIR/config"
}

@test "two targets" {
  refused 64 core trace -n buffer deploy/session-service deploy/core --pods /dev/null
}

@test "port 0" {
  refused 64 '65535' trace --port 0
}

@test "port 70000" {
  refused 64 '65535' trace --port 70000
}

@test "port abc" {
  refused 64 abc trace --port abc
}

@test "ports that are not quite numbers" {
  local port
  for port in '' ' 80' 80x -1 +80 0x50 80.0 99999999999999999999; do
    refused 64 '65535' trace "--port=$port"
  done
}

@test "addresses that are none" {
  local address
  for address in '' 300.1.1.1 1.2.3 ::g 10.0.0.0/8 localhost; do
    refused 64 address trace --port 3000 "--address=$address"
  done
}

@test "--for without a unit: the message has the unit" {
  refused 64 '10s' trace --port 3000 --for 10
}

@test "durations that are none" {
  local duration
  for duration in '' s 0s -1s 1w 10s5 5..s 99999999999999999999d; do
    refused 64 '--for' trace --port 3000 "--for=$duration"
  done
}

@test "unknown output format" {
  refused 64 jsonl trace --port 3000 -o yaml
}

@test "--ring-size that is no size" {
  local size
  for size in 0 1 5000 -4096 4096x 99999999999999999999; do
    refused 64 ring-size trace --port 3000 "--ring-size=$size"
  done
}

@test "--max-callers that is no number" {
  local number
  for number in '' 0 -1 x 99999999999999999999; do
    refused 64 max-callers trace --port 3000 "--max-callers=$number"
  done
}

@test "--sort by what is no key: the message has the keys" {
  local key
  for key in '' REQ rate; do
    refused 64 'connections, requests, p50, p99, open, last or name' trace --port 3000 "--sort=$key"
  done
}

@test "--top that is no number" {
  local number
  for number in '' 0 -1 x 99999999999999999999; do
    refused 64 '--top' trace --port 3000 "--top=$number"
  done
}

@test "--sort and --top are trace's" {
  refused 64 'no option --sort' verify --port 3000 --sort requests
  refused 64 'no option --top' verify --port 3000 --top 3
}

# Privileges ----------------------------------------------------------------------------------------

@test "without root: 77, and what to do" {
  local as=()
  if ((EUID == 0)); then
    as=(setpriv --reuid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)
    "${as[@]}" test -x "$WHOCALLS" || skip "skipped: $WHOCALLS is not for all to run"
  fi
  run --separate-stderr -- timeout 30 "${as[@]}" "$WHOCALLS" trace --port 3000
  explain
  [[ $status == 77 ]]
  [[ -z $output ]]
  [[ $stderr == *sudo* || $stderr == *root* ]]
}

@test "without root, bad usage is still bad usage" {
  local as=()
  if ((EUID == 0)); then
    as=(setpriv --reuid 65534 --clear-groups)
    "${as[@]}" test -x "$WHOCALLS" || skip "skipped: $WHOCALLS is not for all to run"
  fi
  run --separate-stderr -- timeout 30 "${as[@]}" "$WHOCALLS" trace --port 0
  explain
  [[ $status == 64 ]]
}

# Files ---------------------------------------------------------------------------------------------

@test "--pods: no such file" {
  refused 66 /nonexistent/pods.json trace --port 3000 --pods /nonexistent/pods.json
}

@test "--pods: a directory" {
  refused 66 "$BATS_TEST_TMPDIR" trace --port 3000 --pods "$BATS_TEST_TMPDIR"
}

@test "--pods: empty" {
  refused 65 /dev/null trace --port 3000 --pods /dev/null
}

@test "--pods: not JSON" {
  echo 'NAME READY STATUS' >"$BATS_TEST_TMPDIR/pods.json"
  refused 65 pods.json trace --port 3000 --pods "$BATS_TEST_TMPDIR/pods.json"
}

@test "--pods: truncated, wherever" {
  local list length
  list='{"apiVersion":"v1","kind":"List","items":[{"metadata":{"name":"a","namespace":"b","uid":"c"},'
  list+='"spec":{},"status":{"phase":"Running","podIP":"10.0.0.1"}}]}'
  for length in 1 20 45 80 ${#list}; do
    printf %s "${list:0:length-1}" >"$BATS_TEST_TMPDIR/pods.json"
    refused 65 pods.json trace --port 3000 --pods "$BATS_TEST_TMPDIR/pods.json"
  done
}

@test "--pods: JSON, but of something else" {
  local text
  for text in '[]' 42 null '"pods"' '{}' '{"kind":"ServiceList","items":[]}' \
    '{"kind":"List","items":{}}' '{"kind":"List","items":[42]}'; do
    echo "$text"
    echo "$text" >"$BATS_TEST_TMPDIR/pods.json"
    refused 65 pods.json trace --port 3000 --pods "$BATS_TEST_TMPDIR/pods.json"
  done
}

@test "--pods: a workload that is not in it" {
  echo '{"apiVersion":"v1","kind":"List","items":[]}' >"$BATS_TEST_TMPDIR/pods.json"
  run --separate-stderr -- timeout 30 "$WHOCALLS" trace -n buffer deploy/nobody \
    --pods "$BATS_TEST_TMPDIR/pods.json"
  explain
  ((status >= 64 && status < 79))
  [[ $stderr == *nobody* ]]
}

# pods_huge MEGABYTES: pods, each with an annotation of 10,000 bytes.
pods_huge() {
  local pad
  pad=$(printf '%010000d' 0)
  echo '{"apiVersion":"v1","kind":"List","items":['
  seq "$(($1 * 100))" | LC_ALL=C awk -v pad="$pad" '{
    printf "%s{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p-%d\",\"namespace\":" \
      "\"n\",\"uid\":\"u-%d\",\"annotations\":{\"a\":\"%s\"}},\"spec\":{\"containers\":[]},\"status\":" \
      "{\"phase\":\"Running\",\"podIP\":\"10.%d.%d.%d\"}}\n", (NR > 1 ? "," : ""), $1, $1, pad,
      $1 / 65536, $1 / 256 % 256, $1 % 256 }'
  echo ']}'
}

@test "--pods: 200 MB within 128 MiB of memory, or a clear refusal (needs root)" {
  needs_root
  ! sanitized || skip "skipped: AddressSanitizer cannot run within 128 MiB"
  pods_huge 200 >"$BATS_TEST_TMPDIR/pods.json"
  run --separate-stderr -- private timeout 120 prlimit --data=134217728 \
    "$WHOCALLS" trace --port "$PORT" --pods "$BATS_TEST_TMPDIR/pods.json" --for 100ms -o json
  rm "$BATS_TEST_TMPDIR/pods.json"
  explain
  [[ $status == 0 || ($status == 65 && $stderr == *pods.json*) ]]
}

@test "--pods: one item without end is refused, not swallowed (needs root)" {
  local limit=(prlimit --data=134217728)
  needs_root
  ! sanitized || limit=(env)
  run --separate-stderr -- private timeout 120 bash -c '
    set -o pipefail
    { printf %s "{\"kind\":\"List\",\"items\":[{\"metadata\":{\"name\":\""
      head -c 300000000 /dev/zero | tr "\0" a; } |
      "$@" trace --port 1 --pods - --for 100ms -o json' sh "${limit[@]}" "$WHOCALLS"
  explain
  [[ $status == 65 ]]
}

# Standard output -----------------------------------------------------------------------------------

@test "--help into a full device: 74" {
  run --separate-stderr -- bash -c '"$1" --help >/dev/full' sh "$WHOCALLS"
  explain
  [[ $status == 74 ]]
  [[ -n $stderr ]]
}

@test "the document into a full device: 74 (needs root)" {
  local format
  needs_root
  for format in json jsonl table; do
    run --separate-stderr -- private timeout 30 bash -c \
      '"$1" trace --port "$2" --for 100ms -o "$3" >/dev/full' sh "$WHOCALLS" "$PORT" "$format"
    explain
    [[ $status == 74 ]]
    [[ -n $stderr ]]
  done
}

@test "a reader that went away ends it without a word about pipes (needs root)" {
  local format
  needs_root
  for format in json jsonl table; do
    # "true" is gone long before the first byte.
    run --separate-stderr -- private timeout 30 bash -c \
      '"$1" trace --port "$2" --for 300ms -o "$3" | true; exit "${PIPESTATUS[0]}"' \
      sh "$WHOCALLS" "$PORT" "$format"
    explain
    [[ $status == 0 || $status == 141 ]]
    [[ $stderr != *[Pp]ipe* && $stderr != *"write"* ]]
  done
}

@test "| head -1 gets its line (needs root)" {
  needs_root
  run -0 --separate-stderr -- private timeout 30 bash -c \
    '"$1" trace --port "$2" --for 100ms -o json | head -1' sh "$WHOCALLS" "$PORT"
  [[ $output == "{"* ]]
}

@test "data on standard output, all else on standard error (needs root)" {
  needs_root
  run -0 --separate-stderr -- private timeout 30 \
    "$WHOCALLS" trace --port "$PORT" --for 100ms -o json
  jq -e '.schema == "whocalls/v1"' <<<"$output"
  [[ $stderr == *"tracing "* ]]
}

@test "--top: how many callers it leaves out is said; without it nothing is (needs root)" {
  local format
  needs_root
  for format in json jsonl; do
    run -0 --separate-stderr -- private timeout 30 \
      "$WHOCALLS" trace --port "$PORT" --for 100ms -o "$format" --top 3 --sort last
    jq -e -s 'last | .callers_left_out == 0 and .callers == []' <<<"$output"
  done
  run -0 --separate-stderr -- private timeout 30 "$WHOCALLS" trace --port "$PORT" --for 100ms -o json
  jq -e 'has("callers_left_out") | not' <<<"$output"
}

@test "jsonl: each line is a document of its own, the last one the summary (needs root)" {
  needs_root
  run -0 --separate-stderr -- private timeout 30 \
    "$WHOCALLS" trace --port "$PORT" --for 100ms -o jsonl
  jq -e -s 'all(.[]; .schema == "whocalls/v1") and (last | .event == "summary")' <<<"$output"
}

@test "no colour where standard output is no terminal (needs root)" {
  needs_root
  run -0 --separate-stderr -- private timeout 30 "$WHOCALLS" trace --port "$PORT" --for 100ms
  [[ $output != *$'\e'* ]]
  [[ $stderr != *$'\e'* ]]
}

@test "standard input may be closed (needs root)" {
  needs_root
  run -0 --separate-stderr -- private timeout 30 bash -c \
    '"$1" trace --port "$2" --for 100ms -o json <&-' sh "$WHOCALLS" "$PORT"
  jq -e '.schema == "whocalls/v1"' <<<"$output"
}

@test "a second instance is allowed (needs root)" {
  local first status_first=0
  needs_root
  # The first outlives the second; it is waited for until it watches.
  setpriv --pdeathsig KILL env --default-signal=INT \
    unshare -n -m --propagation private -- "$WHOCALLS" trace --port "$PORT" --for 60s -o json \
    >"$BATS_TEST_TMPDIR/first.json" 2>"$BATS_TEST_TMPDIR/first.err" 3>&- &
  first=$!
  timeout 30 bash -c 'until grep -q "^tracing " "$1"; do sleep 0.02; done' sh \
    "$BATS_TEST_TMPDIR/first.err"
  run --separate-stderr -- private timeout 30 \
    "$WHOCALLS" trace --port "$PORT" --for 100ms -o json
  kill -INT "$first"
  wait "$first" || status_first=$?
  explain
  [[ $status == 0 && $status_first == 0 ]]
  jq -e '.totals.opened == 0' "$BATS_TEST_TMPDIR/first.json"
}
