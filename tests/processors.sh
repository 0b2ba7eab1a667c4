#!/usr/bin/env bash
# Runs the golden tests of an existing build as other processors would: with the kernels that LibTorch, oneDNN and OpenBLAS
# choose there. Fails if one of them fails. Takes minutes; needs the golden values (see tests/golden_folder.h).
#
#   tests/processors.sh [BUILD [FILTER]]     default: build '*Golden*'
#
# BUILD holds bin/test_<room>; rooms that are not built are an error. FILTER is GoogleTest's. Kernels of instructions that this
# processor lacks are left out, with a line that says so. To test a single processor's kernels, set the variables below by hand:
#   ATEN_CPU_CAPABILITY   LibTorch's own vectorised loops
#   ONEDNN_MAX_CPU_ISA    convolutions in float32
#   OPENBLAS_CORETYPE     matrix products; convolutions in float64
set -euo pipefail
cd "$(dirname "$0")/.."
build="${1:-build}"
filter="${2:-*Golden*}"
rooms="datasets models training pruning"

# Setting, and the flag of /proc/cpuinfo that it needs. The last ones are whole processors: none with vectors (2006), Zen and
# Haswell (2013-2017), a Xeon with AVX-512.
settings="
ATEN_CPU_CAPABILITY=default                                                      sse2
ATEN_CPU_CAPABILITY=avx2                                                         avx2
ONEDNN_MAX_CPU_ISA=SSE41                                                         sse4_1
ONEDNN_MAX_CPU_ISA=AVX2                                                          avx2
OPENBLAS_CORETYPE=Prescott                                                       sse3|pni
OPENBLAS_CORETYPE=Haswell                                                        avx2
OPENBLAS_CORETYPE=SkylakeX                                                       avx512f
ATEN_CPU_CAPABILITY=default,ONEDNN_MAX_CPU_ISA=SSE41,OPENBLAS_CORETYPE=Prescott  sse4_1
ATEN_CPU_CAPABILITY=avx2,ONEDNN_MAX_CPU_ISA=AVX2,OPENBLAS_CORETYPE=Haswell       avx2
"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
while read -r setting needs; do
    [ -n "$setting" ] || continue
    if ! grep -qwE "$needs" /proc/cpuinfo; then
        echo "left out  $setting (this processor has no $needs)"
        continue
    fi
    IFS=, read -ra variables <<<"$setting"
    for room in $rooms; do
        if env "${variables[@]}" "$build/bin/test_$room" --gtest_filter="$filter" --gtest_brief=1 >"$log" 2>&1 </dev/null; then
            # A run without golden values passes, but says nothing.
            summary=$(grep -E "^\[  (PASSED|SKIPPED) " "$log" | tr -s ' \n' ' ' || true)
            echo "passed    $setting test_$room: $summary"
        else
            echo "FAILED    $setting test_$room"
            cat "$log"
            failed=1
        fi
    done
done <<<"$settings"
exit $failed
