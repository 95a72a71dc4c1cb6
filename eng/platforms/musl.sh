#!/usr/bin/env bash
# musl.sh: the suites on musl, with .NET's runtime pack for it, Debian's musl, and what eng/musl-libraries.sh makes.
#     Then the suite on musl with its peers on glibc, over one /dev/shm, and the other way round.
. "$(dirname "$0")/lib.sh"
for program in musl-gcc ldd; do
    command -v $program >/dev/null || unable "'$program' is missing (eng/debian-packages.txt)"
done
projects="NativeIpc.Conformance NativeIpc.Peer"
[ -n "$short" ] || projects="$projects NativeIpc.Tests NativeIpc.Interop"
for project in $projects; do
    ! is_published "$out/$project" || continue
    dotnet publish "$root/tests/$project" -nologo -v q -c Release -r linux-musl-x64 --self-contained \
        -p:RunAnalyzers=false --artifacts-path "$out/build" -o "$out/$project" >"$out/publish.log" 2>&1 ||
        { tail -n 20 "$out/publish.log" >&2; exit 1; }
done

libraries=$("$root/eng/musl-libraries.sh" 2>"$out/libraries.log") || unable "$(tail -n 1 "$out/libraries.log")"
# Other users have to reach them, too.
rm -rf "$out/lib"
cp -r "${libraries%/*}/lib" "$out/" || exit 1
{ cat /etc/ld-musl-x86_64.path; echo "$out/lib"; } >"$out/ld.path"

# In a mount name space of its own musl's loader finds the libraries; LD_LIBRARY_PATH would reach glibc programs, too.
on_musl() {
    apart bash -c 'mount --bind "$out/ld.path" /etc/ld-musl-x86_64.path || exit 125
        "$@"
        exit $?' sh "$@"
}
export -f on_musl
conformance=$out/NativeIpc.Conformance/NativeIpc.Conformance
peer=$out/NativeIpc.Peer/NativeIpc.Peer
export NATIVEIPC_PEER=$peer DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 # ICU is built for glibc
facts on_musl "$peer"
if [ -n "$short" ]; then
    suite posix 200 on_musl "$conformance" -class '*.Posix.LockTests' -class '*.Posix.SemaphoreTests' \
        -class '*.Posix.ListingTests'
    exit 0
fi
suite unit 200 on_musl "$out/NativeIpc.Tests/NativeIpc.Tests"
suite posix 900 on_musl "$conformance" -namespace NativeIpc.Conformance.Posix
suite systemv 900 on_musl "$conformance" -namespace NativeIpc.Conformance.SystemV
NATIVEIPC_SLOWNESS=${NATIVEIPC_SLOWNESS:-1} "$root/eng/peers.sh" >"$out/results/peers.log" 2>&1
# Programs of both C libraries together: below.
suite interop 600 on_musl "$out/NativeIpc.Interop/NativeIpc.Interop" -class- '*.TogetherTests'
lines together 300 on_musl "$root/eng/platforms/exclusion.py" 10000 "$cache/peers/index.tsv" "$peer" \
    "$(program NativeIpc.Peer)"
both=(-class '*.Posix.LockTests' -class '*.Posix.CrashTests' -class '*.Posix.DeathPointTests'
    -class '*.SystemV.LockTests' -class '*.SystemV.CrashTests' -class '*.SystemV.SemaphoreTests')
# musl's own semaphores are not glibc's, so a peer on glibc leaves none.
NATIVEIPC_PEER=$(program NativeIpc.Peer) NATIVEIPC_NAMES_OF=musl suite peers-on-glibc 600 on_musl "$conformance" \
    "${both[@]}" -method- '*.What_a_killed_maker_of_a_semaphore_leaves_can_be_opened_reset_and_removed'
NATIVEIPC_PEER=$peer NATIVEIPC_NAMES_OF=glibc suite peers-on-musl 600 on_musl "$(program NativeIpc.Conformance)" \
    "${both[@]}" -class '*.Posix.SemaphoreTests' -class '*.Posix.PermitTests'
