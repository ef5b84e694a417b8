#!/bin/sh
# Test the C core under sanitizers: sanitize.sh address,undefined|thread [networks]
#
# Runs of random networks are recorded by the reference and replayed by the instrumented core,
# without Python in the process: whole (under ThreadSanitizer by three threads), cut into two at
# every step, and as groups of samples. PYTHON names an interpreter with the tests' packages, CC a
# compiler. Without optimization, since GCC takes minutes to instrument the optimized kernels.
set -eu
kind=$1
networks=${2:-300}
here=$(cd "$(dirname "$0")" && pwd)
core=$here/../../../../runtime/core
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" "$here/record_runs.py" "$folder/runs" "$networks"
case $kind in
  thread) threads=3 ;;
  *) threads=1 ;;
esac
"${CC:-cc}" -std=c11 -O0 -g -D_GNU_SOURCE -Wall -Wextra -Werror -fsanitize="$kind" \
  -fno-sanitize-recover=all -I"$core" "$core"/core*.c "$here/replay_runs.c" -o "$folder/replay" \
  -lpthread
export UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1
"$folder/replay" "$folder/runs" $threads
