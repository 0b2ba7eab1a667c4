#!/usr/bin/env bash
# Sets up, builds and runs all tests. Arguments go to ctest, e.g. tests/run.sh -L golden
#   MTLPRUNE_PRESET=wheel|sanitize   another build (default: default)
set -euo pipefail
cd "$(dirname "$0")/.."
. cmake/steps.sh
prepare
code=0
ctest --test-dir "$build" --output-on-failure -j "$(nproc)" "$@" 2>&1 |
    follow tests ctest_line "$(ctest_costs "$@" 2>/dev/null)" || code=$?
skipped_reasons
exit $code
