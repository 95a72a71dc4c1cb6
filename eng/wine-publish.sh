#!/bin/bash
# Publishes, for Windows on x64, the programs that the tests run under Wine, and builds the C peer: all into
# artifacts/win-x64.
#
#     eng/wine-publish.sh [PROJECT...]      projects of tests/, or of samples/dotnet with that before the name; by
#                                           default each of those below that is there
set -eu
cd "$(dirname "$0")/.."
root=$PWD out=$PWD/artifacts/win-x64
. eng/lib.sh # building

[ $# -gt 0 ] || set -- NativeIpc.Conformance NativeIpc.Peer NativeIpc.Windows
for project; do
    case $project in */*) folder=$project ;; *) folder=tests/$project ;; esac
    [ -e "$folder/${project##*/}.csproj" ] || { echo "wine-publish: no $folder here, left out" >&2; continue; }
    # Self-contained, since there is no .NET in a Wine prefix: the runtime pack comes from NuGet, and all programs share
    # one copy of it. Its own artifacts folder: a restore for win-x64 in obj/ would make each build for this machine
    # restore again.
    building windows dotnet publish "$folder" -nologo -v q -c Release -r win-x64 --self-contained true \
        --artifacts-path "$PWD/artifacts/win-x64-build" -o "$out" -p:DebugType=embedded
done

mkdir -p "$out"
x86_64-w64-mingw32-gcc -std=c11 -O1 -Wall -Wextra -Werror -municode -o "$out/peer.exe" \
    tests/peers/windows/peer.c -ladvapi32
