# SPDX-License-Identifier: MIT
# An API server that answers as none should: counts stay right, names come where they can, and where they can't the
# coverage says what is wrong. Pod 0 is called, pod 12 (of app-1) calls; there are 20, in pages of 7.
# shellcheck disable=SC2016 # conditions in single quotes are evaluated later

load lib.sh

setup() {
  node_up
  pod_add s 100.96.0.2
  pod_add c 100.96.0.14
  server_start s
}

teardown() {
  node_down
}

# trace_api ARGS…: a trace of the port with names from an API server that was started with these.
trace_api() {
  api_start --page 7 "$@"
  trace_start --port "$PORT" "${NAMED[@]}"
}

# counts_are CALLERS: all that the server accepted, of so many callers, and nothing else.
counts_are() {
  server_stop s
  same opened "$(total opened)" "$(jq .accepted "$T/server.s.json")"
  same accepted "$(total accepted)" "$(jq .accepted "$T/server.s.json")"
  same callers "$(caller_number true)" "$1"
}

# note_has TEXT: one of the notes, and it is one line.
note_has() {
  jq -e --arg text "$1" 'any(.coverage.notes[]; contains($text) and (contains("\n") | not))' "$T/out.json" >/dev/null || {
    echo "no note has \"$1\":" >&2
    jq -c .coverage.notes "$T/out.json" >&2
    return 1
  }
}

no_notes() {
  same notes "$(jq -c '.coverage.notes // []' "$T/out.json")" '[]'
}

# named ARGS…: with this API server the caller is named in the end; told_are FIELD=NUMBER….
named() {
  trace_api "$@"
  client_run calls c --to 100.96.0.2 --connections 25
  api_wait watches 1
  api_read
  trace_stop
  counts_are 1
  caller_is app-1 "opened=$(client_count calls connections)" class=workload kind=Deployment namespace=team-0
  no_notes
}

told_are() {
  local field
  for field; do
    same "told: ${field%%=*}" "$(api_told "${field%%=*}")" "${field#*=}"
  done
}

# unnamed NOTE ARGS…: with this one there are no names, and the note says so.
unnamed() {
  local note=$1
  shift
  trace_api "$@"
  client_run calls c --to 100.96.0.2 --connections 25
  api_wait odd 2
  api_read
  trace_stop
  counts_are 1
  caller_is calls "opened=$(client_count calls connections)" class=process
  note_has "$note"
}

# late ARGS…: a pod that comes by the watch is named in the end, however that was.
late() {
  pod_add late 100.96.0.22
  trace_api --late 3 "$@"
  client_run calls c --to 100.96.0.2 --connections 25
  api_wait sent 3
  api_read
  client_run late late --to 100.96.0.2 --connections 15
  trace_stop
  counts_are 2
  caller_is app-1 "opened=$(client_count calls connections)" class=workload
  caller_is app-2 "opened=$(client_count late connections)" class=workload
}

@test "an API server as it should be: a list in pages, then a watch" {
  late
  no_notes
  told_are lists=3 complete=1 nodes=1 watches=1 odd=0
}

@test "a 5 MB pod object: it is named as any other" {
  pod_add large 100.96.0.3
  trace_api --large 5000000
  client_run calls c --to 100.96.0.2 --connections 25
  client_run large large --to 100.96.0.2 --connections 10
  api_wait watches 1
  api_read
  trace_stop
  counts_are 2
  caller_is app-0 "opened=$(client_count large connections)" class=workload
  caller_is app-1 "opened=$(client_count calls connections)" class=workload
  no_notes
}

@test "an object above 8 MiB in a list is left out, and the others have names" {
  pod_add large 100.96.0.3
  trace_api --large 9437184
  client_run calls c --to 100.96.0.2 --connections 25
  client_run large large --to 100.96.0.2 --connections 10
  api_wait watches 1
  api_read
  trace_stop
  counts_are 2
  caller_is large "opened=$(client_count large connections)" class=process
  caller_is app-1 "opened=$(client_count calls connections)" class=workload
  note_has 'one of the pods has more than 8 MiB, and was left out'
}

@test "an object above 8 MiB in a watch is left out, and what follows is taken" {
  late --odd watch-large:1
  told_are watches=1
}

@test "410 in the middle of a list, with a token: it begins again all the same" {
  named --odd list-410-continue:1
  told_are lists=5 complete=1
}

@test "410 in the middle of a list, without: it begins again" {
  named --odd list-410:1
  told_are lists=5 complete=1
}

@test "410 in the middle of every list: the note says so" {
  unnamed 'asking the API to list pods: HTTP 410: Expired' --odd list-410
}

@test "a list in pieces of one byte" {
  named --odd list-bytes
  told_are lists=3
}

@test "a list that is packed (gzip)" {
  named --odd list-gzip
  told_are lists=3
}

@test "a connection that is cut in the middle of an item" {
  named --odd list-cut:1
  told_are lists=4
}

@test "a list that never ends: names come, and the note says that there may be more" {
  trace_api --odd list-endless
  client_run calls c --to 100.96.0.2 --connections 25
  api_wait odd 2
  trace_stop
  counts_are 1
  caller_is app-1 "opened=$(client_count calls connections)" class=workload
  note_has 'has not told all pods and nodes yet'
}

@test "429 and 503 with Retry-After: nothing is asked before that" {
  named --odd list-429:1 --retry-after 1
  told_are odd=1 early=0 lists=4
  server_start s
  api_stop
  named --odd list-503:1 --retry-after 1
  told_are odd=1 early=0 lists=4
}

@test "500 once, and 401 once" {
  named --odd list-500:1
  told_are odd=1 lists=4
  server_start s
  api_stop
  named --odd list-401:1
  told_are odd=1 lists=4
}

@test "a redirect is not followed" {
  unnamed 'asking the API to list pods: HTTP 302' --odd list-302
  told_are others=0
}

@test "HTML where JSON should be" {
  unnamed 'asking the API to list pods: the answer is no list' --odd list-html
}

@test "an empty answer" {
  unnamed 'asking the API to list pods: the answer is no list' --odd list-empty
}

@test "a watch that is too old (an ERROR event): all is listed again" {
  late --odd watch-410:1
  told_are odd=1 complete=2 watches=2
  no_notes
}

@test "a watch that is cut in the middle of a line: what was cut comes again" {
  late --odd watch-cut:1
  told_are odd=1 complete=1 watches=2
  no_notes
}

@test "HTML in a watch" {
  late --odd watch-html:1
  told_are odd=1 watches=2
}

@test "429 for a watch" {
  late --odd watch-429:1 --retry-after 1
  told_are odd=1 early=0 complete=1 watches=2
}

@test "events of an unknown type, of unknown pods, and twice" {
  late --odd watch-unknown:1 --odd watch-deleted:1 --odd watch-twice:1
  told_are odd=3 complete=1 watches=1
  no_notes
}

@test "a watch of bookmarks only, which ends: the next one begins there" {
  late --odd watch-quiet:1
  told_are odd=1 complete=1 watches=2
  no_notes
}

# target_api ARGS…: a trace of Deployment app-0, whose first pod is the server.
target_api() {
  api_start --page 7 "$@"
  trace_start deploy/app-0 -n team-0 --port "$PORT" "${NAMED[@]}"
}

@test "a target from this server: its endpoints" {
  target_api
  client_run calls c --to 100.96.0.2 --connections 25
  trace_stop
  counts_are 1
  same endpoints "$(jq '.target.endpoints | length' "$T/out.json")" 10
}

@test "a watch that stalls, and one that is silent from the start: counts go on" {
  target_api --odd watch-stall:1
  api_wait watches 2
  kill -USR1 "$API_PID"
  client_run calls c --to 100.96.0.2 --connections 25
  trace_stop
  counts_are 1
}
