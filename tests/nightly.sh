#!/bin/sh
# Run the thousands of random networks in parts: nightly.sh LOG [parts], 40 parts by default.
#
# Each part ends with a line "part N/PARTS passed in S s" or "failed" in LOG; a run that was stopped
# goes on after the parts that passed. PYTHON names an interpreter with the tests' packages.
set -eu
log=$1
parts=${2:-40}
cd "$(dirname "$0")/.."
failed=0
number=0
touch "$log"
while [ "$number" -lt "$parts" ]; do
  number=$((number + 1))
  if grep -q "^part $number/$parts passed" "$log"; then continue; fi
  begun=$(date +%s)
  if PUMICE_PART=$number/$parts "${PYTHON:-python3}" -m pytest -q -m slow -k thousand \
    tests/runtime/engines/test_engines.py tests/deploy/c/test_engines.py >>"$log" 2>&1; then
    result=passed
  else
    result=failed
    failed=1
  fi
  echo "part $number/$parts $result in $(($(date +%s) - begun)) s" >>"$log"
done
exit $failed
