#!/bin/bash
# shellcheck disable=SC2016 # conditions in single quotes are evaluated later
# bench.sh: the figures of the README, all of one run: throughput traced and untraced in turn (medians of interleaved
# rounds), what a socket costs that is not a target, a burst with the reader stopped, start, memory, own CPU.
# Machines differ: only ratios within one run mean anything. ROUNDS, COUNT and CALLERS change the sizes.
set -u

# shellcheck source=tests/bench/lib.sh
. "${0%/*}/lib.sh"
ROUNDS=${ROUNDS:-15} COUNT=${COUNT:-15000} CALLERS=${CALLERS:-10000 100000}

# --- throughput ---

echo "Throughput: connect, accept, close, back to back on one CPU ($ROUNDS rounds of $COUNT, interleaved)"
have_of untraced empty whocalls 'whocalls, no accept hook' 'whocalls, jsonl' 'whocalls, another port' tcplife tcpaccept.bt
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
stats_begin
begin empty
for _ in 1 2 3; do "$BENCH/connections" 3000 "$COUNT" >/dev/null; done
empty_ns=$(run_ns | awk '{ print $2 }' | sort -g | head -n 1)
stop
begin 'whocalls, another port'
for _ in 1 2 3; do "$BENCH/connections" 3000 "$COUNT" >/dev/null; done
run_ns | awk -v empty="$empty_ns" '{ printf "  %-26s %6.0f ns a run\n", $1, $2 - empty }'
stop
stats_end

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
  map=$(awk '/^map_id/ { print $2 }' "/proc/$PID"/fdinfo/* | sort -un | while read -r id; do
    bpftool map show id "$id" -j
  done | jq 'select(.name == "callers").bytes_memlock')
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
