#!/usr/bin/env bash
# Installs a build, moves it, builds the consumer against it and runs it. Leaves nothing behind.
#   run.sh SOURCE BUILD VERSION TORCH CMAKE COMPILER [COMPILER FLAGS]
# TORCH: system, or anything else: a LibTorch at a fixed place, which the package then names.
set -euo pipefail
source=$1 build=$2 version=$3 torch=$4 cmake=$5 compiler=$6 flags=${7-}
fail() { echo "FAILED: $*" >&2; exit 1; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$cmake" --install "$build" --prefix "$folder/installed" >"$folder/log" || { cat "$folder/log"; fail "cmake --install"; }
mv "$folder/installed" "$folder/moved"
prefix=$folder/moved

for room in base contract datasets models training pruning reproduce; do
    find "$prefix" -name "libmtlprune_$room.a" | grep -q . || fail "no libmtlprune_$room.a"
done
# Paths of this machine would make the package useless on others.
for path in "$source" "$build" "$folder/installed" /usr/lib; do
    [ "$torch" = system ] || break
    if grep -rnF --include="*.cmake" --include="*.h" "$path/" "$prefix"; then fail "the package names $path"; fi
done
folders=$(ls "$prefix/include")
[ "$folders" = mtlprune ] || fail "expected include/mtlprune alone, found $folders"

"$cmake" -S "$source/tests/install/consumer" -B "$folder/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="-O0 $flags" >"$folder/log" 2>&1 ||
    { cat "$folder/log"; fail "the consumer does not configure"; }
"$cmake" --build "$folder/build" >"$folder/log" 2>&1 || { cat "$folder/log"; fail "the consumer does not build"; }
for program in consumer pruning_only; do
    out=$("$folder/build/$program") || fail "$program: $out"
    echo "$program: $out"
    [[ $out == "mtlprune $version: "* ]] || fail "expected version $version"
done

# The compiler says which headers the umbrella header needs: those and no others are installed.
ninja -C "$folder/build" -t deps | grep -o "$prefix/include/.*" | sort -u >"$folder/read"
find "$prefix/include" -type f | sort >"$folder/installed_headers"
diff "$folder/read" "$folder/installed_headers" || fail "headers that are read (<) and headers that are installed (>) differ"

program=$prefix/bin/mtlprune
out=$("$program" --version)
[[ "$out" == "mtlprune $version (revision "*")" ]] ||
  fail "mtlprune --version: expected mtlprune $version (revision ...), found $out"
# The program reads what was installed with it, not the source tree it was built from.
cp "$prefix/share/mtlprune/scales/smoke.json" "$prefix/share/mtlprune/scales/only_installed.json"
(cd "$folder" && env -u MTLPRUNE_RESOURCES "$program" list) | grep only_installed >/dev/null || fail "the program reads scales elsewhere"
