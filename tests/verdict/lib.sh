# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # conditions in single quotes are evaluated later
#
# What tests/node/lib.sh has, and `whocalls verify`.
#
# What has to happen within a window is made ready before it, and started by a file; and where what happened is TRAFFIC,
# the window is ended once it has happened (traffic_end), since a verdict of TRAFFIC doesn't depend on how long the window
# was. So no test here depends on how fast the machine is.

TESTS_VERDICT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/node/lib.sh
. "$TESTS_VERDICT/../node/lib.sh"

# verify_start args…: into $T/out.json and $T/err; returns when its window has begun.
verify_start() {
  verify_launch "$@"
  verify_begun
}

verify_launch() {
  rm -f "$T/out.json" "$T/err"
  background_in node "$T/out.json" "$T/err" "$WHOCALLS" verify "$@" -o "${OUTPUT:-json}"
  TRACERS["$T"]=$!
}

verify_begun() {
  wait_for "grep -q '^verifying ' $T/err || ! kill -0 ${TRACERS[$T]}" 30
  grep -q '^verifying ' "$T/err" || {
    echo "verify did not start" >&2
    return 1
  }
}

# verify_wait STATUS VERDICT [CODE…]: until it ends by itself; these reasons must be among those that it gives, and for
# QUIET there are none. All reasons given for TRAFFIC or UNPROVEN must be of known meaning: reasons_are asks for equality.
verify_wait() {
  local want=$1 verdict=$2 code
  shift 2
  verify_ended
  [[ $VERIFY_STATUS == "$want" ]] || {
    echo "status of verify: got $VERIFY_STATUS, want $want" >&2
    jq -c .verdict "$T/out.json" >&2 || true
    return 1
  }
  verdict_check "$T/out.json"
  same verdict "$(jq -r .verdict.verdict "$T/out.json")" "$verdict"
  for code; do
    jq -e --arg code "$code" 'any(.verdict.reasons[]; .code == $code)' "$T/out.json" >/dev/null || {
      echo "reasons: got $(jq -c '[.verdict.reasons[].code]' "$T/out.json"), want $code among them" >&2
      return 1
    }
  done
}

# Until it ends by itself; its status is in VERIFY_STATUS.
verify_ended() {
  VERIFY_STATUS=0
  # One that doesn't end is to fail the test, not to hang it.
  wait_for "! kill -0 ${TRACERS[$T]}" 60 || kill -KILL "${TRACERS[$T]}"
  wait "${TRACERS[$T]}" || VERIFY_STATUS=$?
}

# no_traffic: until it ends by itself; it may be QUIET, or UNPROVEN if that is what its evidence says.
no_traffic() {
  verify_ended
  verdict_check "$T/out.json"
  same verdict "$VERIFY_STATUS $(jq -r .verdict.verdict "$T/out.json")" \
    "$( ((VERIFY_STATUS)) && echo 2 UNPROVEN || echo 0 QUIET)"
}

# What holds for every document of verify.
verdict_check() {
  local broken rules=(
    '.schema == "whocalls/v1"'
    '.totals.opened == .totals.attributed + .totals.unattributed'
    '([.callers[].connections.opened] | add // 0) == .totals.attributed'
    'all(.callers[]; .connections.idle <= .connections.open)'
    '.coverage.hooks | length > 0'
    '.window.start < .window.end'
    '.verdict.verdict | IN("QUIET", "TRAFFIC", "UNPROVEN")'
    '(.verdict.verdict == "QUIET") == (.verdict.reasons | length == 0)'
    'all(.verdict.reasons[]; .code | test("^[a-z][a-z0-9-]*$"))'
    '.verdict.reasons | length == (map(.code) | unique | length)'
  )
  broken=$(broken_rules "$1" "${rules[@]}")
  [[ -z $broken ]] || {
    echo "$broken" >&2
    return 1
  }
}

# broken_rules FILE RULE…: prints those that don't hold.
broken_rules() {
  local file=$1 all
  shift
  [[ -s $file ]] || echo "no document"
  printf -v all '(%s), ' "$@"
  jq -r "[${all%, }] | to_entries[] | select(.value | not) | \"not so: \" + \$ARGS.positional[.key]" "$file" --args "$@"
}

# reasons_are CODE…: these, and no others, in any order.
reasons_are() {
  same reasons "$(jq -r '[.verdict.reasons[].code] | sort | join(" ")' "$T/out.json")" \
    "$(printf '%s\n' "$@" | sort | paste -sd ' ')"
}

# traffic_end [CODE…]: interrupts the window; what was seen so far makes it TRAFFIC.
traffic_end() {
  kill -INT "${TRACERS[$T]}"
  verify_wait 1 TRAFFIC "$@"
}

# verify_refused STATUS PATTERN args…: no verdict, nothing on standard output, and a message.
verify_refused() {
  local want=$1 pattern=$2 status=0
  shift 2
  in_pod node timeout 30 "$WHOCALLS" verify "$@" >"$T/refused.out" 2>"$T/refused.err" || status=$?
  same "status of verify $*" "$status" "$want"
  [[ ! -s $T/refused.out ]]
  grep -qE "$pattern" "$T/refused.err" || {
    cat "$T/refused.err" >&2
    return 1
  }
}

# client_prepare NAME POD args…: connects when client_go has it do so.
client_prepare() {
  client_start "$@" --go "$T/go.$1"
}

client_go() {
  touch "$T/go.$1"
  client_wait "$1"
}

# client_line NAME POD args…: to be started before verify: connects as soon as that says that its window has begun, or
# --after so many milliseconds. Its times are in $T/times.NAME then.
client_line() {
  client_start "$@" --go-line "$T/err:verifying " --times "$T/times.$1"
  wait_for "[[ -s $T/times.$1 ]]"
}

# host_kubelet NAME args…: a process of the node that owns the kubelet's port, and calls when client_go says so.
host_kubelet() {
  local name=$1
  client_prepare "$@" --own-port "${KUBELET_PORT:-10250}" --listening "$T/own.$name"
  wait_for "[[ -e $T/own.$name ]]"
}

# Times ---------------------------------------------------------------------------------------------

# For jq: what a document has as a time, in microseconds since 1970.
# shellcheck disable=SC2034 # of whoever loads this
JQ_TIME='def us: capture("^(?<s>.{19})([.](?<f>[0-9]+))?Z$")
  | (.s + "Z" | fromdate) * 1000000 + ("0." + (.f // "0") | tonumber) * 1000000;'

# called TIMES…: what the clients' --times have, a line of JSON for each connection or send; the same microseconds.
called() {
  awk '
    function us(t) { return (t - mono) / 1000 + real / 1000 }
    $1 == "clock" { mono = $2; real = $3; next }
    $1 == "send" { $5 = "sent"; $4 = $3 }
    { printf "{\"begun\":%.3f,\"done\":%.3f,\"ended\":%.3f,\"outcome\":\"%s\"}\n", us($2), us($3), us($4), $5 }' "$@"
}
