# Sourced by setup.sh, reproduce/run.sh and tests/run.sh in the root of the repository: everything up to a finished build, and
# lines on standard error that say how far a step is and how long it will take. A terminal has one line that is rewritten; a log
# gets one every 10 %, at most every 15 s and at least every minute.
steps_every=15

say() { printf '%s\n' "$*" >&2; }

duration() {  # SECONDS
    if [ "$1" -lt 60 ]; then echo "$1 s"
    elif [ "$1" -lt 3600 ]; then echo "$(($1 / 60)) min $(($1 % 60)) s"
    else echo "$(($1 / 3600)) h $(($1 % 3600 / 60)) min"; fi
}

# Packages, configuration and build of $MTLPRUNE_PRESET, whose folder is $build afterwards.
#   prepare [TARGET]                  default: everything
prepare() {
    local preset="${MTLPRUNE_PRESET:-default}" start costs
    build=$([ "$preset" = default ] && echo build || echo "build-$preset")
    if [ "$preset" = wheel ]; then ./setup.sh --torch wheel; else ./setup.sh; fi
    . cmake/build_environment.sh
    start=$SECONDS
    say "configure: preset $preset, a few seconds"
    cmake --preset "$preset" >/dev/null
    say "configure: $(duration $((SECONDS - start)))"
    costs=$(build_costs "$@" 2>/dev/null) || true
    NINJA_STATUS='@%f/%t ' cmake --build "$build" ${1:+--target "$1"} 2>&1 | follow build ninja_line "$costs"
}

# Passes a program's output on, without the lines that say that something ended: those become one line of progress. To keep
# the program's exit code, set pipefail.
#   PROGRAM 2>&1 | follow TITLE READER COSTS
# READER LINE sets `n`, `m` (how much has ended, of how much) and `name` (what ended), and fails if the line is to be seen.
# COSTS: a line "MILLISECONDS NAME" for all that will run, as far as known.
follow() {
    local title=$1 reader=$2 line piece rest='' columns=0
    local n=0 m=0 name='' before=0 start=$SECONDS at=$SECONDS  # `at`: when something ended last
    local printed=$((SECONDS - steps_every)) printed_percent=-10
    local total=0 ended=0 jobs ms
    local -A cost=()
    jobs=$(nproc)
    while read -r ms name; do
        if [ -n "$name" ]; then cost[$name]=$ms; total=$((total + ms)); fi
    done <<<"$3"
    m=${#cost[@]} name=''
    if [ -t 2 ]; then
        columns=$(stty size <&2 2>/dev/null | cut -d' ' -f2) || true
        [ "${columns:-0}" -gt 20 ] || columns=80
    fi
    [ "$m" -eq 0 ] || show_progress
    while true; do
        piece=''
        if IFS= read -r -t 1 piece; then
            line=$rest$piece rest=''
            if ! "$reader" "$line"; then
                [ "$columns" -eq 0 ] || printf '\r\033[K' >&2
                printf '%s\n' "$line"
            fi
            if [ "$n" -ne "$before" ]; then
                before=$n at=$SECONDS ended=$((ended + ${cost[$name]:-0}))
            fi
        else
            [ $? -gt 128 ] || break  # else a second without a whole line
            rest+=$piece
        fi
        [ "$m" -eq 0 ] || show_progress
    done
    [ -z "$rest$piece" ] || printf '%s\n' "$rest$piece"
    [ "$columns" -eq 0 ] || printf '\r\033[K' >&2
    if [ "$m" -eq 0 ]; then say "$title: nothing to do"
    else say "$title: $n/$m in $(duration $((SECONDS - start)))"; fi
}

# Uses the variables of follow(). The first guess (what costs say, shared by the processors) counts as much as one average
# thing that has ended.
show_progress() {
    local whole=$total done=$ended typical left waited percent text
    if [ "$whole" -eq 0 ]; then whole=$((m * 1000)) done=$((n * 1000)); fi
    [ "$n" -lt "$m" ] || return 0
    [ "$whole" -ge "$done" ] || done=$whole
    percent=$((100 * done / whole))
    if [ "$columns" -eq 0 ]; then
        [ $((SECONDS - printed)) -ge "$steps_every" ] || return 0
        [ "$percent" -ge $((printed_percent + 10)) ] || [ $((SECONDS - printed)) -ge $((4 * steps_every)) ] || return 0
    fi
    typical=$((whole / m + 1)) waited=$((SECONDS - at))
    left=$((((whole - done) * (1000 * (at - start) + typical / jobs) / (done + typical) + 500) / 1000 - waited))
    [ "$left" -gt $((waited / 4)) ] || left=$((waited / 4 + 1))
    text="$title: $n/$m, $percent %, about $(duration "$left") left${name:+  $name}"
    if [ "$columns" -gt 0 ]; then printf '\r\033[K%s' "${text:0:columns-1}" >&2
    else printf '%s\n' "$text" >&2; fi
    printed=$SECONDS printed_percent=$percent
}

# [n/m] as prepare() has ninja write it.
ninja_line() {
    [[ "$1" != "ninja: no work to do." ]] || return 0
    [[ "$1" =~ ^@([0-9]+)/([0-9]+)\ (.*[^ ])\ *$ ]] || return 1
    [[ "${BASH_REMATCH[3]}" != Re-* ]] || return 0  # Re-checking globbed directories, Re-running CMake
    n=${BASH_REMATCH[1]} m=${BASH_REMATCH[2]} name=${BASH_REMATCH[3]##* }
}

# What ninja would do now. A step takes as long as the last time; what is new, or came from ccache, 20 s to compile. (The
# path makes ninja take build.ninja for no file that it could make again, without which it shows nothing else.)
build_costs() {  # [TARGET]
    ninja -C "$build" -f "$PWD/$build/build.ninja" -n "$@" | awk -v log_file="$build/.ninja_log" '
        BEGIN { while ((getline line < log_file) > 0) { split(line, field, "\t"); last[field[4]] = field[2] - field[1] } }
        /^\[/ { least = / Building / ? 20000 : 1000; printf "%d %s\n", (last[$NF] > least ? last[$NF] : least), $NF }'
}

# What ctest has to say of a test that passed or was skipped is seen in the summary.
ctest_line() {
    [[ ! "$1" =~ ^\ +Start\ +[0-9]+: ]] || return 0
    [[ "$1" =~ ^\ *([0-9]+)/([0-9]+)\ Test\ +#[0-9]+:\ ([^ ]+)\ (.*)$ ]] || return 1
    n=${BASH_REMATCH[1]} m=${BASH_REMATCH[2]} name=${BASH_REMATCH[3]}
    [[ "${BASH_REMATCH[4]}" =~ ' Passed '|'***Skipped ' ]]
}

# The tests that ctest would run, as long as they took until now, else 2 s.
ctest_costs() {  # [ARGUMENTS OF CTEST]
    ctest --test-dir "$build" -N "$@" | awk -v log_file="$build/Testing/Temporary/CTestCostData.txt" '
        BEGIN { while ((getline line < log_file) > 0 && line != "---") { split(line, field, " "); last[field[1]] = field[3] } }
        /^ *Test +#[0-9]+: / { printf "%d %s\n", ($NF in last ? 1000 * last[$NF] : 2000), $NF }'
}

# Why the tests of the last run of ctest were skipped.
skipped_reasons() {
    [ -e "$build/Testing/Temporary/LastTest.log" ] || return 0
    awk '/: Skipped$/ { reading = 1; reason = ""; next }
         reading && /^\[  SKIPPED \]/ { ++count[reason]; reading = 0 }
         reading && NF { reason = reason (reason == "" ? "" : " ") $0 }
         /^SKIPPED: / { ++count[substr($0, 10)] }
         END { for (reason in count) printf "skipped: %d, because %s\n", count[reason], reason }' \
        "$build/Testing/Temporary/LastTest.log"
}
