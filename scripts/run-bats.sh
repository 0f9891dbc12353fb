#!/bin/bash
# run-bats.sh FOLDER [OPTION...]: runs its .bats files one after the other, as TAP, and adds up. OPTION is of bats.
set -u
# No test asks the cluster of whoever runs it.
export WHOCALLS_CACHE=${WHOCALLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/whocalls} HOME=/nonexistent
unset KUBECONFIG KUBERNETES_SERVICE_HOST SUDO_USER SUDO_UID SUDO_GID
log=$(mktemp)
trap 'rm -f "$log"' EXIT
bats --formatter tap --timing "${@:2}" "$1" | tee "$log" | sed -u 's/ # skip \(skipped: \)\?/ # skipped: /'
status=${PIPESTATUS[0]}
skipped=$(grep -c '^ok .* # skip' "$log")
passed=$(($(grep -c '^ok ' "$log") - skipped))
failed=$(grep -c '^not ok ' "$log")
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
echo "${1##*/}: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
