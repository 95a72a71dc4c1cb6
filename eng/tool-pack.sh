#!/bin/bash
# Packs nipc as a .NET tool into a folder (default artifacts/packages): NativeIpc.Tool.linux-x64 with the native file,
# where that can be made; NativeIpc.Tool.any, which runs on .NET 10 or newer; and NativeIpc.Tool, from which 'dotnet
# tool install' takes the right one. Further arguments go to dotnet pack.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
out=${1:-$root/artifacts/packages}
[ $# = 0 ] || shift

# All that lies in a publish folder gets into a package, so nothing of before may.
rm -rf "$root"/src/NativeIpc.Tool/bin/Release/net10.0/{linux-x64,any}/publish
pack() { dotnet pack "$root/src/NativeIpc.Tool" -c Release -nologo -v q -o "$out" "$@"; }

if [ "$(uname -sm)" = 'Linux x86_64' ]; then
    linker=gcc
    command -v clang >/dev/null && linker=clang
    pack -r linux-x64 -p:PublishAot=true -p:CppCompilerAndLinker=$linker "$@" || exit
else
    echo 'The package for linux-x64 is made on Linux x64 only: make it there,' \
        'and publish all of one version together.' >&2
fi
# With PublishAot the last one holds no files, and does not pack the others again.
pack -r any "$@" && pack -p:PublishAot=true "$@"
