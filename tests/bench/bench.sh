#!/bin/bash
# shellcheck disable=SC2016 # conditions in single quotes are evaluated later
# bench.sh: the figures of the README, all of one run: throughput traced and untraced in turn (medians of interleaved
# rounds), what a socket costs that is not a target, a burst with the reader stopped, start, memory, own CPU.
# Machines differ: only ratios within one run mean anything. ROUNDS, COUNT and CALLERS change the sizes.
set -u

: "${WHOCALLS:?}" "${LOAD:?}" "${BENCH:?}"
ROUNDS=${ROUNDS:-15} COUNT=${COUNT:-15000} CALLERS=${CALLERS:-10000 100000}

if [ "${1-}" != inside ]; then
  sudo=
  [ "$(id -u)" = 0 ] || sudo="sudo --preserve-env=WHOCALLS,LOAD,BENCH,ROUNDS,COUNT,CALLERS"
  exec $sudo unshare --net --mount --propagation private "$0" inside
fi

ip link set lo up
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
sysctl -qw net.ipv4.tcp_tw_reuse=1 2>/dev/null
CGROUP=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
D=$(mktemp -d)
PIDS=()
# shellcheck disable=SC2317 # called by the trap
end() {
  [ ${#PIDS[@]} -eq 0 ] || kill -KILL "${PIDS[@]}" 2>/dev/null
  rm -rf "$D"
}
trap end EXIT
trap 'exit 130' INT TERM

wait_for() { # CONDITION, at most 20 s
  local i
  for ((i = 0; i < 1000; i++)); do
    eval "$1" && return 0
    sleep 0.02
  done
  echo "bench: waited in vain: $1" >&2
  return 1
}

median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# --- starting and ending what is measured ---

background() { # COMMAND... its output in $D/out and $D/err
  : >"$D/out" && : >"$D/err"
  exec 7> >(exec setpriv --pdeathsig KILL -- "$@" >"$D/out" 2>"$D/err")
  PID=$!
  PIDS+=("$PID")
}

stop() {
  exec 7>&-
  kill -INT "$PID" 2>/dev/null
  wait_for '! kill -0 $PID 2>/dev/null' || kill -KILL "$PID"
}

begin() { # NAME: what is attached in this configuration
  case $1 in
  untraced) PID= ;;
  empty) background "$BENCH/empty" inet_sock_set_state sockops="$CGROUP" sys_exit && wait_for 'grep -q ready $D/out' ;;
  whocalls) trace --port 3000 ;;
  'whocalls, no accept hook') trace --port 3000 --accept-hook none ;;
  'whocalls, jsonl') trace --port 3000 -o jsonl ;;
  'whocalls, another port') trace --port 4000 ;;
  tcplife) background stdbuf -oL tcplife -L 3000 && wait_for 'grep -q PID $D/out' ;;
  tcpaccept.bt) background tcpaccept.bt && wait_for 'grep -q TIME $D/out' ;;
  esac
}

trace() {
  background "$WHOCALLS" trace "$@"
  wait_for 'grep -q "^tracing" $D/err'
}

have() { # can this configuration run here?
  case $1 in
  tcplife | tcpaccept.bt) command -v "$1" >/dev/null || return 1 ;;
  esac
  begin "$1" 2>/dev/null || { stop 2>/dev/null; return 1; }
  [ -z "$PID" ] || stop
}

# --- throughput ---

echo "Throughput: connect, accept, close, back to back on one CPU ($ROUNDS rounds of $COUNT, interleaved)"
configurations=(untraced empty whocalls 'whocalls, no accept hook' 'whocalls, jsonl' 'whocalls, another port' tcplife tcpaccept.bt)
running=()
for name in "${configurations[@]}"; do
  if have "$name"; then running+=("$name"); else echo "  $name: skipped: does not run here"; fi
done
for ((round = 0; round < ROUNDS; round++)); do
  for name in "${running[@]}"; do
    begin "$name" || exit 1
    "$BENCH/connections" 3000 "$COUNT" >>"$D/ns.$name"
    [ -z "$PID" ] || stop
  done
done
printf '  %-26s %14s %18s %18s\n' '' 'ns/connection' 'ratio to untraced' 'ratio to empty'
for name in "${running[@]}"; do
  printf '  %-26s %14.0f %18.3f %18.3f\n' "$name" "$(median <"$D/ns.$name")" \
    "$(paste "$D/ns.untraced" "$D/ns.$name" | awk '{ print $1 / $2 }' | median)" \
    "$(paste "$D/ns.empty" "$D/ns.$name" | awk '{ print $1 / $2 }' | median)"
done

# --- what a socket costs that is not a target ---

echo "A socket that is not a target: time in each program, by the kernel's own statistics, less that of an empty one"
run_ns() { # name and ns of a run of this process's programs that ran
  awk '/^prog_id/ { print $2 }' "/proc/$PID"/fdinfo/* 2>/dev/null | sort -un | while read -r id; do
    bpftool prog show id "$id" -j
  done | jq -r 'select(.run_cnt > 1000) | "\(.name) \(.run_time_ns / .run_cnt)"'
}
stats=$(sysctl -n kernel.bpf_stats_enabled)
sysctl -qw kernel.bpf_stats_enabled=1
begin empty
for _ in 1 2 3; do "$BENCH/connections" 3000 "$COUNT" >/dev/null; done
empty_ns=$(run_ns | awk '{ print $2 }' | sort -g | head -n 1)
stop
begin 'whocalls, another port'
for _ in 1 2 3; do "$BENCH/connections" 3000 "$COUNT" >/dev/null; done
run_ns | awk -v empty="$empty_ns" '{ printf "  %-26s %6.0f ns a run\n", $1, $2 - empty }'
stop
sysctl -qw "kernel.bpf_stats_enabled=$stats"

# --- burst ---

echo 'Burst: 200,000 connections from 256 addresses while the reader is stopped, the smallest ring'
background "$LOAD" server --port 3001 --mode sink --ready "$D/ready"
server=$PID
wait_for '[ -e $D/ready ]'
exec 6>&7
trace --port 3001 -o json --ring-size 4096
kill -STOP "$PID"
"$LOAD" client --to 127.0.0.1 --port 3001 --from-base 127.0.8.1 --from-count 256 --connections 200000 >"$D/client.json"
kill -CONT "$PID"
stop
made=$(jq .connections "$D/client.json") counted=$(jq .totals.opened "$D/out")
echo "  made $made, counted $counted, lost $((made - counted))"
kill "$server"
exec 6>&-

# --- start ---

echo 'Start: from exec to the first caller shown, with somebody calling all the time (median of 9)'
exec 6> >(exec setpriv --pdeathsig KILL -- sh -c "while :; do $BENCH/connections 3002 2000 >/dev/null; done")
caller=$!
PIDS+=("$caller")
for _ in 1 2 3 4 5 6 7 8 9; do
  start=$(date +%s%N)
  # one line, and the time when it came
  "$WHOCALLS" trace --port 3002 2>/dev/null | { read -r _ && date +%s%N; } >"$D/first"
  echo $((($(cat "$D/first") - start) / 1000000))
done | median | sed 's/.*/  & ms/'
kill "$caller"
exec 6>&-

# --- memory ---

echo 'Memory: of the program, and of the kernel maps, with so many callers'
for callers in $CALLERS; do
  trace --port 3003 -o json --max-callers "$callers"
  "$BENCH/connections" 3003 "$callers" "$callers" >/dev/null
  # it has read them all when its memory has stopped growing
  resident=
  wait_for '[ "$resident" = "$(awk "/VmHWM/ { print \$2 }" "/proc/$PID/status")" ] || { resident=$(awk "/VmHWM/ { print \$2 }" "/proc/$PID/status"); sleep 1; false; }'
  # by its shape: struct caller_key is 48 bytes, struct caller_counts 88
  map=$(awk '/^key_size/ { k = $2 } /^value_size/ { v = $2 } /^memlock/ && k == 48 && v == 88 { print $2; exit }' \
    "/proc/$PID"/fdinfo/*)
  resident=$(awk '/VmHWM/ { print $2 }' "/proc/$PID/status")
  stop
  counted=$(jq '[.callers[].addresses | length] | add' "$D/out")
  printf '  %8d callers (%s counted): peak %s KiB resident, %s bytes of map a caller\n' "$callers" "$counted" \
    "$resident" $((map / callers))
done

# --- own CPU ---

echo 'Own CPU, in table mode'
trace --port 3004
cpu() { awk '{ print $14 + $15 }' "/proc/$PID/stat"; }
before=$(cpu) start=$(date +%s%N)
"$BENCH/connections" 3004 200000 >/dev/null
used=$(($(cpu) - before)) elapsed=$(($(date +%s%N) - start))
stop
awk -v ticks="$used" -v hz="$(getconf CLK_TCK)" -v ns="$elapsed" 'BEGIN {
  rate = 200000 / (ns / 1e9); share = ticks / hz / (ns / 1e9)
  printf "  %.2f %% of one CPU at %.0f connections a second, %.2f %% at 20,000 if linear\n", share * 100, rate, share * 100 * 20000 / rate }'
