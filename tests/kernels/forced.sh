#!/bin/bash
# SPDX-License-Identifier: MIT
# What the node tests of a kernel guest have as $WHOCALLS: the program, with the accept hook of this run.
case ${1-} in
trace | verify) exec /whocalls/bin/whocalls "$1" --accept-hook "$HOOK" "${@:2}" ;;
esac
exec /whocalls/bin/whocalls "$@"
