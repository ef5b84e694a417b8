#!/bin/sh
# Fuzz the tables of the C core: fuzz.sh [seconds], an hour by default. PYTHON names an interpreter
# with the tests' packages, CC a clang with its libFuzzer (in Debian: clang-14 libclang-rt-14-dev),
# TIMEOUT the seconds that an input may take, 300 by default.
#
# The wide kernels are compiled without optimization, which takes clang a minute instead of many.
set -eu
seconds=${1:-3600}
here=$(cd "$(dirname "$0")" && pwd)
core=$here/../../../../runtime/core
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" "$here/record_runs.py" --tables "$folder/corpus" 300
for source in "$core"/core*.c "$here/fuzz_tables.c"; do
  case $source in
    *avx*) level=-O0 ;;
    *) level=-O1 ;;
  esac
  "${CC:-clang}" -std=c11 $level -g -D_GNU_SOURCE -fsanitize=fuzzer-no-link,address,undefined \
    -fno-sanitize-recover=all -I"$core" -c "$source" -o "$folder/$(basename "$source" .c).o"
done
"${CC:-clang}" -fsanitize=fuzzer,address,undefined "$folder"/*.o -o "$folder/fuzz_tables" -lpthread
"$folder/fuzz_tables" "$folder/corpus" -max_len=100000 -max_total_time="$seconds" -timeout="${TIMEOUT:-300}" \
  -artifact_prefix="${ARTIFACTS:-$PWD}/" -print_final_stats=1
