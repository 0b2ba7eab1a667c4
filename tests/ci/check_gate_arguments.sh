#!/usr/bin/env bash
# bench/gate.sh says what is wrong with its arguments before it builds anything.
#   check_gate_arguments.sh SOURCE
set -euo pipefail
gate=$1/bench/gate.sh
git -C "$1" rev-parse --quiet --verify HEAD >/dev/null 2>&1 || { echo "SKIPPED: not in a git repository"; exit 77; }

expect() {  # CODE TEXT ARGUMENT...
    local code=0 output
    output=$("$gate" "${@:3}" 2>&1) || code=$?
    [ "$code" = "$1" ] || { echo "gate.sh ${*:3}: expected exit code $1, found $code: $output"; exit 1; }
    [[ "$output" == *"$2"* ]] || { echo "gate.sh ${*:3}: expected '$2' in: $output"; exit 1; }
}
expect 0 'bench/gate.sh REV' --help
expect 2 'bench/gate.sh REV'
expect 2 "'no-such-revision' is no commit" no-such-revision
expect 2 'no suite' HEAD --suite /nonexistent/suite.json
expect 2 '--markdown needs a file' HEAD --markdown
