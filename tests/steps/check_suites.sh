#!/usr/bin/env bash
# tests/suites.cmake: which tests CTest gets, with which labels, and what it makes of cases that were skipped or failed.
#   check_suites.sh SOURCE CMAKE CTEST
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/program" <<'PROGRAM'
#!/bin/sh
# What GoogleTest 1.12 writes.
case "$1" in
    --gtest_list_tests) printf 'Running main() from gtest_main.cc\nGood.\n  A\n  DISABLED_B\nDISABLED_Off.\n  A\nHalf.\n  A\n  B\n'
        printf 'All/Golden.\n  Sums/0  # GetParam() = "a; [b"\n  Sums/1  # GetParam() = 3.\nBad.\n  A\n  B\n'
        printf 'Nets/RealNetworks.\n  Case/0  # GetParam() = x\n  Case/1  # GetParam() = y\nOnlyOff.\n  DISABLED_A\n' ;;
    --gtest_filter=Good.\*) printf '[  PASSED  ] 1 test.\n\n  YOU HAVE 1 DISABLED TEST\n\n' ;;
    --gtest_filter=Half.\*) printf '[  PASSED  ] 1 test.\n[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] Half.B\n' ;;
    --gtest_filter=All/Golden.\*) printf '[  PASSED  ] 0 tests.\n[  SKIPPED ] 2 tests, listed below:\n'
        printf '[  SKIPPED ] All/Golden.Sums/0, where GetParam() = "a"\n[  SKIPPED ] All/Golden.Sums/1, where GetParam() = 3.\n' ;;
    --gtest_filter=Bad.\*) printf '[  PASSED  ] 0 tests.\n[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] Bad.A\n'
        printf '[  FAILED  ] 1 test, listed below:\n[  FAILED  ] Bad.B\n\n 1 FAILED TEST\n'; exit 1 ;;
    --gtest_filter=Nets/RealNetworks.Case/?) printf '[  PASSED  ] 1 test.\n' ;;
    *) exit 2 ;;
esac
PROGRAM
chmod +x "$folder/program"
"$2" -D "PROGRAM=$folder/program" -D ROOM=room -D ENVIRONMENT= -D "OUT=$folder/CTestTestfile.cmake" -P "$1/tests/suites.cmake"

expect() { [ "$2" = "$3" ] || { printf 'FAILED: %s: expected\n%s\nfound\n%s\n' "$1" "$2" "$3" >&2; exit 1; }; }
names() { "$3" --test-dir "$folder" -N "${@:4}" | sed -n 's/^ *Test *#[0-9]*: //p'; }
expect tests 'room.Good
room.Half
room.All/Golden
room.Bad
room.Nets/RealNetworks.Case/0
room.Nets/RealNetworks.Case/1' "$(names "$@")"
expect 'label golden' room.All/Golden "$(names "$@" -L golden)"
expect 'label real_networks' 'room.Nets/RealNetworks.Case/0
room.Nets/RealNetworks.Case/1' "$(names "$@" -L real_networks)"
expect results 'room.Good Passed
room.Half Passed
room.All/Golden ***Skipped
room.Bad ***Failed
room.Nets/RealNetworks.Case/0 Passed
room.Nets/RealNetworks.Case/1 Passed' "$({ "$3" --test-dir "$folder" || true; } 2>/dev/null |
    sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) [ .]*(\**[A-Z][a-z]+).*/\1 \2/p')"
