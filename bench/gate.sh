#!/usr/bin/env bash
# Is the current tree slower than REV? Builds the benchmark programs of both and measures them in turns.
#   bench/gate.sh REV [OPTIONS]     options of `mtlprune bench-gate`: --markdown FILE, --junit FILE, --suite FILE, ...
#   MTLPRUNE_PRESET=wheel           both sides with the CUDA wheel
# Exit codes: 0 nothing is worse, 1 something is, 2 bad input or a program that fails. REV is built in a work tree of its own,
# build/gate/base, which later gates use again.
set -euo pipefail
started_in=$PWD
cd "$(dirname "$0")/.."
. cmake/steps.sh

usage() { sed -n '2,6s/^# \{0,1\}//p' bench/gate.sh; }
fail() { say "gate.sh: $*"; exit 2; }

case "${1-}" in
    -h | --help) usage; exit 0 ;;
    '' | -*) usage >&2; exit 2 ;;
esac
revision=$1
shift
commit=$(git rev-parse --quiet --verify "$revision^{commit}") ||
    fail "'$revision' is no commit of this repository (in a shallow clone: git fetch --unshallow, or git fetch origin $revision)"

# Files are meant from where the command was typed.
suite=bench/gate_suite.json
options=()
while [ $# -gt 0 ]; do
    case "$1" in
        --suite=* | --markdown=* | --junit=* | --json=* | --history=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    esac
    case "$1" in
        --suite | --markdown | --junit | --json | --history)
            [ $# -ge 2 ] || fail "$1 needs a file"
            file=$2
            [[ "$file" = /* ]] || file=$started_in/$file
            if [ "$1" = --suite ]; then suite=$file; else options+=("$1" "$file"); fi
            shift 2 ;;
        *) options+=("$1"); shift ;;
    esac
done
[ -f "$suite" ] || fail "no suite $suite"

# Programs that both sides have.
programs=() selection=()
while read -r program; do
    if git cat-file -e "$commit:bench/$program.cpp" 2>/dev/null; then
        programs+=("$program")
        selection+=(--program "$program")
    else
        say "gate: $program is not in $revision and is left out"
    fi
done < <(sed -n 's/.*"program": *"\([^"]*\)".*/\1/p' "$suite" | sort -u)
[ ${#programs[@]} -gt 0 ] || fail "no program of $suite is in $revision"
case " ${options[*]-} " in *" --program "* | *" --program="*) selection=() ;; esac
case " ${options[*]-} " in *" --commit "* | *" --commit="*) ;; *) options+=(--commit "$(git rev-parse --short=12 HEAD)") ;; esac

# build_programs FOLDER TITLE: in that work tree, with its own settings.
build_programs() (
    unset CCACHE_BASEDIR
    cd "$1"
    . cmake/build_environment.sh
    cmake --preset "${MTLPRUNE_PRESET:-default}" >/dev/null
    NINJA_STATUS='@%f/%t ' cmake --build "$build" --target "${programs[@]}" 2>&1 | follow "$2" ninja_line ''
)

prepare mtlprune
build_programs . 'build of the current tree'

base=$PWD/$build/gate/base
if [ -e "$base/.git" ]; then
    git -C "$base" checkout --quiet --force --detach "$commit"
else
    git worktree prune
    git worktree add --quiet --force --detach "$base" "$commit"
fi
[ ! -d .deps ] || ln -sfn "$PWD/.deps" "$base/.deps"
build_programs "$base" "build of $revision"

say "gate: the current tree against $revision (${commit:0:12})"
exec "$build/bin/mtlprune" bench-gate --base "$base/$build/bin" --new "$build/bin" --suite "$suite" \
    "${selection[@]}" "${options[@]}"
