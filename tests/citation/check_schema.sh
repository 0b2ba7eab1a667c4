#!/usr/bin/env bash
# Validates a CITATION.cff against the schema of the Citation File Format. Exit code 77: skipped.
#   check_schema.sh FILE
set -euo pipefail
if ! command -v cffconvert >/dev/null; then
    echo "SKIPPED: cffconvert is not installed (pip install cffconvert)"
    exit 77
fi
cffconvert --validate -i "$1"
