#!/bin/bash
# The storm: eight processes lock, count and unlock; one after the other is killed, and nothing may hang, get lost or go
# untold. One line per check, PASS, FAIL or SKIP; non-zero exit when one failed.
#
#     ./test.sh --long storm                      # the full length: 2000 kills per back end; 150 otherwise
#     NATIVEIPC_STORM_KILLS=2000 ./test.sh storm
#     NATIVEIPC_STORM_WINDOWS_KILLS=600 ./test.sh storm    # the same under Wine, where a process takes long to start;
#                                                          600 and 40 otherwise
#
# Then eight makers race for one name, beside busy loops, with the same checks: a maker that is merely not scheduled is
# no reason to fail.
#
#     NATIVEIPC_STORM_MAKER_ROUNDS=10000 NATIVEIPC_STORM_LOOPS=40 ./test.sh storm    # the full length; 200 rounds of
#                                                                                    each beside 8 loops otherwise
#
# The same program measures how soon a killed C holder's lock is had again; no test, as a time depends on the machine:
#
#     artifacts/storm/bin/NativeIpc.Storm recovery 100 8 20    # rounds, processes of ours, busy loops
#     NATIVEIPC_STORM_TRACE=1 ...                              # says what happened when, on standard error
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # run_watched, why_no_wine
usual() { if [ -n "${NATIVEIPC_LONG:-}" ]; then say "$1"; else say "$2"; fi; } # LONG SHORT
kills=${NATIVEIPC_STORM_KILLS:-$(usual 2000 150)}
windows_kills=${NATIVEIPC_STORM_WINDOWS_KILLS:-$(usual 600 40)}
rounds=${NATIVEIPC_STORM_MAKER_ROUNDS:-$(usual 10000 200)}
loops=${NATIVEIPC_STORM_LOOPS:-$(usual 40 8)}
out=$root/artifacts/storm

if [ "$(uname)" != Linux ]; then
    echo "SKIP storm: the lock of a killed holder is taken over on Linux and Windows only, and the storm runs on Linux"
    exit 0
fi
if [ -z "$(native_linker)" ]; then
    echo "SKIP storm: no gcc or clang to link native AOT with"
    exit 0
fi
rm -rf "$out"
mkdir -p "$out"
if ! publish_native tests/NativeIpc.Storm "$out/bin" "$out/publish.log" -p:NativeDebugSymbols=false -m:1; then
    tail -n 20 "$out/publish.log" | sed 's/^/    /'
    echo "FAIL storm: published with native AOT: see $out/publish.log"
    exit 1
fi

failed=0
storm() { # TYPE SECONDS COMMAND...
    local type=$1 limit=$2 code
    shift 2
    run_watched "$limit" "$out/$type.log" "$@"
    code=$?
    tr -d '\r' <"$out/$type.log"
    [ $code = 0 ] || failed=1
    [ $code != 124 ] || echo "FAIL storm: the watchdog ended $type"
    [ $code -le 1 ] || [ $code = 124 ] || echo "FAIL storm: $type ended with $code"
}

for type in posix systemv; do
    # It ends by itself when a process waits for a minute; beside other steps it may take long without.
    storm $type "$(patient $((240 + kills / 4)))" "$out/bin/NativeIpc.Storm" run $type "$kills"
done
for type in posix systemv; do
    storm $type-makers "$(patient $((120 + rounds * loops / 20)))" \
        "$out/bin/NativeIpc.Storm" makers $type "$rounds" "$loops"
done

# Four processes, as JIT: there is no cross-compiler for native AOT. Memory for no garbage collection: see the
# conformance suite's README.md.
why=$(why_no_wine wine x86_64-w64-mingw32-gcc)
if [ -n "$why" ]; then
    echo "SKIP storm Windows: $why"
elif ! "$root/eng/wine-publish.sh" NativeIpc.Storm >"$out/publish-windows.log" 2>&1; then
    tail -n 20 "$out/publish-windows.log" | sed 's/^/    /'
    echo "FAIL storm Windows: published for Windows: see $out/publish-windows.log"
    failed=1
else
    export DOTNET_GCgen0size=40000000 NATIVEIPC_WINE_TIMEOUT=$(patient $((300 + 2 * windows_kills)))
    storm windows $((NATIVEIPC_WINE_TIMEOUT + 80)) \
        "$root/eng/wine-run.sh" "$root/artifacts/win-x64/NativeIpc.Storm.exe" run windows "$windows_kills" 4
fi
exit $failed
