#!/usr/bin/env bash
# Builds the peers of tests/NativeIpc.Interop: programs in other languages that share segments and semaphores with
# NativeIpc.
#
#     eng/peers.sh      builds what is missing or has changed. One line per peer: PASS with its version, or SKIP with
#                       the reason why it is missing, which with CI=true is FAIL
#
# Everything goes to $NATIVEIPC_CACHE, else $XDG_CACHE_HOME/nativeipc, else ~/.cache/nativeipc:
#     peers/NAME-HASH/peer      a peer, by the hash of its source and of the compiler's version
#     peers/index.tsv           one line per peer, separated by tabs: name, ok|missing, version or reason, the words of
#                               its command line. artifacts/peers.tsv is the same of this tree alone
#     trixie/                   Debian 13 with Qt 6.8 and make 4.4, made by debootstrap (as root, or with sudo); its
#                               programs run with their own loader
#     dotnet-VERSION/           the runtime of a newer .NET, from NuGet (eng/newer-dotnet.sh); in the index what runs a
#                               program of this repository on it
#     peers/make44/make         that make, for the tests of nipc jobserver: Debian 12's knows no FIFO. No line in the
#                               index, since it shares no object
#
# Safe to run again and at the same time. Takes about 15 s, and two minutes more when trixie/ has to be made.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
sources=$root/tests/peers
cache=${NATIVEIPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nativeipc}
trixie=$cache/trixie
mirror=${NATIVEIPC_DEBIAN_MIRROR:-http://deb.debian.org/debian}
if [ "$(uname -s)" != Linux ]; then
    echo "SKIP peers: they are built for Linux"
    exit 0
fi

mkdir -p "$cache/peers"
exec 9>"$cache/peers/.lock"
flock 9
status=0
index=$(mktemp "$cache/peers/.index.XXXXXX")
log=$cache/peers/build.log
: >"$log"
trap 'rm -f "$index"' EXIT

# report NAME ok VERSION WORD... | report NAME missing REASON
report() {
    local IFS=$'\t'
    printf '%s\n' "$*" >>"$index"
    if [ "$2" = ok ]; then echo "PASS peers: $1: $3"
    elif [ "${CI:-}" = true ]; then echo "FAIL peers: $1: $3"; status=1
    else echo "SKIP peers: $1: $3"
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# The folder of a peer, by what its program depends on: its source, the file $also, and words.
also=/dev/null
folder_of() {
    local name=$1
    shift
    printf '%s/peers/%s-%s' "$cache" "$name" \
        "$({ cat "$1" "$also"; shift; printf '%s\n' "$@"; } | sha256sum | cut -c1-16)"
}

# keep FOLDER NAME: other builds of the peer go when no run has asked for them for two days. Another tree, whose peer is
# another one, may be running its tests.
keep() {
    touch "$1"
    local old
    for old in "$cache/peers/$2"-????????????????; do
        if [ "$old" != "$1" ] && [ -n "$(find "$old" -maxdepth 0 -type d -mtime +1 2>/dev/null)" ]; then
            rm -rf "$old"
        fi
    done
}

# compiled NAME PACKAGE SOURCE COMPILER FLAG... : builds with a compiler of this machine.
compiled() {
    local name=$1 package=$2 source=$3 compiler=$4
    shift 4
    if ! command -v "$compiler" >/dev/null; then
        report "$name" missing "'$compiler' is missing (Debian package $package)."
        return
    fi
    local folder
    folder=$(folder_of "$name" "$source" "$("$compiler" --version | head -n 1)" "$@")
    if [ ! -x "$folder/peer" ]; then
        mkdir -p "$folder"
        local include=()
        [ "$also" = /dev/null ] || include=("-I$(dirname "$also")") # -I/dev would make /dev/random the header <random>
        # Flags after the source are libraries.
        if ! "$compiler" -O1 -Wall -Wextra "${include[@]}" -o "$folder/peer.new" "$source" "$@" >>"$log" 2>&1; then
            rm -rf "$folder"
            report "$name" missing "It did not build; is Debian package $package installed? See $log."
            return
        fi
        mv "$folder/peer.new" "$folder/peer"
    fi
    keep "$folder" "$name"
    started "$name" "$package" "$folder/peer"
}

# started NAME PACKAGE WORD... : asks the peer for its version.
started() {
    local name=$1 package=$2 version
    shift 2
    if version=$(timeout $((30 * ${NATIVEIPC_SLOWNESS:-1})) "$@" --version 2>>"$log" | head -n 1) &&
        [ -n "$version" ]; then
        report "$name" ok "$version" "$@"
    else report "$name" missing "It does not start; is Debian package $package installed? See $log."
    fi
}

# interpreted NAME PACKAGE SOURCE INTERPRETER : nothing to build.
interpreted() {
    local name=$1 package=$2 source=$3 interpreter=$4
    if ! command -v "$interpreter" >/dev/null; then
        report "$name" missing "'$interpreter' is missing (Debian package $package)."
        return
    fi
    local folder
    folder=$(folder_of "$name" "$source")
    mkdir -p "$folder"
    [ "$also" = /dev/null ] || cp "$also" "$folder/"
    cp "$source" "$folder/peer.new"
    mv "$folder/peer.new" "$folder/peer"
    keep "$folder" "$name"
    started "$name" "$package" "$interpreter" "$folder/peer"
}

make_trixie() {
    if [ -e "$trixie/usr/bin/g++" ]; then
        # One that was made before make was wanted
        if [ -e "$trixie/usr/bin/make" ]; then return 0; fi
        as_root chroot "$trixie" sh -c 'apt-get update && apt-get install -y --no-install-recommends make' \
            >>"$log" 2>&1 || echo "make could not be added to $trixie; see $log."
        return 0
    fi
    if ! command -v debootstrap >/dev/null; then
        reason="'debootstrap' is missing (Debian package debootstrap)."
        return 1
    fi
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
        reason="debootstrap needs root, or sudo without a password."
        return 1
    fi
    echo "Making $trixie (Debian 13 with Qt 6.8), about two minutes ..."
    as_root rm -rf "$trixie.new"
    if ! as_root timeout $((480 * ${NATIVEIPC_SLOWNESS:-1})) \
        debootstrap --variant=minbase --include=qt6-base-dev,g++,make trixie "$trixie.new" "$mirror" >>"$log" 2>&1; then
        as_root rm -rf "$trixie.new"
        reason="debootstrap failed; see $log."
        return 1
    fi
    as_root mv "$trixie.new" "$trixie"
}

# The newest Qt: built inside the folder, run outside it, so that it shares /dev/shm and the System V objects with
# everyone else.
qt68() {
    local source=$sources/qt/peer.cpp reason
    if ! make_trixie; then
        report qt6.8 missing "$reason"
        return
    fi
    local triplet folder loader
    triplet=$(basename "$(dirname "$(find "$trixie/usr/lib" -maxdepth 2 -name 'libQt6Core.so.6' | head -n 1)")")
    loader=$(find "$trixie/usr/lib/$triplet" -maxdepth 1 -name 'ld-linux-*.so.*' | head -n 1)
    folder=$(folder_of qt6.8 "$source" trixie "$(readlink "$trixie/usr/lib/$triplet/libQt6Core.so.6")")
    if [ ! -x "$folder/peer" ]; then
        mkdir -p "$folder"
        local inside=/tmp/nativeipc-peer
        as_root mkdir -p "$trixie$inside"
        as_root cp "$source" "$trixie$inside/peer.cpp"
        if ! as_root chroot "$trixie" g++ -O1 -Wall -Wextra -fPIC \
            "-I/usr/include/$triplet/qt6" "-I/usr/include/$triplet/qt6/QtCore" \
            -o "$inside/peer" "$inside/peer.cpp" -lQt6Core >>"$log" 2>&1; then
            rm -rf "$folder"
            report qt6.8 missing "It did not build; see $log."
            return
        fi
        cp "$trixie$inside/peer" "$folder/peer.new"
        mv "$folder/peer.new" "$folder/peer"
    fi
    keep "$folder" qt6.8
    started qt6.8 debootstrap "$loader" --library-path "$trixie/usr/lib/$triplet" "$folder/peer"
}

# make 4.4: it starts itself by its own name, so a script has to stand for the loader and the program.
make44() {
    local folder=$cache/peers/make44 libraries loader
    if [ ! -e "$trixie/usr/bin/make" ]; then
        echo "SKIP peers: make 4.4: it is not in $trixie; see $log."
        if [ "${CI:-}" = true ]; then status=1; fi
        return
    fi
    libraries=$(dirname "$(find "$trixie/usr/lib" -maxdepth 2 -name 'libc.so.6' | head -n 1)")
    loader=$(find "$libraries" -maxdepth 1 -name 'ld-linux-*.so.*' | head -n 1)
    mkdir -p "$folder"
    printf '#!/bin/sh\nexec %s --argv0 "$0" --library-path %s %s "$@"\n' \
        "$loader" "$libraries" "$trixie/usr/bin/make" >"$folder/make.new"
    chmod 755 "$folder/make.new"
    mv "$folder/make.new" "$folder/make"
    echo "PASS peers: make: $("$folder/make" --version | head -n 1)"
}

# A newer .NET than the SDK's; the same version as in ./platforms.sh.
newer_dotnet() { # VERSION
    local home
    if home=$("$root/eng/newer-dotnet.sh" "$1" 2>>"$log" 9>&-); then
        report dotnet-11 ok "$("$home/dotnet" --list-runtimes | cut -d ' ' -f 1,2 | head -n 1)" \
            "$home/dotnet" exec --roll-forward LatestMajor
    else
        report dotnet-11 missing "$(tail -n 1 "$log")"
    fi
}

multiarch=$(gcc -print-multiarch 2>/dev/null || echo x86_64-linux-gnu)
include=/usr/include/$multiarch

compiled c gcc "$sources/c/peer.c" gcc -std=c11 -Werror
compiled c-musl musl-tools "$sources/c/peer.c" musl-gcc -static -std=c11 -Werror
compiled qt5.15 qtbase5-dev "$sources/qt/peer.cpp" g++ -fPIC "-I$include/qt5" "-I$include/qt5/QtCore" -lQt5Core
compiled qt6.4 qt6-base-dev "$sources/qt/peer.cpp" \
    g++ -std=c++17 -fPIC "-I$include/qt6" "-I$include/qt6/QtCore" -lQt6Core
qt68
make44
compiled boost libboost-dev "$sources/boost/peer.cpp" g++ -std=c++17 -Wno-unused-parameter -lrt -pthread
interpreted python python3-sysv-ipc "$sources/python/peer.py" /usr/bin/python3
interpreted perl perl "$sources/perl/peer.pl" /usr/bin/perl
interpreted php php-cli "$sources/php/peer.php" php
newer_dotnet 11.0.0

# Events, through what this repository offers for other languages
also=$root/include/nativeipc_event.h
compiled event-c gcc "$sources/c/event.c" gcc -std=c11 -Werror
compiled event-c-musl musl-tools "$sources/c/event.c" musl-gcc -static -std=c11 -Werror
compiled event-cpp g++ "$sources/c/event.c" g++ -std=c++11 -Werror -DNATIVEIPC_EVENT_NO_TMPFILE
also=$root/interop/python/nativeipc_event.py
interpreted event-python libatomic1 "$sources/python/event.py" /usr/bin/python3

chmod 644 "$index"
mkdir -p "$root/artifacts"
cp "$index" "$root/artifacts/peers.tsv"
mv "$index" "$cache/peers/index.tsv"
exit $status
