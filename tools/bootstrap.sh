#!/bin/sh
# bootstrap.sh: installs the Debian packages that building and testing need. Says nothing when none is missing.
#
# Without the right to install (root, or sudo without a password) it prints the command to run and fails.
set -eu

# package, and what shows that it is there: a command or a pkg-config module or a header
missing=
need() {
    package=$1 kind=$2 what=$3
    case $kind in
    command) command -v "$what" >/dev/null 2>&1 && return ;;
    module) pkg-config --exists "$what" 2>/dev/null && return ;;
    header) [ -f "/usr/include/$what" ] || [ -f "/usr/local/include/$what" ] && return ;;
    esac
    missing="$missing $package"
}

need gcc command cc
need cmake command cmake
need ninja-build command ninja
need pkg-config command pkg-config
need libc6-dev header stdio.h
need libjansson-dev module jansson
need libjpeg62-turbo-dev module libjpeg
need libpng-dev module libpng
need libwebp-dev module libwebp
need libgif-dev header gif_lib.h
need libcmocka-dev module cmocka
need libsqlite3-dev module sqlite3
need libxxhash-dev module libxxhash
need libmicrohttpd-dev module libmicrohttpd

# Only the checks of `make lint`, `make tidy` and .ci/run, a browser for the page among them; and MPI, libpq, libchafa
# and libcurl, without which everything builds.
if [ "${1:-}" = --all ]; then
    need g++ command g++
    need clang command clang
    need clang-format command clang-format
    need clang-tidy command clang-tidy
    need git command git
    need libopenmpi-dev command mpicc
    need openmpi-bin command mpirun
    need libpq-dev module libpq
    need libchafa-dev module chafa
    need libglib2.0-dev module glib-2.0
    need libcurl4-openssl-dev module libcurl
    need nodejs command node
    need npm command npm
    need chromium command chromium
fi

# What `make aarch64` needs: a cross-compiler, an emulator, and the libraries for the other architecture.
if [ "${1:-}" = --aarch64 ]; then
    need gcc-aarch64-linux-gnu command aarch64-linux-gnu-gcc
    need qemu-user command qemu-aarch64
    for library in jansson jpeg png webp gif cmocka sqlite3 xxhash; do
        [ -e "/usr/lib/aarch64-linux-gnu/lib$library.so" ] && continue
        missing="$missing lib$library-dev:arm64"
        [ "$(id -u)" != 0 ] || dpkg --add-architecture arm64
    done
fi

[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root=sudo
else
    echo "These packages are missing:$missing" >&2
    echo "Install them with: sudo $install" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "These Debian packages (or your system's names for them) are missing:$missing" >&2
    exit 1
fi
echo "Installing:$missing" >&2
# Package lists may be old or absent: refresh them only when the first try fails.
DEBIAN_FRONTEND=noninteractive $as_root $install >/dev/null 2>&1 || {
    $as_root apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive $as_root $install >/dev/null
}
