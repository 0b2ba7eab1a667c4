#!/usr/bin/env bash
# cmake/steps.sh, and setup.sh with it: how often lines come, what they say, and that errors and exit codes arrive.
#   check_lines.sh SOURCE
set -euo pipefail
cd "$1"
. cmake/steps.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() { echo "FAILED: $1" >&2; cat "$folder"/out "$folder"/lines >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"; }  # WHAT EXPECTED FOUND
expect_match() { [[ "$3" =~ $2 ]] || fail "$1: expected something like '$2', found '$3'"; }
# Runs a function with follow(); sets `code`. What is passed on is in out, progress in lines.
followed() {  # PROGRAM READER COSTS
    code=0
    "$1" 2>&1 | follow doing "$2" "$3" >"$folder/out" 2>"$folder/lines" || code=$?
}
costs() { for i in $(seq "$1"); do echo "$2 thing_$i"; done; }  # COUNT MILLISECONDS

for pair in '7=7 s' '60=1 min 0 s' '3599=59 min 59 s' '7260=2 h 1 min'; do
    expect duration "${pair#*=}" "$(duration "${pair%%=*}")"
done

hundred_at_once() {
    echo '@1/1 Re-checking globbed directories...'
    for i in $(seq 100); do echo "@$i/100 Building CXX object thing_$i"; done
}
followed hundred_at_once ninja_line "$(costs 100 $((72000 * $(nproc))))"
expect 'exit code' 0 $code
expect 'what a build without errors passes on' '' "$(cat "$folder/out")"
expect_match 'the first line' '^doing: 0/100, 0 %, about (2 h 0|1 h 59) min left$' "$(head -n 1 "$folder/lines")"
expect_match 'the last line' '^doing: 100/100 in [0-9] s$' "$(tail -n 1 "$folder/lines")"
expect 'lines of steps that take no time' 2 "$(wc -l <"$folder/lines")"

# Four short steps end within 2 s; the fifth takes 20 times as long as one of them, about 10 s.
steps_every=1
one_is_long() {
    for i in 1 2 3 4; do sleep 0.5; echo "@$i/5 Building CXX object thing_$i"; done
    sleep 1.5
}
followed one_is_long ninja_line "$(costs 4 1000; echo 20000 thing_5)"
expect_match 'what a long step leaves' 'doing: [34]/5, 1[26] %, about ([5-9]|1[0-9]) s left  thing_[34]' "$(cat "$folder/lines")"
[ "$(wc -l <"$folder/lines")" -le 4 ] || fail "more lines than one every 10 % or four seconds"
followed one_is_long ninja_line ''
expect_match 'the same, nothing being known' 'doing: [34]/5, [68]0 %, about [0-9] s left  thing_[34]' "$(cat "$folder/lines")"

compile_error() {
    printf '@1/3 Building CXX object a.o\n@2/3 Building CXX object b.o\nFAILED: b.o\n/usr/bin/c++ -c b.cpp\n'
    printf 'b.cpp:1:2: error: no\n  [with T = int]\n\nninja: build stopped: subcommand failed.\nno newline at the end'
    return 3
}
followed compile_error ninja_line ''
expect 'exit code of a failed build' 3 $code
expect 'output of a failed build' "$(compile_error | grep -v ^@ || true)" "$(cat "$folder/out")"
expect_match 'the end of a failed build' '^doing: 2/3 in [0-9] s$' "$(tail -n 1 "$folder/lines")"

no_work() { echo 'ninja: no work to do.'; }
followed no_work ninja_line ''
expect 'a build without work' 'doing: nothing to do' "$(cat "$folder/out" "$folder/lines")"

failed_test() {
    printf 'Test project /x\n      Start  1: base.A\n      Start  2: base.B\n 1/12 Test  #1: base.A ......   Passed    0.35 sec\n'
    printf ' 2/12 Test  #2: base.B ......***Failed    0.35 sec\nb_test.cpp:3: Failure\n'
    printf ' 3/12 Test  #7: base.C ......***Skipped   0.35 sec\n 4/12 Test  #8: base.D ......***Timeout 600.00 sec\n'
    return 8
}
followed failed_test ctest_line ''
expect 'exit code of failed tests' 8 $code
expect 'what failed tests say' "Test project /x
 2/12 Test  #2: base.B ......***Failed    0.35 sec
b_test.cpp:3: Failure
 4/12 Test  #8: base.D ......***Timeout 600.00 sec" "$(cat "$folder/out")"
expect_match 'the end of failed tests' '^doing: 4/12 in' "$(tail -n 1 "$folder/lines")"

build=$folder
mkdir -p "$folder/Testing/Temporary"
cat >"$folder/Testing/Temporary/LastTest.log" <<'LOG'
[ RUN      ] Golden.A
/x/a_test.cpp:3: Skipped
no golden values in /y

[  SKIPPED ] Golden.A (0 ms)
[ RUN      ] Golden.B
/x/a_test.cpp:9: Skipped
no golden values in /y

[  SKIPPED ] Golden.B (0 ms)
[  SKIPPED ] 2 tests, listed below:
[  SKIPPED ] Golden.A
SKIPPED: cffconvert is not installed
LOG
expect 'reasons of skipped tests' "skipped: 1, because cffconvert is not installed
skipped: 2, because no golden values in /y" "$(skipped_reasons | sort)"

# setup.sh where nothing is installed but an apt-get that has 600 MB.
mkdir "$folder/bin"
printf '#!/bin/sh\nexit 1\n' >"$folder/bin/dpkg-query"
printf '#!/bin/sh\nexec "$@"\n' >"$folder/bin/sudo"
cat >"$folder/bin/apt-get" <<'APT'
#!/bin/sh
for i in 1 2 3; do
    case "$*" in
        *--print-uris*) echo "'http://x/$i.deb' $i.deb 200000000 MD5Sum:0" ;;
        *install*) printf "Get:$i http://x bookworm/main amd64 p$i amd64 1.0 [200 MB]\\nUnpacking p$i (1.0) ...\\nSetting up p$i (1.0) ...\\n" ;;
    esac
done
case "$*" in *--print-uris* | *update*) ;; *) echo "E: broken"; exit 100 ;; esac
APT
chmod +x "$folder"/bin/*
code=0
PATH="$folder/bin:$PATH" ./setup.sh >"$folder/out" 2>"$folder/lines" || code=$?
expect 'exit code of apt-get' 100 $code
expect 'what apt-get passes on' 'E: broken' "$(cat "$folder/out")"
expect_match 'missing packages' '^packages: [0-9]+ of [0-9]+ are missing: g\+\+ cmake ninja-build' "$(cat "$folder/lines")"
expect_match 'their size and time' 'packages: 3 to install, 600 MB, about 3 min ' "$(cat "$folder/lines")"
expect_match 'their installation' '^packages: 9/9 in [0-9] s$' "$(tail -n 1 "$folder/lines")"

command -v script >/dev/null || { echo "SKIPPED: the terminal's form: script is not installed (bsdutils)"; exit 77; }
{
    echo '. cmake/steps.sh; stty cols 50'
    declare -f hundred_at_once
    echo 'hundred_at_once | follow doing ninja_line ""'
} >"$folder/terminal.sh"
on_terminal=$(script -qec "bash '$folder/terminal.sh'" /dev/null </dev/null)
expect 'lines on a terminal' 1 "$(grep -c . <<<"$on_terminal")"
expect_match 'a line that is rewritten' $'\r\e\\[Kdoing: 50/100, 50 %, about [0-9] s left  thing_50\r' "$on_terminal"
