#!/usr/bin/env bash
# Publishes test projects for Windows and runs the first one under Wine, as the test program that it is: dotnet test
# runs on this side only. The report is of the same kind (TRX).
#
#     eng/wine-suite.sh TRX PROJECT... [ARGUMENT OF THE TEST PROGRAM...]
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
windows_path() { printf '%s\n' "Z:${1//\//\\}"; }
trx=$1 projects=()
shift
while [ $# != 0 ] && [ "${1#-}" = "$1" ]; do projects+=("$1"); shift; done
"$root/eng/wine-publish.sh" "${projects[@]}" || exit

# So much memory (hexadecimal) that no garbage collection comes while the suite runs: under Wine 8 it can be its end,
# see the conformance suite's README.md.
export DOTNET_GCgen0size=40000000
NATIVEIPC_PEER=$(windows_path "$root/artifacts/win-x64/NativeIpc.Peer.exe")
NATIVEIPC_MATRIX=$(windows_path "$root/artifacts/windows-matrix.md")
export NATIVEIPC_PEER NATIVEIPC_MATRIX
rm -f "$root/artifacts/windows-matrix.md"
printf 'C, Windows: %s, mingw-w64 gcc %s\n' "$(WINEDEBUG=-all wine --version 2>/dev/null)" \
    "$(x86_64-w64-mingw32-gcc -dumpfullversion)"
exec "$root/eng/wine-run.sh" "$root/artifacts/win-x64/${projects[0]}.exe" -noColor -noAutoReporters \
    -result-trx "$(windows_path "$trx")" "$@"
