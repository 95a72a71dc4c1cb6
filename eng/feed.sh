#!/bin/bash
# Packs the libraries and nipc of this clone into a folder that NuGet can install from, until they are published:
#
#   eng/feed.sh FOLDER
#   dotnet nuget add source FOLDER --name nativeipc
#
# What NuGet has unpacked of this version before is forgotten, so that it takes the new packages.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # pack_libraries
case ${1:-} in
    '' | -*) sed -n '2,/^root=/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 2 ;;
esac
mkdir -p "$1" || exit 1
feed=$(CDPATH='' cd -- "$1" && pwd) || exit 1
export DOTNET_NOLOGO=1
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

libraries=$(cd "$root/src" && for file in */PublicAPI.Shipped.txt; do say "${file%/*}"; done)
rm -f "$feed"/NativeIpc.*nupkg
say "Packs into $feed, which takes a minute or two:" $libraries NativeIpc.Tool
if ! pack_libraries "$root" "$feed" "$log" "$libraries" || ! "$root/eng/tool-pack.sh" "$feed" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi

version=$(basename "$feed"/NativeIpc.[0-9]*.nupkg .nupkg)
version=${version#NativeIpc.}
rm -rf "${NUGET_PACKAGES:-$HOME/.nuget/packages}"/nativeipc*/"$version"
say "Done: version $version. Once: dotnet nuget add source $1 --name nativeipc"
