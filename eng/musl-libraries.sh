#!/usr/bin/env bash
# Makes what .NET's runtime for musl needs on Debian: its libraries of C++ and OpenSSL are built for glibc, and
# platforms/musl-shim.c gives them what musl lacks. They are in the folder that eng/peers.sh names (~/.cache/nativeipc).
# Prints a file with the path of musl's loader: whoever runs a program by it mounts that file over
# /etc/ld-musl-x86_64.path, in a mount name space of its own; LD_LIBRARY_PATH would reach programs of glibc, too.
# Where it cannot be made: says why on standard error, and ends with 1.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
shim=$root/eng/platforms/musl-shim.c
without() { echo "$*" >&2; exit 1; }
for program in musl-gcc sha256sum; do
    command -v $program >/dev/null || without "'$program' is missing (eng/debian-packages.txt)"
done
system=/usr/lib/x86_64-linux-gnu
gcc=$(ls /lib/x86_64-linux-gnu/libgcc_s.so.1 $system/libgcc_s.so.1 2>/dev/null | head -n 1)
taken=("$gcc" $system/libstdc++.so.6 $system/libssl.so.3 $system/libcrypto.so.3)
for file in "${taken[@]}" /etc/ld-musl-x86_64.path; do
    [ -e "$file" ] || without "$file is missing (libssl3, musl)"
done
version=$(cat "$0" "$shim" "${taken[@]}" /etc/ld-musl-x86_64.path | sha256sum | cut -c1-16)
made=${NATIVEIPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nativeipc}/musl-$version
if [ ! -e "$made/ld.path" ]; then
    # Under another name until it is complete: others may be making the same.
    new=$made.$$
    trap 'rm -rf "$new"' EXIT
    mkdir -p "$new/lib" "$new/stub" || exit 1
    cp -L "$gcc" "$new/lib/libgcc_s_real.so.1"
    cp -L "${taken[@]:1}" "$new/lib/"
    echo 'void nothing(void) {}' | musl-gcc -fPIC -shared -nostdlib -x c - -o "$new/stub/libgcc_s_real.so" \
        -Wl,-soname,libgcc_s_real.so.1
    # Every native library of .NET names libgcc_s.so.1, so the shim comes before musl in the order of symbols.
    musl-gcc -O1 -w -fPIC -shared -o "$new/lib/libgcc_s.so.1" "$shim" -Wl,-soname,libgcc_s.so.1 \
        -Wl,--no-as-needed -nostdlib -L"$new/stub" -lgcc_s_real -L/usr/lib/x86_64-linux-musl -lc >&2 ||
        without 'the shim for musl does not build'
    ln -s libgcc_s.so.1 "$new/lib/ld-linux-x86-64.so.2"
    { cat /etc/ld-musl-x86_64.path; echo "$made/lib"; } >"$new/ld.path"
    chmod -R go+rX "$new"
    mv -T "$new" "$made" 2>/dev/null || [ -e "$made/ld.path" ] || exit 1
fi
echo "$made/ld.path"
