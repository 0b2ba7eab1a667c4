#!/usr/bin/env bash
# Sets up, builds and runs all tests. Arguments go to ctest, e.g. tests/run.sh -L golden
#   MTLPRUNE_PRESET=wheel|sanitize   another build (default: default)
set -euo pipefail
cd "$(dirname "$0")/.."
preset="${MTLPRUNE_PRESET:-default}"
if [ "$preset" = wheel ]; then ./setup.sh --torch wheel; else ./setup.sh; fi
. cmake/build_environment.sh
cmake --preset "$preset" >/dev/null
build=$([ "$preset" = default ] && echo build || echo "build-$preset")
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure -j "$(nproc)" "$@"
