#!/bin/bash
# SPDX-License-Identifier: MIT
# What the node tests of a kernel guest have as $WHOCALLS: the program, with the accept hook of this run.
if [ "${1-}" = trace ]; then
  exec /whocalls/bin/whocalls trace --accept-hook "$HOOK" "${@:2}"
fi
exec /whocalls/bin/whocalls "$@"
