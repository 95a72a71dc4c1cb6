#!/bin/bash
# Packs nipc as a .NET tool into a folder (default artifacts/packages): NativeIpc.Tool.linux-x64 with the native file,
# where that can be made; NativeIpc.Tool.any, which runs on .NET 10 or newer; and NativeIpc.Tool, from which 'dotnet
# tool install' takes the right one. Further arguments go to dotnet pack.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # building, native_linker
out=${1:-$root/artifacts/packages}
[ $# = 0 ] || shift

# All that lies in a publish folder gets into a package, so nothing of before may. In the folders of publish_native,
# with its properties: what eng/tool-aot.sh has compiled is not compiled again.
build=$root/artifacts/native
rm -rf "$build/publish/NativeIpc.Tool"
pack() {
    building native dotnet pack "$root/src/NativeIpc.Tool" -c Release -nologo -v q --artifacts-path "$build" -o "$out" \
        -p:TrimmerSingleWarn=false -p:CompilesAhead=false "$@" # a tool has its own code
}

if [ "$(uname -sm)" = 'Linux x86_64' ] && [ -z "$(native_linker)" ]; then
    # Without a C compiler: one package for every system, which runs on .NET. A pointer to a package for linux-x64 would
    # lead nowhere.
    echo 'No clang or gcc here: nipc is packed without its native file.' >&2
    pack -p:ToolPackageRuntimeIdentifiers= "$@"
    exit
elif [ "$(uname -sm)" = 'Linux x86_64' ]; then
    pack -r linux-x64 -p:PublishAot=true "-p:CppCompilerAndLinker=$(native_linker)" "$@" || exit
else
    echo 'The package for linux-x64 is made on Linux x64 only: make it there,' \
        'and publish all of one version together.' >&2
fi
# With PublishAot the last one holds no files, and does not pack the others again.
pack -r any "$@" && pack -p:PublishAot=true "$@"
