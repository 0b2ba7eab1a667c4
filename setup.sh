#!/usr/bin/env bash
# Installs what mtlprune needs on Debian 12. Idempotent: a second call finds everything there and returns at once.
#   ./setup.sh                 build tools and Debian's LibTorch (CPU)
#   ./setup.sh --torch wheel   additionally the LibTorch 2.11 CUDA wheel in .deps/torch-wheel
set -euo pipefail
cd "$(dirname "$0")"
. cmake/steps.sh

torch=system
while [ $# -gt 0 ]; do
    case "$1" in
        --torch) torch="${2:?--torch needs system or wheel}"; shift 2 ;;
        -h | --help) sed -n '2,4p' "$0"; exit 0 ;;
        *) echo "setup.sh: unknown option '$1' (try --help)" >&2; exit 2 ;;
    esac
done

packages=(g++ cmake ninja-build ccache git clang-format clang-tidy clang libclang-rt-dev
    libtorch-dev libgloo-dev libopenblas0-openmp libopencv-dev nlohmann-json3-dev libfmt-dev libssl-dev libdeflate-dev libzip-dev
    libhdf5-dev libmatio-dev
    libboost-program-options-dev libboost-math-dev libgtest-dev libbenchmark-dev
    python3 python3-numpy python3-matplotlib python3-opencv python3-h5py)
[ "$torch" = wheel ] && packages+=(python3-venv)

# Every package is loaded, unpacked and set up.
apt_line() {
    local words
    read -ra words <<<"$1"
    m=$((3 * count))
    case "$1" in
        Get:*) n=$((n + 1)) name=${words[4]-} ;;
        "Unpacking "*) n=$((n + 1)) name=${words[1]} ;;
        "Setting up "*) n=$((n + 1)) name=${words[2]} ;;
        "Selecting previously "* | "Preparing to unpack "* | "(Reading database "*) ;;
        *) return 1 ;;
    esac
}

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
    say "packages: ${#missing[@]} of ${#packages[@]} are missing: ${missing[*]}"
    "${sudo[@]}" apt-get update -qq
    # With what they need. Each line ends in file, size and hash.
    read -r count megabytes < <(apt-get install --print-uris -qq --no-install-recommends "${missing[@]}" |
        awk '{ bytes += $(NF - 1) } END { printf "%d %d\n", NR, bytes / 1e6 }')
    say "packages: $count to install, $megabytes MB, about $((1 + megabytes / 300)) min (10 MB/s to load and to unpack)"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" 2>&1 |
        follow packages apt_line ''
else
    say "packages: all ${#packages[@]} are installed"
fi

if [ "$torch" = wheel ] && [ ! -e .deps/torch-wheel/.complete ]; then
    say "packages: the LibTorch 2.11 wheel into .deps/torch-wheel, about 5 GB, about 10 min"
    python3 -m venv .deps/torch-wheel
    .deps/torch-wheel/bin/pip install --quiet torch==2.11.0
    touch .deps/torch-wheel/.complete
fi
