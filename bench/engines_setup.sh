#!/usr/bin/env bash
# Other runtimes for bench_inference in .deps/engines: OpenVINO and ONNX Runtime from PyPI, beside Debian's PyTorch, which
# writes the ONNX files that both read. Idempotent. Says in the end how to build and run with them.
#   bench/engines_setup.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. cmake/steps.sh

openvino=2026.4.1 onnxruntime=1.32.0
folder=.deps/engines

missing=()
for package in python3-venv python3-torch python3-numpy; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "engines_setup.sh: install first: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 2
fi

complete="$folder/.complete-openvino-$openvino-onnxruntime-$onnxruntime"
if [ ! -e "$complete" ]; then
    say "packages: OpenVINO $openvino and ONNX Runtime $onnxruntime into $folder, about 90 MB"
    rm -rf "$folder"
    # Debian's PyTorch is seen from inside, and its NumPy stays.
    /usr/bin/python3 -m venv --system-site-packages "$folder"
    # Without what it only needs to report its use, which nothing here does.
    "$folder/bin/pip" install --quiet --no-deps "openvino==$openvino"
    "$folder/bin/pip" install --quiet "onnxruntime==$onnxruntime"
    touch "$complete"
fi
say "packages: OpenVINO $openvino and ONNX Runtime $onnxruntime are in $folder"

root=$("$folder/bin/python" -c "import importlib.util; print(importlib.util.find_spec('openvino').submodule_search_locations[0])")
cat <<END
cmake --preset default -DMTLPRUNE_OPENVINO=$root
export MTLPRUNE_BENCH_PYTHON=$PWD/$folder/bin/python
END
