#!/usr/bin/env bash
# CITATION.cff and CHANGELOG.md speak of the version that CMakeLists.txt declares.
#   check_version.sh SOURCE VERSION
set -euo pipefail
found=$(sed -n 's/^version: *"\{0,1\}\([^"]*\)"\{0,1\} *$/\1/p' "$1/CITATION.cff")
[ "$found" = "$2" ] || { echo "FAILED: CITATION.cff: version: expected $2, found '$found'" >&2; exit 1; }
grep -qF "## [$2]" "$1/CHANGELOG.md" || { echo "FAILED: CHANGELOG.md: expected a heading '## [$2]', found none" >&2; exit 1; }
