#!/usr/bin/env bash
# Installs what mtlprune needs on Debian 12. Idempotent: a second call finds everything there and returns at once.
#   ./setup.sh                 build tools and Debian's LibTorch (CPU)
#   ./setup.sh --torch wheel   additionally the LibTorch 2.11 CUDA wheel in .deps/torch-wheel
set -euo pipefail
cd "$(dirname "$0")"

torch=system
while [ $# -gt 0 ]; do
    case "$1" in
        --torch) torch="${2:?--torch needs system or wheel}"; shift 2 ;;
        -h | --help) sed -n '2,4p' "$0"; exit 0 ;;
        *) echo "setup.sh: unknown option '$1' (try --help)" >&2; exit 2 ;;
    esac
done

packages=(g++ cmake ninja-build ccache git clang-format clang-tidy clang libclang-rt-dev
    libtorch-dev libopenblas0-openmp libopencv-dev nlohmann-json3-dev libfmt-dev libssl-dev libdeflate-dev libzip-dev
    libhdf5-dev libmatio-dev
    libboost-program-options-dev libboost-math-dev libgtest-dev libbenchmark-dev
    python3 python3-numpy python3-matplotlib python3-opencv python3-h5py)
[ "$torch" = wheel ] && packages+=(python3-venv)

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "setup.sh: needs Debian 12 or a relative (no apt-get found); install: ${missing[*]}" >&2; exit 2; }
    sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "setup.sh: run as root, or install sudo; missing packages: ${missing[*]}" >&2; exit 2; }
        sudo=(sudo)
    fi
    echo "setup.sh: installing ${missing[*]}"
    "${sudo[@]}" apt-get update -q
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

if [ "$torch" = wheel ] && [ ! -e .deps/torch-wheel/.complete ]; then
    echo "setup.sh: installing the LibTorch 2.11 wheel (about 5 GB) into .deps/torch-wheel"
    python3 -m venv .deps/torch-wheel
    .deps/torch-wheel/bin/pip install --quiet torch==2.11.0
    touch .deps/torch-wheel/.complete
fi
