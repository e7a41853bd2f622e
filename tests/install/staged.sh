#!/bin/sh
# staged.sh SOURCE BUILD LIBDIR: installs into a new folder, builds classify.c there as a user does (pkg-config, and
# CMake's find_package), and runs it and the installed command on the model that ships.
set -eu
source=$1 build=$2 libdir=$3
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
prefix=$stage/usr
cmake --install "$build" --prefix "$prefix" >"$stage/log" || { cat "$stage/log"; exit 1; }

# Moving the folder must break nothing.
mv "$prefix" "$stage/moved"
prefix=$stage/moved
export PKG_CONFIG_PATH="$prefix/$libdir/pkgconfig"
model=$prefix/share/align/models/emoji
picture=$(ls "$prefix"/share/align/models/demo/*.png | head -n 1)

check() {
    echo "== $1"
    shift
    "$@" >"$stage/out"
    cat "$stage/out"
    grep -q 'a picture of a dog' "$stage/out"
}

# shellcheck disable=SC2046  # the words are meant to be split
cc -std=c17 -Wall -Wextra -Werror "$source/tests/install/classify.c" -o "$stage/shared" \
    $(pkg-config --cflags --libs align) -Wl,-rpath,"$prefix/$libdir"
check "pkg-config, shared" "$stage/shared" "$model" "$picture" "a picture of a dog" "a red apple"

# shellcheck disable=SC2046
cc -std=c17 "$source/tests/install/classify.c" -o "$stage/static" $(pkg-config --cflags align) \
    "$prefix/$libdir/libalign.a" $(pkg-config --static --libs align | sed 's/-lalign\b//')
check "pkg-config, static" "$stage/static" "$model" "$picture" "a picture of a dog" "a red apple"

mkdir "$stage/project"
cp "$source/tests/install/classify.c" "$stage/project"
cat >"$stage/project/CMakeLists.txt" <<'PROJECT'
cmake_minimum_required(VERSION 3.20)
project(user LANGUAGES C)
find_package(align 0.1 REQUIRED)
add_executable(user classify.c)
target_link_libraries(user PRIVATE align::align)
PROJECT
cmake -S "$stage/project" -B "$stage/project/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$stage/log" 2>&1 &&
    cmake --build "$stage/project/build" >>"$stage/log" 2>&1 || { cat "$stage/log"; exit 1; }
check "find_package" "$stage/project/build/user" "$model" "$picture" "a picture of a dog" "a red apple"

echo "== the installed command"
"$prefix/bin/align" --version
"$prefix/bin/align" classify "$picture" --model "$model" --labels dog,apple
