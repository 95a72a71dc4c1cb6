#!/usr/bin/env bash
# qt.sh: the newest Qt, of Debian's unstable: as a peer of the interop suite, and asked about keys (qt-keys.py), whose
#     recorded answers are tests/NativeIpc.Tests/Vectors.
#     NATIVEIPC_RECORD=1 records them again.
. "$(dirname "$0")/lib.sh"
debian sid qt6-base-dev g++
triplet=x86_64-linux-gnu
version=$(readlink "$debian/usr/lib/$triplet/libQt6Core.so.6")
version=${version#libQt6Core.so.}
inside=/tmp/nativeipc
mkdir -p "$debian$inside"
for program in peer keys; do
    source=$root/tests/peers/qt/$program.cpp
    made=$cache/peers/qt$version-$program-$(sha256sum "$source" | cut -c1-16)
    if [ ! -x "$made" ]; then
        cp "$source" "$debian$inside/"
        apart chroot "$debian" g++ -std=c++17 -O1 -Wall -Wextra -fPIC "-I/usr/include/$triplet/qt6" \
            "-I/usr/include/$triplet/qt6/QtCore" -o "$inside/$program" "$inside/$program.cpp" -lQt6Core \
            >"$out/$program.log" 2>&1 || { tail -n 20 "$out/$program.log" >&2; exit 1; }
        mkdir -p "$cache/peers"
        cp "$debian$inside/$program" "$made"
    fi
    declare "$program=$made"
done
loader=("$debian/usr/lib64/ld-linux-x86-64.so.2" --library-path "$debian/usr/lib/$triplet")

facts "$(program NativeIpc.Peer)"
emulator "Qt $version on glibc of Debian's unstable"
# Other users have to reach all of it.
cp "$keys" "$debian$inside/keys"
export debian
# shellcheck disable=SC2016 # for the inner shell
keys_of() {
    apart sh -c 'mount -t tmpfs -o mode=1777 tmpfs /tmp && mount -t tmpfs -o mode=1777 tmpfs /var/tmp &&
        mount --bind "$debian" /mnt && exec "$@"' sh "$@"
}
export -f keys_of
lines keys 200 keys_of python3 "$root/eng/platforms/qt-keys.py" "$version" "$root/tests/NativeIpc.Tests/Vectors" \
    /mnt/usr/lib64/ld-linux-x86-64.so.2 --library-path "/mnt/usr/lib/$triplet" "/mnt$inside/keys"
# The suite names its newest Qt qt6.8: this one takes its place. The other peers are here as well, since some tests are
# of several at once.
NATIVEIPC_SLOWNESS=${NATIVEIPC_SLOWNESS:-1} "$root/eng/peers.sh" >"$out/results/peers.log" 2>&1
{
    grep -v -P '^qt6\.8\t' "$cache/peers/index.tsv"
    printf 'qt6.8\tok\tQt %s\t%s\t%s\t%s\t%s\n' "$version" "${loader[@]}" "$peer"
} >"$out/index.tsv"
NATIVEIPC_PEERS=$out/index.tsv suite interop 600 apart "$(program NativeIpc.Interop)"
