#!/usr/bin/env bash
# glibc.sh SUITE: the conformance suite as built, in a Debian of that name: on its C library, this machine's kernel and
#     .NET. Where this machine is that Debian, as it is here.
# glibc.sh --peers SUITE: the suite on this machine's C library, its peers on that Debian's, over one /dev/shm and one
#     set of System V objects.
. "$(dirname "$0")/lib.sh"
mixed=
[ "$1" != --peers ] || { mixed=1; shift; }
run=(apart) suite=$1
if [ -n "$mixed" ] || [ "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" != "$suite" ]; then
    debian "$suite"
    run=(inside "$debian")
fi
conformance=$(program NativeIpc.Conformance)
peer=$(program NativeIpc.Peer)
here=
[ -z "$mixed" ] || here="$("$peer" --platform | cut -f 2), peers on "
facts "${run[@]}" "$peer" | sed "s/\t\(glibc \)/\t$here\1/"
if [ -n "$mixed" ]; then
    # Tests that start a peer as another user are left out: chroot(2) is root's.
    printf '#!/bin/sh\nexec chroot %s env -C / DOTNET_ROOT=%s %s "$@"\n' "$debian" "$dotnet" "$peer" >"$out/peer"
    chmod 755 "$out/peer"
    export NATIVEIPC_PEER=$out/peer
    for type in Posix SystemV; do
        suite "$(tr '[:upper:]' '[:lower:]' <<<$type)" 600 opened "$debian" "$conformance" \
            -class "*.$type.LockTests" -class "*.$type.CrashTests" -class "*.$type.DeathPointTests" \
            -class "*.$type.WaitTests" -class "*.$type.SemaphoreTests" -class "*.$type.RaceTests" \
            -class "*.$type.CrashedHolderTests" -class "*.$type.UndoTests" -trait- Needs=root
    done
elif [ -n "$short" ]; then
    suite conformance 200 "${run[@]}" "$conformance" -class '*.Posix.LockTests' -class '*.Posix.SemaphoreTests' \
        -class '*.Posix.DeathPointTests'
else
    suite posix 900 "${run[@]}" "$conformance" -namespace NativeIpc.Conformance.Posix
    suite systemv 900 "${run[@]}" "$conformance" -namespace NativeIpc.Conformance.SystemV
fi
