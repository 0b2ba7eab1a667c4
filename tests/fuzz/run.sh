#!/usr/bin/env bash
# Builds the fuzz targets (libFuzzer when clang++ is installed) and runs each for ten seconds, or as long as
# asked:   tests/fuzz/run.sh [SECONDS_PER_TARGET]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds="${1:-10}"
compiler=$(command -v clang++ || command -v g++)
build="build-fuzz-$(basename "$compiler")"
cmake -S tests/fuzz -B "$build" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" >/dev/null
cmake --build "$build"
if [ "$(basename "$compiler")" != clang++ ]; then exec ctest --test-dir "$build" -L fuzz --output-on-failure; fi
for corpus in tests/fuzz/corpus/*/; do
    name=$(basename "$corpus")
    found="$build/found/$name"
    mkdir -p "$found"
    log="$build/$name.log"
    if ! "$build/fuzz_$name" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="$build/$name-" "$found" "$corpus" >"$log" 2>&1; then
        tail -n 60 "$log"
        echo "fuzz_$name failed; the input is in $build/$name-*" >&2
        exit 1
    fi
    echo "fuzz_$name: $(awk '/number_of_executed_units/ {print $2}' "$log") inputs without a fault"
done
