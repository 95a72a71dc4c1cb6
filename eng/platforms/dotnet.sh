#!/usr/bin/env bash
# dotnet.sh VERSION: the suites as built, for .NET 10, on a newer runtime: its package, laid beside a host, and roll-
# forward. No program is built for it.
. "$(dirname "$0")/lib.sh"
version=$1
home=$("$root/eng/newer-dotnet.sh" "$version" 2>"$out/dotnet.log") || unable "$(tail -n 1 "$out/dotnet.log")"
# Other users have to reach it, too.
rm -rf "$out/home"
cp -al "$home" "$out/home" 2>/dev/null || cp -a "$home" "$out/home" || exit 1
export DOTNET_ROOT=$out/home DOTNET_ROLL_FORWARD=LatestMajor
conformance=$(program NativeIpc.Conformance)
facts "$(program NativeIpc.Peer)"
if [ -n "$short" ]; then
    # Without what looks at assemblies and lines, and what takes long.
    suite unit 200 apart "$(program NativeIpc.Tests)" -namespace- NativeIpc.Tests.Architecture \
        -class- '*KeyTextPropertyTests'
    suite conformance 200 apart "$conformance" -class '*.Posix.LockTests' -class '*.Posix.WaitTests' \
        -class '*.SystemV.LockTests' -class '*.Posix.SemaphoreTests' -class '*.SystemV.SemaphoreTests' \
        -class '*.Posix.CrashTests' -class '*.Posix.EventTests'
    exit 0
fi
suite unit 200 apart "$(program NativeIpc.Tests)"
suite conformance 900 apart "$conformance" -namespace- NativeIpc.Conformance.PlainPosix \
    -namespace- NativeIpc.Conformance.Windows
suite machine 900 apart "$(program NativeIpc.Machine)"
eng=$root/eng/peers.sh
NATIVEIPC_SLOWNESS=${NATIVEIPC_SLOWNESS:-1} "$eng" >"$out/results/peers.log" 2>&1
suite interop 600 apart "$(program NativeIpc.Interop)"
for type in posix systemv; do
    lines "storm-$type" 200 apart "$(program NativeIpc.Storm)" run $type 150
done
suite nipc 1200 apart "$(program NativeIpc.Tool.Tests)" -class- '*OptionTests'
