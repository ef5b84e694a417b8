#!/bin/sh
# Test the C core under sanitizers: sanitize.sh address,undefined|thread [pytest arguments]
# Works on a copy, so that the built core stays. PYTHON names an interpreter with the tests' packages.
set -eu
kind=$1
shift
root=$(cd "$(dirname "$0")/../../../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
(cd "$root" && git ls-files -z | xargs -0 cp -P --parents -t "$copy")
cd "$copy"
python=${PYTHON:-python3}
CFLAGS="-fsanitize=$kind -fno-sanitize-recover=all -g -O0" LDFLAGS="-fsanitize=$kind" \
  "$python" setup.py -q build_ext --inplace
case $kind in
  thread) library=$(gcc -print-file-name=libtsan.so) ;;
  *) library=$(gcc -print-file-name=libasan.so) ;;
esac
export LD_PRELOAD="$library" PYTHONPATH="$copy"
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="halt_on_error=1 report_signal_unsafe=0 ignore_noninstrumented_modules=1"
tests=tests/runtime/engines/cpu
if [ "$kind" != thread ]; then
  "$python" $tests/damage_tables.py 5000
fi
"$python" -m pytest -q -p no:cacheprovider $tests/test_engine.py "$@"
