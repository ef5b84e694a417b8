#!/bin/sh
# Test the core under sanitizers: runtime/core/sanitize.sh address,undefined|thread [pytest arguments]
# Works on a copy, so the built core stays. PYTHON names an interpreter with the tests' packages.
set -eu
kind=$1
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$root/runtime" "$root/convert" "$root/deploy" "$root/train" "$root/cli" "$root/tests" \
  "$root/pyproject.toml" "$copy"
mkdir -p "$copy/.ns/pumice"
for folder in runtime convert deploy train cli; do ln -s "$copy/$folder" "$copy/.ns/pumice/$folder"; done
cd "$copy"
python=${PYTHON:-python3}
PYTHONPATH="$copy/.ns" "$python" runtime/core/build.py --sanitize "$kind" >/dev/null
case $kind in
  thread) library=$(gcc -print-file-name=libtsan.so) ;;
  *) library=$(gcc -print-file-name=libasan.so) ;;
esac
export LD_PRELOAD="$library" PYTHONPATH="$copy/.ns"
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="halt_on_error=1 report_signal_unsafe=0 ignore_noninstrumented_modules=1"
if [ "$kind" != thread ]; then
  "$python" tests/runtime/engines/damage_tables.py 5000
fi
"$python" -m pytest -q -p no:cacheprovider tests/runtime/engines/test_engine.py "$@"
