#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # conditions and jq in single quotes are evaluated later
#
# random.sh [RUN…]: `whocalls verify` against whoever and whatever a seed has drawn: callers, their moments, faults. Each
# run is judged by the callers' own counts and times:
#
#   - if anything but a probe called within the window, the verdict is TRAFFIC, and the counts are theirs;
#   - if nobody called, it is QUIET; or UNPROVEN, if what makes it so was done to it;
#   - what lies across an edge of the window may be counted or not.
#
#   SEED=N    drawn by the clock if not given; it is printed
#   RUNS=200  how many
#   JOBS=3    how many at a time, each in a node of its own
#   KEEP=1    leaves the folders of those that failed
#
# With RUN…, only these of this seed: how to repeat one that failed.
set -euo pipefail

TESTS_RANDOM=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/verdict/lib.sh
. "$TESTS_RANDOM/lib.sh"

# Microseconds: a server may be so much later than its client to know of a connection, and the document later than the
# end of its window.
BEFORE_END=10000
AFTER_END=100000

# Drawing -------------------------------------------------------------------------------------------

seed_set() { # SEED RUN: the same numbers each time, and others for each run
  RANDOM=$(($(cksum <<<"$1 $2" | cut -d ' ' -f 1) % 2147483647))
}

between() { # LOW HIGH: into DRAWN
  DRAWN=$(($1 + (RANDOM * 32768 + RANDOM) % ($2 - $1 + 1)))
}

one_of() { # WORD…: into DRAWN
  between 1 $#
  DRAWN=${!DRAWN}
}

chance() { # PERCENT
  between 1 100
  ((DRAWN <= $1))
}

# When, in milliseconds after the window has begun: often at its edges.
moment() {
  one_of first early middle middle late edge beyond
  case $DRAWN in
  first) DRAWN=0 ;;
  early) between 1 30 ;;
  middle) between 30 $((WINDOW - 100)) ;;
  late) between $((WINDOW - 100)) $((WINDOW - 1)) ;;
  edge) between $((WINDOW - 3)) $((WINDOW + 3)) ;;
  beyond) between $((WINDOW + 200)) $((WINDOW + 400)) ;;
  esac
}

# What takes part -----------------------------------------------------------------------------------
#
# Names of clients begin with what they are to the verdict: call, probe, ignored, none; and idle, which is traffic unless
# --allow-idle.

told() { # what this run is, for whoever wants to know
  SCENARIO+="${SCENARIO:+; }$*"
}

later() { # MS COMMAND: in the order of their times
  SCHEDULE+=("$*")
}

# call_args: --connections, --mode and pace of new connections, into ARGS.
call_args() {
  local n mode
  one_of 1 1 1 "$((RANDOM % 20 + 1))" "$((RANDOM % 300 + 1))"
  n=$DRAWN
  one_of open close http reset fastclose
  mode=$DRAWN
  [[ $KIND != hold || $mode == reset ]] || mode=hold
  ARGS=(--connections "$n" --mode "$mode" --timeout 3000)
  case $mode in
  close | fastclose) ARGS+=(--send "$((RANDOM % 3000 + 1))") ;;
  hold) ARGS+=(--hold-until "$T/end") ;;
  esac
  ! chance 40 || ARGS+=(--rate "$((RANDOM % 500 + 20))")
}

to_server() { # into TO
  TO=100.96.0.2
  [[ $FAMILY == 4 ]] || TO=fd00:96::2
  ! [[ $FAMILY == 46 ]] || ! chance 50 || TO=100.96.0.2
}

# actor WHAT NUMBER
actor() {
  local what=$1 number=$2 at name
  moment
  at=$DRAWN
  call_args
  to_server
  case $what in
  new)
    told "new connections after $at ms: ${ARGS[*]}"
    client_line "call$number" c --to "$TO" --after "$at" "${ARGS[@]}"
    ;;
  many)
    told "new connections from 20 addresses after $at ms"
    client_line "call$number" c --to 100.96.0.2 --after "$at" --from-base 100.96.16.1 --from-count 20 --connections 60 \
      --concurrency 2 --timeout 3000
    ;;
  pod)
    told "loopback after $at ms: ${ARGS[*]}"
    client_line "call$number" s --to "$TO" --after "$at" "${ARGS[@]}"
    ;;
  process)
    told "a process of the node after $at ms: ${ARGS[*]}"
    client_line "call$number" node --to "$TO" --after "$at" "${ARGS[@]}" --pid-name kubelet
    ;;
  probe)
    told "probes after $at ms: ${ARGS[*]}"
    client_line "probe$number" node --to "$TO" --after "$at" "${ARGS[@]}" --own-port 10250 \
      --listening "$T/own" --pid-name kubelet
    wait_for '[[ -e $T/own ]]'
    ;;
  ignored)
    told "ignored after $at ms: ${ARGS[*]}"
    pod_add "i$number" 100.96.0.8 fd00:96::8
    client_line "ignored$number" "i$number" --to "$TO" --after "$at" "${ARGS[@]}"
    ;;
  decoy)
    told "calls of another pod after $at ms: ${ARGS[*]}"
    client_line "none$number" c --to 100.96.0.4 --after "$at" "${ARGS[@]}"
    ;;
  refused)
    told "refused after $at ms"
    client_line "call$number" c --to 100.96.0.6 --after "$at" --connections "$((RANDOM % 10 + 1))" --timeout 3000
    ;;
  waiting)
    told "never accepted, after $at ms"
    client_line "call$number" c --to 100.96.0.5 --after "$at" --connections "$((RANDOM % 10 + 1))" --mode hold \
      --hold-until "$T/end" --timeout 3000
    ;;
  old)
    told "data on old connections after $at ms"
    name=old$number
    client_start "$name" c --to "$TO" --connections "$((RANDOM % 5 + 1))" --mode hold --send-on "$T/send$number" \
      --send "$((RANDOM % 5000 + 1))" --hold-until "$T/end" --times "$T/times.$name" --timeout 3000
    client_ready "$name"
    later "$at" touch "$T/send$number"
    IDLE=1
    ;;
  idle)
    told "old connections, idle"
    client_start "idle$number" c --to "$TO" --connections "$((RANDOM % 10 + 1))" --mode hold --hold-until "$T/end"
    client_ready "idle$number"
    IDLE=1
    ;;
  before)
    told "calls before the window"
    client_run "before$number" c --to "$TO" --connections "$((RANDOM % 50 + 1))" --timeout 3000 || true
    ;;
  esac
}

# fault WHAT: what of UNPROVEN it may lead to goes into EXCUSES, as an expression for codes.
fault() {
  local at for
  between 0 "$WINDOW"
  at=$DRAWN
  case $1 in
  stop)
    between 50 1500
    for=$DRAWN
    told "stopped after $at ms for $for ms"
    later "$at" tracer_signal STOP
    later "$((at + for))" tracer_signal CONT
    EXCUSES+='|tracer-stopped'
    ;;
  ring)
    told "the smallest ring"
    OPTIONS+=(--ring-size 4096)
    EXCUSES+='|events-lost'
    ;;
  callers)
    told "8 callers at most"
    OPTIONS+=(--max-callers 8)
    EXCUSES+='|events-lost|untracked'
    FEW=1
    ;;
  connections)
    told "8 connections at most"
    OPTIONS+=(--max-connections 8)
    EXCUSES+='|untracked|ends-unseen'
    FEW=1
    ;;
  restart)
    told "restarted after $at ms"
    later "$at" server_again
    RESTART=1
    ;;
  hand-over)
    told "handed over after $at ms"
    later "$at" server_taken
    ;;
  load)
    told "two busy processes"
    background /dev/null /dev/null bash -c 'while :; do :; done'
    background /dev/null /dev/null bash -c 'while :; do :; done'
    EXCUSES+='|tracer-stopped|handshakes-missed|ends-unseen'
    ;;
  one-cpu)
    told "all on one CPU"
    taskset -pc 0 $$ >/dev/null
    EXCUSES+='|tracer-stopped|handshakes-missed|ends-unseen'
    ;;
  esac
}

tracer_signal() {
  kill "-$1" "${TRACERS[$T]}" 2>/dev/null || true
}

server_again() {
  server_stop s
  server_main
}

server_taken() {
  background_in s "$T/taker.json" "$T/taker.log" "$LOAD" server --port "$PORT" --take-over "$T/hand" \
    --ready "$T/taker.ready" "${SERVER[@]}"
  wait_for '[[ -e $T/taker.ready ]]'
}

server_main() {
  local hand=()
  [[ $FAULTS != *hand-over* ]] || hand=(--hand-over "$T/hand")
  server_start s "${SERVER[@]}" "${hand[@]}"
}

# One run -------------------------------------------------------------------------------------------

run_one() { # RUN
  local i actors=() item
  SCENARIO='' SCHEDULE=() OPTIONS=() EXCUSES='none' IDLE='' FEW='' RESTART='' FAULTS=''
  seed_set "$SEED" "$1"
  between 1000 2000
  WINDOW=$DRAWN
  # Drawn before anything is done, since what is done may depend on it.
  if ! chance 25; then
    between 1 3
    for ((i = DRAWN; i > 0; i--)); do
      one_of new new new many pod process refused waiting old old idle probe ignored decoy before
      actors+=("$DRAWN")
    done
  elif chance 60; then
    one_of probe ignored decoy before idle
    actors=("$DRAWN")
  fi
  if chance 55; then
    one_of stop stop stop ring callers connections restart hand-over load one-cpu
    FAULTS=$DRAWN
    ! chance 30 || {
      one_of stop ring load
      [[ $FAULTS == *$DRAWN* ]] || FAULTS+=" $DRAWN"
    }
  fi
  one_of 4 4 6 46
  FAMILY=$DRAWN
  [[ -e /proc/sys/net/ipv6 ]] || FAMILY=4
  [[ " ${actors[*]} " != *" many "* || $FAMILY != 6 ]] || FAMILY=46
  one_of http http http threads hold
  KIND=$DRAWN
  SERVER=(--family "$FAMILY" --mode http)
  case $KIND in
  threads) SERVER+=(--threads 4) ;;
  hold) SERVER=(--family "$FAMILY" --mode hold) ;;
  esac

  node_up
  trap run_end EXIT
  pod_add s 100.96.0.2 fd00:96::2
  pod_add c 100.96.0.3 fd00:96::3
  pod_address c 100.96.16.0/24
  told "window of $WINDOW ms, server: ${SERVER[*]}"
  server_main
  OPTIONS=(--port "$PORT" --for "${WINDOW}ms")
  for item in "${actors[@]}"; do
    case $item in
    decoy | refused | waiting) pod_once "$item" ;;
    ignored) OPTIONS+=(--ignore 100.96.0.8/32 --ignore fd00:96::8/128) ;;
    esac
  done
  # Of the other pod on the same port nothing is asked.
  if [[ " ${actors[*]} " == *" decoy "* ]] || chance 30; then
    # An address that is nowhere would make it UNPROVEN.
    OPTIONS+=(--address 100.96.0.2 --address fd00:96::2)
    [[ " ${actors[*]} " != *" waiting "* ]] || OPTIONS+=(--address 100.96.0.5)
    [[ " ${actors[*]} " != *" refused "* ]] || OPTIONS+=(--address 100.96.0.6)
  fi
  ! chance 40 || OPTIONS+=(--allow-idle)
  ! chance 15 || OPTIONS+=(--count-probes)
  i=0
  local -A once=()
  for item in "${actors[@]}"; do
    case $item in probe | ignored) [[ -z ${once[$item]:-} ]] || continue ;; esac
    once[$item]=1
    actor "$item" $((i++))
  done
  # Of those from before the server knows, and nothing is under way.
  wait_for '[[ -z $(in_pod s ss -tnH "sport = :$PORT" state syn-recv) ]]'
  for item in $FAULTS; do fault "$item"; done
  told "${OPTIONS[*]:2}"

  verify_start "${OPTIONS[@]}"
  schedule_run
  VERIFY_STATUS=0
  wait "${TRACERS[$T]}" || VERIFY_STATUS=$?
  touch "$T/end"
  for item in "${!CLIENTS[@]}"; do
    wait "${CLIENTS[$item]}" || true
  done
  judge
}

run_end() {
  local status=$?
  echo "$SCENARIO${KEEP:+; in $T}" >"$RESULT.scenario"
  if ((status == 0)) || [[ -z ${KEEP:-} ]]; then
    KEEP=
  fi
  node_down
  exit "$status"
}

pod_once() { # WHAT
  case $1 in
  decoy) [[ -n ${SERVERS[other]:-} ]] || { pod_add other 100.96.0.4 && server_start other --mode http; } ;;
  refused) in_pod node ip netns list | grep -qw r || pod_add r 100.96.0.6 ;;
  waiting) [[ -n ${SERVERS[n]:-} ]] || { pod_add n 100.96.0.5 && server_start n --accept no; } ;;
  esac
}

schedule_run() {
  local at command begun=${EPOCHREALTIME//[^0-9]/} left
  ((${#SCHEDULE[@]})) || return 0
  while read -r at command; do
    left=$((begun + at * 1000 - ${EPOCHREALTIME//[^0-9]/}))
    ((left <= 0)) || sleep "$((left / 1000000)).$(printf %06d $((left % 1000000)))"
    $command
  done < <(printf '%s\n' "${SCHEDULE[@]}" | sort -n)
}

# Prints what is wrong; nothing: all is right.
judge() {
  local file verdict_broken truth
  [[ -s $T/out.json ]] || {
    echo "status $VERIFY_STATUS, and no document: $(tail -n 2 "$T/err" | tr '\n' ' ')"
    return 1
  }
  verdict_broken=$(verdict_check "$T/out.json" 2>&1) || {
    echo "$verdict_broken" | tr '\n' ' '
    return 1
  }
  truth=$(for file in "$T"/times.*; do
    [[ ! -s $file ]] || called "$file" | jq -c --arg who "${file##*/times.}" '. + {$who}'
  done)
  jq -n -r --slurpfile out "$T/out.json" --slurpfile events <(echo "$truth") --argjson status "$VERIFY_STATUS" \
    --argjson before "$BEFORE_END" --argjson after "$AFTER_END" --arg excuses "$EXCUSES" --arg few "$FEW" \
    --arg restart "$RESTART" --arg idle "$IDLE" --arg options " ${OPTIONS[*]} " "$JQ_TIME$JUDGE" >"$T/wrong" || {
    echo "not judged"
    return 1
  }
  cat "$T/wrong"
  [[ ! -s $T/wrong ]]
}

JUDGE='
$out[0] as $out
| ($out.window.start | us) as $open | ($out.window.end | us) as $close
| ($options | contains(" --allow-idle ")) as $allow_idle
| ($options | contains(" --count-probes ")) as $count_probes
| ($events | map(select(.who | startswith("none") | not))
  | map(. + (if .begun >= $open and .done + $before <= $close then {at: "inside"}
      elif .ended < $open or .begun > $close + $after then {at: "outside"}
      else {at: "edge"} end))
  # Of a connection that was there before, what it sends is a call.
  | map(select((.who | startswith("old") | not) or .outcome == "sent"))) as $all
| ($all | map(select(.who | startswith("call") or startswith("old") or ($count_probes and startswith("probe"))))) as $calls
| ($calls | any(.at == "inside")) as $called
| ($calls | any(.at == "edge")) as $perhaps
| (($idle != "") and ($allow_idle | not)) as $held
| ($out.verdict.verdict) as $verdict
| ({QUIET: 0, TRAFFIC: 1, UNPROVEN: 2}[$verdict]) as $number
# For what the counts are: at least those inside, at most those and what is at an edge.
| def bounds(f): [map(select(f and .at == "inside")) | length] + [map(select(f and .at != "outside")) | length];
  def within($what; $got; $bounds):
    if $got >= $bounds[0] and $got <= $bounds[1] then empty
    elif $bounds[0] == $bounds[1] then "\($what): got \($got), want \($bounds[0])"
    else "\($what): got \($got), want \($bounds[0]) to \($bounds[1])" end;
  def sum(f; g): [$out.callers[] | select(f) | g] | add // 0;
[
  (if $number == $status then empty else "status \($status) with \($verdict)" end),
  (if ($called or $held) and $verdict == "QUIET" then "false QUIET"
   # Which of the old connections it was nobody knows if they are too many to be followed.
   elif $few != "" and $verdict == "UNPROVEN" and ($calls | any(.at == "inside" and .outcome != "sent") | not) then empty
   elif ($called or $held) and $verdict != "TRAFFIC" then "\($verdict) in spite of traffic"
   elif $called or $held or $perhaps then empty
   elif $verdict == "TRAFFIC" then "TRAFFIC of nobody: \($out.verdict.reasons | map(.code) | join(", "))"
   elif $verdict == "UNPROVEN" and ($out.verdict.reasons | all(.code | test($excuses)) | not)
   then "UNPROVEN without cause: \($out.verdict.reasons | map(.code) | join(", "))"
   else empty end),
  (if $restart == "" then
     within("opened"; $out.totals.opened; $all | bounds(.outcome == "connected")),
     if $few != "" then empty else within("refused"; sum(true; .connections.refused // 0); $all | bounds(.outcome == "refused")) end
   else
     within("opened and refused"; $out.totals.opened + sum(true; .connections.refused // 0);
       $all | bounds(.outcome | IN("connected", "refused")))
   end),
  (if $few == "" and $restart == "" then
     within("probes"; sum(.class == "probe"; .connections.opened);
       $all | bounds((.who | startswith("probe")) and .outcome == "connected"))
   else empty end)
]
| join("; ") | select(. != "")'

# All of them ---------------------------------------------------------------------------------------

# A process for each run: everything that it starts hangs on it.
if [[ ${1:-} == --run ]]; then
  RESULT=$2
  run_one "$3" >"$2.wrong" 2>"$2.err"
  exit
fi

if ((EUID != 0)); then
  echo "random: 0 passed, 0 failed, 1 skipped # skipped: needs root"
  exit 0
fi
export SEED=${SEED:-$((${EPOCHREALTIME//[^0-9]/} % 1000000))}
export WHOCALLS LOAD
runs=("$@")
((${#runs[@]})) || mapfile -t runs < <(seq "${RUNS:-200}")
work=$(mktemp -d "${TMPDIR:-/tmp}/wc-random-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
passed=0 failed=0 false_quiet=0 running=0
declare -A run_of=()
echo "random: SEED=$SEED, ${#runs[@]} runs"

reap() {
  local pid status=0 run
  wait -n -p pid "${!run_of[@]}" || status=$?
  run=${run_of[$pid]}
  unset "run_of[$pid]"
  running=$((running - 1))
  if ((status == 0)); then
    passed=$((passed + 1))
    [[ -z ${VERBOSE:-} ]] || echo "ok run $run: $(<"$work/$run.scenario")"
    return
  fi
  failed=$((failed + 1))
  ! grep -q 'false QUIET' "$work/$run.wrong" || false_quiet=$((false_quiet + 1))
  echo "FAILED run $run: $(tr '\n' ' ' <"$work/$run.wrong")$(tail -n 3 "$work/$run.err" | tr '\n' ' ')"
  echo "  $(cat "$work/$run.scenario" 2>/dev/null)"
  echo "  again: SEED=$SEED tests/verdict/random.sh $run"
}

for run in "${runs[@]}"; do
  ((running < ${JOBS:-3})) || reap
  setpriv --pdeathsig KILL "${BASH_SOURCE[0]}" --run "$work/$run" "$run" &
  run_of[$!]=$run
  running=$((running + 1))
done
while ((running)); do reap; done
echo "random: $passed passed, $failed failed, 0 skipped"
echo "false QUIET: $false_quiet"
((failed == 0))
