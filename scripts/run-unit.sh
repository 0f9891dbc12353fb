#!/bin/bash
# run-unit.sh PROGRAM...: runs cmocka programs; shows what failed, and adds up.
set -u
passed=0 failed=0 skipped=0
for program in "$@"; do
  output=$("$program" 2>&1)
  status=$?
  # cmocka's closing lines: "[  PASSED  ] 10 test(s)."
  count() { grep -oP "^\[  $1 *\] \K[0-9]+(?= test)" <<<"$output" | tail -n 1; }
  p=$(count PASSED) f=$(count FAILED) s=$(count SKIPPED)
  p=${p:-0} f=${f:-0} s=${s:-0}
  # a program that died has failed, whatever it counted
  if [ $status -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  if [ $status -eq 0 ] && [ "$p" -eq 0 ]; then
    f=1
    output="$output"$'\n'"no test ran"
  fi
  if [ "$f" -ne 0 ]; then
    printf '%s\n%s: status %s\n' "$output" "$program" "$status"
  fi
  printf '%-24s %s passed, %s failed\n' "${program##*/}" "$p" "$f"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "unit: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
