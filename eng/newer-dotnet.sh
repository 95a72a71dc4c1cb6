#!/usr/bin/env bash
# newer-dotnet.sh VERSION: a runtime that is newer than the SDK's: its package, which NuGet fetches, laid beside this
# SDK's host. Prints its folder, dotnet-VERSION in the cache that eng/peers.sh describes; else the reason on standard
# error, and ends with 1. Programs that are built for .NET 10 run on it by roll-forward:
#     FOLDER/dotnet exec --roll-forward LatestMajor PROGRAM.dll
# Safe to run again and at the same time.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
version=$1
cache=${NATIVEIPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nativeipc}
home=$cache/dotnet-$version
unable() { echo "$1" >&2; exit 1; }
case $(uname -m) in
    x86_64) machine=linux-x64 ;;
    aarch64) machine=linux-arm64 ;;
    *) unable "It is not known what NuGet calls a '$(uname -m)'." ;;
esac

mkdir -p "$cache"
exec 7>"$cache/.dotnet-$version.lock"
flock 7
if [ ! -e "$home/complete" ]; then
    command -v dotnet >/dev/null || unable 'The .NET SDK is missing.'
    name=microsoft.netcore.app.runtime.$machine
    package=${NUGET_PACKAGES:-$HOME/.nuget/packages}/$name/$version
    if [ ! -e "$package/.nupkg.metadata" ]; then # the last file that NuGet writes
        fetch=$(mktemp -d "${TMPDIR:-/tmp}/nativeipc-dotnet.XXXXXX")
        trap 'rm -rf "$fetch"' EXIT
        cat >"$fetch/fetch.csproj" <<-PROJECT
		<Project Sdk="Microsoft.NET.Sdk">
		  <PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
		  <ItemGroup><PackageDownload Include="$name" Version="[$version]" /></ItemGroup>
		</Project>
		PROJECT
        cp "$root/global.json" "$fetch/"
        log=$cache/dotnet-$version.log
        DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 \
            timeout $((120 * ${NATIVEIPC_SLOWNESS:-1})) dotnet restore "$fetch" -nologo -v q >"$log" 2>&1 7>&- &&
            [ -e "$package/.nupkg.metadata" ] || unable "NuGet does not give $name $version; see $log."
    fi
    dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
    native=$package/runtimes/$machine/native
    rm -rf "$home"
    mkdir -p "$home/host/fxr/$version" "$home/shared/Microsoft.NETCore.App"
    cp "$dotnet/dotnet" "$home/"
    cp "$native/libhostfxr.so" "$home/host/fxr/$version/"
    cp -r "$native" "$home/shared/Microsoft.NETCore.App/$version"
    cp "$package/runtimes/$machine"/lib/*/* "$home/shared/Microsoft.NETCore.App/$version/"
    touch "$home/complete"
fi
echo "$home"
