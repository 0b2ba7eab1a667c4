#!/usr/bin/env bash
# Sets up, builds and reproduces the main paper's figures; ends by printing the path of report.html.
#   reproduce/run.sh                                       scale quick on the embedded synthetic rooms
#   reproduce/run.sh --data nyuv2=DIR --scale small        real NYUv2 in the AdaShare layout
# Interrupt it at any moment; the same command resumes. All arguments go to `mtlprune reproduce` (see --help). Standard error
# says what it does and how long that will take.
#   MTLPRUNE_PRESET=wheel   build against the CUDA wheel, e.g. for --device cuda
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
arguments=()
for argument in "$@"; do  # a relative folder is meant from where the command was typed
    [[ "$argument" =~ ^(--data=)?nyuv2=([^/].*)$ && "$PWD" != "$root" ]] &&
        argument="${BASH_REMATCH[1]}nyuv2=$PWD/${BASH_REMATCH[2]}"
    arguments+=("$argument")
done
cd "$root"
. cmake/steps.sh
prepare mtlprune
exec "$build/bin/mtlprune" reproduce "${arguments[@]}"
