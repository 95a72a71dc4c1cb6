#!/bin/bash
# Publishes, for Windows on x64, the programs that run under Wine, and builds the C peer: all into artifacts/win-x64.
#
#     eng/wine-publish.sh PROJECT...      projects of tests/, or of another folder with that before the name
#     eng/wine-publish.sh                 all that the steps of test.sh run, as a step of it: prints PASS, FAIL or SKIP.
#                                         They take them from there then (NATIVEIPC_WINDOWS_PUBLISHED)
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
out=$root/artifacts/win-x64
. "$root/eng/lib.sh" # building, why_no_wine, end_compiler

step=
if [ $# = 0 ]; then
    step=yes
    why=$(why_no_wine wine x86_64-w64-mingw32-gcc)
    if [ -n "$why" ]; then
        echo "SKIP wine-publish: $why"
        exit 0
    fi
    rm -rf "$out"
    set -- NativeIpc.Windows NativeIpc.Conformance NativeIpc.Peer NativeIpc.Storm NativeIpc.NamedObjects.Tests \
        NativeIpc.NamedObjects.Peer NativeIpc.Channels.Rings NativeIpc.Channels.Peer samples/dotnet/BusOnWindowsApi \
        samples/dotnet/Transfer src/NativeIpc.Tool
fi

missing=
for project; do
    name=${project##*/}
    case $name in NativeIpc.Tool) name=nipc ;; esac
    [ -n "${NATIVEIPC_WINDOWS_PUBLISHED:-}" ] && [ -e "$out/$name.exe" ] && [ -e "$out/peer.exe" ] || missing=yes
done
[ -n "$missing" ] || exit 0

# By one start of MSBuild, which makes each library once: half of what they take one by one.
# They are put into the folder one after the other, as they share most of its files.
all=$(mktemp "${TMPDIR:-/tmp}/nativeipc-windows.XXXXXX") || exit 1
trap 'rm -f "$all" "$all.proj"' EXIT
{
    say '<Project DefaultTargets="Publish"><ItemGroup>'
    for project; do
        case $project in */*) folder=$root/$project ;; *) folder=$root/tests/$project ;; esac
        say "<Program Include=\"$folder/${project##*/}.csproj\" />"
    done
    say '</ItemGroup>'
    say '<Target Name="Restore"><MSBuild Projects="@(Program)" Targets="Restore" /></Target>'
    say '<Target Name="Publish">'
    say '<MSBuild Projects="@(Program)" Targets="Build" BuildInParallel="true" />'
    say '<MSBuild Projects="@(Program)" Targets="Publish" />'
    say '</Target></Project>'
} >"$all.proj"
# Self-contained, since there is no .NET in a Wine prefix: the runtime pack comes from NuGet, and all programs share one
# copy of it. Its own artifacts folder: a restore for win-x64 in obj/ would make each build for this machine restore
# again. One compiler for all, which ends with the temporary folder that is its own.
building windows dotnet publish "$all.proj" -nologo -v q -c Release -r win-x64 --self-contained true \
    --artifacts-path "$root/artifacts/win-x64-build" -o "$out" -p:DebugType=embedded -p:NativeIpcAsserts=false \
    -p:NativeIpcAhead=false ${TMPDIR:+-p:UseSharedCompilation=true}
code=$?
end_compiler
[ $code = 0 ] && x86_64-w64-mingw32-gcc -std=c11 -O1 -Wall -Wextra -Werror -municode -o "$out/peer.exe" \
    "$root/tests/peers/windows/peer.c" -ladvapi32
code=$?
if [ -n "$step" ] && [ $code = 0 ]; then
    for project; do echo "PASS wine-publish: ${project##*/}"; done
elif [ -n "$step" ]; then
    echo "FAIL wine-publish: the programs for Windows are published: see above"
fi
exit $code
